"""Convolutions of every kind against scalar loops that compute the values and count what they do."""

from __future__ import annotations

from itertools import product as cartesian
from math import prod

import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.formats import Accumulation, parse_format
from nncomplexity.operators.convolution_transposed import overlap
from nncomplexity.operators.rule import Uncounted
from nncomplexity.ops import Kind
from nncomplexity.shapes import Tensor
from reference.calls import caller
from reference.calls import tensor as T
from reference.totals import totals

MS, QONNX = "com.microsoft", "qonnx.custom_op.channels_last"


run = caller("convolution", "convolution_deformable", "convolution_transposed")


def convolve(x, w, group, strides, dilations, pads, bias):
    """The output shape, products and additions of a convolution whose windows are slid one step at a time."""
    axes = len(x) - 2
    positions = []
    for axis in range(axes):
        first, last = -pads[axis], x[2 + axis] + pads[axis + axes]
        reach = (w[2 + axis] - 1) * dilations[axis]
        starts, start = [], first
        while start + reach < last:
            starts.append(start)
            start += strides[axis]
        positions.append(starts)
    products = additions = 0
    for _ in cartesian(range(x[0]), range(w[0]), *positions):
        summed = False
        for _ in cartesian(range(x[1] // group), *map(range, w[2:])):
            products += 1
            additions += summed
            summed = True
        additions += bias
    return (x[0], w[0], *map(len, positions)), products, additions


CASES = [
    ((1, 1, 5), (1, 1, 1), {}),
    ((2, 3, 7), (5, 3, 3), {"strides": (2,), "pads": (1, 2)}),
    ((2, 4, 7, 5), (6, 2, 3, 2), {"group": 2, "strides": (2, 1), "dilations": (1, 3), "pads": (2, 0, 1, 3)}),
    ((1, 6, 5, 7), (6, 1, 3, 3), {"group": 6, "pads": (1, 1, 1, 1)}),
    ((1, 2, 5, 4, 3), (3, 2, 2, 3, 1), {"strides": (1, 2, 3), "pads": (0, 1, 2, 0, 1, 0)}),
    ((0, 2, 5), (3, 2, 2), {}),
    ((1, 0, 5), (3, 0, 2), {}),
]


@pytest.mark.parametrize(("x", "w", "attributes"), CASES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_conv_counts_what_loops_do(x, w, attributes, bias, convention):
    axes = len(x) - 2
    full = {"group": 1, "strides": (1,) * axes, "dilations": (1,) * axes, "pads": (0, 0) * axes, **attributes}
    shape, products, additions = convolve(x, w, bias=bias, **full)
    inputs = (T(*x), T(*w, constant=True), *([T(w[0])] if bias else []))
    result = run("Conv", *inputs, **attributes)
    assert result.outputs[0].shape == shape
    found = totals(result, convention)
    assert (found["rm"], found["mac"], found["add"]) == (products, products, additions)


@pytest.mark.parametrize(("mode", "sizes"), [("SAME_UPPER", (4, 3)), ("SAME_LOWER", (4, 3)), ("VALID", (3, 1))])
def test_auto_pad(mode, sizes):
    result = run("Conv", T(1, 2, 7, 5), T(3, 2, 3, 4), strides=(2, 2), auto_pad=mode)
    assert result.outputs[0].shape == (1, 3, *sizes)


def test_the_paper_conv_oracle():
    """n_s=41 n_i=4 n_f=35 n_k=11 at 8 bits: BOP 4105640 with bias (P1), 4081770 without (P0)."""
    eight = parse_format("fixed<8,1>")
    x, w = T(1, 4, 41, format=eight), T(35, 4, 11, constant=True, format=eight)
    for inputs, bop in (((x, w, T(35)), 4105640), ((x, w), 4081770)):
        found = count(run("Conv", *inputs).work)
        price = {Kind.MULTIPLY: lambda op: op.left.bits * op.right.bits, Kind.ADD: lambda op: op.result.bits}
        assert found.total(lambda op, price=price: price[op.kind](op)) == bop


def test_without_bias_the_sums_may_still_take_one():
    plain = run("Conv", T(1, 2, 7), T(3, 2, 3))
    assert plain.outputs[0].accumulator == Accumulation(6, T().number, T().number)
    assert run("Conv", T(1, 2, 7), T(3, 2, 3), T(3)).outputs[0].accumulator is None


def test_quantized_and_channels_last_twins():
    scale, zero = T(), T(dtype="uint8")
    x, w, bias = T(1, 4, 9, 7, dtype="uint8"), T(6, 2, 3, 3, dtype="int8", constant=True), T(6, dtype="int32")
    attributes = {"group": 2, "pads": (1, 1, 1, 1), "strides": (2, 2)}
    plain = totals(run("Conv", T(1, 4, 9, 7), T(6, 2, 3, 3), T(6), **attributes))
    quantized = run("QLinearConv", x, scale, zero, w, scale, zero, scale, zero, bias, **attributes)
    assert (quantized.outputs[0].shape, quantized.outputs[0].dtype) == ((1, 6, 5, 4), "uint8")
    assert totals(quantized) == plain
    integer = run("ConvInteger", x, w, zero, **attributes)
    assert integer.outputs[0].dtype == "int32" and totals(integer)["mac"] == plain["mac"]
    last = T(1, 9, 7, 4, dtype="uint8")
    twin = run(
        "QLinearConv", last, scale, zero, w, scale, zero, scale, zero, bias, domain=MS, channels_last=1, **attributes
    )
    qonnx = run("Conv", T(1, 9, 7, 4), T(6, 3, 3, 2), T(6), domain=QONNX, **attributes)
    nhwc = run("NhwcConv", T(1, 9, 7, 4), T(6, 2, 3, 3), T(6), domain=MS, **attributes)
    turned = run("NhwcConv", T(1, 9, 7, 6), T(6, 3, 3, 3), T(6), domain=MS, **attributes)
    for result in (twin, qonnx, nhwc):
        assert result.outputs[0].shape == (1, 5, 4, 6) and totals(result) == plain
    assert turned.outputs[0].shape == (1, 5, 4, 6)


def test_fused_conv_adds_the_residual_and_activates():
    result = run("FusedConv", T(1, 2, 7), T(3, 2, 3), T(3), T(1, 3, 5), domain=MS, activation="Relu")
    assert totals(result) == {"rm": 90, "mac": 90, "add": 15 * 5 + 15 + 15, "cmp": 15, "act": 0}
    swish = run("FusedConv", T(1, 2, 7), T(3, 2, 3), domain=MS, activation="HardSigmoid")
    assert totals(swish) == {"rm": 105, "mac": 90, "add": 15 * 5 + 15, "cmp": 30, "act": 0}


def test_causal_conv_hands_on_its_past():
    result = run("CausalConvWithState", T(2, 3, 7), T(3, 1, 4), T(3), T(2, 3, 3), activation="silu")
    assert [y.shape for y in result.outputs] == [(2, 3, 7), (2, 3, 3)]
    assert totals(result) == {"rm": 42 * 5, "mac": 42 * 4, "add": 42 * 4, "cmp": 0, "act": 42}
    last = run("CausalConvWithState", T(2, 7, 3), T(3, 1, 4), domain=MS, channels_last=1, dilation=2)
    assert [y.shape for y in last.outputs] == [(2, 7, 3), (2, 6, 3)]
    assert totals(last)["mac"] == 42 * 4
    with pytest.raises(Uncounted, match=r"^no rule for this layout of the carry state$"):
        run("CausalConvWithState", T(2, 3, 7), T(3, 1, 4), domain=MS, state_window=2)


def scatter(x, w, group, strides, dilations):
    """Products and additions of spreading every input value over the uncropped output."""
    met: set[tuple[object, ...]] = set()
    products = additions = 0
    for index in cartesian(*map(range, x)):
        for tap in cartesian(*map(range, w[1:])):
            place = (
                index[0],
                index[1] // (x[1] // group) * w[1] + tap[0],
                *(i * s + k * d for i, k, s, d in zip(index[2:], tap[1:], strides, dilations, strict=True)),
            )
            products += 1
            additions += place in met
            met.add(place)
    return products, additions


TRANSPOSED = [
    ((1, 2, 4), (2, 3, 3), {}),
    ((2, 4, 5), (4, 3, 2), {"group": 2, "strides": (3,)}),
    ((1, 2, 5), (2, 1, 4), {"strides": (2,), "dilations": (3,)}),
    ((1, 6, 5, 3), (6, 2, 3, 2), {"group": 3, "strides": (2, 1), "dilations": (2, 2)}),
    ((1, 1, 3, 2, 2), (1, 2, 2, 1, 3), {"strides": (1, 2, 2)}),
    ((1, 2, 7), (2, 3, 5), {"strides": (2,), "dilations": (4,)}),
    ((0, 2, 4), (2, 3, 3), {}),
]


@pytest.mark.parametrize(("x", "w", "attributes"), TRANSPOSED)
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_transposed_conv_counts_what_scattering_does(x, w, attributes, convention):
    axes = len(x) - 2
    full = {"group": 1, "strides": (1,) * axes, "dilations": (1,) * axes, **attributes}
    products, additions = scatter(x, w, **full)
    result = run("ConvTranspose", T(*x), T(*w, constant=True), **attributes)
    found = totals(result, convention)
    assert (found["rm"], found["mac"], found["add"]) == (products, products, additions)
    biased = run("ConvTranspose", T(*x), T(*w, constant=True), T(w[1] * full["group"]), **attributes)
    assert totals(biased, convention)["add"] == additions + prod(biased.outputs[0].shape)


def test_overlap_is_the_number_of_distinct_places():
    for size, taps, stride, dilation in cartesian(range(1, 6), range(1, 5), range(1, 5), range(1, 5)):
        places = [i * stride + j * dilation for i in range(size) for j in range(taps)]
        met, most = overlap(size, taps, stride, dilation)
        assert met == len(set(places))
        assert most >= max(places.count(place) for place in places)


def test_transposed_sizes():
    x, w = T(1, 8, 7, 7), T(8, 3, 3, 3)
    two = {"group": 2, "strides": (2, 2)}
    result = run("ConvTranspose", x, w, pads=(1, 1, 1, 1), output_padding=(1, 1), **two)
    assert result.outputs[0].shape == (1, 6, 14, 14) and totals(result)["mac"] == 10584
    assert run("ConvTranspose", x, w, auto_pad="SAME_UPPER", **two).outputs[0].shape == (1, 6, 14, 14)
    assert run("ConvTranspose", x, w, auto_pad="VALID", pads=(1, 1, 1, 1), **two).outputs[0].shape == (1, 6, 15, 15)
    assert run("ConvTranspose", x, w, output_shape=(10, 8), **two).outputs[0].shape == (1, 6, 10, 8)
    pads = T(4, dtype="int64", value=(1, 0, 1, 2))
    known = run("ConvTransposeWithDynamicPads", x, w, pads, domain=MS, **two)
    assert known.outputs[0].shape == (1, 6, 13, 13)
    unknown = run("ConvTransposeWithDynamicPads", x, w, T(4), domain=MS, **two)
    assert [str(size) for size in unknown.outputs[0].shape] == ["1", "6", "n.size0", "n.size1"]
    assert totals(unknown)["mac"] == 10584


def test_deformable_conv_counts_reading_and_products():
    x, w, offset, mask = T(1, 2, 5, 4), T(3, 2, 3, 2, constant=True), T(1, 24, 3, 3), T(1, 12, 3, 3)
    result = run("DeformConv", x, w, offset, T(3), mask, offset_group=2)
    assert result.outputs[0].shape == (1, 3, 3, 3)
    products = additions = roundings = macs = 0
    for _ in range(9):  # positions
        for _ in range(2 * 6):  # offset groups, taps: where to read
            additions += 2 + 2 + 2  # grid + offset, fraction, 1 - fraction along both axes
            roundings += 2
            products += 4  # the weights of the four corners
        for _ in range(2 * 6):  # channels, taps: reading
            products += 4 + 1  # corners, mask
            additions += 3
        for _ in range(3):  # filters
            macs += 12
            additions += 11 + 1
    assert totals(result) == {"rm": products + macs, "mac": macs, "add": additions, "cmp": 0, "act": roundings}


def test_symbolic_is_integer_at_every_size():
    n, h, c = symbol("n"), symbol("h"), symbol("c")

    def calls(n, h, c):
        w = T(6, 2, 3, 3, constant=True)
        yield run("Conv", T(n, 4, h, 9), w, T(6), group=2, strides=(2, 3), pads=(1, 0, 2, 0), dilations=(2, 1))
        yield run("Conv", T(n, 4, h, 9), w, group=2, auto_pad="SAME_UPPER", strides=(2, 2))
        yield run("Conv", T(n, c, h), T(5, c, 1))
        yield run("ConvTranspose", T(n, 6, h, 5), w, T(6), group=3, strides=(2, 2), dilations=(1, 3))
        yield run("DeformConv", T(n, 2, h + 2, 4), T(3, 2, 3, 2), T(n, 12, h, 3))
        yield run("CausalConvWithState", T(n, c, h), T(c, 1, 4))

    for values in ({"n": 1, "h": 5, "c": 1}, {"n": 2, "h": 6, "c": 3}, {"n": 3, "h": 11, "c": 5}):
        for free, concrete in zip(calls(n, h, c), calls(*values.values()), strict=True):
            shapes = [tuple(substitute(size, values) for size in y.shape) for y in free.outputs]
            assert shapes == [y.shape for y in concrete.outputs]
            assert {k: substitute(v, values) for k, v in totals(free).items()} == totals(concrete)


@pytest.mark.parametrize(
    ("inputs", "attributes", "text"),
    [
        (((1, 3, 7), (4, 2, 3)), {}, "the input has 3 channels, its weights take 2 in 1 groups [E-CONV-CHANNELS]"),
        (((1, 4, 7), (3, 2, 3)), {"group": 2}, "3 filters do not divide into 2 groups [E-CONV-GROUP]"),
        (((1, 4, 7), (3, 2, 3)), {"group": 0}, "group is 0, expected 1 or more [E-CONV-GROUP]"),
        (
            ((1, 2, 3), (4, 2, 6)),
            {"pads": (1, 1)},
            "a window of 6 along axis 0 does not fit a padded input of 5 [E-CONV-SIZE]",
        ),
        (
            ((1, 2, 7), (4, 2, 3)),
            {"strides": (0,)},
            "attribute 'strides' holds 0, expected 1 or more [E-CONV-ATTRIBUTE]",
        ),
        (
            ((1, 2, 7), (4, 2, 3)),
            {"dilations": (1, 1)},
            "attribute 'dilations' has 2 values, expected 1 [E-CONV-ATTRIBUTE]",
        ),
        (((1, 2, 7), (4, 2, 3)), {"pads": (-1, 0)}, "attribute 'pads' holds -1, expected 0 or more [E-CONV-ATTRIBUTE]"),
        (((1, 2, 7), (4, 2, 3)), {"kernel_shape": (5,)}, "kernel_shape is 5, the weights have 3 taps [E-CONV-KERNEL]"),
        (((1, 2, 7), (4, 2, 0)), {}, "a kernel of 0 taps has none along an axis [E-CONV-KERNEL]"),
        (((1, 2), (4, 2)), {}, "input 0 has rank 2, expected 3 or more: batch, channels, axes [E-CONV-RANK]"),
        (((1, 2, 7), (4, 2, 3, 3)), {}, "weights of rank 4 do not fit an input of rank 3 [E-CONV-RANK]"),
        (((1, 2, 7), (4, 2, 3), (3,)), {}, "the bias has 3 values for 4 filters [E-CONV-BIAS]"),
        (
            ((1, 2, 7), (4, 2, 3)),
            {"auto_pad": "FULL"},
            "auto_pad is 'FULL', expected one of NOTSET, SAME_UPPER, SAME_LOWER, VALID [E-CONV-AUTOPAD]",
        ),
        (((1, 2, 7), (4, 2, 3)), {"strides": 2}, "attribute 'strides' must be a list of integers [E-ATTRIBUTE-TYPE]"),
    ],
)
def test_contradictions_are_refused_with_what_was_found(inputs, attributes, text):
    with pytest.raises(ModelError) as caught:
        run("Conv", *(T(*shape) for shape in inputs), **attributes)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("inputs", "attributes", "text"),
    [
        (((1, 3, 7), (4, 2, 3)), {}, "the input has 3 channels, its weights take 4 [E-CONV-CHANNELS]"),
        (((1, 4, 7), (4, 2, 3)), {"group": 3}, "4 channels do not divide into 3 groups [E-CONV-GROUP]"),
        (((1, 4, 1), (4, 2, 3)), {"pads": (3, 3)}, "the output along axis 0 would have -3 values [E-CONV-SIZE]"),
        (
            ((1, 4, 5), (4, 2, 3)),
            {"output_shape": (1, 2)},
            "attribute 'output_shape' has 2 values, expected 1 [E-CONV-ATTRIBUTE]",
        ),
    ],
)
def test_contradictions_of_a_transposed_conv(inputs, attributes, text):
    with pytest.raises(ModelError) as caught:
        run("ConvTranspose", *(T(*shape) for shape in inputs), **attributes)
    assert str(caught.value) == text


def test_a_wrong_offset_is_refused():
    with pytest.raises(ModelError) as caught:
        run("DeformConv", T(1, 2, 5, 4), T(3, 2, 3, 2), T(1, 11, 3, 3))
    assert str(caught.value) == "the offset has shape [1,11,3,3], expected [1,12,3,3] [E-CONV-OFFSET]"


def test_an_unknown_shape_is_uncounted():
    with pytest.raises(Uncounted, match=r"^the shape of input 0 is unknown$"):
        run("Conv", Tensor(dtype="float32"), T(4, 2, 3))
