"""Published numbers (oracles/layers.toml), reached from the layer classes and from ONNX files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.accounting import count
from nncomplexity.formats import Fixed
from nncomplexity.layers.convolution import Convolution
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.gru import GRU
from nncomplexity.layers.lstm import LSTM
from nncomplexity.layers.rnn import RNN
from nncomplexity.metrics import BY_KEY
from onnx import helper

ORACLES = tomllib.loads((Path(__file__).parent / "oracles/layers.toml").read_text("utf-8"))
METRICS = ("rm", "bop", "nabs")
RECURRENT = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
Row = dict[str, Any]
Build = Callable[..., onnx.ModelProto]


def names(rows: list[Row]) -> list[str]:
    return [row["name"] for row in rows]


def layer_of(row: Row) -> Any:
    number = Fixed(bits=row["bits"])
    formats = {"weight": number, "input": number}
    if row["kind"] == "dense":
        return Dense(inputs=row["inputs"], units=row["units"], **formats)
    if row["kind"] == "conv1d":
        positions = row["length"] - row["kernel_size"] + 1
        terms = row["channels"] * row["kernel_size"]
        return Convolution(terms=terms, filters=row["filters"], positions=positions, **formats)
    sizes = {key: row[key] for key in ("steps", "inputs", "hidden")}
    return RECURRENT[row["kind"]](**sizes, **formats, recurrent=number, activation=number)


def dense_model(build: Build, widths: list[int]) -> onnx.ModelProto:
    """Dense layers as exporters write them: a MatMul and an Add of the bias."""
    nodes, weights, value = [], {}, "x"
    for index, (inputs, units) in enumerate(pairwise(widths)):
        nodes.append(helper.make_node("MatMul", [value, f"W{index}"], [f"h{index}"]))
        nodes.append(helper.make_node("Add", [f"h{index}", f"b{index}"], [f"y{index}"]))
        weights |= {f"W{index}": [inputs, units], f"b{index}": [units]}
        value = f"y{index}"
    return build(nodes, {"x": [1, widths[0]]}, [value], weights)


def model_of(build: Build, row: Row) -> onnx.ModelProto:
    if row["kind"] == "dense":
        return dense_model(build, [row["inputs"], row["units"]])
    if row["kind"] == "conv1d":
        shape = [row["filters"], row["channels"], row["kernel_size"]]
        node = helper.make_node("Conv", ["x", "W", "b"], ["y"])
        return build([node], {"x": [1, row["channels"], row["length"]]}, ["y"], {"W": shape, "b": shape[:1]})
    steps, inputs, hidden, rows = row["steps"], row["inputs"], row["hidden"], GATES[row["kind"]] * row["hidden"]
    node = helper.make_node(row["kind"].upper(), ["x", "W", "R", "B"], ["y"], hidden_size=hidden)
    weights = {"W": [1, rows, inputs], "R": [1, rows, hidden], "B": [1, 2 * rows]}
    return build([node], {"x": [steps, 1, inputs]}, ["y"], weights)


@pytest.mark.parametrize("row", ORACLES["layer"], ids=names(ORACLES["layer"]))
def test_a_layer_costs_what_was_published(row: Row) -> None:
    inventory = count(layer_of(row), "paper")
    assert {key: inventory.total(BY_KEY[key].weight) for key in METRICS} == {key: row[key] for key in METRICS}


@pytest.mark.parametrize("row", ORACLES["layer"], ids=names(ORACLES["layer"]))
def test_a_file_costs_what_was_published(row: Row, build: Build) -> None:
    """A Dense is two nodes in a file: the MatMul row and the bias Add row are the published form together."""
    report = nc.analyze(model_of(build, row), quant=f"w{row['bits']}a{row['bits']}")
    assert {key: report.totals[key] for key in METRICS} == {key: row[key] for key in METRICS}


@pytest.mark.parametrize("row", ORACLES["mlp"], ids=lambda row: f"{row['bits']} bits")
def test_an_mlp_costs_what_was_published(row: Row, build: Build) -> None:
    report = nc.analyze(dense_model(build, row["widths"]), quant=f"w{row['bits']}a{row['bits']}")
    known = [key for key in METRICS if key in row]
    assert {key: report.totals[key] for key in known} == {key: row[key] for key in known}


def test_a_dot_product_costs_what_was_published() -> None:
    row = ORACLES["dot"][0]
    for terms, weight, input, mult in zip(row["terms"], row["weight"], row["input"], row["mult"], strict=True):
        layer = Dense(inputs=terms, units=1, bias=False, weight=Fixed(bits=weight), input=Fixed(bits=input))
        assert count(layer).total(BY_KEY["bop"].weight) == mult


def test_a_power_of_two_costs_additions_only(build: Build) -> None:
    """X_w = 0: 50 products are shifts, 45 additions and 5 biases of 20 bits remain; BOP does not see it."""
    report = nc.analyze(dense_model(build, [10, 5]), quant="w:pot8,a8")
    assert (report.totals.nabs, report.totals.bop) == (50 * 20, 4200)


def test_the_rows_of_a_dense_layer_share_its_bias(build: Build) -> None:
    report = nc.analyze(dense_model(build, [10, 5]), quant="w8a8")
    assert [entry.bop for entry in report.entries] == [4200 - 5 * 20, 5 * 20]
