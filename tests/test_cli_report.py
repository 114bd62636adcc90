"""`nncomplexity report`: exit codes, error lines, options, files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from nncomplexity.cli import main as command
from nncomplexity.cli.requests import Request

Save = Callable[..., str]
Run = Callable[..., Any]


@pytest.fixture
def path(dense: onnx.ModelProto, save: Save) -> str:
    return save(dense)


@pytest.fixture
def odd(partly: onnx.ModelProto, save: Save) -> str:
    """A model with one node that cannot be counted."""
    return save(partly, "odd.onnx")


def totals(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)["totals"]
    return found


def test_a_report_is_on_stdout_and_notes_are_on_stderr(path: str, run: Run) -> None:
    ran = run("report", path)
    assert ran.code == 0
    assert ran.out.startswith("m.onnx | opset 17 | formats as in the file | convention paper\n\nlayer ")
    assert ran.err == f"note: {path}: 1 dim is free: batch; bind with --dim batch=16\n"
    assert run("report", path, "-q").err == run("report", path, "--dim", "batch=1").err == ""


USAGE = [
    ((), "the following arguments are required: COMMAND [E-USAGE]"),
    (("reprot", "x"), "there is no command 'reprot'; did you mean 'report'? [E-USAGE]"),
    (("report",), "the following arguments are required: INPUT [E-USAGE]"),
    (("report", "m", "--quan=w8a8"), "unknown option '--quan'; did you mean '--quant'? [E-USAGE]"),
    (("report", "m", "--zzz"), "unknown option '--zzz'; see --help [E-USAGE]"),
    (("report", "m", "--top", "0"), "argument --top: '0' is not a positive integer [E-USAGE]"),
    (("report", "m", "--timeout", "nan"), "argument --timeout: 'nan' is not a number of seconds above 0 [E-USAGE]"),
    (("report", "m", "-f", "tabel"), "format 'tabel' is unknown; did you mean 'table'? [E-FORMAT-NAME]"),
    (("report", "m", "-f", "json:"), "-f 'json:' names no file after the colon [E-FORMAT-FILE]"),
    (("report", "m", "--by", "ops"), "--by 'ops' is unknown; did you mean 'op'? [E-BY]"),
    (("report", "m", "--metric", "rm,bops"), "metric 'bops' is unknown; did you mean 'bop'? [E-METRIC]"),
    (("report", "m", "--columns", "nme"), "column 'nme' is unknown; did you mean 'name'? [E-COLUMNS]"),
    (
        ("report", "m", "--columns", "op", "--by", "op"),
        "--columns is for one row per layer, not for --by op [E-COLUMNS]",
    ),
    (("report", "m", "--convention", "x"), "convention 'x' is unknown; there are paper and exact [E-CONVENTION]"),
    (("report", "m", "--dim", "batch"), "--dim 'batch' is not NAME=VALUE [E-BIND-PAIR]"),
    (("report", "m", "--dim", "b=x"), "--dim: 'x' is not an integer of at most 19 digits [E-BIND-NUMBER]"),
    (("report", "m", "--dim", "b=1", "--dim", "b=2"), "--dim: 'b' is bound to 1 and to 2 [E-BIND-TWICE]"),
    (("report", "m", "--quant", "w99a8"), "'w99a8' asks for 99 bits; a width is an integer from 1 to 64 [E-BITS]"),
    (
        ("report", "m", "--input-bits", "65"),
        "'--input-bits 65' asks for 65 bits; a width is an integer from 1 to 64 [E-BITS]",
    ),
    (("report", "-", "-"), "standard input can be read once [E-STDIN-TWICE]"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=lambda value: " ".join(value)[:40])
def test_wrong_usage_is_one_line_and_exit_2(arguments: tuple[str, ...], message: str, run: Run) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", f"nncomplexity: error: {message}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dim", "bach=1"), "--dim: the model has no dim 'bach'; did you mean 'batch'? [E-BIND-DIM]"),
        (("--shape", "z=1x10"), "--shape: the model has no input 'z'; there are: x [E-BIND-INPUT]"),
        (("--shape", "x=1x11"), "--shape x=1x11: axis 1 is 10 in the file, found 11 [E-BIND-FIXED]"),
        (("--convention", "exact"), "the exact convention needs integers; bind with --dim: batch [E-EXACT-SYMBOL]"),
    ],
)
def test_an_option_that_does_not_fit_the_model_names_the_file(
    options: tuple[str, ...], message: str, path: str, run: Run
) -> None:
    ran = run("report", path, *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"nncomplexity: error: m.onnx: {message}\n"


def test_a_refused_input_is_exit_3(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_bytes(b"\xff" * 40)
    os.mkfifo(tmp_path / "pipe.onnx")
    facts = {
        "missing.onnx": "there is no such file [E-FILE-MISSING]",
        "empty.onnx": "the file is empty (0 bytes) [E-FILE-EMPTY]",
        "pipe.onnx": "this is a pipe, not a regular file; give `-` to read a model from standard input [E-FILE-KIND]",
        ".": "this is a directory, not an ONNX model; give the path of the .onnx file [E-FILE-KIND]",
    }
    monkeypatch.chdir(tmp_path)
    for name, fact in facts.items():
        for quiet in ((), ("-q",), ("--strict",)):
            ran = run("report", name, *quiet)
            assert (ran.code, ran.out, ran.err) == (3, "", f"nncomplexity: error: {name}: {fact}\n")
    assert run("report", "text.onnx").code == 3


def test_an_error_inside_the_graph_names_the_node(build: Any, save: Save, run: Run) -> None:
    node = onnx.helper.make_node("MatMul", ["x", "W"], ["y"], "bad\nname")
    ran = run("report", save(build([node], {"x": [2, 3]}, ["y"], {"W": [4, 5]})))
    assert ran.code == 3 and ran.out == ""
    assert re.fullmatch(r"nncomplexity: error: m\.onnx: node 'bad\\nname' \(MatMul\): .* \[E-[A-Z-]+\]\n", ran.err)
    assert len(ran.err) <= 301


def test_all_inputs_are_run_and_the_worst_code_counts(path: str, odd: str, run: Run) -> None:
    """The code is the first present of 70, 3, 5, 2, 4, 1, 0."""
    bound = ("--dim", "batch=1")
    assert run("report", path, odd, "--strict", "-q").code == 1
    assert run("report", path, f"{path}@w8a8", "-q").code == 0
    ran = run("report", "missing.onnx", path, f"{path}@wat", odd, "--strict", "-q", "-f", "csv")
    assert ran.code == 3 and "product,MatMul" in ran.out and "Mystery (uncounted)" in ran.out
    assert [line.rpartition(" ")[2] for line in ran.err.splitlines()] == [
        *("[E-FILE-MISSING]", "[E-QUANT]", "[E-STRICT-UNCOUNTED]")
    ]
    assert run("report", f"{path}@wat", path, "-q").code == 2
    unwritable = ("-f", "json:no/such/folder.json")
    assert run("report", odd, "--strict", *unwritable).code == 4
    assert run("report", "missing.onnx", path, *bound, *unwritable).code == 3


def test_a_fault_of_ours_is_one_line_and_exit_70(path: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Request, place: str) -> Any:
        if place == "boom":
            raise ZeroDivisionError
        return original(self, place)

    original = Request.reports
    monkeypatch.setattr(Request, "reports", broken)
    ran = run("report", "boom", path, "missing.onnx", "-q", "-f", "csv")
    assert ran.code == 70 and "product" in ran.out
    message = "boom: internal error (ZeroDivisionError); rerun with --debug [E-BUG]"
    assert ran.err.splitlines()[0] == f"nncomplexity: error: {message}"
    with pytest.raises(ZeroDivisionError):
        run("report", "boom", "--debug")


def test_an_interrupt_is_exit_130(path: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_parsed", interrupted)
    ran = run("report", path)
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_strict_names_what_is_uncounted_contradictory_or_null(
    path: str, odd: str, partly: onnx.ModelProto, save: Save, run: Run
) -> None:
    ran = run("report", odd, "--strict", "-q")
    reason = "is uncounted: no rule for operator Mystery of domain example.org [E-STRICT-UNCOUNTED]"
    assert ran.code == 1 and "product" in ran.out
    assert ran.err == f"nncomplexity: error: {odd}: node 'riddle' (Mystery): {reason}\n"
    ran = run("report", path, "--strict", "-q", "--metric", "rm,nabs")
    assert ran.code == 1
    assert ran.err == f"nncomplexity: error: {path}: nabs has no value in 2 rows [E-STRICT-NULL]\n"
    assert run("report", path, "--strict", "-q", "--metric", "rm,nabs", "--quant", "w8a8").code == 0
    del partly.graph.node[1]
    partly.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("h", 1, [2, 6]))
    wrong = save(partly, "wrong.onnx")
    fact = "'h' is declared as [2,6] and computed as [2,5] [E-STRICT-CONTRADICTION]"
    assert run("report", wrong, "--strict", "-q").err == f"nncomplexity: error: {wrong}: {fact}\n"


def test_dims_shapes_and_formats_bind(path: str, run: Run) -> None:
    def total(*options: str) -> Any:
        return totals(run("report", path, "-q", "-f", "json", *options).out)

    assert total()["rm"] == "50*batch"
    assert total("--dim", "batch=7")["rm"] == total("--shape", "x=7x10")["rm"] == 350
    assert total("--dim", "batch=1", "--quant", "w8a8")["bop"] == 4200
    assert total("--dim", "batch=1", "--quant", "w8a8", "--input-bits", "12")["bop"] == 5 * (10 * 96 + 10 * 24)
    assert total("--dim", "batch=1", "--quant", "w8a8", "--convention", "exact")["bop"] < 4200


def test_a_quantization_may_stand_behind_the_model(path: str, odd: str, run: Run) -> None:
    ran = run("report", f"{path}@w8a8", "--dim", "batch=1", "-f", "json", "-q")
    assert totals(ran.out)["bop"] == 4200
    assert json.loads(ran.out)["model"]["path"] == path
    os.rename(odd, f"{odd}@w8a8")
    assert json.loads(run("report", f"{odd}@w8a8", "-f", "json", "-q").out)["quantization"] == "model", (
        "a file comes first"
    )
    assert run("report", "no/such@w8a8").err == (
        "nncomplexity: error: no/such@w8a8: there is no such file [E-FILE-MISSING]\n"
    )


def test_several_quantizations_are_columns_with_ratios(path: str, run: Run) -> None:
    quants = ("--quant", "w8a8", "--quant", "w4a8")
    ran = run("report", path, "--dim", "batch=1", "-q", "--metric", "rm,bop", *quants)
    head, *_, total = ran.out.split("\ncoverage")[0].strip().splitlines()[2:]
    assert head.split() == ["layer", "op", "output", "RM", "BOP", "w8a8", "BOP", "w4a8", "relative"]
    assert total.split() == ["total", "50", "4,200", "2,400", "0.57"]


def test_the_dearest_rows(path: str, run: Run) -> None:
    out = run("report", path, "--top", "1", "--dim", "batch=1", "-f", "csv", "-q", "--metric", "params,flops").out
    rows = [line.split(",") for line in out.splitlines()]
    assert rows[1:] == [
        ["product", "MatMul", "1x5", "50", "95", "0"],
        ["(2 more rows)", "", "", "5", "10", "0"],
        ["total", "", "", "55", "105", "0"],
    ]


@pytest.mark.parametrize("by", ["layer", "op", "role", "dtype", "module"])
def test_rows_by(by: str, path: str, run: Run) -> None:
    ran = run("report", path, "--by", by, "-f", "csv", "-q", "--dim", "batch=1", "--quant", "w8a8", "--metric", "bop")
    first = {
        "layer": "product",
        "op": "MatMul",
        "role": "input",
        "dtype": "int8 x int8",
        "module": "(top)",
    }
    assert ran.code == 0 and ran.out.splitlines()[1].startswith(first[by])


def test_closed_forms(path: str, run: Run) -> None:
    out = run("report", path, "--symbolic", "--metric", "rm", "-q").out
    assert "\nproduct (MatMul):\n  RM = n_i*n_n*n_s\n\nletters: n_s steps, n_i inputs, n_n neurons\n" in out


def test_a_slow_report_is_given_up(path: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(self: Request, place: str) -> Any:
        while True:
            pass

    monkeypatch.setattr(Request, "reports", endless)
    ran = run("report", path, "--timeout", "0.05")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"nncomplexity: error: {path}: not done within 0.05 s, the limit of --timeout [E-TIMEOUT]\n"


def test_colour_is_asked_for_or_absent(odd: str, run: Run) -> None:
    assert "\x1b" not in run("report", odd, "-q").out
    assert "\x1b[33mriddle" in run("report", odd, "-q", "--color", "always").out
    assert "\x1b" not in run("report", odd, "-q", "--color", "never").out


def test_help_names_every_option(run: Run) -> None:
    ran = run("report", "--help")
    assert ran.code == 0 and ran.err == ""
    options = (
        "--by --metric --columns --top --per --si --symbolic --quant --input-bits --convention --dim --shape --value"
    )
    for option in [*options.split(), "--strict", "--format", "--color", "--quiet", "--timeout", "--debug"]:
        assert option in ran.out


def test_the_package_runs_as_a_module() -> None:
    found = subprocess.run([sys.executable, "-m", "nncomplexity", "--version"], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "") and re.fullmatch(
        r"nncomplexity \d+\.\d+\.\d+\S*\n", found.stdout
    )
