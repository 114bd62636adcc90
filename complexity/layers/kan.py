"""The Kolmogorov-Arnold layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..ops import Role
from .layer import Layer
from .wiring import cycled, in_turn, repeated, size_of

__all__ = ["KAN"]

V = TypeVar("V")
BASES = ("bspline", "grbf", "chebyshev", "fourier")


@dataclass(frozen=True, slots=True, kw_only=True)
class KAN(Layer):
    """A learned function of one variable on every edge; a unit sums those of its inputs.

    Equation: y[u] = sum over i of w_b b(x_i) + w_s sum over j of c_uij B_j(x_i), b the SiLU, for "bspline"; without w_s
    for "grbf"; y[u] = sum over i, j of c_uij B_j(x_i) for "chebyshev" (order + 1 terms) and "fourier" (2*grid terms).
    Shapes: x is [inputs], y is [units].
    The grid spans the range of the format of x; bspline and grbf lie on it, chebyshev sees it as -1 to 1, fourier takes
    the cosines, then the sines, of x and its multiples.
    Counting: the values B_j(x_i) are looked up, once per input. bspline: order + 1 of them are not zero, whatever the
    grid; per edge one dot product of so many terms and the products by w_b and w_s, per unit inputs - 1 additions as
    wide as Acc(inputs). As published, adding the two branches of an edge is not charged, nor is choosing its
    coefficients: a kernel gives the products by w_b apart, as its first output. The other bases are one dot product
    a unit, over all inputs: `grid` terms an input and one more for b (grbf), order + 1, 2*grid.
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
        x = m.variable(self.inputs, self.input, "input")
        if self.basis == "bspline":
            self._splines(m, x)
            return
        parts, terms = [self._values(m, x, self.functions)], self.inputs * self.functions
        if self.basis == "grbf":
            terms = terms + self.inputs
            parts.append(m.lookup(x, "silu"))
        values = m.arrange(parts, terms, in_turn(terms))
        weight = m.constant(self.units * terms, self.weight, "coefficient")
        m.dot(values, weight, terms=terms, outputs=self.units, role=Role.INPUT)

    def _values(self, m: Arithmetic[V], x: V, terms: Size) -> V:
        """Every input through so many functions of the basis."""
        seen = m.arrange([x], self.inputs * terms, repeated(self.inputs, terms))
        return m.lookup(seen, self.basis, members=self._members)

    def _members(self) -> Sequence[tuple[int, ...]]:
        """The functions an input goes through, by the numbers that tell them apart."""
        order, grid = size_of(self.order), size_of(self.grid)
        if self.basis == "bspline":
            return [(each, order, grid) for each in range(order + 1)]
        if self.basis == "grbf":
            return [(each, grid) for each in range(grid)]
        if self.basis == "chebyshev":
            return [(each,) for each in range(order + 1)]
        return [(each + 1, sine) for sine in (0, 1) for each in range(grid)]

    def _splines(self, m: Arithmetic[V], x: V) -> None:
        edges, terms = self.inputs * self.units, self.order + 1
        values = self._values(m, x, terms)
        memory = m.constant(edges * self.functions, self.weight, "coefficient")
        coefficients = m.piece(memory, x, edges * terms, pieces=self.grid)
        each = m.arrange([values], edges * terms, cycled(self.inputs * terms, self.units))
        spline = m.dot(each, coefficients, terms=terms, outputs=edges, role=Role.INPUT)
        base = m.arrange([m.lookup(x, "silu")], edges, cycled(self.inputs, self.units))
        m.multiply(base, m.constant(edges, self.weight, "base"), role=Role.SCALE)
        scale = m.constant(edges, self.weight, "scale")
        scaled = m.multiply(m.requantize(spline, self.input), scale, role=Role.SCALE)
        m.sum(scaled, terms=self.inputs, outputs=self.units, role=Role.REDUCTION)
