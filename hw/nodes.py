"""What a netlist is made of: nodes, ports, and the operators that they are counted as."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from nncomplexity.errors import UsageError
from nncomplexity.ops import Inventory, Kind, Role

from .fixed import FixedPoint
from .tables import Table

__all__ = ["Node", "Operand", "Operation", "Operator", "Port", "operators", "width_of"]

COUNTED = {Kind.ADD, Kind.SUBTRACT, Kind.NEGATE, Kind.MULTIPLY, Kind.COMPARE, Kind.LOOKUP}


class Operation(Enum):
    """What a node does.

    WIRE shifts and renames: it adds no cell, and hides that low bits are always zero from what reads it.
    GREATER and LESSER select one of two, RECTIFY 0 in place of a negative number. LESS is one bit, the first operand
    below the second; SELECT is its second operand where its first is that bit, else its third.
    GREATER selects the greater of two, RECTIFY 0 in place of a negative number. SIGN is the sign bit, -1 or 0, a wire;
    TURN turns all bits over where a sign is set.
    """

    INPUT = "input"
    CONSTANT = "constant"
    REGISTER = "register"
    WIRE = "wire"
    ADD = "add"
    SUBTRACT = "subtract"
    NEGATE = "negate"
    MULTIPLY = "multiply"
    TABLE = "table"
    GREATER = "greater"
    LESSER = "lesser"
    LESS = "less"
    SELECT = "select"
    RECTIFY = "rectify"
    SIGN = "sign"
    TURN = "turn"
    QUANTISE = "quantise"


class Operand(NamedTuple):
    """A node shifted left by a constant: zeros appended."""

    node: int
    shift: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One wire. low, high: the integers it may carry, in units of 2**-fraction. zeros: lowest bits that are always 0.

    width: bits of the wire; an `unsigned` one has no sign bit. passed: low bits where an operand of an addition is
    always zero. port, index: the element of an input or a register. value: that of a constant. inside: it is a part of
    something that is counted as one operation, or as none.
    """

    operation: Operation
    operands: tuple[Operand, ...] = ()
    low: int
    high: int
    fraction: int
    width: int
    unsigned: bool = False
    zeros: int = 0
    passed: int = 0
    role: Role = Role.INPUT
    port: str = ""
    index: int = 0
    value: int = 0
    format: FixedPoint | None = None
    table: Table | None = None
    inside: bool = False


class Port(NamedTuple):
    """Equal wires that enter or leave a kernel together, element 0 in the lowest bits. low, high, fraction: their
    integers; register: they are a state, kept from one step to the next."""

    name: str
    elements: int
    width: int
    unsigned: bool
    low: int
    high: int
    fraction: int
    register: bool = False


class Operator(NamedTuple):
    """What makes two operators the same kind of hardware. width: bits of the result, of the operands where they are
    compared; left, right: bits of a multiplier's factors, else 0."""

    kind: Kind
    role: Role
    width: int
    passed: int = 0
    left: int = 0
    right: int = 0


def width_of(low: int, high: int, *, both: bool = False) -> int:
    """Bits of the smallest two's complement that holds low..high, and -high..-low where `both` signs are needed."""
    ends = (low, high, -low, -high) if both else (low, high)
    return max((end if end >= 0 else -end - 1).bit_length() for end in ends) + 1


def operators(inventory: Inventory) -> Counter[Operator]:
    """The counted operations that are cells of a circuit, in the words of `Graph.inventory`; wires are left out."""
    found: Counter[Operator] = Counter()
    for op, count in inventory:
        if op.kind not in COUNTED:
            continue
        width = (op.left if op.kind is Kind.COMPARE else op.result).width
        factors = (op.left.width, op.right.width) if op.kind is Kind.MULTIPLY else (0, 0)
        if not isinstance(count, int):
            raise UsageError("E-EXACT-SYMBOL", f"a kernel needs integer counts, found {count}; bind free dims")
        found[Operator(op.kind, op.role, width, op.passed, *factors)] += count
    return found
