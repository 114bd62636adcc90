"""Exact interval arithmetic on the numbers quantized tensors hold, so that formats reach the next linear operator.

A quantized tensor holds real numbers step * n for integers n of a known range; bipolar ones hold the odd n alone. Every
operation here gives the smallest such set that the exact result is known to lie in, or None where there is none: the
tensor is then a float again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import gcd, isfinite, lcm
from typing import NamedTuple

from .encoding import Encoding, Granularity
from .formats import FLOATS, WIDEST, Binary, Fixed, Format, Mixed, integers
from .shapes import Element, Tensor

__all__ = [
    "ZERO",
    "Grid",
    "added",
    "divided",
    "evened",
    "greater",
    "grid_of",
    "grown_together",
    "magnitude",
    "multiplied",
    "negated",
    "on_grid",
    "one_step",
    "partial_sums",
    "point",
    "powered",
    "rounded",
    "signs",
    "smaller",
    "subtracted",
    "summed",
    "united",
]

# A grid is made at most so many times finer to hold the numbers of another one too.
FINER = 1 << 16
# Steps that a long chain of scales has made longer than this are no longer followed.
LONGEST_STEP = 4096
# One step for all numbers of a tensor.
WHOLE = (Granularity.TENSOR, Granularity.RUN)


class Grid(NamedTuple):
    """Equally spaced real numbers: step * n, n = low, low + stride, ..., high.

    step: its exact value, None for a positive number that is not known or not one number for the whole tensor.
    """

    step: Fraction | None
    low: int
    high: int
    stride: int = 1

    @property
    def spacing(self) -> int:
        """The stride; 0 for a single number, which has none."""
        return self.stride if self.high > self.low else 0

    @property
    def bipolar(self) -> bool:
        """Whether these are two opposite numbers and nothing between them."""
        return (self.low, self.high, self.stride) == (-1, 1, 2)


ZERO = Grid(None, 0, 0)


def point(value: Element) -> Grid | None:
    """One known number; None where it is none, or not finite."""
    if not isinstance(value, int | float) or not isfinite(value):
        return None
    exact = Fraction(value)
    return Grid(abs(exact), -1 if exact < 0 else 1, -1 if exact < 0 else 1) if exact else ZERO


def grid_of(tensor: Tensor) -> Grid | None:
    """The numbers a tensor holds, None for floats and where the zero point is not one known number.

    Without an encoding: known elements are these numbers, integers of an element type themselves. A number format that
    only an option states (no encoding) is what results are rounded to again, so nothing follows from its range.
    """
    encoding = tensor.encoding
    if encoding is None:
        return _plain(tensor)
    number, zero, step = tensor.number, encoding.zero_point, encoding.step
    if number.floating or not isinstance(number.bits, int) or zero is None or (step is not None and step <= 0):
        return None
    if isinstance(number, Binary):
        return Grid(step, -1, 1, 2) if zero == 0 else None
    low, high = number.interval
    return Grid(step, low - zero, high - zero)


def _plain(tensor: Tensor) -> Grid | None:
    if tensor.value:
        return _known(tensor.value)
    if tensor.dtype is None or tensor.number.floating:
        return None
    return None if tensor.dtype in FLOATS else Grid(Fraction(1), *tensor.number.interval)


def _known(value: Sequence[Element]) -> Grid | None:
    points = [point(element) for element in dict.fromkeys(value)]
    if len(points) == 1:
        return points[0]
    numbers = [each.step * each.low if each.step else Fraction(0) for each in points if each is not None]
    if len(numbers) < len(points):
        return None
    common = lcm(*(number.denominator for number in numbers))
    whole = [int(number * common) for number in numbers]
    unit = gcd(*whole)
    low, high = min(whole) // unit, max(whole) // unit
    return Grid(Fraction(unit, common), low, high) if max(-low, high) <= FINER else None


def _simple(grid: Grid) -> Grid:
    """The same numbers with the coarsest step: 0, 2, 4 are 0, 1, 2 of a step twice as long."""
    step, low, high, stride = grid
    if low == high:
        return Grid(step, low, high)
    factor = gcd(stride, low)
    return grid if factor == 1 else Grid(step and step * factor, low // factor, high // factor, stride // factor)


def _aligned(left: Grid, right: Grid) -> tuple[Fraction | None, Grid, Grid] | None:
    """Both on one step; None where there is none, or it is much finer than theirs."""
    if left == ZERO or right == ZERO:
        return (right.step if left == ZERO else left.step), left, right
    if left.step is None or right.step is None:
        return None
    denominator = lcm(left.step.denominator, right.step.denominator)
    numerator = gcd(int(left.step * denominator), int(right.step * denominator))
    common = Fraction(numerator, denominator)
    made = []
    for grid, step in ((left, left.step), (right, right.step)):
        factor = int(step / common)
        if factor > FINER and grid.spacing:
            return None
        made.append(Grid(common, grid.low * factor, grid.high * factor, grid.stride * factor))
    return common, made[0], made[1]


def added(left: Grid, right: Grid) -> Grid | None:
    """a + b."""
    both = _aligned(left, right)
    if both is None:
        return None
    step, a, b = both
    return Grid(step, a.low + b.low, a.high + b.high, gcd(a.spacing, b.spacing) or 1)


def negated(grid: Grid) -> Grid:
    """-a."""
    return grid._replace(low=-grid.high, high=-grid.low)


def subtracted(left: Grid, right: Grid) -> Grid | None:
    """a - b."""
    return added(left, negated(right))


def grown_together(*grids: Grid) -> Grid:
    """A sum of n numbers whose steps cannot be compared: n times the widest range, of no known step."""
    count = len(grids)
    return Grid(None, count * min(0, *(grid.low for grid in grids)), count * max(0, *(grid.high for grid in grids)))


def multiplied(left: Grid, right: Grid) -> Grid | None:
    """a * b: the step is the product of the steps, the range that of the corners."""
    if ZERO in (left, right):
        return ZERO
    corners = [a * b for a in left[1:3] for b in right[1:3]]
    step = None if left.step is None or right.step is None else left.step * right.step
    stride = gcd(left.low * right.spacing, right.low * left.spacing, left.spacing * right.spacing)
    return Grid(step, min(corners), max(corners), stride or 1)


def divided(left: Grid, right: Grid) -> Grid | None:
    """a / b for one number b other than 0."""
    if right.spacing or not right.low or right.step is None:
        return None
    return multiplied(left, Grid(1 / (right.step * abs(right.low)), *(2 * [1 if right.low > 0 else -1])))


def powered(grid: Grid, exponent: int) -> Grid:
    """a ** n for a whole n of 1 or more."""
    if exponent == 1:
        return grid
    base = magnitude(grid) if exponent % 2 == 0 else grid
    return Grid(grid.step and grid.step**exponent, base.low**exponent, base.high**exponent)


def magnitude(grid: Grid) -> Grid:
    """|a|."""
    if grid.low >= 0 or grid.high <= 0:
        return grid if grid.low >= 0 else negated(grid)
    above = grid.low % grid.stride
    low, high = min(above, grid.stride - above), max(-grid.low, grid.high)
    return Grid(grid.step, low, high, gcd(grid.stride, 2 * grid.low))


def greater(left: Grid, right: Grid) -> Grid | None:
    """The greater of a and b."""
    if _not_below(left, right):
        return left
    if _not_below(right, left):
        return right
    both = _aligned(left, right)
    if both is None:
        return None
    step, a, b = both
    return Grid(step, max(a.low, b.low), max(a.high, b.high), gcd(a.spacing, b.spacing, a.low - b.low) or 1)


def smaller(left: Grid, right: Grid) -> Grid | None:
    """The smaller of a and b."""
    result = greater(negated(left), negated(right))
    return None if result is None else negated(result)


def _not_below(left: Grid, right: Grid) -> bool:
    """Whether no number of the left is below one of the right."""
    if left.step is not None and right.step is not None:
        return left.step * left.low >= right.step * right.high
    return left.low >= 0 >= right.high


def united(left: Grid, right: Grid) -> Grid | None:
    """Numbers of a and numbers of b."""
    both = _aligned(left, right)
    if both is None:
        return None
    step, a, b = both
    return Grid(step, min(a.low, b.low), max(a.high, b.high), gcd(a.spacing, b.spacing, a.low - b.low) or 1)


def summed(grid: Grid, terms: object, *, mean: bool = False) -> Grid | None:
    """The sum of so many numbers, or their mean: the integers of the sum, the step divided; None for no known count."""
    if not isinstance(terms, int) or terms < 1:
        return None
    step = grid.step and (grid.step / terms if mean else grid.step)
    return Grid(step, grid.low * terms, grid.high * terms, grid.stride)


def partial_sums(grid: Grid, fewest: int, most: object) -> Grid | None:
    """Sums of at least `fewest` and at most `most` numbers; None for no known count."""
    if not isinstance(most, int) or most < 1:
        return None
    low, high = min(grid.low * fewest, grid.low * most), max(grid.high * fewest, grid.high * most)
    return Grid(grid.step, low, high, grid.stride if fewest == most else 1)


def rounded(grid: Grid, function: Callable[[Fraction], int]) -> Grid | None:
    """A rounding to integers; integers stay as they are."""
    if grid == ZERO or grid.step is None:
        return grid if grid == ZERO else None
    if grid.step.denominator == 1:
        return grid
    return Grid(Fraction(1), function(grid.step * grid.low), function(grid.step * grid.high))


def signs(grid: Grid) -> Grid:
    """-1, 0 or 1: the sign of a, whatever the step."""
    low, high = ((end > 0) - (end < 0) for end in grid[1:3])
    return Grid(Fraction(1), low, high, 2 if low < 0 < high and grid.low % grid.stride else 1)


def on_grid(tensor: Tensor, grid: Grid, source: str, origins: Sequence[Tensor] = ()) -> Tensor:
    """The tensor with the format and encoding of the numbers of a grid; unchanged, so a float, beyond 64 bits.

    origins: the encoded tensors it was made from. Where one has the range already its stored form stays, zero point
    included; else the integers are stored as they are, or with its zero point if that takes fewer bits. Bits behind the
    binary point are stated where every origin states them and the step is a power of two.
    """
    grid = _simple(grid)
    encoding, zero = _meaning(tensor, _followed(grid.step), source, origins), 0
    if len(origins) == 1 and (held := origins[0].encoding) is not None:
        zero, before = held.zero_point or 0, grid_of(origins[0])
        if before is not None and before[1:] == grid[1:]:
            number = origins[0].number if tensor.size == origins[0].size else evened(origins[0].number)
            if before == grid:
                return replace(tensor, format=number, encoding=_kept(held, encoding, held.source))
            encoding = _kept(held, encoding, source)
            return replace(tensor, format=_pointed(number, encoding, origins), encoding=encoding)
    if grid.bipolar:
        return replace(tensor, format=Binary(), encoding=replace(encoding, zero_point=0, scheme="bipolar"))
    shifted, direct = integers(grid.low + zero, grid.high + zero), integers(grid.low, grid.high)
    narrow = shifted if shifted.width < direct.width else direct
    if narrow.width > WIDEST:
        return tensor
    encoding = replace(encoding, zero_point=zero if narrow is shifted else 0, scheme="uniform")
    return replace(tensor, format=_pointed(narrow, encoding, origins), encoding=encoding)


def _kept(held: Encoding, made: Encoding, source: str) -> Encoding:
    """What is stored as before, with steps of another length or along other axes."""
    return replace(
        held,
        source=source,
        derived=held.derived or source != held.source,
        step=made.step,
        granularity=made.granularity,
        axis=made.axis,
        block=made.block,
    )


def _meaning(tensor: Tensor, step: Fraction | None, source: str, origins: Sequence[Tensor]) -> Encoding:
    """An encoding of integers stored as they are; what no known step holds for follows from the origins."""
    found = [origin.encoding for origin in origins if origin.encoding is not None]
    lost = len(found) == 1 and found[0].step is not None
    if step is not None or (not lost and all(encoding.granularity in WHOLE for encoding in found)):
        return Encoding(source=source, derived=True, step=step)
    if lost or len(found) > 1:
        return Encoding(source=source, derived=True, granularity=Granularity.ELEMENT)
    axis = found[0].axis if origins[0].rank == tensor.rank else None
    return Encoding(source=source, derived=True, granularity=found[0].granularity, axis=axis, block=found[0].block)


def evened(number: Format) -> Format:
    """A format for some of a tensor's numbers: of several widths, which ones they have is not known."""
    if not isinstance(number, Mixed):
        return number
    return Fixed(bits=number.bits, integer=number.integer, signed=number.signed, reachable=number.reachable)


def one_step(tensor: Tensor, axes: Sequence[int]) -> bool:
    """Whether the numbers along these axes have one step, known or not: only then is their sum one of integers."""
    encoding = tensor.encoding
    if encoding is None or encoding.step is not None or encoding.granularity in WHOLE:
        return True
    if encoding.granularity is not Granularity.CHANNEL or encoding.axis is None or tensor.rank is None:
        return False
    return encoding.axis % tensor.rank not in axes


def _followed(step: Fraction | None) -> Fraction | None:
    if step is None or max(step.numerator.bit_length(), step.denominator.bit_length()) <= LONGEST_STEP:
        return step
    return None


def _pointed(number: Format, encoding: Encoding, origins: Sequence[Tensor]) -> Format:
    """The format with its binary point where the step puts it, if that is where the origins have theirs."""
    if type(number) not in (Fixed, Mixed):
        return number
    stated = [
        origin.encoding is not None and origin.encoding.shift is not None and origin.encoding.shift + fraction == 0
        for origin in origins
        if isinstance(fraction := origin.number.fraction, int) and not isinstance(origin.number, Binary)
    ]
    shift = encoding.shift if stated and all(stated) else None
    return replace(number, integer=number.bits + (shift or 0))
