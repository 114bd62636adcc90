"""What a file may hold before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ModelError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of reading a model. They bound time and memory whatever the file says."""

    nodes: int = 1_000_000
    subgraph_depth: int = 32
    attribute_entries: int = 100_000
    fields: int = 4_000_000
    graph_bytes: int = 100_000_000  # protobuf's objects take about nine times this
    rank: int = 64

    def check_nodes(self, found: int) -> None:
        """Refuse more stored nodes than allowed."""
        if found > self.nodes:
            raise ModelError("E-LIMIT-NODES", f"the model stores more than {self.nodes} nodes")

    def check_fields(self, found: int) -> None:
        """Refuse more fields than a walk can visit in a few seconds."""
        if found > self.fields:
            raise ModelError("E-LIMIT-FIELDS", f"the model has more than {self.fields} fields outside small messages")

    def check_depth(self, found: int, offset: int) -> None:
        """Refuse subgraphs nested too deep."""
        if found > self.subgraph_depth:
            fact = f"subgraphs are nested more than {self.subgraph_depth} deep (at byte {offset})"
            raise ModelError("E-LIMIT-DEPTH", fact)

    def check_graph(self, found: int) -> None:
        """Refuse a graph too large to be parsed in the memory allowed."""
        if found > self.graph_bytes:
            fact = f"the graph without its weights has {found} bytes, the limit is {self.graph_bytes}"
            raise ModelError("E-LIMIT-GRAPH", fact)

    def check_entries(self, found: int, message: str, offset: int) -> None:
        """Refuse an overlong list in a node or an attribute."""
        if found > self.attribute_entries:
            fact = f"{message} at byte {offset} has {found} entries, the limit is {self.attribute_entries}"
            raise ModelError("E-LIMIT-ATTRIBUTE", fact)

    def check_rank(self, entries: int, offset: int) -> None:
        """Refuse a tensor with more dimensions than any array library has."""
        if entries > self.rank:
            raise ModelError(
                "E-TENSOR-RANK", f"the tensor at byte {offset} has {entries} dimensions, the limit is {self.rank}"
            )
