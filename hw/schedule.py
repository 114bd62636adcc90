"""How many clock cycles a kernel takes: the two schedules, and what they are at a clock.

Equation: seconds = latency / clock; executions per second = clock / interval
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from nncomplexity.errors import UsageError
from nncomplexity.ops import LINEAR_ROLES, PRODUCTS, Inventory

__all__ = ["OVERHEAD", "Schedule", "folded", "products", "unrolled"]

# Cycles of a folded execution in which no product is made: the one in which its results are valid.
OVERHEAD = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """latency: cycles from an execution's inputs to its results. interval: cycles between the starts of two.

    executions: how often the kernel runs for one inference, one execution after the other.
    """

    name: str
    latency: int
    interval: int
    executions: int = 1

    @property
    def cycles(self) -> int:
        """Cycles of one inference: the last execution starts after all others."""
        return (self.executions - 1) * self.interval + self.latency if self.executions else 0

    def seconds(self, megahertz: float) -> float:
        """Seconds of one inference at a clock."""
        return float(self.cycles / self._hertz(megahertz))

    def per_second(self, megahertz: float) -> float:
        """Executions that start in a second at a clock."""
        return float(self._hertz(megahertz) / self.interval)

    def _hertz(self, megahertz: float) -> Fraction:
        if not 0 < megahertz <= 10**6:
            fact = f"a clock of {megahertz:g} MHz is out of range; choose above 0 to 1000000"
            raise UsageError("E-SYNTH-CLOCK", fact)
        return Fraction(megahertz) * 10**6


def unrolled(executions: int = 1) -> Schedule:
    """Everything at once: combinational logic between registers, so an execution a cycle."""
    return Schedule(name="unrolled", latency=1, interval=1, executions=executions)


def folded(inventory: Inventory, executions: int = 1) -> Schedule:
    """One multiply-accumulate unit: a cycle for every product of a sum of an execution, and a fixed overhead.

    inventory: what one execution is charged, dense.
    """
    cycles = products(inventory) + OVERHEAD
    return Schedule(name="folded", latency=cycles, interval=cycles, executions=executions)


def products(inventory: Inventory) -> int:
    """Multiply-accumulates of an inventory, whatever their weights: the cycles in which one unit works."""
    found = inventory.total(lambda op: int(op.kind in PRODUCTS and op.role in LINEAR_ROLES))
    if not isinstance(found, int):
        raise UsageError("E-EXACT-SYMBOL", f"a schedule needs integer counts, found {found}; bind free dims")
    return found
