"""The netlist of a layer: its operators are those that are counted, and it computes the layer's equation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from nncomplexity.accounting import Matrix, count
from nncomplexity.errors import UsageError
from nncomplexity.formats import AdditivePowerOfTwo, Binary, Fixed, Format, PowerOfTwo, integers
from nncomplexity.hw.building import build, finished
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.hw.evaluation import IntervalError, evaluate
from nncomplexity.hw.fixed import FixedPoint, Overflow, Rounding, quantise
from nncomplexity.hw.kernels import Netlist
from nncomplexity.hw.netlist import Operator, operators
from nncomplexity.hw.tables import Table
from nncomplexity.layers.contraction import Contraction
from nncomplexity.layers.conv1d import Conv1D
from nncomplexity.layers.conv2d import Conv2D
from nncomplexity.layers.convolution import Convolution
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.gatel0rd import GateL0RD
from nncomplexity.layers.gru import GRU
from nncomplexity.layers.lstm import LSTM
from nncomplexity.layers.lstm1997 import LSTM1997
from nncomplexity.layers.qrnn import QRNNRNN
from nncomplexity.layers.rnn import RNN
from nncomplexity.ops import Kind, Role

STYLES = {"mac": "exact", "shiftadd": "shiftadd"}
SAMPLES = 40


def matrix(values: Any, rows: int) -> Matrix:
    found = Matrix.of([int(value) for value in np.ravel(values)])
    return replace(found, arrange=lambda array: array.reshape(rows, -1), _trees={})


def drawn(rng: np.random.Generator, format: Format, shape: Any) -> Any:
    """Numbers of a format, both ends among them now and then."""
    low, high = format.interval
    match format:
        case Binary():
            return rng.choice([-1, 1], shape)
        case PowerOfTwo() | AdditivePowerOfTwo():
            powers = [sign << k for k in range(format.width - 1) for sign in (1,)]
            signs = rng.choice([-1, 0, 1], shape), rng.choice([-1, 0, 1], shape)
            found = signs[0] * rng.choice(powers, shape)
            if isinstance(format, AdditivePowerOfTwo):
                found = found + signs[1] * rng.choice(powers, shape)
            return np.clip(found, low, high)
    return np.where(rng.random(shape) < 0.2, rng.choice([low, high, 0], shape), rng.integers(low, high + 1, shape))


def counted(layer: Any, style: str, weights: dict[str, Any], rows: int) -> Counter[Operator]:
    operands = {name: matrix(values, rows) for name, values in weights.items()}
    return operators(count(layer, STYLES[style], operands=operands))


def compared(found: Counter[Operator], style: str, known: bool) -> Counter[Operator]:
    """Rounding and limits are charged to no layer; nor, between real multipliers, is the sign of a product by -2**k."""
    uncounted = {Kind.NEGATE} if style == "mac" and known else set()
    kept = {op: n for op, n in found.items() if op.role is not Role.REQUANTIZATION and op.kind not in uncounted}
    return Counter(kept)


def weight_format(rng: np.random.Generator) -> Format:
    bits = int(rng.integers(2, 9))
    placed = int(rng.integers(1, bits + 1))
    return [
        Fixed(bits=bits, integer=placed),
        PowerOfTwo(bits=bits, integer=bits),
        AdditivePowerOfTwo(bits=bits, integer=bits),
        Binary(),
    ][int(rng.integers(0, 4))]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(60))
def test_known_weights_are_counted_and_computed(seed: int, style: str) -> None:
    rng = np.random.default_rng(seed)
    rows, terms = int(rng.integers(1, 7)), int(rng.integers(1, 9))
    weight, bits = weight_format(rng), int(rng.integers(1, 9))
    x = Fixed(bits=bits, integer=int(rng.integers(0, bits + 1)), signed=bool(rng.integers(2)))
    values, bias = drawn(rng, weight, (rows, terms)), rng.integers(-700, 700, rows)
    if seed % 6 == 0:
        values = -np.abs(values)
    layer: Any = Dense(inputs=terms, units=rows, weight=weight, input=x)
    if seed % 2:
        layer = Convolution(terms=terms, filters=rows, weight=weight, input=x, positions=1)
    weights = {"weight": values, "bias": bias}
    kernel = build(layer, style, {name: each.ravel().tolist() for name, each in weights.items()})
    found = kernel.graph.inventory()
    assert compared(found, style, True) == compared(counted(layer, style, weights, rows), style, True)
    if style == "mac":
        powers = np.abs(values)
        negative = int(((values < 0) & ((powers & (powers - 1)) == 0)).sum())
        assert sum(n for op, n in found.items() if op.kind is Kind.NEGATE) == negative
    else:
        assert found == counted(layer, style, weights, rows)
    samples = rng.integers(x.interval[0], x.interval[1] + 1, (SAMPLES, terms))
    assert (evaluate(kernel.graph, {"x0": samples})["y0"] == samples @ values.T + bias).all()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(20))
def test_unknown_weights_enter_on_ports(seed: int, style: str) -> None:
    rng = np.random.default_rng(seed)
    rows, terms, bits, wide = (int(each) for each in rng.integers(1, 8, 4))
    x = Fixed(bits=bits, integer=int(rng.integers(0, bits + 1)), signed=bool(rng.integers(2)))
    weight = Fixed(bits=wide, integer=int(rng.integers(0, wide + 1)))
    layer = Dense(inputs=terms, units=rows, weight=weight, input=x)
    kernel = build(layer, style)
    assert kernel.graph.inventory() == counted(layer, style, {}, rows)
    values, bias = drawn(rng, weight, (rows, terms)), drawn(rng, weight, rows)
    samples = rng.integers(x.interval[0], x.interval[1] + 1, (SAMPLES, terms))
    fixed = {kernel.names["weight"]: values.ravel(), kernel.names["bias"]: bias}
    result = evaluate(kernel.graph, {kernel.names["input"]: samples, **fixed})["y0"]
    # The finer of the two binary points is kept.
    shift = x.integer - x.bits if isinstance(x.integer, int) and isinstance(x.bits, int) else 0
    assert (result == samples @ values.T + (bias << -shift if shift <= 0 else bias)).all()


@pytest.mark.parametrize("style", STYLES)
def test_beyond_sixty_four_bits(style: str) -> None:
    layer = Dense(inputs=3, units=2, bias=False, weight=Fixed(bits=40, integer=40), input=Fixed(bits=33, integer=33))
    rng = np.random.default_rng(5)
    values = [[int(v) for v in row] for row in rng.integers(-(1 << 39), 1 << 39, (2, 3))]
    kernel = build(layer, style, {"weight": [v for row in values for v in row]})
    assert kernel.graph.inventory() == counted(layer, style, {"weight": values}, 2)
    samples = rng.integers(-(1 << 32), 1 << 32, (SAMPLES, 3))
    found = evaluate(kernel.graph, {"x0": samples})["y0"].tolist()
    assert found == [[sum(w * int(x) for w, x in zip(row, s, strict=True)) for row in values] for s in samples]


@pytest.mark.parametrize("constant", [True, False])
def test_a_contraction_is_a_matrix_times_each_of_its_vectors(constant: bool) -> None:
    format = Fixed(bits=5, integer=5)
    sizes: Any = {"terms": 3, "outputs": 4, "vectors": 5}
    layer = Contraction(**sizes, constant=constant, weight=format, input=format, role=Role.CONTRACTION)
    kernel = build(layer, "mac")
    every = Counter({op: n * 5 for op, n in kernel.graph.inventory().items()})
    assert every == counted(layer, "mac", {}, 4)
    rng = np.random.default_rng(2)
    x, w = rng.integers(-16, 16, (SAMPLES, 3)), rng.integers(-16, 16, (SAMPLES, 12))
    found = evaluate(kernel.graph, {kernel.names["input"]: x, kernel.names["weight"]: w})["y0"]
    assert (found == (x[:, None] * w.reshape(SAMPLES, 4, 3)).sum(axis=2)).all()


@pytest.mark.parametrize("style", STYLES)
def test_windows_of_convolutions(style: str) -> None:
    formats = {"weight": Fixed(bits=4, integer=4), "input": Fixed(bits=6, integer=6, signed=False)}
    rng = np.random.default_rng(8)
    for layer, terms in (
        (Conv1D(length=9, channels=2, filters=3, kernel_size=3, **formats), 6),
        (Conv2D(height=5, width=5, channels=2, filters=3, kernel_size=2, **formats), 8),
    ):
        values = rng.integers(-8, 8, (3, terms))
        weights = {"weight": values, "bias": rng.integers(-9, 9, 3)}
        kernel = build(layer, style, {name: each.ravel().tolist() for name, each in weights.items()})
        every = Counter({op: n * layer.executions for op, n in kernel.graph.inventory().items()})
        assert compared(every, style, True) == counted(layer, style, weights, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Maxima, means and complements of windows, as the operators of the same names write them."""

    taps: int
    outputs: int
    format: Format
    executions: int = 1

    def equations(self, m: Any) -> None:
        x = m.variable(self.taps * self.outputs, self.format)
        m.greatest(x, terms=self.taps, outputs=self.outputs, role=Role.POOLING)
        total = m.sum(x, terms=self.taps, outputs=self.outputs, role=Role.POOLING)
        mean = m.multiply(total, m.constant(1, self.format, "scale"), role=Role.SCALE)
        m.subtract(m.broadcast(m.constant(1, self.format, "one"), self.outputs), mean, role=Role.ELEMENTWISE)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("taps", "signed", "scale"), [(4, True, 5), (5, False, -3), (7, True, 4), (1, True, None)])
