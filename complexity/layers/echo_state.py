"""The echo state network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..errors import SpecError
from ..expressions import Size
from ..formats import Format, accumulator
from ..ops import Role
from .layer import FLOAT32, Layer
from .share import exact_part, share
from .wiring import sparse

__all__ = ["EchoState"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoState(Layer):
    """A fixed sparse reservoir, leaking, and a trained linear readout at every step.

    Equation: s' = (1 - mu)*s + mu*tanh(W_in x + W_r s + b); y = W_o s' + b_o
    Shapes: x is [inputs], s is [reservoir], y is [outputs]; W_r keeps `density` of its weights, or `nonzeros_per_row`.
    Counting: `density` is the mean field s_p*Mult(reservoir): both products and additions of the full product W_r s
    times s_p. `nonzeros_per_row` is one dot product of so many terms a row. Join, bias, leak and the bias of the
    readout are additions in the recurrent accumulator. mu and 1 - mu are two constants in the weight format; without
    `leaky` both products and the addition are absent. In a circuit a row of W_r has that many weights, with `density`
    too, and one addition less; `columns` says where they stand, row by row, else they are drawn.
    Source: Freire et al., arXiv 2206.12191 (reconstructed); Jaeger 2001.
    Raises: SpecError E-SPEC-DENSITY unless exactly one of density and nonzeros_per_row is given, E-SPEC-SIZE for
    columns that are not those of W_r.
    """

    kind: ClassVar[str] = "esn"
    letters: ClassVar[Mapping[str, str]] = {
        "steps": "n_s",
        "inputs": "n_i",
        "reservoir": "N_r",
        "density": "s_p",
        "nonzeros_per_row": "n_z",
        "outputs": "n_o",
    }
    spec: ClassVar[tuple[str, ...]] = (
        *("steps", "inputs", "reservoir", "density", "nonzeros_per_row", "outputs"),
        *("leaky", "bias", "readout_bias"),
    )
    inputs: Size
    reservoir: Size
    outputs: Size
    steps: Size = 1
    density: str | float | Fraction | Size | None = None
    nonzeros_per_row: Size | None = None
    leaky: bool = True
    bias: bool = False
    readout_bias: bool = False
    recurrent: Format = FLOAT32
    columns: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        self._check_formats()
        self._check("steps", "inputs", "reservoir", "outputs")
        self._check("nonzeros_per_row", least=0)
        if (self.density is None) == (self.nonzeros_per_row is None):
            raise SpecError("E-SPEC-DENSITY", "expected either density or nonzeros_per_row").at(self.kind)
        if self.density is not None:
            exact = exact_part(self.kind, "density", self.density, "reservoir units", self.reservoir)
            object.__setattr__(self, "density", exact)
        kept, units = self.nonzeros_per_row, self.reservoir
        if isinstance(kept, int) and isinstance(units, int) and kept > units:
            raise self._refusal("nonzeros_per_row", kept, f"at most {units}, the reservoir")
        object.__setattr__(self, "columns", tuple(tuple(row) for row in self.columns))
        self._check_columns()

    def _check_columns(self) -> None:
        units, kept = self.reservoir, self.kept
        if not self.columns or not isinstance(units, int) or not isinstance(kept, int):
            return
        if len(self.columns) != units:
            raise self._refusal("columns", f"{len(self.columns)} rows", f"{units}, the reservoir")
        for number, row in enumerate(self.columns):
            if len(set(row)) != kept or len(row) != kept or not all(0 <= column < units for column in row):
                rule = f"{kept} different integers from 0 to {units - 1}"
                raise self._refusal(f"columns[{number}]", list(row), rule)

    @property
    def executions(self) -> Size:
        return self.steps

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """s."""
        return ((self.reservoir, self.activation),)

    @property
    def kept(self) -> Size:
        """Weights kept in a row of W_r, on average."""
        if self.nonzeros_per_row is not None:
            return self.nonzeros_per_row
        return share(1 if self.density is None else self.density, self.reservoir)

    @property
    def formats(self) -> dict[str, Format]:
        return {
            "weight": self.weight,
            "input": self.input,
            "recurrent": self.recurrent,
            "activation": self.activation,
            "accumulator": accumulator(self.reservoir, self.recurrent, self.activation),
        }

    def parameters(self) -> dict[str, Size]:
        """The weights that are kept, and the readout; mu and 1 - mu are settings."""
        found: dict[str, Size] = {
            "weight": self.reservoir * self.inputs,
            "recurrent": self.reservoir * self.kept,
            "readout": self.outputs * self.reservoir,
        }
        found |= {"bias": self.reservoir} if self.bias else {}
        return found | ({"readout_bias": self.outputs} if self.readout_bias else {})

    def equations(self, m: Arithmetic[V]) -> None:
        """One step and its readout."""
        units = self.reservoir
        m.accumulator(units, self.recurrent, self.activation)
        x, s = m.variable(self.inputs, self.input), m.state(units, self.activation, "state")
        weight = m.constant(units * self.inputs, self.weight, "weight")
        net = m.dot(x, weight, terms=self.inputs, outputs=units, role=Role.INPUT)
        net = m.add(net, self._recur(m, s), role=Role.JOIN)
        if self.bias:
            net = m.add(net, m.constant(units, self.weight, "bias"), role=Role.BIAS)
        new = m.lookup(net, "tanh", result=self.activation)
        if self.leaky:
            mu, rest = (m.constant(units, self.weight, name) for name in ("leak", "rest"))
            kept, fresh = m.multiply(s, rest, role=Role.STATE), m.multiply(new, mu, role=Role.STATE)
            new = m.requantize(m.add(kept, fresh, role=Role.STATE), self.activation)
        m.keep(s, new)
        readout = m.constant(self.outputs * units, self.weight, "readout")
        y = m.dot(new, readout, terms=units, outputs=self.outputs, role=Role.INPUT)
        if self.readout_bias:
            m.add(y, m.constant(self.outputs, self.weight, "readout_bias"), role=Role.BIAS)

    def _recur(self, m: Arithmetic[V], s: V) -> V:
        """W_r s."""
        units, kept = self.reservoir, self.kept
        weight, seen = m.constant(units * kept, self.recurrent, "recurrent"), m.arrange([s], units * kept, self._places)
        if self.nonzeros_per_row is not None:
            return m.dot(seen, weight, terms=kept, outputs=units, role=Role.RECURRENT)
        field = {"products": units * kept, "additions": kept * (units - 1)}
        return m.dot(seen, weight, terms=units, outputs=units, role=Role.RECURRENT, row=kept, **field)

    def _places(self) -> Sequence[int]:
        """Which element of s each weight of W_r meets."""
        if self.columns:
            return [column for row in self.columns for column in row]
        return sparse(self.reservoir, self.reservoir, self.kept)()
