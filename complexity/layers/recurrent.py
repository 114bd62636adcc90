"""What the gated and plain recurrent cells share: their fields, the net input of a gate, and how often a step runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format, accumulator
from ..ops import Role
from .fused_activation import activated
from .layer import FLOAT32, Layer

__all__ = ["Recurrent"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrent(Layer):
    """A cell applied step by step. `recurrent` is the format of U, `activation` that of gates and hidden state.

    clip: the input of every activation function is limited to +-clip: two comparisons each.
    constant: the weights are known before the run. requantized: the format h is brought to before the product U h,
    where that is not `activation` (a dynamically quantized layer computes its gates in float).
    """

    gates: ClassVar[int] = 1
    letters: ClassVar[Mapping[str, str]] = {"inputs": "n_i", "hidden": "n_h", "steps": "n_s", "batch": "B"}
    spec: ClassVar[tuple[str, ...]] = ("steps", "inputs", "hidden", "bidirectional", "bias")
    inputs: Size
    hidden: Size
    steps: Size = 1
    batch: Size = 1
    bidirectional: bool = False
    bias: bool = True
    clip: bool = False
    constant: bool = True
    recurrent: Format = FLOAT32
    requantized: Format | None = None

    @property
    def directions(self) -> int:
        """Passes over the sequence."""
        return 2 if self.bidirectional else 1

    @property
    def executions(self) -> Size:
        return self.steps * self.batch * self.directions

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        return ((self.hidden, self.activation),)

    @property
    def formats(self) -> dict[str, Format]:
        return {
            "weight": self.weight,
            "input": self.input,
            "recurrent": self.recurrent,
            "activation": self.activation,
            "accumulator": accumulator(self.hidden, self.recurrent, self.activation),
        }

    def parameters(self) -> dict[str, Size]:
        """Weights, and two bias vectors a gate, as ONNX stores them."""
        rows = self.hidden * (self.gates * self.directions)
        found: dict[str, Size] = {"weight": rows * self.inputs, "recurrent": rows * self.hidden}
        return found | ({"bias": rows * 2} if self.bias else {})

    def _enter(self, m: Arithmetic[V]) -> tuple[V, V]:
        m.accumulator(self.hidden, self.recurrent, self.activation)
        return m.variable(self.inputs, self.input), m.state(self.hidden, self.activation, "state")

    def _net(self, m: Arithmetic[V], x: V, h: V, gate: str = "", *, outputs: Size | None = None) -> V:
        """W x + U h + b for one gate, whose name its constants bear."""
        joined = self._joined(m, x, h, gate, outputs=outputs)
        return self._biased(m, joined, gate, outputs) if self.bias else joined

    def _joined(self, m: Arithmetic[V], x: V, h: V, gate: str = "", *, outputs: Size | None = None) -> V:
        return m.add(self._project(m, x, gate, outputs), self._recur(m, h, gate, outputs), role=Role.JOIN)

    def _project(self, m: Arithmetic[V], x: V, gate: str = "", outputs: Size | None = None) -> V:
        rows = self.hidden if outputs is None else outputs
        weight = self._weights(m, rows * self.inputs, self.weight, f"weight{gate}")
        return m.dot(x, weight, terms=self.inputs, outputs=rows, role=Role.INPUT)

    def _recur(self, m: Arithmetic[V], h: V, gate: str = "", outputs: Size | None = None) -> V:
        rows = self.hidden if outputs is None else outputs
        weight = self._weights(m, rows * self.hidden, self.recurrent, f"recurrent{gate}")
        if self.requantized is not None:
            h = m.requantize(h, self.requantized)
        return m.dot(h, weight, terms=self.hidden, outputs=rows, role=Role.RECURRENT)

    def _weights(self, m: Arithmetic[V], elements: Size, format: Format, name: str) -> V:
        return (m.constant if self.constant else m.variable)(elements, format, name)

    def _biased(self, m: Arithmetic[V], net: V, gate: str = "", outputs: Size | None = None) -> V:
        rows = self.hidden if outputs is None else outputs
        return m.add(net, m.constant(rows, self.weight, f"bias{gate}"), role=Role.BIAS)

    def _activated(
        self, m: Arithmetic[V], net: V, function: str, outputs: Size | None = None, *, stored: Format | None = None
    ) -> V:
        rows = self.hidden if outputs is None else outputs
        return activated(m, self._clipped(m, net, rows), function, rows, stored or self.activation)

    def _clipped(self, m: Arithmetic[V], net: V, rows: Size) -> V:
        if not self.clip:
            return net
        bound = m.constant(rows, self.activation)
        return m.compare(m.compare(net, bound, role=Role.ACTIVATION), bound, role=Role.ACTIVATION)

    def _complement(self, m: Arithmetic[V], gate: V, outputs: Size | None = None) -> V:
        """1 - gate, where 1 is the nearest number of the activation format: 127/128 in fixed<8,1>."""
        rows = self.hidden if outputs is None else outputs
        one = m.constant(rows, self.activation, value=Fraction(1))
        return m.requantize(m.subtract(one, gate, role=Role.STATE), self.activation)
