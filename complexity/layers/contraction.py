"""Sums of products of two tensors: what a matrix product, an attention score or an Einsum does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .layer import Layer

__all__ = ["Contraction"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contraction(Layer):
    """Dot products between two tensors, of which `weight` may be constant.

    Equation: y[o] = sum over t < terms: input[o, t] * weight[o, t]
    Shapes: `outputs` results, batch included, of `terms` products each.
    Counting: outputs*terms products and outputs*(terms - 1) additions in the accumulator. With both operands variable
    a product needs a full multiplier whatever the quantizer.
    Source: the definition of a matrix product.
    """

    kind: ClassVar[str] = "dense"
    letters: ClassVar[Mapping[str, str]] = {"terms": "n_i", "outputs": "n_s n_n"}
    terms: Size
    outputs: Size
    constant: bool = True
    role: Role = Role.INPUT
    empty: bool = True

    @property
    def formats(self) -> dict[str, Format]:
        return self._summing(self.terms)

    def equations(self, m: Arithmetic[V]) -> None:
        """All results at once."""
        x = m.variable(self.outputs * self.terms, self.input, "input")
        operand = m.constant if self.constant else m.variable
        weight = operand(self.outputs * self.terms, self.weight, "weight")
        m.dot(x, weight, terms=self.terms, outputs=self.outputs, role=self.role)
