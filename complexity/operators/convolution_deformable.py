"""Deformable convolution: a window whose taps are read at offsets that the data give."""

from __future__ import annotations

from dataclasses import replace

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..ops import Role
from ..shapes import Shape, Tensor
from .convolution import convolved
from .convolution_geometry import Window, window
from .rule import Call, Operator, Result, Steps

__all__ = ["OPERATORS"]


def deform_conv(call: Call) -> Result:
    """Y[n, m, p] = sum over c, k: W[m, c, k] mask[n, k, p] X[n, c, q] + B[m], read at a real-valued place
    q = p*stride + k*dilation - pad + offset[n, k, p] between the samples.

    Counting: the products and additions of Conv. Each tap of each input channel is read once per position and shared
    by the filters: over d axes an interpolation of 2**d products and 2**d - 1 additions, and one product by the mask.
    Where to read costs, for each offset group, tap and position, d additions (grid and offset), d roundings, 2d
    subtractions (both fractions) and 2**d (d - 1) products (the weights of the corners).
    """
    sizes, mask = window(call), call.given(4)
    x = call.input(0)
    plain = convolved(call, sizes, x, call.input(1), call.given(3), dtype=x.dtype)
    convolution, spatial = plain.work, (plain.outputs[0].shape or ())[2:]
    assert convolution is not None
    groups = _offset_groups(call, sizes, spatial)
    axes, taps = len(spatial), product(sizes.kernel)

    def text(m: Arithmetic[Signal]) -> None:
        corners = _locate(m, call.input(2), groups * taps, axes)
        _read(m, x, corners, sizes.channels * taps, axes)
        if mask is not None:
            read = m.variable(sizes.channels * taps, x.number)
            m.multiply(read, m.variable(sizes.channels * taps, mask.number), role=Role.SCALE)
        convolution.equations(m)

    steps = Steps(text=text, executions=convolution.executions)
    return replace(plain, work=steps, kind="deformable conv")


def _locate(m: Arithmetic[Signal], offset: Tensor, places: Size, axes: int) -> Signal:
    """The interpolation weights of all corners, from the offsets of so many places."""
    number, role = offset.number, Role.INTERPOLATION
    grid = m.constant(places * axes, number)
    where = m.requantize(m.add(m.variable(places * axes, number), grid, role=role), number)
    floor = m.lookup(where, "round", result=number, role=role)
    fraction = m.requantize(m.subtract(where, floor, role=role), number)
    m.subtract(grid, fraction, role=role)
    corner = m.variable(places * 2**axes, number)
    for _ in range(axes - 1):
        corner = m.requantize(m.multiply(corner, m.variable(places * 2**axes, number), role=role), number)
    return corner


def _read(m: Arithmetic[Signal], x: Tensor, corners: Signal, reads: Size, axes: int) -> None:
    values = m.variable(reads * 2**axes, x.number)
    m.dot(values, m.broadcast(corners, reads * 2**axes), terms=2**axes, outputs=reads, role=Role.INTERPOLATION)


def _offset_groups(call: Call, sizes: Window, spatial: Shape) -> int:
    groups, axes, taps = call.integer("offset_group", 1), len(spatial), product(sizes.kernel)
    if groups < 1:
        call.refuse("E-CONV-GROUP", f"offset_group is {groups}, expected 1 or more")
    if isinstance(sizes.channels, int) and sizes.channels % groups:
        call.refuse("E-CONV-GROUP", f"{sizes.channels} channels do not divide into {groups} offset groups")
    for index, what, per_tap in ((2, "offset", axes), (4, "mask", 1)):
        tensor = call.input(index) if index == 2 else call.given(index)
        if tensor is None or tensor.shape is None:
            continue
        wanted = (sizes.batch, groups * taps * per_tap, *spatial)
        if len(tensor.shape) != len(wanted) or any(map(_differ, tensor.shape, wanted)):
            found, expected = ("[" + ",".join(map(str, shape)) + "]" for shape in (tensor.shape, wanted))
            call.refuse("E-CONV-OFFSET", f"the {what} has shape {found}, expected {expected}")
    return groups


def _differ(found: Size, wanted: Size) -> bool:
    return isinstance(found, int) and isinstance(wanted, int) and found != wanted


OPERATORS = (
    Operator(
        name="DeformConv",
        rule=deform_conv,
        inputs=(3, 5),
        attributes="dilations group kernel_shape offset_group pads strides",
    ),
)
