"""Four answers to what the additions and shifts of a network cost, each of one meaning in every convention."""

from __future__ import annotations

from ..expressions import Size, maximum, minimum
from ..ops import Kind, Op
from . import nabs
from .metric import Metric

__all__ = ["METRICS"]


def adders(op: Op) -> Size | None:
    """1 for an addition or subtraction; X for a product by a constant whose value is not known. None for floats."""
    if op.kind is Kind.UNKNOWN:
        return None
    if op.kind not in (Kind.MULTIPLY, Kind.ADD, Kind.SUBTRACT):
        return 0
    if op.left.floating or op.right.floating:
        return None
    if op.kind is not Kind.MULTIPLY:
        return 1
    return op.right.adders if op.constant else maximum(minimum(op.left.bits, op.right.bits) - 1, 0)


METRICS = (
    Metric(
        key="nabs_bound",
        heading="NABS bound",
        meaning="NABS as published: X adders at most for each product, every one as wide as the accumulator",
        unit="bit-level additions",
        weight=nabs.weight,
        always="paper",
        detail=True,
    ),
    Metric(
        key="nabs_digits",
        heading="NABS digits",
        meaning="the signed digits of the known weights in place of the bound X, each as wide as the accumulator",
        unit="bit-level additions",
        weight=nabs.weight,
        always="digits",
        detail=True,
    ),
    Metric(
        key="nabs_full_adder",
        heading="NABS full adder",
        meaning="full-adder bits of the shift-add kernel of the known weights, every adder as narrow as its interval",
        unit="full adders",
        weight=nabs.weight,
        always="shiftadd",
        detail=True,
    ),
    Metric(
        key="nabs_shared",
        heading="NABS shared",
        meaning="full-adder bits after subexpressions of two digits that occur twice are computed once",
        unit="full adders",
        weight=nabs.weight,
        always="shared",
        detail=True,
        asked=True,
    ),
    Metric(
        key="adders",
        heading="Adders",
        meaning="additions and subtractions of the shift-add kernel, unweighted",
        unit="additions",
        weight=adders,
        always="shiftadd",
        detail=True,
    ),
)
