"""Numbers repeated or put side by side: Expand, Tile, Concat, Pad, CenterCropPad."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..errors import quoted
from ..expressions import Size, at_least
from ..shapes import FOLDED, Element, Shape, ShapeConflict, Tensor, broadcast, strides_of
from .moved import (
    MOVEMENT,
    axes_of,
    joined,
    listed,
    movement,
    partly,
    picked,
    plain,
    sizes_from_data,
    undecided,
    whole,
)
from .propagation import including
from .reshaping import expanded_value
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS"]


def expand(call: Call) -> Result:
    """The input broadcast with a shape that arrives as data; a 1 there leaves an axis as it is."""
    x, target = call.input(0), sizes_from_data(call, 1)
    if x.shape is None or target is None:
        return movement(partly(call, x, None))
    try:
        shape = broadcast(x.shape, target)
    except ShapeConflict as conflict:
        call.refuse("E-EXPAND-SHAPE", str(conflict))
    return movement(partly(call, x, shape, expanded_value(x, shape)))


def tile(call: Call) -> Result:
    """The input repeated so many times along each axis."""
    x, repeats = call.input(0), sizes_from_data(call, 1)
    if x.shape is None or repeats is None:
        return movement(partly(call, x, None))
    if len(repeats) != len(x.shape):
        call.refuse("E-TILE-REPEATS", f"{len(repeats)} repeats for the {len(x.shape)} axes of {listed(x.shape)}")
    shape = tuple(size * n for size, n in zip(x.shape, repeats, strict=True))
    sizes, times, value = whole(x.shape), [n for n in repeats if isinstance(n, int)], None
    if sizes is not None and whole(shape) is not None and len(times) == len(sizes):
        value = picked(x.value, [axis * n for axis, n in zip(plain(sizes), times, strict=True)])
    return movement(partly(call, x, shape, value))


def concat(call: Call) -> Result:
    """Tensors put behind one another along an axis; the other sizes agree."""
    tensors = [call.input(index) for index in range(len(call.inputs))]
    if not tensors:
        call.refuse("E-NODE-INPUT", "input 0 is required and absent")
    shapes = [tensor.shape for tensor in tensors if tensor.shape is not None]
    if len(shapes) != len(tensors):
        return movement(joined(tensors, None))
    shape, axis = joined_shape(call, shapes, call.integer("axis"))
    return movement(joined(tensors, shape, _joined_value(tensors, axis)))


def joined_shape(call: Call, shapes: Sequence[Shape], axis: int) -> tuple[Shape, int]:
    """The shape of tensors behind one another, and the axis counted from the front."""
    first = shapes[0]
    if any(len(shape) != len(first) for shape in shapes):
        call.refuse("E-CONCAT-RANK", f"shapes {', '.join(map(listed, shapes))} differ in rank")
    axis = call.axis(axis, len(first))
    sizes: list[Size] = []
    for place, size in enumerate(first):
        total: Size = size
        for shape in shapes[1:]:
            other = shape[place]
            if place == axis:
                total = total + other
            elif isinstance(total, int) and isinstance(other, int) and total != other:
                call.refuse("E-CONCAT-SIZE", f"shapes {', '.join(map(listed, shapes))} differ on axis {place}")
            elif isinstance(other, int):
                total = other
        sizes.append(total)
    return tuple(sizes), axis


def _joined_value(tensors: Sequence[Tensor], axis: int) -> list[Element] | None:
    sizes = [whole(tensor.shape) for tensor in tensors]
    if all(tensor.value is None for tensor in tensors) or any(size is None for size in sizes):
        return None
    known = [size for size in sizes if size is not None]
    outer, blocks = prod(known[0][:axis]), [prod(size[axis:]) for size in known]
    if outer * sum(blocks) > FOLDED:
        return None
    parts = list(zip(tensors, blocks, strict=True))
    return [
        element
        for row in range(outer)
        for tensor, block in parts
        for element in (tensor.value[row * block : row * block + block] if tensor.value is not None else [None] * block)
    ]


def pad(call: Call) -> Result:
    """So many numbers put before and behind each axis; a negative number of them cuts."""
    x, mode = call.input(0), call.text("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        call.refuse("E-PAD-MODE", f"mode is '{quoted(mode)}', expected constant, reflect, edge or wrap")
    listed_pads = call.integers("pads")
    pads: Shape | None = listed_pads
    if listed_pads is None:
        pads = sizes_from_data(call, 1, -(1 << 63))
    if x.shape is None or pads is None or undecided(call, 3):
        open_shape = None if x.shape is None else _open_shape(call, x.shape)
        return movement(_filled(call, partly(call, x, open_shape), mode))
    axes = axes_of(call, 3, len(x.shape)) or tuple(range(len(x.shape)))
    if len(pads) != 2 * len(axes):
        call.refuse("E-PAD-COUNT", f"{len(pads)} pads for {len(axes)} axes, expected {2 * len(axes)}")
    before, behind = dict(zip(axes, pads, strict=False)), dict(zip(axes, pads[len(axes) :], strict=True))
    shape = tuple(size + before.get(axis, 0) + behind.get(axis, 0) for axis, size in enumerate(x.shape))
    for axis, size in enumerate(shape):
        if isinstance(size, int) and size < 0:
            call.refuse("E-PAD-SIZE", f"pads {listed(pads)} cut axis {axis} of {listed(x.shape)} to size {size}")
    padded = partly(call, x, shape, _padded_value(call, x, shape, before, mode))
    cuts = all(isinstance(size, int) and size <= 0 for size in pads)
    return movement(padded if cuts else _filled(call, padded, mode))


def _filled(call: Call, padded: Tensor, mode: str) -> Tensor:
    """A padded tensor that also holds the number it is padded with."""
    return padded if mode != "constant" or padded.encoding is None else including(padded, _fill(call), call.op)


def _fill(call: Call) -> Element:
    fill = call.given(2)
    if fill is None:
        # Among integers the number is one too.
        number = call.number("value", 0.0)
        return int(number) if number == number // 1 else number
    return fill.value[0] if fill.value else None


def _open_shape(call: Call, shape: Shape) -> Shape:
    return tuple(call.symbol(f"size{axis}") for axis in range(len(shape)))


def _padded_value(call: Call, x: Tensor, shape: Shape, before: dict[int, Size], mode: str) -> list[Element] | None:
    sizes, target = whole(x.shape), whole(shape)
    negative = any(not isinstance(size, int) or size < 0 for size in before.values())
    if (
        sizes is None
        or target is None
        or (mode != "constant" and (negative or any(n > t for n, t in zip(sizes, target, strict=True))))
    ):
        return None
    fill = call.given(2)
    missing: Element = call.number("value", 0.0) if fill is None else fill.value[0] if fill.value else None
    offsets: list[list[int | None]] = []
    for axis, (size, step, wide) in enumerate(zip(sizes, strides_of(sizes), target, strict=True)):
        start = before.get(axis, 0)
        first = start if isinstance(start, int) else 0
        places = [_source(place - first, size, mode) for place in range(wide)]
        offsets.append([None if place is None else place * step for place in places])
    return picked(x.value, offsets, missing)


def _source(place: int, size: int, mode: str) -> int | None:
    """Where the element at a place, counted from the input's first, comes from."""
    if 0 <= place < size:
        return place
    if mode == "constant" or size == 0:
        return None
    if mode == "edge":
        return 0 if place < 0 else size - 1
    if mode == "wrap":
        return place % size
    period = 2 * (size - 1)
    folded = place % period if period else 0
    return folded if folded < size else period - folded


