"""The formats of a report: golden files, and columns read back out of each of them.

NNCOMPLEXITY_UPDATE_GOLDEN=1 pytest tests/test_render.py rewrites the golden files; read their diff before committing.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from nncomplexity.render import FORMATS, View, render
from nncomplexity.version import VERSION
from onnx import TensorProto, helper, numpy_helper

Build = Callable[..., onnx.ModelProto]
GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"table": "txt", "json": "json", "csv": "csv", "markdown": "md"}
METRICS = ("params", "rm", "flops", "bop", "nabs")
HOSTILE = [
    *("a|b", "under_score", "<b>bold</b>", "=1+1", "+cmd", "@SUM(A1)", "-2", "line\nbreak", "line\n=break", "tab\tbed"),
    *("naïve–ünïcode", "\u202egnp.exe", "zero\u200bwidth", "001", "1e5", "![x](http://a.b)", "[t](javascript:0)"),
    *("`code`", 'quo"te', "com,ma", "\x1b[31mred", "www.example.org", " =x", "\x00nul"),
]


def named(report: nc.Report, path: str = "model.onnx") -> nc.Report:
    return replace(report, network=replace(report.network, path=path, digest=None))


@pytest.fixture
def loop() -> onnx.ModelProto:
    """A body of one MatMul of 2x3 by 3x3 that runs seven times, beside an If of unknown condition."""
    float_info, one = helper.make_tensor_value_info, TensorProto.FLOAT
    body = helper.make_graph(
        [helper.make_node("MatMul", ["s", "W"], ["t"], "product"), helper.make_node("Identity", ["c"], ["d"], "go")],
        "body",
        [float_info("i", TensorProto.INT64, []), float_info("c", TensorProto.BOOL, []), float_info("s", one, [2, 3])],
        [float_info("d", TensorProto.BOOL, []), float_info("t", one, [2, 3])],
    )
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(op, ["h"], ["z"], op.lower())], name, [], [float_info("z", one, None)]
        )
        for name, op in (("then", "Relu"), ("else", "Identity"))
    }
    graph = helper.make_graph(
        [
            helper.make_node("Loop", ["n", "", "x"], ["h"], "loop", body=body),
            helper.make_node("If", ["q"], ["y"], "either", **branches),
        ],
        "graph",
        [float_info("x", one, [2, 3]), float_info("q", TensorProto.BOOL, [])],
        [float_info("y", one, None)],
        [numpy_helper.from_array(np.array(7), "n"), helper.make_tensor("W", one, [3, 3], [0.0] * 9)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def cases(dense: onnx.ModelProto, partly: onnx.ModelProto, loop: onnx.ModelProto) -> dict[str, list[nc.Report]]:
    def of(model: onnx.ModelProto, *quants: str, path: str = "model.onnx", **dims: int) -> list[nc.Report]:
        return [named(nc.analyze(model, dims=dims, quant=quant), path) for quant in quants]

    return {
        "dense": of(dense, "w8a8", batch=3),
        "free": of(dense, "w8a8"),
        "float": of(dense, "model", batch=3),
        "uncounted": of(partly, "w8a8"),
        "control": of(loop, "w8a8"),
        "quants": of(dense, "w8a8", "w4a8", "w:pot4,a8", batch=3),
        "models": [*of(dense, "w8a8", batch=3), *of(partly, "w8a8", path="other.onnx")],
    }


NAMES = ("dense", "free", "float", "uncounted", "control", "quants", "models")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_a_report_looks_as_it_did(name: str, format: str, cases: dict[str, list[nc.Report]]) -> None:
    text = render(format, cases[name], View(metrics=METRICS)).replace(f'"{VERSION}"', '"VERSION"')
    file = GOLDEN / f"{name}.{SUFFIX[format]}"
    if os.environ.get("NNCOMPLEXITY_UPDATE_GOLDEN"):
        file.write_text(text, "utf-8", newline="")
    assert text == file.read_bytes().decode("utf-8")


def number(cell: str) -> int:
    return int(re.sub(r"[,>= *\\]", "", cell) or "0") if cell.strip() not in ("?", "") else 0


def table_rows(text: str) -> list[list[str]]:
    lines = text.splitlines()
    rule = next(line for line in lines if line.startswith("---"))
    spans = [match.span() for match in re.finditer("-+", rule)]
    start = lines.index(rule)
    rows = [line for line in lines[start - 1 : lines.index("", start)] if line != rule]
    return [[row[a:b].strip() for a, b in spans] for row in rows]


def markdown_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|:")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


READ = {
    "table": table_rows,
    "markdown": markdown_rows,
    "csv": lambda text: [list(row) for row in csv.reader(io.StringIO(text))],
}


@pytest.mark.parametrize("by", ["layer", "op", "role", "dtype", "module"])
@pytest.mark.parametrize("format", READ)
@pytest.mark.parametrize("name", ["dense", "uncounted", "control", "quants"])
def test_columns_read_back_sum_to_the_total(name: str, format: str, by: str, cases: dict[str, list[nc.Report]]) -> None:
    for top in (None, 1):
        text = render(format, cases[name], View(metrics=METRICS, by=by, top=top, ratios=False))
        head, *rows, total = READ[format](text)
        assert total[0].strip("*") == "total"
        first = head.index("Params" if "Params" in head else "Params w8a8")
        for column in range(first, len(head)):
            assert sum(number(row[column]) for row in rows) == number(total[column]), (head[column], text)
        assert number(total[first]) == cases[name][0].totals.params


def test_json_rows_sum_too(cases: dict[str, list[nc.Report]]) -> None:
    found = json.loads(render("json", cases["control"]))
    for key in METRICS:
        assert sum(row["metrics"][key] for row in found["layers"]) == found["totals"][key]


@pytest.fixture
def hostile(build: Build) -> nc.Report:
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"], name) for i, name in enumerate(HOSTILE)]
    return named(nc.analyze(build(nodes, {"v0": [2, 3]}, [f"v{len(nodes)}"]), quant="w8a8"), "m|<i>.onnx")


@pytest.mark.parametrize("format", FORMATS)
def test_names_of_the_file_stay_text(format: str, hostile: nc.Report) -> None:
    text = render(format, [hostile])
    assert all(character.isprintable() or character in "\r\n" for character in text)
    if format == "json":
        assert [row["name"] for row in json.loads(text)["layers"]] == HOSTILE
        return
    rows = READ[format](text)
    assert len(rows) == len(HOSTILE) + 2 and {len(row) for row in rows} == {len(rows[0])}
    shown = [row[0] for row in rows]
    assert "001" in shown and "1e5" in shown, "digits are not read as numbers"


def test_a_spreadsheet_runs_nothing(hostile: nc.Report) -> None:
    cells = [row[0] for row in csv.reader(io.StringIO(render("csv", [hostile])))]
    assert not any(re.match(r"\s*[=+\-@]", cell) for cell in cells)
    assert {"'=1+1", "'+cmd", "'@SUM(A1)", "'-2", "' =x", 'quo"te', "com,ma", "line\\nbreak"} <= set(cells)


def test_markdown_syntax_is_dead(hostile: nc.Report) -> None:
    shown = [row[0] for row in markdown_rows(render("markdown", [hostile]))]
    assert {
        r"a\|b",
        r"under\_score",
        r"\<b\>bold\</b\>",
        r"\!\[x\](http\://a.b)",
        r"\`code\`",
        r"www\.example.org",
    } <= set(shown)
    assert render("markdown", [hostile]).startswith("### m\\|\\<i\\>.onnx\n")


@pytest.mark.parametrize("length", [10, 60, 4000])
def test_a_table_is_about_a_screen_wide(length: int, build: Build) -> None:
    """Long paths are shortened in the middle, long formulas are listed below under a number."""
    dims = [f"a{'b' * length}", "rows"]
    model = build(
        [helper.make_node("MatMul", ["x", "W"], ["y"], "n" * length)], {"x": [*dims, 3]}, ["y"], {"W": [3, 5]}
    )
    text = render("table", [nc.analyze(model, quant="w8a8")])
    assert max(len(row) for row in text.split("coverage")[0].splitlines()[2:5]) <= 125
    assert ("…" in text) == (length > 10)


def test_a_plain_terminal_gets_ascii(hostile: nc.Report) -> None:
    text = render("table", [hostile], View(ascii=True))
    assert text.isascii() and r"na\xefve\u2013\xfcn\xefcode" in text


def test_divided_columns_are_exact_fractions_rounded(cases: dict[str, list[nc.Report]]) -> None:
    view = View(metrics=("rm", "bop"), per="7")
    assert table_rows(render("table", cases["dense"], view))[0][3:] == ["RM", "BOP", "RM/7", "BOP/7"]
    assert table_rows(render("table", cases["dense"], view))[-1] == ["total", "", "", "150", "12,600", "21.43", "1,800"]
    assert READ["csv"](render("csv", cases["dense"], view))[-1] == [
        "total",
        "",
        "",
        "150",
        "12600",
        "21.428571",
        "1800",
        "0",
    ]
    per_dim = render("csv", cases["dense"], View(metrics=("bop",), per="batch"))
    assert READ["csv"](per_dim)[-1] == ["total", "", "", "12600", "4200", "0"]
    assert READ["csv"](render("csv", cases["free"], View(metrics=("bop",), per="2")))[-1][4] == "2100*batch"


def test_other_text_columns(cases: dict[str, list[nc.Report]]) -> None:
    rows = READ["csv"](
        render("csv", cases["dense"], View(metrics=("rm",), labels=("name", "kind", "formats", "input")))
    )
    assert rows[1] == [
        "product",
        "dense",
        "weight:fixed<8,1> input:fixed<8,1> accumulator:fixed<20,6>",
        "3x10",
        "150",
        "0",
    ]


def test_rounded_numbers(cases: dict[str, list[nc.Report]]) -> None:
    total = table_rows(render("table", cases["dense"], View(metrics=("rm", "bop"), si=True)))[-1]
    assert total == ["total", "", "", "150", "12.60 k"]


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"by": "layr"}, "--by 'layr' is unknown; did you mean 'layer'? [E-BY]"),
        ({"metrics": ("bops",)}, "metric 'bops' is unknown; did you mean 'bop'? [E-METRIC]"),
        ({"labels": ("layers",)}, "column 'layers' is unknown; did you mean 'layer'? [E-COLUMNS]"),
        ({"labels": ()}, "--columns names no column [E-COLUMNS]"),
    ],
)
def test_a_view_that_cannot_be_is_refused(view: dict[str, object], message: str) -> None:
    with pytest.raises(nc.UsageError, match=f"^{re.escape(message)}$"):
        View(**view)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("per", "message"),
    [
        ("0", "--per 0: nothing can be divided by 0 [E-PER]"),
        ("bach", "--per: the model has no dim 'bach'; did you mean 'batch'? [E-PER]"),
    ],
)
def test_what_cannot_divide_is_refused(per: str, message: str, cases: dict[str, list[nc.Report]]) -> None:
    with pytest.raises(nc.UsageError, match=f"^{re.escape(message)}$"):
        render("table", cases["dense"], View(per=per))


def test_rows_left_out_by_top_keep_what_is_not_known() -> None:
    student = Path(__file__).parent.parent / "examples" / "student.onnx"
    report = nc.analyze(student, dims={"batch": 1})
    (rest,) = [line for line in render("table", [report], View(top=1)).splitlines() if "more rows" in line]
    # The others hold float products too: their NABS is undefined, not zero.
    assert rest.split()[-1] == "?"
