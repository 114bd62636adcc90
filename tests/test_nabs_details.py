"""The details of NABS, each with one meaning in every convention, and products whose input is padding."""

from __future__ import annotations

import itertools
import json
from math import prod
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.metrics import BY_KEY
from onnx import TensorProto
from reference.quantized_files import INT8, MICROSOFT, UINT8, File

QUICK = settings(derandomize=True, max_examples=80, deadline=None)
DETAILS = ("nabs_bound", "nabs_digits", "nabs_full_adder", "nabs_shared", "adders", "mac_padding")
CONVENTIONS = ("paper", "exact")
SMALL = [[3, 0], [5, -2], [0, 8]]


def product(weights: Any, rows: int = 1, domain: str = "") -> onnx.ModelProto:
    """Rows of 8-bit integers by known 8-bit weights, called layer."""
    file = File()
    x = file.both(file.input(rows, len(weights)), 0.1)
    file.node("MatMul", x, file.weight(weights), name="layer")
    return file.model()


def network() -> onnx.ModelProto:
    random, file = np.random.default_rng(8), File()
    x = file.both(file.input(1, 2, 6, 7), 0.25)
    bias = file.weight([9, -4, 77], 0.125, TensorProto.INT32)
    x = file.node("Conv", x, file.weight(random.integers(-90, 90, (3, 2, 3, 2)), 0.5), bias, pads=[1, 0, 2, 1])
    x = file.both(file.node("Relu", x), 0.3, 3, UINT8)
    x = file.node("MatMul", x, file.weight(random.integers(-8, 8, (7, 5)), 0.25))
    x = file.both(x, 0.5)
    x = file.node("MatMul", x, file.node("Transpose", x, perm=[0, 1, 3, 2]))
    file.both(x, 4.0)
    return file.model()


MODELS = {"small": product(SMALL, 5), "network": network()}


# One meaning in every convention.


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("key", DETAILS)
def test_a_detail_is_the_same_in_every_convention(name: str, key: str) -> None:
    paper, exact = (nc.analyze(MODELS[name], convention=convention) for convention in CONVENTIONS)
    assert paper.totals[key] == exact.totals[key] is not None
    for one, other in zip(paper.entries, exact.entries, strict=True):
        assert one.metrics[key] == other.metrics[key], one.row.path


@pytest.mark.parametrize("name", MODELS)
def test_details_that_a_convention_calls_nabs(name: str) -> None:
    for convention, key in (("paper", "nabs_bound"), ("exact", "nabs_full_adder")):
        report = nc.analyze(MODELS[name], convention=convention)
        assert report.totals["nabs"] == report.totals[key]
        for entry in report.entries:
            assert entry.metrics["nabs"] == entry.metrics[key], entry.row.path


@pytest.mark.parametrize("name", MODELS)
def test_unweighted_details_are_ordered(name: str) -> None:
    """Adders of linear rows: bound, digits, kernel, kernel after sharing."""
    report = nc.analyze(MODELS[name], convention="exact")
    for entry in report.entries:
        if not entry.mac:
            continue
        counts = [
            entry.operations_of(BY_KEY[key]).total(BY_KEY["adders"].weight)
            for key in ("nabs_bound", "nabs_digits", "nabs_full_adder", "nabs_shared")
        ]
        assert counts == sorted(counts, reverse=True)
        assert counts[2] == entry.metrics["adders"]


def test_anchors_of_a_small_matrix() -> None:
    """By hand. Columns 3, 5, 0 and 0, -2, 8; inputs from -128 to 127; an accumulator of 8 + 8 + 2 bits.

    3x = 4x - x and 5y = x + 4y have 11 bits of which two pass through, their sum has 12; 8z - 2y has 12 of which three
    pass through.
    """
    report = nc.analyze(product(SMALL), convention="exact")
    entry = report["layer"]
    accumulator, products, sums = 18, 6, 4
    assert entry.metrics["nabs_bound"] == (products * 7 + sums) * accumulator == 828
    assert entry.metrics["adders"] == 3 + 1
    assert entry.metrics["nabs_digits"] == (3 + 1) * accumulator == 72
    assert entry.metrics["nabs_full_adder"] == (11 - 2) + (11 - 2) + 12 + (12 - 3) == 39
    assert entry.metrics["nabs"] == 39
    assert entry.metrics["nabs_shared"] == 39
    # Real products: 3, 5; shifts: -2, 8; nothing: 0, 0.
    assert (entry.rm, entry.add, entry.mac) == (2, 2, 6)


