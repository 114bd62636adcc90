"""The short-term plasticity network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .recurrent import Recurrent
from .wiring import cycled, repeated

__all__ = ["STPN"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class STPN(Recurrent):
    """A recurrent layer whose every weight carries a decaying Hebbian state.

    Equation: h' = tanh((W + F) [x, h] + b); F' = Lambda*F + Gamma*(h' [x, h]^T)
    Shapes: x is [inputs], h is [hidden]; W, F, Lambda, Gamma are [hidden, inputs + hidden]; `steps` steps.
    Counting: per step and weight 1 addition and 1 product with W + F merged, 2 products with W and F apart; 3 products
    and 1 addition for the new F. F is as wide as the activation. Products by F and those of h' [x, h]^T are between
    variables; W, Lambda and Gamma are constants. Additions outside a dot are in the recurrent accumulator.
    Source: Rodriguez et al., arXiv 2206.14048 (reconstructed from the published code, which keeps W and F apart).
    """

    kind: ClassVar[str] = "stpn"
    spec: ClassVar[tuple[str, ...]] = ("steps", "inputs", "hidden", "merged")
    merged: bool = True

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """h and F."""
        plastic = self.hidden * (self.inputs + self.hidden)
        return ((self.hidden, self.activation), (plastic, self.activation))

    def parameters(self) -> dict[str, Size]:
        """W, its Lambda and Gamma, and one bias."""
        plastic = self.hidden * (2 * self.directions) * (self.inputs + self.hidden)
        found: dict[str, Size] = {
            "weight": self.hidden * self.inputs * self.directions,
            "recurrent": self.hidden * self.hidden * self.directions,
            "plasticity": plastic,
        }
        return found | ({"bias": self.hidden * self.directions} if self.bias else {})

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        x, h = self._enter(m)
        entering = m.state(self.hidden * self.inputs, self.activation, "plastic.x")
        recurring = m.state(self.hidden * self.hidden, self.activation, "plastic.h")
        net = m.add(
            self._plastic_dot(m, x, entering, self.inputs, self.weight, Role.INPUT),
            self._plastic_dot(m, h, recurring, self.hidden, self.recurrent, Role.RECURRENT),
            role=Role.JOIN,
        )
        new = self._activated(m, self._biased(m, net) if self.bias else net, "tanh")
        m.keep(h, new)
        for operand, state, terms, part in ((x, entering, self.inputs, ".x"), (h, recurring, self.hidden, ".h")):
            elements = self.hidden * terms
            rows = m.arrange([new], elements, repeated(self.hidden, terms))
            outer = m.multiply(rows, m.arrange([operand], elements, cycled(terms, self.hidden)), role=Role.STATE)
            gain = m.constant(elements, self.weight, f"gain{part}")
            learned = m.multiply(m.requantize(outer, self.activation), gain, role=Role.STATE)
            kept = m.multiply(state, m.constant(elements, self.weight, f"decay{part}"), role=Role.STATE)
            m.keep(state, m.add(kept, learned, role=Role.STATE))

    def _plastic_dot(self, m: Arithmetic[V], operand: V, state: V, terms: Size, format: Format, role: Role) -> V:
        """(W + F) v for one part of [x, h]."""
        weight = m.constant(self.hidden * terms, format, "weight" if role is Role.INPUT else "recurrent")
        if self.merged:
            total = m.requantize(m.add(state, weight, role=Role.STATE), self.activation)
            return m.dot(operand, total, terms=terms, outputs=self.hidden, role=role)
        fixed = m.dot(operand, weight, terms=terms, outputs=self.hidden, role=role)
        return m.add(fixed, m.dot(operand, state, terms=terms, outputs=self.hidden, role=role), role=Role.JOIN)
