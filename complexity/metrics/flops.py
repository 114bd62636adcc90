"""Operations on real numbers of any kind."""

from __future__ import annotations

from ..ops import PRODUCTS, Kind, Op
from .metric import Metric

__all__ = ["METRIC"]


def weight(op: Op) -> int:
    """1 for every product (dense), addition, comparison and special function."""
    return 1 if op.kind in PRODUCTS or op.kind in (Kind.ADD, Kind.SUBTRACT, Kind.COMPARE, Kind.LOOKUP) else 0


METRIC = Metric(
    key="flops",
    heading="FLOPs",
    meaning="real multiplications (dense) + additions + comparisons + special functions; a multiply-accumulate is 2",
    unit="operations",
    weight=weight,
)
