"""Quantizers: formats they state, scales they accept, and the QONNX operators that do count."""

from __future__ import annotations

import pytest
from nncomplexity.accounting import count
from nncomplexity.expressions import substitute, symbol
from nncomplexity.formats import Accumulation, Binary, Fixed, Float, Ternary, format_of_dtype
from nncomplexity.layers.lstm import LSTM
from nncomplexity.operators.rule import Uncounted
from nncomplexity.ops import Kind, Role
from nncomplexity.shapes import Tensor
from reference.calls import caller, refusals

S = symbol("S")
run = caller("quantizers", "qonnx", "quantized_lstm")
refusal = refusals(run)
SCALE = Tensor(dtype="float32", shape=(), constant=True)
INT8 = format_of_dtype("int8")


def tensor(dtype, *shape, **more) -> Tensor:
    return Tensor(dtype=dtype, shape=shape, **more)


def width(*bits) -> Tensor:
    return Tensor(dtype="float32", shape=(len(bits),) if len(bits) > 1 else (), value=bits)


def test_a_dequantized_tensor_still_holds_integers():
    weight = tensor("int8", 4, 3, constant=True, stored=frozenset({"w"}))
    result = run("DequantizeLinear", weight, SCALE, tensor("int8"))
    (y,) = result.outputs
    assert (y.dtype, y.shape, y.format, y.constant, y.stored) == ("float32", (4, 3), INT8, True, {"w"})
    assert result.free == "format statement"
    narrowed = tensor("int8", 4, format=Fixed(bits=4, integer=4))
    assert run("DequantizeLinear", narrowed, SCALE).outputs[0].format == Fixed(bits=4, integer=4)
    assert run("DequantizeLinear", weight, SCALE, output_dtype=10).outputs[0].dtype == "float16"


def test_the_type_of_a_quantized_tensor():
    x = tensor("float32", S, 3, accumulator=Accumulation(8, INT8, INT8))
    y = run("QuantizeLinear", x, SCALE).outputs[0]
    assert (y.dtype, y.shape, y.number, y.accumulator) == ("uint8", (S, 3), format_of_dtype("uint8"), x.accumulator)
    assert run("QuantizeLinear", x, SCALE, tensor("int16")).outputs[0].dtype == "int16"
    assert run("QuantizeLinear", x, SCALE, output_dtype=22).outputs[0].number == Fixed(bits=4, integer=4)
    assert refusal("QuantizeLinear", x, SCALE, tensor("int8"), output_dtype=2) == (
        "output_dtype is uint8 and the zero point int8, expected the same [E-QUANTIZER-TYPE]"
    )


def test_scales_of_every_granularity():
    x = tensor("int8", 6, 8)
    for scale, attributes in (
        ((), {}),
        ((1,), {}),
        ((6,), {"axis": 0}),
        ((8,), {"axis": -1}),
        ((6, 3), {"axis": 1, "block_size": 3}),
        ((2, 8), {"axis": 0, "block_size": 3}),
    ):
        assert run("DequantizeLinear", x, tensor("float32", *scale), **attributes).outputs[0].shape == (6, 8)
    assert run("DequantizeLinear", tensor("int8", 7), tensor("float32", 7)).outputs[0].shape == (7,)
    assert refusal("DequantizeLinear", x, tensor("float32", 6)) == (
        "scale [6] for input [6,8], expected [8] [E-QUANTIZER-SCALE]"
    )
    assert refusal("DequantizeLinear", x, tensor("float32", 6, 2), axis=1, block_size=3) == (
        "scale [6,2] for input [6,8], expected [6,3] [E-QUANTIZER-SCALE]"
    )
    assert refusal("QuantizeLinear", tensor("float32", 6, 8), tensor("float32", 8), tensor("int8", 6)) == (
        "scale [8] and zero point [6] differ in shape [E-QUANTIZER-SCALE]"
    )


def test_dynamic_quantization_has_three_outputs():
    result = run("DynamicQuantizeLinear", tensor("float32", S, 5), wanted=3)
    assert [(t.dtype, t.shape) for t in result.outputs] == [("uint8", (S, 5)), ("float32", ()), ("uint8", ())]


@pytest.mark.parametrize(
    ("bits", "signed", "expected"),
    [
        ((4.0,), 1, Fixed(bits=4, integer=4)),
        ((6.0,), 0, Fixed(bits=6, integer=6, signed=False)),
        ((1.0,), 1, Binary()),
        ((1.0,), 0, Fixed(bits=1, integer=1, signed=False)),
        ((3.0, 4.0, 5.0), 1, Fixed(bits=5, integer=5)),
    ],
)
def test_quant_states_its_width(bits, signed, expected):
    x = tensor("float32", S, 3)
    (y,) = run("Quant", x, SCALE, SCALE, width(*bits), signed=signed).outputs
    assert (y.format, y.shape, y.dtype) == (expected, (S, 3), "float32")


def test_a_width_that_the_run_decides_is_uncounted():
    x = tensor("float32", S, 3)
    with pytest.raises(Uncounted, match=r"^the bit width \(input 3\) is decided by the run$") as raised:
        run("Quant", x, SCALE, SCALE, width(None))
    assert [(y.format, y.shape, y.dtype) for y in raised.value.outputs] == [(None, (S, 3), "float32")]


