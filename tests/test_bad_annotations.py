"""Annotations that mean nothing: refused by name, or an uncounted row with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

GENERAL, MICROSOFT = "qonnx.custom_op.general", "com.microsoft"
NAN, INF = float("nan"), float("inf")
POSITIVE, SIGNED = "a positive finite number [E-QUANT-SCALE]", "a finite number other than 0 [E-QUANT-SCALE]"
WIDTH = "a width is an integer from 1 to 64 [E-BITS]"
Stored = Mapping[str, Any]


def model(nodes: list[onnx.NodeProto], stored: Stored, x: tuple[int, ...], type: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", type, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in stored.items()],
    )
    domains = [helper.make_opsetid(domain, 1) for domain in (GENERAL, MICROSOFT)]
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), *domains])


def call(op: str, inputs: Stored, *, domain: str = "", x: Any = (2, 7), type: int = 1, **more: Any) -> onnx.ModelProto:
    """One node on x and stored inputs."""
    names = [name if given is not None else "" for name, given in inputs.items()]
    kept = {name: given for name, given in inputs.items() if given is not None and name != "x"}
    return model([helper.make_node(op, names, ["y"], "n", domain=domain, **more)], kept, x, type)


def product(op: str, inputs: Stored, domain: str = "", rows: int = 7, **more: Any) -> onnx.ModelProto:
    """x times a weight that one node says something of."""
    nodes = [
        helper.make_node(op, list(inputs), ["w"], "n", domain=domain, **more),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    return model(nodes, inputs, (2, rows), TensorProto.FLOAT)


def f(number: Any) -> Any:
    return np.asarray(number, np.float32)


def spoiled(shape: tuple[int, ...], good: float, bad: float) -> Any:
    """Equal numbers but for one in the middle."""
    array = np.full(shape, good, np.float32)
    array.flat[array.size // 2] = bad
    return array


def quant(s: Any = 0.1, z: Any = 0, b: Any = 4, shape: tuple[int, int] = (7, 5), **more: Any) -> onnx.ModelProto:
    inputs = {"r": np.ones(shape, np.float32), "s": f(s), "z": f(z), "b": f(b)}
    settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **more}
    return product("Quant", inputs, GENERAL, rows=shape[0], **settings)


def dequantized(s: Any = 0.1, z: Any = None, q: Any = None, **more: Any) -> onnx.ModelProto:
    stored = np.ones((7, 5), np.int8) if q is None else q
    inputs = {"q": stored, "s": f(s) if not isinstance(s, np.ndarray) else s}
    return product("DequantizeLinear", inputs if z is None else {**inputs, "z": z}, rows=len(stored), **more)


def float_quant(e: Any = 4, m: Any = 3, bias: Any = 7, most: Any = 240, s: Any = 1, **more: Any) -> onnx.ModelProto:
    inputs = {"r": np.ones((7, 5), np.float32), "s": f(s), "e": f(e), "m": f(m), "bias": f(bias), "most": f(most)}
    return product("FloatQuant", inputs, GENERAL, **more)


def trunc(*given: Any, **more: Any) -> onnx.ModelProto:
    return call("Trunc", {"x": 0} | {f"i{at}": f(each) for at, each in enumerate(given)}, domain=GENERAL, **more)


def qlinear(op: str, domain: str = "", **changed: Any) -> onnx.ModelProto:
    sizes = {"QLinearConv": ((1, 3, 5, 5), (4, 3, 3, 3)), "QLinearAdd": ((2, 7), (2, 7))}
    x, shape = sizes.get(op, ((2, 7), (7, 5)))
    inputs = {"x": 0, "xs": f(0.1), "xz": np.uint8(3), "w": np.ones(shape, np.int8), "ws": f(0.1), "wz": np.int8(0)}
    inputs |= {"ys": f(0.2), "yz": np.uint8(0), **changed}
    return call(op, inputs, domain=domain, x=x, type=TensorProto.UINT8)


def integer(op: str, **changed: Any) -> onnx.ModelProto:
    x, shape = ((1, 3, 5, 5), (4, 3, 3, 3)) if op == "ConvInteger" else ((2, 7), (7, 5))
    inputs = {"x": 0, "w": np.ones(shape, np.int8), "xz": np.uint8(3), "wz": np.int8(0), **changed}
    return call(op, inputs, x=x, type=TensorProto.UINT8)


def blocks(**changed: Any) -> onnx.ModelProto:
    inputs = {"x": 0, "q": np.zeros((5, 3, 8), np.uint8), "s": np.ones(15, np.float32), **changed}
    sizes = {"K": 39, "N": 5, "bits": 4, "block_size": 16}
    return call("MatMulNBits", inputs, domain=MICROSOFT, x=(2, 39), **sizes)


def recurrent(**changed: Any) -> onnx.ModelProto:
    inputs = {"x": 0, "w": np.ones((1, 4, 12), np.int8), "r": np.ones((1, 3, 12), np.int8)}
    inputs |= {"b": None, "lengths": None, "h": None, "c": None, "p": None}
    inputs |= {"ws": f([0.1]), "wz": np.zeros(1, np.int8), "rs": f([0.1]), "rz": np.zeros(1, np.int8), **changed}
    return call("DynamicQuantizeLSTM", inputs, domain=MICROSOFT, x=(5, 2, 4), hidden_size=3)


def cell(place: int, number: float, changed: Stored | None = None) -> onnx.ModelProto:
    shapes = [(2, 3)] * 2 + [(3, 4)] * 4 + [(3, 3)] * 4 + [(3,)] * 4
    inputs = {"x": 0} | {f"w{at}": np.ones(shape, np.float32) for at, shape in enumerate(shapes)}
    inputs |= {f"i{at}": f((0.1, 0, 6)[at % 3]) for at in range(33)}
    return call("QuantLSTMCell", {**inputs, f"i{place}": f(number), **(changed or {})}, domain=GENERAL, x=(5, 2, 4))


def thresholds(name: str, steps: int = 3) -> onnx.ModelProto:
    return call("MultiThreshold", {"x": 0, "t": np.ones((1, steps), np.float32)}, domain=GENERAL, out_dtype=name)


def computed(number: Any) -> onnx.ModelProto:
    """A bit width that is twice a stored number."""
    nodes = [
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Mul", ["half", "two"], ["b"]),
        helper.make_node("Quant", ["r", "s", "z", "b"], ["w"], "n", domain=GENERAL),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    stored = {"half": f(number), "r": np.ones((7, 5), np.float32), "s": f(0.1), "z": f(0)}
    return model(nodes, stored, (2, 7), TensorProto.FLOAT)


TYPES = "BINARY, BIPOLAR, TERNARY, INT4, UINT4, SCALEDINT<8>, FIXED<8,4>, FLOAT<4,3,7>, FLOAT16, FLOAT32"
MODES = "ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN, ROUND_TO_ZERO"
SHOWN = {NAN: "nan", INF: "inf", 0: "0.0", -0.5: "-0.5"}
BROADCAST = "does not broadcast to input [7,5] [E-QUANT-SHAPE]"
ENTRIES: list[tuple[Callable[[], onnx.ModelProto], str]] = [
    *((lambda bad=bad: quant(s=bad), f"scale is {shown}, expected {POSITIVE}") for bad, shown in SHOWN.items()),
    *(
        (lambda bad=bad: quant(s=spoiled((70,), 0.5, bad), shape=(3, 70)), f"scale is {shown}, expected {POSITIVE}")
        for bad, shown in SHOWN.items()
    ),
    (lambda: quant(s=np.full(3, 0.1)), f"the scale of shape [3] {BROADCAST}"),
    (lambda: quant(s=np.full((2, 7, 5), 0.1)), f"the scale of shape [2,7,5] {BROADCAST}"),
    (lambda: quant(s=np.zeros(0)), f"the scale of shape [0] {BROADCAST}"),
    (lambda: quant(b=np.full(4, 4)), f"the bit width of shape [4] {BROADCAST}"),
    (lambda: quant(z=np.zeros((7, 2))), f"the zero point of shape [7,2] {BROADCAST}"),
    (lambda: quant(z=0.5), "zero point is 0.5, expected an integer [E-QUANT-ZERO]"),
    (lambda: quant(z=NAN), "zero point is nan, expected an integer [E-QUANT-ZERO]"),
    (lambda: quant(z=300), "zero point is 300, expected an integer from -8 to 7 [E-QUANT-ZERO]"),
    (lambda: quant(b=0), f"input 3 asks for 0 bits; {WIDTH}"),
    (lambda: quant(b=-3), f"input 3 asks for -3 bits; {WIDTH}"),
    (lambda: quant(b=4.5), f"input 3 asks for 4.5 bits; {WIDTH}"),
    (lambda: quant(b=1e9), f"input 3 asks for 1e+09 bits; {WIDTH}"),
    (lambda: quant(b=NAN), f"input 3 asks for nan bits; {WIDTH}"),
    (lambda: quant(b=INF), f"input 3 asks for inf bits; {WIDTH}"),
    (lambda: quant(b=spoiled((70,), 4, 0), shape=(3, 70)), f"input 3 asks for 0 bits; {WIDTH}"),
    (lambda: quant(b=spoiled((150, 100), 4, 4.5), shape=(150, 100)), f"input 3 asks for 4.5 bits; {WIDTH}"),
    (lambda: computed(2.25), f"input 3 asks for 4.5 bits; {WIDTH}"),
    (lambda: computed([2, 2, 0, 2, 2]), f"input 3 asks for 0 bits; {WIDTH}"),
    (lambda: quant(signed=7), "attribute 'signed' is 7, expected 0 or 1 [E-QUANT-ATTRIBUTE]"),
    (lambda: quant(narrow=-1), "attribute 'narrow' is -1, expected 0 or 1 [E-QUANT-ATTRIBUTE]"),
    (
        lambda: quant(rounding_mode="SIDEWAYS"),
        f"attribute 'rounding_mode' is 'SIDEWAYS', expected one of {MODES} [E-QUANT-ATTRIBUTE]",
    ),
    (lambda: quant(b=1, narrow=1), "1 bit, signed and narrow, holds no number but 0 [E-QUANT-RANGE]"),
    *((lambda bad=bad: dequantized(s=bad), f"scale is {shown}, expected {POSITIVE}") for bad, shown in SHOWN.items()),
    (
        lambda: dequantized(s=spoiled((100, 90), 0.5, NAN), q=np.ones((200, 90), np.int8), axis=0, block_size=2),
        f"scale is nan, expected {SIGNED}",
    ),
    (
        lambda: dequantized(s=np.full(6, 0.1, np.float32)),
        "scale [6] for input [7,5], expected [5] [E-QUANTIZER-SCALE]",
    ),
    (lambda: dequantized(s=np.full(5, 0.1, np.float32), axis=5), "axis 5 is outside -2..1 [E-AXIS]"),
    (lambda: dequantized(s=np.full(5, 0.1, np.float32), axis=-3), "axis -3 is outside -2..1 [E-AXIS]"),
    (lambda: dequantized(block_size=-1), "block_size is -1, expected 0 or more [E-QUANTIZER-BLOCK]"),
    (
        lambda: dequantized(s=np.full((3, 5), 0.1, np.float32), axis=0, block_size=4),
        "scale [3,5] for input [7,5], expected [2,5] [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: dequantized(s=np.full((5, 5), 0.1, np.float32), axis=0),
        "scale [5,5] for input [7,5], expected [1,5] [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: dequantized(z=np.zeros(5, np.int8)),
        "scale [] and zero point [5] differ in shape [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: dequantized(z=np.uint8(3)),
        "input 0 is int8 and the zero point uint8, expected the same [E-QUANTIZER-TYPE]",
    ),
    (
        lambda: dequantized(q=np.ones((7, 5), np.float32)),
        "input 0 is float32, expected integers or floats of at most 8 bits [E-QUANTIZER-TYPE]",
    ),
    (lambda: dequantized(s=np.array(1, np.int32)), "the scale is int32, expected a float [E-QUANTIZER-TYPE]"),
    (
        lambda: dequantized(q=np.ones((7, 5), np.int32), z=np.int32(5)),
        "zero point of int32 is 5, expected 0 [E-QUANT-ZERO]",
    ),
    (
        lambda: call("QuantizeLinear", {"x": 0, "s": f(-0.5), "z": np.int8(0)}),
        f"scale is -0.5, expected {POSITIVE}",
    ),
    (
        lambda: call("QuantizeLinear", {"x": 0, "s": f(0.5)}, type=TensorProto.INT8),
        "input 0 is int8, expected floats or int32 [E-QUANTIZER-TYPE]",
    ),
    (lambda: float_quant(e=-4), "input 2 asks for -4 bits; a width is an integer from 0 to 64 [E-BITS]"),
    (lambda: float_quant(m=100), "input 3 asks for 100 bits; a width is an integer from 0 to 64 [E-BITS]"),
    (lambda: float_quant(e=40, m=40), f"inputs 2 and 3 ask for a float of 81 bits; {WIDTH}"),
    (lambda: float_quant(e=0, m=0), f"inputs 2 and 3 ask for no exponent and no mantissa; {WIDTH}"),
    (lambda: float_quant(bias=NAN), "exponent bias is nan, expected a finite number [E-QUANT-FLOAT]"),
    (lambda: float_quant(most=0), "greatest value is 0.0, expected a positive finite number [E-QUANT-FLOAT]"),
    (lambda: float_quant(s=INF), f"scale is inf, expected {POSITIVE}"),
    (lambda: call("BipolarQuant", {"x": 0, "s": f(NAN)}, domain=GENERAL), f"scale is nan, expected {POSITIVE}"),
    (lambda: trunc(0.1, 0, 4, 8), "Trunc makes 8 bits of 4, expected no more than before [E-BITS]"),
    (lambda: trunc(0.1, 0, NAN, 4), f"input 3 asks for nan bits; {WIDTH}"),
    (lambda: trunc(0.1, 0, 8, 0, 4), f"out_scale is 0.0, expected {POSITIVE}"),
    (lambda: trunc(0.1, NAN, 8, 4), "zero point is nan, expected an integer [E-QUANT-ZERO]"),
    (
        lambda: thresholds("UINT-3"),
        f"out_dtype is 'UINT-3', expected a data type such as {TYPES} [E-QUANT-TYPE]",
    ),
    (
        lambda: thresholds("UINT2", 15),
        "15 thresholds make 16 levels, out_dtype UINT2 holds 4 [E-QUANT-RANGE]",
    ),
    (lambda: qlinear("QLinearMatMul", xs=f(NAN)), f"the scale at input 1 is nan, expected {POSITIVE}"),
    (lambda: qlinear("QLinearMatMul", ys=f(0)), f"the scale at input 6 is 0.0, expected {POSITIVE}"),
    (
        lambda: qlinear("QLinearMatMul", wz=np.uint8(3)),
        "input 3 is int8 and its zero point uint8, expected the same [E-QUANTIZER-TYPE]",
    ),
    (
        lambda: qlinear("QLinearMatMul", ws=np.full(4, 0.1, np.float32)),
        "the scale at input 4 has shape [4] for input [7,5], expected one number or 5 [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: qlinear("QLinearConv", wz=np.zeros(3, np.int8)),
        "the zero point at input 5 has shape [3] for input [4,3,3,3], expected one number or 4 [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: qlinear("QLinearConv", ws=spoiled((4,), 0.5, -0.5)),
        f"the scale at input 4 is -0.5, expected {POSITIVE}",
    ),
    (
        lambda: qlinear("QLinearConv", yz=f(0)),
        "the zero point at input 7 is float32, expected integers [E-QUANTIZER-TYPE]",
    ),
    (
        lambda: qlinear("QLinearAdd", MICROSOFT, ws=np.full(7, 0.1, np.float32)),
        "the scale at input 4 has shape [7], expected one number [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: integer("ConvInteger", wz=np.zeros(3, np.int8)),
        "the zero point at input 3 has shape [3] for input [4,3,3,3], expected one number or 4 [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: integer("MatMulInteger", wz=np.zeros((7, 5), np.int8)),
        "the zero point at input 3 has shape [7,5] for input [7,5], expected one number or 5 [E-QUANTIZER-SCALE]",
    ),
    (
        lambda: integer("MatMulInteger", xz=np.int8(3)),
        "input 0 is uint8 and its zero point int8, expected the same [E-QUANTIZER-TYPE]",
    ),
    (
        lambda: blocks(s=np.ones(14, np.float32)),
        "the scales are 14, expected 15 (3 blocks for each of 5 columns) [E-NBITS-SIZE]",
    ),
    (
        lambda: blocks(z=np.zeros((5, 3), np.uint8)),
        "the zero points are 15, expected 10 (3 blocks for each of 5 columns, 4 bits each) [E-NBITS-SIZE]",
    ),
    (lambda: blocks(s=spoiled((15,), 1, INF)), "scale is inf, expected a finite number [E-QUANT-SCALE]"),
    (lambda: recurrent(ws=f([NAN])), f"the scale at input 8 is nan, expected {POSITIVE}"),
    (
        lambda: recurrent(rz=np.zeros(7, np.int8)),
        "the zero point at input 11 has shape [7], expected [1] or [1,12] [E-QUANTIZER-SCALE]",
    ),
    (lambda: cell(2, 4.5), f"input 17 asks for 4.5 bits; {WIDTH}"),
    (lambda: cell(2, 0), f"input 17 asks for 0 bits; {WIDTH}"),
    (lambda: cell(30, INF), f"the scale at input 45 is inf, expected {POSITIVE}"),
    (
        lambda: cell(0, 0.5, {"w3": np.ones((3, 9), np.float32)}),
        "input weights of shapes [3,4] and [3,9], expected the same [E-LSTM-WEIGHT]",
    ),
    (lambda: cell(4, 0.5), "zero point is 0.5, expected an integer [E-QUANT-ZERO]"),
]


@pytest.mark.parametrize(("build", "expected"), ENTRIES, ids=[text for _, text in ENTRIES])
def test_what_means_nothing_is_refused_by_name(build, expected, save, run):
    path = save(build())
    for convention in ("paper", "exact"):
        found = run("report", path, "--convention", convention)
        op = next(node.op_type for node in onnx.load(path).graph.node if node.name == "n")
        assert (found.code, found.out) == (3, "")
        assert found.err == f"nncomplexity: error: m.onnx: node 'n' ({op}): {expected}\n"
        assert len(expected) <= 300


MANY = (150, 100)
LATE: list[tuple[Callable[[], onnx.ModelProto], str]] = [
    (lambda: quant(s=spoiled(MANY, 0.5, NAN), shape=MANY), f"scale is nan, expected {POSITIVE}"),
    (lambda: quant(s=spoiled(MANY, 0.5, -0.5), shape=MANY), f"scale is -0.5, expected {POSITIVE}"),
    (lambda: quant(z=spoiled(MANY, 0, 0.5), shape=MANY), "zero point is 0.5, expected an integer [E-QUANT-ZERO]"),
    (
        lambda: quant(z=spoiled(MANY, 0, 300), shape=MANY),
        "zero point is 300, expected an integer of its width [E-QUANT-ZERO]",
    ),
    (
        lambda: dequantized(s=spoiled(MANY, 0.5, INF), q=np.ones((300, 100), np.int8), axis=0, block_size=2),
        f"scale is inf, expected {SIGNED}",
    ),
]


@pytest.mark.parametrize(("build", "expected"), LATE, ids=[text for _, text in LATE])
def test_long_annotations_are_looked_at_with_the_weights(build, expected, save, run):
    path = save(build())
    assert run("report", path).code == 0
    found = run("report", path, "--convention", "exact")
    op = onnx.load(path).graph.node[0].op_type
    assert (found.code, found.out) == (3, "")
    assert found.err.endswith(f"node 'n' ({op}): {expected}\n")


def test_a_width_that_only_the_run_decides_is_seen(save, run):
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["q"], "n", domain=GENERAL),
        helper.make_node("MatMul", ["q", "w"], ["y"], "m"),
    ]
    net = model(nodes, {"s": f(0.1), "z": f(0), "w": np.ones((7, 5), np.float32)}, (2, 7), TensorProto.FLOAT)
    net.graph.input.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, ()))
    for convention in ("paper", "exact"):
        found = run("report", save(net), "-f", "json", "--convention", convention)
        quantizer, matrix = json.loads(found.out)["layers"]
        assert (quantizer["status"], quantizer["reason"]) == (
            "uncounted",
            "the bit width (input 3) is decided by the run",
        )
        assert (matrix["status"], matrix["formats"]["input"]) == ("counted", "float32")


@pytest.mark.parametrize(
    "build",
    [
        lambda: dequantized(s=np.full((4, 5), -0.5, np.float32), axis=0, block_size=2),
        lambda: dequantized(s=np.full((4, 5), 0.5, np.float32), axis=0, block_size=2),
        lambda: dequantized(s=np.full((1, 5), 0.5, np.float32), axis=0, block_size=1 << 40),
        lambda: dequantized(s=np.full((3, 5), 0.5, np.float32), axis=0),
        lambda: quant(b=64),
        lambda: quant(b=64, signed=0),
        lambda: quant(b=1),
        lambda: quant(s=np.full((1, 7, 5), 0.5)),
        lambda: trunc(0.1, 0, 8, 0.4, 4),
        lambda: blocks(s=np.zeros(15, np.float32)),
        lambda: integer("MatMulInteger", wz=np.zeros((1, 5), np.int8)),
    ],
)
def test_what_is_merely_unusual_is_counted(build, save, run):
    path = save(build())
    for convention in ("paper", "exact"):
        assert run("report", path, "--convention", convention).code == 0


@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_an_infinite_scale_of_the_run_leaves_the_rest_counted(convention, save, run):
    """Exporters write it where a mask held nothing but infinities."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "n"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "m"),
        helper.make_node("MatMul", ["x", "w"], ["y"], "k"),
    ]
    net = model(nodes, {"s": f(INF), "z": np.int8(0), "w": np.ones((7, 5), np.float32)}, (2, 7), TensorProto.FLOAT)
    found = run("report", save(net), "-f", "json", "--convention", convention)
    rows = {row["name"]: row for row in json.loads(found.out)["layers"]}
    assert {name: (rows[name]["status"], rows[name]["reason"]) for name in "nm"} == dict.fromkeys(
        "nm", ("uncounted", "the scale is infinite")
    )
    assert rows["k"]["metrics"]["mac"] == 70
