"""`nncomplexity verify`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from nncomplexity.cli.main import main
from nncomplexity.hw import elaborations
from nncomplexity.hw.elaborate import Design, elaborate

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

SPEC = """
[[layer]]
kind = "lstm"
steps = 41
inputs = 4
hidden = 2
weight = { bits = 8 }
input = { bits = 8 }
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
weight = { bits = 4 }
"""
ARGUMENTS = ("--dim", "N=2", "--vectors", "40")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(SPEC)
    return "net.toml"


def test_table(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", spec, *ARGUMENTS, "--seed", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = ["layer", "style", "weights", "vectors", "steps", "Cycles", "operations", "values", "counts"]
    assert lines[0].split() == [*heads, "saturated", "deviation", "bound"]
    # 2 gates of 2 sums of 4+2 products and so on: 60 products, 16 gate joins and biases, 10 tables …
    assert lines[2].split()[:5] == ["lstm", "mac", "drawn", "40", "20"] and lines[2].split()[7:9] == ["equal", "equal"]
    # 6 products, 4 additions, 2 biases.
    assert lines[3].split() == ["dense", "mac", "drawn", "40", "1", "1", "12", "equal", "equal", "-", "0", "0"]
    assert lines[5] == "qrnn_rnn: not proved: there is no kernel of qrnn_rnn"
    assert lines[6].startswith("lstm: ")
    assert lines[6].partition(" ")[2].partition(" ")[2].startswith("operators are parts of activation functions")
    assert lines[7].startswith("weights and inputs drawn from seed 7; schedule unrolled; elaborated by pyosys ")


def test_json_names_what_was_compared(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", spec, *ARGUMENTS, "--layer", "den*", "--style", "shiftadd", "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (layer,) = found["layers"]
    assert found["without_kernel"] == [] and found["seed"] == 0
    operations, adders = layer.pop("operations"), layer["adders"]
    assert layer.pop("simulator").startswith("pyosys ") and operations >= adders > 0
    assert layer.pop("reference").startswith("onnx ")
    said = {
        "name": "dense",
        "style": "shiftadd",
        "schedule": "unrolled",
        "vectors": 40,
        "steps": 1,
        "values_equal": True,
        "counts_equal": True,
        "first_difference": "",
        "cycles": 1,
        "counted_by": "exact convention, shiftadd",
        "adders": adders,
        "adders_alone": None,
        "inner_operations": 0,
        "changed": [],
        "idealised": [],
        "weights": "drawn",
        "rounding": "TRN",
        "overflow": "WRAP",
        "saturated": None,
        "deviation": 0.0,
        "bound": 0.0,
        "within": True,
    }
    assert {key: layer[key] for key in said} == said


def test_schedule(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", spec, *ARGUMENTS, "--layer", "dense", "--schedule", "folded"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # 6 products; the multiplier, its adder, 2 biases.
    assert lines[2].split()[:9] == ["dense", "mac", "drawn", "40", "2", "6", "4", "equal", "equal"]
    assert "; schedule folded; elaborated by pyosys " in lines[-2]


def test_a_style_that_shares_names_what_it_is_compared_with(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", spec, *ARGUMENTS, "--layer", "dense", "--style", "shared"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "in style shiftadd" in line)
    assert line.startswith("dense: ") and line.endswith(" in style shiftadd; counts: exact convention, shared")


def test_a_difference_is_exit_1(spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(text: str, top: str) -> Design:
        return elaborate(text.replace("assign y = a + b;", "assign y = a - b;"), top)

    monkeypatch.setattr(elaborations, "elaborate", altered)
    assert main(["verify", spec, *ARGUMENTS, "--layer", "dense"]) == 1
    out = capsys.readouterr().out
    assert "DIFFERENT  DIFFERENT" in out
    assert "\ndense: netlist and simulation, step 0: vector " in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--layer", "lstn"], "--layer: no layer is called 'lstn'; did you mean 'lstm'? [E-LAYER-NAME]"),
        (
            ["--layer", "lstm", "--activation", "spline"],
            "{spec}: layer 'lstm': there is no form 'spline' of activation functions; choose piecewise or table "
            "[E-KERNEL-ACTIVATION]",
        ),
        (["--vectors", "0"], "--vectors 0 is out of range; choose 1 to 1000000 [E-USAGE]"),
        (
            ["--layer", "q*"],
            "{spec}: layer 'qrnn_rnn': nothing to prove: there is no kernel of qrnn_rnn [E-KERNEL-LAYER]",
        ),
        (
            ["--layer", "dense", "--quant", "fp32"],
            "{spec}: layer 'dense': weight is float32, a kernel needs fixed point; give formats with quant='w8a8' "
            "[E-KERNEL-FORMAT]",
        ),
        (
            ["--layer", "dense", "--schedule", "folded", "--style", "binary"],
            "{spec}: layer 'dense': a folded kernel has one real multiplier, so no style 'binary'; choose mac, or "
            "schedule unrolled [E-KERNEL-STYLE]",
        ),
        (
            ["--layer", "dense", "--quant", "w4a4p12"],
            "{spec}: layer 'dense': nothing to prove: its accumulators have 12 bits; kernels have those that sums need "
            "[E-KERNEL-LAYER]",
        ),
    ],
)
def test_errors(spec: str, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str) -> None:
    assert main(["verify", spec, "--dim", "N=2", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"nncomplexity: error: {line.format(spec=spec)}\n"


def test_a_file_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "model.onnx"]) == 3
    assert capsys.readouterr().err.startswith("nncomplexity: error: model.onnx: ")
