"""Tensors stored in other files: which file, whether it may be read, and reading it."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ModelError, quoted
from .files import open_regular

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

__all__ = ["External", "check_external", "external", "is_external", "read_external", "tensors"]

EXTERNAL = 1
LONGEST = 4096
NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """A region of another file. `roots` are the directory of the path given and that of the real model file."""

    location: str
    offset: int = 0
    length: int | None = None
    roots: tuple[str, ...] = ()


def is_external(tensor: TensorProto) -> bool:
    """Whether a tensor says that its data are in another file."""
    return tensor.data_location == EXTERNAL


def external(tensor: TensorProto, roots: tuple[str, ...]) -> External:
    """The region a tensor names; refuses what cannot name one, without touching the file system."""
    entries: dict[object, object] = {}
    for entry in tensor.external_data:
        if entry.key in entries:
            raise ModelError("E-EXTERNAL-PATH", f"external data give '{quoted(entry.key)}' twice")
        entries[entry.key] = entry.value
    location = _location(entries.get("location"))
    offset, length = (_number(name, entries.get(name)) for name in ("offset", "length"))
    return External(location=location, offset=offset or 0, length=length, roots=roots)


def resolved(region: External) -> str | None:
    """The file of a region, links followed; None without a base directory. Refuses a file outside the base."""
    allowed = tuple(os.path.realpath(root) for root in region.roots)
    first = None
    for root in region.roots:
        path = os.path.realpath(os.path.join(root, region.location))
        if not any(path != base and os.path.commonpath((path, base)) == base for base in allowed):
            fact = f"external data '{quoted(region.location)}' lie outside the directory of the model"
            raise ModelError("E-EXTERNAL-PATH", fact)
        if os.path.lexists(path):
            return path
        first = first or path
    return first


def check_external(model: ModelProto, roots: tuple[str, ...]) -> None:
    """Refuse a model if any of its tensors names a file outside its directory, whether or not values are wanted."""
    safe: set[str] = set()
    for tensor in tensors(model):
        if is_external(tensor):
            region = external(tensor, roots)
            if region.location not in safe:
                resolved(region)
                safe.add(region.location)


def read_external(region: External, size: int) -> memoryview:
    """Map the bytes of a tensor of `size` bytes."""
    shown = f"external data '{quoted(region.location)}'"
    path = resolved(region)
    if path is None:
        raise ModelError("E-EXTERNAL-MISSING", f"{shown} cannot be found: the model was not read from a file")
    if region.length is not None and region.length != size:
        raise ModelError("E-TENSOR-SIZE", f"{shown} give {region.length} bytes, the shape and type need {size}")
    try:
        descriptor = open_regular(path)
    except ModelError as error:
        raise ModelError("E-EXTERNAL-MISSING", f"{shown} cannot be read: {error.fact}") from None
    try:
        return _region(descriptor, region.offset, size, shown)
    finally:
        os.close(descriptor)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every TensorProto of a model: initializers, attributes, subgraphs, functions, training graphs."""
    graphs: list[GraphProto] = [model.graph]
    graphs += [graph for info in model.training_info for graph in (info.initialization, info.algorithm)]
    for function in model.functions:
        yield from _attributes(function.attribute_proto, graphs)
        yield from _nodes(function.node, graphs)
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        yield from _sparse(graph.sparse_initializer)
        yield from _nodes(graph.node, graphs)


def _nodes(nodes: Iterable[NodeProto], graphs: list[GraphProto]) -> Iterator[TensorProto]:
    for node in nodes:
        if node.attribute:
            yield from _attributes(node.attribute, graphs)


def _attributes(attributes: Iterable[AttributeProto], graphs: list[GraphProto]) -> Iterator[TensorProto]:
    """The tensors of attributes, whatever their declared type; their graphs are added to the list to visit."""
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield from _sparse((attribute.sparse_tensor,))
        yield from _sparse(attribute.sparse_tensors)
        if attribute.HasField("g"):
            graphs.append(attribute.g)
        graphs.extend(attribute.graphs)


def _sparse(found: Iterable[SparseTensorProto]) -> Iterator[TensorProto]:
    for sparse in found:
        yield sparse.values
        yield sparse.indices


def _location(value: object) -> str:
    if value is None or value == "":
        raise ModelError("E-EXTERNAL-PATH", "external data without a location")
    shown = f"external data location '{quoted(value)}'"
    # protobuf hands out text that is not UTF-8 as bytes
    if not isinstance(value, str):
        raise ModelError("E-EXTERNAL-PATH", f"{shown} is not UTF-8")
    faults = (
        (len(value) > LONGEST, f"has more than {LONGEST} characters"),
        ("\0" in value, "holds a NUL character"),
        ("\\" in value, "holds a backslash; ONNX writes paths with /"),
        (SCHEME.match(value) is not None, "has a scheme or a drive; it must be a relative path"),
        (value.startswith("/"), "is absolute; it must be relative to the model"),
    )
    for wrong, fact in faults:
        if wrong:
            raise ModelError("E-EXTERNAL-PATH", f"{shown} {fact}")
    return value


def _number(name: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        fact = f"external data {name} '{quoted(value)}' is not a decimal number of at most 19 digits"
        raise ModelError("E-EXTERNAL-RANGE", fact)
    return int(value)


def _region(descriptor: int, offset: int, size: int, shown: str) -> memoryview:
    found = os.fstat(descriptor).st_size
    if offset + size > found:
        fact = f"{shown} need bytes {offset} to {offset + size}, the file has {found}"
        raise ModelError("E-EXTERNAL-RANGE", fact)
    if size == 0:
        return memoryview(b"")
    aligned = offset - offset % mmap.ALLOCATIONGRANULARITY
    mapped = mmap.mmap(descriptor, offset - aligned + size, access=mmap.ACCESS_READ, offset=aligned)
    return memoryview(mapped)[offset - aligned :]
