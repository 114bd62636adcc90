"""`nncomplexity sweep`: tables, JSON and CSV over ranges, and the point nearest to a cost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nncomplexity as nc
import pytest

Run = Callable[..., Any]
LSTM = ("sweep", "lstm", "-P", "steps=16", "-P", "inputs=4", "-P")
SPEC = """
[[layer]]
kind = "gru"
steps = 16
inputs = 4
hidden = "X"
bidirectional = true
[[layer]]
kind = "dense"
inputs = "2*X"
units = 2
steps = 16
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(SPEC)
    return "net.toml"


def test_a_table(run: Run) -> None:
    found = run(*LSTM, "hidden=8:16:8", "-Q", "w8a8", "-Q", "w:pot4,a8", "--metric", "rm,nabs")
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0].split() == ["steps", "inputs", "hidden", "quant", "RM", "NABS"]
    assert [line.split() for line in lines[2:]] == [
        ["16", "4", "8", "w8a8", "6,528", "963,456"],
        ["16", "4", "8", "w:pot4,a8", "6,528", "135,552"],
        ["16", "4", "16", "w8a8", "21,248", "3,304,448"],
        ["16", "4", "16", "w:pot4,a8", "21,248", "411,648"],
    ]


def test_json_and_csv_are_exact_and_equal(run: Run, spec: str) -> None:
    records = json.loads(run("sweep", spec, "-P", "X=8:128:8", "-Q", "w8a8", "-f", "json").out)
    assert [record["X"] for record in records] == list(range(8, 129, 8)), "TO is included"
    rows = list(csv.DictReader(io.StringIO(run("sweep", spec, "-P", "X=8:128:8", "-Q", "w8a8", "-f", "csv").out)))
    assert [{key: str(value) for key, value in record.items()} for record in records] == rows
    for record in records[:3]:
        totals = nc.analyze(spec, dims={"X": record["X"]}, quant="w8a8").totals
        assert all(record[key] == totals[key] for key in ("params", "rm", "mac", "flops", "bop", "nabs"))


def test_a_metric_without_a_value(run: Run) -> None:
    arguments = (*LSTM, "hidden=8:9", "--metric", "nabs")
    assert [record["nabs"] for record in json.loads(run(*arguments, "-f", "json").out)] == [None, None]
    assert run(*arguments).out.splitlines()[2].split()[-1] == "?"
    assert run(*arguments, "-f", "csv").out.splitlines()[1].endswith(",model,")


def test_the_point_nearest_to_a_cost(run: Run, spec: str) -> None:
    """Of each quantization one; hidden 40 costs 175,360 and 41 costs 183,680: 179,520 is halfway, the smaller wins."""

    def best(target: int) -> list[dict[str, Any]]:
        arguments = ("-P", "X=1:128", "-Q", "w8a8", "-Q", "w:pot4,a8", "--equal", f"rm={target}", "-f", "json")
        found: list[dict[str, Any]] = json.loads(run("sweep", spec, *arguments).out)
        return found

    assert [(r["X"], r["quant"], r["ratio"]) for r in best(179_520)] == [
        (40, "w8a8", "548/561"),
        (40, "w:pot4,a8", "548/561"),
    ]
    assert [r["X"] for r in best(179_521)] == [41, 41]
    found = run(*LSTM, "hidden=1:64", "-Q", "w8a8", "-Q", "w:pot4,a8", "--equal", "nabs=771072")
    rows = [line.split() for line in found.out.splitlines()[2:]]
    for row in rows:
        match = nc.equal(lambda h: nc.LSTM(steps=16, inputs=4, hidden=h), {"nabs": 771_072}, quant=row[3])
        assert (int(row[2]), row[-1]) == (match.size, f"{float(match.ratio):.6f}")
    assert len(rows) == 2


def test_several_ranges_solve_for_the_last(run: Run) -> None:
    arguments = ("sweep", "dense", "-P", "units=1:3", "-P", "inputs=1:99", "--equal", "rm=60", "-f", "json")
    found = json.loads(run(*arguments).out)
    assert [(record["units"], record["inputs"], record["ratio"]) for record in found] == [
        (1, 60, "1"),
        (2, 30, "1"),
        (3, 20, "1"),
    ]