def test_two_equal_columns_are_computed_once() -> None:
    """3x + 5y twice: six adders, three after sharing."""
    entry = nc.analyze(product([[3, 3], [5, 5], [0, 0]]), convention="exact")["layer"]
    assert entry.metrics["adders"] == 6
    assert entry.metrics["nabs_full_adder"] == 2 * 30
    assert entry.metrics["nabs_shared"] == 30
    assert entry.operations_of(BY_KEY["nabs_shared"]).total(BY_KEY["adders"].weight) == 3


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_every_vector_meets_the_kernel(rows: int) -> None:
    entry = nc.analyze(product(SMALL, rows))["layer"]
    assert (entry.metrics["nabs_full_adder"], entry.metrics["adders"]) == (39 * rows, 4 * rows)


def test_unknown_weights_keep_their_bound() -> None:
    """Weights that arrive as data: two variables of 8 bits, 7 adders for each product."""
    file = File()
    left = file.both(file.input(2, 3), 0.1)
    right = file.both(file.input(3, 5, name="w"), 0.1)
    file.node("MatMul", left, right, name="layer")
    metrics = nc.analyze(file.model())["layer"].metrics
    assert metrics["adders"] == 2 * 3 * 5 * 7 + 2 * 2 * 5
    assert metrics["nabs_digits"] == metrics["nabs_bound"] == (2 * 3 * 5 * 7 + 2 * 2 * 5) * 18


def test_details_of_floats_are_null() -> None:
    file = File()
    file.node("MatMul", file.input(2, 3), file.constant(np.ones((3, 5))), name="layer")
    for convention in CONVENTIONS:
        metrics = nc.analyze(file.model(), convention=convention)["layer"].metrics
        assert [metrics[key] for key in DETAILS] == [None] * 5 + [0]


def test_free_sizes_leave_the_details_of_a_kernel_open() -> None:
    """The paper's forms are formulas; a kernel is one row's, and how many rows there are may stay open."""
    file = File()
    x = file.both(file.input("rows", 3), 0.1)
    file.node("MatMul", x, file.weight(SMALL), name="layer")
    metrics = nc.analyze(file.model())["layer"].metrics
    assert str(metrics["nabs_bound"]) == "828*rows"
    assert str(metrics["nabs_full_adder"]) == "39*rows"
    bound = nc.analyze(file.model(), dims={"rows": 7})["layer"].metrics
    assert (bound["nabs_bound"], bound["nabs_full_adder"]) == (828 * 7, 39 * 7)


# What is listed.


def metrics_of(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)["totals"]
    return found


def test_json_of_paper_lists_no_detail_unasked(save: Any, run: Any) -> None:
    name = save(product(SMALL))
    found = metrics_of(run("report", name, "-f", "json").out)
    assert not set(DETAILS) & set(found)
    assert found["nabs"] == 828
    layers = json.loads(run("report", name, "-f", "json").out)["layers"]
    assert not any(set(DETAILS) & set(layer["metrics"]) for layer in layers)


def test_json_of_exact_lists_details_but_the_costly_one(save: Any, run: Any) -> None:
    found = metrics_of(run("report", save(product(SMALL)), "-f", "json", "--convention", "exact").out)
    assert {key: found[key] for key in DETAILS} == {
        "nabs_bound": 828,
        "nabs_digits": 72,
        "nabs_full_adder": 39,
        "nabs_shared": None,
        "adders": 4,
        "mac_padding": 0,
    }


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_what_is_asked_for_is_listed(save: Any, run: Any, convention: str) -> None:
    name = save(product([[3, 3], [5, 5], [0, 0]]))
    options = ("-f", "json", "--convention", convention, "--metric", "nabs_shared,nabs_full_adder")
    document = json.loads(run("report", name, *options).out)
    assert document["totals"]["nabs_shared"] == 30
    assert document["totals"]["nabs_full_adder"] == 60
    by_name = {layer["name"]: layer["metrics"] for layer in document["layers"]}
    assert by_name["layer"]["nabs_shared"] == 30
    table = run("report", name, "--convention", convention, "--metric", "nabs_shared,adders").out
    assert "NABS shared" in table and "Adders" in table


