"""The Kolmogorov-Arnold layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..ops import Role
from .layer import Layer

__all__ = ["KAN"]

V = TypeVar("V")
BASES = ("bspline", "grbf", "chebyshev", "fourier")


@dataclass(frozen=True, slots=True, kw_only=True)
class KAN(Layer):
    """A learned function of one variable on every edge; a unit sums those of its inputs.

    Equation: y[u] = sum over i of w_b b(x_i) + w_s sum over j of c_uij B_j(x_i), b the SiLU, for "bspline"; without w_s
    for "grbf"; y[u] = sum over i, j of c_uij B_j(x_i) for "chebyshev" (order + 1 terms) and "fourier" (2*grid terms).
    Shapes: x is [inputs], y is [units].
    Counting: the values B_j(x_i) are looked up, once per input. bspline: order + 1 of them are not zero, whatever the
    grid; per edge one dot product of so many terms and the products by w_b and w_s, per unit inputs - 1 additions as
    wide as Acc(inputs). As published, adding the two branches of an edge is not charged. The other bases are one
    dot product a unit, over all inputs: `grid` terms an input and one more for b (grbf), order + 1, 2*grid.
    Source: Liu et al. 2024; counts after arXiv 2604.03345 (reconstructed; only those of bspline are cross-checked).
    """

    kind: ClassVar[str] = "kan"
    letters: ClassVar[Mapping[str, str]] = {"inputs": "n_i", "units": "n_n", "order": "k", "grid": "G"}
    spec: ClassVar[tuple[str, ...]] = ("inputs", "units", "order", "grid", "basis")
    inputs: Size
    units: Size
    order: Size = 3
    grid: Size = 5
    basis: str = "bspline"

    def __post_init__(self) -> None:
        self._check_formats()
        self._check("inputs", "units", "grid")
        self._check("order", least=0)
        if self.basis not in BASES:
            raise self._refusal("basis", self.basis, f"one of {', '.join(BASES)}")

    @property
    def functions(self) -> Size:
        """Basis functions that an edge stores a coefficient for."""
        counts: dict[str, Size] = {
            "bspline": self.grid + self.order,
            "grbf": self.grid,
            "chebyshev": self.order + 1,
            "fourier": 2 * self.grid,
        }
        return counts[self.basis]

    def parameters(self) -> dict[str, Size]:
        """Coefficients, and the weights of the branches where there are two."""
        edges, branches = self.inputs * self.units, {"bspline": 2, "grbf": 1}.get(self.basis, 0)
        return {"weight": edges * self.functions} | ({"branches": edges * branches} if branches else {})

    def equations(self, m: Arithmetic[V]) -> None:
        """All units at once."""
        if self.basis == "bspline":
            self._splines(m)
            return
        terms = self.inputs * self.functions
        values = m.lookup(m.variable(terms, self.input), self.basis)
        if self.basis == "grbf":
            terms = terms + self.inputs
            self._base(m)
        values = m.broadcast(values, terms)
        m.dot(values, m.constant(self.units * terms, self.weight), terms=terms, outputs=self.units, role=Role.INPUT)

    def _base(self, m: Arithmetic[V]) -> V:
        return m.lookup(m.variable(self.inputs, self.input), "silu")

    def _splines(self, m: Arithmetic[V]) -> None:
        edges, terms = self.inputs * self.units, self.order + 1
        values = m.lookup(m.variable(self.inputs * terms, self.input), self.basis)
        coefficients = m.constant(edges * terms, self.weight)
        spline = m.dot(values, coefficients, terms=terms, outputs=edges, role=Role.INPUT)
        base = m.broadcast(self._base(m), edges)
        m.multiply(base, m.constant(edges, self.weight), role=Role.SCALE)
        scaled = m.multiply(m.requantize(spline, self.input), m.constant(edges, self.weight), role=Role.SCALE)
        m.sum(scaled, terms=self.inputs, outputs=self.units, role=Role.REDUCTION)
