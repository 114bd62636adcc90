"""Bit operations."""

from __future__ import annotations

from ..expressions import Size
from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size:
    """b*b' for a product, the width of its result for an addition; a float counts its storage bits."""
    if op.kind is Kind.MULTIPLY:
        return op.left.bits * op.right.bits
    return op.result.bits if op.kind in (Kind.ADD, Kind.SUBTRACT) else 0


METRIC = Metric(
    key="bop",
    heading="BOP",
    meaning="bit operations: b*b' per product, the accumulator's width per addition; activations excluded",
    unit="bit operations",
    weight=weight,
)
