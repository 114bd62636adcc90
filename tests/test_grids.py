"""Interval arithmetic on grids: every operation against all numbers of small sets, and the formats that hold them."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from itertools import product

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from nncomplexity.encoding import Encoding, Granularity
from nncomplexity.formats import Binary, Fixed, Float, PowerOfTwo, Ternary, integers
from nncomplexity.grids import (
    ZERO,
    Grid,
    added,
    divided,
    greater,
    grid_of,
    grown_together,
    magnitude,
    multiplied,
    negated,
    on_grid,
    partial_sums,
    point,
    powered,
    rounded,
    signs,
    smaller,
    subtracted,
    summed,
    united,
)
from nncomplexity.shapes import Tensor

HALF = Fraction(1, 2)
STEPS = [Fraction(1, 8), HALF, Fraction(3, 4), Fraction(1), Fraction(5, 3), Fraction(2)]
cases = partial(settings, max_examples=300, deadline=None)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Up to five numbers, equally spaced."""
    low, count = draw(st.integers(-6, 6)), draw(st.integers(0, 4))
    stride = draw(st.integers(1, 3)) if count else 1
    return Grid(draw(st.sampled_from(STEPS)), low, low + stride * count, stride)


def numbers(grid: Grid) -> list[Fraction]:
    """The numbers of a grid; an unknown step is taken for one."""
    return [(grid.step or Fraction(1)) * n for n in range(grid.low, grid.high + 1, grid.stride)]


def holds(grid: Grid | None, expected: set[Fraction]) -> None:
    """The range of a result is exactly that of these numbers, and all of them are on the grid."""
    assert grid is not None
    found = numbers(grid)
    assert (found[0], found[-1]) == (min(expected), max(expected))
    assert expected <= set(found)


@seed(1)
@cases()
@given(grids(), grids())
def test_operations_on_two_grids(left, right):
    for exact, function in (
        (added, lambda a, b: a + b),
        (subtracted, lambda a, b: a - b),
        (multiplied, lambda a, b: a * b),
        (greater, max),
        (smaller, min),
    ):
        holds(exact(left, right), {function(a, b) for a, b in product(numbers(left), numbers(right))})
    holds(united(left, right), {*numbers(left), *numbers(right)})


@seed(2)
@cases()
@given(grids(), st.integers(1, 4))
def test_operations_on_one_grid(grid, count):
    values = numbers(grid)
    holds(negated(grid), {-x for x in values})
    holds(magnitude(grid), {abs(x) for x in values})
    holds(greater(grid, ZERO), {max(x, Fraction(0)) for x in values})
    for function in (math.floor, math.ceil, round):
        holds(rounded(grid, function), {Fraction(function(x)) for x in values})
    holds(powered(grid, count), {x**count for x in values})
    if grid.step == 1 and grid.stride == 1:
        holds(signs(grid), {Fraction((x > 0) - (x < 0)) for x in values})
    assert {Fraction((x > 0) - (x < 0)) for x in values} <= set(numbers(signs(grid)))
    sums = {sum(terms, Fraction(0)) for terms in product(values, repeat=count)}
    holds(summed(grid, count), sums)
    holds(summed(grid, count, mean=True), {x / count for x in sums})
    prefixes = {sum(terms, Fraction(0)) for n in range(1, count + 1) for terms in product(values, repeat=n)}
    holds(partial_sums(grid, 1, count), prefixes)
    holds(partial_sums(grid, 0, count), {*prefixes, Fraction(0)})


@seed(3)
@cases()
@given(grids(), st.sampled_from([-2.0, -0.5, 0.25, 1.0, 3.0]))
def test_a_known_number(grid, number):
    exact, values = Fraction(number), numbers(grid)
    one = point(number)
    assert one is not None
    holds(added(grid, one), {x + exact for x in values})
    holds(multiplied(grid, one), {x * exact for x in values})
    holds(divided(grid, one), {x / exact for x in values})
    holds(multiplied(grid, ZERO), {Fraction(0)})


