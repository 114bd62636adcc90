"""What hardware an operation is predicted to take: its structure, priced by coefficients that were fitted elsewhere.

The coefficients come from syntheses of random layers and lie beside this file with the tool, its passes, how many
layers were fitted and tested, and the errors on the tested ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..formats import Format
from ..ops import Kind, Op

__all__ = ["TABLE_BITS", "Band", "Calibration", "calibration", "factors", "price", "priced", "structure", "tiles"]

DATA = "calibration.json"
# Bits of the longest operand a table has, and those behind the point of a longer one that is brought to them.
TABLE_BITS = 10
TABLE_FRACTION = 6
# A multiplier block takes 25 x 18 bits; of a longer factor every further block adds 17; less stays outside.
BLOCK, FURTHER, LEAST = (25, 18), 17, 9
# Targets whose long products go to blocks.
BLOCKED = frozenset({"xilinx"})
# Functions that are straight pieces of slopes that are powers of two where they are no table.
STRAIGHT = frozenset({"sigmoid", "tanh"})
# Functions of two operands: no table holds them.
TWO_OPERANDS = frozenset({"division", "modulo", "pow"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Relative errors on the layers that were tested: that of half of them, and of nine in ten, at most."""

    median: float
    ninety: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fit. tool, flags: what synthesised; fitted, tested: layers, no one in both; coefficients: by structure.

    single: one coefficient for a full-adder bit, a product's array of them included, with its own band.
    """

    tool: str
    flags: tuple[str, ...]
    fitted: int
    tested: int
    band: Band
    coefficients: Mapping[str, float]
    single: float
    single_band: Band


@lru_cache
def calibration(target: str = "lut6") -> Calibration:
    """The stored fit of a target. Raises: KeyError for one that has none."""
    import json
    from importlib.resources import files

    found = json.loads(files(__package__).joinpath(DATA).read_text("utf-8"))[target]
    for name in ("band", "single_band"):
        found[name] = Band(**found[name])
    return Calibration(**{**found, "flags": tuple(found["flags"])})


@lru_cache(maxsize=4096)
def priced(op: Op, target: str = "lut6") -> int | None:
    """Look-up tables of one operator, a whole number; None where nothing is known of it."""
    found, coefficients = structure(op), calibration(target).coefficients
    if found is None or not found.keys() <= coefficients.keys():
        return None
    # Multiplier blocks take in additions that stand behind them: what is left is not known.
    blocked = target in BLOCKED and "product_bits" in found and tiles(op) > 0
    return None if blocked else price(found, coefficients)


def price(found: Mapping[str, int], coefficients: Mapping[str, float]) -> int:
    """Look-up tables of a structure: each operator a whole number, so that rows and totals add up."""
    return max(round(sum(coefficients[name] * amount for name, amount in found.items())), 0)


def structure(op: Op) -> dict[str, int] | None:
    """What an operator is made of, in the words of the coefficients; {} for wires and storage; None if not known.

    An addition has full adders, and fewer gates where an operand is constant; a negation joins what reads it. A product
    between variables, or by a number that is not known, has an array of b*b'; one by a power of two or a sum of such
    has its adders at most.
    """
    if op.kind is Kind.UNKNOWN or op.left.floating or op.right.floating or op.result.floating:
        return None if op.kind not in (Kind.STORE, Kind.EXECUTION) else {}
    match op.kind:
        case Kind.ADD | Kind.SUBTRACT:
            name = "constant_adder" if op.constant else "adder"
            return {f"{name}_bits": op.result.width - op.passed, f"{name}s": 1}
        case Kind.MULTIPLY:
            return _product(op)
        case Kind.COMPARE:
            return {"rectified_bits" if op.constant else "compared_bits": op.left.width}
        case Kind.LOOKUP:
            return None if op.function in TWO_OPERANDS else _table(op.left, op.result, op.function)
        case _:
            return {}


def _product(op: Op) -> dict[str, int]:
    """By a number of few digits the adders its format asks for at most, else an array of multiplier bits."""
    one, other = factors(op)
    adders = op.right.adders
    if op.constant and isinstance(adders, int) and (adders == 0 or adders < op.right.width - 1):
        return {"adder_bits": adders * op.result.width, "adders": adders} if adders else {}
    return {"product_bits": one * other, "factor_bits": one + other}


def factors(op: Op) -> tuple[int, int]:
    """Bits of a multiplier's factors, a sign in front of an unsigned one."""
    one, other = (format.width + int(not format.signed) for format in (op.left, op.right))
    return one, other


def _table(operand: Format, result: Format, function: str) -> dict[str, int]:
    """A table of the whole operand where it is short enough; entries that are not saturated cost the most.

    Above, straight pieces where a function has them, else a table of the operand brought to ten bits.
    """
    bits, stored = operand.width, result.width
    if bits > TABLE_BITS and function in STRAIGHT:
        return {f"{function}_bits": bits, f"{function}s": 1}
    fraction = operand.fraction if isinstance(operand.fraction, int) else 0
    if bits > TABLE_BITS:
        bits, fraction = TABLE_BITS, TABLE_FRACTION
    # Beyond about so many units on either side a sigmoid of so many bits does not move.
    moving = min(1 << bits, (stored + 2) << max(fraction, 0))
    return {"table_entry_bits": moving * stored, "table_bits": stored}


def tiles(op: Op) -> int:
    """Multiplier blocks of a product: none below nine bits, else as many as its factors are cut to."""
    one, other = sorted(factors(op), reverse=True)
    if one + other < LEAST or min(one, other) < 2:
        return 0
    return _pieces(one, BLOCK[0]) * _pieces(other, BLOCK[1])


def _pieces(bits: int, most: int) -> int:
    return 1 if bits <= most else 1 - (most - bits) // FURTHER
