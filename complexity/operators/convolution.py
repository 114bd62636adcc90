"""Convolutions: Conv, its quantized twins, its fused and channels-last forms.

Every form is one window kernel at every output position; taps that meet padding are counted, a kernel computes them.
Scales and zero points of the quantized forms are statements of format and cost nothing here.
"""

from __future__ import annotations

from dataclasses import replace

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import product
from ..formats import Accumulation
from ..layers.convolution import Convolution
from ..layers.fused_activation import activated
from ..ops import Role
from ..shapes import Shape, Tensor
from .channels_last import CHANNELS_LAST
from .convolution_geometry import Window, check_vector, kernel_sizes, output_sizes, padded, window
from .layouts import channels, flat, turned
from .linear import fused_function, summed
from .rule import MICROSOFT, Call, Layout, Operator, Result, Steps

__all__ = ["OPERATORS", "convolved"]


def convolved(
    call: Call,
    sizes: Window,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    dtype: str | None,
    last: bool = False,
    places: tuple[int, int, int] = (0, 1, 2),
) -> Result:
    """The result of a window kernel over an input; without a bias its sums may still take one.

    places: the inputs that are x, the weights and the bias.
    """
    check_vector(call, bias, sizes.filters, "bias")
    spatial = output_sizes(call, sizes.spatial, sizes.kernel)
    work = Convolution(
        terms=sizes.terms,
        filters=sizes.filters,
        positions=sizes.batch * product(spatial),
        groups=sizes.group,
        bias=bias is not None,
        constant=weight.constant,
        weight=weight.number,
        input=x.number,
    )
    shape: Shape = (sizes.batch, *spatial, sizes.filters) if last else (sizes.batch, sizes.filters, *spatial)
    work_sum = Accumulation(sizes.terms, x.number, weight.number)
    output = summed(Tensor(dtype=dtype, shape=shape), work_sum, x, weight, open=bias is None)
    return Result(
        outputs=(output,),
        work=work,
        kind="conv",
        formats=work.formats,
        layouts=_layouts(call, sizes, places, last) if weight.constant else {},
        padding=padded(call, sizes, spatial),
        sum=work_sum,
    )


def _layouts(call: Call, sizes: Window, places: tuple[int, int, int], last: bool) -> dict[str, Layout]:
    """One filter a row; the bias; the bits of channels as a window meets them."""
    found = {"weight": Layout(places[1], turned), "bias": Layout(places[2], flat)}
    counts = (sizes.channels, sizes.filters, sizes.group, product(sizes.kernel))
    known = [size for size in counts if isinstance(size, int)]
    if len(known) == len(counts):
        found["input"] = Layout(places[0], channels(*known, last=last))
    return found


def conv(call: Call) -> Result:
    """Y[n, m, p] = sum over c, k: W[m, c, k] X[n, c, p*stride + k*dilation - pad] + B[m]."""
    x = call.input(0)
    return convolved(call, window(call), x, call.input(1), call.given(2), dtype=x.dtype)


def conv_integer(call: Call) -> Result:
    """The same on integers less their zero points, in 32 bits."""
    result = convolved(call, window(call), call.input(0), call.input(1), None, dtype="int32")
    return replace(result, layouts=_shifted(result, 1, 3))


def _shifted(result: Result, weight: int, zero: int) -> dict[str, Layout]:
    """The layouts with the zero points of the filters taken off first."""
    return {
        name: replace(layout, zero=zero) if layout.input == weight else layout
        for name, layout in result.layouts.items()
    }


def qlinear_conv(call: Call) -> Result:
    """The same, requantized: y is typed as its zero point."""
    last = bool(call.integer("channels_last", 0))
    sizes = window(call, 0, 3, last=last)
    dtype = call.input(7).dtype
    x, weight, bias = call.input(0), call.input(3), call.given(8)
    result = convolved(call, sizes, x, weight, bias, dtype=dtype, last=last, places=(0, 3, 8))
    output = replace(result.outputs[0], accumulator=None, format=None, encoding=None)
    return replace(result, outputs=(output,), layouts=_shifted(result, 3, 5))


def fused_conv(call: Call) -> Result:
    """Y = activation(conv(X) + Z): one addition per value of Z, then the activation."""
    x = call.input(0)
    return _fused(call, convolved(call, window(call), x, call.input(1), call.given(2), dtype=x.dtype))


def nhwc_conv(call: Call) -> Result:
    """The same over channels-last inputs; the weights are [M, C/group, ...] or, where only that fits, channels last."""
    x, weight = call.input(0), call.shape(1)
    channels, seen, group = call.shape(0)[-1:], weight[1:2], call.integer("group", 1)
    fits = not channels or not seen or seen[0] * group == channels[0]
    weights_last = not fits and weight[-1] * group == channels[0]
    sizes = window(call, last=True, weights_last=weights_last)
    return _fused(call, convolved(call, sizes, x, call.input(1), call.given(2), dtype=x.dtype, last=True))


def channels_last_conv(call: Call) -> Result:
    """QONNX's convolution: input [N, ..., C] and weights [M, ..., C/group]."""
    x = call.input(0)
    sizes = window(call, last=True, weights_last=True)
    return convolved(call, sizes, x, call.input(1), call.given(2), dtype=x.dtype, last=True)


