"""What pure data movement has in common: what a moved tensor keeps, which known elements land where, and sizes that
arrive as data.

A movement of known elements is written as one list of source offsets per output axis: the source of an output element
is the sum of its axes' offsets, None where it has no source. A transposition, a slice, a repetition and a gather differ
in these lists only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ..errors import quoted
from ..expressions import Size, is_expression, product
from ..grids import evened
from ..shapes import FOLDED, RANK, Element, Shape, Tensor, strides_of
from .propagation import blended
from .rule import Call, Result

__all__ = [
    "MOVEMENT",
    "axes_of",
    "joined",
    "listed",
    "movement",
    "partly",
    "picked",
    "plain",
    "regrouped",
    "sizes_from_data",
    "undecided",
    "unplaced",
    "whole",
]

MOVEMENT = "data movement"
Offsets = Sequence[Sequence[int | None]]


def listed(shape: Sequence[object]) -> str:
    """A list of sizes or numbers as messages print it."""
    return quoted("[" + ",".join(map(str, shape)) + "]", 120)


def whole(shape: Shape | None) -> list[int] | None:
    """The shape as ints, None while a size is free, or if there are too many elements to fold."""
    if shape is None:
        return None
    sizes = [size for size in shape if isinstance(size, int)]
    # A huge axis beside an empty one holds nothing, and still must not be walked.
    return sizes if len(sizes) == len(shape) and prod(sizes) <= FOLDED and max(sizes, default=0) <= FOLDED else None


def movement(*outputs: Tensor) -> Result:
    """Outputs that cost nothing."""
    return Result(outputs=outputs, free=MOVEMENT)


def regrouped(tensor: Tensor, shape: Shape | None, value: Sequence[Element] | None = None) -> Tensor:
    """All the numbers of a tensor in another arrangement: format, identity and open accumulator stay."""
    return unplaced(replace(tensor, shape=shape, value=None).with_value(value), tensor.shape)


def unplaced(tensor: Tensor, before: Shape | None) -> Tensor:
    """The tensor without the axis its steps lie along, where its shape is no longer the one before."""
    if tensor.encoding is None or tensor.encoding.axis is None or tensor.shape == before:
        return tensor
    return replace(tensor, encoding=replace(tensor.encoding, axis=None))


def partly(call: Call, tensor: Tensor, shape: Shape | None, value: Sequence[Element] | None = None) -> Tensor:
    """Numbers of a tensor, chosen by the other inputs: the same at every run only if those are."""
    constant = tensor.constant and all(_settled(other) for other in call.inputs if other is not None)
    part = replace(
        tensor,
        shape=shape,
        format=evened(tensor.format) if tensor.format is not None and shape != tensor.shape else tensor.format,
        value=None,
        constant=constant,
        stored=tensor.stored if constant else frozenset(),
        accumulator=None,
    ).with_value(value)
    return part if part.rank == tensor.rank else unplaced(part, tensor.shape)


def _settled(tensor: Tensor) -> bool:
    return tensor.constant or (tensor.value is not None and None not in tensor.value)


def joined(
    tensors: Sequence[Tensor], shape: Shape | None, value: Sequence[Element] | None = None, source: str = "Concat"
) -> Tensor:
    """Numbers of several tensors in one: of the first's element type, in a format that holds them all."""
    first = tensors[0]
    held, encoding = blended(tensors, source)
    return Tensor(
        dtype=first.dtype,
        shape=shape,
        constant=all(tensor.constant for tensor in tensors),
        format=held,
        encoding=encoding,
        stored=frozenset().union(*(tensor.stored for tensor in tensors)),
    ).with_value(value)


def picked(value: tuple[Element, ...] | None, offsets: Offsets, missing: Element = None) -> list[Element] | None:
    """The elements at the sums of one offset per axis, row-major; `missing` where an axis has no source."""
    total = prod(len(axis) for axis in offsets)
    if value is None or total > FOLDED:
        return None
    if total == 0:
        return []
    places: list[int | None] = [0]
    for axis in offsets:
        places = [None if place is None or step is None else place + step for place in places for step in axis]
    return [missing if place is None else value[place] if place < len(value) else None for place in places]


def plain(shape: Sequence[int]) -> list[list[int]]:
    """Offsets that leave every axis as it is."""
    return [[place * step for place in range(size)] for size, step in zip(shape, strides_of(shape), strict=True)]


def undecided(call: Call, *indices: int) -> bool:
    """Whether one of these inputs is there without being known, element by element, as plain integers."""
    given = [tensor for index in indices if (tensor := call.given(index)) is not None]
    return any(tensor.value is None or not all(isinstance(e, int) for e in tensor.value) for tensor in given)


def axes_of(call: Call, index: int, rank: int) -> tuple[int, ...] | None:
    """Distinct axes in 0..rank-1 from attribute 'axes' or a decided input; None if neither is there."""
    axes: Sequence[Element] | None = call.integers("axes")
    if axes is None:
        axes = call.values(index)
    if axes is None:
        return None
    found = tuple(call.axis(axis, rank, "axes") for axis in axes if isinstance(axis, int))
    if len(set(found)) != len(found):
        call.refuse("E-AXES-REPEATED", f"axes {listed(axes)} name an axis twice")
    return found


def sizes_from_data(call: Call, index: int, least: int = 0, *, parts: bool = False) -> Shape | None:
    """Sizes that arrive as an input; an element that only the run decides is a free size of the node.

    None where even their number is unknown. Refuses numbers below `least`, and more of them than tensors have axes
    (two an axis for pads) unless they are the sizes of parts.
    """
    tensor = call.input(index)
    value = tensor.value
    count = product(tensor.shape) if tensor.shape is not None else None
    if isinstance(count, int) and count > 2 * RANK and not parts:
        call.refuse("E-LIMIT-RANK", f"input {index} holds {count} sizes; tensors have at most {RANK} axes")
    if value is None:
        if not isinstance(count, int) or count > FOLDED:
            return None
        value = (None,) * count
    return tuple(_size(call, index, place, element, least) for place, element in enumerate(value))


def _size(call: Call, index: int, place: int, element: Element, least: int) -> Size:
    if element is None:
        return call.symbol(f"size{place}")
    if is_expression(element):
        return element
    if not isinstance(element, int):
        call.refuse("E-SIZE-TYPE", f"input {index} holds '{quoted(element)}' where an integer size is expected")
    if element < least:
        call.refuse("E-SIZE", f"input {index} asks for size {element}, expected {least} or more")
    return int(element)
