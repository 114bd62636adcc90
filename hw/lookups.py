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
) -> Bundle:
    """A function of every wire. Raises UnsupportedLayer for one that is not known, or is of two numbers."""
    if function not in (FAMILIES if members else FUNCTIONS):
        raise UnsupportedLayer(f"no table is known of '{function}'")
    low, high = ends
    wide = _bits(graph, x) > operand.bits
    if wide and activation == "piecewise" and function in FORMS:
        nodes = tuple(piecewise(graph, node, function, result, ends, role) for node in x.nodes)
        return Bundle(nodes=nodes, low=low, high=high, fraction=result.fraction)
    if not wide:
        signed = not all(graph.nodes[node].unsigned for node in x.nodes)
        bits = _bits(graph, x)
        seen = FixedPoint(bits=bits, integer=bits - x.fraction, signed=signed)
    elif members:
        x = narrowed(graph, x)
        seen = replace(operand, integer=operand.bits - x.fraction, signed=not graph.nodes[x.nodes[0]].unsigned)
    else:
        x, seen = replace(x, nodes=tuple(graph.quantise(node, operand) for node in x.nodes)), operand
    each = members or ((),)
    tables = [Table(function=function, operand=seen, result=result, member=member) for member in each]
    nodes = tuple(graph.table(node, tables[at % len(tables)], role, ends) for at, node in enumerate(x.nodes))
    return Bundle(nodes=nodes, low=low, high=high, fraction=result.fraction)


def narrowed(graph: Graph, x: Bundle) -> Bundle:
    """Wires without the lowest bits that are more than a table has: their range stays."""
    bits = _bits(graph, x)
    if bits <= TABLE_BITS:
        return x
    fraction = x.fraction - (bits - TABLE_BITS)
    signed = not all(graph.nodes[node].unsigned for node in x.nodes)
    format = FixedPoint(bits=TABLE_BITS, integer=TABLE_BITS - fraction, signed=signed)
    nodes = tuple(graph.quantise(node, format) for node in x.nodes)
    low, high = format.interval
    return Bundle(nodes=nodes, low=low, high=high, fraction=fraction, format=x.format)


def _bits(graph: Graph, x: Bundle) -> int:
    return max((graph.nodes[node].width for node in x.nodes), default=0)
