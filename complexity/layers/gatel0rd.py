"""GateL0RD: a recurrent cell whose gate is exactly closed most of the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..ops import Role
from .recurrent import Recurrent
from .share import exact_part, share

__all__ = ["GateL0RD"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateL0RD(Recurrent):
    """A cell that changes its state through a gate of values in [0, 1) and mostly exactly 0.

    Equation: L = max(0, tanh(g(x, h))); c = tanh(r(x, h)); h' = L*c + (1 - L)*h; y = tanh(p(x, h')) * sigmoid(o(x, h'))
    where g, r, p, o are W x + U h + b each.
    Shapes: x is [inputs], h is [hidden], y is [outputs]; `steps` steps.
    Counting: per step the four dot products, joins and biases of their units, 2 Hadamard products, 1 - L and the state
    addition per unit, 1 product per output. `open_rate` is the part of units whose gate is open: a unit whose gate is
    closed keeps its state and needs no r, no Hadamard product and no state addition.
    Source: Gumbsch, Butz, Martius 2021 (reconstructed from the published code).
    Raises: SpecError for a rate outside [0, 1] or one that makes no whole number of open units.
    """

    kind: ClassVar[str] = "gatel0rd"
    letters: ClassVar[Mapping[str, str]] = {**Recurrent.letters, "outputs": "n_o"}
    spec: ClassVar[tuple[str, ...]] = ("steps", "inputs", "hidden", "outputs", "open_rate")
    outputs: Size
    open_rate: str | float | Fraction | Size = 1

    def __post_init__(self) -> None:
        Recurrent.__post_init__(self)
        exact = exact_part(self.kind, "open_rate", self.open_rate, "hidden units", self.hidden)
        object.__setattr__(self, "open_rate", exact)

    def parameters(self) -> dict[str, Size]:
        """Weights and biases of the four nets."""
        rows = (self.hidden + self.outputs) * (2 * self.directions)
        found: dict[str, Size] = {"weight": rows * self.inputs, "recurrent": rows * self.hidden}
        return found | ({"bias": rows} if self.bias else {})

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        units = share(self.open_rate, self.hidden)
        x, h = self._enter(m)
        zero = m.constant(self.hidden, self.activation, value=Fraction(0))
        gate = self._activated(m, self._net(m, x, h, ".g"), "tanh")
        gate = m.compare(gate, zero, role=Role.ACTIVATION, kept="greater")
        c = self._activated(m, self._net(m, x, h, ".r", outputs=units), "tanh", units)
        gate, kept = m.broadcast(gate, units), m.broadcast(h, units)
        new = m.multiply(gate, c, role=Role.GATE)
        kept = m.multiply(self._complement(m, gate, units), kept, role=Role.GATE)
        state = m.requantize(m.add(new, kept, role=Role.STATE), self.activation)
        before, h = h, m.broadcast(state, self.hidden)
        m.keep(before, h)
        p = self._activated(m, self._net(m, x, h, ".p", outputs=self.outputs), "tanh", self.outputs)
        o = self._activated(m, self._net(m, x, h, ".o", outputs=self.outputs), "sigmoid", self.outputs)
        m.multiply(p, o, role=Role.GATE)
