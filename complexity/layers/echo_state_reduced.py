"""Echo state networks reduced by proper orthogonal decomposition, with and without empirical interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size, is_expression
from ..formats import Format, accumulator
from ..ops import Role
from .layer import FLOAT32, Layer

__all__ = ["EchoStateDEIM", "EchoStatePOD"]

V = TypeVar("V")
LETTERS = {"steps": "n_s", "inputs": "n_i", "reservoir": "N_r", "rank": "r", "outputs": "n_o"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoStatePOD(Layer):
    """An echo state network whose state is kept in `rank` coordinates of an orthonormal basis T.

    Equation: z' = (1 - g)*z + g*T^T tanh((W_r T) z + W_in u + b); y = (W_o T) z'
    Shapes: u is [inputs], z is [rank], T is [reservoir, rank], y is [outputs]; `steps` steps.
    Counting: per step 2*reservoir*rank + reservoir*inputs + 2*rank + outputs*rank products and the additions of the
    dot products, of join and bias per reservoir unit and of the leak; W_r T is dense whatever the reservoir was.
    Additions outside a dot are in the accumulator of (W_r T) z. g and 1 - g are constants in the weight format.
    Source: after arXiv 2211.17179 (reconstructed).
    """

    kind: ClassVar[str] = "esn_pod"
    letters: ClassVar[Mapping[str, str]] = LETTERS
    spec: ClassVar[tuple[str, ...]] = ("steps", "inputs", "reservoir", "outputs", "rank")
    inputs: Size
    reservoir: Size
    outputs: Size
    rank: Size
    steps: Size = 1
    recurrent: Format = FLOAT32

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        self._check_at_most("rank", "reservoir")

    def _check_at_most(self, name: str, bound: str) -> None:
        size, most = getattr(self, name), getattr(self, bound)
        if not is_expression(size) and not is_expression(most) and size > most:
            raise self._refusal(name, size, f"at most {most}, the {bound}")

    @property
    def nodes(self) -> Size:
        """Reservoir units whose activation is evaluated."""
        return self.reservoir

    @property
    def executions(self) -> Size:
        return self.steps

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """z."""
        return ((self.rank, self.activation),)

    @property
    def formats(self) -> dict[str, Format]:
        return {
            "weight": self.weight,
            "input": self.input,
            "recurrent": self.recurrent,
            "activation": self.activation,
            "accumulator": accumulator(self.rank, self.recurrent, self.activation),
        }

    def parameters(self) -> dict[str, Size]:
        """The matrices as they are stored: the products with T are made beforehand."""
        return {
            "weight": self.nodes * self.inputs,
            "recurrent": self.nodes * self.rank,
            "projection": self.rank * self.nodes,
            "readout": self.outputs * self.rank,
            "bias": self.nodes,
        }

    def equations(self, m: Arithmetic[V]) -> None:
        """One step and its readout."""
        nodes, rank = self.nodes, self.rank
        m.accumulator(rank, self.recurrent, self.activation)
        u, z = m.variable(self.inputs, self.input), m.state(rank, self.activation, "state")
        entered = m.constant(nodes * self.inputs, self.weight, "weight")
        net = m.dot(u, entered, terms=self.inputs, outputs=nodes, role=Role.INPUT)
        weight = m.constant(nodes * rank, self.recurrent, "recurrent")
        lifted = m.dot(z, weight, terms=rank, outputs=nodes, role=Role.RECURRENT)
        net = m.add(m.add(net, lifted, role=Role.JOIN), m.constant(nodes, self.weight, "bias"), role=Role.BIAS)
        state = m.lookup(net, "tanh", result=self.activation)
        projection = m.constant(rank * nodes, self.weight, "projection")
        back = m.dot(state, projection, terms=nodes, outputs=rank, role=Role.RECURRENT)
        mu, rest = (m.constant(rank, self.weight, name) for name in ("leak", "rest"))
        fresh = m.multiply(m.requantize(back, self.activation), mu, role=Role.STATE)
        kept = m.multiply(z, rest, role=Role.STATE)
        before, z = z, m.requantize(m.add(kept, fresh, role=Role.STATE), self.activation)
        m.keep(before, z)
        readout = m.constant(self.outputs * rank, self.weight, "readout")
        m.dot(z, readout, terms=rank, outputs=self.outputs, role=Role.INPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoStateDEIM(EchoStatePOD):
    """The reduced echo state network that evaluates only `samples` units of its reservoir.

    Equation: z' = (1 - g)*z + g*E tanh((P^T W_r T) z + P^T W_in u + P^T b); y = (W_o T) z'; E = T^T U (P^T U)^-1
    Shapes: u is [inputs], z is [rank], E is [rank, samples], y is [outputs]; P selects `samples` rows; `steps` steps.
    Counting: as with POD, `samples` in place of the reservoir: the cost does not depend on the reservoir's size.
    Source: after arXiv 2211.17179 (reconstructed).
    """

    kind: ClassVar[str] = "esn_deim"
    letters: ClassVar[Mapping[str, str]] = {**LETTERS, "samples": "m"}
    spec: ClassVar[tuple[str, ...]] = (*EchoStatePOD.spec, "samples")
    samples: Size

    def __post_init__(self) -> None:
        EchoStatePOD.__post_init__(self)
        self._check_at_most("samples", "reservoir")

    @property
    def nodes(self) -> Size:
        """Reservoir units whose activation is evaluated."""
        return self.samples
