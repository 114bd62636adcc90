"""What a metric is: a name, a meaning and a weight per operation."""

from __future__ import annotations

from dataclasses import dataclass

from ..ops import Weight

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`sum(count * weight(op))` over an inventory.

    weight: the price of one operation; None where it has none, which makes the metric null.
    largest: a network's total is the largest of its rows, not their sum.
    computed: it prices operations, not storage. optional: shown only where it is not zero.
    exact: the counter whose inventory `exact` weighs; always: the same for every convention.
    detail: shown only where it is asked for, or in full in `exact`. asked: costly, so null unless asked for.
    unlisted: it is in no report that does not ask for it. predicted: it is no count but a prediction of hardware.
    """

    key: str
    heading: str
    meaning: str
    unit: str
    weight: Weight
    largest: bool = False
    computed: bool = True
    optional: bool = False
    exact: str = "exact"
    always: str = ""
    detail: bool = False
    asked: bool = False
    unlisted: bool = False
    predicted: bool = False

    def counter(self, convention: str) -> str:
        """The counter whose inventory is weighed in a convention."""
        return self.always or (self.exact if convention == "exact" else convention)
