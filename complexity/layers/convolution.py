"""Convolution of any rank, as a window of weights at every output position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format, accumulator
from ..ops import Role
from .layer import Layer

__all__ = ["Convolution"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution(Layer):
    """One window kernel, applied at every output position.

    Equation: y[p, f] = sum over c in the group of f, k: W[f, c, k] x[p*stride + k*dilation - padding, c] + b[f]
    Shapes: the window holds `terms` = channels/groups * kernel taps for each of `filters` outputs; `positions` output
    positions, batch included.
    Counting: positions*filters*terms products, as many additions less one per output value, plus one per output value
    for the bias (variant P1). Taps that meet padding are counted: a kernel computes them.
    Source: Freire et al., arXiv 2206.12191 (reconstructed).
    """

    kind: ClassVar[str] = "conv"
    letters: ClassVar[Mapping[str, str]] = {"terms": "n_i n_k", "filters": "n_f", "positions": "O"}
    terms: Size
    filters: Size
    positions: Size = 1
    bias: bool = True
    constant: bool = True

    @property
    def executions(self) -> Size:
        return self.positions

    @property
    def formats(self) -> dict[str, Format]:
        return {
            "weight": self.weight,
            "input": self.input,
            "accumulator": accumulator(self.terms, self.weight, self.input),
        }

    def equations(self, m: Arithmetic[V]) -> None:
        """One output position."""
        x = m.variable(self.terms, self.input)
        taps = m.constant if self.constant else m.variable
        weight = taps(self.filters * self.terms, self.weight)
        y = m.dot(x, weight, terms=self.terms, outputs=self.filters, role=Role.INPUT)
        if self.bias:
            m.add(y, m.constant(self.filters, self.weight), role=Role.BIAS)
