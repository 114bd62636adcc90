"""Number of logic gates."""

from __future__ import annotations

from ..ops import Kind, Op
from .metric import Metric
from .prediction import TABLE_BITS, factors, structure

__all__ = ["FULL_ADDER", "GATES", "METRIC"]

# Gates of two inputs; inverters are free. A full adder is 2 XOR, 2 AND, 1 OR; a half adder XOR and AND; a choice
# between two bits 2 AND and 1 OR.
FULL_ADDER, HALF_ADDER, CHOICE = 5, 2, 3
# A comparison is a subtraction and a choice for each bit; with zero it is one AND.
GATES = {
    "adder_bits": FULL_ADDER,
    "constant_adder_bits": FULL_ADDER,
    "compared_bits": FULL_ADDER + CHOICE,
    "rectified_bits": 1,
}


def weight(op: Op) -> int | None:
    """Gates of two inputs of one operator by a declared convention; None for a float operand.

    A multiplier is an array: an AND for each pair of bits, a row of full adders for each bit of the shorter factor
    after the first. A table is a tree of choices behind a first level of constants. Flip-flops are counted by FF.
    Source: Freire et al., arXiv 2206.12191 (the idea of gates for full adders; the table is this project's).
    """
    found = structure(op)
    if found is None:
        return None
    if op.kind is Kind.NEGATE:
        return HALF_ADDER * op.result.width
    if "product_bits" in found:
        longer, shorter = sorted(factors(op), reverse=True)
        return longer * shorter + FULL_ADDER * longer * (shorter - 1)
    if op.kind is Kind.LOOKUP:
        entries = 1 << min(op.left.width, TABLE_BITS)
        return CHOICE * max((entries >> 1) - 1, 0) * op.result.width
    return sum(GATES.get(name, 0) * amount for name, amount in found.items())


METRIC = Metric(
    key="nlg",
    heading="NLG (predicted)",
    meaning="predicted gates of two inputs of one kernel by a declared convention, 5 for a full adder; no flip-flops",
    unit="gates",
    weight=weight,
    always="kernel",
    detail=True,
    unlisted=True,
    predicted=True,
)
