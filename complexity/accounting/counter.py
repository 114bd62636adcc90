"""What all counters share: signals, charging, and the verbs whose widths no convention disputes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol

from ..arithmetic import Arithmetic, Places
from ..errors import UsageError
from ..expressions import Size
from ..formats import Format
from ..ops import Inventory, Kind, Op, Role
from ..requantization import Requantization
from .matrix import Matrix

__all__ = ["Countable", "Counter", "Signal", "joins", "lone_product", "on_accumulator", "share", "whole"]


class Signal(NamedTuple):
    """A value as counting sees it. accumulated: the result of products, which no further addition widens in `paper`.
    interval: exact integer range in units of 2**-fraction, in `exact` only. matrix: the numbers of a constant, where
    they are known."""

    elements: Size
    format: Format
    constant: bool = False
    accumulated: bool = False
    interval: tuple[int, int] = (0, 0)
    fraction: int = 0
    matrix: Matrix | None = None


class Countable(Hashable, Protocol):
    """Anything with equations: how often they run, and the text itself."""

    @property
    def executions(self) -> Size: ...

    def equations(self, m: Arithmetic[Signal]) -> None: ...


class Counter:
    """Charges what equations do; sums and products, whose widths conventions dispute, are left to each.

    width: the declared width of every accumulator. operands: known constants by the name the equations give them.
    """

    def __init__(self, width: int | None = None, operands: Mapping[str, Matrix] | None = None) -> None:
        self.counts: dict[Op, Size | Fraction] = {}
        self._width = width
        self._operands = operands or {}

    def inventory(self, executions: Size) -> Inventory:
        """What was charged, so many times."""
        found: dict[Op, Size] = {}
        for op, count in self.counts.items():
            # A matrix of several directions is spread over the executions of one: only the product is whole.
            times = count * executions  # type: ignore[operator]
            found[op] = int(times) if isinstance(times, Fraction) else times
        return Inventory(found)

    def _charge(self, times: Size | Fraction, op: Op) -> None:
        if times != 0:
            self.counts[op] = self.counts.get(op, 0) + times  # type: ignore[operator]

    def variable(self, elements: Size, format: Format, name: str = "") -> Signal:
        return Signal(elements, format.plain, matrix=self._operands.get(name))

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Signal:
        return self.variable(elements, format, name)._replace(constant=True)

    def state(self, elements: Size, format: Format, name: str = "") -> Signal:
        return self.variable(elements, format, name)

    def keep(self, state: Signal, value: Signal) -> None:
        return None

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        return None

    def compare(
        self, left: Signal, right: Signal, *, role: Role, kept: str = "", chosen: tuple[Signal, Signal] | None = None
    ) -> Signal:
        self._charge(left.elements, Op(Kind.COMPARE, role, left.format, right.format, left.format, right.constant))
        return left._replace(constant=False)

    def greatest(self, x: Signal, *, terms: Size, outputs: Size, role: Role, kept: str = "greater") -> Signal:
        self._charge(outputs * joins(terms), Op(Kind.COMPARE, role, x.format, x.format, x.format))
        return x._replace(elements=outputs)

    def lookup(
        self,
        x: Signal,
        function: str,
        *,
        result: Format | None = None,
        role: Role = Role.ACTIVATION,
        members: Callable[[], Sequence[tuple[int, ...]]] | None = None,
    ) -> Signal:
        stored = result or x.format
        self._charge(x.elements, Op(Kind.LOOKUP, role, x.format, x.format, stored, False, function))
        return self.variable(x.elements, stored)

    def broadcast(self, x: Signal, elements: Size) -> Signal:
        return x._replace(elements=elements)

    def arrange(self, parts: Sequence[Signal], elements: Size, places: Places) -> Signal:
        return parts[0]._replace(elements=elements)

    def magnitude(self, x: Signal) -> Signal:
        return x

    def signed(self, x: Signal, like: Signal) -> Signal:
        return x

    def piece(self, memory: Signal, x: Signal, elements: Size, *, pieces: Size) -> Signal:
        # Which numbers are taken is decided at the run: no product by them is one by a known number.
        return memory._replace(elements=elements, matrix=None)

    def requantize(self, x: Signal, format: Format, change: Requantization | None = None) -> Signal:
        return self.variable(x.elements, format)

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        return None


def lone_product(left: Signal, right: Signal, role: Role, result: Format) -> Op:
    """A product outside a dot: the constant operand stands on the right, where a metric looks for its adders."""
    if left.constant and not right.constant:
        left, right = right, left
    return Op(Kind.MULTIPLY, role, left.format.operand, right.format.operand, result, right.constant)


def on_accumulator(bias: Signal, total: Format, role: Role) -> Signal:
    """A bias as it is added: one of float numbers is brought to a fixed-point accumulator before the run."""
    if role is Role.BIAS and bias.constant and bias.format.floating and not total.floating:
        return bias._replace(format=total)
    return bias


def joins(terms: Size) -> Size:
    """Additions of a sum of so many terms; an empty one joins nothing, where n - 1 would be negative."""
    return 0 if terms == 0 else terms - 1


def whole(terms: Size) -> int:
    """A size as an int. Raises UsageError E-EXACT-SYMBOL for a free one."""
    if isinstance(terms, int):
        return terms
    raise UsageError("E-EXACT-SYMBOL", f"the exact convention needs integers, found {terms}; bind free dims with --dim")


def share(elements: Size, held: int) -> int | Fraction:
    """How often each of the `held` numbers of a constant serves so many elements."""
    times = Fraction(whole(elements), held) if held else Fraction(0)
    return times.numerator if times.denominator == 1 else times
