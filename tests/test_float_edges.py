"""Where quantized weights meet floats, who says so; where formats come from; and sums by number format."""

from __future__ import annotations

import json
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from nncomplexity.metrics import BY_KEY
from onnx import TensorProto
from reference.quantized_files import UINT8, File

WEIGHTS = np.array([[3, -7, 0], [1, 9, 5], [-8, 2, 6], [4, 0, -1], [7, 7, -3]])
NOTHING = "whose width nothing says; --input-bits N says that of inputs"
CONVENTIONS = ("paper", "exact")


def warnings(file: File | onnx.ModelProto, **more: Any) -> list[str]:
    model = file.model() if isinstance(file, File) else file
    return [text for text in nc.analyze(model, **more).network.warnings if "multiplies quantized weights" in text]


def layer(file: File, x: str, op: str = "MatMul", name: str = "layer", weights: Any = WEIGHTS, **more: Any) -> str:
    return file.node(op, x, file.weight(weights, 0.5), name=name, **more)


def told(name: str, why: str, others: int = 0) -> str:
    more = f" (and {others} more)" if others else ""
    return f"'{name}'{more} multiplies quantized weights by float numbers, {why}"


# Warnings.


@pytest.mark.parametrize("op", ["MatMul", "Gemm", "Conv"])
def test_an_input_that_nothing_is_said_of(op: str) -> None:
    file = File()
    if op == "Conv":
        layer(file, file.input(1, 5, 4), op, weights=np.full((3, 5, 2), 7))
    else:
        layer(file, file.input(2, 5), op)
    assert warnings(file) == [told("layer", NOTHING)]
    assert warnings(file, input_bits=6) == []
    assert warnings(file, quant="w8a8") == []


LSTM = np.full((1, 8, 2), 3)


@pytest.mark.parametrize("op", ["LSTM", "ConvTranspose", "Einsum"])
def test_every_linear_operator_warns(op: str) -> None:
    file = File()
    if op == "LSTM":
        x = file.input(3, 1, 2)
        file.node("LSTM", x, file.weight(LSTM, 0.5), file.weight(LSTM, 0.5), name="layer", hidden_size=2)
    elif op == "ConvTranspose":
        layer(file, file.input(1, 5, 4), op, weights=np.full((5, 3, 2), 7))
    else:
        layer(file, file.input(2, 5), op, equation="ij,jk->ik")
    assert warnings(file) == [told("layer", NOTHING)]


def test_quantized_numbers_on_both_sides_are_no_edge() -> None:
    file = File()
    layer(file, file.both(file.input(2, 5), 0.1))
    assert warnings(file) == []


def test_float_weights_are_no_edge() -> None:
    file = File()
    file.node("MatMul", file.input(2, 5), file.constant(WEIGHTS), name="layer")
    assert warnings(file) == []


@pytest.mark.parametrize("op", ["BatchNormalization", "Sigmoid", "Softmax", "Exp"])
def test_the_node_that_made_a_float(op: str) -> None:
    file = File()
    more = [file.constant([0.3] * 5)] * 4 if op == "BatchNormalization" else []
    x = file.node(op, file.both(file.input(2, 5), 0.1), *more, name="culprit")
    layer(file, x)
    assert warnings(file) == [told("layer", f"made float by node 'culprit' ({op})")]


def test_a_quantizer_behind_mends_it() -> None:
    file = File()
    x = file.node("Sigmoid", file.both(file.input(2, 5), 0.1), name="culprit")
    layer(file, file.both(x, 1 / 256, type=UINT8))
    assert warnings(file) == []


def test_the_first_node_is_named() -> None:
    """Floats stay floats: what made them is what comes first."""
    file = File()
    x = file.node("Tanh", file.both(file.input(2, 5), 0.1), name="first")
    x = file.node("Relu", file.node("Sigmoid", x, name="second"), name="third")
    layer(file, x)
    assert warnings(file) == [told("layer", "made float by node 'first' (Tanh)")]


def several() -> onnx.ModelProto:
    """Four layers behind one table, one behind another, two on an input that nothing is said of."""
    file = File()
    x = file.both(file.input(2, 5), 0.1)
    one, two = (file.node("Sigmoid", x, name=name) for name in ("one", "two"))
    outputs = [layer(file, one, name=f"a{index}") for index in range(3)]
    outputs.append(layer(file, file.node("Relu", one), name="a3"))
    outputs.append(layer(file, two, name="b"))
    other = file.input(3, 5, name="other")
    outputs += [layer(file, other, name=f"c{index}") for index in range(2)]
    return file.model(*outputs)


def test_one_line_for_one_cause() -> None:
    assert warnings(several()) == [
        told("a0", "made float by node 'one' (Sigmoid)", 3),
        told("b", "made float by node 'two' (Sigmoid)"),
        told("c0", NOTHING, 1),
    ]


