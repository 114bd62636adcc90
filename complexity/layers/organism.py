"""The organism network: every weight of a dense layer is itself a small linear network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import ClassVar, Self, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .dense import Dense
from .folding import fold_linear
from .layer import Layer
from .wiring import regrouped

__all__ = ["Organism"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organism(Layer):
    """A dense layer of particles: bias-free linear networks, one for each pair of an input and a unit.

    Equation: y[u] = sum over i of P_ui(x[i]), with P = W_n ... W_2 W_1 over the widths of `particle`
    Shapes: x is [inputs], y is [units]; a particle has the widths `particle`, its first the inputs of one weight.
    Counting: raw: all products of a particle (16 for 5-2-2-1, 14 for 4-2-2-1) though all but one of its inputs are 0
    in use, its additions, and inputs - 1 additions per unit. `effective()` and `folded()` are the layer with constants
    folded: without the products by 0 (8 a particle), and without the particles (a dense layer, 1 product a weight).
    Source: Illium et al. 2022 (reconstructed from the published code).
    """

    kind: ClassVar[str] = "organism"
    letters: ClassVar[Mapping[str, str]] = {"inputs": "n_i", "units": "n_n"}
    spec: ClassVar[tuple[str, ...]] = ("inputs", "units", "particle")
    inputs: Size
    units: Size
    particle: Sequence[int] = (5, 2, 2, 1)

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        widths = self.particle if isinstance(self.particle, list | tuple) else ()
        if len(widths) < 2 or widths[-1] != 1 or not all(type(width) is int and width > 0 for width in widths):
            raise self._refusal("particle", self.particle, "two or more integers of at least 1, the last of them 1")
        object.__setattr__(self, "particle", tuple(widths))

    @property
    def formats(self) -> dict[str, Format]:
        return {"weight": self.weight, "input": self.input, "activation": self.activation}

    def parameters(self) -> dict[str, Size]:
        """The weights of every particle."""
        return {"weight": self.inputs * self.units * sum(prod(pair) for pair in pairwise(self.particle))}

    def equations(self, m: Arithmetic[V]) -> None:
        """All particles at once, then the sums."""
        particles = self.inputs * self.units
        value = m.variable(particles * self.particle[0], self.input)
        for index, (before, after) in enumerate(pairwise(self.particle)):
            if index:
                value = m.requantize(value, self.activation)
            if after != 1:
                value = m.arrange([value], particles * before * after, regrouped(particles, before, after))
            weight = m.constant(particles * before * after, self.weight, f"weight.{index}")
            value = m.dot(value, weight, terms=before, outputs=particles * after, role=Role.INPUT)
        m.sum(value, terms=self.inputs, outputs=self.units, role=Role.REDUCTION)

    def effective(self, live: Collection[int] | None = None) -> Self:
        """The layer without the particle inputs that are constant 0; `live` are the others, by default the last one.

        Raises: SpecError E-SPEC-SIZE for positions a particle does not have, and for none at all.
        """
        return replace(self, particle=fold_linear(self.particle, self._live(live)).widths)

    def folded(self, live: Collection[int] | None = None) -> Dense:
        """The dense layer the particles come to: their weights multiplied out before the run, one for a live input.

        A folded weight is stored in the format `weight`. `live` as in `effective`.
        """
        each = fold_linear(self.particle, self._live(live)).collapsed
        return Dense(
            name=self.name,
            inputs=self.inputs * each.widths[0],
            units=self.units,
            bias=False,
            weight=self.weight,
            input=self.input,
            activation=self.activation,
            empty=self.empty,
        )

    def _live(self, live: Collection[int] | None) -> Collection[int]:
        width = self.particle[0]
        found = {width - 1} if live is None else live
        if not found or not all(type(each) is int and 0 <= each < width for each in found):
            raise self._refusal("live", sorted(found, key=str), f"one or more integers from 0 to {width - 1}")
        return found
