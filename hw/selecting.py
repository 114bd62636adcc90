"""Verbs that choose and lay out numbers, as wires: comparisons, orders, pieces of a memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from nncomplexity.ops import Role

from .bundles import Bundle, UnsupportedLayer, aligned, paired
from .netlist import Graph
from .nodes import width_of

__all__ = ["arranged", "chosen", "constants", "extremes", "nearest", "taken"]


def nearest(value: Fraction, fraction: int, interval: tuple[int, int]) -> int:
    """A number in units of 2**-fraction, halves up, held at the ends of an interval."""
    return min(max(floor(value * Fraction(2) ** fraction + Fraction(1, 2)), interval[0]), interval[1])


def constants(graph: Graph, value: Fraction, like: Bundle) -> tuple[int, ...]:
    """A number as a constant for every wire, each of the wire's own kind."""
    found = []
    for node in (graph.nodes[each] for each in like.nodes):
        ends = node.low, node.high
        known = nearest(value, node.fraction, ends)
        found.append(graph.constant(known, node.fraction, ends, node.width, node.unsigned))
    return tuple(found)


def extremes(graph: Graph, left: Bundle, right: Bundle, kept: str, role: Role) -> Bundle:
    """The greater or the lesser of two, on wires like the left one's."""
    if right.number is not None:
        if kept == "greater" and right.number == 0:
            nodes = tuple(graph.rectify(each, role) for each in left.nodes)
            return replace(left, nodes=nodes, constant=False)
        others: Sequence[int] = constants(graph, right.number, left)
    else:
        inside = left.low <= right.low and right.high <= left.high
        if left.fraction != right.fraction or not inside:
            raise UnsupportedLayer("a number is compared with one of another format: bring both to one")
        others = paired(right.nodes, left.elements)
    make = graph.greater if kept == "greater" else graph.lesser
    nodes = tuple(make(one, other, role) for one, other in zip(left.nodes, others, strict=True))
    return replace(left, nodes=nodes, constant=False)


def chosen(graph: Graph, left: Bundle, right: Bundle, values: tuple[Bundle, Bundle], role: Role) -> Bundle:
    """The first of two values where left >= right, else the second."""
    if right.number is not None:
        place = ceil(right.number * Fraction(2) ** left.fraction)
        # No number of the left one is beyond its interval: what is left says as much.
        place = min(max(place, left.low), left.high + 1)
        others: Sequence[int] = [graph.constant(place, left.fraction, (place, place), width_of(place, place))]
    elif left.fraction != right.fraction:
        raise UnsupportedLayer("a number is compared with one of another format: bring both to one")
    else:
        others = right.nodes
    others = paired(others, left.elements)
    fraction = max(each.fraction for each in values)
    above, below = (paired(aligned(graph, each, fraction), left.elements) for each in values)
    conditions = [graph.less(one, other, role) for one, other in zip(left.nodes, others, strict=True)]
    nodes = tuple(graph.select(*each, role) for each in zip(conditions, below, above, strict=True))
    low = min(each.low << fraction - each.fraction for each in values)
    high = max(each.high << fraction - each.fraction for each in values)
    return Bundle(nodes=nodes, low=low, high=high, fraction=fraction)


def arranged(graph: Graph, parts: Sequence[Bundle], elements: int, places: Sequence[int]) -> Bundle:
    """The numbers of values laid end to end, in the order of `places`."""
    first = parts[0]
    if len(places) != elements:
        raise UnsupportedLayer(f"{len(places)} places are given for {elements} numbers")
    if len(parts) == 1:
        if first.values is not None:
            return replace(first, values=tuple(first.values[place] for place in places))
        return replace(first, nodes=tuple(first.nodes[place] for place in places))
    fraction = max(each.fraction for each in parts)
    nodes = [node for each in parts for node in aligned(graph, each, fraction)]
    low = min(each.low << fraction - each.fraction for each in parts)
    high = max(each.high << fraction - each.fraction for each in parts)
    laid = tuple(nodes[place] for place in places)
    return Bundle(nodes=laid, low=low, high=high, fraction=fraction, format=first.format)


def taken(graph: Graph, memory: Bundle, x: Bundle, elements: int, pieces: int) -> Bundle:
    """Of each row of a memory as many numbers, from the piece on that its x lies in.

    An x has a comparison with each place where two pieces meet, a number a choice for each; none of them is counted.
    """
    if pieces == 1:
        return replace(memory, constant=False)
    rows, left = divmod(memory.elements - elements, pieces - 1)
    if left or not rows or elements % rows or rows % x.elements:
        raise UnsupportedLayer(f"{elements} of {memory.elements} numbers are chosen by {x.elements}: the rows differ")
    width, each = memory.elements // rows, elements // rows
    found = []
    with graph.part():
        conditions = [_conditions(graph, node, pieces) for node in x.nodes]
        for row in range(rows):
            own, flags = memory.nodes[row * width :][:width], conditions[row % x.elements]
            for at in range(each):
                value = own[at + pieces - 1]
                for piece in reversed(range(pieces - 1)):
                    value = graph.select(flags[piece], own[at + piece], value, Role.ACTIVATION)
                found.append(value)
    return replace(memory, nodes=tuple(found), constant=False)


def _conditions(graph: Graph, node: int, pieces: int) -> list[int]:
    """Whether a wire lies before each place where two equal pieces of its range meet."""
    wire = graph.nodes[node]
    least = 0 if wire.unsigned else -(1 << (wire.width - 1))
    found = []
    for piece in range(1, pieces):
        place = least + ceil(Fraction(piece << wire.width, pieces))
        constant = graph.constant(place, wire.fraction, (place, place), width_of(place, place))
        found.append(graph.less(node, constant, Role.ACTIVATION))
    return found
