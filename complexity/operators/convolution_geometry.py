"""The sizes of a convolution: channels and groups of its weights, windows and output positions along each axis."""

from __future__ import annotations

from dataclasses import dataclass

from ..expressions import Size, at_least, ceil_divide, floor_divide, product
from ..shapes import Shape, Tensor
from .folding import TAPS, axis_hits
from .rule import Call

__all__ = [
    "Window",
    "axis_list",
    "check_vector",
    "kernel_sizes",
    "listed",
    "output_sizes",
    "padded",
    "padding_mode",
    "window",
]

MODES = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Weights over an input, axes in the order batch, channels, spatial whatever the layout of the file.

    channels: of the input. group_channels: seen by one filter. spatial: input sizes.
    """

    batch: Size
    channels: Size
    spatial: Shape
    filters: Size
    group_channels: Size
    kernel: Shape
    group: int

    @property
    def terms(self) -> Size:
        """Products of one output value."""
        return self.group_channels * product(self.kernel)


def window(call: Call, x: int = 0, w: int = 1, *, last: bool = False, weights_last: bool = False) -> Window:
    """Read and check input `x` and weights `w`: [N, C, ...] and [M, C/group, ...], or channels last."""
    data, weight = call.shape(x), call.shape(w)
    if len(data) < 3:
        call.refuse("E-CONV-RANK", f"input {x} has rank {len(data)}, expected 3 or more: batch, channels, axes")
    if len(weight) != len(data):
        call.refuse("E-CONV-RANK", f"weights of rank {len(weight)} do not fit an input of rank {len(data)}")
    if last:
        data = (data[0], data[-1], *data[1:-1])
    if weights_last:
        weight = (weight[0], weight[-1], *weight[1:-1])
    group = call.integer("group", 1)
    if group < 1:
        call.refuse("E-CONV-GROUP", f"group is {group}, expected 1 or more")
    channels, seen, filters = data[1], weight[1], weight[0]
    if isinstance(channels, int) and isinstance(seen, int) and channels != seen * group:
        call.refuse("E-CONV-CHANNELS", f"the input has {channels} channels, its weights take {seen} in {group} groups")
    if isinstance(filters, int) and filters % group:
        call.refuse("E-CONV-GROUP", f"{filters} filters do not divide into {group} groups")
    kernel = kernel_sizes(call, weight[2:])
    return Window(
        batch=data[0],
        channels=seen * group if isinstance(seen, int) else channels,
        spatial=data[2:],
        filters=filters,
        group_channels=seen,
        kernel=kernel,
        group=group,
    )


def kernel_sizes(call: Call, stored: Shape) -> Shape:
    """The taps along each axis: of the weights, which kernel_shape may only repeat."""
    named = call.integers("kernel_shape")
    kernel = list(stored)
    if named:
        if len(named) != len(stored):
            call.refuse("E-CONV-KERNEL", f"kernel_shape has {len(named)} sizes for {len(stored)} axes")
        for axis, (size, wanted) in enumerate(zip(stored, named, strict=True)):
            if isinstance(size, int) and size != wanted:
                shapes = ["x".join(map(str, sizes)) for sizes in (named, stored)]
                call.refuse("E-CONV-KERNEL", f"kernel_shape is {shapes[0]}, the weights have {shapes[1]} taps")
            kernel[axis] = wanted
    if any(isinstance(size, int) and size < 1 for size in kernel):
        call.refuse("E-CONV-KERNEL", f"a kernel of {'x'.join(map(str, kernel))} taps has none along an axis")
    return tuple(kernel)


def listed(call: Call, name: str, count: int, default: int, least: int) -> tuple[int, ...]:
    """An attribute of `count` integers, all at least `least`; absent or empty: the default."""
    found = call.integers(name) or (default,) * count
    if len(found) != count:
        call.refuse("E-CONV-ATTRIBUTE", f"attribute '{name}' has {len(found)} values, expected {count}")
    if min(found, default=least) < least:
        call.refuse("E-CONV-ATTRIBUTE", f"attribute '{name}' holds {min(found)}, expected {least} or more")
    return found


def axis_list(call: Call, axes: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Strides, dilations and the padding of both sides together, along each axis."""
    pads = listed(call, "pads", 2 * axes, 0, 0)
    both = tuple(begin + end for begin, end in zip(pads[:axes], pads[axes:], strict=True))
    return listed(call, "strides", axes, 1, 1), listed(call, "dilations", axes, 1, 1), both


def padding_mode(call: Call) -> str:
    """auto_pad, checked."""
    mode = call.text("auto_pad", "NOTSET") or "NOTSET"
    if mode not in MODES:
        call.refuse("E-CONV-AUTOPAD", f"auto_pad is '{mode[:40]}', expected one of {', '.join(MODES)}")
    return mode


def output_sizes(call: Call, sizes: Shape, kernel: Shape) -> Shape:
    """Positions of the window along each axis; an int kernel that cannot fit an int input is refused."""
    mode, axes = padding_mode(call), len(sizes)
    strides, dilations, padding = axis_list(call, axes)
    result: list[Size] = []
    for axis, (size, taps) in enumerate(zip(sizes, kernel, strict=True)):
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            result.append(ceil_divide(size, strides[axis]))
            continue
        extent = (taps - 1) * dilations[axis] + 1
        padded = size + (padding[axis] if mode == "NOTSET" else 0)
        if at_least(padded, extent) is False:
            call.refuse(
                "E-CONV-SIZE", f"a window of {extent} along axis {axis} does not fit a padded input of {padded}"
            )
        result.append(floor_divide(padded - extent, strides[axis]) + 1)
    return tuple(result)


def padded(call: Call, sizes: Window, positions: Shape) -> Size | None:
    """Products of all windows whose input is padding; None while a size is free."""
    mode, axes = padding_mode(call), len(sizes.spatial)
    strides, dilations, _ = axis_list(call, axes)
    pads = listed(call, "pads", 2 * axes, 0, 0)
    every, inside = 1, 1
    for axis, (size, taps, count) in enumerate(zip(sizes.spatial, sizes.kernel, positions, strict=True)):
        if not (isinstance(size, int) and isinstance(taps, int) and isinstance(count, int)) or taps > TAPS:
            return None
        before = pads[axis]
        if mode != "NOTSET":
            missing = max(0, (count - 1) * strides[axis] + (taps - 1) * dilations[axis] + 1 - size)
            before = 0 if mode == "VALID" else missing // 2 if mode == "SAME_UPPER" else missing - missing // 2
        every *= taps * count
        inside *= axis_hits(size, (taps, count, strides[axis], dilations[axis], before))[0]
    return sizes.batch * sizes.filters * sizes.group_channels * (every - inside)


def check_vector(call: Call, tensor: Tensor | None, size: Size, what: str) -> None:
    """Refuse a per-channel vector (a bias) of another length."""
    if tensor is None or tensor.shape is None:
        return
    if len(tensor.shape) != 1:
        call.refuse("E-CONV-BIAS", f"the {what} has rank {len(tensor.shape)}, expected 1")
    found = tensor.shape[0]
    if isinstance(found, int) and isinstance(size, int) and found != size:
        call.refuse("E-CONV-BIAS", f"the {what} has {found} values for {size} filters")
