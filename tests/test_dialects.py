"""One small net for every dialect of quantization, against products counted from the integers in numpy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

GENERAL, MICROSOFT = "qonnx.custom_op.general", "com.microsoft"
DOMAINS = (GENERAL, "onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.channels_last", "")
LINEAR = ("input", "recurrent", "contraction", "transform")
ROWS, TERMS, COLUMNS = 3, 7, 5
Array = np.ndarray[Any, Any]


@dataclass
class Truth:
    """Weights of one linear operator: integers, how often each is used, bits of the inputs and of the weights."""

    integers: Array
    uses: Any = ROWS
    input: Any = 8
    weight: Any = 8

    def count(self, kept: Array, each: Any = 1) -> int:
        return int((np.broadcast_to(each, kept.shape) * np.broadcast_to(self.uses, kept.shape))[kept].sum())

    @property
    def bits(self) -> Array:
        return np.asarray(self.input) * np.asarray(self.weight)

    @property
    def every(self) -> Array:
        return np.ones(self.integers.shape, bool)

    @property
    def used(self) -> Array:
        return self.integers != 0

    @property
    def multiplied(self) -> Array:
        size = np.abs(self.integers.astype(np.float64))
        mantissas, _ = np.frexp(size)
        return self.used & (mantissas != 0.5)


@dataclass
class Net:
    """A model in the making; `x` is its input."""

    opset: int = 21
    shape: tuple[int, ...] = (ROWS, TERMS)
    type: int = TensorProto.FLOAT
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: list[onnx.TensorProto] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def init(self, numbers: Any, type: int = TensorProto.FLOAT) -> str:
        name, array = f"c{len(self.stored)}", np.asarray(numbers)
        self.stored.append(helper.make_tensor(name, type, array.shape, array.ravel().tolist()))
        return name

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], domain=domain, **attributes))
        return name

    def integers(self, low: int, high: int, *shape: int) -> Array:
        """Integers among which 0, powers of two and the rest all occur."""
        return self.random.integers(low, high, shape or (TERMS, COLUMNS), endpoint=True)

    def activation(self, type: int = TensorProto.UINT8) -> str:
        """x behind a quantizer and a dequantizer."""
        scale, zero = self.init(0.1), self.init(3, type)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", "x", scale, zero), scale, zero)

    def quant(self, x: str, bits: Any, scale: Any = 0.25, zero: Any = 0, domain: str = GENERAL, **more: Any) -> str:
        settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **more}
        inputs = (self.init(scale), self.init(zero), bits if isinstance(bits, str) else self.init(bits))
        return self.node("Quant", x, *inputs, domain=domain, **settings)

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", self.type, self.shape)],
            [helper.make_tensor_value_info(self.nodes[-1].output[0], TensorProto.FLOAT, None)],
            self.stored,
        )
        domains = {"": self.opset} | {node.domain: 1 for node in self.nodes if node.domain}
        return helper.make_model(graph, opset_imports=[helper.make_opsetid(*each) for each in domains.items()])


Case = Callable[[Net], Truth]
CASES: dict[str, tuple[int, Case]] = {}


def case(name: str, opset: int = 21) -> Callable[[Case], Case]:
    def keep(build: Case) -> Case:
        assert name not in CASES
        CASES[name] = opset, build
        return build

    return keep


def ends(type: str) -> tuple[int, int]:
    bits = int(type.removeprefix("U").removeprefix("INT"))
    return (0, 2**bits - 1) if type.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def qdq(type: str, granularity: str, domain: str = "") -> Case:
    """Stored integers behind a DequantizeLinear of one scale, one a column, or one for three rows of a column."""

    def build(net: Net) -> Truth:
        low, high = ends(type)
        code, stored = getattr(TensorProto, type), net.integers(low, high)
        size = {"tensor": (), "axis": (COLUMNS,), "blocked": (3, COLUMNS)}[granularity]
        zeros = net.random.integers(low, high, size, endpoint=True)
        scales = net.random.uniform(0.1, 0.9, size)
        more = {"tensor": {}, "axis": {"axis": 1}, "blocked": {"axis": 0, "block_size": 3}}[granularity]
        inputs = net.init(stored, code), net.init(scales), net.init(zeros, code)
        net.node("MatMul", net.activation(), net.node("DequantizeLinear", *inputs, domain=domain, **more))
        taken = np.repeat(zeros, 3, axis=0)[:TERMS] if granularity == "blocked" else zeros
        return Truth(stored - taken, weight=int(type.removeprefix("U").removeprefix("INT")))

    return build


for version in (10, 13, 19, 21, 23, 24, 25):
    for grain in ("tensor", "axis", "blocked")[: 1 if version < 13 else 2 if version < 21 else 3]:
        case(f"QDQ of opset {version}, INT8 by {grain}", version)(qdq("INT8", grain))
for stored_type in ("UINT8", "INT4", "UINT4", "INT16", "UINT16", "INT2", "UINT2"):
    for grain in ("tensor", "axis", "blocked"):
        if hasattr(TensorProto, stored_type):
            case(f"QDQ of {stored_type} by {grain}", 25)(qdq(stored_type, grain))
for stored_type in ("INT16", "UINT16", "INT4"):
    case(f"QDQ of com.microsoft, {stored_type}", 17)(qdq(stored_type, "axis", MICROSOFT))


def qdq_float(type: str, bits: int) -> Case:
    def build(net: Net) -> Truth:
        numbers = net.random.choice([0, 0.5, 1, 1.5, 2, 3, -4, -6], (TERMS, COLUMNS))
        # A scale that is a power of two keeps them what they are.
        inputs = net.init(numbers, getattr(TensorProto, type)), net.init(0.5)
        net.node("MatMul", net.activation(), net.node("DequantizeLinear", *inputs))
        return Truth(numbers, weight=bits)

    return build


for float_type, width in (("FLOAT8E4M3FN", 8), ("FLOAT8E5M2", 8), ("FLOAT8E4M3FNUZ", 8), ("FLOAT4E2M1", 4)):
    case(f"QDQ of {float_type}", 23)(qdq_float(float_type, width))


@case("QDQ of a quantized constant")
def _(net: Net) -> Truth:
    real = net.random.standard_normal((TERMS, COLUMNS)).astype(np.float32)
    inputs = net.init(0.02), net.init(-5, TensorProto.INT8)
    stored = net.node("QuantizeLinear", net.init(real), *inputs)
    net.node("MatMul", net.activation(), net.node("DequantizeLinear", stored, *inputs))
    scaled = real.astype(np.float64) / np.float64(np.float32(0.02))
    return Truth(np.clip(np.rint(scaled) - 5, -128, 127).astype(int) + 5)


def qcdq(low: int, high: int, bits: int, type: str) -> Case:
    """Clip on both sides: fewer integers than the carrier holds."""

    def build(net: Net) -> Truth:
        code = getattr(TensorProto, type)
        stored, scale, zero = net.integers(low - 3 if low else 0, high + 3), net.init(0.1), net.init(0, code)
        clipped = net.node("Clip", net.init(stored, code), net.init(low, code), net.init(high, code))
        activation = net.node(
            "Clip", net.node("QuantizeLinear", "x", scale, zero), net.init(low, code), net.init(high, code)
        )
        left = net.node("DequantizeLinear", activation, scale, zero)
        net.node("MatMul", left, net.node("DequantizeLinear", clipped, scale, zero))
        return Truth(np.clip(stored, low, high), input=bits, weight=bits)

    return build


case("QCDQ of 4 bits, narrow", 13)(qcdq(-7, 7, 4, "INT8"))
case("QCDQ of 4 bits, unsigned", 13)(qcdq(0, 15, 4, "UINT8"))
case("QCDQ of 3 bits", 13)(qcdq(-4, 3, 3, "INT8"))


def qoperator(column_zeros: bool) -> Case:
    def build(net: Net) -> Truth:
        net.type = TensorProto.UINT8
        stored, size = net.integers(-128, 127), (COLUMNS,) if column_zeros else ()
        zeros = net.integers(-9, 9, *size) if column_zeros else np.array(4)
        x = "x", net.init(0.1), net.init(3, TensorProto.UINT8)
        weight = net.init(stored, TensorProto.INT8), net.init(np.full(size, 0.2)), net.init(zeros, TensorProto.INT8)
        net.node("QLinearMatMul", *x, *weight, net.init(0.3), net.init(0, TensorProto.UINT8))
        return Truth(stored - zeros)

    return build


case("QLinearMatMul", 10)(qoperator(False))
case("QLinearMatMul by column", 21)(qoperator(True))


@case("QLinearConv by filter", 13)
def _(net: Net) -> Truth:
    net.type, net.shape = TensorProto.UINT8, (2, 3, 9, 7)
    stored, zeros = net.integers(-128, 127, 5, 3, 3, 3), net.integers(-9, 9, 5)
    x = "x", net.init(0.1), net.init(3, TensorProto.UINT8)
    weight = net.init(stored, TensorProto.INT8), net.init(np.full(5, 0.2)), net.init(zeros, TensorProto.INT8)
    net.node("QLinearConv", *x, *weight, net.init(0.3), net.init(0, TensorProto.UINT8))
    return Truth(stored - zeros.reshape(5, 1, 1, 1), uses=2 * 7 * 5)


@case("QGemm, transposed")
def _(net: Net) -> Truth:
    net.type = TensorProto.UINT8
    stored, zeros = net.integers(-128, 127, COLUMNS, TERMS), net.integers(-9, 9, COLUMNS)
    x = "x", net.init(0.1), net.init(3, TensorProto.UINT8)
    weight = net.init(stored, TensorProto.INT8), net.init(np.full(COLUMNS, 0.2)), net.init(zeros, TensorProto.INT8)
    bias = net.init(net.integers(-900, 900, COLUMNS), TensorProto.INT32)
    net.node("QGemm", *x, *weight, bias, net.init(0.3), net.init(0, TensorProto.UINT8), domain=MICROSOFT, transB=1)
    return Truth(stored - zeros[:, None])


def dynamic(net: Net) -> tuple[str, str, str]:
    net.nodes.append(helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]))
    return "q", "s", "z"


@case("dynamic MatMulInteger", 11)
def _(net: Net) -> Truth:
    q, _scale, zero = dynamic(net)
    stored, zeros = net.integers(-128, 127), net.integers(-9, 9, COLUMNS)
    net.node("MatMulInteger", q, net.init(stored, TensorProto.INT8), zero, net.init(zeros, TensorProto.INT8))
    return Truth(stored - zeros)


@case("dynamic ConvInteger", 11)
def _(net: Net) -> Truth:
    net.shape = (1, 2, 8, 5)
    q, _scale, zero = dynamic(net)
    stored = net.integers(0, 255, 3, 2, 3, 3)
    net.node("ConvInteger", q, net.init(stored, TensorProto.UINT8), zero, net.init(7, TensorProto.UINT8))
    return Truth(stored - 7, uses=6 * 3)


@case("dynamic MatMulIntegerToFloat")
def _(net: Net) -> Truth:
    q, scale, zero = dynamic(net)
    stored = net.integers(-128, 127)
    more = net.init(0.1), zero, net.init(-6, TensorProto.INT8)
    net.node("MatMulIntegerToFloat", q, net.init(stored, TensorProto.INT8), scale, *more, domain=MICROSOFT)
    return Truth(stored + 6)


@case("DynamicQuantizeMatMul")
def _(net: Net) -> Truth:
    stored = net.integers(-128, 127)
    more = net.init(0.1), net.init(-6, TensorProto.INT8)
    net.node("DynamicQuantizeMatMul", "x", net.init(stored, TensorProto.INT8), *more, domain=MICROSOFT)
    return Truth(stored + 6)


def packed(bits: int, zeros: bool) -> Case:
    """MatMulNBits: codes of one column in blocks of 16, lowest bits first."""

    def build(net: Net) -> Truth:
        block, blocks = 16, 3
        net.shape = (ROWS, 39)
        codes = net.random.integers(0, 2**bits, (COLUMNS, blocks, block))
        points = (
            net.random.integers(0, 2**bits, (COLUMNS, blocks)) if zeros else np.full((COLUMNS, blocks), 2 ** (bits - 1))
        )

        def pack(numbers: Array) -> Array:
            spread = (numbers[..., None] >> np.arange(bits)) & 1
            return np.packbits(spread.reshape(*numbers.shape[:-1], -1), axis=-1, bitorder="little")

        inputs = [net.init(pack(codes), TensorProto.UINT8), net.init(np.ones((COLUMNS, blocks)))]
        if zeros:
            inputs.append(net.init(pack(points), TensorProto.UINT8))
        sizes = {"K": 39, "N": COLUMNS, "bits": bits, "block_size": block}
        net.node("MatMulNBits", net.activation(), *inputs, domain=MICROSOFT, **sizes)
        whole = (codes - points[:, :, None]).reshape(COLUMNS, -1)[:, :39]
        return Truth(whole, weight=bits)

    return build


for packed_bits in (2, 4, 8):
    for with_zeros in (False, True):
        zeros_name = "zero points" if with_zeros else "no zero points"
        case(f"MatMulNBits of {packed_bits} bits, {zeros_name}")(packed(packed_bits, with_zeros))


@case("QAttention")
def _(net: Net) -> Truth:
    net.type, net.shape = TensorProto.UINT8, (2, 3, 6)
    stored = net.integers(-128, 127, 6, 12)
    scales = net.init(0.1), net.init(0.2)
    zeros = net.init(3, TensorProto.UINT8), net.init(5, TensorProto.INT8)
    inputs = net.init(stored, TensorProto.INT8), net.init(np.zeros(12))
    net.node("QAttention", "x", *inputs, *scales, "", *zeros, domain=MICROSOFT, num_heads=2)
    return Truth(stored - 5, uses=6)


def rounded(real: Array, scale: Any, bits: Any, zero: Any = 0, low: Any = None, high: Any = None) -> Array:
    """The integers of a Quant, less the zero point."""
    step = np.asarray(scale, np.float32).astype(np.float64)
    low = -(2 ** (np.asarray(bits) - 1)) if low is None else low
    high = 2 ** (np.asarray(bits) - 1) - 1 if high is None else high
    return np.asarray(np.clip(np.rint(real.astype(np.float64) / step + zero), low, high) - zero).astype(int)


def real(net: Net, *shape: int) -> Array:
    return net.random.standard_normal(shape or (TERMS, COLUMNS)).astype(np.float32)


def qonnx(bits: Any, scale: Any = 0.25, zero: Any = 0, domain: str = GENERAL) -> Case:
    def build(net: Net) -> Truth:
        weights = real(net)
        net.node("MatMul", net.quant("x", 6, domain=domain), net.quant(net.init(weights), bits, scale, zero, domain))
        return Truth(rounded(weights, scale, bits, zero), input=6, weight=bits)

    return build


for place in DOMAINS:
    case(f"Quant of domain '{place}'")(qonnx(3, domain=place))
case("Quant of one width in a vector")(qonnx(np.array([3])))
case("Quant of a scale for each column")(qonnx(4, scale=np.linspace(0.1, 0.9, COLUMNS)))
case("Quant of a scale for each row")(qonnx(4, scale=np.linspace(0.1, 0.9, TERMS)[:, None]))
case("Quant of widths for columns")(qonnx(np.array([2, 3, 4, 5, 6])))
case("Quant of widths for rows")(qonnx(np.array([[2], [3], [4], [5], [6], [7], [8]])))
case("Quant of widths for elements")(qonnx(2 + np.arange(35).reshape(TERMS, COLUMNS) % 6))
case("Quant of a zero point")(qonnx(4, zero=3))
case("Quant of zero points for columns")(qonnx(4, zero=np.array([-3, 0, 1, 2, 5])))


@case("Quant of a width computed in the graph")
def _(net: Net) -> Truth:
    weights = real(net)
    bits = net.node("Mul", net.init(2), net.node("Constant", value_float=2.0))
    net.node("MatMul", net.quant("x", 6), net.quant(net.init(weights), bits))
    return Truth(rounded(weights, 0.25, 4), input=6, weight=4)


@case("Quant, unsigned and narrow")
def _(net: Net) -> Truth:
    weights = real(net)
    right = net.quant(net.init(weights), 4, narrow=1)
    net.node("MatMul", net.quant("x", 5, signed=0), right)
    return Truth(rounded(weights, 0.25, 4, low=-7), input=5, weight=4)


@case("IntQuant in a convolution of channels last")
def _(net: Net) -> Truth:
    net.shape = (1, 6, 9, 3)
    weights, last = real(net, 5, 3, 3, 3), "qonnx.custom_op.channels_last"
    settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    steps = net.init(0.25), net.init(0), net.init(3)
    right = net.node("IntQuant", net.init(weights), *steps, domain=GENERAL, **settings)
    net.node("Conv", net.quant("x", 4), right, domain=last, kernel_shape=[3, 3])
    return Truth(rounded(weights, 0.25, 3), uses=4 * 7, input=4, weight=3)


@case("BipolarQuant")
def _(net: Net) -> Truth:
    weights = real(net)
    left = net.node("BipolarQuant", "x", net.init(0.5), domain=GENERAL)
    net.node("MatMul", left, net.node("BipolarQuant", net.init(weights), net.init(0.5), domain=GENERAL))
    return Truth(np.where(weights >= 0, 1, -1), input=1, weight=1)


@case("FloatQuant")
def _(net: Net) -> Truth:
    numbers = net.random.choice([0, 0.5, 1, 1.5, 2, 3, -4, -6], (TERMS, COLUMNS))
    sizes = [net.init(each) for each in (1, 4, 3, 7, 240)]
    net.node("MatMul", net.quant("x", 6), net.node("FloatQuant", net.init(numbers), *sizes, domain=GENERAL))
    return Truth(numbers, input=6, weight=8)


@case("Trunc of version 1")
def _(net: Net) -> Truth:
    weights = real(net)
    inputs = [net.init(each) for each in (0.25, 0, 8, 5)]
    left = net.node("Trunc", net.quant("x", 8), *inputs, domain=GENERAL, rounding_mode="FLOOR")
    net.node("MatMul", left, net.quant(net.init(weights), 3))
    return Truth(rounded(weights, 0.25, 3), input=5, weight=3)


@case("Trunc of version 2")
def _(net: Net) -> Truth:
    weights = real(net)
    inputs = [net.init(each) for each in (0.25, 0, 8, 1.0, 4)]
    left = net.node("Trunc", net.quant("x", 8), *inputs, domain=GENERAL, rounding_mode="FLOOR", signed=1, narrow=0)
    net.node("MatMul", left, net.quant(net.init(weights), 3))
    return Truth(rounded(weights, 0.25, 3), input=4, weight=3)


@case("Trunc with a zero point after")
def _(net: Net) -> Truth:
    weights = real(net)
    inputs = [net.init(each) for each in (0.25, 0, 8, 1.0, 0, 4)]
    left = net.node("Trunc", net.quant("x", 8), *inputs, domain=GENERAL, rounding_mode="FLOOR")
    net.node("MatMul", left, net.quant(net.init(weights), 3))
    return Truth(rounded(weights, 0.25, 3), input=4, weight=3)


@case("Trunc that loses fewer bits than its input has too many")
def _(net: Net) -> Truth:
    """Version 1 clamps nothing: 8 bits shifted by 2 are 6, whatever width it names."""
    weights = real(net)
    inputs = [net.init(each) for each in (0.25, 0, 6, 4)]
    left = net.node("Trunc", net.quant("x", 8), *inputs, domain=GENERAL, rounding_mode="FLOOR")
    net.node("MatMul", left, net.quant(net.init(weights), 3))
    return Truth(rounded(weights, 0.25, 3), input=6, weight=3)


@case("MultiThreshold")
def _(net: Net) -> Truth:
    weights = real(net)
    thresholds = net.init(np.sort(real(net, TERMS, 7), axis=1))
    left = net.node("MultiThreshold", "x", thresholds, domain=GENERAL, out_dtype="UINT3")
    net.node("MatMul", left, net.quant(net.init(weights), 4))
    return Truth(rounded(weights, 0.25, 4), input=3, weight=4)


@case("QuantLSTMCell")
def _(net: Net) -> Truth:
    inputs, hidden, steps, batch = 3, 5, 4, 2
    net.shape = (steps, batch, inputs)
    own, back = ([real(net, hidden, size) for _ in range(4)] for size in (inputs, hidden))
    weights = [net.quant(net.init(each), 3) for each in (*own, *back)]
    states = [net.init(np.zeros((batch, hidden))) for _ in range(2)]
    biases = [net.init(np.zeros(hidden)) for _ in range(4)]
    # Scale, zero point and width of the hidden state, of the cell state, then of nine tensors in between.
    widths = (6, 7, *(16,) * 4, *(5,) * 5)
    statements = [net.init(each) for bits in widths for each in (0.1, 0, bits)]
    net.node("QuantLSTMCell", net.quant("x", 4), *states, *weights, *biases, *statements, domain=GENERAL)
    stored = np.concatenate([rounded(each, 0.25, 3).ravel() for each in (*own, *back)])
    read = np.concatenate([np.full(4 * hidden * inputs, 4), np.full(4 * hidden * hidden, 6)])
    return Truth(stored, uses=steps * batch, input=read, weight=3)


def scaled(*, subtracted: bool, column_scales: bool, type: str = "INT8") -> Case:
    """Cast, a zero point before the scale or what it stands for behind it."""

    def build(net: Net) -> Truth:
        code, (low, high) = getattr(TensorProto, type), ends(type)
        stored, size = net.integers(low, high), (COLUMNS,) if column_scales else ()
        scale, zeros = net.random.uniform(0.01, 0.1, size).astype(np.float32), net.random.integers(low, high, size)
        left, right = net.activation(), net.node("Cast", net.init(stored, code), to=TensorProto.FLOAT)
        if subtracted:
            right = net.node("Mul", net.node("Sub", right, net.init(zeros)), net.init(scale))
        else:
            right = net.node("Add", net.node("Mul", right, net.init(scale)), net.init(-zeros * scale))
        net.node("MatMul", left, right)
        return Truth(stored - zeros)

    return build


for subtracted in (True, False):
    for column in (True, False):
        for scaled_type in ("INT8", "UINT8"):
            scaled_name = f"scaled, {scaled_type}{' Sub' if subtracted else ' Add'}{' by column' if column else ''}"
            case(scaled_name, 17)(scaled(subtracted=subtracted, column_scales=column, type=scaled_type))


@case("scaled, divided by the scale", 17)
def _(net: Net) -> Truth:
    stored = net.integers(-128, 127)
    left, right = net.activation(), net.node("Cast", net.init(stored, TensorProto.INT8), to=TensorProto.FLOAT)
    net.node("MatMul", left, net.node("Div", right, net.init(50.0)))
    return Truth(stored)


@case("scaled, an added constant that is no whole number of steps", 17)
def _(net: Net) -> Truth:
    stored = net.integers(-128, 127)
    left, right = net.activation(), net.node("Cast", net.init(stored, TensorProto.INT8), to=TensorProto.FLOAT)
    right = net.node("Add", net.node("Mul", right, net.init(0.5)), net.init(0.3))
    net.node("MatMul", left, right)
    return Truth(stored.astype(np.float32) * 0.5 + np.float32(0.3), weight=32)


def products(report: dict[str, Any]) -> int:
    """Real multipliers of the linear rows, the scores of an attention left out."""
    found = [op for layer in report["layers"] for op in layer["operations"]]
    return sum(op["count"] for op in found if op["kind"] == "multiply" and op["role"] in LINEAR[:2])


@pytest.mark.parametrize("name", CASES)
def test_products_are_those_of_the_integers(name, save, run):
    opset, build = CASES[name]
    net = Net(opset=opset)
    truth = build(net)
    path = save(net.model())
    reports = {}
    for convention in ("paper", "exact"):
        found = run("report", path, "-f", "json", "--convention", convention)
        assert found.code == 0, found.err
        reports[convention] = json.loads(found.out)
        assert [row["reason"] for row in reports[convention]["layers"] if row["status"] == "uncounted"] == []
    # The scores of an attention, and what they weigh, are floats.
    inner, inner_bits = (2 * 2 * 3 * 3 * (2 + 2), 32 * 32) if name == "QAttention" else (0, 0)
    for convention, kept in (("paper", truth.every), ("exact", truth.used)):
        totals = reports[convention]["totals"]
        assert totals["mac"] == truth.count(truth.every) + inner, convention
        assert totals["bop_mac"] == truth.count(kept, truth.bits) + inner * inner_bits, convention
    assert products(reports["exact"]) == truth.count(truth.multiplied)