def test_pooling_and_elementwise_verbs(taps: int, signed: bool, scale: int | None, style: str) -> None:
    layer = Pool(taps=taps, outputs=3, format=Fixed(bits=6, integer=6, signed=signed))
    layer = layer if scale is None or signed else replace(layer, format=integers(-40, 31))
    known = {} if scale is None else {"scale": [scale]}
    netlist = Netlist(style, known)
    layer.equations(netlist)
    kernel = finished(netlist)
    wanted = counted(layer, style, known, 1)
    assert compared(kernel.graph.inventory(), style, bool(known)) == compared(wanted, style, bool(known))
    rng = np.random.default_rng(taps)
    low, high = layer.format.interval
    x, one = rng.integers(low, high + 1, (SAMPLES, taps * 3)), rng.integers(low, high + 1, (SAMPLES, 1))
    factor = rng.integers(low, high + 1, (SAMPLES, 1)) if scale is None else scale
    ports = {netlist.names["one"]: one} | ({netlist.names["scale"]: factor} if scale is None else {})
    found = evaluate(kernel.graph, {"x0": x, **ports})
    windows = x.reshape(SAMPLES, 3, taps)
    assert (found["y0"] == windows.max(axis=2)).all()
    assert (found["y1"] == one - windows.sum(axis=2) * factor).all()


