"""Sigmoid and tanh in straight pieces: their definition at every number, their greatest error, what they count as."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.errors import UsageError
from nncomplexity.formats import Fixed
from nncomplexity.hw import proof, verify
from nncomplexity.hw.building import build
from nncomplexity.hw.census import census
from nncomplexity.hw.declared import declared
from nncomplexity.hw.elaborate import Design, elaborate
from nncomplexity.hw.evaluation import evaluate
from nncomplexity.hw.fixed import FixedPoint, Overflow
from nncomplexity.hw.netlist import Graph, Operator, Port
from nncomplexity.hw.piecewise import FORMS, piecewise
from nncomplexity.hw.plain import straight
from nncomplexity.hw.verilog import emit
from nncomplexity.ops import Kind, Role

needs_pyosys = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")
RESULT = FixedPoint(bits=18, integer=2)


def plan(x: Fraction) -> Fraction:
    """PLAN as it is written: Amin, Curtis and Hayes-Gill 1997."""
    if x < 0:
        return 1 - plan(-x)
    if x >= 5:
        return Fraction(1)
    if x >= Fraction(2375, 1000):
        return Fraction(3125, 100000) * x + Fraction(84375, 100000)
    return Fraction(125, 1000) * x + Fraction(625, 1000) if x >= 1 else Fraction(25, 100) * x + Fraction(1, 2)


WRITTEN = {"sigmoid": plan, "tanh": lambda x: 2 * plan(2 * x) - 1}
REAL = {"sigmoid": lambda x: 1 / (1 + math.exp(-x)), "tanh": math.tanh}


def built(operand: FixedPoint, result: FixedPoint, function: str) -> Graph:
    graph = Graph()
    low, high = operand.interval
    (x,) = graph.port(Port("x0", 1, operand.bits, not operand.signed, low, high, operand.fraction))
    graph.output("y0", [piecewise(graph, x, function, result, result.interval, Role.ACTIVATION)])
    return graph


def every(operand: FixedPoint) -> Any:
    low, high = operand.interval
    return np.arange(low, high + 1).reshape(-1, 1)


@pytest.mark.parametrize("function", FORMS)
@pytest.mark.parametrize(
    ("operand", "result"),
    [
        (FixedPoint(bits=12, integer=5), FixedPoint(bits=8, integer=1)),
        (FixedPoint(bits=13, integer=4), FixedPoint(bits=14, integer=2)),
        (FixedPoint(bits=11, integer=9), FixedPoint(bits=7, integer=2)),
        (FixedPoint(bits=11, integer=13), FixedPoint(bits=5, integer=3)),
        (FixedPoint(bits=12, integer=3, signed=False), FixedPoint(bits=9, integer=0, signed=False)),
        # Only pieces that are reached are built: here the middle one, there two.
        (FixedPoint(bits=11, integer=-1), FixedPoint(bits=10, integer=1)),
        (FixedPoint(bits=11, integer=1, signed=False), FixedPoint(bits=10, integer=1)),
    ],
    ids=lambda format: str(format),
)
def test_every_number_is_the_definition_rounded_once(function: str, operand: FixedPoint, result: FixedPoint) -> None:
    numbers = every(operand)
    found = evaluate(built(operand, result, function), {"x0": numbers})["y0"].ravel().tolist()
    low, high = result.interval
    half, unit = Fraction(1, 2), Fraction(2) ** result.fraction
    wanted = [
        min(max(math.floor(WRITTEN[function](Fraction(v) / Fraction(2) ** operand.fraction) * unit + half), low), high)
        for v in numbers.ravel().tolist()
    ]
    assert found == wanted
    assert straight(function, numbers, operand.fraction, result).ravel().tolist() == wanted


@pytest.mark.parametrize(("function", "error"), [("sigmoid", 0.0190), ("tanh", 0.0379)])
def test_the_greatest_error(function: str, error: float) -> None:
    operand = FixedPoint(bits=15, integer=4)
    numbers = every(operand)
    found = evaluate(built(operand, RESULT, function), {"x0": numbers})["y0"].ravel() / 2**RESULT.fraction
    real = np.array([REAL[function](v / 2**operand.fraction) for v in numbers.ravel().tolist()])
    greatest = float(np.abs(found - real).max())
    assert error - 0.0003 < greatest < error


def test_an_evaluation_is_one_operation_and_shows_its_parts() -> None:
    graph = built(FixedPoint(bits=12, integer=5), FixedPoint(bits=8, integer=2), "sigmoid")
    assert graph.inventory() == Counter({Operator(Kind.LOOKUP, Role.ACTIVATION, 8): 1})
    kinds = Counter(dict.fromkeys(Kind, 0))
    for operator, count in graph.insides().items():
        kinds[operator.kind] += count
    # Seven pieces meet at six places; two choices at each; the greatest sum, 1, fits the result.
    assert +kinds == Counter({Kind.COMPARE: 6, Kind.ADD: 1})
    assert declared(graph).muxes.total() == 12
    saturated = built(FixedPoint(bits=12, integer=5), FixedPoint(bits=8, integer=1), "sigmoid")
    assert sum(n for op, n in saturated.insides().items() if op.kind is Kind.COMPARE) == 7


@needs_pyosys
@pytest.mark.parametrize("function", FORMS)
def test_the_emitted_text_is_the_netlist(function: str) -> None:
    operand, result = FixedPoint(bits=12, integer=5), FixedPoint(bits=8, integer=1)
    graph = built(operand, result, function)
    design = elaborate(emit(graph), "nc_kernel")
    wanted, found = declared(graph), census(design)
    for row in ("additions", "comparisons", "muxes", "tables"):
        assert dict(getattr(found, row)) == dict(getattr(wanted, row)), row
    numbers = every(operand)
    words = np.array([int(v) % 4096 for v in numbers.ravel().tolist()], object)
    simulated = [int(v) for v in design.run({"x0": words}, signed=["y0"])["y0"]]
    assert simulated == evaluate(graph, {"x0": numbers})["y0"].ravel().tolist()


@needs_pyosys
@pytest.mark.parametrize("style", ["mac", "shiftadd"])
def test_a_cell_is_proved_with_tables_and_with_pieces(style: str) -> None:
    layer = nc.LSTM(steps=4, inputs=3, hidden=2)
    pieces = verify(layer, quant="w5a9", style=style, vectors=40)
    tables = verify(layer, quant="w5a9", style=style, activation="table", vectors=40)
    assert pieces and tables, (pieces.first_difference, tables.first_difference)
    # The same count; what is inside is shown apart. tanh of the nine bits of c is a table in both, and so is a gate
    # whose drawn weights leave it no more than ten.
    assert pieces.operations == tables.operations
    assert tables.inner_operations == 0
    assert pieces.inner_operations >= (2 * 4 * 7 if style == "mac" else 2 * 7)


@needs_pyosys
def test_another_threshold_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nc.GRU(steps=2, inputs=3, hidden=1)

    def altered(text: str, top: str) -> Design:
        before, compared, after = text.partition("nc_less #")
        assert compared
        flipped = f"{before}nc_less #{after.replace('nc_less #', 'nc_flip #')}" + (
            "module nc_flip #(parameter A = 1, parameter B = 1, parameter Y = 1) (\n  input wire signed [A-1:0] a, "
            "input wire signed [B-1:0] b, output wire [Y-1:0] y\n);\n  assign y = a <= b;\nendmodule\n"
        )
        return elaborate(flipped, top)

    monkeypatch.setattr(proof, "elaborate", altered)
    assert not verify(layer, quant="w5a9", vectors=400).values_equal


def test_other_functions_are_tables_and_other_forms_are_refused() -> None:
    format = Fixed(bits=9, integer=4)
    formats: Any = dict.fromkeys(("weight", "input", "activation", "recurrent"), format)
    layer = nc.RNN(inputs=2, hidden=1, function="softplus", **formats)
    kernel = build(layer)
    assert not kernel.graph.insides()
    assert kernel.tabled == [FixedPoint(bits=10, integer=4, overflow=Overflow.SAT)]
    with pytest.raises(UsageError) as found:
        build(layer, activation="spline")
    assert str(found.value) == (
        "there is no form 'spline' of activation functions; choose piecewise or table [E-KERNEL-ACTIVATION]"
    )