def test_declared_inputs_leave_the_causes_that_they_do_not_mend() -> None:
    assert warnings(several(), input_bits=7) == [
        told("a0", "made float by node 'one' (Sigmoid)", 3),
        told("b", "made float by node 'two' (Sigmoid)"),
    ]


def test_the_command_says_it_once(save: Any, run: Any) -> None:
    file = File()
    x = file.input(2, 5)
    name = save(file.model(layer(file, x, name="first"), layer(file, x, name="second")))
    assert run("report", name).err.count("multiplies quantized weights") == 1
    assert "--input-bits N" in run("report", name).err
    assert "multiplies quantized weights" not in run("report", name, "-q").err
    found = json.loads(run("report", name, "-f", "json").out)["warnings"]
    assert found == [told("first", NOTHING, 1)]


def test_layers_behind_each_other_have_one_cause() -> None:
    """No node made numbers floats: the input was, and --input-bits mends both layers."""
    file = File()
    layer(file, layer(file, file.input(2, 5), name="first"), name="second", weights=WEIGHTS[:3])
    assert warnings(file, input_bits=6) == []
    assert warnings(file) == [told("first", NOTHING, 1)]


# --input-bits.


@pytest.mark.parametrize(
    ("path", "bits", "signed"),
    [
        (("Reshape",), 7, True),
        (("Relu",), 6, False),
        (("Concat",), 7, True),
        (("Relu", "Concat"), 7, True),
        (("Reshape", "Relu"), 6, False),
        (("Transpose", "Reshape", "Identity"), 7, True),
    ],
)
def test_declared_bits_go_through_the_graph(path: tuple[str, ...], bits: int, signed: bool) -> None:
    """A rectifier leaves the sign out; beside what was not rectified it is there again."""
    file = File()
    first = x = file.input(2, 5)
    for op in path:
        if op == "Reshape":
            x = file.node(op, x, file.constant([2, 5], TensorProto.INT64))
        elif op == "Concat":
            x = file.node(op, x, first, axis=0)
        elif op == "Transpose":
            x = file.node(op, x, perm=[1, 0])
        else:
            x = file.node(op, x)
    layer(file, x)
    assert warnings(file) == [told("layer", NOTHING)]
    report = nc.analyze(file.model(), input_bits=7)
    assert warnings(file, input_bits=7) == []
    format = report["layer"].row.formats["input"]
    assert (format.bits, format.signed) == (bits, signed)
    rows = 4 if "Concat" in path else 2
    assert report["layer"].metrics["bop_mac"] == rows * 15 * bits * 8
    assert any(line.startswith("--input-bits 7") for line in report.assumptions)


def test_declared_bits_end_at_a_table() -> None:
    file = File()
    layer(file, file.node("Sigmoid", file.input(2, 5), name="culprit"))
    assert warnings(file, input_bits=7) == [told("layer", "made float by node 'culprit' (Sigmoid)")]


# Encodings.


def dense(step: float = 0.25, zero: int = 3) -> onnx.ModelProto:
    file = File()
    layer(file, file.both(file.input(2, 5), step, zero, UINT8))
    return file.model()


def test_encodings_in_json() -> None:
    layers = json.loads(nc.analyze(dense()).to_json())["layers"]
    assert [sorted(each.get("encodings", {})) for each in layers] == [[], [], [], ["input", "weight"]]
    found = layers[-1]["encodings"]
    assert found["input"].startswith("uint8, step 2^-2, zero point 3 (QDQ: DequantizeLinear node")
    assert found["weight"].startswith("int8, step 2^-1 (QDQ: DequantizeLinear node")
    odd = json.loads(nc.analyze(dense(0.3, 0)).to_json())["layers"][-1]["encodings"]
    assert odd["input"].startswith("uint8, step 0.3 (QDQ")


def test_encodings_of_channels_and_blocks() -> None:
    file = File()
    x = file.both(file.input(2, 5), 0.25)
    x = file.node("MatMul", x, file.weight(WEIGHTS, [0.1, 0.2, 0.3], axis=1), name="channels")
    scales = np.arange(1.0, 9.0).reshape(2, 4)
    stored = file.constant(np.ones((3, 4), int), TensorProto.INT8)
    zeros = file.constant(np.zeros((2, 4), int), TensorProto.INT8)
    weight = file.node("DequantizeLinear", stored, file.constant(scales), zeros, axis=0, block_size=2)
    file.node("MatMul", x, weight, name="blocks")
    report = nc.analyze(file.model())
    assert str(report["channels"].row.encodings["weight"]).startswith("int8, steps per channel along axis 1 (QDQ")
    blocks = str(report["blocks"].row.encodings["weight"])
    assert blocks.startswith("int8, steps per block along axis 0 in blocks of 2 (QDQ")