FORMATS = {
    "weight": Fixed(bits=6, integer=1),
    "recurrent": Fixed(bits=5, integer=1),
    "input": Fixed(bits=8, integer=3),
    "activation": Fixed(bits=7, integer=2),
}
INPUTS, HIDDEN, STEPS = 2, 3, 20
STEP = FixedPoint(bits=7, integer=2)
CELLS: list[tuple[Any, str]] = [
    (RNN(inputs=INPUTS, hidden=HIDDEN, **FORMATS), ""),
    (RNN(inputs=INPUTS, hidden=HIDDEN, function="relu", **FORMATS), ""),
    (LSTM(inputs=INPUTS, hidden=HIDDEN, **FORMATS), "ifgo"),
    (LSTM(inputs=INPUTS, hidden=HIDDEN, peepholes=True, coupled=True, **FORMATS), "igo"),
    (GRU(inputs=INPUTS, hidden=HIDDEN, **FORMATS), "zrn"),
    (GRU(inputs=INPUTS, hidden=HIDDEN, linear_before_reset=True, **FORMATS), "zrnu"),
]


def recurrent_weights(gates: str, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for gate in [f".{each}" for each in gates] or [""]:
        found[f"weight{gate}"] = drawn(rng, FORMATS["weight"], (HIDDEN, INPUTS))
        found[f"recurrent{gate}"] = drawn(rng, FORMATS["recurrent"], (HIDDEN, HIDDEN))
        found[f"bias{gate}"] = rng.integers(-900, 900, HIDDEN)
    if "u" in gates:
        # Only the bias of U_n h is a gate's own.
        del found["weight.u"], found["recurrent.u"]
    return found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("rounding", "overflow"), [("TRN", "WRAP"), ("RND", "SAT"), ("RND_CONV", "SAT_SYM")])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("layer", "gates"), [*CELLS, (LSTM1997(inputs=INPUTS, hidden=HIDDEN, **FORMATS), "")])
