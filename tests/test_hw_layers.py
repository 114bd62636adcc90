"""Kernels of feed-forward layers against their equations, written once more by hand as loops over integers."""

from __future__ import annotations

import math
from fractions import Fraction
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.formats import AdditivePowerOfTwo, Fixed, Format, PowerOfTwo
from nncomplexity.hw import verify
from nncomplexity.hw.building import Kernel, build
from nncomplexity.hw.vectors import drawn_weights

SAMPLES = 23
X = Fixed(bits=6, integer=1)
FIVE = 1 << 5
WEIGHTS: list[Format] = [Fixed(bits=5, integer=2), PowerOfTwo(bits=4), AdditivePowerOfTwo(bits=6, terms=2)]
STYLES = ("mac", "shiftadd")
every_style = pytest.mark.parametrize("style", STYLES)
every_weight = pytest.mark.parametrize("weight", WEIGHTS, ids=str)
needs_pyosys = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")


def made(layer: Any, style: str, seed: int) -> tuple[Kernel, dict[str, list[int]]]:
    """A kernel and the weights that it has: on ports, or built in."""
    random, probe = np.random.default_rng(seed), build(layer, "mac")
    known = {name: drawn_weights(random, each.format, each.elements) for name, each in probe.weights.items()}
    return (probe if style == "mac" else build(layer, style, known)), known


def run(kernel: Kernel, known: dict[str, list[int]], inputs: dict[str, Any]) -> dict[str, Any]:
    ports = {port: np.array(known[name]) for name, port in kernel.names.items() if port.startswith("w")}
    (found,) = kernel.trace({port: [values] for port, values in inputs.items()}, ports)
    return found


def drawn(seed: int, elements: int, format: Fixed = X) -> Any:
    low, high = format.interval
    return np.random.default_rng(seed).integers(low, high + 1, (SAMPLES, elements))


def stored(value: float | Fraction) -> int:
    """A number of -1 to 1 at the nearest of six bits, halves up."""
    return min(max(math.floor(Fraction(value) * FIVE + Fraction(1, 2)), -FIVE), FIVE - 1)


def wrapped(value: int, dropped: int) -> int:
    """Bits behind the point cut off, then six bits kept."""
    return ((value >> dropped) + FIVE) % (2 * FIVE) - FIVE


def silu(x: int) -> int:
    return stored((x / FIVE) / (1 + math.exp(-x / FIVE)))


def splines(x: int, order: int, grid: int) -> list[Fraction]:
    """All B-splines over an even grid from -1 to 1, by Cox and de Boor on the knots themselves."""
    place = Fraction(x, FIVE)
    knots = [Fraction(2 * (k - order), grid) - 1 for k in range(grid + 2 * order + 1)]
    values = [Fraction(int(a <= place < b)) for a, b in pairwise(knots)]
    for each in range(1, order + 1):
        values = [
            (place - knots[k]) / (knots[k + each] - knots[k]) * values[k]
            + (knots[k + each + 1] - place) / (knots[k + each + 1] - knots[k + 1]) * values[k + 1]
            for k in range(len(values) - 1)
        ]
    return values


@every_style
@every_weight
@pytest.mark.parametrize(("order", "grid"), [(2, 3), (3, 5), (0, 4), (1, 1)])
def test_kan_of_splines(order: int, grid: int, weight: Format, style: str) -> None:
    layer: Any = nc.KAN(inputs=3, units=2, order=order, grid=grid, weight=weight, input=X)
    kernel, known = made(layer, style, order)
    x, fraction = drawn(grid, 3), weight.fraction
    found = run(kernel, known, {"x0": x})
    functions = grid + order
    for sample in range(SAMPLES):
        for unit in range(2):
            total = 0
            for i in range(3):
                edge, seen = unit * 3 + i, int(x[sample, i])
                values = [stored(value) for value in splines(seen, order, grid)]
                assert len(values) == functions
                spline = sum(known["coefficient"][edge * functions + m] * values[m] for m in range(functions))
                total += known["scale"][edge] * wrapped(spline, fraction)
                assert found["y0"][sample, edge] == known["base"][edge] * silu(seen)
            assert found["y1"][sample, unit] == total


BASES: dict[str, Any] = {
    "grbf": lambda x: [math.exp(-(((x + 1) * 4 / 2 - j) ** 2)) for j in range(5)],
    "chebyshev": lambda x: [Fraction(1), x, 2 * x * x - 1, 4 * x**3 - 3 * x],
    "fourier": lambda x: [f(k * x) for f in (math.cos, math.sin) for k in range(1, 6)],
}


@every_style
@pytest.mark.parametrize("basis", BASES)
def test_kan_of_other_bases(basis: str, style: str) -> None:
    layer: Any = nc.KAN(inputs=3, units=2, basis=basis, weight=WEIGHTS[0], input=X)
    kernel, known = made(layer, style, 7)
    x = drawn(3, 3)
    found = run(kernel, known, {"x0": x})["y0"]
    terms = len(BASES[basis](Fraction(0))) * 3 + (3 if basis == "grbf" else 0)
    for sample in range(SAMPLES):
        values = [stored(value) for i in range(3) for value in BASES[basis](Fraction(int(x[sample, i]), FIVE))]
        values += [silu(int(each)) for each in x[sample]] if basis == "grbf" else []
        assert len(values) == terms
        for unit in range(2):
            rows = known["coefficient"][unit * terms :][:terms]
            assert found[sample, unit] == sum(c * v for c, v in zip(rows, values, strict=True))


