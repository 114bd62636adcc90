"""What hardware there is for a layer, and how often it runs: not what is computed, but what computes it."""

from __future__ import annotations

from ..expressions import Size, divide_exactly
from ..formats import Fixed
from ..ops import Inventory, Kind, Op, Role
from .counter import Countable

__all__ = ["directions_of", "schedule", "states_of"]

NOTHING = Fixed(bits=1, signed=False)


def directions_of(layer: Countable) -> int:
    """Kernels of a layer: those of both directions of a recurrent one have weights of their own."""
    found: int = getattr(layer, "directions", 1)
    return found


def states_of(layer: Countable) -> Inventory:
    """The numbers a layer keeps from one execution to the next, in every direction."""
    states: dict[Op, Size] = {}
    for elements, format in getattr(layer, "states", ()):
        op = Op(Kind.STORE, Role.STATE, format, format, format)
        states[op] = states.get(op, 0) + elements * directions_of(layer)
    return Inventory(states)


def schedule(layer: Countable) -> Inventory:
    """The executions of a kernel, one after the other; both directions run at once."""
    times = divide_exactly(layer.executions, directions_of(layer))
    once = Op(Kind.EXECUTION, Role.SCHEDULE, NOTHING, NOTHING, NOTHING)
    return Inventory({once: layer.executions if times is None else times})
