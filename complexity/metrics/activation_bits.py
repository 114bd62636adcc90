"""Storage written by the operators."""

from __future__ import annotations

from ..expressions import Size
from ..ops import Kind, Op, Role
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size:
    """The width of every number a counted operator writes."""
    return op.result.bits if op.kind is Kind.STORE and op.role is Role.OUTPUT else 0


METRIC = Metric(
    key="activation_bits",
    heading="Activation bits",
    meaning="bits written by counted operators, in the formats of their outputs",
    unit="bits",
    weight=weight,
    computed=False,
)
