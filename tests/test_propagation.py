"""Number formats on their way to the next linear operator: its products cost the bits that really arrive there."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.encoding import Encoding, Granularity
from nncomplexity.expressions import symbol
from nncomplexity.formats import Binary, Fixed, Mixed, integers
from nncomplexity.grids import grid_of
from nncomplexity.shapes import Tensor
from onnx import parser
from reference.calls import caller, known, tensor
from reference.one_node import by_onnx

WEIGHT, UNITS, FLOAT = 3, 3, 32
run = caller(
    *("activation", "casting", "elementwise", "gathering", "interpolation", "pooling", "quantized", "reduction"),
    *("repeating", "reshaping", "scattering", "selection", "sequence", "slicing"),
    version=18,
)

# Signed i and j hold -8..7, unsigned u and v 0..15, bipolar b and c -1 and 1, m 0 and 1; each is [5,7].
SOURCES = """
    i = Cast<to=1>(i4)  j = Cast<to=1>(j4)  u = Cast<to=1>(u4)  v = Cast<to=1>(v4)
    m = Cast<to=1>(m1)  n = Cast<to=1>(n1)
    b0 = Mul(m, two)  b = Sub(b0, one)  c0 = Mul(n, two)  c = Sub(c0, one)
    image = Unsqueeze(i, first)  signal = Unsqueeze(u, first)
"""
CONSTANTS = """
    float one = {1}, float two = {2}, float half = {0.5}, float third = {3}, float minus = {-1}, float six = {6},
    float tenth = {0.1}, float zero = {0}, float sixteenth = {0.0625}, int64[1] first = {0}, int64[1] last = {-1},
    int64[2] turned = {7, 5}, int64[2] wide = {10, 7}, int64[3] sides = {1, 5, 7}, int64[4] around = {0, 1, 0, 2},
    float[7] vector = {-3, 0, 1, 2, 3, 4, 5}, int64[1] count = {3}, int64[2] picks = {0, 4}, int64 axis = {1},
    float[3] twice = {1, 1, 2}, int64[2] repeats = {1, 4}
