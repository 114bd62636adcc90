"""Quantum resources: what a reservoir of qubits runs beside the classical part, in columns of their own."""

from __future__ import annotations

from ..ops import Kind, Op, Weight
from .metric import Metric

__all__ = ["METRICS"]


def weight_of(resource: str) -> Weight:
    """The weight that sees one resource."""

    def weight(op: Op) -> int:
        """1 for every unit of the resource; nothing classical counts."""
        return 1 if op.kind is Kind.QUANTUM and op.function == resource else 0

    return weight


METRICS = tuple(
    Metric(key=key, heading=heading, meaning=meaning, unit=unit, weight=weight_of(key), computed=False, optional=True)
    for key, heading, meaning, unit in (
        ("circuits", "Circuits", "quantum circuits that run for one inference", "circuits"),
        ("one_qubit_gates", "1q gates", "gates on one qubit in all circuits: Hadamard gates and rotations", "gates"),
        ("two_qubit_gates", "2q gates", "gates on two qubits in all circuits: controlled NOT gates", "gates"),
        ("shots", "Shots", "executions of circuits: each runs once for every shot", "executions"),
    )
)
