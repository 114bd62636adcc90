"""Deformable convolution: a window whose taps are read at offsets that the data give."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..formats import Accumulation
from ..layers.convolution import Convolution
from ..ops import Role
from ..shapes import Shape, Tensor
from .convolution_geometry import Window, check_vector, output_sizes, window
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
    sizes, bias, mask = window(call), call.given(3), call.given(4)
    check_vector(call, bias, sizes.filters, "bias")
    spatial = output_sizes(call, sizes.spatial, sizes.kernel)
    groups = _offset_groups(call, sizes, spatial)
    x, weight = call.input(0), call.input(1)
    work = Convolution(
        terms=sizes.terms,
        filters=sizes.filters,
        positions=sizes.batch * product(spatial),
        bias=bias is not None,
        constant=weight.constant,
        weight=weight.number,
        input=x.number,
    )
    axes, taps = len(spatial), product(sizes.kernel)

    def text(m: Arithmetic[Signal]) -> None:
        corners = _locate(m, call.input(2), groups * taps, axes)
        _read(m, x, corners, sizes.channels * taps, axes)
        if mask is not None:
            read = m.variable(sizes.channels * taps, x.number)
            m.multiply(read, m.variable(sizes.channels * taps, mask.number), role=Role.SCALE)
        work.equations(m)

    sum = Accumulation(sizes.terms, x.number, weight.number) if bias is None else None
    output = Tensor(dtype=x.dtype, shape=(sizes.batch, sizes.filters, *spatial), accumulator=sum)
    steps = Steps(text=text, executions=work.positions)
    return Result(outputs=(output,), work=steps, kind="deformable conv", formats=work.formats)


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