# Padding.


def padded_products(
    spatial: tuple[int, ...], kernel: tuple[int, ...], strides: Any, dilations: Any, before: Any, after: Any
) -> tuple[int, int]:
    """Window positions, and pairs of a position and a tap outside of the input, by visiting every one of them."""
    positions = []
    for axis, size in enumerate(spatial):
        reach = (kernel[axis] - 1) * dilations[axis]
        starts = range(-before[axis], size + after[axis] - reach, strides[axis])
        positions.append(list(starts))
    outside = 0
    for start in itertools.product(*positions):
        for tap in itertools.product(*(range(size) for size in kernel)):
            places = [first + index * step for first, index, step in zip(start, tap, dilations, strict=True)]
            outside += any(not 0 <= place < size for place, size in zip(places, spatial, strict=True))
    return prod(len(each) for each in positions), outside


def same(size: int, taps: int, stride: int, dilation: int, upper: bool) -> tuple[int, int]:
    """Padding of SAME_UPPER or SAME_LOWER: ceil(size / stride) positions, the odd one behind or before."""
    missing = max(0, (-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size)
    small, large = missing // 2, missing - missing // 2
    return (small, large) if upper else (large, small)


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    axes = draw(st.integers(1, 2))
    every = st.integers

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(every(low, high)) for _ in range(axes))

    kernel, dilations = each(1, 4), each(1, 3)
    # Inputs that even a window without padding fits.
    spatial = tuple((taps - 1) * step + 1 + draw(every(0, 5)) for taps, step in zip(kernel, dilations, strict=True))
    return {
        "spatial": spatial,
        "kernel": kernel,
        "dilations": dilations,
        "strides": each(1, 3),
        "pads": each(0, 4) + each(0, 4),
        "mode": draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])),
        "batch": draw(every(1, 2)),
        "group": draw(every(1, 3)),
        "group_channels": draw(every(1, 2)),
        "group_filters": draw(every(1, 2)),
        "form": draw(st.sampled_from(["Conv", "quantized Conv", "QLinearConv", "ConvInteger", "FusedConv"])),
    }


def convolution(sizes: dict[str, Any]) -> onnx.ModelProto:
    group, form = sizes["group"], sizes["form"]
    shape = (sizes["batch"], group * sizes["group_channels"], *sizes["spatial"])
    stored = np.ones((group * sizes["group_filters"], sizes["group_channels"], *sizes["kernel"]), int)
    more = {key: sizes[key] for key in ("strides", "dilations", "group")}
    more |= {"pads": sizes["pads"]} if sizes["mode"] == "NOTSET" else {"auto_pad": sizes["mode"]}
    file = File()
    if form == "Conv":
        file.node("Conv", file.input(*shape), file.constant(stored), name="layer", **more)
    elif form == "FusedConv":
        x = file.input(*shape)
        file.node("FusedConv", x, file.constant(stored), name="layer", domain=MICROSOFT, activation="Relu", **more)
    elif form == "quantized Conv":
        file.node("Conv", file.both(file.input(*shape), 0.1), file.weight(stored), name="layer", **more)
    elif form == "ConvInteger":
        file.node("ConvInteger", file.input(*shape, type=INT8), file.constant(stored, INT8), name="layer", **more)
    else:
        scales = [(file.constant(1.0), file.constant(0, INT8)) for _ in range(3)]
        x = file.input(*shape, type=INT8)
        weight = file.constant(stored, INT8)
        file.node("QLinearConv", x, *scales[0], weight, *scales[1], *scales[2], name="layer", **more)
    return file.model()


