"""Counting: the interpreters of layer equations that give inventories; the index page.

paper: the published closed forms, one accumulator width per sum.
exact: a kernel of real multipliers and balanced adder trees, every wire as narrow as its interval (`mac`).
shiftadd: the same kernel where the digits of known weights are shifted and added instead of multiplied.
binary: shiftadd where the digits are the bits of the weights' magnitudes.
digits: the paper's forms with the signed digits of known weights in place of their bound.
shared: shiftadd after subexpressions that occur twice are computed once.

A convention is what a report is asked for; it names the counter that prices each metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..ops import Inventory
from .counter import Countable, Signal
from .digits import DigitsCounter
from .exact import ExactCounter
from .matrix import Arrangement, Matrix, statistics_of
from .paper import PaperCounter
from .shared import SharedCounter
from .shift_add import BinaryCounter, ShiftAddCounter

__all__ = ["CONVENTIONS", "Arrangement", "Countable", "Matrix", "Signal", "count", "statistics_of"]

CONVENTIONS = ("paper", "exact")
COUNTERS: dict[str, type[PaperCounter] | type[ExactCounter]] = {
    "paper": PaperCounter,
    "exact": ExactCounter,
    "shiftadd": ShiftAddCounter,
    "binary": BinaryCounter,
    "digits": DigitsCounter,
    "shared": SharedCounter,
}


def count(
    layer: Countable,
    counter: str = "paper",
    accumulator: int | None = None,
    operands: Mapping[str, Matrix] | None = None,
) -> Inventory:
    """The inventory of a layer by a counter: its equations counted once, times their executions.

    accumulator: a declared width of every accumulator, in place of the one that follows from the operands.
    operands: the constants whose values are known, by the names the equations give them.
    """
    # The paper's forms see widths, not values.
    if not operands or (counter == "paper" and not any(each.varied for each in operands.values())):
        return _counted(layer, counter, accumulator)
    return _run(layer, counter, accumulator, operands)


@lru_cache(maxsize=4096)
def _counted(layer: Countable, counter: str, accumulator: int | None) -> Inventory:
    return _run(layer, counter, accumulator, {})


def _run(layer: Countable, counter: str, accumulator: int | None, operands: Mapping[str, Matrix]) -> Inventory:
    found = COUNTERS[counter](accumulator, operands)
    layer.equations(found)
    return found.inventory(layer.executions)
