"""Attributes of a node as plain values, and the graphs among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ..errors import ModelError, quoted
from ..operators.rule import Attribute
from ..shapes import Tensor

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

__all__ = ["borrows_graph", "graphs_of", "plain_attributes", "text"]

# AttributeProto.AttributeType: the wire numbers of the kinds read here.
FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 5, 6, 7, 8
SPARSE = 11
LONGEST = 100_000


def text(value: str | bytes) -> str:
    """A string of the file; bytes that are no UTF-8 are kept visible."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def graphs_of(node: NodeProto) -> dict[str, GraphProto]:
    """The subgraphs a node holds, by attribute name."""
    return {
        text(a.name): a.g
        for a in node.attribute
        if not a.ref_attr_name and (a.type == GRAPH or (a.type == 0 and a.HasField("g")))
    }


def borrows_graph(node: NodeProto) -> bool:
    """Whether a graph of the node is an attribute of the function call around it."""
    return any(a.type == GRAPH and bool(a.ref_attr_name) for a in node.attribute)


def plain_attributes(
    attributes: Iterable[AttributeProto], bound: Mapping[str, AttributeProto], tensor: Callable[[TensorProto], Tensor]
) -> dict[str, Attribute]:
    """Attribute values by name; a reference to an attribute of the function call is looked up in `bound`.

    Graphs are placeholders, left to the control-flow operators. A reference to an attribute the call does not give is
    absent.
    """
    plain: dict[str, Attribute] = {}
    for attribute in attributes:
        name = text(attribute.name)
        if name in plain:
            raise ModelError("E-ATTRIBUTE-TWICE", f"attribute '{quoted(name)}' is given twice")
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in bound:
                continue
            attribute = bound[attribute.ref_attr_name]
        value = _plain(attribute, tensor)
        if value is not None:
            plain[name] = value
    return plain


def _plain(attribute: AttributeProto, tensor: Callable[[TensorProto], Tensor]) -> Attribute | None:
    kind = attribute.type or _guessed(attribute)
    if kind == INT:
        return attribute.i
    if kind == FLOAT:
        return attribute.f
    if kind == STRING:
        return text(attribute.s)
    if kind == TENSOR:
        return tensor(attribute.t)
    if kind in (INTS, FLOATS, STRINGS):
        values = attribute.ints if kind == INTS else attribute.floats if kind == FLOATS else attribute.strings
        if len(values) > LONGEST:
            raise ModelError(
                "E-LIMIT-ATTRIBUTE",
                f"attribute '{quoted(attribute.name)}' lists {len(values)} values, more than {LONGEST}",
            )
        return tuple(text(value) for value in attribute.strings) if kind == STRINGS else tuple(values)
    if kind == GRAPH:
        # A placeholder: whoever runs graphs reads them from the node, a rule only learns that there is one.
        return "graph"
    if kind == SPARSE:
        return Tensor(dtype=tensor(attribute.sparse_tensor.values).dtype, shape=tuple(attribute.sparse_tensor.dims))
    return None


def _guessed(attribute: AttributeProto) -> int:
    # Files before IR version 2 leave the type out; the field that is filled says it.
    for kind, name in ((TENSOR, "t"), (GRAPH, "g"), (FLOAT, "f"), (INT, "i"), (STRING, "s")):
        if attribute.HasField(name):
            return kind
    for kind, values in ((INTS, attribute.ints), (FLOATS, attribute.floats), (STRINGS, attribute.strings)):
        if len(values):
            return kind
    return 0
