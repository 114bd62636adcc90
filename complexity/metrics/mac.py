"""Multiply-accumulates of the linear operators."""

from __future__ import annotations

from ..ops import LINEAR_ROLES, PRODUCTS, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every product of a linear operator, whatever its weight's value: a shift or nothing at all included."""
    return 1 if op.kind in PRODUCTS and op.role in LINEAR_ROLES else 0


METRIC = Metric(
    key="mac",
    heading="MAC",
    meaning="multiply-accumulates of the linear operators; no bias, no elementwise work; dense in every convention",
    unit="multiply-accumulates",
    weight=weight,
    always="paper",
)
