"""`nncomplexity emit` and `verify --kernel`: what they write, say and refuse."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from nncomplexity.hw import directories

elaborates = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

SPEC = """
[[layer]]
kind = "gru"
steps = 7
inputs = 3
hidden = 2
weight = { bits = 5 }
input = { bits = 4 }
[[layer]]
kind = "dense"
inputs = 2
units = "N"
weight = { scheme = "pot", bits = 4 }
[[layer]]
kind = "qrnn_rnn"
steps = 2
inputs = 2
hidden = 3
depth = 1
outputs = 3
"""
EMIT = ("emit", "net.toml", "--dim", "N=3", "--vectors", "20")


@pytest.fixture(autouse=True)
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(SPEC)


def test_a_bundle_is_written_and_named(run: Any) -> None:
    ran = run(*EMIT, "--layer", "gru", "--out", "a", "--seed", "7")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "a: kernel of 'gru', style mac, schedule unrolled, 20 vectors of 20 steps; "
        "weights and inputs drawn from seed 7\n"
        "check it with: nncomplexity verify --kernel a\n"
    )
    again = run(*EMIT, "--layer", "g*", "--out", "b", "--seed", "7", "--style", "mac", "--random-weights")
    assert again.code == 0
    names = sorted(each.name for each in Path("a").iterdir())
    assert all((Path("a") / name).read_bytes() == (Path("b") / name).read_bytes() for name in names)
    assert names == sorted(each.name for each in Path("b").iterdir())


def test_style_and_formats_are_those_asked_for(run: Any) -> None:
    ran = run(*EMIT, "--layer", "dense", "--out", "a")
    assert ran.out.startswith(
        "a: kernel of 'dense', style shiftadd, schedule unrolled, 20 vectors; weights and inputs "
    )
    manifest = json.loads(Path("a/manifest.json").read_text())
    assert (manifest["style"], manifest["formats"]["weight"]) == ("shiftadd", "pot<4>")
    assert run(*EMIT, "--layer", "dense", "--out", "a", "--quant", "w6a5", "--style", "mac").code == 0
    manifest = json.loads(Path("a/manifest.json").read_text())
    assert (manifest["style"], manifest["formats"]["weight"], manifest["steps"]) == ("mac", "fixed<6,1>", 1)


@elaborates
def test_a_bundle_is_judged(run: Any) -> None:
    run(*EMIT, "--layer", "gru", "--out", "a")
    ran = run("verify", "--kernel", "a")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[2].split()[:5] == ["gru", "mac", "given", "20", "20"] and lines[2].count(" equal") == 2
    assert lines[-1].startswith("schedule unrolled; elaborated by pyosys ")
    text = Path("a/kernel.v").read_text()
    Path("a/kernel.v").write_text(text + "// read\n")
    ran = run("verify", "--kernel", "a")
    assert ran.code == 0
    assert "\nkernel.v: not as it was emitted; what it does was judged\n" in ran.out
    Path("a/kernel.v").write_text(text.replace("assign y = a + b;", "assign y = a - b;"))
    ran = run("verify", "--kernel", "a", "-f", "json")
    assert ran.code == 1
    (layer,) = (found := json.loads(ran.out))["layers"]
    assert (found["seed"], found["without_kernel"]) == (None, [])
    assert (layer["values_equal"], layer["counts_equal"], layer["changed"]) == (False, False, ["kernel.v"])
    assert layer["first_difference"].startswith("netlist and simulation, step 0: vector ")
    Path("a/kernel.v").write_text(text.replace("endmodule", "endmodul", 1))
    ran = run("verify", "--kernel", "a")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("nncomplexity: error: a: kernel.v: pyosys refuses the text: kernel.v:")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--layer", "gru"], 2, "the following arguments are required: --out [E-USAGE]"),
        (["--out", "a"], 2, "the following arguments are required: --layer [E-USAGE]"),
        (
            ["--layer", "gri", "--out", "a"],
            2,
            "--layer: no layer is called 'gri'; did you mean 'gru'? [E-LAYER-NAME]",
        ),
        (
            ["--layer", "*", "--out", "a"],
            2,
            "--layer '*' names 3 layers: 'gru', 'dense', 'qrnn_rnn'; a bundle holds one [E-LAYER-NAME]",
        ),
        (
            ["--layer", "gru", "--out", "a", "--schedule", "rolled"],
            2,
            "--schedule 'rolled' is unknown; choose unrolled [E-USAGE]",
        ),
        (
            ["--layer", "gru", "--out", "a", "--vectors", "0"],
            2,
            "--vectors 0 is out of range; choose 1 to 1000000 [E-USAGE]",
        ),
        (
            ["--layer", "gru", "--out", "a", "--style", "wide"],
            2,
            "net.toml: layer 'gru': there is no style 'wide'; choose mac, shiftadd, binary, shared, da "
            "[E-KERNEL-STYLE]",
        ),
        (
            ["--layer", "qrnn_rnn", "--out", "a"],
            2,
            "net.toml: layer 'qrnn_rnn': there is no kernel of qrnn_rnn [E-KERNEL-LAYER]",
        ),
        (
            ["--layer", "gru", "--out", "net.toml"],
            4,
            "net.toml: cannot be written: it is no directory [E-OUTPUT]",
        ),
        (
            ["--layer", "gru", "--out", "."],
            4,
            ".: cannot be written: it holds 'net.toml', which is of no bundle; name a new directory or empty this one "
            "[E-OUTPUT]",
        ),
        (
            ["--layer", "gru", "--out", "none/a"],
            4,
            "none/a: cannot be written: No such file or directory [E-OUTPUT]",
        ),
    ],
)
def test_refusals_of_emit(run: Any, arguments: list[str], code: int, line: str) -> None:
    ran = run(*EMIT, *arguments)
    assert (ran.code, ran.out, ran.err) == (code, "", f"nncomplexity: error: {line}\n")
    assert [each.name for each in Path().iterdir()] == ["net.toml"]


def test_a_full_disk_leaves_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directories.os, "fsync", full)
    ran = run(*EMIT, "--layer", "gru", "--out", "a")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "nncomplexity: error: a: cannot be written: No space left on device [E-OUTPUT]\n"
    assert [each.name for each in Path().iterdir()] == ["net.toml"]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ([], 2, "verify takes an input or --kernel DIR, one of them [E-USAGE]"),
        (["net.toml", "--kernel", "a"], 2, "verify takes an input or --kernel DIR, one of them [E-USAGE]"),
        (
            ["--kernel", "a", "--style", "mac"],
            2,
            "--style does not go with --kernel: the bundle says it; leave it out [E-USAGE]",
        ),
        (
            ["--kernel", "a", "--simulator", "verilater"],
            2,
            "there is no simulator 'verilater'; did you mean 'verilator'? [E-SIMULATOR-NAME]",
        ),
        (
            ["--kernel", "a", "--timeout", "nan"],
            2,
            "--timeout nan is out of range; choose seconds up to 86400 [E-USAGE]",
        ),
        (["--kernel", "a"], 3, "a: it is no directory; name one that emit wrote [E-BUNDLE-FILE]"),
        (["--kernel", "."], 3, ".: manifest.json: it is missing; emit the bundle again [E-BUNDLE-FILE]"),
    ],
)
def test_refusals_of_verify(run: Any, arguments: list[str], code: int, line: str) -> None:
    ran = run("verify", *arguments)
    assert (ran.code, ran.out, ran.err) == (code, "", f"nncomplexity: error: {line}\n")


def test_operators_that_are_no_layers_have_no_record(run: Any) -> None:
    model = Path(__file__).parent.parent / "examples" / "equaliser.onnx"
    ran = run("emit", str(model), "--layer", "act/*", "--quant", "w8a8", "--out", "a")
    assert (ran.code, ran.out) == (2, "") and not Path("a").exists()
    assert ran.err.endswith(
        "layer 'act/leaky_relu': an operator that is no layer has no record in a manifest; verify proves its kernel "
        "[E-KERNEL-LAYER]\n"
    )