def _fused(call: Call, plain: Result) -> Result:
    function, residual = fused_function(call), call.given(3)
    if not function and residual is None:
        return plain
    work, output = plain.work, plain.outputs[0]
    assert isinstance(work, Convolution)
    sum = Accumulation(work.terms, work.input, work.weight)

    def text(m: Arithmetic[Signal]) -> None:
        work.equations(m)
        y = m.partial(work.filters, sum, "weight")
        if residual is not None:
            y = m.add(y, m.variable(work.filters, residual.number), role=Role.ELEMENTWISE)
        if function:
            activated(m, y, function, work.filters, Tensor(dtype=output.dtype).number)

    steps = Steps(text=text, executions=work.executions)
    bare = replace(output, accumulator=None, format=None, encoding=None)
    return replace(plain, outputs=(bare, *plain.outputs[1:]), work=steps)


def causal_conv(call: Call) -> Result:
    """A depthwise convolution that looks back only, over a past of (k - 1)*dilation positions it hands on.

    Counting: k products and k - 1 additions per value, taps in the past included; the bias; the activation.
    """
    if any(call.integer(name, default) != default for name, default in EXTENSIONS.items()):
        call.unknown("no rule for this layout of the carry state")
    x, weight, bias = call.input(0), call.shape(1), call.given(2)
    shape, last = call.shape(0), bool(call.integer("channels_last", 0))
    if len(weight) < 3 or len(shape) < 3 or (not last and len(shape) != len(weight)):
        call.refuse("E-CONV-RANK", f"weights of rank {len(weight)} do not fit an input of rank {len(shape)}")
    channels, length = (product(shape[2:]), shape[1]) if last else (shape[1], shape[-1])
    if isinstance(channels, int) and isinstance(weight[0], int) and channels != weight[0]:
        call.refuse("E-CONV-CHANNELS", f"the input has {channels} channels, its weights take {weight[0]}")
    if isinstance(weight[1], int) and weight[1] != 1:
        call.refuse("E-CONV-CHANNELS", f"depthwise weights have {weight[1]} channels per group, expected 1")
    check_vector(call, bias, channels, "bias")
    dilation, kernel = call.integer("dilation", 1), kernel_sizes(call, weight[2:])
    if dilation < 1:
        call.refuse("E-CONV-ATTRIBUTE", f"attribute 'dilation' is {dilation}, expected 1 or more")
    held = (kernel[-1] - 1) * dilation
    state = (shape[0], held, *shape[2:]) if last else (*shape[:-1], held)
    work = Convolution(
        terms=product(kernel),
        filters=channels,
        positions=shape[0] * (length if last else product(shape[2:])),
        groups=channels,
        bias=bias is not None,
        constant=call.input(1).constant,
        weight=call.input(1).number,
        input=x.number,
    )
    outputs = (Tensor(dtype=x.dtype, shape=shape), Tensor(dtype=x.dtype, shape=state))
    plain = Result(outputs=outputs, work=work, kind="conv", formats=work.formats)
    # The carry state at input 3 is no residual.
    return _fused(replace(call, inputs=call.inputs[:3]), plain)


EXTENSIONS = {
    "state_window": 0,
    "state_length": 0,
    "state_channels_last": -1,
    "state_update_capacity": 0,
    "input_channels": 0,
    "input_channel_offset": 0,
}
CONV = "auto_pad dilations group kernel_shape pads strides"
FUSED = f"{CONV} activation activation_params"
CAUSAL = f"activation channels_last dilation ndim {' '.join(EXTENSIONS)}"
SCALES = (1, 2, 4, 5, 6, 7)

OPERATORS = (
    Operator(name="Conv", rule=conv, inputs=(2, 3), attributes=CONV),
    Operator(name="ConvInteger", rule=conv_integer, inputs=(2, 4), attributes=CONV, weights=(1,), settings=(2, 3)),
    Operator(name="QLinearConv", rule=qlinear_conv, inputs=(8, 9), attributes=CONV, weights=(3, 8), settings=SCALES),
    Operator(name="CausalConvWithState", rule=causal_conv, inputs=(2, 4), outputs=(2, 2), attributes="activation"),
    Operator(name="FusedConv", rule=fused_conv, inputs=(2, 4), attributes=FUSED, domain=MICROSOFT),
    Operator(name="NhwcConv", rule=nhwc_conv, inputs=(2, 3), attributes=CONV, domain=MICROSOFT),
    Operator(name="NhwcFusedConv", rule=nhwc_conv, inputs=(2, 4), attributes=FUSED, domain=MICROSOFT),
    Operator(
        name="QLinearConv",
        rule=qlinear_conv,
        inputs=(8, 9),
        attributes=f"{CONV} channels_last",
        weights=(3, 8),
        settings=SCALES,
        domain=MICROSOFT,
    ),
    Operator(
        name="CausalConvWithState",
        rule=causal_conv,
        inputs=(2, 4),
        outputs=(1, 3),
        attributes=CAUSAL,
        domain=MICROSOFT,
    ),
    Operator(name="Conv", rule=channels_last_conv, inputs=(2, 3), attributes=CONV, domain=CHANNELS_LAST),
)
