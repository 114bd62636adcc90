"""Transposed convolutions: every input value is spread over a window of the output."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, at_least, ceil_divide, maximum, product
from ..formats import Accumulation
from ..ops import Role
from ..shapes import Shape, Tensor
from .convolution_geometry import axis_list, check_vector, kernel_sizes, listed, padding_mode
from .layouts import flat, turned
from .linear import summed
from .rule import MICROSOFT, Call, Layout, Operator, Result, Steps

__all__ = ["OPERATORS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The products of a transposed convolution.

    terms: most products that meet in one output value. met: positions, before cropping, where any product lands.
    """

    batch: Size
    channels: Size
    group_filters: Size
    filters: Size
    spatial: Shape
    kernel: Shape
    terms: Size
    met: Size

    @property
    def products(self) -> Size:
        """Input values times the taps of the filters in their group."""
        return self.batch * self.channels * product(self.spatial) * self.group_filters * product(self.kernel)


def conv_transpose(call: Call) -> Result:
    """Y[n, m, p*stride + k*dilation - pad] += W[c, m, k] X[n, c, p], plus B[m].

    Counting: input values * filters/group * taps products, also where the padding crops the result (a kernel computes
    them); as many additions less one for each value of the uncropped result that receives any; one addition per output
    value for the bias.
    """
    mode, bias = padding_mode(call), call.given(2)
    spread = _spread(call)
    check_vector(call, bias, spread.filters, "bias")
    shape = (spread.batch, spread.filters, *_sizes(call, spread, mode))
    return _result(call, spread, shape, bias)


def with_dynamic_pads(call: Call) -> Result:
    """The same with the pads as an input; pads that are not known leave sizes that only the data decide."""
    spread, bias, pads = _spread(call), call.given(3), call.sizes(2)
    check_vector(call, bias, spread.filters, "bias")
    axes = len(spread.spatial)
    if pads is not None and len(pads) != 2 * axes:
        call.refuse("E-CONV-ATTRIBUTE", f"input 2 holds {len(pads)} pads, expected {2 * axes}")
    full = _full_sizes(call, spread)
    if call.given(2) is None:
        sizes = full
    elif pads is None:
        sizes = tuple(call.symbol(f"size{axis}") for axis in range(axes))
    else:
        sizes = tuple(size - pads[axis] - pads[axis + axes] for axis, size in enumerate(full))
    return _result(call, spread, (spread.batch, spread.filters, *_checked(call, sizes)), bias)


def _result(call: Call, spread: Spread, shape: Shape, bias: Tensor | None) -> Result:
    x, weight, outputs = call.input(0), call.input(1), product(shape)
    sum = Accumulation(spread.terms, x.number, weight.number)

    def text(m: Arithmetic[Signal]) -> None:
        values, products = spread.batch * spread.filters * spread.met, spread.products
        if products != 0:
            taps = m.constant if weight.constant else m.variable
            m.dot(
                m.variable(products, x.number),
                taps(products, weight.number, "weight"),
                terms=spread.terms,
                outputs=values,
                role=Role.INPUT,
                products=products,
                additions=products - values,
            )
        if bias is not None:
            m.add(m.partial(outputs, sum), m.constant(outputs, weight.number, "bias"), role=Role.BIAS)

    formats = {"weight": weight.number, "input": x.number, "accumulator": sum.format}
    tensor = summed(Tensor(dtype=x.dtype, shape=shape), sum, x, weight, open=bias is None)
    layouts = {"weight": Layout(1, turned), "bias": Layout(2, flat)} if weight.constant else {}
    return Result(outputs=(tensor,), work=Steps(text=text), kind="transposed conv", formats=formats, layouts=layouts)


