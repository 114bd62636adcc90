"""The nodes of graphs that cannot be walked because the node that runs them is not counted: listed all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..network import Row, Status
from .attributes import graphs_of, text
from .naming import node_name, node_path

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["unwalked"]


def unwalked(node: NodeProto, row: Row, reason: str) -> tuple[Row, ...]:
    """An uncounted row for every node stored below a node, then the node's own."""
    found: list[Row] = []
    pending = [(node, row.path, row.place)]
    while pending:
        outer, outer_path, outer_place = pending.pop()
        for part, graph in graphs_of(outer).items():
            for index, inner in enumerate(graph.node):
                path = f"{outer_path}/{part}/{node_path(inner, index)}"
                place = f"{outer_place}/{part}#{index}"
                found.append(_uncounted(inner, index, path, place, f"stored in '{row.name}', which is uncounted"))
                if inner.attribute:
                    pending.append((inner, path, place))
    own = Row(
        name=row.name,
        op=row.op,
        domain=row.domain,
        status=Status.UNCOUNTED,
        place=row.place,
        path=row.path,
        paths=row.paths,
        reason=reason,
        inputs=row.inputs,
        written=None,
    )
    return (*found, own)


def _uncounted(node: NodeProto, index: int, path: str, place: str, reason: str) -> Row:
    return Row(
        name=node_name(node, index),
        op=text(node.op_type),
        domain=text(node.domain) or "ai.onnx",
        status=Status.UNCOUNTED,
        place=place,
        path=path,
        paths=(path,),
        reason=reason,
        written=None,
    )
