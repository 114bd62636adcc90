"""The layers of the catalogue: numbers of the literature, scalar runs, free sizes."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nncomplexity.accounting import count
from nncomplexity.expressions import Expression, substitute, symbol
from nncomplexity.formats import Fixed, Format, PowerOfTwo
from nncomplexity.layers import LAYERS, layer_class
from nncomplexity.layers.layer import Layer
from nncomplexity.metrics import BY_KEY
from reference.scalar_cells import CELLS, counted

ORACLES = tomllib.loads((Path(__file__).parent / "oracles/cells.toml").read_text("utf-8"))
Row = dict[str, Any]
FORMATS = ("weight", "input", "recurrent", "activation")
METRICS = ("rm", "mac", "flops", "add", "cmp", "act", "bop", "bop_mac", "nabs")

# Three sets of unequal, mostly odd sizes for every kind.
STEPPED = [
    {"steps": 3, "inputs": 5, "hidden": 7},
    {"steps": 5, "inputs": 9, "hidden": 3},
    {"steps": 2, "inputs": 1, "hidden": 11},
]
RESERVOIRS = [
    {"steps": 3, "inputs": 5, "reservoir": 11, "outputs": 7},
    {"steps": 2, "inputs": 7, "reservoir": 13, "outputs": 3},
    {"steps": 5, "inputs": 3, "reservoir": 9, "outputs": 1},
]
IMAGES = [
    {"height": 9, "width": 7, "channels": 3, "filters": 5, "kernel_size": (3, 2)},
    {"height": 5, "width": 11, "channels": 1, "filters": 7, "kernel_size": (1, 5), "padding": (0, 2)},
    {"height": 3, "width": 5, "channels": 7, "filters": 1, "kernel_size": (3, 3), "padding": (1, 1)},
]
SEQUENCES = [
    {"length": 13, "channels": 3, "filters": 5, "kernel_size": 4, "padding": (2, 1), "stride": 2},
    {"length": 17, "channels": 6, "filters": 9, "kernel_size": 3, "groups": 3, "dilation": 3, "bias": False},
    {"length": 7, "channels": 1, "filters": 3, "kernel_size": 7},
]
PLAIN = [{"inputs": 5, "units": 7}, {"inputs": 9, "units": 3}, {"inputs": 1, "units": 11}]


def joined(sets: list[Row], *more: Row) -> list[Row]:
    return [{**fields, **each} for fields, each in zip(sets, more, strict=True)]


OPTIONS = ({}, {"bias": False}, {"bidirectional": True})
SIZES: dict[str, list[Row]] = {
    "dense": joined(PLAIN, {}, {"bias": False}, {"steps": 3}),
    "rnn": joined(STEPPED, *OPTIONS),
    "lstm": [*joined(STEPPED, *OPTIONS), {**STEPPED[0], "peepholes": True}],
    "gru": [*joined(STEPPED, *OPTIONS), *({**each, "linear_before_reset": True} for each in joined(STEPPED, *OPTIONS))],
    "lstm1997": joined(STEPPED, *OPTIONS),
    "nc_gru": joined(STEPPED, *OPTIONS),
    "gatel0rd": joined(STEPPED, {"outputs": 3}, {"outputs": 5}, {"outputs": 1}),
    "stpn": [{**each, "merged": merged} for each in STEPPED for merged in (True, False)],
    "sr_gru": joined(STEPPED, {"centroids": 3}, {"centroids": 5}, {"centroids": 1}),
    "sr_lstm": joined(STEPPED, {"centroids": 3}, {"centroids": 5, "peepholes": True}, {"centroids": 1}),
    "qrnn_rnn": joined(STEPPED, *({"outputs": n, "depth": 2} for n in (3, 5, 1))),
    "qrnn_lstm": joined(STEPPED, *({"outputs": n, "depth": 2} for n in (3, 5, 1))),
    "qrnn_gru": joined(STEPPED, *({"outputs": n, "depth": 2} for n in (3, 5, 1))),
    "esn": joined(
        RESERVOIRS,
        {"nonzeros_per_row": 3},
        {"nonzeros_per_row": 5, "leaky": False},
        {"nonzeros_per_row": 1, "bias": True, "readout_bias": True},
    ),
    "esn_pod": joined(RESERVOIRS, {"rank": 3}, {"rank": 5}, {"rank": 1}),
    "esn_deim": joined(RESERVOIRS, {"rank": 3, "samples": 5}, {"rank": 5, "samples": 3}, {"rank": 1, "samples": 7}),
    "organism": joined(PLAIN, {}, {"particle": (4, 2, 2, 1)}, {"particle": (3, 1)}),
    "kan": [{**each, "basis": basis} for each in PLAIN for basis in ("bspline", "grbf", "chebyshev", "fourier")],
    "conv1d": SEQUENCES,
    "conv2d": IMAGES,
}
CASES = [(kind, fields) for kind, sets in SIZES.items() for fields in sets]
NAMES = [f"{kind}-{index}" for kind, sets in SIZES.items() for index in range(len(sets))]
every_kind = pytest.mark.parametrize(("kind", "fields"), CASES, ids=NAMES)


def built(kind: str, fields: Row, number: Format | None = None) -> Layer:
    """A layer with every format the same."""
    made = layer_class(kind)(**fields)
    formats = {name: number or Fixed(bits=8) for name in FORMATS if hasattr(made, name)}
    return layer_class(kind)(**fields, **formats)  # type: ignore[arg-type]


def measured(layer: Layer, keys: tuple[str, ...], convention: str = "paper") -> Row:
    inventory = count(layer, convention)
    return {key: inventory.total(BY_KEY[key].weight) for key in keys}


@pytest.mark.parametrize("row", ORACLES["layer"], ids=[row["name"] for row in ORACLES["layer"]])
def test_a_layer_costs_what_was_published(row: Row) -> None:
    keys = tuple(key for key in ("rm", "bop", "nabs") if key in row)
    assert measured(built(row["kind"], row["fields"], Fixed(bits=row["bits"])), keys) == {key: row[key] for key in keys}


@pytest.mark.parametrize("row", ORACLES["step"], ids=[f"{row['kind']}-{row['rm']}" for row in ORACLES["step"]])
def test_a_step_does_what_its_equations_say(row: Row) -> None:
    keys = tuple(key for key in ("rm", "add") if key in row)
    assert measured(built(row["kind"], row["fields"]), keys) == {key: row[key] for key in keys}


def test_a_stack_of_cells() -> None:
    (row,) = ORACLES["stack"]
    layers = [built(row["kind"], {"inputs": a, "hidden": b}) for a, b in pairwise(row["widths"])]
    assert [measured(layer, ("rm",))["rm"] for layer in layers] == row["rm"]


def test_a_spline_layer_against_a_dense_one() -> None:
    (row,) = ORACLES["ratio"]
    pairs = [{"inputs": a, "units": b} for a, b in pairwise(row["widths"])]
    for key in ("rm", "bop", "nabs"):
        splines = [measured(built("kan", {**pair, "order": row["order"]}), (key,))[key] for pair in pairs]
        dense = [measured(built("dense", pair), (key,))[key] for pair in pairs]
        assert f"{Decimal(sum(splines)) / sum(dense):.3f}" == row[key]


def test_every_kind_has_sizes_and_a_scalar_run() -> None:
    assert set(SIZES) == set(CELLS) == set(LAYERS) - {"attention"}


@every_kind
def test_the_scalar_run_does_as_much(kind: str, fields: Row) -> None:
    assert measured(built(kind, fields), ("rm", "add", "cmp", "act")) == counted(kind, **fields)


@pytest.mark.parametrize("rate", [0, Fraction(1, 7), "0.2", 1])
def test_closed_gates_need_no_candidate(rate: Any) -> None:
    fields = {"steps": 3, "inputs": 4, "hidden": 35, "outputs": 5}
    layer = built("gatel0rd", {**fields, "open_rate": rate})
    found = counted("gatel0rd", **fields, open_units=int(Fraction(rate) * 35))
    assert measured(layer, ("rm", "add", "cmp", "act")) == found


@every_kind
@pytest.mark.parametrize("bits", [(8, 8), (3, 11)])
def test_free_sizes_are_concrete_sizes(kind: str, fields: Row, bits: tuple[int, int]) -> None:
    """A run with names for sizes, its names replaced by five sets of sizes, is the run with these sizes."""
    formats = dict(zip(("weight", "input"), (Fixed(bits=each) for each in bits), strict=True))
    layer = layer_class(kind)
    sizes = {name: value for name, value in fields.items() if name in layer.letters and type(value) is int}
    free = measured(layer(**{**fields, **{name: symbol(name) for name in sizes}}, **formats), METRICS)
    for factor in (1, 3, 5, 8, 13):
        bound = {name: value * factor for name, value in sizes.items()}
        found = {key: None if value is None else substitute(value, bound) for key, value in free.items()}
        assert found == measured(layer(**{**fields, **bound}, **formats), METRICS)


@every_kind
def test_the_closed_form_is_the_count(kind: str, fields: Row) -> None:
    """The letters of the literature, replaced by sizes and bits, give the count of the layer."""
    layer = built(kind, fields)
    values = {"b_w": 8, "b_i": 8, "b_a": 8, "X_w": 7, "X_i": 7, "X_a": 7}
    for name, letters in layer.letters.items():
        if getattr(layer, name) is not None:
            values[letters] = getattr(layer, name)
    if kind == "conv2d":
        rows, columns = layer.kernel  # type: ignore[attr-defined]
        values |= {"n_k": rows, "n_k1": rows, "n_k2": columns}
    form = measured(layer.lettered(), ("rm", "bop", "nabs"))
    assert any(isinstance(value, Expression) for value in form.values())
    assert {key: substitute(value, values) for key, value in form.items()} == measured(layer, ("rm", "bop", "nabs"))


@every_kind
def test_counts_are_linear_in_steps(kind: str, fields: Row) -> None:
    if "steps" not in fields:
        return
    one, many = (measured(built(kind, {**fields, "steps": steps}), METRICS) for steps in (1, 77))
    assert many == {key: value * 77 for key, value in one.items()}


@every_kind
def test_two_directions_are_twice_one(kind: str, fields: Row) -> None:
    if "bidirectional" in layer_class(kind).spec:
        one, two = (measured(built(kind, {**fields, "bidirectional": both}), METRICS) for both in (False, True))
        assert two == {key: value * 2 for key, value in one.items()}


@every_kind
def test_conventions_agree_on_how_often(kind: str, fields: Row) -> None:
    layer, keys = built(kind, fields), ("rm", "mac", "add", "cmp", "act", "flops")
    assert measured(layer, keys, "exact") == measured(layer, keys, "paper")


@every_kind
def test_powers_of_two_change_additions_only(kind: str, fields: Row) -> None:
    uniform, shifts = (
        measured(layer_class(kind)(**fields, weight=weight, input=Fixed(bits=8)), METRICS)
        for weight in (Fixed(bits=6), PowerOfTwo(bits=6))
    )
    assert {**shifts, "nabs": None} == {**uniform, "nabs": None}
    assert uniform["nabs"] is None or shifts["nabs"] <= uniform["nabs"]


@every_kind
def test_parameters_are_sizes_with_formats(kind: str, fields: Row) -> None:
    layer = built(kind, fields)
    for name, elements in layer.parameters().items():
        assert type(elements) is int and elements > 0
        assert layer.stored_in(name) == Fixed(bits=8)


@every_kind
def test_the_fields_of_a_specification_are_fields(kind: str, fields: Row) -> None:
    layer = layer_class(kind)
    assert layer.kind == kind
    assert set(layer.spec) <= set(layer.__dataclass_fields__)
    assert set(fields) <= set(layer.spec)


@pytest.mark.parametrize(("kind", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_biases_are_stored_twice(kind: str, gates: int) -> None:
    layer = built(kind, {"inputs": 3, "hidden": 5, "bidirectional": True})
    assert layer.parameters() == {"weight": 30 * gates, "recurrent": 50 * gates, "bias": 20 * gates}


def test_density_is_the_mean_field() -> None:
    """s_p Mult(N_r): the products of 1/4 of the rows and as much of the additions of a full row."""
    fields = {"inputs": 3, "reservoir": 20, "outputs": 2, "leaky": False}
    sparse, empty = (measured(built("esn", {**fields, "density": part}), ("rm", "add")) for part in (0.25, 0))
    assert {key: sparse[key] - empty[key] for key in sparse} == {"rm": 20 * 20 // 4, "add": 20 * 19 // 4}
    same = [built("esn", {**fields, "density": part}) for part in (0.25, "0.25", "1/4", Fraction(1, 4))]
    assert len(set(same)) == 1


def test_a_window_of_the_whole_sequence_is_a_dense_layer() -> None:
    whole = built("conv1d", {"length": 9, "channels": 4, "filters": 7, "kernel_size": 9})
    assert count(whole) == count(built("dense", {"inputs": 36, "units": 7}))


@pytest.mark.parametrize(
    ("fields", "positions"),
    [
        ({}, 10),
        ({"padding": "same"}, 12),
        ({"padding": "same", "stride": 5}, 3),
        ({"padding": 2, "dilation": 3}, 10),
        ({"padding": [0, 3], "stride": 4}, 4),
    ],
)
def test_positions_of_a_sequence(fields: Row, positions: int) -> None:
    layer: Any = layer_class("conv1d")
    assert layer(length=12, channels=2, filters=3, kernel_size=3, **fields).positions == positions


def test_an_update_of_the_orthogonal_matrix_is_a_figure_of_its_own() -> None:
    layer: Any = layer_class("nc_gru")(inputs=3, hidden=5)  # type: ignore[call-arg]
    assert [layer.update_cost(order) for order in (1, 2, None)] == [3 * 125, 4 * 125, 2 * 125]


@pytest.mark.parametrize(("kind", "circuits"), [("qrnn_rnn", 1), ("qrnn_gru", 3), ("qrnn_lstm", 4)])
def test_quantum_resources_are_an_account_of_their_own(kind: str, circuits: int) -> None:
    layer: Any = built(kind, {"steps": 5, "inputs": 3, "hidden": 4, "depth": 2, "outputs": 1})
    assert layer.quantum(shots=10) == {
        "qubits": 7,
        "circuits": 5 * circuits,
        "one_qubit_gates": 5 * circuits * 7 * (3 + 2),
        "two_qubit_gates": 5 * circuits * 2 * 7 * 2,
        "shots": 50 * circuits,
    }
