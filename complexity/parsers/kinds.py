"""Which fields of ONNX's protobuf messages are nodes, and which may hold tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["KINDS", "LISTED", "Kind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the walk must know of a message: the field that is a node, those that may hold tensors, lists of numbers."""

    name: str
    node: int = -1
    inside: dict[int, str] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()


KINDS = {
    kind.name: kind
    for kind in (
        Kind(name="ModelProto", inside={7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"}),
        Kind(name="TrainingInfoProto", inside={1: "GraphProto", 2: "GraphProto"}),
        Kind(name="FunctionProto", node=7, inside={7: "NodeProto", 11: "AttributeProto"}),
        Kind(name="GraphProto", node=1, inside={1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"}),
        Kind(name="SparseTensorProto", inside={1: "TensorProto", 2: "TensorProto"}),
        Kind(name="TensorProto"),
        Kind(name="NodeProto", inside={5: "AttributeProto"}),
        Kind(
            name="AttributeProto",
            inside={5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto"}
            | {22: "SparseTensorProto", 23: "SparseTensorProto"},
            numbers=(7, 8),
        ),
    )
}
LISTED = frozenset(("NodeProto", "AttributeProto"))
