"""Kernels of what nodes of a file compute: pooling, normalization, elementwise arithmetic, activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import pytest
from nncomplexity.hw import verify
from nncomplexity.hw.building import Kernel, build
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.parsers.model import read_network
from nncomplexity.quantization import parse_quantization
from nncomplexity.works import layer_of
from onnx import TensorProto, helper, numpy_helper

needs_pyosys = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")
SHAPE = [2, 3, 4]
ONE = 1 << 5
CUT = 6


def node(
    op: str,
    shapes: Sequence[Sequence[int]] = (SHAPE,),
    weights: Mapping[str, Any] | None = None,
    opset: int = 21,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one node, its inputs first."""
    inputs = [helper.make_tensor_value_info(f"i{n}", TensorProto.FLOAT, each) for n, each in enumerate(shapes)]
    held = [numpy_helper.from_array(np.asarray(each, np.float32), name) for name, each in (weights or {}).items()]
    names = [*(each.name for each in inputs), *(each.name for each in held)]
    made = helper.make_node(op, names, ["y"], "node", **attributes)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([made], "graph", inputs, [output], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def layer(model: onnx.ModelProto, quant: str = "w6a6") -> Any:
    """What the node computes, as a layer."""
    row = read_network(model, Bindings(), parse_quantization(quant)).rows[-1]
    assert row.work is not None
    return layer_of(row.work, "node")


def cut(value: int, dropped: int = 0, bits: int = CUT) -> int:
    """Bits behind the point cut off, then so many kept."""
    half = 1 << (bits - 1)
    return ((value >> dropped) + half) % (2 * half) - half


def near(value: float | Fraction, bits: int = CUT, point: int = 5) -> int:
    half = 1 << (bits - 1)
    if isinstance(value, float) and math.isinf(value):
        return half - 1 if value > 0 else -half
    return min(max(math.floor(Fraction(value) * (1 << point) + Fraction(1, 2)), -half), half - 1)


def sigmoid(x: int) -> int:
    return near(1 / (1 + math.exp(-x / ONE)))


EVERY = list(range(-ONE, ONE))
QUARTER, TOP = near(0.25), near(1.0)
ACTIVATIONS: dict[str, tuple[onnx.ModelProto, Callable[[int], int]]] = {
    "Relu": (node("Relu"), lambda x: max(x, 0)),
    "LeakyRelu": (node("LeakyRelu", alpha=0.25), lambda x: x if x >= 0 else cut(x * QUARTER, 5)),
    "Clip": (
        node("Clip", weights={"low": np.array(-0.25), "high": np.array(0.5)}),
        lambda x: min(max(x, -QUARTER), near(0.5)),
    ),
    "Elu": (
        node("Elu", alpha=0.25),
        lambda x: x if x >= 0 else cut(cut(near(math.exp(x / ONE)) - TOP) * QUARTER, 5),
    ),
    "HardSigmoid": (
        node("HardSigmoid", alpha=0.25, beta=0.5),
        lambda x: max(min(cut(cut(x * QUARTER, 5) + near(0.5)), TOP), 0),
    ),
    "Sigmoid": (node("Sigmoid"), sigmoid),
    "Tanh": (node("Tanh"), lambda x: near(math.tanh(x / ONE))),
    "Softplus": (node("Softplus"), lambda x: near(math.log1p(math.exp(x / ONE)))),
    "Swish": (node("Swish", opset=24), lambda x: cut(x * sigmoid(x), 5)),
    "Gelu": (
        node("Gelu"),
        lambda x: cut(
            cut(x * near(0.5), 5) * cut(near(math.erf(cut(x * near(math.sqrt(0.5)), 5) / ONE)) + TOP),
            5,
        ),
    ),
    "Neg": (node("Neg"), lambda x: -x),
    "Sqrt": (node("Sqrt"), lambda x: near(math.sqrt(max(x, 0) / ONE))),
    "Exp": (node("Exp"), lambda x: near(math.exp(x / ONE))),
    "Log": (node("Log"), lambda x: near(math.log(x / ONE)) if x > 0 else -ONE),
    "Reciprocal": (node("Reciprocal"), lambda x: near(ONE / x) if x else ONE - 1),
    "Erf": (node("Erf"), lambda x: near(math.erf(x / ONE))),
    "Pow": (node("Pow", weights={"e": np.array(3.0)}), lambda x: cut(x * x, 5) * x),
}


def single(kernel: Kernel, **inputs: Any) -> Any:
    (found,) = kernel.trace({name: [np.array(values)] for name, values in inputs.items()})
    return found["y0"]


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("op", ACTIVATIONS)
def test_every_number_of_six_bits(op: str, style: str) -> None:
    model, function = ACTIVATIONS[op]
    made = layer(model)
    assert made.executions == 24
    found = single(build(made, style), x0=[[x] for x in EVERY])
    assert found.ravel().tolist() == [function(x) for x in EVERY]


def drawn(elements: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(-ONE, ONE, (29, elements))


def test_the_slope_of_prelu_is_a_weight() -> None:
    kernel = build(layer(node("PRelu", weights={"slope": np.zeros([3, 1])})), "mac")
    x, slope = drawn(1), drawn(1, 1)
    ports = {kernel.names["constant"]: slope}
    (found,) = kernel.trace({"x0": [x]}, ports)
    # Five bits behind the point of x, five of the slope.
    assert (found["y0"] == np.where(x >= 0, x << 5, x * slope)).all()


@pytest.mark.parametrize(
    ("model", "equation"),
    [
        (node("Add", [SHAPE, SHAPE]), lambda x, y: x + y),
        (node("Sub", [SHAPE, [4]]), lambda x, y: x - y),
        (node("Mul", [SHAPE, SHAPE]), lambda x, y: x * y),
    ],
)
def test_two_numbers(model: onnx.ModelProto, equation: Callable[[Any, Any], Any]) -> None:
    x, y = drawn(1, 2), drawn(1, 3)
    assert (single(build(layer(model)), x0=x, x1=y) == equation(x, y)).all()


@pytest.mark.parametrize(
    ("model", "equation", "executions"),
    [
        (node("MaxPool", [[1, 2, 6, 5]], kernel_shape=[3, 2]), lambda x: x.max(axis=1), 32),
        (node("AveragePool", [[1, 2, 6, 5]], kernel_shape=[3, 2]), lambda x: x.sum(axis=1) * near(1 / 6), 32),
        (node("GlobalAveragePool", [[1, 5, 3, 2]]), lambda x: x.sum(axis=1) * near(1 / 6), 5),
        (node("ReduceMean", [[4, 6]], weights=None, axes=[1], opset=17), lambda x: x.sum(axis=1) * near(1 / 6), 4),
        (node("ReduceMin", [[4, 6]], axes=[1], opset=17), lambda x: x.min(axis=1), 4),
        (node("ReduceSumSquare", [[4, 6]], axes=[1], opset=17), lambda x: (x * x).sum(axis=1), 4),
    ],
)
@pytest.mark.parametrize("style", ["mac", "shiftadd"])
def test_a_window_is_a_kernel(model: onnx.ModelProto, equation: Any, executions: int, style: str) -> None:
    made = layer(model)
    assert made.executions == executions
    x = drawn(6, 4)
    assert (single(build(made, style), x0=x).ravel() == equation(x)).all()


@pytest.mark.parametrize(("op", "choose"), [("Max", np.max), ("Min", np.min)])
def test_operands_beside_each_other_enter_together(op: str, choose: Any) -> None:
    kernel = build(layer(node(op, [SHAPE, SHAPE, SHAPE])))
    (port,) = kernel.graph.inputs
    x = drawn(3, 5)
    assert (single(kernel, **{port: x}).ravel() == choose(x, axis=1)).all()


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
def test_batch_normalization_scales_every_channel(style: str) -> None:
    made = layer(node("BatchNormalization", [[2, 3, 5]], {name: np.ones(3) for name in "sbmv"}))
    assert made.executions == 10
    x, scale, bias = drawn(3, 6), [7, -20, 31], [-3, 30, 0]
    known = {"scale": scale, "bias": bias}
    kernel = build(made, style, known if style == "shiftadd" else {})
    ports = {} if style == "shiftadd" else {kernel.names[name]: np.array(each) for name, each in known.items()}
    (found,) = kernel.trace({"x0": [x]}, ports)
    assert (found["y0"] == x * np.array(scale) + (np.array(bias) << 5)).all()


def test_softmax_of_a_row() -> None:
    made = layer(node("Softmax", [[7, 5]]))
    assert made.executions == 7
    x = drawn(5, 7)
    for row, found in zip(x.tolist(), single(build(made), x0=x).tolist(), strict=True):
        powers = [near(math.exp(cut(each - max(row)) / ONE)) for each in row]
        total = sum(powers)
        assert found == [power * near(ONE / total if total else math.inf) for power in powers]


def test_a_layer_is_normalized_row_by_row() -> None:
    quant = "w8,a:fixed<8,3>"
    made = layer(node("LayerNormalization", [[7, 4]], {"s": np.ones(4), "b": np.zeros(4)}, epsilon=0.0625), quant)
    assert made.executions == 7
    x, scale, bias = drawn(4, 8), drawn(4, 9)[:1], drawn(4, 10)[:1]
    kernel = build(made, "mac")
    ports = {kernel.names["scale"]: scale, kernel.names["bias"]: bias}
    (found,) = kernel.trace({"x0": [x]}, ports)

    def kept(value: int, dropped: int = 0) -> int:
        return cut(value, dropped, 8)

    share = near(0.25, 8)
    for row, y in zip(x.tolist(), found["y0"].tolist(), strict=True):
        mean = kept(kept(sum(row)) * share, 5)
        centred = [kept(each - mean) for each in row]
        variance = kept(kept(sum(kept(each * each, 5) for each in centred)) * share, 5)
        root = near(math.sqrt(max(kept(variance + near(0.0625, 8)), 0) / ONE), 8)
        inverse = near(ONE / root if root else math.inf, 8)
        scaled = [kept(kept(each * inverse, 5) * s, 5) for each, s in zip(centred, scale[0].tolist(), strict=True)]
        assert y == [each + b for each, b in zip(scaled, bias[0].tolist(), strict=True)]


PROVED = {
    **{op: ACTIVATIONS[op][0] for op in ("LeakyRelu", "Clip", "Elu", "HardSigmoid", "Sigmoid", "Gelu", "Log", "Pow")},
    "PRelu": node("PRelu", weights={"slope": np.zeros([3, 1])}),
    "HardSwish": node("HardSwish"),
    "Celu": node("Celu", alpha=2.0),
    "Selu": node("Selu"),
    "Mish": node("Mish"),
    "Add of a vector": node("Add", weights={"c": np.ones([3, 1])}),
    "Mul by a vector": node("Mul", weights={"c": np.ones([3, 1])}),
    "Sum": node("Sum", [SHAPE] * 3),
    "Mean": node("Mean", [SHAPE] * 3),
    "MaxPool": node("MaxPool", [[1, 2, 6, 5]], kernel_shape=[3, 2]),
    "AveragePool": node("AveragePool", [[1, 2, 6, 5]], kernel_shape=[3, 2]),
    "LpPool": node("LpPool", [[1, 2, 6, 5]], kernel_shape=[3, 2]),
    "BatchNormalization": node("BatchNormalization", [[2, 3, 5]], {name: np.ones(3) for name in "sbmv"}),
    "LayerNormalization": node("LayerNormalization", [[2, 5]], {"s": np.ones(5), "b": np.zeros(5)}),
    "RMSNormalization": node("RMSNormalization", [[2, 5]], {"s": np.ones(5)}, 23),
    "LpNormalization": node("LpNormalization", [[2, 5]]),
    "LogSoftmax": node("LogSoftmax", [[2, 5]]),
    "ReduceLogSumExp": node("ReduceLogSumExp"),
    "MatMul": node("MatMul", weights={"w": np.ones([4, 5])}),
    "MatMul of variables": node("MatMul", [SHAPE, [2, 4, 5]]),
    "Einsum": node("Einsum", [SHAPE, [5, 4]], equation="bij,kj->bik"),
    "Conv in groups": node("Conv", [[1, 4, 6, 6]], {"w": np.ones([6, 2, 3, 3])}, group=2),
}


@needs_pyosys
@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("name", PROVED)
def test_values_and_counts_are_equal(name: str, style: str) -> None:
    for quant, vectors in (("w5a6", 64), ("w:pot4,a:fixed<12,4>", 20)):
        verdict = verify(layer(PROVED[name], quant), style=style, vectors=vectors)
        assert verdict, f"{quant}: {verdict.first_difference}"


@pytest.mark.parametrize(
    ("model", "fact"),
    [
        (node("Softsign"), "are for counting"),
        (node("Div", [SHAPE, SHAPE]), "are for counting"),
        (node("Hardmax", [[2, 5]]), "are for counting"),
        (node("ReduceL1"), "a comparison keeps one of its operands"),
        (node("Floor"), "no table is known of 'round'"),
    ],
)
def test_what_equations_leave_open_is_refused(model: onnx.ModelProto, fact: str) -> None:
    with pytest.raises(UnsupportedLayer, match=fact):
        build(layer(model))
