"""Number of additions and bit shifts."""

from __future__ import annotations

from ..expressions import Size, maximum, minimum
from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size | None:
    """X adders as wide as the result for a product, one for an addition; shifts are wires.

    Low bits of a sum that only pass through, because an operand is always zero there, need no adder.

    X is the constant operand's adders per multiplication (uniform b - 1, power of two 0, additive power of two t - 1);
    between two variables b - 1 of the narrower one. None for a float operand.
    Source: Freire et al., arXiv 2206.12191 (reconstructed).
    """
    if op.kind is Kind.UNKNOWN:
        return None
    if op.kind not in (Kind.MULTIPLY, Kind.ADD, Kind.SUBTRACT):
        return 0
    if op.left.floating or op.right.floating:
        return None
    if op.kind is not Kind.MULTIPLY:
        return op.result.bits - op.passed
    adders = op.right.adders if op.constant else maximum(minimum(op.left.bits, op.right.bits) - 1, 0)
    return adders * op.result.bits


METRIC = Metric(
    key="nabs",
    heading="NABS",
    meaning="number of additions and bit shifts, in bit-level additions: adders weighted by their width",
    unit="bit-level additions",
    weight=weight,
    exact="shiftadd",
)
