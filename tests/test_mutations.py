"""Whatever a file says, analysis answers or refuses: seeded changes to models, through the whole of `analyze`."""

from __future__ import annotations

import random
from pathlib import Path

import nncomplexity as nc
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, parser

EXAMPLES = Path(__file__).parent.parent / "examples"
NUMBERS = [0, 1, -1, 2, 3, 7, 100, 2**31, 2**62, -(2**62), 2**63 - 1]
TEXTS = [b"", b"SAME_UPPER", b"VALID", b"bidirectional", b"ij,jk->ik", b"\xff\xfe", b"nonsense"]
CONTROL = """
<ir_version: 10, opset_import: ["" : 21]>
agraph (float[batch, 8] x, int64 n) => (float[batch, 8] y, float[batch, 4] z)
<int64[2] shape = {-1, 4}, int64[1] axes = {1}> {
  c = Constant <value = bool {1}> ()
  y = Loop (n, c, x) <body = body (int64 i, bool go, float[batch, 8] h) => (bool again, float[batch, 8] k) {
    again = Identity (go)
    k = MatMul (h, w)
  }>
  s = ReduceMean (x, axes)
  r = Reshape (y, shape)
  z = Softmax (r)
}
"""


def sources() -> list[onnx.ModelProto]:
    """The shipped examples and a graph with a loop, a reshape and reductions."""
    control = parser.parse_model(CONTROL)
    control.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [8, 8], range(64)))
    return [onnx.load(EXAMPLES / "equaliser.onnx"), onnx.load(EXAMPLES / "student.onnx"), control]


def changed(model: onnx.ModelProto, choice: random.Random) -> onnx.ModelProto:
    """A copy with one to three of: an attribute, an input, an output, an operator, a dimension, a version changed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(choice.randint(1, 3)):
        node = choice.choice(copy.graph.node)
        choice.choice([_attribute, _operand, _operator, _dimension, _version])(copy, node, choice)
    return copy


def _attribute(model: onnx.ModelProto, node: onnx.NodeProto, choice: random.Random) -> None:
    if not node.attribute:
        return
    attribute = choice.choice(node.attribute)
    if attribute.type == AttributeProto.INT:
        attribute.i = choice.choice(NUMBERS)
    elif attribute.type == AttributeProto.INTS:
        attribute.ints[:] = [*attribute.ints[1:], *choice.sample(NUMBERS, choice.randint(0, 2))]
    elif attribute.type == AttributeProto.STRING:
        attribute.s = choice.choice(TEXTS)
    else:
        attribute.type = choice.choice([AttributeProto.INT, AttributeProto.FLOATS, AttributeProto.STRING])


def _operand(model: onnx.ModelProto, node: onnx.NodeProto, choice: random.Random) -> None:
    names = [name for other in model.graph.node for name in (*other.input, *other.output)]
    if node.input and choice.random() < 0.7:
        node.input[choice.randrange(len(node.input))] = choice.choice(["", *names])
    elif choice.random() < 0.5:
        node.input.append(choice.choice(["", *names]))
    elif node.output:
        node.output.pop()


def _operator(model: onnx.ModelProto, node: onnx.NodeProto, choice: random.Random) -> None:
    node.op_type = choice.choice(
        ["Conv", "Gemm", "Einsum", "Slice", "Expand", "GRU", "Attention", "Resize", "TopK", "Nothing"]
    )


def _dimension(model: onnx.ModelProto, node: onnx.NodeProto, choice: random.Random) -> None:
    shape = choice.choice(model.graph.input).type.tensor_type.shape
    if shape.dim:
        dim = choice.choice(shape.dim)
        dim.Clear()
        if choice.random() < 0.5:
            dim.dim_value = choice.choice([0, 1, 3, -1, 2**40])
        else:
            dim.dim_param = choice.choice(["n", "2*n + 1", "floor(n/2)", "?", "lambda"])


def _version(model: onnx.ModelProto, node: onnx.NodeProto, choice: random.Random) -> None:
    model.opset_import[0].version = choice.choice([6, 7, 11, 13, 18, 28, 29])


def test_unchanged_they_are_counted() -> None:
    assert [nc.analyze(model).coverage.uncounted for model in sources()] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_model_is_reported_or_refused(seed: int) -> None:
    choice, models = random.Random(seed), sources()
    for _ in range(60):
        model = changed(choice.choice(models), choice)
        try:
            report = nc.analyze(model, quant=choice.choice(["model", "w8a8", "w:pot4,a8"]))
        except nc.ComplexityError as error:
            assert len(str(error)) <= 300
            assert "\n" not in str(error)
            continue
        for entry in report.entries:
            assert all(value >= 0 for value in entry.metrics.values() if isinstance(value, int))
        assert report.to_json().isascii()
        assert repr(report)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_are_reported_or_refused(seed: int) -> None:
    choice = random.Random(seed)
    whole = (EXAMPLES / "student.onnx").read_bytes()
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(choice.randint(1, 4)):
            # Structure stands mostly at both ends; weights between them change nothing.
            place = choice.choice([choice.randrange(400), -1 - choice.randrange(3000), choice.randrange(len(broken))])
            broken[place] = choice.randrange(256)
        try:
            nc.analyze(bytes(broken)).to_json()
        except nc.ComplexityError as error:
            assert len(str(error)) <= 300