def test_an_encoding_that_arithmetic_made_names_no_dialect() -> None:
    file = File()
    layer(file, file.node("Relu", file.both(file.input(2, 5), 0.25), name="relu"))
    row = nc.analyze(file.model())["layer"].row
    assert row.encodings["input"].derived and row.encodings["input"].dialect == ""
    assert "Relu" in str(row.encodings["input"])
    assert row.formats_from == "QDQ"


def test_explain_says_what_integers_mean(save: Any, run: Any) -> None:
    text = run("explain", save(dense()), "layer").out
    assert "uint8, step 2^-2, zero point 3" in text
    assert "int8, step 2^-1" in text
    assert "QDQ" in text


# Who says the formats.


def test_formats_from() -> None:
    qdq, qonnx, both, plain = File(), File(), File(), File()
    layer(qdq, qdq.both(qdq.input(2, 5), 0.1))
    x = qonnx.quant(qonnx.input(2, 5), 4.0)
    qonnx.node("MatMul", x, qonnx.quant(qonnx.constant(WEIGHTS), 5.0), name="layer")
    x = both.both(both.input(2, 5), 0.1)
    both.node("MatMul", x, both.quant(both.constant(WEIGHTS), 5.0), name="layer")
    plain.node("MatMul", plain.input(2, 5), plain.constant(WEIGHTS), name="layer")
    files = (qdq, qonnx, both, plain)
    found = [nc.analyze(file.model())["layer"].row.formats_from for file in files]
    assert found == ["QDQ", "QONNX", "QDQ, QONNX", "model"]
    asked = [nc.analyze(file.model(), quant="w4a6")["layer"].row for file in files]
    assert [row.formats_from for row in asked] == ["--quant w4a6"] * 4
    assert [(row.formats["weight"].bits, row.formats["input"].bits) for row in asked] == [(4, 6)] * 4
    assert [dict(row.encodings) for row in asked] == [{}] * 4
    layers = json.loads(nc.analyze(both.model()).to_json())["layers"]
    assert layers[-1]["formats_from"] == "QDQ, QONNX"


# Sums by number format.


def test_labels_of_number_formats() -> None:
    """2x5 by 5x3: 30 products of 8 and 8 bits, 24 additions in 8 + 8 + 3 bits, 15 parameters, 6 numbers written."""
    groups = nc.analyze(dense()).grouped("dtype")
    assert list(groups) == ["uint8 x int8", "add int19", "parameter int8", "output int19"]
    assert (groups["uint8 x int8"].rm, groups["uint8 x int8"].bop) == (30, 30 * 64)
    assert (groups["add int19"].add, groups["add int19"].bop) == (24, 24 * 19)
    assert (groups["parameter int8"].params, groups["parameter int8"]["weight_bits"]) == (15, 15 * 8)
    assert groups["output int19"]["activation_bits"] == 6 * 19


@pytest.mark.parametrize(("bits", "label"), [(4.0, "int6 x int4"), (1.0, "int6 x binary")])
def test_labels_of_narrow_formats(bits: float, label: str) -> None:
    file = File()
    x = file.quant(file.input(2, 5), 6.0)
    file.node("MatMul", x, file.quant(file.constant(WEIGHTS), bits), name="layer")
    groups = nc.analyze(file.model()).grouped("dtype")
    assert groups[label].rm == 30 and groups[label].bop == 30 * 6 * bits


def test_labels_of_floats() -> None:
    file = File()
    layer(file, file.input(2, 5))
    groups = nc.analyze(file.model()).grouped("dtype")
    assert groups["float32 x int8"].bop == 30 * 32 * 8
    assert groups["float32 x int8"].nabs is None


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("key", ["dtype", "role"])
def test_groups_sum_to_the_totals(key: str, convention: str) -> None:
    """Two layers of different widths, one behind an input that nothing is said of."""
    file = File()
    x = layer(file, file.both(file.input(2, 5), 0.1, 3, UINT8), name="first")
    x = file.both(file.node("Relu", x), 0.7)
    x = file.node("MatMul", x, file.quant(file.constant(WEIGHTS[:3]), 3.0), name="second")
    other = layer(file, file.input(2, 5, name="other"), name="third")
    report = nc.analyze(file.model(x, other), convention=convention)
    groups = report.grouped(key)
    for metric, total in report.totals.items():
        if BY_KEY[metric].largest or BY_KEY[metric].asked:
            continue
        values = [group[metric] for group in groups.values()]
        assert (None if None in values else sum(values)) == total, metric


def test_the_command_groups_by_number_format(save: Any, run: Any) -> None:
    out = run("report", save(dense()), "--by", "dtype", "--metric", "rm,bop,weight_bits").out
    rows = {line.split("  ")[0].strip(): line for line in out.splitlines() if line.strip()}
    assert "uint8 x int8" in rows and "1,920" in rows["uint8 x int8"].replace("1920", "1,920")
    assert "add int19" in rows and "parameter int8" in rows
