"""The counting interpreters of layer equations: `paper` and `exact`.

paper: every addition of a dot product is charged the final accumulator width, a lone product feeds b + b' bits, a
recurrent layer's other additions are charged its declared accumulator; this reproduces the published closed forms
(after Freire et al., arXiv 2206.12191, reconstructed). Sizes may be free.

exact: what a kernel with all multipliers real does. Sums are balanced trees over terms in index order, adjacent pairs,
the odd last one passed up; every result is as wide as the smallest two's complement that holds its exact interval,
with full-range operands. Sizes are ints.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, Protocol

from .arithmetic import Arithmetic
from .errors import UsageError
from .expressions import Size, is_expression
from .formats import Accumulation, Fixed, Format, accumulator, grown, widest
from .ops import Inventory, Kind, Op, Role

__all__ = ["CONVENTIONS", "Countable", "Signal", "count"]


class Signal(NamedTuple):
    """A value as counting sees it. accumulated: the result of products, which no further addition widens in `paper`.
    interval: exact integer range in units of 2**-fraction, in `exact` only."""

    elements: Size
    format: Format
    constant: bool = False
    accumulated: bool = False
    interval: tuple[int, int] = (0, 0)
    fraction: int = 0


class Countable(Hashable, Protocol):
    """Anything with equations: how often they run, and the text itself."""

    @property
    def executions(self) -> Size: ...

    def equations(self, m: Arithmetic[Signal]) -> None: ...


class Counter:
    """What both conventions share: charging, and the verbs whose widths no convention disputes."""

    def __init__(self, width: int | None = None) -> None:
        self.counts: dict[Op, Size] = {}
        self._width = width

    def _charge(self, times: Size, op: Op) -> None:
        if times != 0:
            self.counts[op] = self.counts.get(op, 0) + times

    def variable(self, elements: Size, format: Format) -> Signal:
        return Signal(elements, format)

    def constant(self, elements: Size, format: Format) -> Signal:
        return Signal(elements, format, constant=True)

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        return None

    def compare(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        self._charge(left.elements, Op(Kind.COMPARE, role, left.format, right.format, left.format, right.constant))
        return left._replace(constant=False)

    def greatest(self, x: Signal, *, terms: Size, outputs: Size, role: Role) -> Signal:
        self._charge(outputs * _joins(terms), Op(Kind.COMPARE, role, x.format, x.format, x.format))
        return x._replace(elements=outputs)

    def lookup(self, x: Signal, function: str, *, result: Format | None = None, role: Role = Role.ACTIVATION) -> Signal:
        stored = result or x.format
        self._charge(x.elements, Op(Kind.LOOKUP, role, x.format, x.format, stored, False, function))
        return self.variable(x.elements, stored)

    def broadcast(self, x: Signal, elements: Size) -> Signal:
        return x._replace(elements=elements)

    def requantize(self, x: Signal, format: Format) -> Signal:
        return self.variable(x.elements, format)


class PaperCounter(Counter):
    """The published idealisation: one width per sum."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__(width)
        self._declared: Format | None = None

    def partial(self, elements: Size, sum: Accumulation) -> Signal:
        return Signal(elements, self._accumulator(sum.terms, sum.left, sum.right), accumulated=True)

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        self._declared = self._accumulator(terms, left, right)

    def _accumulator(self, terms: Size, left: Format, right: Format) -> Format:
        total = accumulator(terms, left, right)
        return total if self._width is None or total.floating else replace(total, bits=self._width)

    def dot(
        self,
        x: Signal,
        weight: Signal,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
    ) -> Signal:
        left, right = x.format.operand, weight.format.operand
        total = self._accumulator(terms, left, right)
        constant = x.constant or weight.constant
        multiplied = outputs * terms if products is None else products
        added = outputs * _joins(terms) if additions is None else additions
        self._charge(multiplied, Op(Kind.MULTIPLY, role, left, right, total, constant))
        self._charge(added, Op(Kind.ADD, role, total, total, total))
        return Signal(outputs, total, accumulated=True)

    def sum(self, x: Signal, *, terms: Size, outputs: Size, role: Role) -> Signal:
        total = grown(x.format, terms)
        self._charge(outputs * _joins(terms), Op(Kind.ADD, role, x.format, x.format, total))
        return Signal(outputs, total, accumulated=x.accumulated)

    def add(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.ADD, left, right, role)

    def subtract(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.SUBTRACT, left, right, role)

    def _combine(self, kind: Kind, left: Signal, right: Signal, role: Role) -> Signal:
        total = self._declared or self._sum_format(left, right)
        self._charge(left.elements, Op(kind, role, left.format, right.format, total, left.constant or right.constant))
        return Signal(
            left.elements, total, accumulated=self._declared is not None or left.accumulated or right.accumulated
        )

    @staticmethod
    def _sum_format(left: Signal, right: Signal) -> Format:
        if left.accumulated and right.accumulated:
            return widest(left.format, right.format)
        if left.accumulated or right.accumulated:
            return left.format if left.accumulated else right.format
        return grown(widest(left.format, right.format), 2)

    def multiply(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        total = accumulator(1, left.format.operand, right.format.operand)
        self._charge(left.elements, _lone_product(left, right, role, total))
        return Signal(left.elements, total, accumulated=True)


class ExactCounter(Counter):
    """A kernel of real multipliers and balanced adder trees, every wire as narrow as its interval allows."""

    def variable(self, elements: Size, format: Format) -> Signal:
        return self._full_range(elements, format, constant=False)

    def constant(self, elements: Size, format: Format) -> Signal:
        return self._full_range(elements, format, constant=True)

    def partial(self, elements: Size, sum: Accumulation) -> Signal:
        each = self._product(self.variable(elements, sum.left), self.variable(elements, sum.right))
        low, high = each.interval
        terms = _whole(sum.terms)
        return self._held(elements, each, (low * terms, high * terms), each.fraction)

    @staticmethod
    def _full_range(elements: Size, format: Format, *, constant: bool) -> Signal:
        if is_expression(elements):
            raise UsageError(
                "E-EXACT-SYMBOL", f"the exact convention needs integers, found {elements}; bind free dims with --dim"
            )
        if format.floating:
            return Signal(elements, format, constant)
        fraction = format.fraction
        return Signal(
            elements, format, constant, interval=format.interval, fraction=fraction if isinstance(fraction, int) else 0
        )

    def dot(
        self,
        x: Signal,
        weight: Signal,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
    ) -> Signal:
        each = self._product(x, weight)
        multiplied = outputs * terms if products is None else products
        constant = x.constant or weight.constant
        self._charge(multiplied, Op(Kind.MULTIPLY, role, x.format, weight.format, each.format, constant))
        if additions is None:
            return self.sum(each, terms=terms, outputs=outputs, role=role)
        for share, rows in _rows(multiplied, outputs):
            total = self.sum(each, terms=share, outputs=rows, role=role)
        return total._replace(elements=outputs)

    def sum(self, x: Signal, *, terms: Size, outputs: Size, role: Role) -> Signal:
        total = x._replace(elements=outputs, constant=False)
        for left, right, nodes in _tree(_whole(terms)):
            low, high = x.interval
            total = self._held(outputs, x, (low * (left + right), high * (left + right)), x.fraction)
            one = self._held(outputs, x, (low * left, high * left), x.fraction).format
            other = self._held(outputs, x, (low * right, high * right), x.fraction).format
            self._charge(nodes * outputs, Op(Kind.ADD, role, one, other, total.format))
        return total

    def add(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.ADD, left, right, role, 1)

    def subtract(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.SUBTRACT, left, right, role, -1)

    def _combine(self, kind: Kind, left: Signal, right: Signal, role: Role, sign: int) -> Signal:
        fraction = max(left.fraction, right.fraction)
        a = tuple(bound << (fraction - left.fraction) for bound in left.interval)
        b = tuple(sign * bound << (fraction - right.fraction) for bound in right.interval)
        total = self._held(left.elements, left, (a[0] + min(b), a[1] + max(b)), fraction, right)
        self._charge(
            left.elements, Op(kind, role, left.format, right.format, total.format, left.constant or right.constant)
        )
        return total

    def multiply(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        total = self._product(left, right)
        self._charge(left.elements, _lone_product(left, right, role, total.format))
        return total

    def _product(self, left: Signal, right: Signal) -> Signal:
        corners = [a * b for a in left.interval for b in right.interval]
        return self._held(left.elements, left, (min(corners), max(corners)), left.fraction + right.fraction, right)

    def _held(
        self, elements: Size, like: Signal, interval: tuple[int, int], fraction: int, other: Signal | None = None
    ) -> Signal:
        wide = widest(like.format, other.format) if other else like.format
        if wide.floating:
            return Signal(elements, wide)
        width = max((-interval[0] - 1).bit_length() if interval[0] < 0 else 0, interval[1].bit_length()) + 1
        if self._width is not None and width > self._width:
            # A declared accumulator wraps: nothing in it is wider.
            width, interval = self._width, (-(1 << (self._width - 1)), (1 << (self._width - 1)) - 1)
        return Signal(elements, Fixed(bits=width, integer=width - fraction), interval=interval, fraction=fraction)


CONVENTIONS: dict[str, type[PaperCounter] | type[ExactCounter]] = {"paper": PaperCounter, "exact": ExactCounter}


@lru_cache(maxsize=4096)
def count(layer: Countable, convention: str = "paper", accumulator: int | None = None) -> Inventory:
    """The inventory of a layer in a convention: its equations counted once, times their executions.

    accumulator: a declared width of every accumulator, in place of the one that follows from the operands.
    """
    counter = CONVENTIONS[convention](accumulator)
    layer.equations(counter)
    return Inventory(counter.counts) * layer.executions


def _lone_product(left: Signal, right: Signal, role: Role, result: Format) -> Op:
    # The constant operand stands on the right, where a metric looks for its adders per multiplication.
    if left.constant and not right.constant:
        left, right = right, left
    return Op(Kind.MULTIPLY, role, left.format.operand, right.format.operand, result, right.constant)


def _joins(terms: Size) -> Size:
    # An empty sum joins nothing, where n - 1 would be negative.
    return 0 if terms == 0 else terms - 1


def _whole(terms: Size) -> int:
    if isinstance(terms, int):
        return terms
    raise UsageError("E-EXACT-SYMBOL", f"the exact convention needs integers, found {terms}; bind free dims with --dim")


def _rows(products: Size, outputs: Size) -> Iterator[tuple[int, int]]:
    """Products spread over rows as evenly as whole numbers allow: (terms of a row, rows)."""
    total, rows = _whole(products), _whole(outputs)
    share, longer = divmod(total, rows)
    yield share, rows - longer
    if longer:
        yield share + 1, longer


def _tree(terms: int) -> Iterator[tuple[int, int, int]]:
    """The additions of a balanced tree over equal terms: (terms on the left, on the right, how many such nodes)."""
    full, size, last = terms, 1, 0
    while full + bool(last) > 1:
        pairs, odd = divmod(full, 2)
        if pairs:
            yield size, size, pairs
        if odd and last:
            yield size, last, 1
            last += size
        elif odd:
            last = size
        full, size = pairs, 2 * size
