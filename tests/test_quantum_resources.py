"""Quantum resources stand in columns of their own, and only where a network has them."""

from __future__ import annotations

import json

import nncomplexity as nc
import pytest
from nncomplexity.render import render

RESOURCES = ("circuits", "one_qubit_gates", "two_qubit_gates", "shots")


@pytest.mark.parametrize(("cell", "circuits"), [(nc.QRNNRNN, 1), (nc.QRNNGRU, 3), (nc.QRNNLSTM, 4)])
def test_circuits_and_gates_follow_from_qubits_depth_and_steps(cell: type[nc.QRNNRNN], circuits: int) -> None:
    steps, inputs, hidden, depth = 10, 3, 4, 2
    qubits = inputs + hidden
    totals = nc.analyze(cell(steps=steps, inputs=inputs, hidden=hidden, depth=depth, outputs=1)).totals
    runs = steps * circuits
    assert [totals[key] for key in RESOURCES] == [runs, runs * qubits * (3 + depth), runs * 2 * qubits * depth, runs]


def test_their_columns_appear_unasked_and_sum_to_the_total() -> None:
    quantum = nc.QRNNGRU(steps=5, inputs=2, hidden=3, depth=1, outputs=1)
    report = nc.analyze([quantum, nc.Dense(inputs=1, units=2, steps=5)], quant="w8a8")
    table = render("table", [report])
    assert "Circuits    1q gates    2q gates    Shots" in table
    assert [entry.metrics["circuits"] for entry in report.entries] == [15, 0]


def test_a_classical_network_does_not_mention_them() -> None:
    report = nc.analyze(nc.Dense(inputs=3, units=2), quant="w8a8")
    assert "Circuits" not in render("table", [report])
    assert not set(RESOURCES) & json.loads(report.to_json())["totals"].keys()
