"""`exact` against integer networks that are executed product by product and counted as they run: nothing is counted
twice, nothing is left out, no value leaves its wire."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.metrics import BY_KEY
from nncomplexity.ops import LINEAR_ROLES, Role
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from reference.integer_nets import (
    Machine,
    Wire,
    accumulator,
    bits_of,
    convolved,
    multiplied,
    power,
    signed_digits,
    spread,
)

QONNX, MICROSOFT = "qonnx.custom_op.general", "com.microsoft"
KEYS = ("rm", "mac", "bop_mac", "add", "bop", "nabs", "nabs_full_adder", "adders", "nabs_digits", "nabs_bound")
QUICK = settings(derandomize=True, max_examples=50, deadline=None)
SLOW = settings(QUICK, max_examples=25)
RUNS = 5
X_STEP = 0.25


@dataclass
class File:
    """An ONNX file in the making."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def input(self, shape: Sequence[int], code: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info("x", code, shape))
        return "x"

    def constant(self, numbers: Any, kind: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        array = np.array(numbers)
        if isinstance(kind, int):
            tensor = helper.make_tensor(name, kind, array.shape, array.reshape(-1).tolist())
        else:
            tensor = numpy_helper.from_array(np.ascontiguousarray(array.astype(kind)), name)
        self.constants.append(tensor)
        return name

    def node(self, op: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name, domain=domain, **attributes))
        return output

    def model(self, output: str) -> onnx.ModelProto:
        result = helper.make_tensor_value_info(output, TensorProto.UNDEFINED, None)
        result.ClearField("type")
        graph = helper.make_graph(self.nodes, "graph", self.inputs, [result], self.constants)
        domains = [helper.make_opsetid(*each) for each in (("", 21), (QONNX, 1), (MICROSOFT, 1))]
        return helper.make_model(graph, opset_imports=domains, ir_version=10)


@dataclass(frozen=True)
class Scheme:
    """How numbers are held: bits, the integers that occur, and how a file says so. zero: a zero point is added."""

    name: str
    bits: int
    low: int
    high: int
    kind: str
    code: Any = None
    zero: bool = False

    def values(self) -> list[int]:
        """The integers of the scheme."""
        if self.kind == "bipolar":
            return [-1, 1]
        whole = range(self.low, self.high + 1)
        if self.name.startswith("power of two"):
            return [value for value in whole if value == 0 or power(value)]
        if self.name.startswith("additive"):
            return [value for value in whole if len(signed_digits(value)) <= 2]
        return list(whole)


def quant(bits: int, signed: bool, narrow: bool = False, name: str = "") -> Scheme:
    low, high = (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1 - narrow)
    shown = f"quant {bits} {'signed' if signed else 'unsigned'}{' narrow' if narrow else ''}"
    return Scheme(f"{name} {shown}".strip(), bits, low, high, "quant", (signed, narrow))


WEIGHTS = {
    scheme.name: scheme
    for scheme in (
        Scheme("int8", 8, -128, 127, "qdq", np.int8),
        Scheme("int8 with zero points", 8, -128, 127, "qdq", np.int8, True),
        Scheme("uint8 with zero points", 8, 0, 255, "qdq", np.uint8, True),
        Scheme("int4", 4, -8, 7, "qdq", TensorProto.INT4),
        Scheme("uint4 with zero points", 4, 0, 15, "qdq", TensorProto.UINT4, True),
        Scheme("int16", 16, -32768, 32767, "qdq", np.int16),
        Scheme("clipped to 5", 5, -15, 15, "qcdq", np.int8),
        Scheme("clipped to 3 unsigned", 3, 0, 6, "qcdq", np.uint8),
        Scheme("power of two", 8, -128, 127, "qdq", np.int8),
        Scheme("additive power of two", 8, -128, 127, "qdq", np.int8),
        Scheme("binary", 1, -1, 1, "bipolar"),
        quant(2, True, True, "ternary"),
        quant(4, True, name="power of two"),
        quant(6, True, name="additive power of two"),
        quant(2, True),
        quant(3, False),
        quant(5, True, True),
        quant(7, False, True),
        quant(8, True),
    )
}
INPUTS = {
    scheme.name: scheme
    for scheme in (
        Scheme("uint8", 8, 0, 255, "qdq", np.uint8, True),
        Scheme("int8", 8, -128, 127, "qdq", np.int8),
        Scheme("uint16", 16, 0, 65535, "qdq", np.uint16),
        Scheme("clipped to 4", 4, -7, 7, "qcdq", np.int8),
        Scheme("binary", 1, -1, 1, "bipolar"),
        quant(3, False),
        quant(4, False, True),
        quant(6, True, True),
        quant(8, True, True),
    )
}


