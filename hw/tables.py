"""Activation functions as tables: every entry rounded once, from decimals of sixty digits, the same on every machine.

A table has an entry for each number of its operand's format, at most 2**10 of them, in the order of the bit patterns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cache

from nncomplexity.errors import UsageError, did_you_mean

from .fixed import FixedPoint

__all__ = ["FUNCTIONS", "TABLE_BITS", "Table"]

TABLE_BITS = 10
DIGITS = Context(prec=60, rounding=ROUND_HALF_UP)
HALF, ONE = Decimal("0.5"), Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`function` of every number of `operand`, stored in `result`; the nearest number it can hold, halves up.

    Raises: UsageError E-KERNEL-TABLE for a function that has no table and for more than 2**10 entries.
    """

    function: str
    operand: FixedPoint
    result: FixedPoint

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            known = did_you_mean(self.function, FUNCTIONS)
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
    function, operand, result = FUNCTIONS[table.function], table.operand, table.result
    low, high = result.interval
    found = []
    with localcontext(DIGITS):
        step, unit = Decimal(2) ** -operand.fraction, Decimal(2) ** result.fraction
        for pattern in range(1 << operand.bits):
            negative = operand.signed and pattern >> (operand.bits - 1)
            value = pattern - (1 << operand.bits) if negative else pattern
            exact = function(value * step) * unit + HALF
            found.append(min(max(int(exact.to_integral_value(ROUND_FLOOR)), low), high))
    return tuple(found)


def _sigmoid(x: Decimal) -> Decimal:
    return ONE / (ONE + (-x).exp())


def _tanh(x: Decimal) -> Decimal:
    grown = (-2 * abs(x)).exp()
    return ((ONE - grown) / (ONE + grown)).copy_sign(x)


def _softplus(x: Decimal) -> Decimal:
    return max(x, Decimal(0)) + (ONE + (-abs(x)).exp()).ln()


def _silu(x: Decimal) -> Decimal:
    return x * _sigmoid(x)


def _reciprocal(x: Decimal) -> Decimal:
    # That of 0 is the greatest number a result can hold, whatever that is.
    return ONE / x if x else ONE.scaleb(40)


FUNCTIONS: dict[str, Callable[[Decimal], Decimal]] = {
    "exp": Decimal.exp,
    "reciprocal": _reciprocal,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "softplus": _softplus,
    "tanh": _tanh,
}
