"""Bits that differ by channel or by number: every figure against a loop over the products."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from reference.quantized_files import INT8, UINT8, File

QUICK = settings(derandomize=True, max_examples=60, deadline=None)
LAST = "qonnx.custom_op.channels_last"
KEYS = ("bop_mac", "bop")
Array = np.ndarray[Any, Any]


@dataclass
class Net:
    """A linear operator: the rows of its outputs as weights, bits of the weights and bits of the inputs.

    each: how often a row is used, for one batch. weights: [outputs, terms], all stored numbers once.
    """

    model: onnx.ModelProto
    weights: Array
    weight_bits: Array
    input_bits: Array
    each: int
    signed: bool = True

    def rows(self) -> list[list[tuple[int, int, int]]]:
        """Integer, its bits, and the bits of its input, by output."""
        bits = np.broadcast_to(self.weight_bits, self.weights.shape)
        inputs = np.broadcast_to(self.input_bits, self.weights.shape)
        parts = zip(self.weights.tolist(), bits.tolist(), inputs.tolist(), strict=True)
        return [list(zip(*row, strict=True)) for row in parts]

    def paper(self) -> dict[str, int]:
        """b b' each; additions as wide as the widest product of the output and the growth of the sum."""
        products = sum(own * other for row in self.rows() for _, own, other in row)
        sums = 0
        for row in self.rows():
            width = max(own + other for _, own, other in row) + (len(row) - 1).bit_length()
            sums += (len(row) - 1) * width
        return {"bop_mac": products * self.each, "bop": (products + sums) * self.each}

    def exact(self) -> dict[str, int]:
        """Products that are no shift and not zero, and a balanced tree of those that are not zero."""
        used, real, sums = 0, 0, 0
        for row in self.rows():
            used += sum(own * other for value, own, other in row if value)
            real += sum(own * other for value, own, other in row if abs(value).bit_count() > 1)
            level = [product(value, other, self.signed) for value, _, other in row if value]
            while len(level) > 1:
                pairs = zip(level[::2], level[1::2], strict=False)
                joined = [(low + least, high + most) for (low, high), (least, most) in pairs]
                sums += sum(width(*interval) for interval in joined)
                level = joined + level[len(joined) * 2 :]
        return {"bop_mac": used * self.each, "bop": (real + sums) * self.each}


def product(value: int, bits: int, signed: bool) -> tuple[int, int]:
    """The interval of a constant times an integer of so many bits."""
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    both = sorted(value * end for end in ends)
    return both[0], both[1]


def width(low: int, high: int) -> int:
    """Two's complement."""
    bits = 1
    while not -(2 ** (bits - 1)) <= low <= high < 2 ** (bits - 1):
        bits += 1
    return bits


def integers(random: np.random.Generator, bits: Array, shape: tuple[int, ...]) -> Array:
    """Integers that their widths hold, a fifth of them 0."""
    wide = np.broadcast_to(bits, shape).astype(np.int64)
    drawn = np.floor((random.random(shape) * 2 - 1) * 2.0 ** (wide - 1)).astype(np.int64)
    return np.where(random.random(shape) < 0.2, 0, np.clip(drawn, -(2 ** (wide - 1)), 2 ** (wide - 1) - 1))


def of_channels(bits: Any, axis: int, rank: int) -> Array:
    """Widths as they broadcast along one axis."""
    return np.reshape(bits, [-1 if place == axis else 1 for place in range(rank)])


FORMS = ("MatMul", "left MatMul", "Gemm", "transposed Gemm", "moved MatMul", "Conv", "grouped Conv", "last Conv")
SHAPES = {
    "MatMul": (5, 3),
    "left MatMul": (3, 5),
    "Gemm": (5, 3),
    "transposed Gemm": (3, 5),
    "moved MatMul": (3, 5),
    "Conv": (3, 2, 2, 3),
    "grouped Conv": (6, 2, 2, 3),
    "last Conv": (3, 2, 3, 2),
}
# The axis of the output channels in the stored weights.
CHANNELS = dict.fromkeys(FORMS, 0) | {"MatMul": 1, "Gemm": 1}
# How many channels an input has that are told apart.
INPUTS = {"Conv": 2, "grouped Conv": 4, "last Conv": 2}


def rows_of(form: str, numbers: Array) -> Array:
    """Stored numbers as [outputs, terms] in the order of the sums."""
    if CHANNELS[form]:
        return numbers.T
    return numbers.reshape(len(numbers), -1)