@dataclass(frozen=True)
class Case:
    """A drawn pair of schemes, and where drawn numbers come from."""

    weight: Scheme
    x: Scheme
    random: np.random.Generator
    steps: list[np.ndarray] = field(default_factory=list)

    def integers(self, shape: Sequence[int], per: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Stored integers, of which about a third mean 0, and zero points: one, or one a slice of an axis."""
        scheme, random = self.weight, self.random
        found = random.choice(scheme.values(), shape).astype(np.int64)
        count = 1 if per is None else shape[per]
        zeros = random.integers(scheme.low, scheme.high + 1, count) if scheme.zero else np.zeros(count, np.int64)
        along = zeros if per is None else zeros.reshape([-1 if axis == per else 1 for axis in range(len(shape))])
        if scheme.kind != "bipolar":
            found = np.where(random.random(shape) < 0.35, along, found)
        if random.random() < 0.3 and per is not None and scheme.kind != "bipolar":
            # An output without a term.
            found = np.where(np.arange(count).reshape(along.shape) == 0, along, found)
        return found, zeros

    def weights(self, file: File, shape: Sequence[int], per: int | None = None) -> tuple[str, np.ndarray]:
        """A constant of the file and the integers it means; per: the axis of the output channels."""
        stored, zeros = self.integers(shape, per)
        scheme, by_channel = self.weight, per is not None and self.random.random() < 0.5
        if not by_channel and zeros.size > 1:
            stored = np.where(
                stored == zeros.reshape([-1 if axis == per else 1 for axis in range(len(shape))]), zeros[0], stored
            )
            zeros = zeros[:1]
        scale = 2.0 ** -self.random.integers(1, 9, len(zeros) if by_channel else 1)
        self.steps[:] = [scale * X_STEP]
        column = [-1 if axis == per else 1 for axis in range(len(shape))] if by_channel else [1] * len(shape)
        meant = stored - zeros.reshape(column)
        if scheme.kind == "bipolar":
            name = file.constant(meant * self.random.uniform(0.1, 3, shape))
            return file.node("BipolarQuant", name, file.constant(scale.reshape(column)), domain=QONNX), meant
        if scheme.kind == "quant":
            name = file.constant(meant * scale.reshape(column))
            return quantized(file, name, scheme, file.constant(scale.reshape(column)), 0), meant
        name = file.constant(stored, scheme.code)
        if scheme.kind == "qcdq":
            ends = [file.constant(np.array(end), scheme.code) for end in (scheme.low, scheme.high)]
            name = file.node("Clip", name, *ends)
        if not by_channel:
            scale, zeros = scale[0], zeros[0]
        more = {"axis": per} if by_channel else {}
        zero = [file.constant(zeros, scheme.code)] if scheme.zero or self.random.random() < 0.5 else []
        return file.node("DequantizeLinear", name, file.constant(scale), *zero, **more), meant

    def biases(self, file: File, outputs: int) -> tuple[list[int], list[str]]:
        """Biases in units of the accumulator: the weights' steps times the input's."""
        found, steps = self.random.integers(-3000, 3000, outputs).tolist(), self.steps[0]
        name, more = file.constant(found, np.int32), {"axis": 0} if len(steps) > 1 else {}
        scale = file.constant(steps if len(steps) > 1 else steps[0])
        return found, [file.node("DequantizeLinear", name, scale, **more)]

    def quantizer(self, file: File, x: str) -> str:
        """The input behind its quantizer."""
        scheme, scale = self.x, file.constant(X_STEP)
        if scheme.kind == "bipolar":
            return file.node("BipolarQuant", x, scale, domain=QONNX)
        if scheme.kind == "quant":
            return quantized(file, x, scheme, scale, 0)
        zero = file.constant(np.array(7 if scheme.zero else 0), scheme.code)
        held = file.node("QuantizeLinear", x, scale, zero)
        if scheme.kind == "qcdq":
            ends = [file.constant(np.array(end), scheme.code) for end in (scheme.low, scheme.high)]
            held = file.node("Clip", held, *ends)
        return file.node("DequantizeLinear", held, scale, zero)

    def runs(self, shape: Sequence[int], pattern: np.ndarray | None = None) -> np.ndarray:
        """Inputs of several runs [runs, ...]: the ends, random ones, and the ends by the sign of a pattern."""
        ends = self.x.low, self.x.high
        found = [np.full(shape, end) for end in ends]
        if pattern is not None:
            found += [np.where(pattern > 0, *each) for each in (ends, ends[::-1])]
        while len(found) < RUNS:
            found.append(self.random.choice(self.x.values(), shape))
        return np.array(found)

    def wire(self, values: Any) -> Wire:
        return Wire(tuple(int(value) for value in values), self.x.low, self.x.high)


def quantized(file: File, x: str, scheme: Scheme, scale: str, zero: float) -> str:
    signed, narrow = scheme.code
    inputs = (x, scale, file.constant(float(zero)), file.constant(float(scheme.bits)))
    return file.node("Quant", *inputs, domain=QONNX, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    weight = draw(st.sampled_from(sorted(WEIGHTS)))
    x = draw(st.sampled_from(sorted(INPUTS)))
    return Case(WEIGHTS[weight], INPUTS[x], np.random.default_rng(draw(st.integers(0, 2**32))))


def measured(
    model: onnx.ModelProto,
    quant: str = "model",
    names: Sequence[str] = ("layer",),
    roles: Collection[Role] = LINEAR_ROLES | {Role.BIAS},
) -> dict[str, Any]:
    """What the products, sums and biases of nodes cost in `exact`."""
    report = nc.analyze(model, convention="exact", quant=quant)
    found: dict[str, Any] = dict.fromkeys(KEYS, 0)
    for name in names:
        assert report[name].status.value == "counted", report[name].row.reason
        for key in KEYS:
            operations = report[name].operations_of(BY_KEY[key]).filter(lambda op: op.role in roles)
            found[key] += operations.total(BY_KEY[key].weight)
    return found


def executed(real: Machine, digits: Machine, terms: int, weight: int, x: int, bound: int) -> dict[str, int]:
    """The same figures from what two machines did: one multiplies, the other shifts. bound: X of the format."""
    width, biases = accumulator(terms, weight, x), real.bias_additions
    products = sum(real.products.values())
    assert (real.outputs, real.used, biases) == (digits.outputs, digits.used, digits.bias_additions)
    assert digits.tree_additions == digits.digits - digits.used
    assert real.tree_additions == products - real.products["skipped"] - real.used
    return {
        "rm": real.products["real"],
        "mac": products,
        "bop_mac": (real.products["real"] + real.products["shift"]) * weight * x,
        "add": real.tree_additions + biases,
        "bop": real.products["real"] * weight * x + real.result_bits,
        "nabs": digits.full_adders,
        "nabs_full_adder": digits.full_adders,
        "adders": digits.tree_additions + biases,
        "nabs_digits": (digits.tree_additions + biases) * width,
        "nabs_bound": (products * bound + products - real.outputs + biases) * width,
    }


def matrix_run(
    case: Case, rows: np.ndarray, vectors: int, biases: list[int] | None = None, bound: int | None = None
) -> dict[str, int]:
    """rows [outputs, terms] executed on several vectors, in several runs."""
    outputs, terms = rows.shape
    inputs = np.stack([case.runs((terms,), rows[place % outputs]) for place in range(vectors)])
    machines = Machine(), Machine(shifting=True)
    for machine in machines:
        wires = [[case.wire(inputs[place, :, term]) for term in range(terms)] for place in range(vectors)]
        found = multiplied(machine, rows.tolist(), wires, biases)
        values = np.array([[wire.values for wire in line] for line in found])
        expected = np.einsum("ot,vrt->vor", rows, inputs) + np.reshape(0 if biases is None else biases, (1, -1, 1))
        assert (values == expected).all()
    adders = case.weight.bits - 1 if bound is None else bound
    return executed(*machines, terms, case.weight.bits, case.x.bits, adders)


@QUICK
@given(
    case=cases(), terms=st.integers(1, 12), outputs=st.integers(1, 5), batch=st.sampled_from([(1,), (3,), (2, 3), ()])
)
def test_matrix_products(case: Case, terms: int, outputs: int, batch: tuple[int, ...]) -> None:
    """Shapes of the input: [terms], [3, terms], [2, 3, terms]: every vector meets every weight."""
    file = File()
    x = case.quantizer(file, file.input((*batch, terms)))
    weight, meant = case.weights(file, (terms, outputs), 1)
    model = file.model(file.node("MatMul", x, weight, name="layer"))
    assert measured(model) == matrix_run(case, meant.T, prod(batch))


@QUICK
@given(
    case=cases(),
    terms=st.integers(1, 9),
    outputs=st.integers(1, 4),
    batch=st.sampled_from([(), (2,), (1,)]),
    spread=st.integers(1, 3),
)
def test_constants_on_the_left(case: Case, terms: int, outputs: int, batch: tuple[int, ...], spread: int) -> None:
    """Weights [batch, outputs, terms] by an input [batch, terms, spread]; a constant without a batch serves each."""
    file = File()
    x = case.quantizer(file, file.input((2, terms, spread)))
    weight, meant = case.weights(file, (*batch, outputs, terms), len(batch))
    model = file.model(file.node("MatMul", weight, x, name="layer"))
    found = measured(model)
    each = [matrix_run(case, rows, spread) for rows in np.broadcast_to(meant, (2, outputs, terms))]
    assert found == {key: each[0][key] + each[1][key] for key in KEYS}


@QUICK
@given(
    case=cases(),
    terms=st.integers(1, 10),
    outputs=st.integers(1, 5),
    turned=st.tuples(st.booleans(), st.booleans()),
    bias=st.booleans(),
)
def test_gemm(case: Case, terms: int, outputs: int, turned: tuple[bool, bool], bias: bool) -> None:
    """Operands turned, with and without a bias in units of the accumulator."""
    file, rows = File(), 2
    x = case.quantizer(file, file.input((terms, rows) if turned[0] else (rows, terms)))
    weight, meant = case.weights(file, (outputs, terms) if turned[1] else (terms, outputs), 0 if turned[1] else 1)
    biases, held = case.biases(file, outputs) if bias else (None, [])
    attributes = {"transA": int(turned[0]), "transB": int(turned[1])}
    model = file.model(file.node("Gemm", x, weight, *held, name="layer", **attributes))
    assert measured(model) == matrix_run(case, meant if turned[1] else meant.T, rows, biases)


@QUICK
@given(case=cases(), terms=st.integers(1, 10), outputs=st.integers(1, 5))
def test_a_bias_in_a_node_of_its_own(case: Case, terms: int, outputs: int) -> None:
    """A MatMul and an Add cost what a Gemm costs."""
    file = File()
    x = case.quantizer(file, file.input((2, terms)))
    weight, meant = case.weights(file, (terms, outputs), 1)
    biases, held = case.biases(file, outputs)
    product = file.node("MatMul", x, weight, name="layer")
    model = file.model(file.node("Add", product, *held, name="bias"))
    assert measured(model, names=("layer", "bias")) == matrix_run(case, meant.T, 2, biases)


EINSUMS = {
    "bi,io->bo": ((3, 5), (5, 2)),
    "bi,oi->bo": ((3, 5), (2, 5)),
    "bij,ijo->bo": ((2, 3, 2), (3, 2, 4)),
    "bti,hio->bhto": ((2, 3, 4), (2, 4, 3)),
    "gbi,goi->gbo": ((2, 3, 4), (2, 3, 4)),
}


@QUICK
@given(case=cases(), equation=st.sampled_from(sorted(EINSUMS)))
def test_einsum(case: Case, equation: str) -> None:
    """The rows of weights are found by running over all indices."""
    shapes = EINSUMS[equation]
    file = File()
    x = case.quantizer(file, file.input(shapes[0]))
    weight, meant = case.weights(file, shapes[1])
    model = file.model(file.node("Einsum", x, weight, name="layer", equation=equation))
    operands, result = equation.split("->")
    first, second = operands.split(",")
    sizes = dict(zip(first + second, shapes[0] + shapes[1], strict=True))
    summed = [label for label in second if label in first and label not in result]
    kept = [label for label in second if label in result]
    order = [second.index(label) for label in kept + summed]
    terms = prod(sizes[label] for label in summed)
    rows = meant.transpose(order).reshape(-1, terms)
    times = prod(sizes[label] for label in result if label not in second)
    assert measured(model) == matrix_run(case, rows, times)


@dataclass(frozen=True)
class Shape:
    """The sizes of a convolution; in one dimension the height is 1."""

    groups: int
    seen: int
    each: int
    size: tuple[int, int]
    taps: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    flat: bool


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    flat = draw(st.booleans())

    def pair(low: int, high: int, height: int) -> tuple[int, int]:
        return (height if flat else draw(st.integers(low, high))), draw(st.integers(low, high))

    taps, stride, dilation = pair(1, 3, 1), pair(1, 2, 1), pair(1, 2, 1)
    least = [dilation[axis] * (taps[axis] - 1) + 1 for axis in (0, 1)]
    size = (1 if flat else least[0] + draw(st.integers(0, 2))), least[1] + draw(st.integers(0, 3))
    above, below = (0, 0) if flat else (draw(st.integers(0, 1)), draw(st.integers(0, 2)))
    pads = above, draw(st.integers(0, 2)), below, draw(st.integers(0, 1))
    groups, seen, each = draw(st.sampled_from([(1, 1, 2), (1, 3, 2), (2, 2, 1), (3, 1, 1), (2, 1, 2)]))
    return Shape(groups, seen, each, size, taps, stride, dilation, pads, flat)


def conv_run(case: Case, shape: Shape, meant: np.ndarray, biases: list[int] | None) -> dict[str, int]:
    """The filters executed; the values are those of ONNX's own reference of the operator."""
    channels = shape.groups * shape.seen
    image = case.runs((channels, *shape.size))
    machines = Machine(), Machine(shifting=True)
    for machine in machines:
        wires = [
            [[case.wire(image[:, c, y, x]) for x in range(shape.size[1])] for y in range(shape.size[0])]
            for c in range(channels)
        ]
        found = convolved(
            machine,
            meant.tolist(),
            wires,
            case.wire([0] * RUNS),
            groups=shape.groups,
            stride=shape.stride,
            dilation=shape.dilation,
            pads=shape.pads,
            biases=biases,
        )
        values = np.array([[[wire.values for wire in filters] for filters in line] for line in found])
        assert (values.transpose(3, 2, 0, 1) == reference_convolution(shape, image, meant, biases)).all()
    terms = shape.seen * prod(shape.taps)
    return executed(*machines, terms, case.weight.bits, case.x.bits, case.weight.bits - 1)


def attributes_of(shape: Shape) -> dict[str, Any]:
    cut = slice(1, None) if shape.flat else slice(None)
    pads = shape.pads[:2][cut] + shape.pads[2:][cut]
    return {
        "group": shape.groups,
        "strides": shape.stride[cut],
        "dilations": shape.dilation[cut],
        "pads": pads,
        "kernel_shape": shape.taps[cut],
    }


def reference_convolution(shape: Shape, image: np.ndarray, meant: np.ndarray, biases: list[int] | None) -> np.ndarray:
    file = File()
    file.input(image.shape, TensorProto.DOUBLE)
    weight = file.constant(meant, np.float64)
    two = Shape(*[getattr(shape, name) for name in shape.__dataclass_fields__ if name != "flat"], flat=False)
    model = file.model(file.node("Conv", "x", weight, **attributes_of(two)))
    (found,) = ReferenceEvaluator(model).run(None, {"x": image.astype(np.float64)})
    return found + np.reshape(0 if biases is None else biases, (1, -1, 1, 1))


@SLOW
@given(case=cases(), shape=shapes(), bias=st.booleans())
def test_convolutions(case: Case, shape: Shape, bias: bool) -> None:
    """One and two dimensions, groups and depthwise, strides, dilations, padding whose taps are computed."""
    file, filters = File(), shape.groups * shape.each
    held = (filters, shape.seen, *shape.taps)
    size, taps = (shape.size[1:], held[:2] + held[3:]) if shape.flat else (shape.size, held)
    x = case.quantizer(file, file.input((1, shape.groups * shape.seen, *size)))
    weight, meant = case.weights(file, taps, 0)
    biases, added = case.biases(file, filters) if bias else (None, [])
    model = file.model(file.node("Conv", x, weight, *added, name="layer", **attributes_of(shape)))
    assert measured(model) == conv_run(case, shape, meant.reshape(held), biases)


QOPERATORS = ("MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv")


@QUICK
@given(
    op=st.sampled_from(QOPERATORS),
    kinds=st.tuples(st.sampled_from(["int8", "uint8"]), st.sampled_from(["int8", "uint8"])),
    sizes=st.tuples(st.integers(1, 8), st.integers(1, 4)),
    zeros=st.sampled_from(["none", "one", "each"]),
    bias=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_operators_on_integers(
    op: str, kinds: tuple[str, str], sizes: tuple[int, int], zeros: str, bias: bool, seed: int
) -> None:
    """Weights less their zero points, which are inputs of the operator: one, or one for each output."""
    random, (terms, outputs), file = np.random.default_rng(seed), sizes, File()
    ends = {"int8": (-128, 127), "uint8": (0, 255)}
    case = Case(Scheme("", 8, *ends[kinds[0]], "stored"), Scheme("", 8, *ends[kinds[1]], "stored"), random)
    conv, linear = op.startswith(("Conv", "QLinearConv")), op.startswith("QLinear")
    shape = (outputs, terms, 1) if conv else (terms, outputs)
    column = (outputs, 1, 1) if conv else (1, outputs)
    points = random.integers(case.weight.low, case.weight.high + 1, outputs if zeros == "each" else 1)
    points = points * 0 if zeros == "none" else points
    along = np.broadcast_to(points.reshape(column if zeros == "each" else 1), shape)
    stored = np.where(random.random(shape) < 0.3, along, random.integers(case.weight.low, case.weight.high + 1, shape))
    rows = (stored - along).reshape(outputs, terms) if conv else (stored - along).T
    code = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8}
    x = file.input((1, terms, 2) if conv else (2, terms), code[kinds[1]])
    weight = file.constant(stored, kinds[0])
    zero = file.constant(points if zeros == "each" else points[0], kinds[0])
    x_zero, one = file.constant(np.array(3), kinds[1]), file.constant(np.array(0.5))
    biases = random.integers(-3000, 3000, outputs).tolist() if bias and op == "QLinearConv" else None
    if linear:
        operands = [x, one, x_zero, weight, one, zero, file.constant(np.array(0.75)), x_zero]
        operands += [file.constant(biases, np.int32)] if biases is not None else []
    else:
        operands = [x, weight] + ([x_zero, zero] if zeros != "none" else [])
    model = file.model(file.node(op, *operands, name="layer"))
    assert measured(model) == matrix_run(case, rows, 2, biases)


SAID = {
    "w8a8": Scheme("uniform", 8, -128, 127, "said"),
    "w3a6": Scheme("uniform", 3, -4, 3, "said"),
    "w:pot4,a8": Scheme("power of two", 4, -4, 4, "said"),
    "w:pot8,a5": Scheme("power of two", 8, -64, 64, "said"),
    "w:apot6x2,a8": Scheme("additive", 6, -32, 31, "said"),
    "w:binary,a4": Scheme("binary", 1, -1, 1, "bipolar"),
}
BOUNDS = {"w:pot4,a8": 0, "w:pot8,a5": 0, "w:apot6x2,a8": 1}


def nearest(scheme: Scheme, scaled: float) -> int:
    """By looking at every number of the scheme: ties to even, or for powers of two to the larger magnitude."""
    if scheme.kind == "bipolar":
        return -1 if scaled < 0 else 1
    off = min(abs(value - scaled) for value in scheme.values())
    tied = [value for value in scheme.values() if abs(value - scaled) == off]
    return max(tied, key=abs) if scheme.name == "power of two" else min(tied, key=lambda value: value % 2)


def placed(scheme: Scheme, reals: np.ndarray) -> int:
    """The most bits behind the binary point with which no weight lies beyond the ends."""
    if scheme.kind == "bipolar" or not reals.any():
        return 0 if scheme.kind == "bipolar" else scheme.bits - 1
    every = Scheme(scheme.name, scheme.bits + 1, 2 * scheme.low - 1, 2 * scheme.high + 1, scheme.kind)
    fits = [
        place
        for place in range(-8, 24)
        if all(scheme.low <= nearest(every, real * 2.0**place) <= scheme.high for real in (reals.min(), reals.max()))
        and abs(reals * 2.0**place).max() < 1.5 * scheme.high + 2
    ]
    return max(fits)


@QUICK
@given(
    said=st.sampled_from(sorted(SAID)),
    terms=st.integers(1, 10),
    outputs=st.integers(1, 4),
    bias=st.booleans(),
    on_grid=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_float_weights_brought_to_a_format(
    said: str, terms: int, outputs: int, bias: bool, on_grid: bool, seed: int
) -> None:
    """--quant: real weights on the format's grid, halfway between its numbers, and beyond its ends."""
    scheme, random, file = SAID[said], np.random.default_rng(seed), File()
    bits = int(said.rpartition("a")[2])
    case = Case(scheme, Scheme("", bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, "said"), random)
    reals = random.choice(scheme.values(), (outputs, terms)) * 2.0 ** random.integers(-9, 3)
    if not on_grid and scheme.name != "additive":
        reals = np.round(random.normal(0, 2.5, (outputs, terms)) * 64) / 64
    place = placed(scheme, reals)
    meant = np.array([[nearest(scheme, real * 2.0**place) for real in row] for row in reals.tolist()])
    behind = bits - 1 + place
    biases = random.integers(-3000, 3000, outputs).tolist() if bias else None
    operands = [file.input((2, terms)), file.constant(reals.T)]
    if biases is not None:
        operands.append(file.constant(np.array(biases) * 2.0**-behind))
    model = file.model(file.node("Gemm", *operands, name="layer"))
    assert measured(model, said) == matrix_run(case, meant, 2, biases, BOUNDS.get(said))


PRODUCTS = ("rm", "mac", "bop_mac")


@QUICK
@given(
    case=cases(),
    groups=st.sampled_from([(1, 1, 2), (1, 3, 1), (2, 2, 2), (3, 1, 1)]),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3)),
)
def test_products_of_transposed_convolutions(
    case: Case, groups: tuple[int, int, int], sizes: tuple[int, int, int]
) -> None:
    """Every input value meets every tap of its group, whatever is summed where."""
    file, (group, seen, each), (length, taps, stride) = File(), groups, sizes
    x = case.quantizer(file, file.input((1, group * seen, length)))
    weight, meant = case.weights(file, (group * seen, each, taps))
    attributes = {"group": group, "strides": [stride], "kernel_shape": [taps]}
    model = file.model(file.node("ConvTranspose", x, weight, name="layer", **attributes))
    inputs, machine = case.random.choice(case.x.values(), (group * seen, length)), Machine()
    wires = [[case.wire([value]) for value in line] for line in inputs]
    found = spread(machine, meant.tolist(), wires, groups=group, stride=stride)
    assert found == reference_spreading(inputs, meant, group, stride)
    real, both = machine.products["real"], machine.products["real"] + machine.products["shift"]
    measures = measured(model)
    assert {key: measures[key] for key in PRODUCTS} == {
        "rm": real,
        "mac": sum(machine.products.values()),
        "bop_mac": both * case.weight.bits * case.x.bits,
    }


