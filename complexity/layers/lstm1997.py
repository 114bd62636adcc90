"""Long short-term memory as first published, without a forget gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .recurrent import Recurrent

__all__ = ["LSTM1997"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTM1997(Recurrent):
    """Long short-term memory with input and output gate; the cell state is only ever added to.

    Equation: i, o = sigmoid(W x + U h + b); g = tanh(W_g x + U_g h + b_g); c' = c + i*g; h' = o*tanh(c')
    Shapes: x is [inputs], h and c are [hidden]; `steps` steps, two passes where `bidirectional`. One cell a block.
    Counting: per step and unit 3 dot products of inputs and of hidden terms, 2 Hadamard products, 3 joins, 3 biases
    and the cell addition, all outside a dot in the recurrent accumulator. Activations are evaluations only.
    Source: Hochreiter and Schmidhuber 1997 (reconstructed).
    """

    kind: ClassVar[str] = "lstm1997"
    gates: ClassVar[int] = 3

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """h and c."""
        return ((self.hidden, self.activation),) * 2

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        x, h = self._enter(m)
        c = m.state(self.hidden, self.activation, "cell")
        i = self._activated(m, self._net(m, x, h, ".i"), "sigmoid")
        g = self._activated(m, self._net(m, x, h, ".g"), "tanh")
        o = self._activated(m, self._net(m, x, h, ".o"), "sigmoid")
        new = m.requantize(m.add(m.multiply(i, g, role=Role.GATE), c, role=Role.STATE), self.activation)
        m.keep(c, new)
        m.keep(h, m.multiply(o, self._activated(m, new, "tanh"), role=Role.GATE))
