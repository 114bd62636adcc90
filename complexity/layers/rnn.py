"""The plain recurrent layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from .recurrent import Recurrent

__all__ = ["RNN"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class RNN(Recurrent):
    """The vanilla recurrent layer; with `function` "relu" the ReLU RNN.

    Equation: h' = phi(W x + U h + b)
    Shapes: x is [inputs], h is [hidden]; `steps` steps, two passes where `bidirectional`, `batch` sequences.
    Counting: per step and unit a dot product of inputs and one of hidden terms, the join and the bias in the recurrent
    accumulator. ONNX's two bias vectors are folded to one. The activation is counted as an evaluation only.
    Source: Freire et al., arXiv 2206.12191 (reconstructed); Elman 1990.
    """

    kind: ClassVar[str] = "rnn"
    function: str = "tanh"

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        x, h = self._enter(m)
        m.keep(h, self._activated(m, self._net(m, x, h), self.function))