@QUICK
@given(sizes=geometries())
def test_windows_that_meet_padding(sizes: dict[str, Any]) -> None:
    axes = len(sizes["spatial"])
    pads = list(zip(sizes["pads"][:axes], sizes["pads"][axes:], strict=True))
    if sizes["mode"] == "VALID":
        pads = [(0, 0)] * axes
    elif sizes["mode"] != "NOTSET":
        parts = zip(sizes["spatial"], sizes["kernel"], sizes["strides"], sizes["dilations"], strict=True)
        pads = [same(*each, sizes["mode"] == "SAME_UPPER") for each in parts]
    geometry = sizes["spatial"], sizes["kernel"], sizes["strides"], sizes["dilations"]
    positions, outside = padded_products(*geometry, *zip(*pads, strict=True))
    each = sizes["batch"] * sizes["group"] * sizes["group_filters"] * sizes["group_channels"]
    for convention in CONVENTIONS:
        entry = nc.analyze(convolution(sizes), convention=convention)["layer"]
        assert entry.metrics["mac_padding"] == each * outside
        assert entry.mac == each * positions * prod(sizes["kernel"])


def test_a_window_by_hand() -> None:
    """3 taps over 4 numbers, one before and two behind: 1 + 0 + 0 + 1 + 2 of 5 windows; 2 filters of 3 channels."""
    file = File()
    file.node("Conv", file.input(1, 3, 4), file.constant(np.ones((2, 3, 3))), name="layer", pads=[1, 2])
    entry = nc.analyze(file.model())["layer"]
    assert entry.metrics["mac_padding"] == 2 * 3 * (1 + 0 + 0 + 1 + 2)
    assert entry.mac == 2 * 3 * 3 * 5


@pytest.mark.parametrize("domain", ["qonnx.custom_op.channels_last", MICROSOFT])
def test_channels_last(domain: str) -> None:
    """5x6 with a column of padding on each side, 3x3 taps: 3 positions down, 6 across, of which two miss 3 taps."""
    file = File()
    weights = file.constant(np.ones((4, 3, 3, 2)))
    op = "NhwcConv" if domain == MICROSOFT else "Conv"
    file.node(op, file.input(1, 5, 6, 2), weights, name="layer", domain=domain, pads=[0, 1, 0, 1])
    entry = nc.analyze(file.model())["layer"]
    assert entry.metrics["mac_padding"] == 4 * 2 * 3 * 2 * 3
    assert entry.mac == 4 * 2 * 9 * 3 * 6


@pytest.mark.parametrize(("shape", "known"), [(("n", 3, 8), True), ((2, 3, "length"), False)])
def test_free_sizes_leave_padding_open(shape: tuple[Any, ...], known: bool) -> None:
    """A free batch only multiplies; where a window ends a free length does not say."""
    file = File()
    file.node("Conv", file.input(*shape), file.constant(np.ones((5, 3, 3))), name="layer", pads=[1, 1])
    report = nc.analyze(file.model())
    found = report["layer"].metrics["mac_padding"]
    assert str(found) == "30*n" if known else found is None
    assert known or report.totals["mac_padding"] is None
    bound = nc.analyze(file.model(), dims={"n": 2} if known else {"length": 8})
    assert bound["layer"].metrics["mac_padding"] == bound.totals["mac_padding"] == 2 * 5 * 3 * 2


def test_loops_repeat_padding_and_others_have_none() -> None:
    """Two convolutions add up; pooling, a transposed convolution and a matrix product meet none."""
    file = File()
    x = file.input(1, 2, 5)
    for _ in range(2):
        x = file.node("Conv", x, file.constant(np.ones((2, 2, 3))), pads=[1, 1])
    x = file.node("MaxPool", x, kernel_shape=[3], pads=[1, 1])
    x = file.node("ConvTranspose", x, file.constant(np.ones((2, 2, 3))), pads=[1, 1])
    file.node("MatMul", x, file.constant(np.ones((5, 3))))
    report = nc.analyze(file.model())
    assert [entry.metrics["mac_padding"] for entry in report.entries] == [8, 8, 0, 0, 0]
    assert report.totals["mac_padding"] == 16
    assert sum(group["mac_padding"] for group in report.grouped("role").values()) == 16
