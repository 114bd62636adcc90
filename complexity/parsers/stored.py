"""A tensor of a model: its type and shape at once, its values only when asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..element_types import BY_NAME, ElementType, element_type
from ..errors import ModelError
from ..shapes import RANK
from .external import External, external, is_external, read_external
from .payload import PAYLOAD_FIELDS, read_cut

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = [
    "Absent",
    "Bytes",
    "Location",
    "Numbers",
    "StoredTensor",
    "check_entries",
    "payload",
    "stored_tensor",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """The content of a payload field as it is on the wire; `offset` is its place in the file if it was cut."""

    data: bytes | memoryview = field(repr=False)
    field: str = "raw_data"
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The entries of a typed field of a small tensor, as protobuf parsed them."""

    entries: Sequence[int] | Sequence[float] | Sequence[bytes] = field(repr=False)
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """No payload at all: an empty tensor, or a file whose weights were taken out."""


Location = Bytes | Numbers | External | Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Name, element type, shape and whereabouts of a tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    location: Location

    @property
    def elements(self) -> int:
        """The number of elements; one for a scalar."""
        return math.prod(self.shape)

    @property
    def element_type(self) -> ElementType:
        """Bits and layout of the elements."""
        return BY_NAME[self.dtype]


def _text(value: object) -> str:
    """A protobuf string; one that is not UTF-8 arrives as bytes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def stored_tensor(
    tensor: TensorProto, *, view: memoryview | None = None, token: bytes = b"", roots: tuple[str, ...] = ()
) -> StoredTensor:
    """Describe a TensorProto. `view` and `token` belong to the slim model it comes from, if it does."""
    name = _text(tensor.name)
    kind, shape = element_type(tensor.data_type), tuple(tensor.dims)
    if len(shape) > RANK:
        raise ModelError("E-TENSOR-RANK", f"a tensor of {len(shape)} dimensions, the limit is {RANK}")
    if any(size < 0 for size in shape):
        raise ModelError("E-TENSOR-SHAPE", f"a negative dimension in the shape {list(shape)}")
    if tensor.HasField("segment"):
        raise ModelError("E-TENSOR-SEGMENT", "the tensor is stored in segments, which no runtime reads")
    location = external(tensor, roots) if is_external(tensor) else _location(tensor, view, token)
    return StoredTensor(name=name, dtype=kind.name, shape=shape, location=location)


def _location(tensor: TensorProto, view: memoryview | None, token: bytes) -> Location:
    fields = [name for name in (*PAYLOAD_FIELDS.values(), "string_data") if len(getattr(tensor, name))]
    if len(fields) > 1:
        raise ModelError("E-TENSOR-DATA", f"the tensor holds several payloads: {', '.join(fields)}")
    if not fields:
        return Absent()
    if fields[0] != "raw_data":
        return Numbers(entries=getattr(tensor, fields[0]), field=fields[0])
    cut = read_cut(tensor.raw_data, token) if view is not None and token else None
    if cut is None or view is None:
        return Bytes(data=tensor.raw_data)
    return Bytes(data=view[cut.offset : cut.offset + cut.length], field=cut.field, offset=cut.offset)


def payload(tensor: StoredTensor) -> Bytes | Numbers:
    """The payload of a tensor, read if it is elsewhere, in a field that fits its type; its size is checked exactly.

    The size of packed integers is known only when they are decoded: `check_entries` is for those.
    """
    kind, place = tensor.element_type, tensor.location
    if isinstance(place, External):
        if kind.name == "string":
            raise ModelError("E-TENSOR-DATA", "strings cannot be stored as external data")
        place = Bytes(data=read_external(place, kind.size(tensor.elements)))
    if isinstance(place, Absent):
        place = Numbers(entries=(), field=kind.field)
    if place.field != kind.field and (place.field != "raw_data" or kind.name == "string"):
        raise ModelError("E-TENSOR-DATA", f"{kind.name} values stored in {place.field}, expected {kind.field}")
    if isinstance(place, Numbers):
        check_entries(len(place.entries), tensor)
    elif place.field in ("raw_data", "float_data", "double_data"):
        _check(len(place.data), kind.size(tensor.elements), "bytes", tensor)
    return place


def check_entries(found: int, tensor: StoredTensor) -> None:
    """Refuse a typed field that does not hold as many entries as the shape needs."""
    kind = tensor.element_type
    _check(found, kind.entries(tensor.elements) if kind.bits else tensor.elements, "entries", tensor)


def _check(found: int, needed: int, unit: str, tensor: StoredTensor) -> None:
    if found != needed:
        fact = f"the tensor holds {found} {unit}, its shape {list(tensor.shape)} of {tensor.dtype} needs {needed}"
        raise ModelError("E-TENSOR-SIZE", fact)
