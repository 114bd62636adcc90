"""Activation functions in straight pieces whose slopes are powers of two: shifts, one addition, choices.

Sigmoid is PLAN: 1/4 x + 1/2 below 1, 1/8 x + 5/8 below 2.375, 1/32 x + 27/32 below 5, then 1; y(-x) = 1 - y(x).
tanh x = 2 sigmoid(2 x) - 1. The sum is exact and is rounded once, to the nearest number of the result, halves up: half
a step is a part of the constant that is added. Greatest error before rounding: 0.0190 of sigmoid, 0.0379 of tanh.
Source: Amin, Curtis, Hayes-Gill 1997, IEE Proc. Circuits Devices Syst. 144(6), table 1 (after its many citations).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from nncomplexity.ops import Kind, Role

from .fixed import FixedPoint, Overflow, Rounding
from .netlist import Graph, Operand
from .nodes import Operator, width_of

__all__ = ["FORMS", "Piece", "piecewise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """slope*x + offset from `start` on, the place itself included or not; without a start from the left end on.

    exponent: the slope is 2**exponent, without one 0.
    """

    start: Fraction | None = None
    included: bool = True
    exponent: int | None = None
    offset: Fraction

    def first(self, fraction: int) -> int | None:
        """The smallest integer of it in units of 2**-fraction."""
        if self.start is None:
            return None
        place = self.start * Fraction(2) ** fraction
        return ceil(place) if self.included else floor(place) + 1


def _mirrored(half: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The pieces of x >= 0 and those of y(-x) = 1 - y(x); the first goes through the middle."""
    ends = [piece.start for piece in half[1:]] + [None]
    left = [
        replace(piece, start=None if end is None else -end, included=False, offset=1 - piece.offset)
        for piece, end in zip(half, ends, strict=True)
    ]
    return (*reversed(left), *half[1:])


def _doubled(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """2 y(2 x) - 1."""
    return tuple(
        replace(
            piece,
            start=None if piece.start is None else piece.start / 2,
            exponent=None if piece.exponent is None else piece.exponent + 2,
            offset=2 * piece.offset - 1,
        )
        for piece in pieces
    )


_HALF = (
    Piece(start=Fraction(0), exponent=-2, offset=Fraction(1, 2)),
    Piece(start=Fraction(1), exponent=-3, offset=Fraction(5, 8)),
    Piece(start=Fraction(19, 8), exponent=-5, offset=Fraction(27, 32)),
    Piece(start=Fraction(5), offset=Fraction(1)),
)
SIGMOID = _mirrored(_HALF)
# From left to right.
FORMS: dict[str, tuple[Piece, ...]] = {"sigmoid": SIGMOID, "tanh": _doubled(SIGMOID)}


def piecewise(graph: Graph, x: int, function: str, result: FixedPoint, ends: tuple[int, int], role: Role) -> int:
    """The function of a wire, in a format: comparisons with the places where pieces meet, choices and one addition.

    All of it counts as one evaluation.
    """
    with graph.part(Operator(Kind.LOOKUP, role, result.bits)):
        return _Built(graph, x, FORMS[function], result).value(ends, role)


class _Built:
    def __init__(self, graph: Graph, x: int, pieces: tuple[Piece, ...], result: FixedPoint) -> None:
        self.graph, self.x, self.result = graph, x, result
        node = graph.nodes[x]
        self.low, self.high, self.point = node.low, node.high, node.fraction
        # Only pieces that x reaches are built, each with its first and its last integer.
        self.spans = [span for span in self._spans(pieces) if span[1] <= span[2]]
        deepest = max(-(piece.exponent or 0) for piece, _, _ in self.spans)
        offsets = max(piece.offset.denominator.bit_length() - 1 for piece, _, _ in self.spans)
        self.fraction = max(self.point + max(deepest, 0), result.fraction + 1, offsets)

    def _spans(self, pieces: tuple[Piece, ...]) -> list[tuple[Piece, int, int]]:
        starts = [piece.first(self.point) for piece in pieces]
        first = [self.low if start is None else max(start, self.low) for start in starts]
        last = [min(self.high, start - 1) for start in starts[1:] if start is not None] + [self.high]
        return list(zip(pieces, first, last, strict=True))

    def value(self, ends: tuple[int, int], role: Role) -> int:
        """The sum of the two chosen parts, rounded."""
        graph, reach = self.graph, [self._reach(*span) for span in self.spans]
        slopes = [self._sloped(piece) for piece, _, _ in self.spans]
        offsets = [self._constant(self._offset(piece)) for piece, _, _ in self.spans]
        slope, offset = slopes[-1], offsets[-1]
        for at in reversed(range(len(self.spans) - 1)):
            below = graph.less(self.x, self._bound(self.spans[at + 1][1]), role)
            hull = min(low for low, _ in reach[at:]), max(high for _, high in reach[at:])
            slope = graph.select(below, slopes[at], slope, role, hull if at == 0 else None)
            offset = graph.select(below, offsets[at], offset, role)
        total = graph.add(Operand(slope), Operand(offset), role)
        sums = [
            (low + self._offset(p), high + self._offset(p))
            for (low, high), (p, _, _) in zip(reach, self.spans, strict=True)
        ]
        kept = graph.wire(Operand(total), (min(low for low, _ in sums), max(high for _, high in sums)), self.fraction)
        symmetric = self.result.overflow is Overflow.SAT_SYM
        overflow = Overflow.SAT_SYM if symmetric else Overflow.SAT
        stored = replace(self.result, rounding=Rounding.TRN, overflow=overflow)
        return graph.quantise(kept, stored, ends)

    def _sloped(self, piece: Piece) -> int:
        """slope*x, a shift."""
        if piece.exponent is None:
            return self._constant(0)
        shift = self._shift(piece)
        return self.graph.wire(Operand(self.x, shift), (self.low << shift, self.high << shift), self.fraction)

    def _shift(self, piece: Piece) -> int:
        return self.fraction - self.point + (piece.exponent or 0)

    def _reach(self, piece: Piece, first: int, last: int) -> tuple[int, int]:
        """What slope*x comes to within the piece."""
        return (0, 0) if piece.exponent is None else (first << self._shift(piece), last << self._shift(piece))

    def _offset(self, piece: Piece) -> int:
        """What is added: the offset and half a step of the result."""
        half = 1 << (self.fraction - self.result.fraction - 1)
        return int(piece.offset * (1 << self.fraction)) + half

    def _constant(self, value: int) -> int:
        return self.graph.constant(value, self.fraction, (value, value), width_of(value, value))

    def _bound(self, value: int) -> int:
        return self.graph.constant(value, self.point, (value, value), width_of(value, value))
