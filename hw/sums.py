"""Sums of products as wires: of known numbers, each as its style has it, and of equal wires."""

from __future__ import annotations

from collections.abc import Sequence

from nncomplexity.errors import UsageError
from nncomplexity.ops import Role

from .bundles import Bundle
from .netlist import Graph, Operand
from .plans import planned
from .styles import DIGITS, PLANS
from .trees import digit_sum, known_product, product_sum

__all__ = ["check_values", "known_sums", "product_interval", "sums"]


def known_sums(
    graph: Graph,
    style: str,
    inputs: Sequence[Sequence[int]],
    weights: Sequence[Sequence[int]],
    factors: tuple[Bundle, Bundle],
    role: Role,
) -> Bundle:
    """Sums of products by known numbers, all of the interval that the widest of them needs."""
    x, weight = factors
    fraction = x.fraction + weight.fraction
    check_values(weight)
    low = min((sum(min(w * x.low, w * x.high) for w in row) for row in weights), default=0)
    high = max((sum(max(w * x.low, w * x.high) for w in row) for row in weights), default=0)
    nodes, search = [], PLANS.get(style)
    # Sums with inputs of their own share nothing, as they are counted.
    alone = len(weights) > 1 and x.elements == sum(map(len, weights))
    roots = planned(graph, search, inputs, weights, x.interval, role, alone=alone) if search else []
    for number, (wires, row) in enumerate(zip(inputs, weights, strict=True)):
        if not any(row):
            root = Operand(graph.constant(0, fraction, (0, 0), 1))
        elif search:
            root = roots[number] or Operand(0)
        elif style in DIGITS:
            root = digit_sum(graph, wires, row, role, DIGITS[style]) or Operand(0)
        else:
            each = [
                known_product(graph, wire, value, (weight.width, weight.unsigned), weight.fraction, role)
                for wire, value in zip(wires, row, strict=True)
                if value
            ]
            root = Operand(product_sum(graph, each, role))
        nodes.append(graph.wire(root, (low, high), fraction))
    return Bundle(nodes=tuple(nodes), low=low, high=high, fraction=fraction)


def sums(graph: Graph, rows: Sequence[Sequence[int]], each: tuple[int, int], fraction: int, role: Role) -> Bundle:
    """Sums of equally many wires of one interval."""
    terms = len(rows[0]) if rows else 0
    low, high = each[0] * terms, each[1] * terms
    zero = [graph.constant(0, fraction, (0, 0), 1)] if not terms else []
    nodes = tuple(product_sum(graph, row or zero, role) for row in rows)
    return Bundle(nodes=nodes, low=low, high=high, fraction=fraction)


def product_interval(left: Bundle, right: Bundle) -> tuple[int, int]:
    """The integers a product of two may be."""
    corners = [a * b for a in left.interval for b in right.interval]
    return min(corners), max(corners)


def check_values(weight: Bundle) -> None:
    """Refuse known numbers outside their format."""
    wrong = [value for value in weight.values or () if not weight.low <= value <= weight.high]
    if wrong:
        raise UsageError(
            "E-KERNEL-WEIGHTS", f"a weight is {wrong[0]}, its format holds {weight.low}..{weight.high}; widen it"
        )
