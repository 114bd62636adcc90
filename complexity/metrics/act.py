"""Evaluations of special functions."""

from __future__ import annotations

from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every evaluation of sigmoid, tanh, exp, erf, sqrt, a division …"""
    return 1 if op.kind is Kind.LOOKUP else 0


METRIC = Metric(
    key="act",
    heading="Act",
    meaning="evaluations of special functions: sigmoid, tanh, exp, erf, sqrt, division …",
    unit="evaluations",
    weight=weight,
)
