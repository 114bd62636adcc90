"""Closed forms of the catalogue, proved equal to the printed expressions by sympy.

Source of every expression: after arXiv 2206.12191, reconstructed, the spline layer after arXiv 2604.03345.
Acc(n, b, b') = b + b' + L(n) and Mult(n, b, b') = n*b*b' + (n - 1)*Acc(n, b, b'), with L(n) = ceil(log2 n). Additions
and shifts: every product of an n-term sum costs X_w*Acc(n), a lone product X (b + b'), with X_a = b_a - 1.
"""

from __future__ import annotations

from typing import Any

import pytest
import sympy
from nncomplexity.accounting import count
from nncomplexity.expressions import is_expression
from nncomplexity.formulas import Formula
from nncomplexity.layers import layer_class
from nncomplexity.metrics import BY_KEY

n_s, n_i, n_h, n_n, n_f, n_k, N_r, n_o, n_z, b_w, b_i, b_a, X_w, s_p, k, B = sympy.symbols(
    "n_s n_i n_h n_n n_f n_k N_r n_o n_z b_w b_i b_a X_w s_p k B", positive=True, integer=True
)
X_a = b_a - 1
ANY = {"inputs": 1, "hidden": 1}
METRICS = ("rm", "bop", "nabs")


def L(n: Any) -> Any:
    return sympy.Function("L")(n)


def Acc(n: Any, b: Any, c: Any) -> Any:
    return b + c + L(n)


def Mult(n: Any, b: Any, c: Any) -> Any:
    return n * b * c + (n - 1) * Acc(n, b, c)


def Dot(n: Any, b: Any, c: Any) -> Any:
    """Additions and shifts of an n-term sum of products by constants."""
    return (n * (X_w + 1) - 1) * Acc(n, b, c)


def closed(kind: str, metric: str, **fields: Any) -> Any:
    """The closed form of a kind, one sequence, the tool's clog2 written as L."""
    layer: Any = layer_class(kind)(**fields)
    size = count(layer.lettered()).total(BY_KEY[metric].weight)
    assert is_expression(size)
    form = Formula(size).expr.subs(B, 1)
    return form.replace(lambda e: e.func.__name__ == "clog2", lambda e: L(e.args[0]))


def same(found: Any, printed: Any) -> bool:
    return bool(sympy.expand(found - printed) == 0)


def recurrent(gates: int, hadamard: int, others: int) -> dict[str, Any]:
    """Per unit and step: so many gates, Hadamard products, and additions outside a sum of products."""
    a = Acc(n_h, b_w, b_a)
    dots = gates * (Dot(n_i, b_w, b_i) + Dot(n_h, b_w, b_a))
    return {
        "rm": n_s * n_h * (gates * (n_i + n_h) + hadamard),
        "bop": n_s * n_h * (gates * (Mult(n_i, b_w, b_i) + Mult(n_h, b_w, b_a)) + hadamard * b_a**2 + others * a),
        "nabs": n_s * n_h * (dots + others * a + hadamard * X_a * 2 * b_a),
    }


def reservoir(kept: Any, mult: Any, shifts: Any, others: int = 2, readout: Any = 0) -> dict[str, Any]:
    """An echo state network: products kept in a row, what they cost, additions outside a dot per unit and output."""
    a = Acc(N_r, b_w, b_a)
    bop = N_r * (Mult(n_i, b_w, b_i) + mult + 2 * b_w * b_a + others * a)
    nabs = N_r * (Dot(n_i, b_w, b_i) + shifts + 2 * X_w * (b_w + b_a) + others * a)
    return {
        "rm": n_s * N_r * (n_i + kept + 2 + n_o),
        "bop": n_s * (bop + n_o * (Mult(N_r, b_w, b_a) + readout * a)),
        "nabs": n_s * (nabs + n_o * (Dot(N_r, b_w, b_a) + readout * a)),
    }


