"""Clock cycles of two schedules."""

from __future__ import annotations

from ..ops import LINEAR_ROLES, PRODUCTS, Kind, Op
from .metric import Metric

__all__ = ["METRICS"]


def executions(op: Op) -> int:
    """1 for every execution of a row's equations: an unrolled kernel starts one a cycle."""
    return 1 if op.kind is Kind.EXECUTION else 0


def products(op: Op) -> int:
    """1 for every multiply-accumulate, whatever its weight: one unit does one a cycle, lone products stay beside it."""
    return 1 if op.kind in PRODUCTS and op.role in LINEAR_ROLES else 0


METRICS = tuple(
    Metric(key=key, heading=heading, meaning=meaning, unit="cycles", weight=weight, always=counter, unlisted=True)
    for key, heading, counter, weight, meaning in (
        (
            "cycles",
            "Cycles",
            "schedule",
            executions,
            "clock cycles of unrolled kernels, one for every step, window or vector, layer after layer",
        ),
        (
            "cycles_folded",
            "Cycles folded",
            "paper",
            products,
            "clock cycles of kernels folded onto one multiply-accumulate unit in which it works, one for each MAC",
        ),
    )
)
