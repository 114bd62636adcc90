"""Flip-flops, predicted."""

from __future__ import annotations

from ..expressions import Size
from ..ops import Kind, Op, Role
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> Size | None:
    """The bits of a number that is kept from one execution to the next; None for a float."""
    if op.kind is not Kind.STORE or op.role is not Role.STATE:
        return None if op.kind is Kind.UNKNOWN else 0
    return None if op.result.floating else op.result.bits


METRIC = Metric(
    key="ff",
    heading="FF (predicted)",
    meaning="predicted flip-flops of one kernel: the bits of its layer's states; nothing is pipelined",
    unit="flip-flops",
    weight=weight,
    always="kernel",
    detail=True,
    unlisted=True,
    predicted=True,
)
