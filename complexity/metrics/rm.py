"""Real multiplications."""

from __future__ import annotations

from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every scalar product that is computed; shifts and skipped products are not."""
    return 1 if op.kind is Kind.MULTIPLY else 0


METRIC = Metric(
    key="rm",
    heading="RM",
    meaning="real multiplications: every scalar product of two real numbers; special functions excluded",
    unit="multiplications",
    weight=weight,
)
