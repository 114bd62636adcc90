"""The inputs of a model: their dimensions as the file names them, bound as the user asks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import index
from typing import TYPE_CHECKING

from ..dimensions import parse_dimension
from ..element_types import element_type
from ..errors import BindingError, ModelError, did_you_mean, quoted
from ..expressions import Size, names, substitute, symbol
from ..shapes import FOLDED, Element, Shape, Tensor
from .attributes import text

if TYPE_CHECKING:
    from onnx import TypeProto, ValueInfoProto

__all__ = ["Bindings", "bind_inputs", "declared_shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """What the user says of a model's inputs: sizes of named dimensions, whole shapes, known values.

    weightless: nobody will ask for the weights, a file without them will do.
    """

    dims: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int | str]] = field(default_factory=dict)
    values: Mapping[str, Sequence[int | bool]] = field(default_factory=dict)
    weightless: bool = False


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


def bind_inputs(
    inputs: Sequence[ValueInfoProto], bindings: Bindings
) -> tuple[dict[str, Tensor], dict[str, int], set[str]]:
    """Tensors by name, the dims in force, and the names of dims that were free in the file.

    Raises BindingError for a name the model does not have, a size against a fixed one, a name bound to two sizes.
    """
    tensors: dict[str, Tensor] = {}
    for value in inputs:
        name = text(value.name)
        if name in tensors:
            raise ModelError("E-NAME-TWICE", f"'{quoted(name)}' is the name of two inputs")
        tensors[name] = _tensor(value.type, name)
    for option, given in (("--shape", bindings.shapes), ("--value", bindings.values)):
        for name in given:
            if name not in tensors:
                hint = did_you_mean(name, list(tensors))
                raise BindingError("E-BIND-INPUT", f"{option}: the model has no input '{quoted(name)}'; {hint}")
    dims = {name: _integer(f"--dim {quoted(name)}", size) for name, size in bindings.dims.items()}
    free = {each for tensor in tensors.values() for each in _names(tensor)}
    tensors.update(_shaped(tensors, bindings.shapes, dims))
    for name, values in bindings.values.items():
        _bind_length(tensors[name], len(values), dims)
    free |= {each for tensor in tensors.values() for each in _names(tensor)}
    bound = {name: _bound(tensor, dims) for name, tensor in tensors.items()}
    for name, values in bindings.values.items():
        bound[name] = _with_value(name, bound[name], values)
    return bound, dims, free


def _integer(place: str, size: object) -> int:
    """A size the user gives: any type of integer."""
    try:
        found = index(size)  # type: ignore[arg-type]
    except TypeError:
        raise BindingError("E-BIND-NUMBER", f"{place}={quoted(size)}: a size is an integer") from None
    if found < 0:
        raise BindingError("E-BIND-SIZE", f"{place}={found}: a size is not negative")
    return found


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


def _shaped(
    tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int | str]], dims: dict[str, int]
) -> dict[str, Tensor]:
    """The inputs whose whole shape the user gives; sizes of names in their declared shapes go into `dims`."""
    shaped: dict[str, Tensor] = {}
    # The second round sees the sizes that later axes and inputs gave to names of earlier ones.
    for _ in range(2):
        for name, asked in shapes.items():
            shaped[name] = _with_shape(name, tensors[name], asked, dims)
    return shaped


def _with_shape(name: str, tensor: Tensor, asked: Sequence[int | str], dims: dict[str, int]) -> Tensor:
    place = f"--shape {quoted(name)}={'x'.join(map(str, asked)) or 'scalar'}"
    if tensor.item is not None:
        raise BindingError("E-BIND-SHAPE", f"{place}: the input is a sequence, bind the dims of its items with --dim")
    sizes = [parse_dimension(size) if isinstance(size, str) else _integer(place, size) for size in asked]
    if tensor.shape is None:
        return replace(tensor, shape=tuple(sizes))
    if len(sizes) != len(tensor.shape):
        raise BindingError("E-BIND-RANK", f"{place}: the input has rank {len(tensor.shape)}, found {len(sizes)} sizes")
    for axis, (size, declared) in enumerate(zip(sizes, tensor.shape, strict=True)):
        _match(place, axis, size, declared, dims)
    return replace(tensor, shape=tuple(sizes))


def _match(place: str, axis: int, size: Size, declared: Size, dims: dict[str, int]) -> None:
    """A size against the declared one: equal, or the value of the one name the declared one is linear in."""
    expected = substitute(declared, dims)
    if isinstance(expected, int):
        if size == expected:
            return
        if isinstance(declared, int):
            raise BindingError("E-BIND-FIXED", f"{place}: axis {axis} is {declared} in the file, found {size}")
        if isinstance(size, int):
            shown = quoted(declared)
            raise BindingError("E-BIND-TWICE", f"{place}: dim '{shown}' is bound to {expected} and to {size}")
    elif isinstance(size, int) and len(names(expected)) == 1:
        _bind_linear(place, axis, size, expected, dims)


def _bind_linear(place: str, axis: int, size: int, expected: Size, dims: dict[str, int]) -> None:
    (name,) = names(expected)
    first, second = (substitute(expected, {name: value}) for value in (0, 1))
    if not isinstance(first, int) or not isinstance(second, int):
        return
    slope = second - first
    if slope == 0 or first + symbol(name) * slope != expected:
        return
    value, rest = divmod(size - first, slope)
    if rest or value < 0:
        raise BindingError("E-BIND-FIXED", f"{place}: axis {axis} is {quoted(expected)} in the file, found {size}")
    dims[name] = value


def _bind_length(tensor: Tensor, length: int, dims: dict[str, int]) -> None:
    """The size of a vector whose elements the user gives."""
    if tensor.shape is not None and len(tensor.shape) == 1:
        label = str(tensor.shape[0])
        if names(tensor.shape[0]) == {label}:
            dims.setdefault(label, length)


def _with_value(name: str, tensor: Tensor, values: Sequence[int | bool]) -> Tensor:
    place = f"--value {quoted(name)}"
    kind = re.fullmatch(r"(u?)int(\d+)|bool", tensor.dtype or "")
    if kind is None or tensor.item is not None:
        found = "a sequence" if tensor.item is not None else tensor.dtype or "of unknown type"
        raise BindingError("E-BIND-VALUE", f"{place}: the input is {found}, not integer or boolean")
    bits = int(kind[2] or 1)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[1] == "" else (0, (1 << bits) - 1)
    for value in values:
        if not least <= value <= most:
            raise BindingError("E-BIND-VALUE", f"{place}: {value} is outside {tensor.dtype} ({least} to {most})")
    elements: tuple[Element, ...] = tuple(bool(v) if tensor.dtype == "bool" else int(v) for v in values)
    shape, size = tensor.shape, tensor.size
    if shape is None:
        shape = () if len(elements) == 1 else (len(elements),)
    elif size != len(elements):
        if len(elements) != 1 or not isinstance(size, int) or size > FOLDED:
            raise BindingError(
                "E-BIND-VALUE", f"{place}: {len(elements)} values for an input of {quoted(size)} elements"
            )
        elements = elements * size
    return replace(tensor, shape=shape, value=elements)
