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

    Equation: y[v, o] = sum over t < terms: input[v, t] * weight[o, t]
    Shapes: a matrix [outputs, terms] times each of `vectors` vectors, batch included; where no more is known of a sum
    of products than its results, every one of them is a vector with a matrix of one row.
    Counting: vectors*outputs*terms products and vectors*outputs*(terms - 1) additions in the accumulator. With both
    operands variable a product needs a full multiplier whatever the quantizer.
    Source: the definition of a matrix product.
    """

    kind: ClassVar[str] = "dense"
    letters: ClassVar[Mapping[str, str]] = {"terms": "n_i", "outputs": "n_n", "vectors": "n_s"}
    terms: Size
    outputs: Size
    vectors: Size = 1
    constant: bool = True
    role: Role = Role.INPUT
    empty: bool = True

    @property
    def executions(self) -> Size:
        return self.vectors

    @property
    def formats(self) -> dict[str, Format]:
        return self._summing(self.terms)

    def equations(self, m: Arithmetic[V]) -> None:
        """One vector."""
        x = m.variable(self.terms, self.input, "input")
        operand = m.constant if self.constant else m.variable
        weight = operand(self.outputs * self.terms, self.weight, "weight")
        m.dot(x, weight, terms=self.terms, outputs=self.outputs, role=self.role)
