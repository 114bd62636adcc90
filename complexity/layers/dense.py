"""The dense layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .layer import Layer

__all__ = ["Dense"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Layer):
    """A matrix of weights times a vector, a bias added.

    Equation: y = W x + b
    Shapes: x is [inputs], W is [units, inputs], b and y are [units]; `steps` vectors per inference.
    Counting: units*inputs products, units*(inputs - 1) additions in the accumulator, one more per unit for the bias.
    The activation function is a layer of its own.
    Source: Freire et al., arXiv 2206.12191 (reconstructed); BOP agrees with Hawks et al. 2021, section 4.2.
    """

    kind: ClassVar[str] = "dense"
    letters: ClassVar[Mapping[str, str]] = {"inputs": "n_i", "units": "n_n", "steps": "n_s"}
    spec: ClassVar[tuple[str, ...]] = ("inputs", "units", "bias", "steps")
    inputs: Size
    units: Size
    bias: bool = True
    steps: Size = 1

    @property
    def executions(self) -> Size:
        return self.steps

    @property
    def formats(self) -> dict[str, Format]:
        return self._summing(self.inputs)

    def parameters(self) -> dict[str, Size]:
        return {"weight": self.units * self.inputs} | ({"bias": self.units} if self.bias else {})

    def equations(self, m: Arithmetic[V]) -> None:
        """y = W x + b."""
        x = m.variable(self.inputs, self.input, "input")
        weight = m.constant(self.units * self.inputs, self.weight, "weight")
        y = m.dot(x, weight, terms=self.inputs, outputs=self.units, role=Role.INPUT)
        if self.bias:
            m.add(y, m.constant(self.units, self.weight, "bias"), role=Role.BIAS)
