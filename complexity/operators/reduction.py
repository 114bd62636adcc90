"""Sums, products, norms and extremes over axes, the places of extremes, the k greatest, and determinants."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Expression, Size, at_least, floor_divide, maximum, product
from ..formats import Format
from ..grids import Grid, magnitude, one_step, powered, summed
from ..layers.wiring import inverse, repeated
from ..ops import Role
from ..shapes import Element, Shape, Tensor
from . import evaluation
from .moved import listed
from .propagation import carried, chosen
from .rule import Call, Operator, Result, Rule, Steps, operand

__all__ = ["OPERATORS", "axes_over", "mean_of", "reduced_shape", "reduction"]

RED = Role.REDUCTION
ZERO: Element = 0
ONE: Element = 1
M = Arithmetic[Signal]
Equation = Callable[[M, Signal, Size, Size, Format], object]


def axes_over(call: Call, shape: Shape) -> tuple[int, ...]:
    """The axes of a reduction, from the attribute (before version 18, ReduceSum 13) or input 1.

    None or an empty list means all axes, with noop_with_empty_axes none of them.
    """
    axes: tuple[Element, ...] | None = call.integers("axes")
    given = call.given(1)
    if axes is None and given is not None:
        axes = given.value
        if axes is None and given.shape == (0,):
            axes = ()
        if axes is None or not all(isinstance(axis, int) for axis in axes):
            call.unknown("the axes (input 1) are not known before the run", Tensor(dtype=call.input(0).dtype))
    if not axes:
        return () if call.integer("noop_with_empty_axes", 0) else tuple(range(len(shape)))
    found = tuple(call.axis(axis, len(shape), "axes") for axis in axes if isinstance(axis, int))
    if len(set(found)) != len(found):
        call.refuse("E-AXES-REPEATED", f"axes {listed(axes)} name an axis twice")
    return found


def reduced_shape(call: Call, shape: Shape, axes: tuple[int, ...]) -> Shape:
    """The shape behind a reduction: a one in place of each axis, or with keepdims=0 nothing."""
    if call.integer("keepdims", 1):
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def reduction(equation: Equation, value: evaluation.Function | None = None, *, identity: bool = False) -> Rule:
    """An equation on rows of `terms` elements that meet; `identity`: over no axis the input itself comes out."""

    def rule(call: Call) -> Result:
        x = call.input(0)
        if x.shape is None:
            call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype))
        shape, axes = x.shape, axes_over(call, x.shape)
        terms = product([shape[axis] for axis in axes])
        rows = product([size for axis, size in enumerate(shape) if axis not in axes])
        known = evaluation.reduced_values(x, shape, axes, value) if value else None
        output = Tensor(dtype=x.dtype, shape=reduced_shape(call, shape, axes)).with_value(known)
        output = numbers(call, equation, output, terms, axes)
        if identity and not axes:
            return Result(outputs=(x,), free="a reduction over no axis", kind="reduction")

        def text(m: M) -> None:
            equation(m, operand(m, x, terms), terms, 1, x.number)

        # Which products meet, and in what order, a product of many does not say.
        work = Steps(text=text, executions=rows, wired=equation is not product_of)
        return Result(outputs=(output,), work=work, kind="reduction")

    return rule


def numbers(call: Call, equation: Equation, output: Tensor, terms: Size, axes: tuple[int, ...]) -> Tensor:
    """The reduced tensor in the number format that exact arithmetic gives: a mean has the integers of its sum."""
    x = call.input(0)
    if equation in (extreme_of, least_of):
        return chosen(x, output.shape, axes).with_value(output.value)
    if not one_step(x, axes):
        return output

    def exact(grid: Grid) -> Grid | None:
        if equation in (sum_of, mean_of):
            return summed(grid, terms, mean=equation is mean_of)
        each = magnitude(grid) if equation is magnitude_sum else powered(grid, 2) if equation is square_sum else None
        return each and summed(each, terms)

    return carried(output, (x,), exact, call.op)


def sum_of(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> Signal:
    """n - 1 additions per result."""
    return m.sum(x, terms=terms, outputs=rows, role=RED)


def mean_of(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """n - 1 additions and one product by the constant 1/n per result."""
    share = m.constant(rows, format, value=inverse(terms))
    m.multiply(m.sum(x, terms=terms, outputs=rows, role=RED), share, role=RED)


def extreme_of(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """n - 1 comparisons per result."""
    m.greatest(x, terms=terms, outputs=rows, role=RED)


def least_of(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """n - 1 comparisons per result."""
    m.greatest(x, terms=terms, outputs=rows, role=RED, kept="lesser")


def product_of(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """n - 1 products per result."""
    joins = m.broadcast(x, rows * joins_of(terms))
    m.multiply(joins, joins, role=RED)


def joins_of(terms: Size) -> Size:
    """How many operations join so many terms."""
    return maximum(terms - 1, 0)


def magnitude_sum(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """n comparisons and n - 1 additions per result."""
    sum_of(m, m.compare(x, x, role=RED), terms, rows, format)


def square_sum(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> Signal:
    """n squares and n - 1 additions per result."""
    return m.dot(x, x, terms=terms, outputs=rows, role=RED)


def length_of(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """n squares, n - 1 additions and one square root per result."""
    m.lookup(square_sum(m, x, terms, rows, format), "sqrt", result=format, role=RED)


def logarithm_of_sum(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> Signal:
    """n - 1 additions and one logarithm per result."""
    return m.lookup(sum_of(m, x, terms, rows, format), "log", result=format, role=RED)


def soft_maximum(m: M, x: Signal, terms: Size, rows: Size, format: Format) -> None:
    """max x + log sum exp(x - max x): n - 1 comparisons, n subtractions, n exp, n - 1 additions, one log and one
    addition per result."""
    top = m.greatest(x, terms=terms, outputs=rows, role=RED)
    spread = m.arrange([top], rows * terms, repeated(rows, terms))
    difference = m.requantize(m.subtract(x, spread, role=RED), format)
    powers = m.lookup(difference, "exp", result=format, role=RED)
    m.add(logarithm_of_sum(m, powers, terms, rows, format), top, role=RED)


def known_sum(*elements: Element) -> Element:
    """The sum, 0 of none."""
    return reduce(evaluation.add, elements, ZERO)


def known_mean(*elements: Element) -> Element:
    """The mean; of integers only where it is one."""
    total = known_sum(*elements)
    if isinstance(total, int) and total % len(elements) == 0:
        return total // len(elements)
    floats = any(isinstance(element, float) for element in elements)
    return evaluation.divide(total, len(elements), integers=False) if floats or isinstance(total, Expression) else None


def place_of_extreme(call: Call) -> Result:
    """The index of the greatest or smallest element along an axis: n - 1 comparisons per result."""
    x = call.input(0)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype="int64"))
    axis = call.axis(call.integer("axis", 0), len(x.shape))
    terms, rows = x.shape[axis], product(x.shape[:axis] + x.shape[axis + 1 :])
    if terms == 0:
        call.refuse("E-REDUCTION-EMPTY", f"axis {axis} of shape {listed(x.shape)} has no element to choose")

    def text(m: M) -> None:
        extreme_of(m, operand(m, x, rows * terms), terms, rows, x.number)

    output = Tensor(dtype="int64", shape=reduced_shape(call, x.shape, (axis,)))
    return Result(outputs=(output,), work=Steps(text=text), kind="reduction")


def top_k(call: Call) -> Result:
    """The k greatest or smallest of n elements along an axis, and their places.

    Counting: k rounds of selection, round i comparing what is left: k n - k (k + 1)/2 comparisons per row. A kernel
    may need fewer (a heap) or more (a full sort).
    """
    x = call.input(0)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype), Tensor(dtype="int64"))
    axis = call.axis(call.integer("axis", -1), len(x.shape))
    count, shape, number = wanted_count(call), x.shape, x.number
    if at_least(shape[axis], count) is False:
        call.refuse("E-TOPK-COUNT", f"k is {count}, axis {axis} has {shape[axis]} elements")
    rows = product(shape[:axis] + shape[axis + 1 :])
    kept = (*shape[:axis], count, *shape[axis + 1 :])
    outputs = chosen(x, kept, (axis,)), Tensor(dtype="int64", shape=kept)

    def text(m: M) -> None:
        candidates = m.variable(rows * (count * shape[axis] - floor_divide(count * (count + 1), 2)), number)
        m.compare(candidates, candidates, role=RED)

    return Result(outputs=outputs, work=Steps(text=text), kind="reduction")


def wanted_count(call: Call) -> Size:
    """k of TopK: an attribute before version 10, then an input; one that only the run decides is a free size."""
    if call.version < 10 and "k" in call.attributes:
        count: Element = call.integer("k")
    else:
        call.input(1)
        values = call.values(1)
        if values is not None and len(values) != 1:
            call.refuse("E-TOPK-COUNT", f"k has {len(values)} elements, expected 1")
        count = values[0] if values else None
    if count is None:
        return call.symbol("k")
    if not isinstance(count, int | Expression) or at_least(count, 0) is False:
        call.refuse("E-TOPK-COUNT", f"k is {count}, expected an integer of 0 or more")
    return count


def determinant(call: Call) -> Result:
    """Determinants of n x n matrices by elimination: the divisions that make each column's factors, a product and a
    subtraction for every element under and right of a pivot, and the product of the pivots. The search for pivots and
    the closed forms of small matrices are not considered."""
    x = call.input(0)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype))
    if len(x.shape) < 2:
        call.refuse("E-RANK", f"input 0 has rank {len(x.shape)}, expected 2 or more")
    batch, n, columns = product(x.shape[:-2]), x.shape[-1], x.shape[-2]
    if isinstance(n, int) and isinstance(columns, int) and n != columns:
        call.refuse("E-DET-SQUARE", f"a determinant needs square matrices, found {columns} x {n}")
    updates = floor_divide(n * (n - 1) * (2 * n - 1), 6)

    def text(m: M) -> None:
        m.lookup(m.variable(batch * floor_divide(n * (n - 1), 2), x.number), "division", role=RED)
        element = m.variable(batch * updates, x.number)
        m.subtract(element, m.requantize(m.multiply(element, element, role=RED), x.number), role=RED)
        pivots = m.variable(batch * joins_of(n), x.number)
        m.multiply(pivots, pivots, role=RED)

    return Result(outputs=(Tensor(dtype=x.dtype, shape=x.shape[:-2]),), work=Steps(text=text), kind="reduction")


def reducing(
    name: str, equation: Equation, value: evaluation.Function | None = None, identity: bool = False
) -> Operator:
    """One line of the index."""
    names = "axes keepdims noop_with_empty_axes"
    rule = reduction(equation, value, identity=identity)
    return Operator(name=f"Reduce{name}", rule=rule, inputs=(1, 2), attributes=names, settings=(1,))


OPERATORS = (
    reducing("Sum", sum_of, known_sum, True),
    reducing("Mean", mean_of, known_mean, True),
    reducing("Max", extreme_of, lambda *elements: reduce(evaluation.larger, elements), True),
    reducing("Min", least_of, lambda *elements: reduce(evaluation.smaller, elements), True),
    reducing("Prod", product_of, lambda *elements: reduce(evaluation.multiply, elements, ONE), True),
    reducing("L1", magnitude_sum),
    reducing("L2", length_of),
    reducing("SumSquare", square_sum),
    reducing("LogSum", logarithm_of_sum),
    reducing("LogSumExp", soft_maximum),
    Operator(name="ArgMax", rule=place_of_extreme, attributes="axis keepdims select_last_index"),
    Operator(name="ArgMin", rule=place_of_extreme, attributes="axis keepdims select_last_index"),
    Operator(name="TopK", rule=top_k, inputs=(1, 2), outputs=(2, 2), attributes="axis k largest sorted", settings=(1,)),
    Operator(name="Det", rule=determinant),
)
