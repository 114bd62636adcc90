"""Who reads a tensor, and how many bits are alive while nodes run in file order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..expressions import Size, peak
from ..shapes import Tensor
from .attributes import graphs_of
from .scope import Scope

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["Live", "Uses"]


@dataclass(slots=True)
class Uses:
    """How often each name is read in a graph and by which node last; reads from nested graphs included."""

    count: dict[str, int]
    last: dict[str, int]

    @classmethod
    def of(cls, nodes: Sequence[NodeProto], outputs: Iterable[str]) -> Uses:
        """Read the names of a list of nodes once."""
        count: dict[str, int] = {}
        last: dict[str, int] = {}
        for index, node in enumerate(nodes):
            for name in node.input:
                count[name] = count.get(name, 0) + 1
                last[name] = index
            for graph in graphs_of(node).values() if node.attribute else ():
                for name in _read_below(graph):
                    count[name] = count.get(name, 0) + 1
                    last[name] = index
        for name in outputs:
            count[name] = count.get(name, 0) + 1
            last[name] = len(nodes)
        return cls(count, last)


def _read_below(graph: GraphProto) -> set[str]:
    # Names the nested graph defines itself are among them; outside they mean nothing and do no harm.
    found: set[str] = set()
    pending = [graph]
    while pending:
        inner = pending.pop()
        found.update(value.name for value in inner.output)
        for node in inner.node:
            found.update(node.input)
            pending.extend(graphs_of(node).values())
    return found


class Live:
    """Bits of the tensors alive; constants are weights and not counted.

    None as soon as a size is unknown, or where free sizes make the sum or its greatest value too long to be read.
    """

    def __init__(self, scope: Scope, uses: Uses) -> None:
        self.scope = scope
        self.uses = uses
        self._last = uses.last
        self._bits: dict[str, Size] = {}
        self._total: Size | None = 0
        for name in scope.tensors:
            self._enter(name)
        self.peak: Size | None = self._total

    def _enter(self, name: str) -> None:
        tensor = self.scope.tensors[name]
        if tensor.constant or self._total is None:
            return
        bits = _bits(tensor)
        self._total = None if bits is None else peak(self._total + bits)
        self._bits[name] = 0 if bits is None else bits

    def after(self, index: int, node: NodeProto, within: Size | None = 0) -> Size | None:
        """The bits alive while a node runs, `within` of them in its bodies; then what it read last is gone."""
        for name in node.output:
            if name:
                self._enter(name)
        alive = None if self._total is None or within is None else self._total + within
        if self.peak != alive:
            self.peak = peak(self.peak, alive)
        for name in (*node.input, *node.output):
            if self._total is not None and name in self._bits and self._last.get(name, index) <= index:
                self._total = self._total - self._bits.pop(name)
        return alive


def _bits(tensor: Tensor) -> Size | None:
    if tensor.item is not None:
        each = _bits(tensor.item)
        return None if each is None or tensor.length is None else each * tensor.length
    size = tensor.size
    return None if size is None else size * tensor.number.bits
