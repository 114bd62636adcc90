"""`nncomplexity formula` and `nncomplexity layers`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import sympy
from nncomplexity.accounting import count
from nncomplexity.errors import SpecError
from nncomplexity.expressions import Expression, clog2
from nncomplexity.formats import Fixed
from nncomplexity.formulas import kind_form
from nncomplexity.hw import KERNELS
from nncomplexity.kinds import fields_of, open_layer, required
from nncomplexity.layers import LAYERS, layer_class
from nncomplexity.metrics import BY_KEY

Ran = Any
Run = Callable[..., Ran]


def test_the_closed_form_of_an_lstm(run: Run) -> None:
    """n_s n_h (4 n_i + 4 n_h + 3), after arXiv 2206.12191, and its letters; a specification has one sequence."""
    found = run("formula", "lstm", "--metric", "rm")
    lines = ["RM = n_h*n_s*(4*n_h + 4*n_i + 3)", "", "n_s  steps", "n_i  inputs", "n_h  hidden units"]
    assert (found.code, found.out.splitlines(), found.err) == (0, lines, "")


def test_latex_and_python(run: Run) -> None:
    latex = run("formula", "gru", "--metric", "rm", "-f", "latex").out
    assert latex == r"\mathrm{RM} = 3 n_{h} n_{s} \left(n_{h} + n_{i} + 1\right)" + "\n"
    python = run("formula", "dense", "--metric", "rm,bop", "-f", "python").out.splitlines()
    assert python[0] == "rm = n_i*n_n*n_s" and python[1].startswith("bop = ") and len(python) == 2


def test_a_formula_in_python_is_the_number() -> None:
    """BOP of a dense layer of 10 inputs and 5 units in 8 bits is 4200 (oracle table)."""
    formula = kind_form("dense", BY_KEY["bop"])
    assert formula.subs(n_i=10, n_n=5, n_s=1, b_w=8, b_i=8) == 4200
    assert formula.python().count("clog2(n_i)") == 1 and clog2(10) == 4


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_has_formulas_and_a_glossary(kind: str, run: Run) -> None:
    found = run("formula", kind)
    assert found.code == 0, found.err
    form, _, letters = found.out.partition("\n\n")
    used = set(re.findall(r"[A-Za-z_]+\w*", re.sub(r"^\w+ = ", "", form, flags=re.MULTILINE))) - {"clog2", "Max", "Min"}
    explained = {line.split()[0] for line in letters.splitlines()}
    plain = {name.lower() for name in (*fields_of(kind), "b_w")}
    assert {word for word in used - explained if word not in plain and word != "floor"} == set()


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "dense", "conv1d"])
def test_formulas_at_sizes_are_counts_at_sizes(kind: str) -> None:
    numbers = {
        name: 3 + 2 * index for index, name in enumerate(n for n, f in fields_of(kind).items() if required(kind, f))
    }
    numbers |= {"length": 29} if kind == "conv1d" else {}
    eight = {
        name: Fixed(bits=8, integer=1)
        for name in fields_of(kind)
        if name in ("weight", "input", "recurrent", "activation")
    }
    layer = layer_class(kind)(**numbers, **eight)  # type: ignore[arg-type]
    letters = {layer.letters[name]: value for name, value in numbers.items()} | {
        "n_s": numbers.get("steps", numbers.get("length", 1))
    }
    for key in ("rm", "mac", "bop", "nabs", "add", "act"):
        formula = kind_form(kind, BY_KEY[key])
        found = formula.subs({**letters, "b_w": 8, "b_i": 8, "b_a": 8, "X_w": 7, "X_i": 7, "X_a": 7})
        assert found == count(layer).total(BY_KEY[key].weight)


def test_the_expression_is_sympy() -> None:
    n_s, n_i, n_h = sympy.symbols("n_s n_i n_h", positive=True, integer=True)
    expected = n_s * n_h * (n_i + n_h)
    assert sympy.expand(kind_form("rnn", BY_KEY["rm"]).expr - expected) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["lstmm"], "layer kind 'lstmm' is unknown; did you mean 'lstm'? [E-SPEC-KIND]"),
        (["lstm", "--metric", "rmm"], "metric 'rmm' is unknown; did you mean 'rm'? [E-METRIC]"),
        (
            ["lstm", "--metric", "params"],
            "params is no count of operations; ask for one of operations, such as rm [E-FORMULA]",
        ),
        (["lstm", "-f", "latx"], "format 'latx' is unknown; did you mean 'latex'? [E-FORMAT-NAME]"),
    ],
)
def test_wrong_words(arguments: list[str], text: str, run: Run) -> None:
    found = run("formula", *arguments)
    assert (found.code, found.out, found.err) == (2, "", f"nncomplexity: error: {text}\n")


def test_the_list_of_layers(run: Run) -> None:
    found = run("layers")
    assert found.code == 0 and max(map(len, found.out.splitlines())) <= 120
    for kind, place in LAYERS.items():
        assert re.search(rf"^{kind} +{place.rpartition(':')[2]}: \w", found.out, re.MULTILINE), kind
    assert "steps, inputs, hidden, bidirectional=false, bias=true, peepholes=false" in found.out
    said = re.sub(r"\n  ", " ", found.out[found.out.index("\nwith a kernel: ") :])
    listed = [line.partition(": ")[2].split(", ") for line in said.split("\n") if line]
    assert len(listed) == 2 and sorted(listed[0] + listed[1]) == sorted(LAYERS)
    assert set(listed[0]) == set(KERNELS)


def test_the_list_of_layers_as_json(run: Run) -> None:
    listed = {each["kind"]: each for each in json.loads(run("layers", "-f", "json").out)["layers"]}
    assert list(listed) == list(LAYERS)
    fields = {each["name"]: each for each in listed["gru"]["fields"]}
    assert fields["hidden"] == {"name": "hidden", "required": True}
    assert fields["bias"] == {"name": "bias", "required": False, "default": True}
    assert (listed["gru"]["class"], listed["gru"]["letters"]["hidden"]) == ("GRU", "n_h")
    assert run("layers", "-f", "yaml").code == 2


def test_open_layers_are_open() -> None:
    for kind in LAYERS:
        layer = open_layer(kind)
        sizes = [name for name in layer.spec if isinstance(getattr(layer, name), Expression)]
        assert sizes, kind
    with pytest.raises(SpecError):
        open_layer("nothing")
