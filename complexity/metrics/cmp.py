"""Comparisons."""

from __future__ import annotations

from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every comparison: maximum, ReLU, clip, pooling, relations."""
    return 1 if op.kind is Kind.COMPARE else 0


METRIC = Metric(
    key="cmp",
    heading="Cmp",
    meaning="comparisons: maxima, ReLU, clipping, pooling, relations",
    unit="comparisons",
    weight=weight,
)
