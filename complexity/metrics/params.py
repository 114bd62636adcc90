"""Trained numbers."""

from __future__ import annotations

from ..ops import Kind, Op, Role
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every number stored in a trained tensor."""
    return 1 if op.kind is Kind.STORE and op.role is Role.PARAMETER else 0


METRIC = Metric(
    key="params",
    heading="Params",
    meaning="numbers stored in trained tensors; a tensor shared by several nodes counts once, where it is first used",
    unit="numbers",
    weight=weight,
    computed=False,
)
