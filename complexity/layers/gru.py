"""The gated recurrent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..ops import Role
from .recurrent import Recurrent

__all__ = ["GRU"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class GRU(Recurrent):
    """The gated recurrent unit: an update gate, a reset gate and a candidate.

    Equation: z, r = sigmoid(W x + U h + b); n = tanh(W_n x + U_n (r*h) + b_n); h' = (1 - z)*n + z*h
    With linear_before_reset: n = tanh(W_n x + r*(U_n h + b_u) + b_n).
    Shapes: x is [inputs], h is [hidden]; `steps` steps, two passes where `bidirectional`, `batch` sequences.
    Counting: per step and unit 3 dot products of inputs and of hidden terms, 3 Hadamard products, 3 joins, 3 biases,
    1 - z and the state addition, all outside a dot in the recurrent accumulator. The candidate's second bias cannot be
    folded with linear_before_reset: one addition more. Activations are counted as evaluations only.
    Source: Freire et al., arXiv 2206.12191 (reconstructed); Cho et al. 2014.
    """

    kind: ClassVar[str] = "gru"
    gates: ClassVar[int] = 3
    spec: ClassVar[tuple[str, ...]] = (*Recurrent.spec, "linear_before_reset")
    linear_before_reset: bool = False
    functions: tuple[str, str] = ("sigmoid", "tanh")

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        m.keep(*self._state(m))

    def _state(self, m: Arithmetic[V]) -> tuple[V, V]:
        """h, and h' still in its accumulator."""
        gate = self.functions[0]
        x, h = self._enter(m)
        z = self._activated(m, self._net(m, x, h, ".z"), gate)
        r = self._activated(m, self._net(m, x, h, ".r"), gate)
        if self.linear_before_reset:
            u = self._recur(m, h, ".n")
            u = m.requantize(self._biased(m, u, ".u") if self.bias else u, self.activation)
            reset = m.multiply(r, u, role=Role.GATE)
            joined = m.add(self._project(m, x, ".n"), reset, role=Role.JOIN)
        else:
            reset = m.requantize(m.multiply(r, h, role=Role.GATE), self.activation)
            joined = self._joined(m, x, reset, ".n")
        n = self._candidate(m, joined)
        rest = self._complement(m, z)
        return h, m.add(m.multiply(rest, n, role=Role.GATE), m.multiply(z, h, role=Role.GATE), role=Role.STATE)

    def _candidate(self, m: Arithmetic[V], joined: V) -> V:
        net = self._biased(m, joined, ".n") if self.bias else joined
        return self._activated(m, net, self.functions[1])
