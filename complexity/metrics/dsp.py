"""Multiplier blocks, predicted."""

from __future__ import annotations

from ..ops import Kind, Op
from .metric import Metric
from .prediction import structure, tiles

__all__ = ["METRIC"]


def weight(op: Op) -> int | None:
    """The 25 x 18 blocks of a real multiplier: none for a product of fewer than nine bits; None for a float operand.

    A known weight is shifted and added; one that is a power of two or a sum of such takes no block either.
    """
    found = structure(op)
    if op.kind is not Kind.MULTIPLY or found is None:
        return None if found is None and op.kind in (Kind.MULTIPLY, Kind.UNKNOWN) else 0
    return tiles(op) if "product_bits" in found else 0


METRIC = Metric(
    key="dsp",
    heading="DSP (predicted)",
    meaning="predicted multiplier blocks of 25 x 18 bits of one kernel, where its multipliers go to blocks, not to LUT",
    unit="multiplier blocks",
    weight=weight,
    always="kernel",
    detail=True,
    unlisted=True,
    predicted=True,
)