def reference_spreading(inputs: np.ndarray, meant: np.ndarray, groups: int, stride: int) -> list[list[int]]:
    """Group by group: ONNX's reference of the operator fails on groups of several filters."""
    found: list[list[int]] = []
    for signals, weights in zip(np.split(inputs, groups), np.split(meant, groups), strict=True):
        plain = File()
        plain.input((1, *signals.shape), TensorProto.DOUBLE)
        operator = plain.node("ConvTranspose", "x", plain.constant(weights, np.float64), strides=[stride])
        (whole,) = ReferenceEvaluator(plain.model(operator)).run(None, {"x": signals[None].astype(np.float64)})
        found += whole[0].astype(np.int64).tolist()
    return found


@QUICK
@given(
    bits=st.integers(2, 8),
    terms=st.integers(1, 40),
    outputs=st.integers(1, 4),
    points=st.sampled_from(["none", "packed", "float"]),
    seed=st.integers(0, 2**32),
)
def test_products_of_packed_weights(bits: int, terms: int, outputs: int, points: str, seed: int) -> None:
    """MatMulNBits: numbers packed lowest bit first, in blocks of 16, less one zero point a block."""
    random, block, file = np.random.default_rng(seed), 16, File()
    blocks = -(-terms // block)
    zeros = random.integers(0, 2**bits, (outputs, blocks))
    zeros = np.full_like(zeros, 2 ** (bits - 1)) if points == "none" else zeros
    stored = random.integers(0, 2**bits, (outputs, blocks, block))
    stored = np.where(random.random(stored.shape) < 0.3, zeros[:, :, None], stored)

    def packed(numbers: np.ndarray) -> np.ndarray:
        """Bytes of rows of numbers, bit by bit."""
        found = []
        for row in numbers:
            wires = [number >> bit & 1 for number in row.tolist() for bit in range(bits)]
            wires += [0] * (-len(wires) % 8)
            found.append([sum(wires[place + bit] << bit for bit in range(8)) for place in range(0, len(wires), 8)])
        return np.array(found)

    case = Case(Scheme("", bits, 0, 0, "packed"), INPUTS["uint8"], random)
    x = case.quantizer(file, file.input((2, terms)))
    body = packed(stored.reshape(outputs * blocks, block)).reshape(outputs, blocks, -1)
    operands = [x, file.constant(body, np.uint8), file.constant(np.ones(outputs * blocks))]
    if points == "packed":
        operands.append(file.constant(packed(zeros).reshape(-1), np.uint8))
    elif points == "float":
        operands.append(file.constant(zeros.reshape(-1).astype(np.float32)))
    sizes = {"K": terms, "N": outputs, "bits": bits, "block_size": block}
    model = file.model(file.node("MatMulNBits", *operands, name="layer", domain=MICROSOFT, **sizes))
    rows = (stored - zeros[:, :, None]).reshape(outputs, -1)[:, :terms]
    found, expected = measured(model), matrix_run(case, rows, 2)
    assert {key: found[key] for key in PRODUCTS} == {key: expected[key] for key in PRODUCTS}


@SLOW
@given(
    case=cases(),
    op=st.sampled_from(["RNN", "GRU", "LSTM"]),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
    ways=st.sampled_from(["forward", "reverse", "bidirectional"]),
    apart=st.booleans(),
)
def test_matrices_of_recurrent_layers(
    case: Case, op: str, sizes: tuple[int, int, int, int], ways: str, apart: bool
) -> None:
    """Both directions have weights of their own, and may have functions of their own; all run at every step."""
    file, (inputs, hidden, steps, batch) = File(), sizes
    directions, gates = 2 if ways == "bidirectional" else 1, {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    x = case.quantizer(file, file.input((steps, batch, inputs)))
    weight, meant = case.weights(file, (directions, gates * hidden, inputs), 1)
    recurrent, kept = case.weights(file, (directions, gates * hidden, hidden), 1)
    more = {}
    if apart:
        first = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[op]
        more["activations"] = [*first, *(["Relu"] * len(first) if directions == 2 else [])]
    node = file.node(op, x, weight, recurrent, name="layer", hidden_size=hidden, direction=ways, **more)
    model = file.model(node)
    for role, matrix in ((Role.INPUT, meant), (Role.RECURRENT, kept)):
        expected = matrix_run(case, matrix.reshape(-1, matrix.shape[-1]), steps * batch)
        assert measured(model, roles={role}) == expected, role


def one_product(weight: int, bias: int, scale: float) -> onnx.ModelProto:
    """Gemm of one input of eight bits, one weight of step 1/128, and a bias of a step of its own."""
    case, file = Case(WEIGHTS["int8"], INPUTS["int8"], np.random.default_rng(0)), File()
    x = case.quantizer(file, file.input((1, 1)))
    held = file.node("DequantizeLinear", file.constant([[weight]], np.int8), file.constant(2.0**-7))
    added = file.node("DequantizeLinear", file.constant([bias], np.int32), file.constant(scale))
    return file.model(file.node("Gemm", x, held, added, name="layer"))


@pytest.mark.parametrize(
    "bias",
    [
        -3,
        0,
        1,
        2,
        255,
        256,
        -1,
        -2,
        -8,
        -256,
    ],
)
def test_a_bias_alone_is_as_wide_as_it_is(bias: int) -> None:
    """Behind a weight of zero: two's complement of one number."""
    assert measured(one_product(0, bias, 2.0**-9))["bop"] == bits_of(bias, bias)


@pytest.mark.parametrize("shift", [0, 1, 5, 9])
def test_a_bias_of_a_coarser_step_is_shifted_up(shift: int) -> None:
    """The product has steps of 2**-9 and reaches from -384 to 381."""
    found = measured(one_product(3, 100, 2.0 ** (shift - 9)))
    assert found["bop"] - 8 * 8 == bits_of(-384 + (100 << shift), 381 + (100 << shift))


MEMBERS = {
    "pot4": lambda value: len(signed_digits(value)) <= 1,
    "pot8": lambda value: len(signed_digits(value)) <= 1,
    "apot4x2": lambda value: len(signed_digits(value)) <= 2,
    "apot6x3": lambda value: len(signed_digits(value)) <= 3,
    "apot8x2": lambda value: len(signed_digits(value)) <= 2,
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_number_of_a_format_stays_as_it_is(name: str) -> None:
    """Every integer of so many bits that is a sum of so many powers of two, as a real weight."""
    bits = int(name.lstrip("apot")[0])
    whole = [value for value in range(-(2 ** (bits - 1)), 2 ** (bits - 1)) if MEMBERS[name](value)]
    file = File()
    weight = file.constant(np.array([whole]) * 2.0 ** (1 - bits))
    model = file.model(file.node("MatMul", file.input((1, 1)), weight, name="layer"))
    operand = nc.analyze(model, quant=f"w:{name},a8", convention="exact")["layer"].row.operands["weight"]
    found = operand.statistics
    assert (found.zeros, found.powers) == (whole.count(0), sum(power(value) for value in whole if value))
    assert found.csd_digits == sum(len(signed_digits(value)) for value in whole)


def test_a_scalar_weight_is_rounded_like_any_other() -> None:
    """A factor of rank 0 under a shorthand: 0.75 is 96 of 128, two signed digits."""
    file = File()
    model = file.model(file.node("Mul", file.input((3,)), file.constant(np.float32(0.75)), name="layer"))
    report = nc.analyze(model, quant="w8a8", convention="exact")
    assert (report["layer"].rm, report["layer"].adders) == (3, 3)
