"""Sums of products as wires: every sum of a verb on an interval that holds the widest of them."""

from __future__ import annotations

from collections.abc import Sequence

from nncomplexity.errors import UsageError
from nncomplexity.ops import Role

from .bundles import Bundle
from .netlist import Graph, Operand
from .trees import digit_sum, known_product, product_sum

__all__ = ["check_values", "known_sums", "port_sums", "product_ends"]


def known_sums(
    graph: Graph,
    style: str,
    inputs: Sequence[Sequence[int]],
    weights: Sequence[Sequence[int]],
    operands: tuple[Bundle, Bundle],
    role: Role,
) -> Bundle:
    """Sums of products by known numbers: shifted and added, or multiplied; operands: the bundles both come from."""
    x, weight = operands
    fraction = x.fraction + weight.fraction
    check_values(weight)
    low = min((sum(min(w * x.low, w * x.high) for w in row) for row in weights), default=0)
    high = max((sum(max(w * x.low, w * x.high) for w in row) for row in weights), default=0)
    nodes = []
    for wires, row in zip(inputs, weights, strict=True):
        if not any(row):
            root = Operand(graph.constant(0, fraction, (0, 0), 1))
        elif style == "shiftadd":
            root = digit_sum(graph, wires, row, role) or Operand(0)
        else:
            each = [
                known_product(graph, wire, value, (weight.width, weight.unsigned), weight.fraction, role)
                for wire, value in zip(wires, row, strict=True)
                if value
            ]
            root = Operand(product_sum(graph, each, role))
        nodes.append(graph.wire(root, (low, high), fraction))
    return Bundle(nodes=tuple(nodes), low=low, high=high, fraction=fraction)


def port_sums(graph: Graph, rows: Sequence[Sequence[int]], ends: tuple[int, int], fraction: int, role: Role) -> Bundle:
    """Sums of equally many wires, each from one end to the other."""
    terms = len(rows[0]) if rows else 0
    low, high = ends[0] * terms, ends[1] * terms
    zero = [graph.constant(0, fraction, (0, 0), 1)] if not terms else []
    nodes = tuple(product_sum(graph, row or zero, role) for row in rows)
    return Bundle(nodes=nodes, low=low, high=high, fraction=fraction)


def product_ends(left: Bundle, right: Bundle) -> tuple[int, int]:
    """The smallest and the greatest product of elements of two bundles."""
    corners = [a * b for a in left.interval for b in right.interval]
    return min(corners), max(corners)


def check_values(weight: Bundle) -> None:
    """Refuse known numbers outside their format."""
    wrong = [value for value in weight.values or () if not weight.low <= value <= weight.high]
    if wrong:
        raise UsageError(
            "E-KERNEL-WEIGHTS", f"a weight is {wrong[0]}, its format holds {weight.low}..{weight.high}; widen it"
        )
