"""Special functions of wires: tables, and straight pieces above ten bits where there are such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nncomplexity.errors import UsageError
from nncomplexity.ops import Role

from .bundles import Bundle, UnsupportedLayer
from .fixed import FixedPoint, Overflow
from .functions import FAMILIES, FUNCTIONS
from .netlist import Graph
from .piecewise import FORMS, piecewise
from .tables import TABLE_BITS, Table

__all__ = ["ACTIVATIONS", "TABLE_OPERAND", "check_activation", "looked_up", "narrowed"]

# How a function of more bits than a table has is computed: of numbers brought to ten bits, or in straight pieces.
ACTIVATIONS = ("piecewise", "table")
# What such a table sees: eight on either side of zero.
TABLE_OPERAND = FixedPoint(bits=TABLE_BITS, integer=4, overflow=Overflow.SAT)

Members = Sequence[tuple[int, ...]]


def check_activation(activation: str) -> None:
    """Raises UsageError E-KERNEL-ACTIVATION for a form that does not exist."""
    if activation not in ACTIVATIONS:
        fact = f"there is no form '{activation}' of activation functions; choose {' or '.join(ACTIVATIONS)}"
        raise UsageError("E-KERNEL-ACTIVATION", fact)


def looked_up(
    graph: Graph,
    x: Bundle,
    function: str,
    result: FixedPoint,
    ends: tuple[int, int],
    *,
    role: Role,
    operand: FixedPoint,
    activation: str,
    members: Members,
) -> tuple[Bundle, FixedPoint | None]:
    """A function of every wire, and what its table sees, None of straight pieces.

    Raises: UnsupportedLayer for a function that is not known, or is of two numbers.
    """
    if function not in (FAMILIES if members else FUNCTIONS):
        raise UnsupportedLayer(f"no table is known of '{function}'")
    low, high = ends
    wide = _bits(graph, x) > operand.bits
    if wide and activation == "piecewise" and function in FORMS:
        straight = tuple(piecewise(graph, node, function, result, ends, role) for node in x.nodes)
        return Bundle(nodes=straight, low=low, high=high, fraction=result.fraction), None
    if members or not wide:
        x, seen = narrowed(graph, x)
    else:
        x, seen = replace(x, nodes=tuple(graph.quantise(node, operand) for node in x.nodes)), operand
    tables = [Table(function=function, operand=seen, result=result, member=member) for member in members or ((),)]
    nodes = tuple(graph.table(node, tables[at % len(tables)], role, ends) for at, node in enumerate(x.nodes))
    return Bundle(nodes=nodes, low=low, high=high, fraction=result.fraction), seen


def narrowed(graph: Graph, x: Bundle) -> tuple[Bundle, FixedPoint]:
    """Wires without the lowest bits that are more than a table has, and their format: the range stays."""
    bits = _bits(graph, x)
    signed = not all(graph.nodes[node].unsigned for node in x.nodes)
    if bits <= TABLE_BITS:
        return x, FixedPoint(bits=bits, integer=bits - x.fraction, signed=signed)
    fraction = x.fraction - (bits - TABLE_BITS)
    format = FixedPoint(bits=TABLE_BITS, integer=TABLE_BITS - fraction, signed=signed)
    nodes = tuple(graph.quantise(node, format) for node in x.nodes)
    low, high = format.interval
    return Bundle(nodes=nodes, low=low, high=high, fraction=fraction, format=x.format), format


def _bits(graph: Graph, x: Bundle) -> int:
    return max((graph.nodes[node].width for node in x.nodes), default=0)
