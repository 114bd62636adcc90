"""Counting: the interpreters of layer equations that give inventories; the index page.

paper: the published closed forms, one accumulator width per sum.
exact: a kernel of real multipliers and balanced adder trees, every wire as narrow as its interval (`mac`).
shiftadd: the same kernel where the digits of known weights are shifted and added instead of multiplied.
binary: shiftadd where the digits are the bits of the weights' magnitudes.
digits: the paper's forms with the signed digits of known weights in place of their bound.
shared: shiftadd after subexpressions that occur twice are computed once.
kernel: one kernel of shiftadd that all executions share, and its states. schedule: the executions themselves.

A convention is what a report is asked for; it names the counter that prices each metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..ops import Inventory
from .counter import Countable, Signal
from .digits import DigitsCounter
from .exact import ExactCounter
from .hardware import directions_of, schedule, states_of
from .matrix import Arrangement, Matrix, statistics_of
from .paper import PaperCounter
from .shared import SharedCounter
from .shift_add import BinaryCounter, ShiftAddCounter

__all__ = ["CONVENTIONS", "Arrangement", "Countable", "Matrix", "Signal", "count", "states_of", "statistics_of"]

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
    *,
    once: bool = False,
) -> Inventory:
    """The inventory of a layer by a counter: its equations counted once, times their executions.

    accumulator: a declared width of every accumulator, in place of the one that follows from the operands.
    operands: the constants whose values are known, by the names the equations give them.
    once: of one execution, in each direction, as hardware that all executions share.
    """
    if counter == "schedule":
        return schedule(layer)
    if counter == "kernel":
        return count(layer, "shiftadd", accumulator, operands, once=True) + states_of(layer)
    # The paper's forms see widths, not values.
    if not operands or (counter == "paper" and not any(each.varied for each in operands.values())):
        return _counted(layer, counter, accumulator, once)
    return _run(layer, counter, accumulator, operands, once)


@lru_cache(maxsize=4096)
def _counted(layer: Countable, counter: str, accumulator: int | None, once: bool) -> Inventory:
    return _run(layer, counter, accumulator, {}, once)


def _run(
    layer: Countable, counter: str, accumulator: int | None, operands: Mapping[str, Matrix], once: bool
) -> Inventory:
    found = COUNTERS[counter](accumulator, operands)
    layer.equations(found)
    return found.inventory(directions_of(layer) if once else layer.executions)