def test_one_step_of_a_cell_is_counted(
    layer: Any, gates: str, known: bool, rounding: str, overflow: str, style: str
) -> None:
    weights = recurrent_weights(gates, 4) if known and not isinstance(layer, LSTM1997) else {}
    lists = {name: each.ravel().tolist() for name, each in weights.items()}
    kernel = build(layer, style, lists, rounding=Rounding(rounding), overflow=Overflow(overflow))
    wanted = counted(layer, style, weights, HIDDEN)
    assert compared(kernel.graph.inventory(), style, bool(weights)) == compared(wanted, style, bool(weights))
    states = 2 if isinstance(layer, LSTM | LSTM1997) else 1
    assert kernel.graph.registers == states * HIDDEN * 7


def stored(values: Any, fraction: int) -> Any:
    return quantise(values, fraction, STEP)


def activated(values: Any, fraction: int, function: str) -> Any:
    """A function of numbers brought to ten bits, by its table."""
    seen = FixedPoint(bits=10, integer=4, overflow=Overflow.SAT)
    table = np.array(Table(function=function, operand=seen, result=STEP).entries)
    return table[quantise(values, fraction, seen) % 1024]


def net(w: dict[str, Any], gate: str, x: Any, h: Any) -> Any:
    """W x + U h + b with ten bits behind the point: x has five, h five, both weights at least four."""
    left, right = x @ w[f"weight{gate}"].T, h @ w[f"recurrent{gate}"].T
    return left + (right << 1) + (w[f"bias{gate}"] << 0)


@pytest.mark.parametrize("style", STYLES)
def test_twenty_steps_of_an_lstm_are_its_equations(style: str) -> None:
    layer, gates = CELLS[2]
    w = recurrent_weights(gates, 7)
    # The bias stands in units of the joined sum.
    kernel = build(layer, style, {name: each.ravel().tolist() for name, each in w.items()}, activation="table")
    rng = np.random.default_rng(1)
    steps = [rng.integers(-128, 128, (SAMPLES, INPUTS)) for _ in range(STEPS)]
    h = c = np.zeros((SAMPLES, HIDDEN), np.int64)
    found = kernel.run({"x0": steps})
    for x, y in zip(steps, found, strict=True):
        i, f, o = (activated(net(w, f".{gate}", x, h), 10, "sigmoid") for gate in "ifo")
        g = activated(net(w, ".g", x, h), 10, "tanh")
        c = stored(f * c + i * g, 10)
        product = o * squashed(c)
        assert (y == product).all()
        h = stored(product, 10)


def squashed(c: Any) -> Any:
    """tanh of a cell state of seven bits: a table of its own numbers."""
    table = np.array(Table(function="tanh", operand=STEP, result=STEP).entries)
    return table[c % 128]


@pytest.mark.parametrize("style", STYLES)
def test_twenty_steps_of_a_gru_are_its_equations(style: str) -> None:
    layer, gates = CELLS[4]
    w = recurrent_weights(gates, 9)
    kernel = build(layer, style, {name: each.ravel().tolist() for name, each in w.items()}, activation="table")
    rng = np.random.default_rng(2)
    steps = [rng.integers(-128, 128, (SAMPLES, INPUTS)) for _ in range(STEPS)]
    h = np.zeros((SAMPLES, HIDDEN), np.int64)
    found = kernel.run({"x0": steps})
    for x, y in zip(steps, found, strict=True):
        z, r = (activated(net(w, f".{gate}", x, h), 10, "sigmoid") for gate in "zr")
        n = activated(net(w, ".n", x, stored(r * h, 10)), 10, "tanh")
        wanted = stored(32 - z, 5) * n + z * h
        assert (y == wanted).all()
        h = stored(wanted, 10)


