"""Scalar additions and subtractions."""

from __future__ import annotations

from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every addition and subtraction."""
    return 1 if op.kind in (Kind.ADD, Kind.SUBTRACT) else 0


METRIC = Metric(
    key="add",
    heading="Add",
    meaning="scalar additions and subtractions",
    unit="additions",
    weight=weight,
)
