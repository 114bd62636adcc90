"""Look-up tables of six inputs, predicted."""

from __future__ import annotations

from .metric import Metric
from .prediction import priced

__all__ = ["METRIC"]

METRIC = Metric(
    key="lut",
    heading="LUT (predicted)",
    meaning="predicted look-up tables of six inputs of one kernel, without carry chains or multiplier blocks",
    unit="look-up tables",
    weight=priced,
    always="kernel",
    detail=True,
    unlisted=True,
    predicted=True,
)
