"""Small random networks: totals with free dims, evaluated, are the totals of the analysis with those sizes bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import nncomplexity as nc
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.expressions import Size, product, substitute, symbol
from nncomplexity.metrics import METRICS
from onnx import TensorProto, helper

FREE = ("batch", "time")


@dataclass
class Building:
    """A graph in the making. Every layer reads and writes `[batch, channels, time]`; channels are known."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    channels: int = 3
    last: str = "x"

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        count = product(list(shape))
        assert isinstance(count, int)
        self.weights.append(helper.make_tensor(name, TensorProto.FLOAT, shape, bytes(4 * count), raw=True))
        return name

    def integers(self, *values: int) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        names = [f"t{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0]


Layer = Callable[[Building], None]


def convolution(filters: int, taps: int, stride: int) -> Layer:
    def add(b: Building) -> None:
        weights = b.weight(filters, b.channels, taps), b.weight(filters)
        b.last = b.node("Conv", b.last, *weights, strides=[stride], pads=[taps - 1, taps // 2])
        b.channels = filters

    return add


def transposed(filters: int, stride: int) -> Layer:
    def add(b: Building) -> None:
        b.last = b.node("ConvTranspose", b.last, b.weight(b.channels, filters, 3), strides=[stride])
        b.channels = filters

    return add


def dense(units: int) -> Layer:
    def add(b: Building) -> None:
        turned = b.node("Transpose", b.last, perm=[0, 2, 1])
        biased = b.node("Add", b.node("MatMul", turned, b.weight(b.channels, units)), b.weight(units))
        b.last = b.node("Transpose", biased, perm=[0, 2, 1])
        b.channels = units

    return add


def recurrent(op: str, hidden: int, directions: int) -> Layer:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]

    def add(b: Building) -> None:
        x = b.node("Transpose", b.last, perm=[2, 0, 1])
        weights = [b.weight(directions, gates * hidden, size) for size in (b.channels, hidden)]
        direction = "bidirectional" if directions == 2 else "forward"
        y = b.node(op, x, *weights, hidden_size=hidden, direction=direction)
        y = b.node("Transpose", y, perm=[2, 1, 3, 0])
        b.last = b.node("Reshape", y, b.integers(0, directions * hidden, -1))
        b.channels = directions * hidden

    return add


def pool(op: str, taps: int, stride: int, up: int) -> Layer:
    def add(b: Building) -> None:
        b.last = b.node(op, b.last, kernel_shape=[taps], strides=[stride], pads=[taps - 1, 0], ceil_mode=up)

    return add


def pointwise(op: str) -> Layer:
    def add(b: Building) -> None:
        b.last = b.node(op, b.last)

    return add


def residual(op: str) -> Layer:
    def add(b: Building) -> None:
        b.last = b.node("Add", b.last, b.node(op, b.last))

    return add


def doubled() -> Layer:
    def add(b: Building) -> None:
        b.last = b.node("Concat", b.last, b.node("Tanh", b.last), axis=1)
        b.channels *= 2

    return add


def self_attention() -> Layer:
    def add(b: Building) -> None:
        turned = b.node("Transpose", b.last, perm=[0, 2, 1])
        scores = b.node("Softmax", b.node("MatMul", turned, b.last), axis=-1)
        b.last = b.node("MatMul", b.last, b.node("Transpose", scores, perm=[0, 2, 1]))

    return add


def shaped() -> Layer:
    """Flattened to rows and back through Shape, as exporters write it."""

    def add(b: Building) -> None:
        shape = b.node("Shape", b.last)
        rows = b.node("Reshape", b.last, b.integers(-1))
        b.last = b.node("Reshape", b.node("Sigmoid", rows), shape)

    return add


def cut() -> Layer:
    def add(b: Building) -> None:
        b.last = b.node("Slice", b.last, b.integers(0), b.integers(2**62), b.integers(2), b.integers(2))

    return add


SMALL = st.integers(1, 4)
LAYERS: st.SearchStrategy[Layer] = st.one_of(
    st.builds(convolution, SMALL, SMALL, st.integers(1, 3)),
    st.builds(transposed, SMALL, st.integers(1, 3)),
    st.builds(dense, SMALL),
    st.builds(recurrent, st.sampled_from(["LSTM", "GRU", "RNN"]), SMALL, st.integers(1, 2)),
    st.builds(
        pool, st.sampled_from(["MaxPool", "AveragePool"]), st.integers(1, 4), st.integers(1, 3), st.integers(0, 1)
    ),
    st.builds(pointwise, st.sampled_from(["Relu", "Softplus", "Identity", "Exp"])),
    st.builds(residual, st.sampled_from(["Sigmoid", "Neg"])),
    st.builds(doubled),
    st.builds(self_attention),
    st.builds(shaped),
    st.builds(cut),
)


def model(layers: list[Layer]) -> onnx.ModelProto:
    building = Building()
    for layer in layers:
        layer(building)
    graph = helper.make_graph(
        building.nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "time"])],
        [helper.make_tensor_value_info(building.last, TensorProto.FLOAT, None)],
        building.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    st.lists(LAYERS, min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(1, 9), st.integers(4, 40)), min_size=1, max_size=3),
    st.sampled_from(["model", "w8a8", "w:pot4,a6"]),
)
def test_totals_with_free_dims_are_the_totals_at_every_size(
    layers: list[Layer], sizes: list[tuple[int, int]], quant: str
) -> None:
    network = model(layers)
    free = nc.analyze(network, quant=quant)
    assert free.coverage.uncounted == 0
    for pair in sizes:
        dims = dict(zip(FREE, pair, strict=True))
        bound = nc.analyze(network, dims=dims, quant=quant)
        assert not bound.symbolic
        for metric in (each for each in METRICS if not each.detail):
            expected, found = bound.totals[metric.key], free.totals[metric.key]
            assert _at(found, dims) == expected, metric.key
        shapes = [entry.row.outputs for entry in bound.entries]
        at = [
            tuple(tuple(_at(size, dims) for size in shape or ()) for shape in entry.row.outputs)
            for entry in free.entries
        ]
        assert at == shapes


def _at(size: Size | None, dims: dict[str, int]) -> Size | None:
    return None if size is None else substitute(size, dims)


def test_free_dims_are_really_free() -> None:
    report = nc.analyze(model([convolution(4, 3, 2), recurrent("LSTM", 3, 2), dense(2)]))
    assert set(report.network.free) == set(FREE)
    assert report.symbolic
    batch, time = symbol("batch"), symbol("time")
    # 3 taps, 2 zeros before and 1 behind, stride 2.
    assert report["t0_0"].mac == 4 * 3 * 3 * batch * ((time + 2 + 1 - 3) // 2 + 1)
