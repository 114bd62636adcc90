"""State-regularized GRU and LSTM: the hidden state is a mixture of a few centroids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .gru import GRU
from .lstm import LSTM
from .recurrent import Recurrent

__all__ = ["SRGRU", "SRLSTM"]

V = TypeVar("V")
FIELDS = ("steps", "inputs", "hidden", "centroids")


def mixture(m: Arithmetic[V], u: V, *, centroids: Size, hidden: Size, weight: Format, activation: Format) -> V:
    """sum over j of a_j s_j with a = softmax(u . s), the temperature folded into the centroids of the score.

    The centroids of the score lie centroid by centroid, those of the mixture unit by unit.

    Counting: k*hidden products for the scores and for the mixture, k exponentials, k - 1 additions, 1 reciprocal and
    k products for the softmax; no maximum is subtracted, as in the published code.
    """
    u = m.requantize(u, activation)
    nearest = m.constant(centroids * hidden, weight, "centroids.score")
    scores = m.dot(u, nearest, terms=hidden, outputs=centroids, role=Role.CONTRACTION)
    powers = m.lookup(scores, "exp", result=activation)
    total = m.sum(powers, terms=centroids, outputs=1, role=Role.ACTIVATION)
    inverse = m.broadcast(m.lookup(total, "reciprocal", result=activation), centroids)
    shares = m.requantize(m.multiply(powers, inverse, role=Role.ACTIVATION), activation)
    centres = m.constant(centroids * hidden, weight, "centroids")
    return m.dot(shares, centres, terms=centroids, outputs=hidden, role=Role.CONTRACTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class SRGRU(GRU):
    """A GRU whose new state is replaced by the mixture of `centroids` learned states nearest to it.

    Equation: u = GRU(x, h); a = softmax(u . s_j / tau); h' = sum over j of a_j s_j
    Shapes: x is [inputs], h and every s_j are [hidden]; `steps` steps.
    Counting: the GRU without gate biases, and per step 2*k*hidden + k products, k exponentials, 1 reciprocal and
    k*(hidden - 1) + (k - 1) + hidden*(k - 1) additions; tau is folded into the centroids of the score.
    Source: Wang and Niepert 2019 (reconstructed from the published code).
    """

    kind: ClassVar[str] = "sr_gru"
    letters: ClassVar[Mapping[str, str]] = {**Recurrent.letters, "centroids": "k"}
    spec: ClassVar[tuple[str, ...]] = FIELDS
    centroids: Size
    bias: bool = False

    def parameters(self) -> dict[str, Size]:
        """Those of the GRU, and the centroids."""
        return GRU.parameters(self) | {"centroids": self.centroids * self.hidden * self.directions}

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        h, u = self._state(m)
        sizes = {"centroids": self.centroids, "hidden": self.hidden}
        m.keep(h, mixture(m, u, **sizes, weight=self.recurrent, activation=self.activation))


@dataclass(frozen=True, slots=True, kw_only=True)
class SRLSTM(LSTM):
    """An LSTM whose new hidden state is replaced by a mixture of `centroids` learned states; its cell state stays.

    Equation: u, c' = LSTM(x, h, c); a = softmax(u . s_j / tau); h' = sum over j of a_j s_j
    Shapes: x is [inputs], h, c and every s_j are [hidden]; `steps` steps.
    Counting: the LSTM (with `peepholes` the SR-LSTM-P), and the mixture as in the SR-GRU.
    Source: Wang and Niepert 2019 (reconstructed from the published code).
    """

    kind: ClassVar[str] = "sr_lstm"
    letters: ClassVar[Mapping[str, str]] = {**Recurrent.letters, "centroids": "k"}
    spec: ClassVar[tuple[str, ...]] = (*FIELDS, "peepholes")
    centroids: Size

    def parameters(self) -> dict[str, Size]:
        """Those of the LSTM, and the centroids."""
        return LSTM.parameters(self) | {"centroids": self.centroids * self.hidden * self.directions}

    def equations(self, m: Arithmetic[V]) -> None:
        """One step for one sequence."""
        h, u = self._state(m)
        sizes = {"centroids": self.centroids, "hidden": self.hidden}
        m.keep(h, mixture(m, u, **sizes, weight=self.recurrent, activation=self.activation))
