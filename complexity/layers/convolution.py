"""Convolution of any rank, as a window of weights at every output position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size, floor_divide
from ..formats import Format
from ..ops import Role
from .layer import Layer
from .wiring import regrouped

__all__ = ["Convolution", "window"]

V = TypeVar("V")


def window(
    m: Arithmetic[V],
    *,
    terms: Size,
    filters: Size,
    weight: Format,
    input: Format,
    bias: bool,
    constant: bool = True,
    groups: Size = 1,
) -> V:
    """One output position of a convolution: every filter's dot product with the window of its group, and its bias."""
    x = m.variable(terms * groups, input, "input")
    if groups != 1:
        x = m.arrange([x], filters * terms, regrouped(groups, terms, floor_divide(filters, groups)))
    taps = m.constant if constant else m.variable
    y = m.dot(x, taps(filters * terms, weight, "weight"), terms=terms, outputs=filters, role=Role.INPUT)
    return m.add(y, m.constant(filters, weight, "bias"), role=Role.BIAS) if bias else y


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution(Layer):
    """One window kernel, applied at every output position.

    Equation: y[p, f] = sum over c in the group of f, k: W[f, c, k] x[p*stride + k*dilation - padding, c] + b[f]
    Shapes: the window holds `terms` = channels/groups * kernel taps for each of `filters` outputs, one group behind the
    other; `positions` output positions, batch included.
    Counting: positions*filters*terms products, as many additions less one per output value, plus one per output value
    for the bias (variant P1). Taps that meet padding are counted: a kernel computes them.
    Source: Freire et al., arXiv 2206.12191 (reconstructed).
    """

    kind: ClassVar[str] = "conv"
    letters: ClassVar[Mapping[str, str]] = {"terms": "n_i n_k", "filters": "n_f", "positions": "O"}
    terms: Size
    filters: Size
    positions: Size = 1
    groups: Size = 1
    bias: bool = True
    constant: bool = True
    empty: bool = True

    @property
    def executions(self) -> Size:
        return self.positions

    @property
    def formats(self) -> dict[str, Format]:
        return self._summing(self.terms)

    def equations(self, m: Arithmetic[V]) -> None:
        """One output position."""
        window(
            m,
            terms=self.terms,
            filters=self.filters,
            weight=self.weight,
            input=self.input,
            bias=self.bias,
            constant=self.constant,
            groups=self.groups,
        )
