"""The same numbers in another shape or order: Reshape, Flatten, Squeeze, Unsqueeze, Transpose, block rearrangements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import quoted
from ..expressions import Size, divide_exactly, floor_divide, product
from ..shapes import Element, Shape, Tensor, strides_of
from .moved import (
    MOVEMENT,
    axes_of,
    listed,
    movement,
    picked,
    regrouped,
    sizes_from_data,
    undecided,
    whole,
)
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS"]


def reshape(call: Call) -> Result:
    """The input's numbers in row-major order over a shape that arrives as data: 0 keeps an axis, -1 takes the rest."""
    x, copies = call.input(0), not call.integer("allowzero", 0)
    target = sizes_from_data(call, 1, -1)
    if target is None:
        return movement(regrouped(x, None))
    if not copies and 0 in target and -1 in target:
        call.refuse(
            "E-RESHAPE-ZERO", f"shape {listed(target)} holds 0 and -1 with allowzero=1: what -1 means is undefined"
        )
    if target.count(-1) > 1:
        call.refuse("E-RESHAPE-REST", f"shape {listed(target)} holds -1 more than once")
    sizes = [_kept(call, x, axis, target) if size == 0 and copies else size for axis, size in enumerate(target)]
    shape = _filled(call, x, sizes, target)
    before, after = x.size, product(shape)
    if isinstance(before, int) and isinstance(after, int) and before != after:
        call.refuse(
            "E-RESHAPE-TOTAL", f"{listed(x.shape or ())} holds {before} elements, {listed(target)} asks for {after}"
        )
    return movement(regrouped(x, shape, x.value if isinstance(after, int) else None))


def _kept(call: Call, x: Tensor, axis: int, target: Shape) -> Size:
    if x.shape is None:
        return call.symbol(f"size{axis}")
    if axis >= len(x.shape):
        call.refuse("E-RESHAPE-ZERO", f"shape {listed(target)} keeps axis {axis} of {listed(x.shape)}, which has none")
    return x.shape[axis]


def _filled(call: Call, x: Tensor, sizes: list[Size], target: Shape) -> Shape:
    """The sizes with the one that is open, -1 or not known before the run, computed from the others."""
    unknown = _unknown(call)
    places = [axis for axis, size in enumerate(sizes) if size == -1] or (unknown if len(unknown) == 1 else [])
    if not places:
        return tuple(sizes)
    (place,) = places
    blocked = any(axis != place for axis in unknown) or x.size is None or (place in unknown and 0 in sizes)
    sizes[place] = call.symbol(f"size{place}") if blocked else _rest(call, x, sizes, place, target)
    return tuple(sizes)


def _unknown(call: Call) -> list[int]:
    tensor = call.input(1)
    if tensor.value is None:
        return list(range(len(sizes_from_data(call, 1) or ())))
    return [axis for axis, element in enumerate(tensor.value) if element is None]


def _rest(call: Call, x: Tensor, sizes: list[Size], place: int, target: Shape) -> Size:
    total, others = product(x.shape or ()), product(sizes[:place] + sizes[place + 1 :])
    if isinstance(others, int) and (others == 0 or (isinstance(total, int) and total % others)):
        call.refuse(
            "E-RESHAPE-TOTAL", f"{listed(x.shape or ())} holds {total} elements, {listed(target)} groups of {others}"
        )
    exact = divide_exactly(total, others)
    return floor_divide(total, others) if exact is None else exact


def flatten(call: Call) -> Result:
    """A matrix: the axes before `axis` as rows, the others as columns."""
    x = call.input(0)
    if x.shape is None:
        return movement(regrouped(x, (call.symbol("size0"), call.symbol("size1"))))
    rank, axis = len(x.shape), call.integer("axis", 1)
    if not -rank <= axis <= rank:
        call.refuse("E-AXIS", f"axis {axis} is outside -{rank}..{rank}")
    axis = axis + rank if axis < 0 else axis
    return movement(regrouped(x, (product(x.shape[:axis]), product(x.shape[axis:])), x.value))


def squeeze(call: Call) -> Result:
    """Axes of size 1 removed: the named ones, or all (a free size is taken to be no 1)."""
    x = call.input(0)
    if x.shape is None or undecided(call, 1):
        return movement(regrouped(x, None))
    axes = axes_of(call, 1, len(x.shape))
    if axes is None:
        axes = tuple(axis for axis, size in enumerate(x.shape) if size == 1)
    for axis in axes:
        size = x.shape[axis]
        if isinstance(size, int) and size != 1:
            call.refuse("E-SQUEEZE-SIZE", f"axis {axis} of {listed(x.shape)} has size {size}, expected 1")
    return movement(regrouped(x, tuple(size for axis, size in enumerate(x.shape) if axis not in axes), x.value))


