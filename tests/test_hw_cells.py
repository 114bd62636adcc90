"""Recurrent cells of the literature: their kernels are counted, and compute equations written by hand for integers."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import SpecError
from nncomplexity.formats import Fixed
from nncomplexity.hw import verify
from nncomplexity.hw.building import build, finished
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.hw.evaluation import evaluate
from nncomplexity.hw.fixed import FixedPoint, quantise
from nncomplexity.hw.kernels import Netlist
from nncomplexity.layers.echo_state import EchoState
from nncomplexity.layers.echo_state_reduced import EchoStateDEIM, EchoStatePOD
from nncomplexity.layers.gatel0rd import GateL0RD
from nncomplexity.layers.lstm1997 import LSTM1997
from nncomplexity.layers.nc_gru import NCGRU
from nncomplexity.layers.state_regularized import SRGRU, SRLSTM
from nncomplexity.layers.stpn import STPN
from nncomplexity.layers.wiring import sparse
from nncomplexity.ops import Kind, Role

Weights = dict[str, Any]
Step = Callable[[Weights, Any, list[Any]], tuple[list[Any], list[Any]]]

# Bits behind the binary point: weights 5, recurrent weights 4, inputs 5, states and activations 5.
FORMATS = {
    "weight": Fixed(bits=6, integer=1),
    "recurrent": Fixed(bits=5, integer=1),
    "input": Fixed(bits=8, integer=3),
    "activation": Fixed(bits=7, integer=2),
}
STATE = FixedPoint(bits=7, integer=2)
ONE, SAMPLES, STEPS = 32, 30, 20
INPUTS, HIDDEN, OUTPUTS = 3, 5, 2


def stored(values: Any, fraction: int = 10) -> Any:
    return quantise(values, fraction, STATE)


def looked_up(values: Any, function: str, *, fraction: int = 10, bits: int = 24) -> Any:
    """A function of numbers of so many bits, as the kernels look it up."""
    netlist = Netlist()
    x = netlist.variable(values.shape[1], Fixed(bits=bits, integer=bits - fraction))
    netlist.lookup(x, function, result=FORMATS["activation"])
    return evaluate(finished(netlist).graph, {"x0": values})["y0"]


def net(w: Weights, gate: str, x: Any, h: Any) -> Any:
    """W x + U h + b with ten bits behind the point."""
    bias = w.get(f"bias{gate}", 0)
    return x @ w[f"weight{gate}"].T + (h @ w[f"recurrent{gate}"].T << 1) + bias


def gru(w: Weights, x: Any, h: Any, candidate: Callable[[Any], Any]) -> Any:
    z, r = (looked_up(net(w, gate, x, h), "sigmoid") for gate in (".z", ".r"))
    n = candidate(x @ w["weight.n"].T + (stored(r * h) @ w["recurrent.n"].T << 1))
    return stored(ONE - z, 5) * n + z * h


def nc_gru(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
    (h,) = states
    new = gru(w, x, h, lambda v: stored(np.where(v < 0, -1, 1) * np.maximum(abs(v) + w["bias.n"], 0)))
    return [new], [stored(new)]


def lstm(w: Weights, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    i, f, o = (looked_up(net(w, gate, x, h), "sigmoid") for gate in (".i", ".f", ".o"))
    c = stored(f * c + i * looked_up(net(w, ".g", x, h), "tanh"))
    return o * looked_up(c, "tanh", fraction=5, bits=7), c


def lstm1997(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
    h, c = states
    i, o = (looked_up(net(w, gate, x, h), "sigmoid") for gate in (".i", ".o"))
    c = stored(i * looked_up(net(w, ".g", x, h), "tanh") + (c << 5))
    new = o * looked_up(c, "tanh", fraction=5, bits=7)
    return [new, c], [stored(new), c]


def gatel0rd(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
    (h,) = states
    gate = np.maximum(looked_up(net(w, ".g", x, h), "tanh"), 0)
    new = gate * looked_up(net(w, ".r", x, h), "tanh")
    h = stored(new + stored(ONE - gate, 5) * h)
    y = looked_up(net(w, ".p", x, h), "tanh") * looked_up(net(w, ".o", x, h), "sigmoid")
    return [y, h], [h]


def stpn(merged: bool) -> Step:
    def step(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
        h, entering, recurring = states
        f, g = entering.reshape(-1, HIDDEN, INPUTS), recurring.reshape(-1, HIDDEN, HIDDEN)
        if merged:
            one, other = stored(f + w["weight"], 5), stored(g + (w["recurrent"] << 1), 5)
            total = np.einsum("sij,sj->si", one, x) + np.einsum("sij,sj->si", other, h)
        else:
            total = x @ w["weight"].T + np.einsum("sij,sj->si", f, x)
            total = total + (h @ w["recurrent"].T << 1) + np.einsum("sij,sj->si", g, h)
        new = looked_up(total + w.get("bias", 0), "tanh")
        found = [new]
        for state, operand, part in ((f, x, ".x"), (g, h, ".h")):
            outer = stored(new[:, :, None] * operand[:, None, :])
            kept = state * w[f"decay{part}"].reshape(HIDDEN, -1)
            found.append((kept + outer * w[f"gain{part}"].reshape(HIDDEN, -1)).reshape(len(x), -1))
        return found, [new, *(stored(each) for each in found[1:])]

    return step


def mixture(w: Weights, u: Any, centroids: int) -> Any:
    u = stored(u)
    scores = u @ w["centroids.score"].reshape(centroids, HIDDEN).T
    powers = looked_up(scores, "exp", fraction=9)
    total = powers.sum(axis=1, keepdims=True)
    shares = stored(powers * looked_up(total, "reciprocal", fraction=5, bits=10))
    return shares @ w["centroids"].reshape(HIDDEN, centroids).T


def sr_gru(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
    new = mixture(w, gru(w, x, states[0], lambda net: looked_up(net, "tanh")), 4)
    return [new], [stored(new, 9)]


def sr_lstm(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
    u, c = lstm(w, x, *states)
    new = mixture(w, u, 3)
    return [new, c], [stored(new, 9), c]


COLUMNS = ((0, 6), (1, 2), (2, 0), (5, 3), (1, 4), (5, 6), (3, 0))


def reservoir(columns: Any) -> Step:
    def step(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
        (s,) = states
        full = np.zeros((7, 7), np.int64)
        np.put_along_axis(full, np.array(columns), w["recurrent"].reshape(7, -1), axis=1)
        new = looked_up(x @ w["weight"].reshape(7, -1).T + (s @ full.T << 1) + w.get("bias", 0), "tanh")
        if "leak" in w:
            new = stored(s * w["rest"] + new * w["leak"])
        y = new @ w["readout"].reshape(OUTPUTS, 7).T + w.get("readout_bias", 0)
        return [y, new], [new]

    return step


def reduced(w: Weights, x: Any, states: list[Any]) -> tuple[list[Any], list[Any]]:
    (z,) = states
    weight, recurrent = w["weight"].reshape(-1, INPUTS), w["recurrent"].reshape(-1, 3)
    nodes = looked_up(x @ weight.T + (z @ recurrent.T << 1) + w["bias"], "tanh")
    back = stored(nodes @ w["projection"].reshape(3, -1).T)
    z = stored(z * w["rest"] + back * w["leak"])
    return [z @ w["readout"].reshape(OUTPUTS, 3).T, z], [z]


SIZES: Any = {"inputs": INPUTS, "hidden": HIDDEN, **FORMATS}
POOL: Any = {"inputs": INPUTS, "reservoir": 7, "outputs": OUTPUTS, **FORMATS}
DRAWN = np.array(sparse(7, 7, 3)()).reshape(7, 3)
CELLS: dict[str, tuple[Any, Step]] = {
    "lstm1997": (LSTM1997(**SIZES), lstm1997),
    "nc_gru": (NCGRU(**SIZES), nc_gru),
    "gatel0rd": (GateL0RD(outputs=OUTPUTS, **SIZES), gatel0rd),
    "stpn": (STPN(**SIZES), stpn(True)),
    "stpn apart": (STPN(merged=False, bias=False, **SIZES), stpn(False)),
    "sr_gru": (SRGRU(centroids=4, **SIZES), sr_gru),
    "sr_lstm": (SRLSTM(centroids=3, **SIZES), sr_lstm),
    "esn": (EchoState(density="2/7", columns=COLUMNS, **POOL), reservoir(COLUMNS)),
    "esn by row": (EchoState(nonzeros_per_row=3, bias=True, readout_bias=True, **POOL), reservoir(DRAWN)),
    "esn without leak": (EchoState(density=1, leaky=False, **POOL), reservoir([range(7)] * 7)),
    "esn_pod": (EchoStatePOD(rank=3, **POOL), reduced),
    "esn_deim": (EchoStateDEIM(rank=3, samples=5, **POOL), reduced),
}
# Rows of the matrices that a product takes whole.
MATRICES = ("weight", "recurrent")


def drawn(layer: Any, seed: int) -> tuple[dict[str, list[int]], Weights]:
    """Weights of their formats, biases of ten bits, as the kernel and as the equations want them."""
    rng, lists = np.random.default_rng(seed), {}
    for name, weight in build(layer, "mac").weights.items():
        low, high = (-700, 700) if "bias" in name else weight.format.interval
        lists[name] = rng.integers(low, high + 1, weight.elements).tolist()
    arrays = {name: np.array(values) for name, values in lists.items()}
    for name in arrays:
        if name.startswith(MATRICES) and "hidden" in layer.letters:
            columns = INPUTS if name.startswith("weight") else HIDDEN
            arrays[name] = arrays[name].reshape(-1, columns)
    return lists, arrays


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CELLS)
def test_twenty_steps_are_the_equations(name: str, seed: int) -> None:
    layer, step = CELLS[name]
    lists, arrays = drawn(layer, seed)
    kernel = build(layer, ("mac", "shiftadd")[seed], lists)
    rng = np.random.default_rng(seed + 10)
    inputs = [rng.integers(-128, 128, (SAMPLES, INPUTS)) for _ in range(STEPS)]
    ports = [port for port in kernel.graph.inputs.values() if port.register]
    states = [np.zeros((SAMPLES, port.elements), np.int64) for port in ports]
    for x, found in zip(inputs, kernel.trace({"x0": inputs}), strict=True):
        wanted, states = step(arrays, x, states)
        assert list(found) == [f"y{number}" for number in range(len(wanted))]
        for one, other in zip(found.values(), wanted, strict=True):
            assert (one == other).all()
    assert any(state.any() for state in states)


def test_a_bias_on_a_port_is_in_its_own_format() -> None:
    layer, step = CELLS["nc_gru"]
    lists, arrays = drawn(layer, 5)
    kernel = build(layer, "mac")
    for name in lists:
        if name.startswith("bias"):
            lists[name] = [value % 64 - 32 for value in lists[name]]
            arrays[name] = np.array(lists[name]) << 5
    x = np.random.default_rng(3).integers(-128, 128, (SAMPLES, INPUTS))
    fixed = {port: np.array([lists[name]]) for name, port in kernel.names.items() if port.startswith("w")}
    wanted, _ = step(arrays, x, [np.zeros((SAMPLES, HIDDEN), np.int64)])
    assert (kernel.run({"x0": [x]}, fixed)[0] == wanted[0]).all()


@pytest.mark.parametrize(
    ("quant", "one"), [("w6,a:fixed<8,1>", 127), ("w6,a:fixed<8,2>", 64), ("w6,a:fixed<5,-1>", 15)]
)
def test_one_is_the_nearest_number_the_activation_holds(quant: str, one: int) -> None:
    (part,) = nc.Network([nc.GRU(steps=1, inputs=2, hidden=3)], quant=quant).parts()
    nodes = build(part.layer, "mac", activation="table").graph.nodes
    constants = {node.value for node in nodes if node.operation.value == "constant"}
    assert constants == {one}


QUANTS = ("w6a5", "w:pot4,a8", "w:apot6x2,a7", "w:fixed<5,2>,a:fixed<7,3>")
LAYERS: dict[str, Any] = {
    "nc_gru": lambda a, b: nc.NCGRU(steps=4, inputs=a, hidden=b),
    "nc_gru reset late": lambda a, b: NCGRU(steps=4, inputs=a, hidden=b, linear_before_reset=True, bias=False),
    "nc_gru two ways": lambda a, b: nc.NCGRU(steps=4, inputs=a, hidden=b, bidirectional=True),
    "gatel0rd": lambda a, b: nc.GateL0RD(steps=4, inputs=a, hidden=b, outputs=a + 2),
    "stpn": lambda a, b: nc.STPN(steps=4, inputs=a, hidden=b),
    "stpn apart": lambda a, b: nc.STPN(steps=4, inputs=a, hidden=b, merged=False),
    "sr_gru": lambda a, b: nc.SRGRU(steps=4, inputs=a, hidden=b, centroids=a),
    "sr_lstm": lambda a, b: nc.SRLSTM(steps=4, inputs=a, hidden=b, centroids=4, peepholes=True),
    "esn": lambda a, b: nc.EchoState(steps=9, inputs=a, reservoir=5 * b, outputs=2, density="0.4", bias=True),
    "esn by row": lambda a, b: nc.EchoState(steps=9, inputs=a, reservoir=b + 4, outputs=3, nonzeros_per_row=b),
    "esn without rows": lambda a, b: nc.EchoState(steps=9, inputs=a, reservoir=b, outputs=1, density=0),
    "esn_pod": lambda a, b: nc.EchoStatePOD(steps=9, inputs=a, reservoir=b + 4, outputs=2, rank=b),
    "esn_deim": lambda a, b: nc.EchoStateDEIM(steps=9, inputs=a, reservoir=40, outputs=2, rank=b, samples=b + 2),
}


@pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")
@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_counts_are_equal(name: str, style: str) -> None:
    seed = list(LAYERS).index(name)
    layer = LAYERS[name](*((3, 1), (1, 3), (2, 3))[seed % 3])
    quant = "w:fixed<4,-1>,a:fixed<4,6>" if name == "nc_gru" else QUANTS[seed % 4]
    verdict = verify(layer, quant=quant, style=style, vectors=30, seed=seed)
    assert verdict, verdict.first_difference
    assert verdict.steps == 20
    assert len(verdict.idealised) == (name == "esn")


@pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")
@pytest.mark.parametrize("name", ["nc_gru", "stpn", "sr_lstm", "esn", "esn_pod"])
def test_what_nothing_reads_is_counted_and_there(name: str) -> None:
    layer = LAYERS[name](2, 1)
    (part,) = nc.Network([layer], quant="w4a4").parts()
    weights = {each: [0] * weight.elements for each, weight in build(part.layer, "mac").weights.items()}
    verdict = verify(layer, quant="w4a4", weights=weights, style="shiftadd", vectors=20)
    assert verdict, verdict.first_difference


@pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")
def test_the_mean_field_of_a_reservoir_is_a_figure() -> None:
    layer = nc.EchoState(steps=9, inputs=2, reservoir=10, outputs=1, density="0.3")
    verdict = verify(layer, quant="w4a4", vectors=20)
    figure = "recurrent additions: 27 as published, 20 in the circuit, where a sum of n terms has n - 1"
    assert (bool(verdict), verdict.idealised) == (True, (figure,))
    (part,) = nc.Network([layer], quant="w4a4").parts()
    for counter, additions, products in (("paper", 9 * 27, 9 * 30), ("exact", 9 * 20, 9 * 30)):
        found = count(part.layer, counter).filter(lambda op: op.role is Role.RECURRENT)
        assert found.total(lambda op: int(op.kind is Kind.ADD)) == additions
        assert found.total(lambda op: int(op.kind is Kind.MULTIPLY)) == products


def test_a_drawn_reservoir_keeps_as_many_weights_in_every_row() -> None:
    rows = np.array(sparse(9, 11, 4)()).reshape(9, 4)
    assert (np.diff(rows, axis=1) > 0).all()
    assert rows.min() >= 0
    assert rows.max() <= 10
    assert sparse(9, 11, 4)() == sparse(9, 11, 4)()
    assert sparse(9, 11, 4, seed=1)() != sparse(9, 11, 4)()
    assert sparse(3, 2, 2)() == [0, 1] * 3


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (((0, 1), (1, 2)), "esn: columns is 2 rows, expected 3, the reservoir [E-SPEC-SIZE]"),
        (
            ((0, 1), (1, 1), (0, 2)),
            "esn: columns[1] is [1, 1], expected 2 different integers from 0 to 2 [E-SPEC-SIZE]",
        ),
        (
            ((0, 1), (1, 2), (0, 3)),
            "esn: columns[2] is [0, 3], expected 2 different integers from 0 to 2 [E-SPEC-SIZE]",
        ),
        (((0, 1), (1, 2), (0,)), "esn: columns[2] is [0], expected 2 different integers from 0 to 2 [E-SPEC-SIZE]"),
    ],
)
def test_columns_that_are_not_those_of_the_reservoir(columns: Any, text: str) -> None:
    with pytest.raises(SpecError) as found:
        EchoState(inputs=1, reservoir=3, outputs=1, nonzeros_per_row=2, columns=columns)
    assert str(found.value) == text


def test_what_no_kernel_can_do_with_states_and_signs_is_refused() -> None:
    format = Fixed(bits=4, integer=4)
    netlist = Netlist()
    x, state = netlist.variable(2, format), netlist.state(2, format)
    size = netlist.magnitude(x)
    with pytest.raises(UnsupportedLayer, match="a magnitude is only added to"):
        netlist.sum(size, terms=2, outputs=1, role=Role.REDUCTION)
    with pytest.raises(UnsupportedLayer, match="the sign of another than"):
        netlist.signed(size, state)
    with pytest.raises(UnsupportedLayer, match="from a magnitude nothing is subtracted"):
        netlist.subtract(size, netlist.constant(2, format), role=Role.BIAS)
    with pytest.raises(UnsupportedLayer, match="what is kept is no state"):
        netlist.keep(x, x)
    with pytest.raises(UnsupportedLayer, match="do not say what a state becomes"):
        finished(netlist)
    netlist.keep(state, x)
    with pytest.raises(UnsupportedLayer, match="is kept twice"):
        netlist.keep(state, x)
    with pytest.raises(UnsupportedLayer, match=r"3 places are .* for 2 numbers"):
        netlist.arrange([x], 2, lambda: (0, 1, 1))
