"""What a node is called in reports and messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import quoted
from .attributes import text

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["node_name", "node_path", "place_of"]

SCOPES = "pkg.torch.onnx.name_scopes"
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def node_name(node: NodeProto, index: int) -> str:
    """The node's own name, else that of its first output, else its operator and index."""
    named = node.name or next((name for name in node.output if name), "")
    return text(named) if named else f"{text(node.op_type)}_{index}"


def node_path(node: NodeProto, index: int) -> str:
    """The module path torch's exporter noted beside the node, joined with the node's name; else the name alone."""
    name = node_name(node, index)
    for entry in node.metadata_props:
        if text(entry.key) == SCOPES:
            scopes = [single or double for single, double in QUOTED.findall(text(entry.value))]
            module = next((scope for scope in reversed(scopes[:-1]) if scope), "")
            short = name.removeprefix("node_")
            return f"{module}/{short}" if module else short
    return name


def place_of(path: str, op: str) -> str:
    """How a message names a node."""
    return f"node '{quoted(path)}' ({quoted(op, 40)})"