@seed(4)
@cases()
@given(grids(), st.integers(-140, 140))
def test_formats_are_the_narrowest(grid, zero_point):
    """A result is stored as it is, or with its origin's zero point where that takes fewer bits."""
    origin = Tensor(
        dtype="float32",
        format=integers(0, 255),
        encoding=Encoding(source="q", step=Fraction(1, 3), zero_point=zero_point),
    )
    made = on_grid(Tensor(dtype="float32"), grid, "test", (origin,))
    assert made.encoding is not None and made.format is not None
    back = grid_of(made)
    assert back is not None and set(numbers(grid)) <= set(numbers(back))
    assert (min(numbers(back)), max(numbers(back))) == (min(numbers(grid)), max(numbers(grid)))
    shared = math.gcd(grid.stride, grid.low) if grid.high > grid.low else 1
    low, high = grid.low // shared, grid.high // shared
    if isinstance(made.format, Binary):
        assert set(numbers(grid)) == set(numbers(back))
    else:
        assert made.format.bits == min(bits(low, high), bits(low + zero_point, high + zero_point))


def bits(low: int, high: int) -> int:
    """Bits of the smallest two's complement, or unsigned, by trying."""
    return next(
        b for b in range(1, 65) if (low >= 0 and high < 2**b) or (-(2 ** (b - 1)) <= low and high < 2 ** (b - 1))
    )


def encoded(format, step=Fraction(1), zero_point=0, **more) -> Tensor:
    return Tensor(
        dtype="float32", format=format, encoding=Encoding(source="q", step=step, zero_point=zero_point, **more)
    )


def test_what_tensors_hold():
    unsigned = Fixed(bits=8, integer=8, signed=False)
    assert grid_of(encoded(unsigned, HALF, 128)) == (HALF, -128, 127, 1)
    assert grid_of(encoded(Fixed(bits=4, integer=4, reachable=(-7, 7)), None)) == (None, -7, 7, 1)
    assert grid_of(encoded(Binary(), HALF)) == (HALF, -1, 1, 2)
    assert grid_of(encoded(Ternary())) == (1, -1, 1, 1)
    assert grid_of(encoded(PowerOfTwo(bits=4))) == (1, -8, 7, 1)
    assert grid_of(Tensor(dtype="int8", shape=(3,))) == (1, -128, 127, 1)
    assert grid_of(Tensor(dtype="float32", value=(2.0, 2.0))) == (2, 1, 1, 1)
    assert grid_of(Tensor(dtype="float32", value=(-0.5, 0.0, 0.75))) == (Fraction(1, 4), -2, 3, 1)
    assert grid_of(Tensor(dtype="float32", value=(0.0,))) == ZERO


def test_what_is_on_no_grid():
    assert grid_of(Tensor(dtype="float32")) is None
    assert grid_of(Tensor(dtype="float32", format=Fixed(bits=8))) is None
    assert grid_of(encoded(Fixed(bits=8, integer=8), None, None, granularity=Granularity.CHANNEL)) is None
    assert grid_of(encoded(Float(bits=8))) is None
    assert grid_of(encoded(Fixed(bits=8), Fraction(-1))) is None
    assert grid_of(encoded(Fixed(bits=8), Fraction(0))) is None
    for value in ((float("inf"),), (float("nan"), 1.0), (None, 1.0), ("text",), (1.0, 2.0**-30)):
        assert grid_of(Tensor(dtype="float32", value=value)) is None


