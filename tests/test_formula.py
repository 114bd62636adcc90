"""Closed forms out of ONNX files, proved equal to the published expressions by sympy.

Source of every expression: after arXiv 2206.12191, reconstructed. Acc(n, b, b') = b + b' + L(n) and
Mult(n, b, b') = n*b*b' + (n - 1)*Acc(n, b, b'), with L(n) = ceil(log2 n); X_a = b_a - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nncomplexity as nc
import onnx
import pytest
import sympy
from nncomplexity.errors import UsageError
from onnx import helper

Build = Callable[..., onnx.ModelProto]
B, n_s, n_i, n_h, n_n, n_f, n_k, positions, b_w, b_i, b_a, X_w = sympy.symbols(
    "B n_s n_i n_h n_n n_f n_k O b_w b_i b_a X_w", positive=True, integer=True
)
X_a = b_a - 1
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
SIZES = {"n_s": 7, "n_i": 5, "n_h": 6, "B": 3, "b_w": 4, "b_i": 9, "b_a": 9, "X_w": 3}


def L(n: Any) -> Any:
    return sympy.Function("L")(n)


def Acc(n: Any, b: Any, c: Any) -> Any:
    return b + c + L(n)


def Mult(n: Any, b: Any, c: Any) -> Any:
    return n * b * c + (n - 1) * Acc(n, b, c)


def named(expression: Any) -> Any:
    """The expression with the tool's clog2 written as L."""
    return expression.replace(lambda e: e.func.__name__ == "clog2", lambda e: L(e.args[0]))


def recurrent(gates: int, hadamard: int, others: int) -> dict[str, Any]:
    """RM, BOP, NABS of a cell with so many gates, Hadamard products and other additions per unit and step."""
    return {
        "rm": gates * (n_i + n_h) + hadamard,
        "bop": gates * (Mult(n_i, b_w, b_i) + Mult(n_h, b_w, b_a)) + hadamard * b_a**2 + others * Acc(n_h, b_w, b_a),
        "nabs": gates * (n_i * (X_w + 1) - 1) * Acc(n_i, b_w, b_i)
        + (gates * (n_h * (X_w + 1) - 1) + others) * Acc(n_h, b_w, b_a)
        + hadamard * X_a * 2 * b_a,
    }


CELLS = {"RNN": recurrent(1, 0, 2), "LSTM": recurrent(4, 3, 9), "GRU": recurrent(3, 3, 8)}
CASES = [(op, metric) for op in CELLS for metric in ("rm", "bop", "nabs")]


def cell(build: Build, op: str) -> nc.Report:
    rows = GATES[op] * 6
    node = helper.make_node(op, ["x", "W", "R", "B"], ["y"], "cell", hidden_size=6)
    weights = {"W": [1, rows, 5], "R": [1, rows, 6], "B": [1, 2 * rows]}
    return nc.analyze(build([node], {"x": [7, 3, 5]}, ["y"], weights), quant="w4a9")


@pytest.mark.parametrize(("op", "metric"), CASES)
def test_a_recurrent_cell(op: str, metric: str, build: Build) -> None:
    report = cell(build, op)
    formula = report["cell"].formula(metric)
    assert sympy.expand(named(formula.expr) - B * n_s * n_h * CELLS[op][metric]) == 0
    assert formula.subs(SIZES) == report["cell"].metrics[metric]
    assert type(formula.subs(SIZES)) is int


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rm", positions * n_f * n_i * n_k),
        ("bop", positions * n_f * (Mult(n_i * n_k, b_w, b_i) + Acc(n_i * n_k, b_w, b_i))),
        ("nabs", positions * n_f * n_i * n_k * (X_w + 1) * Acc(n_i * n_k, b_w, b_i)),
    ],
)
def test_a_one_dimensional_convolution(metric: str, expected: Any, build: Build) -> None:
    """Variant P1: the bias is added to every output value."""
    node = helper.make_node("Conv", ["x", "W", "b"], ["y"], "taps")
    report = nc.analyze(build([node], {"x": [1, 3, 13]}, ["y"], {"W": [7, 3, 5], "b": [7]}), quant="w4a9")
    formula = report["taps"].formula(metric)
    assert sympy.expand(named(formula.expr) - expected) == 0
    sizes = {"O": 9, "n_f": 7, "n_i": 3, "n_k": 5, "b_w": 4, "b_i": 9, "X_w": 3}
    assert formula.subs(sizes) == report["taps"].metrics[metric]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rm", n_n * n_i),
        ("bop", n_n * (Mult(n_i, b_w, b_i) + Acc(n_i, b_w, b_i))),
        ("nabs", n_n * n_i * (X_w + 1) * Acc(n_i, b_w, b_i)),
    ],
)
def test_a_dense_layer(metric: str, expected: Any, build: Build) -> None:
    """A Gemm with bias is the whole published layer, once for each of its n_s rows."""
    node = helper.make_node("Gemm", ["x", "W", "b"], ["y"], "head")
    report = nc.analyze(build([node], {"x": [7, 5]}, ["y"], {"W": [5, 11], "b": [11]}), quant="w4a9")
    formula = report["head"].formula(metric)
    assert sympy.expand(named(formula.expr) - n_s * expected) == 0
    sizes = {"n_s": 7, "n_i": 5, "n_n": 11, "b_w": 4, "b_i": 9, "X_w": 3}
    assert formula.subs(sizes) == report["head"].metrics[metric]


def test_the_logarithm_is_exact(build: Build) -> None:
    """ceil(log2(2**31 + 1)) is 32, where floating point and sympy's own ceiling of a logarithm say 31."""
    formula = cell(build, "RNN")["cell"].formula("bop")
    clog2 = next(each.func for each in formula.expr.atoms(sympy.Function))
    assert [clog2(sympy.Integer(n)) for n in (1, 2, 3, 2**31, 2**31 + 1)] == [0, 1, 2, 31, 32]
    one_weight = {**SIZES, "n_s": 1, "B": 1, "n_i": 2**31 + 1, "n_h": 1, "b_w": 1, "b_i": 1, "b_a": 1}
    terms = 2**31 + 1
    assert formula.subs(one_weight) == terms + (terms - 1) * (2 + 32) + 1 + 2 * 2
    # The same through sympy.
    assert formula.expr.subs({sympy.Symbol(k, positive=True, integer=True): v for k, v in one_weight.items()}) == (
        formula.subs(one_weight)
    )


def test_what_a_formula_shows(build: Build) -> None:
    formula = cell(build, "LSTM")["cell"].formula("rm")
    assert str(formula) == "RM = 4*B*n_h**2*n_s + 4*B*n_h*n_i*n_s + 3*B*n_h*n_s"
    assert formula.latex() == r"B n_{h} n_{s} \left(4 n_{h} + 4 n_{i} + 3\right)"
    assert formula.python() == "4*B*n_h**2*n_s + 4*B*n_h*n_i*n_s + 3*B*n_h*n_s"
    assert formula.subs(n_h=6, B=1).python() == "24*n_i*n_s + 162*n_s"  # type: ignore[union-attr]
    assert formula._repr_mimebundle_()["text/latex"] == f"${formula.latex()}$"


def test_a_row_without_a_closed_form_says_so(build: Build) -> None:
    report = nc.analyze(build([helper.make_node("Relu", ["x"], ["y"], "r")], {"x": [3]}, ["y"]))
    with pytest.raises(UsageError, match=r"^'r' \(Relu\) has no closed form in the catalogue \[E-FORMULA\]$"):
        report["r"].formula()
