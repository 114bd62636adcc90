"""Constant folding of linear particles, against a scalar run that knows which numbers are constant."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import chain, combinations, pairwise
from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.expressions import symbol
from nncomplexity.layers.folding import fold_linear

Matrix = list[list[int]]
PARTICLES = [(5, 2, 2, 1), (4, 2, 2, 1), (3, 1), (2, 3, 1), (6, 1, 4, 2, 1)]
CHAINS = [*PARTICLES, (3, 4, 2), (1, 1), (2, 2, 3, 5)]


class Propagated:
    """Scalar arithmetic on (value, changes with the input); constants meet before the run and cost nothing."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(rm=0, add=0)

    def product(self, weight: int, x: tuple[int, bool]) -> tuple[int, bool]:
        self.counts["rm"] += x[1]
        return weight * x[0], x[1]

    def sum(self, a: tuple[int, bool], b: tuple[int, bool]) -> tuple[int, bool]:
        # A constant of these networks is 0, and a sum with 0 is a wire.
        self.counts["add"] += a[1] and b[1]
        return a[0] + b[0], a[1] or b[1]

    def total(self, values: Sequence[tuple[int, bool]]) -> tuple[int, bool]:
        result, *rest = values
        for value in rest:
            result = self.sum(result, value)
        return result

    def applied(self, weights: Sequence[Matrix], x: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
        for matrix in weights:
            x = [self.total([self.product(w, value) for w, value in zip(row, x, strict=True)]) for row in matrix]
        return x


def drawn(widths: Sequence[int], choice: random.Random) -> list[Matrix]:
    return [[[choice.randint(2, 9) for _ in range(a)] for _ in range(b)] for a, b in pairwise(widths)]


def multiplied(weights: Sequence[Matrix]) -> Matrix:
    """W_n ... W_1."""
    result, *rest = weights
    for matrix in rest:
        result = [[sum(w * result[i][j] for i, w in enumerate(row)) for j in range(len(result[0]))] for row in matrix]
    return result


def fed(width: int, live: Sequence[int], choice: random.Random) -> list[tuple[int, bool]]:
    return [(choice.randint(2, 9), True) if place in live else (0, False) for place in range(width)]


def subsets(width: int) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(range(width), size) for size in range(width + 1)))


@pytest.mark.parametrize("widths", CHAINS, ids=str)
def test_a_chain_folds_to_what_the_scalar_run_still_does(widths: tuple[int, ...]) -> None:
    """Every set of live inputs: the counts of the propagated run, and the same values from the collapsed matrix."""
    choice = random.Random(1)
    for live in subsets(widths[0]):
        weights, x = drawn(widths, choice), fed(widths[0], live, choice)
        found, raw, direct = fold_linear(widths, live), Propagated(), Propagated()
        y = raw.applied(weights, x)
        assert raw.counts == {"rm": found.products, "add": found.additions}
        assert direct.applied([multiplied(weights)], x) == y
        assert direct.counts == {"rm": found.collapsed.products, "add": found.collapsed.additions}


def organism(layer: nc.Organism, live: Sequence[int], *, collapse: bool) -> tuple[Counter[str], list[int]]:
    """The layer run on scalars, its particles drawn from a fixed seed."""
    choice, run = random.Random(2), Propagated()
    sizes: Any = layer
    x = [fed(layer.particle[0], live, choice) for _ in range(sizes.inputs)]
    outputs = []
    for _ in range(sizes.units):
        particles = [drawn(layer.particle, choice) for _ in x]
        if collapse:
            particles = [[multiplied(weights)] for weights in particles]
        cells = [run.applied(weights, value)[0] for weights, value in zip(particles, x, strict=True)]
        outputs.append(run.total(cells)[0])
    return run.counts, outputs


def costs(layer: Any) -> dict[str, Any]:
    totals = nc.analyze(nc.Network([layer], quant="w8a8")).totals
    return {key: totals[key] for key in ("rm", "add")}