def _spread(call: Call) -> Spread:
    data, weight, group = call.shape(0), call.shape(1), call.integer("group", 1)
    if len(data) < 3 or len(weight) != len(data):
        call.refuse("E-CONV-RANK", f"weights of rank {len(weight)} do not fit an input of rank {len(data)}")
    if group < 1:
        call.refuse("E-CONV-GROUP", f"group is {group}, expected 1 or more")
    if isinstance(data[1], int) and isinstance(weight[0], int) and data[1] != weight[0]:
        call.refuse("E-CONV-CHANNELS", f"the input has {data[1]} channels, its weights take {weight[0]}")
    channels = weight[0] if isinstance(weight[0], int) else data[1]
    if isinstance(channels, int) and channels % group:
        call.refuse("E-CONV-GROUP", f"{channels} channels do not divide into {group} groups")
    seen = channels // group
    kernel = kernel_sizes(call, weight[2:])
    strides, dilations, _ = axis_list(call, len(kernel))
    pairs = [overlap(*sizes) for sizes in zip(data[2:], kernel, strides, dilations, strict=True)]
    return Spread(
        batch=data[0],
        channels=channels,
        group_filters=weight[1],
        filters=weight[1] * group,
        spatial=data[2:],
        kernel=kernel,
        terms=seen * product([most for _, most in pairs]),
        met=product([met for met, _ in pairs]),
    )


def overlap(size: Size, taps: Size, stride: int, dilation: int) -> tuple[Size, Size]:
    """Distinct values of i*stride + j*dilation over i < size, j < taps, and how many pairs can share one.

    With the common factor taken out of stride and dilation, pairs that meet form chains of step (dilation, -stride);
    a pair starts a chain unless it has a predecessor, and (size - dilation)(taps - stride) pairs have one.
    """
    common = gcd(stride, dilation)
    stride, dilation = stride // common, dilation // common
    repeated = maximum(size - dilation, 0) * maximum(taps - stride, 0)
    return size * taps - repeated, ceil_divide(taps, stride)


def _full_sizes(call: Call, spread: Spread) -> Shape:
    """Sizes before cropping: stride*(size - 1) + output_padding + (taps - 1)*dilation + 1."""
    axes = len(spread.spatial)
    strides, dilations, _ = axis_list(call, axes)
    extra = listed(call, "output_padding", axes, 0, 0)
    rows = zip(spread.spatial, spread.kernel, strides, dilations, extra, strict=True)
    return tuple(s * (size - 1) + more + (taps - 1) * d + 1 for size, taps, s, d, more in rows)


def _sizes(call: Call, spread: Spread, mode: str) -> Shape:
    axes, named = len(spread.spatial), call.integers("output_shape")
    strides, _, padding = axis_list(call, axes)
    if named:
        # Files of the first operator sets name batch and channels too.
        if len(named) not in (axes, axes + 2):
            call.refuse("E-CONV-ATTRIBUTE", f"attribute 'output_shape' has {len(named)} values, expected {axes}")
        return _checked(call, named[-axes:])
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return tuple(size * stride for size, stride in zip(spread.spatial, strides, strict=True))
    full = _full_sizes(call, spread)
    if mode == "VALID":
        return _checked(call, full)
    return _checked(call, tuple(size - cropped for size, cropped in zip(full, padding, strict=True)))


def _checked(call: Call, sizes: tuple[Size, ...]) -> Shape:
    for axis, size in enumerate(sizes):
        if at_least(size, 0) is False:
            call.refuse("E-CONV-SIZE", f"the output along axis {axis} would have {size} values")
    return sizes


ATTRIBUTES = "auto_pad dilations group kernel_shape output_padding strides"

OPERATORS = (
    Operator(name="ConvTranspose", rule=conv_transpose, inputs=(2, 3), attributes=f"{ATTRIBUTES} output_shape pads"),
    Operator(
        name="ConvTransposeWithDynamicPads",
        rule=with_dynamic_pads,
        inputs=(2, 4),
        attributes=ATTRIBUTES,
        settings=(2,),
        domain=MICROSOFT,
    ),
)
