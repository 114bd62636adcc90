"""The inputs of a model: their dimensions as the file names them, bound as the user asks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..dimensions import parse_dimension
from ..errors import BindingError, did_you_mean, quoted
from ..expressions import Size, is_expression, names, substitute, symbol
from ..shapes import Element, Shape, Tensor
from .attributes import text
from ..element_types import element_type

if TYPE_CHECKING:
    from onnx import TypeProto, ValueInfoProto

__all__ = ["Bindings", "bind_inputs", "declared_shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """What the user says of a model's inputs: sizes of named dimensions, whole shapes, known values."""

    dims: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int | str]] = field(default_factory=dict)
    values: Mapping[str, Sequence[int | bool]] = field(default_factory=dict)


def declared_shape(value: ValueInfoProto) -> Shape | None:
    """The shape a file declares; a dimension without a name is called VALUE:AXIS."""
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return None
    tensor = getattr(value.type, kind)
    return _shape(tensor, text(value.name)) if tensor.HasField("shape") else None


def _shape(tensor: TypeProto.Tensor | TypeProto.SparseTensor, name: str) -> Shape:
    shape: list[Size] = []
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value >= 0:
            shape.append(dim.dim_value)
        elif (given := text(dim.dim_param)) not in ("", "?") and not _is_negative(given):
            shape.append(parse_dimension(given))
        else:
            shape.append(symbol(f"{name}:{axis}"))
    return tuple(shape)


def _is_negative(given: str) -> bool:
    # An exporter that writes "-1" for a free dimension names nothing.
    return bool(re.fullmatch(r"-\d+", given))


def _tensor(type_: TypeProto, name: str) -> Tensor:
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(type_, kind)
        dtype = element_type(tensor.elem_type).name if tensor.elem_type else None
        return Tensor(dtype=dtype, shape=_shape(tensor, name) if tensor.HasField("shape") else None)
    if kind == "sequence_type":
        return Tensor(item=_tensor(type_.sequence_type.elem_type, name), length=symbol(f"{name}.length"))
    if kind == "optional_type":
        return _tensor(type_.optional_type.elem_type, name)
    return Tensor()


def bind_inputs(inputs: Sequence[ValueInfoProto], bindings: Bindings) -> tuple[dict[str, Tensor], dict[str, int], set[str]]:
    """Tensors by name, the dims in force, and the names of dims that were free in the file.

    Raises BindingError for a name the model does not have, a size against a fixed one, a name bound to two sizes.
    """
    tensors = {text(value.name): _tensor(value.type, text(value.name)) for value in inputs}
    for option, given in (("--shape", bindings.shapes), ("--value", bindings.values)):
        for name in given:
            if name not in tensors:
                hint = did_you_mean(name, list(tensors))
                raise BindingError("E-BIND-INPUT", f"{option}: the model has no input '{quoted(name)}'; {hint}")
    dims = dict(bindings.dims)
    for name, size in dims.items():
        if size < 0:
            raise BindingError("E-BIND-SIZE", f"--dim {quoted(name)}={size}: a size is not negative")
    for name, asked in bindings.shapes.items():
        tensors[name] = _with_shape(name, tensors[name], asked, dims)
    free = {each for tensor in tensors.values() for each in _names(tensor)}
    bound = {name: _bound(tensor, dims) for name, tensor in tensors.items()}
    for name, values in bindings.values.items():
        bound[name] = _with_value(name, bound[name], values)
    return bound, dims, free


def _names(tensor: Tensor) -> set[str]:
    sizes = [*(tensor.shape or ()), *((tensor.length,) if tensor.length is not None else ())]
    return {name for size in sizes for name in names(size)} | (_names(tensor.item) if tensor.item else set())


def _bound(tensor: Tensor, dims: Mapping[str, int]) -> Tensor:
    return Tensor(
        dtype=tensor.dtype,
        shape=None if tensor.shape is None else tuple(substitute(size, dims) for size in tensor.shape),
        item=None if tensor.item is None else _bound(tensor.item, dims),
        length=None if tensor.length is None else substitute(tensor.length, dims),
    )


def _with_shape(name: str, tensor: Tensor, asked: Sequence[int | str], dims: dict[str, int]) -> Tensor:
    shown = "x".join(map(str, asked)) or "scalar"
    sizes: list[Size] = [size if isinstance(size, int) else parse_dimension(size) for size in asked]
    if tensor.shape is None:
        return Tensor(dtype=tensor.dtype, shape=tuple(sizes))
    if len(sizes) != len(tensor.shape):
        raise BindingError(
            "E-BIND-RANK", f"--shape {quoted(name)}={shown}: the input has rank {len(tensor.shape)}, found {len(sizes)} sizes"
        )
    for axis, (size, declared) in enumerate(zip(sizes, tensor.shape, strict=True)):
        _match(name, shown, axis, size, declared, dims)
    return Tensor(dtype=tensor.dtype, shape=tuple(sizes))


def _match(name: str, shown: str, axis: int, size: Size, declared: Size, dims: dict[str, int]) -> None:
    place = f"--shape {quoted(name)}={shown}"
    if isinstance(declared, int):
        if size != declared:
            raise BindingError("E-BIND-FIXED", f"{place}: axis {axis} is {declared} in the file, found {size}")
        return
    label = str(declared)
    if not isinstance(size, int) or names(declared) != {label}:
        return
    if dims.setdefault(label, size) != size:
        raise BindingError("E-BIND-TWICE", f"{place}: dim '{quoted(label)}' is bound to {dims[label]} and to {size}")


def _with_value(name: str, tensor: Tensor, values: Sequence[int | bool]) -> Tensor:
    if tensor.dtype is not None and not re.fullmatch(r"u?int\d+|bool", tensor.dtype):
        raise BindingError("E-BIND-VALUE", f"--value {quoted(name)}: the input is {tensor.dtype}, not integer or boolean")
    elements: tuple[Element, ...] = tuple(bool(v) if tensor.dtype == "bool" else int(v) for v in values)
    size = tensor.size
    shape = tensor.shape
    if shape is None:
        shape = () if len(elements) == 1 else (len(elements),)
    elif is_expression(size) and len(shape) == 1:
        shape = (len(elements),)
    elif size != len(elements):
        if len(elements) != 1 or not isinstance(size, int) or size > 10_000:
            raise BindingError(
                "E-BIND-VALUE", f"--value {quoted(name)}: {len(elements)} values for an input of {size} elements"
            )
        elements = elements * size
    return Tensor(dtype=tensor.dtype, shape=shape, value=elements)
