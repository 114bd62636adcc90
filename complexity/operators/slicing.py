"""Parts of a tensor cut along its axes: Slice, Split, Compress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..expressions import Size, at_least, ceil_divide, divide_exactly, maximum, minimum, product, total
from ..shapes import Element, Shape, Tensor
from .moved import MOVEMENT, axes_of, listed, movement, partly, picked, plain, sizes_from_data, undecided, whole
from .rule import Call, Operator, Result

__all__ = ["OPERATORS"]

# Bounds from here on mean "to the end" of any axis; exporters write INT_MAX of either width.
ENDLESS = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of one axis: so many elements from `first` on, `step` apart; `first` is None while it is not known."""

    length: Size
    first: Size | None
    step: int


def slice_axes(call: Call) -> Result:
    """From start up to and without end in steps, along the named axes; bounds from attributes or inputs."""
    x = call.input(0)
    starts, ends = _bounds(call, "starts", 1), _bounds(call, "ends", 2)
    if x.shape is None:
        return movement(partly(call, x, None))
    if starts is None or ends is None or undecided(call, 3):
        return movement(partly(call, x, tuple(call.symbol(f"size{axis}") for axis in range(len(x.shape)))))
    axes = axes_of(call, 3, len(x.shape))
    axes = tuple(range(len(starts))) if axes is None else axes
    steps: Sequence[Element] = [1] * len(starts) if call.given(4) is None else call.values(4) or [None] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(axes) > len(x.shape):
        counts = f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} steps"
        call.refuse("E-SLICE-COUNT", f"{counts} for input {listed(x.shape)}, expected as many of each")
    cuts = [Cut(size, 0, 1) for size in x.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cuts[axis] = _cut(call, axis, x.shape[axis], (start, end, step))
    return movement(partly(call, x, tuple(cut.length for cut in cuts), _cut_value(x, cuts)))


def _bounds(call: Call, name: str, index: int) -> Sequence[Element] | None:
    attribute = call.integers(name)
    if attribute is not None:
        return attribute
    tensor = call.input(index)
    if tensor.value is not None:
        return tensor.value
    count = tensor.size
    return (None,) * count if isinstance(count, int) and count <= 64 else None


def _cut(call: Call, axis: int, size: Size, bounds: tuple[Element, Element, Element]) -> Cut:
    start, end, step = bounds
    if isinstance(step, int) and step == 0:
        call.refuse("E-SLICE-STEP", f"the step on axis {axis} is 0, expected a step forwards or backwards")
    if isinstance(start, str | float | None) or isinstance(end, str | float | None) or not isinstance(step, int):
        return Cut(call.symbol(f"size{axis}"), None, 1)
    if isinstance(size, int) and size == 0:
        return Cut(0, 0, step)
    if step < 0:
        first = minimum(maximum(_from_front(start, size), 0), size - 1)
        last = maximum(_from_front(end, size), -1)
        return Cut(maximum(0, ceil_divide(first - last, -step)), first, step)
    first, last = maximum(_from_front(start, size), 0), minimum(_from_front(end, size), size)
    if isinstance(start, int) and -ENDLESS < start < 0 and last == size and not isinstance(size, int):
        # The last few: Min(size, few), which reads better than size - Max(0, size - few).
        return Cut(ceil_divide(minimum(size, -start), step), first, step)
    return Cut(maximum(0, ceil_divide(last - first, step)), first, step)


def _from_front(bound: Size, size: Size) -> Size:
    """A bound counted from the front, where negative ones are meant from behind and huge ones mean the end."""
    if isinstance(bound, int) and not isinstance(size, int):
        if bound >= ENDLESS:
            return size
        if bound <= -ENDLESS:
            return -1
    sign = at_least(bound, 0)
    if sign is None:
        # One where the bound is negative, else none: exact for whole numbers.
        return bound + size * minimum(1, maximum(0, 0 - bound))
    return bound if sign else size + bound


def _cut_value(x: Tensor, cuts: Sequence[Cut]) -> list[Element] | None:
    sizes = whole(x.shape)
    if sizes is None:
        return None
    offsets: list[list[int]] = []
    for cut, axis in zip(cuts, plain(sizes), strict=True):
        if not isinstance(cut.first, int) or not isinstance(cut.length, int):
            return None
        if cut.length and not 0 <= cut.first + (cut.length - 1) * cut.step < len(axis):
            return None
        offsets.append([axis[cut.first + place * cut.step] for place in range(cut.length)])
    return picked(x.value, offsets)


def split(call: Call) -> Result:
    """Parts along an axis: of named sizes, or equal ones; with num_outputs the last may be smaller."""
    x, count = call.input(0), len(call.wanted)
    if x.shape is None:
        return movement(*(partly(call, x, None) for _ in range(count)))
    axis = call.axis(call.integer("axis", 0), len(x.shape))
    size = x.shape[axis]
    parts = _named_parts(call, size) or _equal_parts(call, size, count)
    outputs: list[Tensor] = []
    first: int | None = 0
    rank = range(len(x.shape))
    for part in parts:
        cuts = [Cut(part, first, 1) if place == axis else Cut(x.shape[place], 0, 1) for place in rank]
        outputs.append(partly(call, x, tuple(cut.length for cut in cuts), _cut_value(x, cuts)))
        first = first + part if first is not None and isinstance(part, int) else None
    return movement(*outputs)


def _named_parts(call: Call, size: Size) -> Shape | None:
    parts: Shape | None = call.integers("split")
    if parts is None and call.given(1) is not None:
        parts = sizes_from_data(call, 1, parts=True)
        if parts is None:
            parts = tuple(call.symbol(f"size{place}") for place in range(len(call.wanted)))
    if parts is None:
        return None
    if any(isinstance(part, int) and part < 0 for part in parts):
        call.refuse("E-SPLIT-SIZE", f"split {listed(parts)} holds a negative size")
    whole_size = total(parts)
    if isinstance(whole_size, int) and isinstance(size, int) and whole_size != size:
        call.refuse("E-SPLIT-TOTAL", f"split {listed(parts)} sums to {whole_size}, the axis has size {size}")
    if len(parts) != len(call.wanted):
        call.refuse("E-SPLIT-COUNT", f"{len(parts)} parts for {len(call.wanted)} outputs")
    return parts


def _equal_parts(call: Call, size: Size, count: int) -> Shape:
    wanted = call.integer("num_outputs", 0)
    if wanted and wanted != count:
        call.refuse("E-SPLIT-COUNT", f"num_outputs is {wanted}, the node has {count} outputs")
    if not wanted and isinstance(size, int) and size % count:
        call.refuse("E-SPLIT-TOTAL", f"size {size} of the axis is no multiple of {count} equal parts")
    exact = divide_exactly(size, count)
    if exact is not None:
        return (exact,) * count
    part = ceil_divide(size, count)
    last = size - part * (count - 1)
    if isinstance(last, int) and last < 0:
        call.refuse("E-SPLIT-TOTAL", f"size {size} of the axis cannot be cut into {count} parts of {part}")
    return (part,) * (count - 1) + (last if wanted else part,)


def compress(call: Call) -> Result:
    """The slices, or the elements if no axis is named, whose condition holds."""
    x, condition = call.input(0), call.values(1)
    if x.shape is None:
        return movement(partly(call, x, None if "axis" in call.attributes else (call.symbol("count"),)))
    flat = "axis" not in call.attributes
    axis = 0 if flat else call.axis(call.integer("axis"), len(x.shape))
    shape = (product(x.shape),) if flat else x.shape
    if condition is None or None in condition:
        return movement(partly(call, x, (*shape[:axis], call.symbol("count"), *shape[axis + 1 :])))
    chosen = [place for place, holds in enumerate(condition) if holds is not None and holds == 1]
    size = shape[axis]
    if isinstance(size, int) and len(condition) > size:
        call.refuse("E-COMPRESS-SIZE", f"{len(condition)} conditions for {size} slices")
    sizes, value = whole(shape), None
    if sizes is not None:
        offsets = plain(sizes)
        offsets[axis] = [offsets[axis][place] for place in chosen]
        value = picked(x.value, offsets)
    return movement(partly(call, x, (*shape[:axis], len(chosen), *shape[axis + 1 :]), value))


OPERATORS = (
    Operator(
        name="Slice",
        rule=slice_axes,
        inputs=(1, 5),
        attributes="ends starts axes",
        settings=(1, 2, 3, 4),
        free=MOVEMENT,
    ),
    Operator(
        name="Split",
        rule=split,
        inputs=(1, 2),
        outputs=(1, None),
        attributes="split axis num_outputs",
        settings=(1,),
        free=MOVEMENT,
    ),
    Operator(name="Compress", rule=compress, inputs=(2, 2), attributes="axis", settings=(1,), free=MOVEMENT),
)
