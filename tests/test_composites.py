"""The equalisers of the literature as specifications: real multiplications as printed, in letters and in numbers.

Source of every formula: after Freire et al., arXiv 2103.08212, reconstructed.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import nncomplexity as nc
import pytest
import sympy
from nncomplexity.formulas import Formula

EXAMPLES = Path(__file__).parent.parent / "examples"
Run = Callable[..., Any]
Table = dict[str, Any]

# The layers of each example with letters for its sizes.
POSITIONS = "n_s - n_k + 1"
CONVOLUTION = {"kind": "conv1d", "length": "n_s", "channels": "n_i", "filters": "n_f", "kernel_size": "n_k"}
BOTH_WAYS = {"kind": "lstm", "hidden": "n_h", "bidirectional": True}
LETTERED: dict[str, list[Table]] = {
    "mlp": [
        {"kind": "dense", "name": "hidden_1", "inputs": "n_s*n_i", "units": "n_1"},
        {"kind": "dense", "name": "hidden_2", "inputs": "n_1", "units": "n_2"},
        {"kind": "dense", "name": "hidden_3", "inputs": "n_2", "units": "n_3"},
        {"kind": "dense", "name": "head", "inputs": "n_3", "units": "n_o"},
    ],
    "bilstm": [
        {**BOTH_WAYS, "steps": "n_s", "inputs": "n_i"},
        {"kind": "dense", "name": "head", "inputs": "2*n_s*n_h", "units": "n_o"},
    ],
    "esn": [
        {
            **{"kind": "esn", "steps": "n_s", "inputs": "n_i", "reservoir": "N_r", "density": "s_p"},
            "outputs": "n_o",
        },
    ],
    "cnn_mlp": [
        CONVOLUTION,
        {"kind": "dense", "name": "hidden_1", "inputs": f"({POSITIONS})*n_f", "units": "n_1"},
        {"kind": "dense", "name": "hidden_2", "inputs": "n_1", "units": "n_2"},
        {"kind": "dense", "name": "head", "inputs": "n_2", "units": "n_o"},
    ],
    "cnn_bilstm": [
        CONVOLUTION,
        {**BOTH_WAYS, "steps": POSITIONS, "inputs": "n_f"},
        {"kind": "dense", "name": "head", "inputs": f"2*({POSITIONS})*n_h", "units": "n_o"},
    ],
}
n_s, n_i, n_h, n_f, n_k, n_o, N_r, s_p, n_1, n_2, n_3 = sympy.symbols(
    "n_s n_i n_h n_f n_k n_o N_r s_p n_1 n_2 n_3", positive=True, integer=True
)
O = n_s - n_k + 1  # noqa: E741
PRINTED: dict[str, Any] = {
    "mlp": n_s * n_i * n_1 + n_1 * n_2 + n_2 * n_3 + n_3 * n_o,
    "bilstm": 2 * n_s * n_h * (4 * n_i + 4 * n_h + 3 + n_o),
    "esn": n_s * N_r * (n_i + N_r * s_p + 2 + n_o),
    "cnn_mlp": n_i * n_f * n_k * O + O * n_f * n_1 + n_1 * n_2 + n_2 * n_o,
    "cnn_bilstm": n_i * n_f * n_k * O + 2 * O * n_h * (4 * n_f + 4 * n_h + 3 + n_o),
}
WINDOW = {"n_s": 41, "n_i": 4}
TAPS = {**WINDOW, "n_k": 11}
SIZES: dict[str, dict[str, int | Fraction]] = {
    "mlp": {**WINDOW, "n_1": 150, "n_2": 130, "n_3": 100, "n_o": 2},
    "bilstm": {**WINDOW, "n_h": 100, "n_o": 2},
    "esn": {**WINDOW, "N_r": 100, "s_p": Fraction(1, 10), "n_o": 2},
    "cnn_mlp": {**TAPS, "n_f": 70, "n_1": 100, "n_2": 100, "n_o": 2},
    "cnn_bilstm": {**TAPS, "n_f": 35, "n_h": 35, "n_o": 62},
}
# The printed formulas at the sizes of the examples, worked out by hand, and the symbols an inference recovers.
NUMBERS = {
    "mlp": (41 * 4 * 150 + 150 * 130 + 130 * 100 + 100 * 2, 1),
    "bilstm": (2 * 41 * 100 * (4 * 4 + 4 * 100 + 3 + 2), 1),
    "esn": (41 * 100 * (4 + 10 + 2 + 2), 41),
    "cnn_mlp": (4 * 70 * 11 * 31 + 31 * 70 * 100 + 100 * 100 + 100 * 2, 1),
    "cnn_bilstm": (4 * 35 * 11 * 31 + 2 * 31 * 35 * (4 * 35 + 4 * 35 + 3 + 62), 31),
}
every_composite = pytest.mark.parametrize("name", LETTERED)


def path_of(name: str) -> str:
    return str(EXAMPLES / f"{name}.toml")


def number(printed: Any, sizes: dict[str, int | Fraction]) -> Any:
    """A formula at sizes, exact."""
    return printed.subs({symbol: sympy.Rational(sizes[symbol.name]) for symbol in printed.free_symbols})


def test_the_explornn_stack_costs_so_much_a_step_and_so_much_once() -> None:
    report = nc.analyze(EXAMPLES / "explornn.toml")
    steps = 32
    assert [entry.metrics["rm"] for entry in report.entries] == [1136 * steps, 2096 * steps, 2096 * steps, 16]
    assert report.totals.rm == 5328 * steps + 16


def test_every_specification_among_the_examples_is_here() -> None:
    specifications = {path.stem for path in EXAMPLES.glob("*.toml")} - {"explornn", "formats"}
    assert specifications == set(LETTERED) == set(PRINTED) == set(NUMBERS)


@every_composite
def test_the_letters_give_the_printed_formula(name: str) -> None:
    found = nc.analyze({"layer": LETTERED[name]}).totals.rm
    assert sympy.expand(Formula(found).expr - PRINTED[name]) == 0  # type: ignore[arg-type]


@every_composite
def test_the_example_costs_the_printed_number(name: str) -> None:
    printed, _ = NUMBERS[name]
    report = nc.analyze(path_of(name))
    assert report.totals.rm == printed == number(PRINTED[name], SIZES[name])
    assert not report.network.warnings
    assert None not in (report.totals.bop, report.totals.nabs)


@every_composite
def test_the_example_is_the_lettered_specification_at_its_sizes(name: str) -> None:
    """Every metric: the letters bound by --dim, a density in its place, give what the example costs."""
    tables = [{key: "1/10" if value == "s_p" else value for key, value in table.items()} for table in LETTERED[name]]
    sizes = {letter: size for letter, size in SIZES[name].items() if isinstance(size, int)}
    bound = nc.analyze({"quant": "w8a8", "layer": tables}, dims=sizes)
    assert dict(bound.totals) == dict(nc.analyze(path_of(name)).totals)
    assert [row.name for row in bound.network.rows] == [row.name for row in nc.analyze(path_of(name)).network.rows]


@every_composite
def test_per_recovered_symbol(name: str, run: Run) -> None:
    """`--per N` beside the totals of one inference: RM per recovered symbol."""
    total, symbols = NUMBERS[name]
    ran = run("report", path_of(name), "--per", str(symbols), "--metric", "rm", "-f", "csv")
    assert (ran.code, ran.err) == (0, "")
    *_, last = csv.DictReader(ran.out.splitlines())
    assert total % symbols == 0
    assert (last["layer"], last["RM"], last[f"RM/{symbols}"]) == ("total", str(total), str(total // symbols))


def test_the_report_itself_counts_one_inference(run: Run) -> None:
    plain, divided = (run("report", path_of("esn"), "-f", "json", *more).out for more in ((), ("--per", "41")))
    assert json.loads(plain)["totals"] == json.loads(divided)["totals"]


@every_composite
def test_the_head_of_an_example_says_where_it_is_from(name: str) -> None:
    text = (EXAMPLES / f"{name}.toml").read_text("utf-8")
    head = text.partition("quant")[0]
    symbols = NUMBERS[name][1]
    assert "arXiv 2103.08212" in head
    assert f"# Recovered symbols per inference: {symbols}" in head
    assert f"#     nncomplexity report examples/{name}.toml --per {symbols}\n" in head
    assert tomllib.loads(text)["quant"] == "w8a8"
