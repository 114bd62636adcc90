"""Two hundred random layers of every kind with a kernel, in every style, under every quantizer: all is equal."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib.util import find_spec

import nncomplexity as nc
import pytest
from nncomplexity.hw import KERNELS, verify
from nncomplexity.layers.layer import Layer

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

QUANTIZERS = ("w8a8", "w3a5", "w6a4", "w4a9", "w:pot4,a6", "w:pot5,a4", "w:apot6x2,a5", "w:apot5x3,a7", "w:ternary,a4")
Draw = Callable[[int, int], int]


def reservoir(n: Draw) -> Layer:
    """Sparse as a mean, or with as many weights in every row."""
    units = n(2, 9)
    sparse = {"density": f"{n(1, 4) / 4}"} if n(0, 1) else {"nonzeros_per_row": n(0, units)}
    units = units if "nonzeros_per_row" in sparse else 4 * n(1, 2)
    return nc.EchoState(
        steps=n(1, 9),
        inputs=n(1, 4),
        reservoir=units,
        outputs=n(1, 3),
        leaky=bool(n(0, 1)),
        bias=bool(n(0, 1)),
        **sparse,
    )


DRAWN: dict[str, Callable[[Draw], Layer]] = {
    "dense": lambda n: nc.Dense(inputs=n(1, 9), units=n(1, 6), bias=bool(n(0, 1))),
    "conv1d": lambda n: nc.Conv1D(length=n(5, 12), channels=n(1, 4), filters=n(1, 4), kernel_size=n(1, 4)),
    "conv2d": lambda n: nc.Conv2D(
        height=n(4, 7), width=n(4, 7), channels=n(1, 3), filters=n(1, 3), kernel_size=n(1, 3), bias=bool(n(0, 1))
    ),
    "attention": lambda n: nc.Attention(
        heads=n(1, 2), queries=n(1, 3), keys=n(1, 4), key_size=n(1, 3), value_size=n(1, 3)
    ),
    "kan": lambda n: nc.KAN(
        inputs=n(1, 4),
        units=n(1, 3),
        order=n(0, 3),
        grid=n(1, 6),
        basis=("bspline", "grbf", "chebyshev", "fourier")[n(0, 3)],
    ),
    "organism": lambda n: nc.Organism(inputs=n(1, 3), units=n(1, 3), particle=(n(1, 4), n(1, 3), 1)),
    "rnn": lambda n: nc.RNN(steps=n(1, 9), inputs=n(1, 5), hidden=n(1, 5), bias=bool(n(0, 1))),
    "lstm": lambda n: nc.LSTM(steps=n(1, 9), inputs=n(1, 4), hidden=n(1, 3), peepholes=bool(n(0, 1))),
    "gru": lambda n: nc.GRU(steps=n(1, 9), inputs=n(1, 4), hidden=n(1, 3), linear_before_reset=bool(n(0, 1))),
    "lstm1997": lambda n: nc.LSTM1997(steps=n(1, 9), inputs=n(1, 4), hidden=n(1, 3)),
    "nc_gru": lambda n: nc.NCGRU(steps=n(1, 9), inputs=n(1, 4), hidden=n(1, 3)),
    "gatel0rd": lambda n: nc.GateL0RD(steps=n(1, 9), inputs=n(1, 4), hidden=n(1, 3), outputs=n(1, 3)),
    "stpn": lambda n: nc.STPN(steps=n(1, 9), inputs=n(1, 3), hidden=n(1, 3), merged=bool(n(0, 1))),
    "sr_gru": lambda n: nc.SRGRU(steps=n(1, 9), inputs=n(1, 3), hidden=n(1, 3), centroids=n(1, 4)),
    "sr_lstm": lambda n: nc.SRLSTM(steps=n(1, 9), inputs=n(1, 3), hidden=n(1, 3), centroids=n(1, 4)),
    "esn": reservoir,
    "esn_pod": lambda n: nc.EchoStatePOD(
        steps=n(1, 9), inputs=n(1, 3), reservoir=n(4, 9), outputs=n(1, 3), rank=n(1, 4)
    ),
    "esn_deim": lambda n: nc.EchoStateDEIM(
        steps=n(1, 9), inputs=n(1, 3), reservoir=n(4, 9), outputs=n(1, 3), rank=n(1, 4), samples=n(1, 4)
    ),
}


def test_every_kind_with_a_kernel_is_drawn() -> None:
    assert set(DRAWN) == set(KERNELS)


@pytest.mark.parametrize("seed", range(200))
def test_a_random_layer(seed: int) -> None:
    draw = random.Random(seed)
    kind, quant = tuple(DRAWN)[seed % len(DRAWN)], draw.choice(QUANTIZERS)
    layer, style = DRAWN[kind](draw.randint), draw.choice(("mac", "shiftadd", "binary", "shared"))
    verdict = verify(layer, quant=quant, style=style, vectors=1000, seed=seed)
    assert verdict, f"{layer} {quant} {style}: {verdict.first_difference}"
    assert verdict.vectors == 1000 and verdict.operations > 0


@pytest.mark.parametrize("kind", DRAWN)
def test_a_random_layer_folded(kind: str) -> None:
    draw = random.Random(kind)
    layer, quant = DRAWN[kind](draw.randint), draw.choice(QUANTIZERS)
    verdict = verify(layer, quant=quant, schedule="folded", vectors=200)
    assert verdict and verdict.cycles > 0, f"{layer} {quant}: {verdict.first_difference}"