def test_a_relu_cell_selects_on_the_sign() -> None:
    layer, gates = CELLS[1]
    w = recurrent_weights(gates, 3)
    kernel = build(layer, "shiftadd", {name: each.ravel().tolist() for name, each in w.items()})
    assert list(kernel.graph.inputs) == ["x0", "s1"]
    x = np.random.default_rng(3).integers(-128, 128, (SAMPLES, INPUTS))
    h = np.zeros((SAMPLES, HIDDEN), np.int64)
    assert (kernel.run({"x0": [x]})[0] == stored(np.maximum(net(w, "", x, h), 0), 10)).all()


def test_what_the_equations_leave_open_is_refused() -> None:
    formats = {"weight": Fixed(bits=4, integer=4), "input": Fixed(bits=4, integer=4)}
    refused: list[tuple[Any, str]] = [
        (QRNNRNN(inputs=2, hidden=3, depth=1, outputs=1), "qrnn_rnn has no kernel"),
        (GateL0RD(inputs=2, hidden=4, outputs=1, open_rate="0.5", **FORMATS), "with open_rate 1/2"),
        (Conv1D(length=9, channels=2, filters=2, kernel_size=3, bias_variant="P2", **formats), "no kernel does"),
        (RNN(inputs=2, hidden=3, clip=True, **FORMATS), "do not say by what"),
        (RNN(inputs=2, hidden=3, function="elu", **FORMATS), "do not say its constants"),
        (Dense(inputs=2, units=2), "only fixed point has a kernel"),
        (Dense(inputs=2, units=2, weight=Binary(), input=formats["input"]), "its one encoding is not known"),
    ]
    for layer, text in refused:
        with pytest.raises(UnsupportedLayer, match=text):
            build(layer)


def test_a_mapping_of_indices_that_is_not_said_is_refused() -> None:
    format = Fixed(bits=4, integer=4)
    netlist = Netlist()
    two, three = netlist.variable(2, format), netlist.variable(3, format)
    with pytest.raises(UnsupportedLayer, match="which element meets which"):
        netlist.add(three, two, role=Role.ELEMENTWISE)
    with pytest.raises(UnsupportedLayer, match="which belong together"):
        netlist.dot(two, three, terms=3, outputs=1, role=Role.INPUT)
    with pytest.raises(UnsupportedLayer, match="do not say which"):
        netlist.compare(two, two, role=Role.ELEMENTWISE)
    with pytest.raises(UnsupportedLayer, match="not which"):
        netlist.dot(two, two, terms=2, outputs=1, products=1, role=Role.INPUT)


def test_wrong_numbers_are_refused_by_name() -> None:
    format = Fixed(bits=4, integer=4)
    layer = Dense(inputs=2, units=1, bias=False, weight=format, input=format)
    with pytest.raises(UsageError, match=r"a weight is 8, its format holds -8\.\.7"):
        build(layer, "mac", {"weight": [8, 1]})
    with pytest.raises(UsageError, match="weight has 3 values, expected 2"):
        build(layer, "mac", {"weight": [1, 1, 1]})
    with pytest.raises(UsageError, match=r"weight holds 1\.5, expected integers"):
        build(layer, "mac", {"weight": [1, 1.5]})  # type: ignore[list-item]
    with pytest.raises(UsageError, match="the equations name no constant 'kernel'"):
        build(layer, "mac", {"kernel": [1, 1]})
    with pytest.raises(UsageError, match="there is no style 'csd'"):
        build(layer, "csd")
    graph = build(layer, "mac", {"weight": [3, 1]}).graph
    with pytest.raises(IntervalError, match=r"wire n0 \(input\) carries 8\.\.8, expected -8\.\.7"):
        evaluate(graph, {"x0": np.array([[8, 0]])})
    with pytest.raises(UsageError, match="input x0 is missing"):
        evaluate(graph, {})
    with pytest.raises(UsageError, match="expected 2 integers"):
        evaluate(graph, {"x0": np.array([[1.0, 0.0]])})
