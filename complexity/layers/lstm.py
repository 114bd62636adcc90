"""Long short-term memory with forget gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .recurrent import Recurrent

__all__ = ["LSTM"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTM(Recurrent):
    """Long short-term memory: three gates, a candidate and a cell state.

    Equation: i, f, o = sigmoid(W x + U h + b); g = tanh(W_g x + U_g h + b_g); c' = f*c + i*g; h' = o*tanh(c')
    Shapes: x is [inputs], h and c are [hidden]; `steps` steps, two passes where `bidirectional`, `batch` sequences.
    Counting: per step and unit 4 dot products of inputs and of hidden terms, 3 Hadamard products, 4 joins, 4 biases
    (ONNX's two bias vectors are folded to one) and the cell addition, all outside a dot in the recurrent accumulator.
    With peepholes 3 products and 3 additions more. `coupled` (input_forget=1) computes f as 1 - i.
    Gates, cell state and its tanh are as wide as the activation, unless `kept` gives the formats of i, f, g, o, c and
    tanh c. Activations are counted as evaluations only.
    Source: Freire et al., arXiv 2206.12191 (reconstructed); Hochreiter and Schmidhuber 1997; Gers et al. 2000.
    """

    kind: ClassVar[str] = "lstm"
    gates: ClassVar[int] = 4
    spec: ClassVar[tuple[str, ...]] = (*Recurrent.spec, "peepholes")
    peepholes: bool = False
    coupled: bool = False
    functions: tuple[str, str, str] = ("sigmoid", "tanh", "tanh")
    kept: tuple[Format, ...] = ()

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """h and c."""
        return ((self.hidden, self.activation), (self.hidden, self.kept[4] if self.kept else self.activation))

    def parameters(self) -> dict[str, Size]:
        """Peephole weights beside those of every recurrent layer."""
        found = Recurrent.parameters(self)
        return found | ({"peephole": self.hidden * (3 * self.directions)} if self.peepholes else {})

    def stored_in(self, parameter: str) -> Format:
        """Peephole weights are recurrent weights."""
        return self.recurrent if parameter in ("recurrent", "peephole") else self.weight

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        m.keep(*self._state(m))

    def _state(self, m: Arithmetic[V]) -> tuple[V, V]:
        """h, and h' still in its accumulator."""
        gate, candidate, output = self.functions
        input_gate, forget, new_cell, output_gate, cell, squashed = self.kept or (self.activation,) * 6
        x, h = self._enter(m)
        c = m.state(self.hidden, cell, "cell")

        def peep(net: V, cell: V, name: str) -> V:
            if not self.peepholes:
                return net
            weight = m.constant(self.hidden, self.recurrent, f"peephole{name}")
            return m.add(net, m.multiply(cell, weight, role=Role.PEEPHOLE), role=Role.PEEPHOLE)

        i = self._activated(m, peep(self._net(m, x, h, ".i"), c, ".i"), gate, stored=input_gate)
        if self.coupled:
            f = self._complement(m, i)
        else:
            f = self._activated(m, peep(self._net(m, x, h, ".f"), c, ".f"), gate, stored=forget)
        g = self._activated(m, self._net(m, x, h, ".g"), candidate, stored=new_cell)
        kept, new = m.multiply(f, c, role=Role.GATE), m.multiply(i, g, role=Role.GATE)
        before, c = c, m.requantize(m.add(kept, new, role=Role.STATE), cell)
        m.keep(before, c)
        o = self._activated(m, peep(self._net(m, x, h, ".o"), c, ".o"), gate, stored=output_gate)
        return h, m.multiply(o, self._activated(m, c, output, stored=squashed), role=Role.GATE)
