"""Whether a run reached the ends: numbers held back by a quantiser, tables read at their first or last entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .building import Kernel
from .fixed import Overflow, quantise
from .netlist import Graph, Operation

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["watched"]

PORT = "watched"


@dataclass(kw_only=True)
class Ends:
    """The wires that may reach an end, watched in a run of `kernel`, which is the given one with one output more."""

    kernel: Kernel
    nodes: tuple[int, ...]
    reached: bool = False

    @classmethod
    def of(cls, kernel: Kernel) -> Ends:
        """The same kernel, watched."""
        graph = kernel.graph
        found = [place for place, node in enumerate(graph.nodes) if _saturates(graph, place) or node.table is not None]
        watched = copy(graph)
        sources = tuple(graph.nodes[place].operands[0].node for place in found)
        watched.outputs = graph.outputs | {PORT: sources}
        return cls(kernel=replace(kernel, graph=watched), nodes=tuple(found))

    def seen(self, result: Mapping[str, Array]) -> None:
        """Look at the numbers of one step."""
        graph = self.kernel.graph
        if self.reached:
            return
        for column, place in enumerate(self.nodes):
            node, values = graph.nodes[place], result[PORT][:, column]
            source = graph.nodes[node.operands[0].node]
            if node.table is not None:
                operand = node.table.operand.interval
                low, high = max(operand[0], source.low), min(operand[1], source.high)
                hit = (values <= low) | (values >= high)
            else:
                assert node.format is not None
                wide = replace(node.format, bits=128, integer=128 - node.format.fraction, overflow=Overflow.WRAP)
                rounded = quantise(values, source.fraction, wide)
                low, high = node.format.interval
                hit = (rounded < low) | (rounded > high)
            if hit.any():
                self.reached = True
                return


def watched(
    kernel: Kernel, moving: Mapping[str, Sequence[Array]], ports: Mapping[str, Array]
) -> tuple[list[Array], bool | None]:
    """The netlist's results at every step, and whether a cell reached its ends; None for what has no states.

    moving: integers by port, step by step; ports: those that are held.
    """
    import numpy as np

    held = {name: np.atleast_2d(values) for name, values in ports.items()}
    if not kernel.graph.feeds:
        return kernel.run(moving, held), None
    ends = Ends.of(kernel)
    return ends.kernel.run(moving, held, watch=ends.seen), ends.reached


def _saturates(graph: Graph, place: int) -> bool:
    """Whether a node may hold numbers back."""
    node = graph.nodes[place]
    if node.operation is not Operation.QUANTISE or node.format is None or node.format.overflow is Overflow.WRAP:
        return False
    return any(graph.passed_ends(node))
