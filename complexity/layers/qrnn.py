"""Quantum recurrent cells: their classical part as equations, their circuits as a separate account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from .recurrent import Recurrent

__all__ = ["QRNNGRU", "QRNNLSTM", "QRNNRNN"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class QRNNRNN(Recurrent):
    """A recurrent cell whose gates are variational circuits on the qubits of [x, h]; the plain cell has one.

    Equation: h' = VQC(x, h); y = W_o h', where VQC rotates qubit j by H, Ry(arctan v_j), Rz(arctan v_j^2), then has
    `depth` layers of entangling and general rotations, and is measured.
    Shapes: v = [x, h] is [inputs + hidden], one qubit each; y is [outputs]; `steps` steps.
    Counting: the classical part alone: per step one square and two arctangents per qubit, shared by the circuits of
    the step, and outputs*hidden products with their additions for the readout. `quantum` accounts for the circuits.
    Source: after arXiv 2211.02612 (reconstructed).
    """

    kind: ClassVar[str] = "qrnn_rnn"
    letters: ClassVar[Mapping[str, str]] = {**Recurrent.letters, "outputs": "n_o"}
    spec: ClassVar[tuple[str, ...]] = ("steps", "inputs", "hidden", "depth", "outputs")
    gates: ClassVar[int] = 1
    depth: Size
    outputs: Size
    bias: bool = False

    def __post_init__(self) -> None:
        Recurrent.__post_init__(self)
        self._check("depth", least=0)

    @property
    def qubits(self) -> Size:
        """One for every number of [x, h]."""
        return self.inputs + self.hidden

    def quantum(self, shots: Size = 1) -> dict[str, Size]:
        """Quantum resources of one inference: circuits and their gates, and executions at so many shots a circuit.

        A circuit of q qubits has q*(3 + depth) gates on one qubit (H, two encoding rotations, one general rotation a
        layer) and 2*q*depth on two (CNOT to the neighbour and the next but one).
        """
        circuits = self.executions * self.gates
        return {
            "qubits": self.qubits,
            "circuits": circuits,
            "one_qubit_gates": circuits * self.qubits * (self.depth + 3),
            "two_qubit_gates": circuits * self.qubits * self.depth * 2,
            "shots": circuits * shots,
        }

    def resources(self) -> dict[str, Size]:
        """The quantum resources at one shot a circuit."""
        return {name: units for name, units in self.quantum().items() if name != "qubits"}

    def parameters(self) -> dict[str, Size]:
        """Three angles of every general rotation, and the readout."""
        angles = self.qubits * self.depth * (3 * self.gates * self.directions)
        return {"angles": angles, "readout": self.outputs * self.hidden}

    def equations(self, m: Arithmetic[V]) -> None:
        """One step and its readout."""
        self._encode(m)
        self._read_out(m, self._measured(m))

    def _encode(self, m: Arithmetic[V]) -> None:
        m.accumulator(self.hidden, self.recurrent, self.activation)
        for elements, format in ((self.inputs, self.input), (self.hidden, self.activation)):
            value = m.variable(elements, format)
            m.lookup(value, "arctan")
            square = m.multiply(value, value, role=Role.ELEMENTWISE)
            m.lookup(m.requantize(square, format), "arctan")

    def _measured(self, m: Arithmetic[V]) -> V:
        return m.variable(self.hidden, self.activation)

    def _read_out(self, m: Arithmetic[V], h: V) -> None:
        weight = m.constant(self.outputs * self.hidden, self.weight)
        h = m.requantize(h, self.activation)
        m.dot(h, weight, terms=self.hidden, outputs=self.outputs, role=Role.INPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class QRNNLSTM(QRNNRNN):
    """The quantum cell of LSTM type: four circuits stand for its gates and candidate.

    Equation: i, f, o = sigmoid(VQC(x, h)); g = tanh(VQC(x, h)); c' = f*c + i*g; h' = o*tanh(c'); y = W_o h'
    Shapes: as the plain quantum cell; c is [hidden].
    Counting: as the plain quantum cell, and per unit 3 Hadamard products and the cell addition.
    Source: after arXiv 2211.02612 (reconstructed).
    """

    kind: ClassVar[str] = "qrnn_lstm"
    gates: ClassVar[int] = 4

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """h and c."""
        return ((self.hidden, self.activation),) * 2

    def equations(self, m: Arithmetic[V]) -> None:
        """One step and its readout."""
        self._encode(m)
        i, f, o = (self._activated(m, self._measured(m), "sigmoid") for _ in range(3))
        g = self._activated(m, self._measured(m), "tanh")
        c = m.variable(self.hidden, self.activation)
        kept, new = m.multiply(f, c, role=Role.GATE), m.multiply(i, g, role=Role.GATE)
        c = m.requantize(m.add(kept, new, role=Role.STATE), self.activation)
        self._read_out(m, m.multiply(o, self._activated(m, c, "tanh"), role=Role.GATE))


@dataclass(frozen=True, slots=True, kw_only=True)
class QRNNGRU(QRNNRNN):
    """The quantum cell of GRU type: three circuits stand for its gates and candidate.

    Equation: z, r = sigmoid(VQC(x, h)); n = tanh(VQC(x, r*h)); h' = (1 - z)*n + z*h; y = W_o h'
    Shapes: as the plain quantum cell.
    Counting: as the plain quantum cell, and per unit 3 Hadamard products, 1 - z and the state addition. The encoding
    of r*h is not charged a second time.
    Source: after arXiv 2211.02612 (reconstructed).
    """

    kind: ClassVar[str] = "qrnn_gru"
    gates: ClassVar[int] = 3

    def equations(self, m: Arithmetic[V]) -> None:
        """One step and its readout."""
        self._encode(m)
        h = m.variable(self.hidden, self.activation)
        z, r = (self._activated(m, self._measured(m), "sigmoid") for _ in range(2))
        m.multiply(r, h, role=Role.GATE)
        n = self._activated(m, self._measured(m), "tanh")
        new, kept = m.multiply(self._complement(m, z), n, role=Role.GATE), m.multiply(z, h, role=Role.GATE)
        self._read_out(m, m.add(new, kept, role=Role.STATE))
