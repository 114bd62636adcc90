"""The GRU with orthogonal recurrent weights (Neumann-Cayley)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..ops import Role
from .gru import GRU

__all__ = ["NCGRU"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class NCGRU(GRU):
    """A GRU whose candidate matrix is orthogonal, at inference.

    Equation: z, r = sigmoid(W x + U h + b); n = modReLU(W_n x + U_n (r*h)); h' = (1 - z)*n + z*h
    with modReLU(v) = sign(v) relu(|v| + b) and U_n = (I + A)^-1 (I - A) D, A skew-symmetric.
    Shapes: x is [inputs], h is [hidden]; `steps` steps, two passes where `bidirectional`.
    Counting: as the GRU. The candidate's bias stands inside modReLU, whose relu is one comparison; its signs are wires
    (a kernel turns over the bits of a negative number), that of 0 is positive.
    Weights are constants at inference, so the orthogonal transform costs nothing there: `update_cost` is the price of
    one update in training.
    Source: Mucllari et al., arXiv 2208.06496 (reconstructed).
    """

    kind: ClassVar[str] = "nc_gru"
    functions: tuple[str, str] = ("sigmoid", "relu")

    def _candidate(self, m: Arithmetic[V], joined: V) -> V:
        if self.functions[1] != "relu":
            return GRU._candidate(self, m, joined)
        size = m.magnitude(joined)
        size = self._clipped(m, self._biased(m, size, ".n") if self.bias else size, self.hidden)
        zero = m.constant(self.hidden, self.activation, value=Fraction(0))
        size = m.compare(size, zero, role=Role.ACTIVATION, kept="greater")
        return m.requantize(m.signed(size, joined), self.activation)

    def update_cost(self, order: int | None = 2) -> Size:
        """Real multiplications of one update of the orthogonal matrix, signs excluded.

        order: of the Neumann series of (I + A)^-1: `order` products for its powers, one for the old inverse, one for
        I - A, each hidden**3; None is an exact inversion, taken as hidden**3, and one product.
        Raises: SpecError E-SPEC-SIZE for an order below 1.
        """
        if order is not None and order < 1:
            raise self._refusal("order", order, "an integer of at least 1")
        return self.hidden * self.hidden * self.hidden * (2 if order is None else order + 2)