def unsqueeze(call: Call) -> Result:
    """Axes of size 1 inserted; they are numbered in the result."""
    x = call.input(0)
    if x.shape is None or undecided(call, 1):
        return movement(regrouped(x, None))
    attribute, value = call.integers("axes"), call.values(1)
    count = len(value or ()) if attribute is None else len(attribute)
    rank = len(x.shape) + count
    axes = axes_of(call, 1, rank)
    if axes is None:
        call.refuse("E-ATTRIBUTE-MISSING", "the axes to insert are absent")
    sizes = iter(x.shape)
    return movement(regrouped(x, tuple(1 if axis in axes else next(sizes) for axis in range(rank)), x.value))


def transpose(call: Call) -> Result:
    """Axes in another order: axis i of the result is axis perm[i] of the input."""
    x, order = call.input(0), call.integers("perm")
    if x.shape is None:
        shape = None if order is None else tuple(call.symbol(f"size{axis}") for axis in range(len(order)))
        return movement(regrouped(x, shape))
    rank = len(x.shape)
    order = tuple(range(rank))[::-1] if order is None else order
    if sorted(order) != list(range(rank)):
        call.refuse("E-TRANSPOSE-PERM", f"perm {listed(order)} is no order of the {rank} axes of {listed(x.shape)}")
    sizes, value = whole(x.shape), None
    if sizes is not None:
        steps = strides_of(sizes)
        value = picked(x.value, [[place * steps[axis] for place in range(sizes[axis])] for axis in order])
    return movement(_turned(x, tuple(x.shape[axis] for axis in order), order, value))


def _turned(x: Tensor, shape: Shape, order: Sequence[int], value: list[Element] | None) -> Tensor:
    turned, encoding = regrouped(x, shape, value), x.encoding
    if encoding is None or encoding.axis is None or not -len(order) <= encoding.axis < len(order):
        return turned
    return replace(turned, encoding=replace(encoding, axis=order.index(encoding.axis % len(order))))


def depth_to_space(call: Call) -> Result:
    """Blocks of channels spread over height and width: [N, C, H, W] -> [N, C/b^2, H b, W b]."""
    x, block = call.input(0), _block(call)
    if x.shape is None:
        return movement(regrouped(x, None))
    batch, channels, height, width = call.shape(0, 4)
    inner = _divided(call, channels, block * block, "channels")
    return movement(regrouped(x, (batch, inner, height * block, width * block)))


def space_to_depth(call: Call) -> Result:
    """Blocks of height and width gathered into channels: [N, C, H, W] -> [N, C b^2, H/b, W/b]."""
    x, block = call.input(0), _block(call)
    if x.shape is None:
        return movement(regrouped(x, None))
    batch, channels, height, width = call.shape(0, 4)
    rows, columns = _divided(call, height, block, "height"), _divided(call, width, block, "width")
    return movement(regrouped(x, (batch, channels * block * block, rows, columns)))


def _block(call: Call) -> int:
    block, mode = call.integer("blocksize"), call.text("mode", "DCR")
    if block < 1:
        call.refuse("E-BLOCK-SIZE", f"blocksize is {block}, expected 1 or more")
    if mode not in ("DCR", "CRD"):
        call.refuse("E-BLOCK-MODE", f"mode is '{quoted(mode)}', expected DCR or CRD")
    return block


def _divided(call: Call, size: Size, block: int, what: str) -> Size:
    if isinstance(size, int) and size % block:
        call.refuse("E-BLOCK-SIZE", f"{what} {size} are no multiple of {block}")
    return size // block


def expanded_value(x: Tensor, shape: Shape) -> list[Element] | None:
    """The known elements of a tensor repeated over a shape it broadcasts to."""
    sizes, target = whole(x.shape), whole(shape)
    if sizes is None or target is None:
        return None
    sizes = [1] * (len(target) - len(sizes)) + sizes
    steps = strides_of(sizes)
    places = zip(sizes, steps, target, strict=True)
    return picked(x.value, [[0] * n if size == 1 else [i * step for i in range(n)] for size, step, n in places])


OPERATORS = (
    Operator(name="Reshape", rule=reshape, inputs=(2, 2), attributes="allowzero", settings=(1,), free=MOVEMENT),
    Operator(name="Flatten", rule=flatten, attributes="axis", free=MOVEMENT),
    Operator(name="Squeeze", rule=squeeze, inputs=(1, 2), attributes="axes", settings=(1,), free=MOVEMENT),
    Operator(name="Unsqueeze", rule=unsqueeze, inputs=(1, 2), attributes="axes", settings=(1,), free=MOVEMENT),
    Operator(name="ExpandDims", rule=unsqueeze, inputs=(2, 2), settings=(1,), free=MOVEMENT, domain=MICROSOFT),
    Operator(name="Transpose", rule=transpose, attributes="perm", free=MOVEMENT),
    Operator(name="DepthToSpace", rule=depth_to_space, attributes="blocksize mode", free=MOVEMENT),
    Operator(name="SpaceToDepth", rule=space_to_depth, attributes="blocksize mode", free=MOVEMENT),
)