@every_style
@every_weight
def test_organism_raw(weight: Format, style: str) -> None:
    layer: Any = nc.Organism(inputs=3, units=2, particle=(4, 2, 1), weight=weight, input=X, activation=X)
    kernel, known = made(layer, style, 2)
    x, fraction = drawn(5, 3 * 2 * 4), weight.fraction
    found = run(kernel, known, {"x0": x})["y0"]
    for sample in range(SAMPLES):
        for unit in range(2):
            total = 0
            for particle in range(unit * 3, unit * 3 + 3):
                seen = [int(v) for v in x[sample, particle * 4 : particle * 4 + 4]]
                for neuron in range(2):
                    row = known["weight.0"][(particle * 2 + neuron) * 4 :][:4]
                    inner = wrapped(sum(w * v for w, v in zip(row, seen, strict=True)), fraction)
                    total += known["weight.1"][particle * 2 + neuron] * inner
            assert found[sample, unit] == total


@every_style
@every_weight
def test_organism_folded(weight: Format, style: str) -> None:
    layer: Any = nc.Organism(inputs=3, units=2, weight=weight, input=X).folded()
    kernel, known = made(layer, style, 4)
    x = drawn(6, 3)
    assert (run(kernel, known, {"x0": x})["y0"] == x @ np.array(known["weight"]).reshape(2, 3).T).all()


@every_style
@every_weight
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_every_filter_sees_its_group(groups: int, weight: Format, style: str) -> None:
    each: Any = {"weight": weight, "input": X, "bias": False, "groups": groups}
    for layer, taps in (
        (nc.Conv1D(length=9, channels=4, filters=8, kernel_size=3, **each), 3),
        (nc.Conv2D(height=5, width=6, channels=4, filters=8, kernel_size=(3, 2), **each), 6),
    ):
        kernel, known = made(layer, style, groups)
        x = drawn(8, 4 * taps)
        window, taken = x.reshape(SAMPLES, 4, taps), 4 // groups
        matrix = np.array(known["weight"]).reshape(8, taken, taps)
        found = run(kernel, known, {"x0": x})["y0"]
        for f in range(8):
            first = f // (8 // groups) * taken
            assert (found[:, f] == (window[:, first : first + taken] * matrix[f]).sum(axis=(1, 2))).all()


@every_style
@pytest.mark.parametrize("shared", [2, 1])
def test_attention(shared: int, style: str) -> None:
    sizes: Any = {"heads": 2, "queries": 3, "keys": 4, "key_size": 3, "value_size": 2, "shared_heads": shared}
    layer: Any = nc.Attention(**sizes, input=X, activation=X)
    kernel, _ = made(layer, style, 1)
    q, k, v = drawn(1, 18), drawn(2, 12 * shared), drawn(3, 8 * shared)
    found = run(kernel, {}, {"x0": q, "x1": k, "x2": v})["y0"].reshape(SAMPLES, 2, 3, 2)
    scale = math.floor(FIVE / math.sqrt(3) + 0.5)
    for sample in range(SAMPLES):
        for head in range(2):
            keys = k[sample].reshape(shared, 4, 3)[head * shared // 2].tolist()
            values = v[sample].reshape(shared, 4, 2)[head * shared // 2]
            for query, row in enumerate(q[sample].reshape(2, 3, 3)[head].tolist()):
                dots = [wrapped(sum(a * b for a, b in zip(row, key, strict=True)), 5) for key in keys]
                scores = [wrapped(dot * scale, 5) for dot in dots]
                shifted = [wrapped(score - max(scores), 0) for score in scores]
                powers = [stored(math.exp(each / FIVE)) for each in shifted]
                total = sum(powers)
                inverse = stored(1 / (total / FIVE)) if total else FIVE - 1
                weights = [wrapped(power * inverse, 5) for power in powers]
                assert (found[sample, head, query] == np.array(weights) @ values).all()


def test_a_wide_input_of_splines_keeps_its_range() -> None:
    """Twelve bits: the tables and the choice of coefficients both see the ten highest."""
    wide, order, grid = Fixed(bits=12, integer=1), 2, 3
    layer: Any = nc.KAN(inputs=1, units=1, order=order, grid=grid, weight=WEIGHTS[0], input=wide)
    kernel, known = made(layer, "mac", 3)
    x = drawn(9, 1, wide)
    found = run(kernel, known, {"x0": x})["y1"].ravel()
    for sample, seen in enumerate(x.ravel().tolist()):
        values = [
            min(max(math.floor(value * 2048 + Fraction(1, 2)), -2048), 2047)
            for value in splines(Fraction(seen >> 2, 16), order, grid)  # type: ignore[arg-type]
        ]
        spline = sum(c * v for c, v in zip(known["coefficient"], values, strict=True)) >> 3
        assert found[sample] == known["scale"][0] * ((spline + 2048) % 4096 - 2048)


LAYERS: dict[str, Any] = {
    "kan": nc.KAN(inputs=3, units=2, order=2, grid=4),
    "kan grbf": nc.KAN(inputs=2, units=3, basis="grbf", grid=3),
    "organism": nc.Organism(inputs=3, units=2),
    "organism effective": nc.Organism(inputs=2, units=3).effective(),
    "attention": nc.Attention(heads=2, queries=2, keys=3, key_size=3, value_size=2),
    "conv1d": nc.Conv1D(length=9, channels=6, filters=9, kernel_size=3, groups=3),
    "conv2d": nc.Conv2D(height=5, width=7, channels=3, filters=3, kernel_size=(3, 2), groups=3),
}


@needs_pyosys
@every_style
@pytest.mark.parametrize(("quant", "seed"), [("w6a5", 0), ("w:pot4,a8", 1), ("w:apot6x2,a7", 2)])
@pytest.mark.parametrize("name", LAYERS)
def test_counts_and_values_are_equal(name: str, quant: str, seed: int, style: str) -> None:
    verdict = verify(LAYERS[name], quant=quant, style=style, vectors=30, seed=seed)
    assert verdict, verdict.first_difference