def test_steps_that_do_not_meet():
    fine, coarse, unknown = Grid(Fraction(1, 1 << 17), -8, 7), Grid(Fraction(1), -8, 7), Grid(None, 0, 15)
    for exact in (added, subtracted, united):
        assert exact(fine, coarse) is None
        assert exact(unknown, coarse) is None
        assert exact(unknown, unknown) is None
    assert added(Grid(Fraction(1, 1 << 16), 0, 1), coarse) is not None
    assert grown_together(unknown, unknown) == (None, 0, 30, 1)
    assert grown_together(Grid(None, -8, 7), unknown) == (None, -16, 30, 1)
    assert greater(Grid(None, -8, 7), ZERO) == (None, 0, 7, 1)
    assert greater(Grid(None, -8, 7), coarse) is None
    assert magnitude(Grid(None, -8, 7)) == (None, 0, 8, 1)
    assert multiplied(unknown, coarse) == (None, -120, 105, 1)
    assert divided(unknown, Grid(Fraction(3), -1, -1)) == (None, -15, 0, 1)
    assert divided(coarse, unknown) is divided(coarse, ZERO) is divided(coarse, coarse) is None
    assert summed(unknown, "n") is partial_sums(unknown, 0, 0) is None


@pytest.mark.parametrize("order", ["add first", "halve first", "divide first"])
def test_half_of_a_bipolar_number_and_one_is_a_bit(order):
    x = Grid(Fraction(1), -1, 1, 2)
    half, one, two = point(0.5), point(1.0), point(2.0)
    if order == "add first":
        y = multiplied(added(x, one), half)
    elif order == "halve first":
        y = added(multiplied(x, half), half)
    else:
        y = added(divided(x, two), half)
    made = on_grid(Tensor(dtype="float32"), y, "test")
    assert made.format == Fixed(bits=1, integer=1, signed=False)
    assert made.encoding == Encoding(source="test", step=Fraction(1), derived=True)
    assert isinstance(on_grid(Tensor(), multiplied(x, half), "test").format, Binary)


def test_stored_forms():
    shifted = encoded(Fixed(bits=8, integer=8, signed=False), Fraction(1, 3), 128)
    relu = on_grid(Tensor(dtype="float32"), greater(grid_of(shifted), ZERO), "Relu", (shifted,))
    assert relu.format == Fixed(bits=7, integer=7, signed=False)
    assert relu.encoding == Encoding(source="Relu", step=Fraction(1, 3), derived=True)
    kept = on_grid(Tensor(dtype="float32"), grid_of(shifted), "Max", (shifted,))
    assert (kept.format, kept.encoding) == (shifted.format, shifted.encoding)
    tripled = on_grid(Tensor(dtype="float32"), multiplied(grid_of(shifted), point(3.0)), "Mul", (shifted,))
    assert tripled.format == shifted.format
    assert tripled.encoding == Encoding(source="Mul", step=Fraction(1), zero_point=128, derived=True)
    cut = on_grid(Tensor(dtype="float32"), Grid(Fraction(1, 3), -128, 0), "Min", (shifted,))
    assert cut.format == Fixed(bits=8, integer=8, reachable=(-128, 0)) and cut.encoding.zero_point == 0
    beyond = on_grid(Tensor(dtype="float32"), Grid(Fraction(1), 0, 1 << 64), "Mul", (shifted,))
    assert beyond.format is beyond.encoding is None


def test_the_binary_point_stays_where_the_step_says():
    pointed = encoded(Fixed(bits=8, integer=3), Fraction(1, 32))
    doubled = on_grid(Tensor(), added(grid_of(pointed), grid_of(pointed)), "Add", (pointed, pointed))
    assert doubled.format == Fixed(bits=9, integer=4, reachable=(-256, 254))
    assert on_grid(Tensor(), multiplied(grid_of(pointed), point(2.0)), "Mul", (pointed,)).format == Fixed(
        bits=8, integer=4
    )
    assert on_grid(Tensor(), multiplied(grid_of(pointed), point(3.0)), "Mul", (pointed,)).format == Fixed(
        bits=8, integer=8
    )
    core = encoded(Fixed(bits=8, integer=8), Fraction(1, 32))
    assert on_grid(Tensor(), added(grid_of(core), grid_of(core)), "Add", (core, core)).format.integer == 9
    assert on_grid(Tensor(), added(grid_of(core), grid_of(pointed)), "Add", (core, pointed)).format.integer == 9
