"""Activation functions as tables: every entry rounded once, from decimals of sixty digits, the same on every machine.

A table has an entry for each number of its operand's format, at most 2**10 of them, in the order of the bit patterns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, localcontext
from functools import cache

from nncomplexity.errors import UsageError, did_you_mean

from .fixed import FixedPoint
from .functions import DIGITS, FAMILIES, FUNCTIONS, HALF

__all__ = ["FUNCTIONS", "TABLE_BITS", "Table"]

TABLE_BITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`function` of every number of `operand`, stored in `result`; the nearest number it can hold, halves up.

    member: of a family of functions over the range of the operand's format, the numbers that tell it from the others.

    Raises: UsageError E-KERNEL-TABLE for a function that has no table and for more than 2**10 entries.
    """

    function: str
    operand: FixedPoint
    result: FixedPoint
    member: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.function not in (FAMILIES if self.member else FUNCTIONS):
            known = did_you_mean(self.function, FAMILIES if self.member else FUNCTIONS)
            raise UsageError("E-KERNEL-TABLE", f"no table is known of '{self.function}'; {known}")
        if self.operand.bits > TABLE_BITS:
            raise UsageError(
                "E-KERNEL-TABLE",
                f"a table of {self.operand.bits} bits has too many entries; quantise to at most {TABLE_BITS}",
            )

    @property
    def entries(self) -> tuple[int, ...]:
        """The stored integers, by the operand's bit pattern read as unsigned."""
        return _entries(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the entries, to tell tables apart."""
        return hashlib.sha256(f"{self.result}:{','.join(map(str, self.entries))}".encode()).hexdigest()


@cache
def _entries(table: Table) -> tuple[int, ...]:
    operand, result = table.operand, table.result
    (low, high), (least, _) = result.interval, operand.interval
    found = []
    with localcontext(DIGITS):
        step, unit = Decimal(2) ** -operand.fraction, Decimal(2) ** result.fraction
        for pattern in range(1 << operand.bits):
            negative = operand.signed and pattern >> (operand.bits - 1)
            value = pattern - (1 << operand.bits) if negative else pattern
            exact = _exact(table, value * step, Decimal(value - least) / (1 << operand.bits)) * unit + HALF
            reached = min(max(exact, Decimal(low)), Decimal(high))
            found.append(int(reached.to_integral_value(ROUND_FLOOR)))
    return tuple(found)


def _exact(table: Table, x: Decimal, place: Decimal) -> Decimal:
    if table.member:
        return FAMILIES[table.function](x, place, *table.member)
    return FUNCTIONS[table.function](x)
