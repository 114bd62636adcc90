"""Magnitudes without an adder: a negative number has its bits turned over, and turned back where it gets its sign.

The bits of v < 0 turned over are -v - 1, one less than its magnitude. A bundle with `signs` holds numbers that are one
less wherever the sign wire is negative; sums and comparisons with 0 stay exact: max(0, u + 1) is max(-1, u) + 1, and
turning u over once more is -(u + 1).
"""

from __future__ import annotations

from dataclasses import replace

from nncomplexity.ops import Role

from .bundles import Bundle, UnsupportedLayer
from .netlist import Graph, Operand

__all__ = ["magnitude", "moved", "rectified", "signed"]


def magnitude(graph: Graph, x: Bundle) -> Bundle:
    """|x|, whose sign is kept for `signed`."""
    signs = tuple(graph.sign(node) for node in x.nodes)
    ends = x.low, max(x.high, -x.low - 1)
    nodes = tuple(graph.turn(node, sign, ends) for node, sign in zip(x.nodes, signs, strict=True))
    return replace(x, nodes=nodes, low=ends[0], high=ends[1], signs=signs, constant=False)


def moved(graph: Graph, size: Bundle, fraction: int) -> Bundle:
    """A magnitude with so many bits behind the point: zeros there are those of the number, turned over as its bits."""
    shift, reach = fraction - size.fraction, max(size.high, -size.low - 1)
    if not size.signs or not shift:
        return size
    ends = (-reach - 1) << shift, ((reach + 1) << shift) - 1
    nodes = []
    for node, sign in zip(size.nodes, size.signs, strict=True):
        number = graph.turn(node, sign, (-reach - 1, reach))
        nodes.append(graph.turn(graph.wire(Operand(number, shift), ends, fraction), sign, ends))
    return replace(size, nodes=tuple(nodes), low=size.low << shift, high=ends[1], fraction=fraction)


def rectified(graph: Graph, size: Bundle, role: Role) -> tuple[int, ...]:
    """The greater of 0 and a magnitude that something was added to."""
    return tuple(graph.greater(node, sign, role) for node, sign in zip(size.nodes, size.signs, strict=True))


def signed(graph: Graph, size: Bundle, like: Bundle) -> Bundle:
    """A magnitude with the sign it had. Raises UnsupportedLayer for that of another number."""
    signs = tuple(graph.sign(node) for node in like.nodes)
    if not size.signs or signs != size.signs:
        raise UnsupportedLayer("a number gets the sign of another than its magnitude was taken of")
    reach = max(size.high, -size.low - 1)
    ends = -reach - 1, reach
    nodes = tuple(graph.turn(node, sign, ends) for node, sign in zip(size.nodes, signs, strict=True))
    return replace(size, nodes=nodes, low=ends[0], high=ends[1], signs=())
