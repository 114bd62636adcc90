"""Schemes found in the values of weights, and what they change."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from reference.quantized_files import UINT8, File

POWERS = [[1, -2], [4, 0], [64, -128]]
SUMS = [[3, 0], [5, -2], [24, 127]]
PLAIN = [[11, 0], [5, -2], [24, 127]]
ZEROS = [[0, 0], [0, 0], [0, 0]]
ROWS = 2
# Products and additions of 2x3 by 3x2, and the accumulator of 8 + 8 + 2 bits.
PRODUCTS, ADDITIONS, WIDTH = 12, 8, 18
CASES = {
    "powers": (POWERS, 0, "powers of two, 6 distinct of 6", "pot<8>"),
    "sums": (SUMS, 1, "sums of 2 powers of two, 6 distinct of 6", "apot<8,2>"),
    "plain": (PLAIN, 7, "uniform, up to 3 signed digits, 6 distinct of 6", "fixed<8,8>"),
    "zeros": (ZEROS, 7, "fixed<8,8>, 1 distinct of 6", "fixed<8,8>"),
}


def dense(weights: Any, **more: Any) -> onnx.ModelProto:
    file = File()
    file.node("MatMul", file.both(file.input(ROWS, len(weights)), 0.1), file.weight(weights, **more), name="layer")
    return file.model()


@pytest.mark.parametrize("name", CASES)
def test_the_scheme_of_a_matrix(name: str) -> None:
    weights, adders, text, format = CASES[name]
    entry = nc.analyze(dense(weights), detect=True)["layer"]
    assert entry.row.detected == text
    assert str(entry.row.formats["weight"]) == format
    assert entry.nabs == (PRODUCTS * adders + ADDITIONS) * WIDTH


@pytest.mark.parametrize("name", CASES)
def test_only_the_adders_of_a_product_change(name: str) -> None:
    """What is stored and multiplied stays; so does all of exact, which sees the values anyway."""
    model = dense(CASES[name][0])
    before, after = nc.analyze(model), nc.analyze(model, detect=True)
    assert before["layer"].nabs == (PRODUCTS * 7 + ADDITIONS) * WIDTH
    for key in before.totals:
        if key != "nabs":
            assert before.totals[key] == after.totals[key], key
    exact = [nc.analyze(model, convention="exact", detect=detect) for detect in (False, True)]
    for key in ("rm", "add", "bop", "bop_mac", "nabs", "nabs_full_adder", "adders", "weight_bits", "params", "mac"):
        assert exact[0].totals[key] == exact[1].totals[key], key
    assert exact[1].totals["nabs_bound"] == after.totals["nabs"]


def test_nothing_is_looked_for_unasked() -> None:
    report = nc.analyze(dense(POWERS))
    assert report["layer"].row.detected == ""
    assert str(report["layer"].row.formats["weight"]) == "fixed<8,8>"
    assert "detected" not in report.to_json()


def test_detection_says_so_in_json() -> None:
    layers = json.loads(nc.analyze(dense(SUMS), detect=True).to_json())["layers"]
    assert [layer.get("detected") for layer in layers] == [None, None, None, CASES["sums"][2]]


@pytest.mark.parametrize(
    ("weights", "distinct"),
    [([[1, 1], [2, 2], [1, 2]], 2), ([[8, 8]] * 3, 1), ([[-1, 1]] * 3, 2), ([[0, 2], [-2, 0], [0, 2]], 3)],
)
def test_how_many_numbers_there_are(weights: Any, distinct: int) -> None:
    assert nc.analyze(dense(weights), detect=True)["layer"].row.detected == (f"powers of two, {distinct} distinct of 6")


def test_values_are_less_their_zero_points() -> None:
    """Stored 131, 130, 2 mean 1, 0, -128."""
    file = File()
    x = file.both(file.input(2, 3), 0.1)
    stored = file.constant([[131], [130], [2]], UINT8)
    file.node("MatMul", x, file.dequantize(stored, 0.3, 130, UINT8), name="layer")
    assert nc.analyze(file.model(), detect=True)["layer"].row.detected == "powers of two, 3 distinct of 3"


def test_a_scale_says_nothing() -> None:
    """Scales that are powers of two, of weights that are none; and the other way round."""
    coarse = nc.analyze(dense(PLAIN, scale=0.125), detect=True)["layer"]
    assert coarse.row.detected.startswith("uniform")
    odd = nc.analyze(dense(POWERS, scale=0.3), detect=True)["layer"]
    assert odd.row.detected.startswith("powers of two")
    assert odd.nabs == ADDITIONS * WIDTH


def test_scales_by_channel_do_not_matter() -> None:
    entry = nc.analyze(dense(POWERS, scale=[0.3, 0.7], axis=1), detect=True)["layer"]
    assert (entry.row.detected, entry.nabs) == ("powers of two, 6 distinct of 6", ADDITIONS * WIDTH)


def test_every_layer_on_its_own() -> None:
    """One quantized tensor for two layers, another one for the third."""
    file = File()
    shared = file.weight([[2, 4], [-8, 0]])
    x = file.both(file.input(3, 2), 0.1)
    for index in range(3):
        weight = shared if index < 2 else file.weight([[7, 3], [0, -9]])
        x = file.node("MatMul", x, weight, name=f"layer{index}")
        x = file.both(x, 0.1)
    report = nc.analyze(file.model(), detect=True)
    assert [report[f"layer{index}"].row.detected for index in range(3)] == [
        "powers of two, 4 distinct of 4",
        "powers of two, 4 distinct of 4",
        "sums of 2 powers of two, 4 distinct of 4",
    ]


def test_the_weights_of_a_convolution() -> None:
    file = File()
    stored = np.array([1, -2, 16, 0, 64, 4]).reshape(1, 1, 2, 3)
    file.node("Conv", file.both(file.input(1, 1, 4, 5), 0.1), file.weight(stored), name="layer")
    entry = nc.analyze(file.model(), detect=True)["layer"]
    assert entry.row.detected == "powers of two, 6 distinct of 6"
    assert entry.nabs == 3 * 3 * 5 * (8 + 8 + 3)


def test_floats_have_a_scheme_once_they_are_rounded() -> None:
    file = File()
    file.node("MatMul", file.input(2, 3), file.constant([[0.5, 0.25], [1.0, -0.5], [0.0, 0.125]]), name="layer")
    assert nc.analyze(file.model(), detect=True)["layer"].row.detected == ""
    entry = nc.analyze(file.model(), detect=True, quant="w8a8")["layer"]
    assert entry.row.detected == "powers of two, 6 distinct of 6"
    assert entry.nabs == ADDITIONS * WIDTH


def test_free_sizes_may_be_left() -> None:
    file = File()
    file.node("MatMul", file.both(file.input("n", 3), 0.1), file.weight(POWERS), name="layer")
    assert str(nc.analyze(file.model(), detect=True)["layer"].nabs) == "72*n"


def lstm(gates: tuple[int, int, int, int], recurrent: int = -2) -> onnx.ModelProto:
    """2 inputs, 2 units, 3 steps; every gate has one number of its own."""
    file = File()
    x = file.both(file.input(3, 1, 2), 0.1)
    weight = np.repeat(np.array(gates), 4).reshape(1, 8, 2)
    kept = file.weight(np.full((1, 8, 2), recurrent))
    file.node("LSTM", x, file.weight(weight), kept, name="layer", hidden_size=2)
    return file.model()


@pytest.mark.parametrize(
    ("gates", "scheme", "adders"),
    [
        ((4, 8, 1, 0), "powers of two", 0),
        ((4, 5, 1, 0), "sums of 2 powers of two", 1),
        ((4, 5, 11, 0), "uniform, up to 3 signed digits", 7),
    ],
)
def test_the_gates_of_a_recurrent_layer_are_one_tensor(gates: Any, scheme: str, adders: int) -> None:
    """One gate that is no power of two makes the tensor none; recurrent weights are another tensor.

    3 steps of 16 products; an accumulator of 8 + 8 + 1 bits.
    """
    before, after = (nc.analyze(lstm(gates), detect=detect)["layer"] for detect in (False, True))
    first, second = after.row.detected.split("; ")
    assert first.startswith(scheme + ", ")
    assert second == "powers of two, 1 distinct of 16"
    assert before.nabs - after.nabs == 3 * 16 * (7 - adders) * 17 + 3 * 16 * 7 * 17
    assert [after.row.formats[name].adders for name in ("weight", "recurrent")] == [adders, 0]


@pytest.mark.parametrize(("gates", "distinct"), [((4, 8, 1, 0), 4), ((2, 2, 2, -2), 2)])
def test_distinct_numbers_of_all_gates(gates: Any, distinct: int) -> None:
    first = nc.analyze(lstm(gates), detect=True)["layer"].row.detected.split("; ")[0]
    assert first == f"powers of two, {distinct} distinct of 16"


# The command.


def test_a_column_of_the_command(save: Any, run: Any) -> None:
    name = save(dense(POWERS))
    rows = list(csv.DictReader(io.StringIO(run("report", name, "--detect", "-f", "csv").out)))
    by_name = {row["layer"]: row for row in rows} if "layer" in rows[0] else {row["name"]: row for row in rows}
    assert by_name["layer"]["detected"] == "powers of two, 6 distinct of 6"
    plain = list(csv.DictReader(io.StringIO(run("report", name, "-f", "csv").out)))
    assert not any(row.get("detected") for row in plain)
    table = run("report", name, "--detect").out
    assert "powers of two, 6 distinct of 6" in table
    assert "powers of two" not in run("report", name).out
    chosen = run("report", name, "--detect", "--columns", "op,detected").out
    assert "powers of two, 6 distinct of 6" in chosen


def test_the_command_counts_what_it_found(save: Any, run: Any) -> None:
    name = save(dense(SUMS))
    totals = [
        json.loads(run("report", name, "-f", "json", *options).out)["totals"]["nabs"] for options in ((), ("--detect",))
    ]
    assert totals == [(PRODUCTS * 7 + ADDITIONS) * WIDTH, (PRODUCTS + ADDITIONS) * WIDTH]


def test_biases_are_no_weights() -> None:
    """A bias of 9 does not make weights of powers of two anything else."""
    file = File()
    x = file.both(file.input(2, 3), 0.1)
    bias = file.weight([9, 77], 0.1, TensorProto.INT32)
    file.node("Gemm", x, file.weight(POWERS), bias, name="layer")
    assert nc.analyze(file.model(), detect=True)["layer"].row.detected == "powers of two, 6 distinct of 6"
