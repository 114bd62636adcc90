"""`nncomplexity explain`: closed forms with their numbers, terms that sum to the metric, metrics in words."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from pathlib import Path
from typing import Any

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.errors import UsageError
from nncomplexity.explanation import definition, explain, matching, section
from nncomplexity.layers import LAYERS, layer_class
from nncomplexity.metrics import BY_KEY, METRICS, Metric
from nncomplexity.network import Status
from nncomplexity.peers import peers_of
from onnx import TensorProto, helper

Run = Callable[..., Any]
Save = Callable[..., str]
EQUALISER = str(Path(__file__).parent.parent / "examples" / "equaliser.onnx")
SPEC = """[[layer]]
kind = "lstm"
steps = 41
inputs = 4
hidden = 35
bidirectional = true
weight = { bits = 8 }
input = { bits = 8 }
"""
GOLDEN = """\
lstm (LSTM): Long short-term memory: three gates, a candidate and a cell state.
equation: i, f, o = sigmoid(W x + U h + b); g = tanh(W_g x + U_g h + b_g); c' = f*c + i*g; h' = o*tanh(c')
formats: weight fixed<8,1>, input fixed<8,1>, recurrent fixed<8,1>, activation fixed<8,1>, accumulator fixed<22,8>
    (from layer)

RM = 2*B*n_h*n_s*(4*n_h + 4*n_i + 3)
   = 2*1*35*41*(4*35 + 4*4 + 3)
   = 456,330 multiplications
  where: n_i = 4 (inputs), n_h = 35 (hidden), n_s = 41 (steps), B = 1 (batch)

role       operation    count  a  b  result       RM
---------  ---------  -------  -  -  ------  -------
input      multiply    45,920  8  8      18   45,920
recurrent  multiply   401,800  8  8      22  401,800
gate       multiply     8,610  8  8      16    8,610
---------  ---------  -------  -  -  ------  -------
sum                                          456,330

not in these metrics: 34,440 add (input), 390,320 add (recurrent), 11,480 add (join), 11,480 add (bias), 8,610 lookup
    sigmoid (activation), 5,740 lookup tanh (activation), 2,870 add (state)
counting: per step and unit 4 dot products of inputs and of hidden terms, 3 Hadamard products, 4 joins, 4 biases
    (ONNX's two bias vectors are folded to one) and the cell addition, all outside a dot in the recurrent accumulator.
    With peepholes 3 products and 3 additions more. `coupled` (input_forget=1) computes f as 1 - i. Gates, cell state
    and its tanh are as wide as the activation, unless `kept` gives the formats of i, f, g, o, c and tanh c.
    Activations are counted as evaluations only.
other tools on such an operator: onnxsim 0.8.1 and qonnx 1.0.0 count 0 (qonnx lists it as unsupported); onnx-tool
    1.0.1 has the matrices right, but adds the biases, 32 per sigmoid and 38 per tanh as MACs, and fails where B or an
    output is omitted; onnx-opcounter 0.0.4 counts 1 per output element
"""


def test_an_lstm_of_a_specification(run: Run, tmp_path: Path) -> None:
    """D n_s n_h (4 n_i + 4 n_h + 3) = 2*41*35*159 = 456330, after arXiv 2206.12191."""
    spec = tmp_path / "net.toml"
    spec.write_text(SPEC, "utf-8")
    found = run("explain", str(spec), "lstm", "--metric", "rm")
    assert (found.code, found.out, found.err) == (0, GOLDEN, "")


@pytest.mark.parametrize("convention", ["paper", "exact"])
@pytest.mark.parametrize("quant", ["model", "w8a8", "w:pot4,a8", "w8a8p24"])
def test_terms_sum_to_every_metric(quant: str, convention: str) -> None:
    report = nc.analyze(EQUALISER, quant=quant, convention=convention)
    for entry in report.entries:
        found = explain(report, entry, list(BY_KEY))
        assert {key: found.sum(key) for key in BY_KEY} == {key: entry.metrics[key] for key in BY_KEY}
        for metric in METRICS:
            alone = explain(report, entry, [metric.key])
            assert alone.sum(metric.key) == entry.metrics[metric.key]


def test_numbers_put_in_give_the_value_or_a_reason_is_given() -> None:
    paper = nc.analyze(EQUALISER, quant="w8a8")
    lstm = explain(paper, matching(paper, "lstm/lstm__2")[0]).metrics
    assert [closed.differs for closed in lstm] == ["", "", ""]
    assert lstm[0].inserted == "2*1*24*31*(4*24 + 4*32 + 3)"
    declared = nc.analyze(EQUALISER, quant="w8a8p24")
    narrow = explain(declared, matching(declared, "lstm/lstm__2")[0]).metrics
    wide = "a declared accumulator, or formats that share a letter, set other widths than the closed form"
    assert [closed.differs for closed in narrow] == ["", wide, wide]
    exact = nc.analyze(nc.LSTM(steps=31, inputs=4, hidden=24), quant="w8a8", convention="exact")
    own = "the closed form is that of the paper; exact reads known weights and gives every addition its own width"
    assert [closed.differs for closed in explain(exact, exact["lstm"]).metrics] == ["", own, own]
    # A file's weights are known: products by zeros and powers of two are none in `exact`.
    known = nc.analyze(EQUALISER, quant="w8a8", convention="exact")
    other = [closed.differs.partition(";")[0] for closed in explain(known, known["lstm"]).metrics]
    assert other == [own.partition(";")[0]] * 3
    float_ = nc.analyze(EQUALISER)
    none = "undefined while an operand is floating point; give formats with --quant w8a8"
    assert explain(float_, float_["lstm"]).metrics[2].differs == none


def test_a_letter_product_has_one_number() -> None:
    """A convolution of a file knows the terms of an output value: n_i*n_k."""
    report = nc.analyze(EQUALISER, quant="w8a8")
    closed = explain(report, report["conv"], ["rm"]).metrics[0]
    assert [(each.name, each.field) for each in closed.letters] == [
        ("n_i*n_k", "terms"),
        ("n_f", "filters"),
        ("O", "positions"),
    ]
    assert (closed.inserted, closed.differs) == ("", "")


def test_globs_and_modules_find_rows(run: Run) -> None:
    report = nc.analyze(EQUALISER)
    assert [entry.row.path for entry in matching(report, "*/lstm_*")] == ["lstm/lstm__2", "lstm/lstm__0"]
    assert [entry.row.path for entry in matching(report, "lstm")] == ["lstm/lstm__2"]
    found = run("explain", EQUALISER, "head/*", "--metric", "params")
    assert [line for line in found.out.splitlines() if line.startswith("Params")] == [
        "Params = 96 numbers",
        "Params = 2 numbers",
    ]


def test_a_free_row_says_why(run: Run) -> None:
    found = run("explain", EQUALISER, "permute", "--metric", "rm,nabs")
    lines = ["permute (Transpose)", "free: data movement", ""]
    assert found.out.splitlines() == [*lines, "RM = 0 multiplications", "NABS = 0 bit-level additions"]


def test_an_uncounted_row_says_why(run: Run, save: Save, partly: onnx.ModelProto) -> None:
    found = run("explain", save(partly), "riddle", "--metric", "rm")
    report = nc.analyze(partly)
    reason = next(entry.row.reason for entry in report.entries if entry.row.status is Status.UNCOUNTED)
    assert found.code == 0
    assert found.out.splitlines() == ["riddle (Mystery)", f"uncounted: {reason}", "", "RM = ? multiplications"]


def test_an_operator_outside_the_catalogue_has_terms_alone(run: Run) -> None:
    found = run("explain", EQUALISER, "act/leaky_relu", "--metric", "rm")
    assert "RM = 992 multiplications" in found.out.splitlines() and "equation" not in found.out


def test_free_sizes_stay_letters(run: Run, save: Save, dense: onnx.ModelProto) -> None:
    found = run("explain", save(dense), "product", "--metric", "rm")
    assert found.code == 0 and "   = 50*batch multiplications" in found.out.splitlines()
    bound = run("explain", "m.onnx", "product", "--metric", "rm", "--dim", "batch=3")
    assert "   = 150 multiplications" in bound.out.splitlines()


def test_a_branch_that_free_sizes_leave_open(run: Run, save: Save, build: Callable[..., onnx.ModelProto]) -> None:
    """Rows of a x 4 by 4 x 4 against b x 4 by 4 x 4: 16 a or 16 b products, charged to the If."""
    branches = {name: _branch(name) for name in ("then", "else")}
    node = helper.make_node("If", ["c"], ["y"], "choice", then_branch=branches["then"], else_branch=branches["else"])
    model = build([node], {"then_x": ["a", 4], "else_x": ["b", 4]}, ["y"], {"then_W": [4, 4], "else_W": [4, 4]})
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    report = nc.analyze(model)
    for entry in report.entries:
        found = explain(report, entry, list(BY_KEY))
        assert {key: found.sum(key) for key in BY_KEY} == {key: entry.metrics[key] for key in BY_KEY}
    out = run("explain", save(model), "choice", "--metric", "rm").out.splitlines()
    assert out[:3] == ["choice (If)", "", "RM = Max(16*a, 16*b) multiplications"]
    assert out[6].split() == ["branch", "the", "dearer", "one", "1", "Max(16*a,", "16*b)"]
    other = run("explain", "m.onnx", "choice/then*", "--metric", "rm").out.splitlines()
    assert "not charged: the row is in a branch of an If; the dearer branch alone is charged" in other
    assert "RM = 0 multiplications" in other


def _branch(name: str) -> onnx.GraphProto:
    node = helper.make_node("MatMul", [f"{name}_x", f"{name}_W"], [f"{name}_y"], f"{name}_product")
    value = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
    return helper.make_graph([node], name, [], [value])


def test_an_unknown_layer_has_a_hint(run: Run) -> None:
    found = run("explain", EQUALISER, "act/leaky_rel")
    fact = "no row is called 'act/leaky_rel'; did you mean 'act/leaky_relu'?"
    assert (found.code, found.out) == (2, "")
    assert found.err.endswith(f"equaliser.onnx: {fact} [E-EXPLAIN-LAYER]\n")


def test_one_argument_is_a_metric(run: Run) -> None:
    lines = [
        "RM (rm): real multiplications: every scalar product of two real numbers; special functions excluded",
        "unit: multiplications",
        "total: the sum over rows",
        "definition:",
        "  Real multiplications.",
        "  1 for every scalar product that is computed; shifts and skipped products are not.",
    ]
    assert run("explain", "rm").out.splitlines() == lines
    found = run("explain", "nab")
    fact = "'nab' is no metric; give INPUT and LAYER, or a metric: did you mean 'nabs'?"
    assert (found.code, found.out, found.err) == (2, "", f"nncomplexity: error: {fact} [E-EXPLAIN]\n")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_every_metric_has_a_definition(metric: Metric) -> None:
    assert definition(metric).strip()


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_states_equation_and_counting(kind: str) -> None:
    text = getdoc(layer_class(kind)) or ""
    assert section(text, "Equation") and section(text, "Counting") and section(text, "Nothing") == ""


def test_an_unknown_metric_is_refused() -> None:
    report = nc.analyze(EQUALISER)
    with pytest.raises(UsageError, match=r"metric 'rmm' is unknown; did you mean 'rm'\? \[E-METRIC\]"):
        explain(report, report["lstm"], ["rmm"])


def test_peers_are_of_the_standard_operators() -> None:
    """com.microsoft's Attention is another operator than the standard's."""
    assert peers_of("Attention", "ai.onnx") and not peers_of("Attention", "com.microsoft")
    assert peers_of("Relu", "ai.onnx") == ()