def center_crop_pad(call: Call) -> Result:
    """Each axis cut or padded around its centre to a size that arrives as data."""
    x, target = call.input(0), sizes_from_data(call, 1)
    if x.shape is None or target is None:
        return movement(including(partly(call, x, x.shape and _open_shape(call, x.shape)), 0, call.op))
    axes = axes_of(call, len(call.inputs), len(x.shape)) or tuple(range(len(x.shape)))
    if len(axes) != len(target):
        call.refuse("E-CROP-SHAPE", f"{len(target)} sizes for {len(axes)} axes")
    wanted = dict(zip(axes, target, strict=True))
    shape = tuple(wanted.get(axis, size) for axis, size in enumerate(x.shape))
    part = partly(call, x, shape, x.value if shape == x.shape else None)
    larger = [at_least(before, after) is not True for before, after in zip(x.shape, shape, strict=True)]
    return movement(including(part, 0, call.op) if any(larger) else part)


OPERATORS = (
    Operator(name="Expand", rule=expand, inputs=(2, 2), settings=(1,), free=MOVEMENT),
    Operator(name="Tile", rule=tile, inputs=(2, 2), settings=(1,), free=MOVEMENT),
    Operator(name="Concat", rule=concat, inputs=(1, None), attributes="axis", free=MOVEMENT),
    Operator(
        name="Pad",
        rule=pad,
        inputs=(1, 4),
        attributes="value mode pads",
        settings=(1, 2, 3),
        free=MOVEMENT,
    ),
    Operator(name="Pad", rule=pad, inputs=(2, 3), attributes="mode", settings=(1, 2), free=MOVEMENT, domain=MICROSOFT),
    Operator(
        name="CenterCropPad", rule=center_crop_pad, inputs=(2, 2), attributes="axes", settings=(1,), free=MOVEMENT
    ),
)