def inputs_of(form: str, bits: Array) -> Array:
    """Bits of input channels as [1 or outputs, terms]."""
    if form in INPUTS:
        taps = 6
        if form == "grouped Conv":
            groups = np.repeat(bits.reshape(2, 2), taps, axis=1)
            return np.repeat(groups, 3, axis=0)
        return (np.tile if form == "last Conv" else np.repeat)(bits, taps)[None]
    return bits[None]


def net(
    form: str, weight_bits: Array, input_bits: Any, seed: int = 0, *, signed: bool = True, stored: Array | None = None
) -> Net:
    """input_bits: one width, or one for each input channel; weight_bits: as they broadcast to the stored weights."""
    random, file, shape = np.random.default_rng(seed), File(), SHAPES[form]
    numbers = integers(random, weight_bits, shape) if stored is None else stored
    more = {"signed": int(signed)}
    several = np.ndim(input_bits) > 0

    def quantized(x: str, axis: int, rank: int) -> str:
        bits = of_channels(input_bits, axis, rank) if several else float(input_bits)
        return file.quant(x, np.asarray(bits, float), 0.5, **more)

    weight = file.quant(file.constant(numbers * 0.25), np.asarray(weight_bits, float), 0.25)
    each = 4
    if form == "MatMul":
        file.node("MatMul", quantized(file.input(2, 2, 5), 2, 3), weight, name="layer")
    elif form == "left MatMul":
        file.node("MatMul", weight, quantized(file.input(5, 4), 0, 2), name="layer")
    elif form == "moved MatMul":
        flat = file.node("Reshape", weight, file.constant([3, 5, 1], TensorProto.INT64))
        flat = file.node("Squeeze", flat, file.constant([2], TensorProto.INT64))
        file.node("MatMul", quantized(file.input(4, 5), 1, 2), file.node("Transpose", flat, perm=[1, 0]), name="layer")
    elif "Gemm" in form:
        x = quantized(file.input(4, 5), 1, 2)
        file.node("Gemm", x, weight, name="layer", transB=int(form == "transposed Gemm"))
    elif form == "last Conv":
        file.node("Conv", quantized(file.input(1, 3, 4, 2), 3, 4), weight, name="layer", domain=LAST)
    else:
        group = 2 if form == "grouped Conv" else 1
        file.node("Conv", quantized(file.input(1, 2 * group, 3, 4), 1, 4), weight, name="layer", group=group)
    known = np.broadcast_to(weight_bits, shape)
    inputs = inputs_of(form, np.asarray(input_bits)) if several else np.array([[input_bits]])
    return Net(file.model(), rows_of(form, numbers), rows_of(form, known), inputs, each, signed)


def check(made: Net) -> None:
    for convention in ("paper", "exact"):
        report = nc.analyze(made.model, convention=convention)
        found = {key: report["layer"].metrics[key] for key in KEYS}
        assert found == getattr(made, convention)(), convention
        assert report.totals["weight_bits"] == int(np.broadcast_to(made.weight_bits, made.weights.shape).sum())
        assert report["layer"].mac == made.weights.size * made.each


def widths(draw: st.DrawFn, count: int, least: int) -> Array:
    return np.array(draw(st.lists(st.integers(least, 12), min_size=count, max_size=count)))


@QUICK
@given(form=st.sampled_from(FORMS), data=st.data(), signed=st.booleans(), seed=st.integers(0, 2**32))
def test_weights_by_channel(form: str, data: st.DataObject, signed: bool, seed: int) -> None:
    shape, axis = SHAPES[form], CHANNELS[form]
    bits = data.draw(st.lists(st.integers(2, 12), min_size=shape[axis], max_size=shape[axis]))
    check(net(form, of_channels(bits, axis, len(shape)), data.draw(st.integers(2, 12)), seed, signed=signed))


@QUICK
@given(form=st.sampled_from(FORMS), data=st.data(), signed=st.booleans(), seed=st.integers(0, 2**32))
def test_weights_by_element(form: str, data: st.DataObject, signed: bool, seed: int) -> None:
    shape = SHAPES[form]
    count = int(np.prod(shape))
    bits = np.array(data.draw(st.lists(st.integers(2, 12), min_size=count, max_size=count))).reshape(shape)
    check(net(form, bits, data.draw(st.integers(2, 12)), seed, signed=signed))


# Outputs that see other inputs, and inputs that stand on the right, have tests of their own.
ALONE = tuple(form for form in FORMS if form not in ("grouped Conv", "left MatMul"))


