"""The published idealisation: every addition of a dot product is charged the final accumulator width.

A lone product feeds b + b' bits, and a recurrent layer's other additions are charged its declared accumulator. This
reproduces the published closed forms (after Freire et al., arXiv 2206.12191, reconstructed). Sizes may be free.
"""

from __future__ import annotations

from dataclasses import replace

from ..expressions import Size
from ..formats import Accumulation, Format, accumulator, grown, widest
from ..ops import Kind, Op, Role
from .counter import Counter, Signal, joins, lone_product, on_accumulator, share
from .mixed import mixed_widths

__all__ = ["PaperCounter"]


class PaperCounter(Counter):
    """One width per sum. Where the bits of a matrix differ, every sum is as wide as its widest product asks."""

    _declared: Format | None = None

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Signal:
        return Signal(elements, self._accumulator(sum.terms, sum.left.plain, sum.right.plain), accumulated=True)

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        self._declared = self._accumulator(terms, left.plain, right.plain)

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
        row: Size | None = None,
    ) -> Signal:
        left, right = x.format.operand, weight.format.operand
        total = self._accumulator(terms, left, right)
        constant = x.constant or weight.constant
        multiplied = outputs * terms if products is None else products
        added = outputs * joins(terms) if additions is None else additions
        mixed = mixed_widths(x.matrix, weight.matrix, left, right)
        if mixed is None:
            self._charge(multiplied, Op(Kind.MULTIPLY, role, left, right, total, constant))
            self._charge(added, Op(Kind.ADD, role, total, total, total))
            return Signal(outputs, total, accumulated=True)
        for (one, other, width), found in mixed.products.items():
            held = self._accumulator(terms, replace(one, bits=width), replace(other, bits=0))
            self._charge(found * share(multiplied, mixed.numbers), Op(Kind.MULTIPLY, role, one, other, held, constant))
        for width, found in mixed.sums.items():
            held = self._accumulator(terms, replace(left, bits=width), replace(right, bits=0))
            self._charge(found * share(added, mixed.outputs), Op(Kind.ADD, role, held, held, held))
        return Signal(outputs, total, accumulated=True)

    def sum(self, x: Signal, *, terms: Size, outputs: Size, role: Role) -> Signal:
        total = grown(x.format, terms)
        self._charge(outputs * joins(terms), Op(Kind.ADD, role, x.format, x.format, total))
        return Signal(outputs, total, accumulated=x.accumulated)

    def add(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.ADD, left, right, role)

    def subtract(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.SUBTRACT, left, right, role)

    def _combine(self, kind: Kind, left: Signal, right: Signal, role: Role) -> Signal:
        total = self._declared or self._sum_format(left, right)
        right = on_accumulator(right, total, role)
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
        self._charge(left.elements, lone_product(left, right, role, total))
        return Signal(left.elements, total, accumulated=True)
