"""Working memory in file order."""

from __future__ import annotations

from ..expressions import Size
from ..ops import Kind, Op, Role
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size:
    """The width of every number alive while an operator runs; the total is the largest sum, not the sum of sums."""
    return op.result.bits if op.kind is Kind.STORE and op.role is Role.LIVE else 0


METRIC = Metric(
    key="peak_activation_bits",
    heading="Peak bits",
    meaning="the largest sum of tensors alive at once when operators run in file order; weights excluded",
    unit="bits",
    weight=weight,
    computed=False,
    largest=True,
)