@QUICK
@given(form=st.sampled_from(ALONE), data=st.data(), signed=st.booleans(), seed=st.integers(0, 2**32))
def test_inputs_by_channel(form: str, data: st.DataObject, signed: bool, seed: int) -> None:
    """Every product with its own bits, whatever of the weights differs."""
    shape, axis = SHAPES[form], CHANNELS[form]
    inputs = INPUTS.get(form, 5)
    least = 2 if signed else 1
    bits = np.array(data.draw(st.lists(st.integers(least, 12), min_size=inputs, max_size=inputs)))
    own = data.draw(st.lists(st.integers(2, 12), min_size=shape[axis], max_size=shape[axis]))
    # Weights of one width have a test of their own.
    own[0] = 13 if len(set(own)) == 1 else own[0]
    check(net(form, of_channels(own, axis, len(shape)), bits, seed, signed=signed))


@pytest.mark.parametrize("form", ALONE)
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_inputs_by_channel_of_weights_alike(form: str, convention: str) -> None:
    bits = np.array([3, 8, 5, 2, 6])[: INPUTS.get(form, 5)]
    made = net(form, np.array(5), bits, 4)
    found = nc.analyze(made.model, convention=convention)["layer"].metrics
    assert {key: found[key] for key in KEYS} == getattr(made, convention)()


@pytest.mark.parametrize("form", FORMS)
def test_weight_bits_are_those_of_every_number(form: str) -> None:
    shape, axis = SHAPES[form], CHANNELS[form]
    bits = np.array([2, 5, 3, 8, 4, 6])[: shape[axis]]
    made = net(form, of_channels(bits, axis, len(shape)), 6)
    expected = int(bits.sum()) * made.weights.size // shape[axis]
    assert nc.analyze(made.model).totals["weight_bits"] == expected


@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_inputs_by_channel_on_the_right(convention: str) -> None:
    made = net("left MatMul", np.reshape([2, 7, 4], (3, 1)), np.array([3, 8, 5, 2, 6]), 4)
    found = nc.analyze(made.model, convention=convention)["layer"].metrics
    assert {key: found[key] for key in KEYS} == getattr(made, convention)()


GROUPS = [[3, 8, 5, 2], [2, 2, 9, 9], [4, 4, 4, 7]]


@pytest.mark.parametrize("bits", GROUPS)
def test_products_of_groups(bits: list[int]) -> None:
    """Two groups of two channels: an output sees the bits of its own."""
    made = net("grouped Conv", np.reshape([4, 6, 2, 7, 3, 5], (6, 1, 1, 1)), np.array(bits), 3)
    for convention in ("paper", "exact"):
        found = nc.analyze(made.model, convention=convention)["layer"].metrics
        assert found["bop_mac"] == getattr(made, convention)()["bop_mac"]
    assert nc.analyze(made.model)["layer"].bop == made.paper()["bop"]


@pytest.mark.parametrize("bits", GROUPS)
def test_sums_of_groups(bits: list[int]) -> None:
    made = net("grouped Conv", np.reshape([4, 6, 2, 7, 3, 5], (6, 1, 1, 1)), np.array(bits), 3)
    assert nc.analyze(made.model, convention="exact")["layer"].bop == made.exact()["bop"]


def test_by_hand() -> None:
    """Columns of 3 and 5 bits over two rows, inputs of 4 bits: 2 (12 + 20) and an addition of 8 and one of 10 bits."""
    file = File()
    x = file.quant(file.input(1, 2), 4.0)
    file.node("MatMul", x, file.quant(file.constant([[3.0, -11.0], [-2.0, 7.0]]), [[3.0, 5.0]]), name="layer")
    paper, exact = (nc.analyze(file.model(), convention=convention) for convention in ("paper", "exact"))
    assert paper["layer"].metrics["bop_mac"] == 2 * (3 + 5) * 4
    assert paper["layer"].bop == 2 * (3 + 5) * 4 + (3 + 4 + 1) + (5 + 4 + 1)
    assert paper.totals["weight_bits"] == 2 * (3 + 5)
    # 3x - 2y: -24-14 .. 21+16 has 7 bits; -11x + 7y: -77-56 .. 88+49 has 9. The product by -2 is a shift.
    assert exact["layer"].bop == 3 * 4 + 2 * 5 * 4 + 7 + 9
    assert exact["layer"].metrics["bop_mac"] == 2 * (3 + 5) * 4


def test_equal_widths_written_one_by_one_are_one_width() -> None:
    """As many equal widths as channels say what one of them says."""
    one = net("Conv", np.array(5), 7, 1)
    several = net("Conv", of_channels([5, 5, 5], 0, 4), 7, 1)
    for convention in ("paper", "exact"):
        found = [nc.analyze(each.model, convention=convention).totals for each in (one, several)]
        assert dict(found[0]) == dict(found[1])


