"""Four answers to what the additions and shifts of a network cost, each of one meaning in every convention."""

from __future__ import annotations

from ..expressions import Size
from ..formats import Fixed
from ..ops import Op
from . import nabs
from .metric import Metric

__all__ = ["METRICS"]

# An adder of one bit: what is left of a cost when its width is taken out.
ONE = Fixed(bits=1, integer=1)


def adders(op: Op) -> Size | None:
    """1 for an addition or subtraction; X for a product by a constant whose value is not known. None for floats."""
    return nabs.weight(op._replace(result=ONE, passed=0))


METRICS = tuple(
    Metric(
        key=key,
        heading=heading,
        meaning=meaning,
        unit=unit,
        weight=adders if key == "adders" else nabs.weight,
        always=counter,
        detail=True,
        asked=key == "nabs_shared",
    )
    for key, heading, counter, unit, meaning in (
        (
            "nabs_bound",
            "NABS bound",
            "paper",
            "bit-level additions",
            "NABS as published: X adders at most for each product, every one as wide as the accumulator",
        ),
        (
            "nabs_digits",
            "NABS digits",
            "digits",
            "bit-level additions",
            "the signed digits of the known weights in place of the bound X, each as wide as the accumulator",
        ),
        (
            "nabs_full_adder",
            "NABS full adder",
            "shiftadd",
            "full adders",
            "full-adder bits of the shift-add kernel of the known weights, every adder as narrow as its interval",
        ),
        (
            "nabs_shared",
            "NABS shared",
            "shared",
            "full adders",
            "full-adder bits after subexpressions of two digits that occur twice are computed once",
        ),
        (
            "adders",
            "Adders",
            "shiftadd",
            "additions",
            "additions and subtractions of the shift-add kernel, unweighted",
        ),
    )
)
