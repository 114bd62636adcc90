"""Kernels beside real numbers: the bound that is derived, what goes beyond it, and the ends that a run reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.catalogue import Network, Part
from nncomplexity.hw.deviation import Enclosed
from nncomplexity.hw.fixed import Overflow, Rounding
from nncomplexity.hw.netlist import Port
from nncomplexity.hw.proof import prove
from nncomplexity.hw.sequences import drawn_sequences
from nncomplexity.parsers.reference import onnx_values
from nncomplexity.quantization import parse_quantization

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

Array = np.ndarray[Any, Any]
CELLS: dict[str, Any] = {
    "rnn": nc.RNN(steps=4, inputs=2, hidden=3),
    "gru": nc.GRU(steps=4, inputs=3, hidden=2),
    "gru before the reset": nc.GRU(steps=4, inputs=3, hidden=2, linear_before_reset=True),
    "lstm": nc.LSTM(steps=4, inputs=2, hidden=3),
    "lstm with peepholes": nc.LSTM(steps=4, inputs=2, hidden=2, peepholes=True),
    "lstm1997": nc.LSTM1997(steps=4, inputs=2, hidden=2),
    "esn": nc.EchoState(steps=4, inputs=2, reservoir=4, outputs=2, density=0.5),
}
MODES = [(Rounding.TRN, Overflow.WRAP), (Rounding.RND, Overflow.SAT), (Rounding.RND_CONV, Overflow.SAT_SYM)]


def part_of(layer: Any, quant: str = "w8a8") -> Part:
    """A layer whose formats are filled in."""
    (part,) = Network([layer]).parts(parse_quantization(quant))
    return part


@pytest.mark.parametrize("modes", MODES, ids=lambda modes: f"{modes[0].value} {modes[1].value}")
@pytest.mark.parametrize("name", CELLS)
def test_every_result_keeps_its_bound(name: str, modes: tuple[Rounding, Overflow]) -> None:
    part = part_of(CELLS[name], "w7a9")
    verdict = prove(part, style="mac", vectors=40, modes=modes, reference=onnx_values)
    assert verdict, verdict.first_difference
    assert verdict.within and verdict.deviation is not None and verdict.bound is not None
    assert 0 < verdict.deviation <= verdict.bound
    assert verdict.reference.startswith("equations" if name in ("lstm1997", "esn") else "onnx ")


def test_a_few_steps_of_a_small_cell_stay_close() -> None:
    """What PLAN's pieces are off is the largest part of the bound."""
    weights = {"weight": [64, -32], "recurrent": [32], "bias": [16]}
    part = part_of(nc.RNN(steps=1, inputs=2, hidden=1), "w:8,a:fixed<12,2>")
    verdict = prove(part, weights=weights, vectors=50, reference=onnx_values)
    assert verdict and verdict.bound is not None and 0.0379 < verdict.bound < 0.06


def test_a_linear_layer_has_no_deviation_and_no_bound() -> None:
    verdict = prove(part_of(nc.Dense(inputs=9, units=4)), vectors=50, reference=onnx_values)
    assert (verdict.deviation, verdict.bound, verdict.within, verdict.saturated) == (0, 0, True, None)


@pytest.mark.parametrize(("name", "beyond"), [("dense", 2.0**-14), ("lstm", 2.5)])
def test_a_result_beyond_its_bound_is_a_mismatch(name: str, beyond: float) -> None:
    layer = nc.Dense(inputs=3, units=2) if name == "dense" else CELLS[name]

    def other(layer: Any, constants: Mapping[str, Array], inputs: Sequence[Array]) -> Any:
        found = onnx_values(layer, constants, inputs)
        assert found is not None
        values = [np.array(each) for each in found[0]]
        values[-1][-1, -1] += beyond
        return values, "another"

    verdict = prove(part_of(layer), vectors=30, reference=other)
    assert not verdict and verdict.within is False
    assert (verdict.values_equal, verdict.counts_equal) == (True, True)
    assert verdict.first_difference == "kernel and another: a result is further apart than its bound"


@pytest.mark.parametrize(
    ("weight", "overflow", "reached"), [(127, "SAT", True), (127, "WRAP", False), (1, "SAT", False)]
)
def test_whether_the_ends_were_reached(weight: int, overflow: str, reached: bool) -> None:
    """A ReLU's state only grows while its inputs are held: it comes to its end unless its weights are small."""
    layer = nc.RNN(steps=4, inputs=2, hidden=2, function="relu", bias=False)
    weights = {"weight": [weight] * 4, "recurrent": [0] * 4}
    modes = Rounding.TRN, Overflow(overflow)
    assert prove(part_of(layer), weights=weights, vectors=30, modes=modes).saturated is reached


def test_a_table_is_read_at_its_end() -> None:
    layer = nc.RNN(steps=4, inputs=20, hidden=1, bias=False)
    for weight, reached in ((127, True), (3, False)):
        weights = {"weight": [weight] * 20, "recurrent": [0]}
        assert prove(part_of(layer), weights=weights, vectors=30).saturated is reached


def test_sequences_are_held_turned_and_aligned_with_weights() -> None:
    port = Port("x0", 3, 4, False, -8, 7, 0)
    known = {"weight.i": [5, -1, 2, -3, 4, 0], "recurrent.i": [1] * 9}
    steps = drawn_sequences(np.random.default_rng(1), port, 60, 6, known)
    assert len(steps) == 6 and all(step.shape == (60, 3) for step in steps)
    each = np.stack(steps, axis=1).tolist()
    assert each[0] == [[-8, -8, -8]] * 6 and each[1] == [[7, 7, 7]] * 6
    # Behind four patterns and three single inputs: turned every step, turned at half time.
    low, high = [-8] * 3, [7] * 3
    assert each[7] == [high, low] * 3
    assert each[8] == [high] * 3 + [low] * 3
    # The greatest sum of the first row, its least, one after the other.
    best, worst = [7, -8, 7], [-8, 7, -8]
    assert each[9] == [best] * 6 and each[10] == [worst] * 6 and each[11] == [best] * 3 + [worst] * 3


def test_enclosed_numbers_know_how_far_they_are() -> None:
    number = Enclosed.of(np.array([3, -1]), 1)
    assert number.value.tolist() == [[1.5, -0.5]] and number.bound.tolist() == [[0, 0]]
