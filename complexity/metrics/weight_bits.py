"""Storage of the trained numbers."""

from __future__ import annotations

from ..expressions import Size
from ..ops import Kind, Op, Role
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size:
    """The width of every number stored in a trained tensor."""
    return op.result.bits if op.kind is Kind.STORE and op.role is Role.PARAMETER else 0


METRIC = Metric(
    key="weight_bits",
    heading="Weight bits",
    meaning="bits the trained numbers take in their formats",
    unit="bits",
    weight=weight,
    computed=False,
)