@pytest.mark.parametrize("form", ["MatMul", "Gemm", "transposed Gemm", "Conv", "grouped Conv"])
def test_a_side_file_says_the_same_widths(form: str, tmp_path: Path) -> None:
    """per_channel_bits over a plain float layer, and a Quant node of one width a channel."""
    shape, axis = SHAPES[form], CHANNELS[form]
    bits = [2, 5, 3, 8, 4, 6][: shape[axis]]
    made = net(form, of_channels(bits, axis, len(shape)), 6, 5)
    file = File()
    x = file.input(2, 2, 5) if form == "MatMul" else file.input(4, 5)
    more: dict[str, Any] = {}
    if "Conv" in form:
        more["group"] = 2 if form == "grouped Conv" else 1
        file = File()
        x = file.input(1, 2 * more["group"], 3, 4)
    elif "Gemm" in form:
        more["transB"] = int(form == "transposed Gemm")
    op = form.split()[-1]
    file.node(op, x, file.constant(np.ones(shape)), name="layer", **more)
    place = tmp_path / "widths.json"
    table = {"match": "layer", "weight": {"bits": 8}, "input": {"bits": 6}, "per_channel_bits": bits}
    place.write_text(json.dumps({"layer": [table]}))
    found, expected = nc.analyze(file.model(), quant=str(place)), nc.analyze(made.model)
    for key in ("bop", "bop_mac", "weight_bits", "rm", "add", "nabs"):
        assert found.totals[key] == expected.totals[key], key
    assert {key: found["layer"].metrics[key] for key in KEYS} == made.paper()


def test_a_side_file_over_quantized_weights(tmp_path: Path) -> None:
    """Stored integers keep their values; their bits are said by channel."""
    stored = [[1, -3], [5, 0], [-7, 6]]
    file = File()
    file.node("MatMul", file.both(file.input(2, 3), 0.1, type=UINT8), file.weight(stored, type=INT8), name="layer")
    place = tmp_path / "widths.json"
    table = {"match": "layer", "weight": {"bits": 8}, "input": {"bits": 8, "signed": False}, "per_channel_bits": [4, 7]}
    place.write_text(json.dumps({"layer": [table]}))
    report = nc.analyze(file.model(), quant=str(place))
    assert report["layer"].metrics["bop_mac"] == 2 * 3 * (4 + 7) * 8
    assert report["layer"].bop == 2 * 3 * (4 + 7) * 8 + 2 * 2 * ((4 + 8 + 2) + (7 + 8 + 2))


@pytest.mark.parametrize("convention", ["paper", "exact"])
@pytest.mark.parametrize("op", ["Identity", "Relu", "MaxPool"])
def test_widths_stay_with_their_channels(op: str, convention: str) -> None:
    bits, own = np.array([3, 7]), [2, 4, 6]
    numbers = integers(np.random.default_rng(6), of_channels(own, 0, 4), (3, 2, 1, 1))
    file = File()
    x = file.quant(file.input(1, 2, 3, 4), of_channels(bits.astype(float), 1, 4), signed=0)
    x = file.node(op, x, **({"kernel_shape": [1, 1]} if op == "MaxPool" else {}))
    weight = file.quant(file.constant(numbers.astype(float)), of_channels(own, 0, 4).astype(float))
    file.node("Conv", x, weight, name="layer")
    rows = numbers.reshape(3, 2)
    made = Net(file.model(), rows, np.broadcast_to(np.array(own)[:, None], rows.shape), bits[None], 12, signed=False)
    found = nc.analyze(made.model, convention=convention)["layer"].metrics
    assert {key: found[key] for key in KEYS} == getattr(made, convention)()


@pytest.mark.parametrize("bits", [[1.0, 1.0], [1.0, 4.0]])
def test_one_signed_bit_is_a_sign_wherever_it_stands(bits: list[float]) -> None:
    """Columns 1, -1 and 1, 1: no number is 0."""
    file = File()
    x = file.quant(file.input(1, 2), 4.0)
    file.node("MatMul", x, file.quant(file.constant([[1.0, 1.0], [-1.0, 1.0]]), [bits]), name="layer")
    found = nc.analyze(file.model(), convention="exact")["layer"]
    assert found.metrics["bop_mac"] == 2 * 4 * sum(bits)
    assert (found.rm, found.add) == (0, 2)