"""

# What computes y from them, the length of its last axis, and the bits of its numbers.
ROWS: list[tuple[str, int, int]] = [
    ("y = Identity(i)", 7, 4),
    ("y = Relu(i)", 7, 3),
    ("y = Relu(u)", 7, 4),
    ("y = Relu(b)", 7, 1),
    ("y = Neg(i)", 7, 5),
    ("y = Neg(b)", 7, 1),
    ("y = Abs(i)", 7, 4),
    ("y = Sign(i)", 7, 2),
    ("y = Clip(i, minus, six)", 7, 4),
    ("y = Clip(u, one, six)", 7, 3),
    ("y = Clip(u, tenth, six)", 7, FLOAT),
    ("y = LeakyRelu<alpha = 0.125>(i)", 7, 7),
    ("y = LeakyRelu(i)", 7, FLOAT),
    ("y = LeakyRelu(u)", 7, 4),
    ("y = PRelu(i, half)", 7, 5),
    ("y = Add(i, j)", 7, 5),
    ("y = Add(u, v)", 7, 5),
    ("y = Add(i, u)", 7, 6),
    ("y = Add(b, c)", 7, 2),
    ("y = Add(i, one)", 7, 5),
    ("y = Add(i, sixteenth)", 7, 8),
    ("y = Add(i, tenth)", 7, FLOAT),
    ("y = Add(u, vector)", 7, 6),
    ("s = Mul(i, half) y = Add(s, j)", 7, 6),
    ("y = Sub(u, v)", 7, 5),
    ("y = Sub(one, m)", 7, 1),
    ("y = Mul(i, tenth)", 7, 4),
    ("y = Mul(i, minus)", 7, 5),
    ("y = Mul(i, u)", 7, 8),
    ("y = Mul(b, c)", 7, 1),
    ("y = Mul(i, m)", 7, 4),
    ("y = Div(u, third)", 7, 4),
    ("y = Div(i, j)", 7, FLOAT),
    ("a = Add(b, one) y = Mul(a, half)", 7, 1),
    ("a = Add(b, one) y = Div(a, two)", 7, 1),
    ("a = Mul(b, half) y = Add(a, half)", 7, 1),
    ("a = Div(b, two) y = Add(half, a)", 7, 1),
    ("y = Pow(i, two)", 7, 7),
    ("y = Max(i, u)", 7, 4),
    ("y = Min(i, u)", 7, 4),
    ("y = Sum(u, v, i)", 7, 7),
    ("y = Mean(u, v, i)", 7, 7),
    ("h = Mul(i, half) y = Floor(h)", 7, 3),
    ("y = CumSum(u, axis)", 7, 7),
    ("y = Exp(i)", 7, FLOAT),
    ("g = Greater(i, j) y = Where(g, i, u)", 7, 5),
    ("y = Concat<axis = 1>(i, u)", 14, 5),
    ("h = Mul(u, half) y = Concat<axis = 1>(v, h)", 14, 4),
    ("y = Pad(i, around, six)", 10, 4),
    ("y = Pad<mode = 'edge'>(i, around)", 10, 4),
    ("p = Add(u, one) y = Pad(p, around)", 10, 5),
    ("y = Transpose(i)", 5, 4),
    ("y = Reshape(i, turned)", 5, 4),
    ("y = Flatten(image)", 35, 4),
    ("y = Slice(i, first, count, last)", 3, 4),
    ("y, rest = Split<axis = 0, num_outputs = 2>(i)", 7, 4),
    ("y = Gather<axis = 0>(i, picks)", 7, 4),
    ("y = Tile(i, repeats)", 28, 4),
    ("y = Expand(i, sides)", 7, 4),
    ("y, at = TopK(i, count)", 3, 4),
    ("y = Dropout(i)", 7, 4),
    ("y = Cast<to = 10>(i)", 7, 4),
    ("y = Trilu(i)", 7, 4),
    ("y = MaxPool<kernel_shape = [3]>(signal)", 5, 4),
    ("y = GlobalMaxPool(image)", 1, 4),
    ("y = AveragePool<kernel_shape = [3]>(signal)", 5, 6),
    ("y = AveragePool<kernel_shape = [3], pads = [1, 1]>(image)", 7, 6),
    ("y = GlobalAveragePool(signal)", 1, 7),
    ("y = ReduceMean(u)", 1, 10),
    ("y = ReduceSum(i, last)", 1, 7),
    ("y = ReduceMax(i, last)", 1, 4),
    ("y = ReduceSumSquare(i, last)", 1, 9),
    ("y = ReduceL1(i, last)", 1, 6),
    ("y = Resize(signal, , twice)", 14, 4),
    ("y = Resize<mode = 'linear'>(signal, , twice)", 14, FLOAT),
    ("y = ScatterElements<axis = 1>(i, order, u)", 7, 5),
    ("y = LayerNormalization(i, vector)", 7, FLOAT),
    ("y = Softmax(i)", 7, FLOAT),
]


def report(nodes: str, length: int) -> nc.Report:
    """The report of nodes from the sources to y, which then meets a weight of 3 bits."""
    weight = f"float[{length},{UNITS}] w = {{{', '.join(['1'] * length * UNITS)}}}"
    quant = 'qonnx.custom_op.general.Quant<signed = 1, narrow = 0, rounding_mode = "ROUND">(w, one, zero, third)'
    inputs = "int4[5,7] i4, int4[5,7] j4, uint4[5,7] u4, uint4[5,7] v4, bool[5,7] m1, bool[5,7] n1, int64[5,7] order"
    body = "\n".join([SOURCES, nodes, f"k = {quant}", "z = MatMul(y, k)"]).replace("'", '"')
    head = '<ir_version: 10, opset_import: ["" : 21, "qonnx.custom_op.general" : 1]>'
    return nc.analyze(parser.parse_model(f"{head} g ({inputs}) => (float[a,b] z) <{CONSTANTS}, {weight}> {{ {body} }}"))


@pytest.mark.parametrize(("nodes", "length", "bits"), ROWS, ids=[nodes for nodes, _, _ in ROWS])
def test_the_bits_that_reach_a_matrix_product(nodes: str, length: int, bits: int) -> None:
    totals = report(nodes, length).totals
    assert totals.mac and totals.bop_mac == totals.mac * bits * WEIGHT


def test_the_bits_that_reach_a_convolution() -> None:
    """Quant states 5 bits; pooling, padding and a transposition leave them, as they leave the 3 of the weight."""
    quant = 'qonnx.custom_op.general.Quant<signed = 1, narrow = 0, rounding_mode = "ROUND">'
    graph = f"""<ir_version: 10, opset_import: ["" : 18, "qonnx.custom_op.general" : 1]>
    g (float[1,2,9] x) => (float[1,4,a] z) <float[3,2,4] w = {{{", ".join(["1"] * 24)}}}, float one = {{1}},
        float zero = {{0}}, float three = {{3}}, float five = {{5}}> {{
        q = {quant}(x, one, zero, five)
        p = MaxPool<kernel_shape = [3]>(q)
        k = {quant}(w, one, zero, three)
        t = Transpose<perm = [2, 1, 0]>(k)
        z = Conv(p, t)
    }}"""
    totals = nc.analyze(parser.parse_model(graph)).totals
    assert totals.mac == 4 * 5 * 2 * 3
    assert totals.bop_mac == totals.mac * 5 * 3


def test_what_an_option_states_is_stated_again_for_every_result() -> None:
    """--quant a4 says 4 bits of each activation: no sum of two grows out of them, no limit makes them fewer."""
    graph = """<ir_version: 10, opset_import: ["" : 18]> g (float[5,7] x) => (float[5,3] z)
        <float[7,3] w = {%s}> { a = Add(x, x) r = Relu(a) p = ReduceMean(r) s = Add(r, p) z = MatMul(s, w) }"""
    totals = nc.analyze(parser.parse_model(graph % ", ".join(["1"] * 21)), quant="w3a4").totals
    assert totals.bop_mac == 5 * 7 * 3 * 4 * 3


def encoded(
    *shape: int, format: Any = None, step: Any = Fraction(1, 3), zero_point: int | None = 0, **more: Any
) -> Tensor:
    """A quantized tensor: 8 unsigned bits unless said otherwise."""
    dtype, source = more.pop("dtype", "float32"), more.pop("source", "q")
    encoding = Encoding(source=source, step=step, zero_point=zero_point, **more)
    return Tensor(dtype=dtype, shape=shape, format=format or integers(0, 255), encoding=encoding)


def of(op: str, *inputs: Any, **attributes: Any) -> tuple[str, Any]:
    """Format by name and zero point of the first output."""
    found = run(op, *inputs, **attributes).outputs[0]
    assert (found.encoding is None) == (found.format is None or found.format.floating)
    return str(found.format), found.encoding and found.encoding.zero_point


def test_zero_points_stay_while_the_range_does() -> None:
    x = encoded(5, 7, zero_point=128)
    assert of("Relu", x) == ("ufixed<7,7>", 0)
    assert of("MaxPool", encoded(1, 5, 7, zero_point=128), kernel_shape=(3,)) == ("ufixed<8,8>", 128)
    assert of("Mul", x, known(0.5, shape=(), dtype="float32")) == ("ufixed<8,8>", 128)
    assert of("Concat", x, x, axis=0) == ("ufixed<8,8>", 128)
    assert of("Pad", x, known(1, 1, 1, 1)) == ("ufixed<8,8>", 128)
    assert of("Relu", encoded(5, 7, zero_point=None)) == ("None", None)
    assert of("Concat", x, encoded(5, 7, zero_point=3), axis=0) == ("ufixed<8,8>", None)


def test_unknown_steps() -> None:
    x, y = encoded(5, 7, step=None), encoded(5, 7, step=None)
    assert of("Relu", encoded(5, 7, step=None, format=Fixed(bits=6, integer=6))) == ("ufixed<5,5>", 0)
    assert of("Add", x, y) == of("Sum", x, y) == ("ufixed<9,9>", 0)
    assert of("Add", encoded(5, 7), encoded(5, 7, step=Fraction(0.3))) == ("ufixed<9,9>", 0)
    assert of("Mul", x, y) == ("ufixed<16,16>", 0)
    assert of("Concat", x, encoded(5, 7, step=None, source="other"), axis=0) == ("ufixed<8,8>", 0)
    assert of("Concat", x, encoded(5, 7), axis=0) == ("ufixed<8,8>", 0)
    assert of("Add", x, known(1.0, shape=(), dtype="float32")) == ("None", None)
    assert of("Where", tensor(5, 7, dtype="bool"), x, tensor(5, 7)) == ("float32", None)
    assert run("Neg", encoded(5, step=None, format=Binary())).outputs[0].format == Binary()


def test_integers_that_are_stored_are_not_computed_with() -> None:
    """On an integer element type an operator sees what is stored; a cast makes that the number."""
    x = encoded(5, 7, dtype="uint8", zero_point=3)
    assert of("Relu", x) == of("Add", x, x) == ("None", None)
    assert of("Transpose", x) == ("ufixed<8,8>", 3)
    cast = run("Cast", x, to=1).outputs[0]
    assert cast.encoding is not None and (cast.encoding.step, cast.encoding.zero_point) == (1, 0)
    assert of("Cast", tensor(5, dtype="int64"), to=1) == of("Cast", tensor(5, dtype="uint16"), to=10) == ("None", None)
    assert of("Cast", tensor(5, dtype="bool"), to=1) == ("ufixed<1,1>", 0)
    assert of("Cast", encoded(5), to=7) == ("None", None)
    narrow = encoded(5, dtype="uint8", format=integers(100, 120), zero_point=110)
    assert of("Pad", narrow, known(1, 1)) == ("ufixed<7,7>", 110)


def test_the_axis_of_steps_moves_with_it() -> None:
    x = encoded(5, 7, 3, step=None, zero_point=None, axis=1, granularity=Granularity.CHANNEL)

    def axis(op: str, *inputs: Any, **attributes: Any) -> object:
        found = run(op, *inputs, **attributes).outputs[0]
        assert found.format == x.format and found.encoding is not None
        return found.encoding.axis

    assert axis("Transpose", x, perm=(1, 2, 0)) == 0
    assert axis("Transpose", x) == 1
    assert axis("Slice", x, known(0), known(2), known(1)) == 1
    assert axis("Reshape", x, known(5, 21)) is axis("Gather", x, known(0, shape=()), axis=0) is None
    assert axis("MaxPool", x, kernel_shape=(2,)) == 1


def test_steps_of_several_lengths_add_up_to_no_integer() -> None:
    x = encoded(1, 5, 7, step=None, axis=1, granularity=Granularity.CHANNEL)
    assert of("GlobalAveragePool", x) == of("ReduceSum", x, known(2)) == ("ufixed<11,11>", 0)
    assert of("CumSum", x, known(2)) == ("ufixed<11,11>", 0)
    assert of("ReduceSum", x, known(1)) == of("CumSum", x, known(1)) == ("None", None)
    for op, inputs in (("ReduceMax", (x, known(1))), ("Concat", (x, x)), ("Add", (x, x))):
        found = run(op, *inputs, axis=0).outputs[0]
        assert found.encoding is not None and found.encoding.granularity is Granularity.ELEMENT
        assert of("ReduceSum", found, known(2)) == ("None", None)
    padded = run("AveragePool", encoded(1, 5, 7), kernel_shape=(3,), pads=(1, 1)).outputs[0]
    position = Encoding(source="AveragePool", granularity=Granularity.ELEMENT, derived=True)
    assert (padded.format, padded.encoding) == (integers(0, 765), position)
    counted = run("AveragePool", encoded(1, 5, 7), kernel_shape=(3,), pads=(1, 1), count_include_pad=1).outputs[0]
    assert counted.format == integers(0, 765)
    assert counted.encoding == Encoding(source="AveragePool", step=Fraction(1, 9), derived=True)


def test_parts_of_a_tensor_of_several_widths_have_the_widest() -> None:
    x = encoded(2, 5, format=Mixed(bits=8, integer=8, signed=True, shares=((8, 1), (4, 1))))
    assert run("Transpose", x).outputs[0].format == x.format
    for op, inputs in (("Slice", (x, known(0), known(1))), ("Concat", (x, x)), ("Pad", (x, known(0, 1, 0, 1)))):
        assert run(op, *inputs, axis=0).outputs[0].format == Fixed(bits=8, integer=8)


def test_what_is_computed_anew_keeps_nothing() -> None:
    x = encoded(1, 5, 7)
    slope, scale = tensor(5, 1, constant=True), tensor(7, constant=True)
    assert of("Tanh", x) == of("PRelu", encoded(1, 5, 7, format=Fixed(bits=8, integer=8)), slope) == ("None", None)
    assert of("ScatterElements", x, known(*[0] * 35, shape=(1, 5, 7)), x, reduction="add") == ("None", None)
    assert of("ReduceProd", x) == of("CumProd", x, known(1)) == of("Add", x, scale) == ("None", None)
    assert of("BitCast", encoded(5, dtype="int8"), to=2) == ("None", None)
    assert of("GlobalAveragePool", encoded(1, 5, symbol("n"))) == ("None", None)


def test_quantized_operators_keep_nothing_of_their_inputs() -> None:
    """What their integers mean their own scale says."""
    number, scale, zero = encoded(5, 7, dtype="uint8"), known(0.25, shape=(), dtype="float32"), known(7, shape=())
    assert of("QLinearAdd", number, scale, zero, number, scale, zero, scale, zero) == ("None", None)
    assert of("QLinearConcat", scale, zero, number, scale, zero, axis=0) == ("None", None)
    pooled = encoded(1, 5, 7, dtype="uint8")
    assert of("QLinearAveragePool", pooled, scale, zero, scale, zero, kernel_shape=(3,)) == ("None", None)


EXACT: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    *((op, ("signed",), {}) for op in ("Relu", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round")),
    *((op, ("signed", "unsigned"), {}) for op in ("Add", "Sub", "Mul", "Max", "Min", "Sum")),
    *((op, ("unsigned", "number"), {}) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    *((op, ("bipolar", "number"), {}) for op in ("Add", "Mul", "Div")),
    *((op, ("bipolar",), {}) for op in ("Relu", "Neg", "Abs", "Sign")),
    ("Mul", ("bipolar", "bipolar turned"), {}),
    ("LeakyRelu", ("signed",), {"alpha": 0.25}),
    ("PRelu", ("signed", "number"), {}),
]


@pytest.mark.parametrize(("op", "names", "attributes"), EXACT, ids=lambda value: str(value))
def test_onnx_computes_the_numbers_of_the_grid(op: str, names: tuple[str, ...], attributes: dict[str, Any]) -> None:
    """ONNX's reference on all pairs of stored integers: every result is on the grid, its ends are reached."""
    step = {"signed": 0.5, "unsigned": 0.25, "bipolar": 0.5, "bipolar turned": 1.5}
    low = {"signed": range(-8, 8), "unsigned": range(16), "bipolar": (-1, 1), "bipolar turned": (-1, 1)}
    # A quotient by this number is a float without an error.
    number = -0.5 if op == "Div" else -1.75
    arrays, inputs = [], []
    for place, name in enumerate(names):
        if name == "number":
            arrays.append(np.full((1, 1), number, np.float32))
            inputs.append(known(number, shape=(1, 1), dtype="float32"))
            continue
        numbers = np.array([n * step[name] for n in low[name]], np.float32)
        arrays.append(numbers.reshape((-1, 1) if place == 0 else (1, -1)))
        held = Binary() if name.startswith("bipolar") else integers(low[name][0], low[name][-1])
        inputs.append(encoded(*arrays[-1].shape, format=held, step=Fraction(step[name])))
    (found,) = by_onnx(op, arrays, version=18, **attributes)
    grid = grid_of(run(op, *inputs, **attributes).outputs[0])
    assert grid is not None and grid.step is not None
    places = {Fraction(float(each)) / grid.step for each in found.ravel()}
    assert places <= set(range(grid.low, grid.high + 1, grid.stride))
    assert (min(places), max(places)) == (grid.low, grid.high)