MEAN_FIELD = (N_r * s_p, s_p * Mult(N_r, b_w, b_a), s_p * Dot(N_r, b_w, b_a))
ROWS = (n_z, Mult(n_z, b_w, b_a), Dot(n_z, b_w, b_a))
ECHO = {"inputs": 1, "reservoir": 2, "outputs": 1}
positions = n_s - n_k + 1
N = n_i * n_k
SEQUENCE = {"length": 9, "channels": 1, "filters": 1, "kernel_size": 1}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "dense",
        {"inputs": 1, "units": 1},
        {
            "rm": n_s * n_n * n_i,
            "bop": n_s * n_n * (Mult(n_i, b_w, b_i) + Acc(n_i, b_w, b_i)),
            "nabs": n_s * n_n * n_i * (X_w + 1) * Acc(n_i, b_w, b_i),
        },
    ),
    (
        "conv1d",
        SEQUENCE,
        {
            "rm": positions * n_f * n_i * n_k,
            "bop": positions * n_f * (Mult(N, b_w, b_i) + Acc(N, b_w, b_i)),
            "nabs": positions * n_f * N * (X_w + 1) * Acc(N, b_w, b_i),
        },
    ),
    (
        "conv1d",
        {**SEQUENCE, "bias": False},
        {
            "rm": positions * n_f * n_i * n_k,
            "bop": positions * n_f * Mult(N, b_w, b_i),
            "nabs": positions * n_f * (N * (X_w + 1) - 1) * Acc(N, b_w, b_i),
        },
    ),
    ("rnn", ANY, recurrent(1, 0, 2)),
    ("lstm", ANY, recurrent(4, 3, 9)),
    ("gru", ANY, recurrent(3, 3, 8)),
    ("nc_gru", ANY, recurrent(3, 3, 8)),
    ("lstm1997", ANY, recurrent(3, 2, 7)),
    ("esn", {**ECHO, "density": "0.5"}, reservoir(*MEAN_FIELD)),
    ("esn", {**ECHO, "nonzeros_per_row": 1}, reservoir(*ROWS)),
    (
        "esn",
        {**ECHO, "density": "0.5", "bias": True, "readout_bias": True},
        reservoir(*MEAN_FIELD, others=3, readout=1),
    ),
    (
        "kan",
        {"inputs": 1, "units": 1},
        {
            "rm": n_i * n_n * (k + 3),
            "bop": n_n * (n_i * (Mult(k + 1, b_w, b_i) + 2 * b_w * b_i) + (n_i - 1) * Acc(n_i, b_w, b_i)),
            "nabs": n_n * (n_i * (Dot(k + 1, b_w, b_i) + 2 * X_w * (b_w + b_i)) + (n_i - 1) * Acc(n_i, b_w, b_i)),
        },
    ),
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("kind", "fields", "printed"), CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)])
def test_the_closed_form_is_the_printed_one(kind: str, fields: Any, printed: Any, metric: str) -> None:
    assert same(closed(kind, metric, **fields), printed[metric])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_bidirectional_layer_is_two(kind: str, metric: str) -> None:
    assert same(closed(kind, metric, bidirectional=True, **ANY), 2 * closed(kind, metric, **ANY))


def test_an_lstm_has_one_gate_more_than_a_gru() -> None:
    assert same(closed("lstm", "rm", **ANY) - closed("gru", "rm", **ANY), n_s * n_h * (n_i + n_h))


def test_a_dense_layer_has_as_many_accumulations_as_products() -> None:
    form = closed("dense", "bop", inputs=1, units=1)
    assert same(form, n_s * n_n * n_i * (b_w * b_i + b_w + b_i + L(n_i)))


def test_bit_operations_do_not_see_the_adders_of_a_multiplication() -> None:
    for kind, fields, _ in CASES:
        assert X_w not in closed(kind, "bop", **fields).free_symbols


N_OF = n_i + n_h
STEPS: list[tuple[str, dict[str, Any], Any]] = [
    ("gatel0rd", {**ANY, "outputs": 1}, 2 * n_h * N_OF + 2 * n_o * N_OF + 2 * n_h + n_o),
    ("stpn", ANY, 4 * n_h * N_OF),
    ("stpn", {**ANY, "merged": False}, 5 * n_h * N_OF),
    ("sr_gru", {**ANY, "centroids": 1}, n_h * (3 * N_OF + 3) + 2 * k * n_h + k),
    ("sr_lstm", {**ANY, "centroids": 1, "peepholes": True}, n_h * (4 * N_OF + 6) + 2 * k * n_h + k),
    ("qrnn_lstm", {**ANY, "depth": 1, "outputs": 1}, N_OF + 3 * n_h + n_h * n_o),
    ("qrnn_gru", {**ANY, "depth": 1, "outputs": 1}, N_OF + 3 * n_h + n_h * n_o),
    ("qrnn_rnn", {**ANY, "depth": 1, "outputs": 1}, N_OF + n_h * n_o),
]


@pytest.mark.parametrize(("kind", "fields", "step"), STEPS, ids=[f"{case[0]}-{i}" for i, case in enumerate(STEPS)])
def test_real_multiplications_of_the_cells_of_the_literature(kind: str, fields: Any, step: Any) -> None:
    assert same(closed(kind, "rm", **fields), n_s * step)
