"""The cells that an elaborated text must have, row by row in the words of a census."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from nncomplexity.ops import Kind

from .fixed import Rounding
from .netlist import Graph, Node, Operation
from .nodes import Operand, Operator

__all__ = ["Declared", "declared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """additions: (subtraction, width, passed); multiplications: widths of both operands and of the cell's result, at
    least as wide as either operand by the rules of the language; an unsigned factor has a zero in front of it.
    tables: bits of address and entry; registers: by width. The others by width: comparisons of operands. logic: bits of
    the gates that round half to even and of those that turn the bits of negative numbers over. A kernel has no shifts
    and no control."""

    additions: Counter[tuple[bool, int, int]] = field(default_factory=Counter)
    negations: Counter[int] = field(default_factory=Counter)
    multiplications: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    comparisons: Counter[int] = field(default_factory=Counter)
    tables: Counter[tuple[int, int]] = field(default_factory=Counter)
    muxes: Counter[int] = field(default_factory=Counter)
    registers: Counter[int] = field(default_factory=Counter)
    logic: Counter[str] = field(default_factory=Counter)
    shifts: Counter[int] = field(default_factory=Counter)
    control: Counter[str] = field(default_factory=Counter)


def declared(graph: Graph) -> Declared:
    """What `emit` writes of a graph, cell by cell."""
    found = Declared()
    for node in graph.nodes:
        widths = [_signed(graph, operand) for operand in node.operands]
        match node.operation:
            case Operation.ADD | Operation.SUBTRACT:
                found.additions[node.operation is Operation.SUBTRACT, node.width, node.passed] += 1
            case Operation.NEGATE:
                found.negations[node.width] += 1
            case Operation.MULTIPLY:
                found.multiplications[widths[0], widths[1], max(*widths, node.width)] += 1
            case Operation.GREATER | Operation.LESSER | Operation.RECTIFY:
                found.comparisons[max(widths)] += 1
                found.muxes[max(widths)] += 1
            case Operation.LESS:
                found.comparisons[max(widths)] += 1
            case Operation.SELECT:
                found.muxes[max(widths[1], widths[2], node.width)] += 1
            case Operation.TURN:
                found.logic["$xor"] += max(*widths, node.width)
            case Operation.REGISTER:
                found.registers[node.width] += 1
            case Operation.TABLE:
                assert node.table is not None
                found.tables[node.table.operand.bits, node.width] += 1
            case Operation.QUANTISE:
                _quantised(graph.quantiser(node), found)
                assert node.format is not None
                if node.format.rounding is Rounding.RND_CONV and graph.rounds(node):
                    found.logic.update(("$reduce_or", "$or", "$and"))
            case _:
                pass
    return found


def _quantised(operators: list[Operator], found: Declared) -> None:
    for operator in operators:
        if operator.kind is Kind.ADD:
            found.additions[False, operator.width, 0] += 1
        else:
            found.comparisons[operator.width] += 1
            found.muxes[operator.width] += 1


def _signed(graph: Graph, operand: Operand) -> int:
    node: Node = graph.nodes[operand.node]
    return node.width + operand.shift + int(node.unsigned)
