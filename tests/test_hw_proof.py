"""Layers proved on their kernels, and kernels that are wrong found out."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.errors import UsageError
from nncomplexity.hw import KERNELS, proof, verify
from nncomplexity.hw.building import SUPPORTED
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.hw.elaborate import Design, elaborate
from nncomplexity.layers import LAYERS as LAYERS_OF_CATALOGUE
from nncomplexity.layers import layer_class

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

LAYERS: dict[str, Any] = {
    "dense": nc.Dense(inputs=5, units=3),
    "dense without bias": nc.Dense(inputs=7, units=2, bias=False),
    "conv1d": nc.Conv1D(length=9, channels=2, filters=3, kernel_size=3),
    "conv2d": nc.Conv2D(height=5, width=4, channels=2, filters=3, kernel_size=(3, 2)),
    "rnn": nc.RNN(steps=4, inputs=2, hidden=3),
    "gru": nc.GRU(steps=4, inputs=3, hidden=2),
    "lstm": nc.LSTM(steps=4, inputs=2, hidden=3),
    "lstm with peepholes": nc.LSTM(steps=4, inputs=2, hidden=2, peepholes=True),
    "lstm1997": nc.LSTM1997(steps=4, inputs=2, hidden=2),
}


def test_the_catalogue_names_what_has_a_kernel() -> None:
    assert set(KERNELS) == {kind for each in SUPPORTED if (kind := each.kind) in LAYERS_OF_CATALOGUE}
    assert nc.hw.verify is verify


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_counts_are_equal(name: str, style: str) -> None:
    verdict = verify(LAYERS[name], quant="w6a5", style=style, vectors=60)
    assert verdict, verdict.first_difference
    assert verdict.first_difference == ""
    assert verdict.steps == (1 if name.startswith(("dense", "conv")) else 20)
    assert verdict.simulator.startswith("pyosys ")
    assert verdict.operations > 0


@pytest.mark.parametrize("quant", ["w:pot4,a8", "w:apot6x2,a8", "w3a2", "w:fixed<8,3>,a:fixed<7,2>"])
def test_formats(quant: str) -> None:
    verdict = verify(nc.Dense(inputs=11, units=3), quant=quant, vectors=60)
    assert verdict, verdict.first_difference
    assert verdict.style == ("shiftadd" if "pot" in quant else "mac")


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
def test_given_weights(style: str) -> None:
    weights = {"weight": [3, -7, 0, 8, -8, 5], "bias": [1, -2]}
    assert verify(nc.Dense(inputs=3, units=2), weights=weights, quant="w5a4", style=style, vectors=30)


@pytest.mark.parametrize(
    ("written", "instead", "difference"),
    [
        ("assign y = a + b;", "assign y = a - b;", "netlist and simulation, step 0: vector "),
        ("assign y = a * b;", "assign y = a * b + 1;", "netlist and simulation, step 0: vector "),
    ],
)
def test_an_altered_kernel_is_found_out(
    monkeypatch: pytest.MonkeyPatch, written: str, instead: str, difference: str
) -> None:
    def altered(text: str, top: str) -> Design:
        assert written in text
        return elaborate(text.replace(written, instead), top)

    monkeypatch.setattr(proof, "elaborate", altered)
    verdict = verify(LAYERS["dense"], quant="w6a5", vectors=30)
    assert not verdict
    assert (verdict.values_equal, verdict.counts_equal) == (False, False)
    assert verdict.first_difference.startswith(difference)


def test_errors() -> None:
    with pytest.raises(UsageError) as found:
        verify(nc.Dense(inputs=3, units=2))
    assert str(found.value) == (
        "weight is float32, a kernel needs fixed point; give formats with quant='w8a8' [E-KERNEL-FORMAT]"
    )
    with pytest.raises(UsageError) as found:
        verify(nc.Dense(inputs=3, units=1), weights={"weight": [1, 2, 99]}, quant="w4a4")
    assert str(found.value) == (
        "weight holds 99, expected 3 numbers of -8..7; quantize the weights to their format first [E-KERNEL-WEIGHTS]"
    )
    with pytest.raises(UnsupportedLayer, match="there is no kernel of qrnn_gru"):
        verify(layer_class("qrnn_gru")(steps=2, inputs=2, hidden=5, depth=1, outputs=1), quant="w8a8")
