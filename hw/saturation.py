"""Whether a run reached the ends: numbers held back by a quantiser, tables read at their first or last entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from .building import Kernel
from .fixed import Overflow, quantise
from .netlist import Graph, Operation

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["watched"]

# An output of its own shows the operands of all that may saturate.
PORT = "watched"
# Holds whatever is rounded, before it is limited.
WIDE = 1 << 10


def watched(
    kernel: Kernel, moving: Mapping[str, Sequence[Array]], ports: Mapping[str, Array]
) -> tuple[list[dict[str, Array]], bool | None]:
    """All outputs at every step, and whether a cell reached its ends; None for what has no states.

    moving: integers by port, step by step; ports: those that are held.
    """
    import numpy as np

    graph, held = kernel.graph, {name: np.atleast_2d(values) for name, values in ports.items()}
    if not graph.feeds:
        return kernel.trace(moving, held), None
    places = [place for place, node in enumerate(graph.nodes) if node.table is not None or _saturates(graph, place)]
    more = copy(graph)
    more.outputs = {**graph.outputs, PORT: tuple(graph.nodes[place].operands[0].node for place in places)}
    found = replace(kernel, graph=more).trace(moving, held)
    seen = [step.pop(PORT) for step in found]
    reached = any(_reached(graph, place, values[:, column]) for values in seen for column, place in enumerate(places))
    return found, reached


def _reached(graph: Graph, place: int, values: Array) -> bool:
    """Whether some operands of a node are beyond the ends of what it stores, or at those of its table."""
    node = graph.nodes[place]
    source = graph.nodes[node.operands[0].node]
    if node.table is not None:
        least, most = node.table.operand.interval
        return bool((values <= max(least, source.low)).any() or (values >= min(most, source.high)).any())
    assert node.format is not None
    wide = replace(node.format, bits=WIDE, integer=WIDE - node.format.fraction, overflow=Overflow.WRAP)
    rounded, (least, most) = quantise(values, source.fraction, wide), node.format.interval
    return bool((rounded < least).any() or (rounded > most).any())


def _saturates(graph: Graph, place: int) -> bool:
    """Whether a node may hold numbers back."""
    node = graph.nodes[place]
    if node.operation is not Operation.QUANTISE or node.format is None or node.format.overflow is Overflow.WRAP:
        return False
    return any(graph.passed_ends(node))
