"""Bit operations of the products alone, as the mixed-precision literature counts."""

from __future__ import annotations

from ..expressions import Size
from ..ops import LINEAR_ROLES, Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size:
    """b*b' for every multiply-accumulate; in `exact` only where the weight is not zero."""
    real = op.kind in (Kind.MULTIPLY, Kind.SHIFT_PRODUCT)
    return op.left.bits * op.right.bits if real and op.role in LINEAR_ROLES else 0


METRIC = Metric(
    key="bop_mac",
    heading="BOP/MAC",
    meaning="bit operations of the multiply-accumulates alone, b*b' each; no additions",
    unit="bit operations",
    weight=weight,
)