def test_other_qonnx_statements():
    x = tensor("float32", 2, 3)
    assert run("BipolarQuant", x, SCALE).outputs[0].format == Binary()
    eight = run("FloatQuant", x, SCALE, width(4.0), width(3.0), width(7.0), width(240.0)).outputs[0]
    assert eight.format == Float(bits=8)
    old = run("Trunc", x, SCALE, SCALE, width(8.0), width(4.0)).outputs[0]
    new = run("Trunc", x, SCALE, SCALE, width(8.0), SCALE, width(3.0), signed=0).outputs[0]
    assert (old.format, new.format) == (Fixed(bits=4, integer=4), Fixed(bits=3, integer=3, signed=False))
    assert refusal("Quant", x, SCALE, SCALE, width(65.0)) == (
        "input 3 asks for 65 bits; a width is an integer from 1 to 64 [E-BITS]"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("INT4", Fixed(bits=4, integer=4)),
        ("UINT3", Fixed(bits=3, integer=3, signed=False)),
        ("BINARY", Fixed(bits=1, integer=1, signed=False)),
        ("BIPOLAR", Binary()),
        ("TERNARY", Ternary()),
        ("FLOAT32", format_of_dtype("float32")),
        ("FLOAT16", format_of_dtype("float16")),
        ("FLOAT<4,3,7>", Float(bits=8)),
        ("SCALEDINT<8>", Fixed(bits=8, integer=8)),
        ("FIXED<8,4>", Fixed(bits=8, integer=4)),
        ("FIXED<6,-1>", Fixed(bits=6, integer=-1)),
    ],
)
def test_the_data_types_of_thresholds(name, expected):
    y = run("MultiThreshold", tensor("float32", 2, 3), tensor("float32", 3, 1), out_dtype=name).outputs[0]
    assert y.format == expected


def test_thresholds_are_compared_one_by_one():
    """Loops over elements and thresholds, counting each comparison."""
    rows, channels, steps, seen = 2, 3, 7, 0
    for _ in range(rows * channels):
        seen += sum(1 for _ in range(steps))
    result = run(
        "MultiThreshold", tensor("float32", rows, channels), tensor("float32", channels, steps), out_dtype="UINT3"
    )
    assert [(op.kind, times) for op, times in count(result.work)] == [(Kind.COMPARE, seen)]
    assert result.outputs[0].format == Fixed(bits=3, integer=3, signed=False)
    layout = {"out_dtype": "UINT2", "data_layout": "NHWC"}
    last = run("MultiThreshold", tensor("float32", S, 4, 4, 5), tensor("float32", 5, 3), **layout)
    assert [times for _, times in count(last.work)] == [240 * S]
    assert refusal("MultiThreshold", tensor("float32", 2, 3), tensor("float32", 4, 7), out_dtype="UINT3") == (
        "thresholds of 4 channels for input [2,3] in NCHW [E-THRESHOLD-CHANNELS]"
    )


@pytest.mark.parametrize(("height", "width_", "kernel", "stride"), [(7, 5, 3, 2), (4, 4, 2, 2), (5, 6, 1, 1)])
def test_quantized_average_pooling_adds_its_windows(height, width_, kernel, stride):
    additions = outputs = 0
    for top in range(0, height - kernel + 1, stride):
        for left in range(0, width_ - kernel + 1, stride):
            window = [(top + i, left + j) for i in range(kernel) for j in range(kernel)]
            outputs, additions = outputs + 1, additions + len(window) - 1
    sizes = {"kernel": kernel, "stride": stride, "ibits": 4, "obits": 4}
    result = run("QuantAvgPool2d", tensor("float32", 2, 3, height, width_), **sizes)
    assert sum(times for _, times in count(result.work)) == 6 * additions
    assert result.outputs[0].size == 6 * outputs
    free = run("QuantAvgPool2d", tensor("float32", S, 3, height, width_), **sizes)
    assert substitute(sum((times for _, times in count(free.work)), start=0), {"S": 2}) == 6 * additions


def test_the_cell_counts_as_the_lstm_of_its_sizes():
    steps, batch, inputs, hidden = 5, 2, 8, 16
    bits = Fixed(bits=4, integer=4)
    weights = [tensor("float32", hidden, inputs, format=bits)] * 4 + [
        tensor("float32", hidden, hidden, format=bits)
    ] * 4
    state, bias = tensor("float32", batch, hidden), tensor("float32", hidden)
    statements = [SCALE, SCALE, width(5.0)] + [SCALE, SCALE, width(6.0)] * 10
    x = tensor("float32", steps, batch, inputs, format=Fixed(bits=6, integer=6))
    result = run("QuantLSTMCell", x, state, state, *weights, *[bias] * 4, *statements, wanted=3)
    assert [t.shape for t in result.outputs] == [(5, 2, 16), (2, 16), (2, 16)]
    assert isinstance(result.work, LSTM)
    macs = 0
    for _ in range(steps * batch):
        for _gate in range(4):
            macs += hidden * inputs + hidden * hidden
    inventory = count(result.work)
    products = {op.role: 0 for op, _ in inventory}
    for op, times in inventory:
        products[op.role] += times if op.kind is Kind.MULTIPLY else 0
    assert products[Role.INPUT] + products[Role.RECURRENT] == macs == 15360
    assert result.outputs[0].format == Fixed(bits=5, integer=5)
    first = tensor("float32", batch, steps, inputs)
    turned = run("QuantLSTMCell", first, state, state, *weights, *[bias] * 4, *statements, batch_first=1, wanted=3)
    assert [t.shape for t in turned.outputs] == [(2, 5, 16), (2, 16), (2, 16)]
    assert refusal("QuantLSTMCell", tensor("float32", 5, 2, 9), state, state, *weights, *[bias] * 4, *statements) == (
        "input weights [16,8] for 9 inputs [E-LSTM-WEIGHT]"
    )