@pytest.mark.parametrize("particle", PARTICLES, ids=str)
def test_an_organism_costs_what_its_propagated_run_does(particle: tuple[int, ...]) -> None:
    layer = nc.Organism(inputs=4, units=3, particle=particle)
    every = range(particle[0])
    assert costs(layer) == organism(layer, every, collapse=False)[0]
    for live in (None, *subsets(particle[0])[1:]):
        places = (particle[0] - 1,) if live is None else live
        effective, y = organism(layer, places, collapse=False)
        folded, same = organism(layer, places, collapse=True)
        assert y == same
        assert (costs(layer.effective(live)), costs(layer.folded(live))) == (effective, folded)


@pytest.mark.parametrize(("particle", "raw", "added"), [((5, 2, 2, 1), 256, 188), ((4, 2, 2, 1), 224, 156)], ids=str)
def test_the_published_particles(particle: tuple[int, ...], raw: int, added: int) -> None:
    """4x4: 16 or 14 products a particle, 2 + 4 + 2 = 8 of them effective, one a weight once folded."""
    layer = nc.Organism(inputs=4, units=4, particle=particle)
    assert costs(layer) == {"rm": raw, "add": added}
    assert fold_linear(particle, {particle[0] - 1}).products == 2 + 4 + 2
    assert costs(layer.effective()) == {"rm": 16 * 8, "add": 16 * 3 + 4 * 3}
    assert layer.effective().parameters() == {"weight": 16 * 8}
    assert layer.folded() == nc.Dense(inputs=4, units=4, bias=False)
    assert costs(layer.folded()) == {"rm": 16, "add": 12}


def test_a_network_of_organisms_folds_layer_by_layer() -> None:
    layers = [nc.Organism(inputs=a, units=b) for a, b in pairwise((4, 7, 5, 2))]
    folded, dense = (
        nc.analyze(nc.Network(found, quant="w8a8")).totals
        for found in (
            [each.folded() for each in layers],
            [nc.Dense(inputs=a, units=b, bias=False) for a, b in pairwise((4, 7, 5, 2))],
        )
    )
    assert dict(folded) == dict(dense)
    effective = nc.analyze(nc.Network([each.effective() for each in layers], quant="w8a8"))
    assert effective.totals.rm == 8 * (4 * 7 + 7 * 5 + 5 * 2)
    assert not effective.network.warnings


def test_formats_names_and_free_sizes_stay() -> None:
    layer = nc.Organism(name="cell", inputs=symbol("n"), units=symbol("m"))
    given = nc.analyze([nc.Organism(inputs=4, units=2)], quant="w6a9")
    assert (layer.effective().name, layer.folded().name) == ("cell", "cell")
    assert str(costs(layer.folded())["rm"]) == "m*n"
    assert str(costs(layer.effective())["rm"]) == "8*m*n"
    filled: Any = given.network.rows[0].work
    assert filled.folded().formats["weight"].bits == 6
    assert filled.folded().formats["input"].bits == 9


@pytest.mark.parametrize("live", [[], [5], [-1], [True]], ids=str)
def test_positions_a_particle_does_not_have(live: list[int]) -> None:
    for fold in (nc.Organism(inputs=2, units=2).effective, nc.Organism(inputs=2, units=2).folded):
        with pytest.raises(nc.SpecError) as found:
            fold(live)
        text = f"organism: live is {live}, expected one or more integers from 0 to 4 [E-SPEC-SIZE]"
        assert str(found.value) == text


def test_chains_that_are_none() -> None:
    for widths, live, text in (
        ((5,), (0,), "widths are [5], expected two or more integers of at least 1"),
        ((5, 0, 1), (0,), "widths are [5, 0, 1], expected two or more integers of at least 1"),
        ((5, 1), (0, 5), "live inputs are [0, 5], expected positions from 0 to 4"),
    ):
        with pytest.raises(ValueError) as found:
            fold_linear(widths, live)
        assert str(found.value) == text