def test_choices_of_a_kind(run: Run) -> None:
    arguments = ("-P", "hidden=8", "-P", "bidirectional=true", "--metric", "rm", "-f", "json")
    (record,) = json.loads(run("sweep", "gru", "-P", "steps=2", "-P", "inputs=3", *arguments).out)
    assert (record["bidirectional"], record["rm"]) == (True, 2 * 2 * 8 * (9 + 24 + 3))
    esn = ("-P", "steps=10", "-P", "inputs=4", "-P", "reservoir=100:200:100", "-P", "outputs=2", "-P", "density=0.1")
    assert json.loads(run("sweep", "esn", *esn, "-f", "json").out)[0]["rm"] == 18000


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["lstmm"], "'lstmm' is neither a layer kind nor a .toml or .json file; did you mean 'lstm'? [E-SWEEP-KIND]"),
        (["lstm", "-P", "hiden=1:3"], "-P: lstm has no 'hiden'; did you mean 'hidden'? [E-SWEEP-PARAMETER]"),
        (["lstm", "-P", "hidden"], "-P 'hidden' is not NAME=FROM:TO[:STEP] or NAME=VALUE [E-SWEEP-PARAMETER]"),
        (
            ["lstm", "-P", "hidden=3:1"],
            "-P 'hidden=3:1': expected FROM <= TO and STEP of at least 1 [E-SWEEP-PARAMETER]",
        ),
        (
            ["lstm", "-P", "hidden=1:9:0"],
            "-P 'hidden=1:9:0': expected FROM <= TO and STEP of at least 1 [E-SWEEP-PARAMETER]",
        ),
        (
            ["lstm", "-P", "hidden=1:x"],
            "-P 'hidden=1:x': FROM, TO and STEP are integers of at most 18 digits [E-SWEEP-PARAMETER]",
        ),
        (["lstm", "-P", "hidden=1:2", "-P", "hidden=3"], "-P: 'hidden' is given twice [E-SWEEP-PARAMETER]"),
        (
            ["lstm", "-P", "hidden=1:9999999"],
            "the parameters span 9999999 points, the limit is 1000000 [E-SWEEP-LIMIT]",
        ),
        (
            ["dense", "-P", "units=1:2"],
            "dense: inputs is missing; expected an integer of at least 1 or a name [E-SPEC-MISSING]",
        ),
        (["net.toml", "-P", "Y=1:2"], "-P: the spec names no size 'Y'; there are: X [E-SWEEP-PARAMETER]"),
        (["net.toml", "-P", "X=big"], "-P: 'X' is a size, expected integers [E-SWEEP-PARAMETER]"),
        (
            ["net.toml", "-P", "X=1:3", "--equal", "rm"],
            "--equal 'rm' is not METRIC=VALUE with a positive integer [E-SWEEP-EQUAL]",
        ),
        (
            ["net.toml", "-P", "X=1:3", "--equal", "nabs=9"],
            "nabs has no value for these formats; give -Q w8a8 [E-SWEEP-NULL]",
        ),
        (["net.toml", "-P", "X=1:3", "--metric", "rmm"], "metric 'rmm' is unknown; did you mean 'rm'? [E-METRIC]"),
        (
            ["net.toml", "-P", "X=1:3", "-f", "html"],
            "format 'html' is unknown; there are: table, json, csv [E-FORMAT-NAME]",
        ),
        (["net.toml", "-P", "X=1:3", "-Q", "w8b8"], "[E-QUANT]"),
    ],
)
def test_wrong_words(arguments: list[str], text: str, run: Run, spec: str) -> None:
    found = run("sweep", *arguments)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("nncomplexity: error: ") and found.err.endswith(f"{text}\n")


def test_an_open_size_is_a_formula(run: Run, spec: str) -> None:
    (record,) = json.loads(run("sweep", spec, "--metric", "rm", "-f", "json").out)
    assert record["rm"] == "96*X**2 + 544*X"
    assert run("sweep", spec, "--metric", "rm", "--convention", "exact").code == 2


@pytest.mark.parametrize("name", ["quant", "metrics", "convention", "factory", "ratio", "rm"])
def test_a_size_cannot_be_called_like_a_column(name: str, run: Run, spec: str) -> None:
    Path(spec).write_text(SPEC.replace("X", name))
    found = run("sweep", spec, "-P", f"{name}=1:3")
    assert found.code == 2 and found.err.endswith("[E-SWEEP-NAME]\n")


def test_a_file_for_the_output(run: Run, spec: str) -> None:
    found = run("sweep", spec, "-P", "X=8:9", "-f", "csv:out.csv", "-f", "table")
    assert (found.code, len(Path("out.csv").read_text().splitlines())) == (0, 3)
    assert run("sweep", spec, "-P", "X=8:9", "-f", "csv:nowhere/out.csv").code == 4
