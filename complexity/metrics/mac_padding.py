"""Multiply-accumulates whose input is padding."""

from __future__ import annotations

from ..expressions import Size
from ..ops import Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size:
    """1 for every product of a window that lies in padding; a kernel computes it, and MAC counts it."""
    return 1 if op.kind is Kind.PADDING else 0


METRIC = Metric(
    key="mac_padding",
    heading="MAC padding",
    meaning="multiply-accumulates of convolutions whose input is a padding zero; MAC counts them too",
    unit="multiply-accumulates",
    weight=weight,
    computed=False,
    detail=True,
)
