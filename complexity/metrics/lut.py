"""Look-up tables of six inputs, predicted."""

from __future__ import annotations

from ..ops import Op
from .metric import Metric
from .prediction import priced

__all__ = ["METRIC"]


def weight(op: Op) -> int | None:
    """The look-up tables of one operator, by coefficients fitted to syntheses; None for a float operand.

    It prices one kernel, which all steps, windows and repeats share, and which has at once what the equations say at
    once: every output of a matrix product, every element of an elementwise operator. Known weights are shifted and
    added, others stand on ports and are multiplied; powers of two and sums of such take their adders at most.
    """
    return priced(op)


METRIC = Metric(
    key="lut",
    heading="LUT (predicted)",
    meaning="predicted look-up tables of six inputs of one kernel, without carry chains or multiplier blocks",
    unit="look-up tables",
    weight=weight,
    always="kernel",
    detail=True,
    unlisted=True,
    predicted=True,
)
