"""Bundles: what is written, that it is the same again, that it comes back, and what is said of one that was edited."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.catalogue import Network
from nncomplexity.errors import ModelError, OutputError
from nncomplexity.hw import directories, emit_bundle, verify_bundle
from nncomplexity.hw.bundle_files import read_bundle
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.hw.layer_record import recorded, restored
from nncomplexity.hw.preparation import prepared
from nncomplexity.quantization import parse_quantization

judges = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

LAYERS: dict[str, tuple[Any, str, str | None]] = {
    "dense": (nc.Dense(inputs=5, units=3), "w5a4", "mac"),
    "dense of powers of two": (nc.Dense(inputs=7, units=2, bias=False), "w:pot4,a6", None),
    "conv1d": (nc.Conv1D(length=9, channels=2, filters=3, kernel_size=3), "w4a5", "shiftadd"),
    "conv2d": (nc.Conv2D(height=5, width=4, channels=2, filters=3, kernel_size=(3, 2)), "w3a3", "mac"),
    "rnn": (nc.RNN(steps=4, inputs=2, hidden=3), "w5a5", "shiftadd"),
    "gru": (nc.GRU(steps=4, inputs=3, hidden=2), "w:apot6x2,a5", None),
    "lstm": (nc.LSTM(steps=4, inputs=2, hidden=2, peepholes=True), "w5a6", "mac"),
    "lstm1997": (nc.LSTM1997(steps=4, inputs=2, hidden=2), "w:fixed<6,3>,a:fixed<5,2>", "shiftadd"),
}
VECTORS = 30


def emitted(place: Path, name: str, **options: Any) -> Path:
    layer, quant, style = LAYERS[name]
    settings = {"vectors": VECTORS, "activation": "table", **options}
    return emit_bundle(layer, place, quant=quant, style=style, **settings)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return emitted(tmp_path / "bundle", "lstm")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return emitted(tmp_path / "small", "dense")


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_files_and_manifest(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    files = contents(bundle)
    tables = [f"table_{number}.hex" for number in range(3)]
    assert sorted(files) == ["kernel.v", "manifest.json", *tables, "tb.v", "w.hex", "x.hex", "y.hex"]
    assert manifest["files"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "manifest.json"
    }
    assert manifest["schema"] == "nncomplexity.bundle/1"
    assert (manifest["kind"], manifest["style"], manifest["schedule"]) == ("lstm", "mac", "unrolled")
    assert (manifest["vectors"], manifest["steps"], manifest["seed"]) == (VECTORS, 20, 0)
    assert manifest["clock"] == {"clock": "clk", "edge": "rising", "reset": "rst", "active": 1}
    ports = {port["name"]: port for port in manifest["ports"]}
    # Two inputs, and two outputs of o tanh(c): 6 bits by 6 bits, -32 by -32 is the greatest product.
    assert ports["x0"] == {
        **{"name": "x0", "direction": "input", "file": "x.hex", "low": 0, "width": 12, "elements": 2, "bits": 6},
        **{"signed": True, "fraction": 5},
    }
    assert (ports["y0"]["elements"], ports["y0"]["bits"], ports["y0"]["fraction"]) == (2, 12, 10)
    # Gates and candidate look up what a sum is brought to, the cell its own 6 bits.
    found = [(each["function"], each["entries"]) for each in manifest["tables"]]
    assert found == [("sigmoid", 1024), ("tanh", 1024), ("tanh", 64)]
    # Per unit: 4 gates of 2 + 2 products, 3 peepholes, 3 Hadamard products.
    assert sum(row["count"] for row in manifest["declared"]["multiplications"]) == 2 * (4 * 4 + 3 + 3)
    assert sum(row["count"] * row["width"] for row in manifest["declared"]["registers"]) == 2 * 2 * 6


@pytest.mark.parametrize("name", ["dense", "gru"])
def test_equal_seeds_make_equal_bytes(tmp_path: Path, name: str) -> None:
    one, again, other = (emitted(tmp_path / place, name, seed=seed) for place, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert contents(one) == contents(again)
    assert contents(one)["x.hex"] != contents(other)["x.hex"]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back_from_its_record(name: str) -> None:
    layer, quant, _ = LAYERS[name]
    (part,) = Network([layer]).parts(parse_quantization(quant))
    assert restored(json.loads(json.dumps(recorded(part.layer)))) == part.layer


@pytest.mark.parametrize("name", LAYERS)
def test_the_numbers_come_back_from_their_files(tmp_path: Path, name: str) -> None:
    lying = read_bundle(emitted(tmp_path / "bundle", name, seed=3))
    layer, quant, style = LAYERS[name]
    (part,) = Network([layer]).parts(parse_quantization(quant))
    trial = prepared(part, style=style, activation="table", vectors=VECTORS, seed=3)
    assert lying.changed == ()
    for found, wanted in ((lying.trial.moving, trial.moving), (lying.trial.outputs, trial.outputs)):
        assert len(found) == len(wanted)
    assert all(
        np.array_equal(a, b) for p in trial.moving for a, b in zip(trial.moving[p], lying.trial.moving[p], strict=True)
    )
    assert all(np.array_equal(values, lying.trial.ports[port]) for port, values in trial.ports.items())
    word, low, graph = 0, 0, trial.kernel.graph
    for port, values in trial.outputs[-1].items():
        bits = graph.nodes[graph.outputs[port][0]].width
        for value in values[-1]:
            word, low = word | int(value) % (1 << bits) << low, low + bits
    assert lying.made[-1] == word


@judges
@pytest.mark.parametrize("name", LAYERS)
def test_a_bundle_as_it_was_emitted_is_equal(tmp_path: Path, name: str) -> None:
    verdict = verify_bundle(emitted(tmp_path / "bundle", name))
    assert verdict, verdict.first_difference
    assert (verdict.vectors, verdict.changed, verdict.first_difference) == (VECTORS, (), "")
    assert verdict.simulator == verdict.elaborator and verdict.simulator.startswith("pyosys ")


def edit(file: Path, old: str, new: str, count: int = 1) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, count))


@judges
def test_an_edited_kernel_that_does_the_same_is_equal(small: Path) -> None:
    text = (small / "kernel.v").read_text()
    (small / "kernel.v").write_text("// edited\n" + re.sub(r"\bn(\d+)\b", r"wire_of_\1", text))
    verdict = verify_bundle(small)
    assert verdict and verdict.changed == ("kernel.v",)


@judges
def test_vectors_edited_together_with_what_is_expected_are_equal(small: Path) -> None:
    for name in ("x.hex", "y.hex"):
        lines = (small / name).read_text().splitlines()
        lines[3], lines[8] = lines[8], lines[3]
        (small / name).write_text("// swapped\n\n" + "\n".join(lines))
    verdict = verify_bundle(small)
    assert verdict and verdict.changed == ("x.hex", "y.hex")


INSTANCE = re.compile(r"^  nc_(add|sub) #\(.*?\) \w+ \(\.a\((.*?)\), \.b\(.*?\), \.y\((\w+)\)\);$", re.MULTILINE)


def replaced(text: str, pattern: str, change: Callable[[re.Match[str]], str], rng: random.Random) -> str:
    found = rng.choice(list(re.finditer(pattern, text)))
    return text[: found.start()] + change(found) + text[found.end() :]


def swapped_sign(text: str, rng: random.Random) -> str:
    return replaced(text, r"(?<=assign y = )a [+-] b", lambda m: "a - b" if "+" in m[0] else "a + b", rng)


def dropped_adder(text: str, rng: random.Random) -> str:
    return replaced(text, f"(?m){INSTANCE.pattern}", lambda m: f"  assign {m[3]} = {m[2]};", rng)


def flipped_shift(text: str, rng: random.Random) -> str:
    return replaced(text, r"(?<=, )\d+(?='h0\})", lambda m: str(int(m[0]) + 1), rng)


def widened_operator(text: str, rng: random.Random) -> str:
    return replaced(
        text, r"\.Y\((\d+)\)(?=\) (?:input|recurrent|bias|gate|join)_)", lambda m: f".Y({int(m[1]) + 1})", rng
    )


def widened_wire(text: str, rng: random.Random) -> str:
    return replaced(text, r"wire signed \[(\d+):0\](?= n\d+;)", lambda m: f"wire signed [{int(m[1]) + 1}:0]", rng)


def changed_entry(text: str, rng: random.Random) -> str:
    return replaced(text, r"(?<=: y = )(\d+)'h(\w+)", lambda m: f"{m[1]}'h{int(m[2], 16) ^ 1:x}", rng)


def changed_constant(text: str, rng: random.Random) -> str:
    return replaced(text, r"(?<=\.a\()(\d+)'h(\w+)(?=\), \.y)", lambda m: f"{m[1]}'h{int(m[2], 16) ^ 1:x}", rng)


@judges
@pytest.mark.parametrize(
    "fault",
    [
        *(swapped_sign, dropped_adder, flipped_shift, widened_operator),
        *(widened_wire, changed_entry, changed_constant),
    ],
)
def test_a_fault_in_the_kernel_is_found(tmp_path: Path, fault: Callable[[str, random.Random], str]) -> None:
    folder = emitted(tmp_path / "bundle", "rnn")
    text = (folder / "kernel.v").read_text()
    for seed in range(2):
        (folder / "kernel.v").write_text(fault(text, random.Random(seed)))
        verdict = verify_bundle(folder)
        assert not verdict and verdict.first_difference, seed
        assert verdict.changed == ("kernel.v",)


@judges
@pytest.mark.parametrize(
    ("file", "old", "new", "difference"),
    [
        ("kernel.v", "output wire [32:0] y0", "output wire [33:0] y0", "netlist and text: output y0 of 33 and 34 bits"),
        ("y.hex", "\n", "\n", "netlist and y.hex: vector 1, step 0, element 0 of y0: "),
        ("x.hex", "\n", "\n", "netlist and y.hex: vector 1, step 0, element 0 of y0: "),
        (
            "manifest.json",
            '"subtraction": false,',
            '"subtraction": true,',
            "layer and manifest.json: declared.additions",
        ),
        ("manifest.json", '"fraction": 3', '"fraction": 2', "layer and manifest.json: ports[0].fraction: 3 and 2"),
        ("manifest.json", '"kind": "dense"', '"kind": "tense"', "layer and manifest.json: kind: dense and tense"),
    ],
)
def test_what_contradicts_itself_is_no_pass(small: Path, file: str, old: str, new: str, difference: str) -> None:
    if old == new:
        lines = (small / file).read_text().splitlines()
        lines[1] = f"{int(lines[1], 16) ^ 1:0{len(lines[1])}x}"
        (small / file).write_text("\n".join(lines))
    else:
        edit(small / file, old, new)
    verdict = verify_bundle(small)
    assert not verdict
    assert verdict.first_difference.startswith(difference)


@judges
def test_a_table_file_is_compared_entry_by_entry(bundle: Path) -> None:
    lines = (bundle / "table_1.hex").read_text().splitlines()
    lines[700] = f"{int(lines[700], 16) ^ 3:02x}"
    (bundle / "table_1.hex").write_text("\n".join(lines))
    verdict = verify_bundle(bundle)
    assert not verdict.values_equal and verdict.counts_equal
    assert verdict.first_difference.startswith("netlist and table_1.hex: entry 700: ")


@judges
def test_an_edited_layer_is_another_layer(small: Path) -> None:
    edit(small / "manifest.json", '"bias": true', '"bias": false')
    with pytest.raises(ModelError) as found:
        verify_bundle(small)
    assert str(found.value) == (
        f"{small}: w.hex: line 1 holds 86 bits, expected at most 75; emit the bundle again [E-BUNDLE-WORDS]"
    )


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def holding(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def saying(*keys: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        inner = manifest
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return change


def lines_of_x(change: Callable[[list[str]], list[str]]) -> Callable[[Path], object]:
    def edit(folder: Path) -> object:
        return (folder / "x.hex").write_text("\n".join(change((folder / "x.hex").read_text().splitlines())))

    return edit


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (without("manifest.json"), "manifest.json: it is missing; emit the bundle again [E-BUNDLE-FILE]"),
    "no kernel": (without("kernel.v"), "kernel.v: it is missing; emit the bundle again [E-BUNDLE-FILE]"),
    "no vectors": (without("x.hex"), "x.hex: it is missing; emit the bundle again [E-BUNDLE-FILE]"),
    "no text": (holding("y.hex", b"12\xff"), "y.hex: byte 2 is no UTF-8; emit the bundle again [E-BUNDLE-FILE]"),
    "no json": (
        holding("manifest.json", b'{"schema": '),
        "manifest.json: it is no JSON: Expecting value: line 1 column 12 (char 11); emit the bundle again "
        "[E-BUNDLE-FILE]",
    ),
    "deep json": (
        holding("manifest.json", b"[" * 100_000),
        "manifest.json: it is no JSON: maximum recursion depth exceeded while d",
    ),
    "no object": (
        holding("manifest.json", b"[1]"),
        "manifest.json: it is no JSON object; emit the bundle again [E-BUNDLE-FILE]",
    ),
    "schema": (
        saying("schema", value="nncomplexity.report/1"),
        "manifest.json: schema is nncomplexity.report/1, expected nncomplexity.bundle/1 [E-BUNDLE-MANIFEST]",
    ),
    "style": (
        saying("style", value="macc"),
        "manifest.json: style is macc; did you mean 'mac'? [E-BUNDLE-MANIFEST]",
    ),
    "schedule": (saying("schedule", value=[]), "manifest.json: schedule is []; there are: unrolled"),
    "vectors": (
        saying("vectors", value=True),
        "manifest.json: vectors is True, expected an integer from 1 to 1000000 [E-BUNDLE-MANIFEST]",
    ),
    "steps": (
        saying("steps", value=2),
        "manifest.json: steps is 2, expected 1 for a kernel without a state [E-BUNDLE-MANIFEST]",
    ),
    "fewer vectors": (
        saying("vectors", value=29),
        "x.hex: 30 words, expected 29; emit the bundle again [E-BUNDLE-WORDS]",
    ),
    "files": (
        saying("files", "../kernel.v", value="00"),
        "manifest.json: files names '../kernel.v', expected names of a bundle, each with a hash [E-BUNDLE-MANIFEST]",
    ),
    "files without vectors": (
        saying("files", value={"kernel.v": "00"}),
        "manifest.json: files does not name x.hex [E-BUNDLE-MANIFEST]",
    ),
    "class": (
        saying("layer", "type", value="Dence"),
        "layer.type is Dence, expected a known class; did you mean 'Dense'? [E-BUNDLE-LAYER]",
    ),
    "field": (
        saying("layer", "unit", value=3),
        "layer: a Dense has no field 'unit'; did you mean 'units'? [E-BUNDLE-LAYER]",
    ),
    "type of a field": (
        saying("layer", "units", value="three"),
        "layer.units is three, expected an integer [E-BUNDLE-LAYER]",
    ),
    "truth of a size": (
        saying("layer", "units", value=True),
        "layer.units is True, expected an integer [E-BUNDLE-LAYER]",
    ),
    "format": (
        saying("layer", "weight", "bits", value=None),
        "layer.weight.bits is None, expected an integer [E-BUNDLE-LAYER]",
    ),
    "wide format": (
        saying("layer", "weight", "bits", value=900),
        "layer: weight.bits is 900, expected an integer from 1 to 64 [E-BUNDLE-LAYER]",
    ),
    "far point": (
        saying("layer", "weight", "integer", value=10**9),
        "manifest.json: weight is fixed<5,1000000000>, its binary point is over 256 bits away [E-KERNEL-FORMAT]",
    ),
    "huge layer": (
        saying("layer", "units", value=10**9),
        "manifest.json: one execution is 10000000000 operations; a kernel is unrolled up to 200000 [E-KERNEL-LAYER]",
    ),
    "layer without a kernel": (
        saying("layer", "type", value="Fixed"),
        "layer: a Fixed has no field 'name'; there are: bits, ",
    ),
    "no digits": (
        lines_of_x(lambda lines: ["0xyz1", *lines[1:]]),
        "x.hex: line 1 is '0xyz1', expected hexadecimal digits; emit the bundle again [E-BUNDLE-WORDS]",
    ),
    "too wide": (
        lines_of_x(lambda lines: [lines[0], "1" + "0" * 5, *lines[2:]]),
        "x.hex: line 2 holds 21 bits, expected at most 20; emit the bundle again [E-BUNDLE-WORDS]",
    ),
    "too few": (
        lines_of_x(lambda lines: lines[:-2]),
        "x.hex: 28 words, expected 30; emit the bundle again [E-BUNDLE-WORDS]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_bundle_is_refused(small: Path, case: str) -> None:
    change, line = REFUSED[case]
    change(small)
    with pytest.raises(ModelError) as found:
        verify_bundle(small)
    assert found.value.exit_code == 3
    shown = str(found.value).removeprefix(f"{small}: ")
    assert shown == line or (not line.endswith("]") and shown.startswith(line))


def test_a_layer_of_valid_fields_that_is_none(bundle: Path) -> None:
    fixed = json.loads((bundle / "manifest.json").read_text())["layer"]["weight"]
    saying("layer", "kept", value=[fixed] * 5)(bundle)
    with pytest.raises(ModelError) as found:
        verify_bundle(bundle)
    assert str(found.value) == (
        f"{bundle}: manifest.json: no kernel can be made of its layer: not enough values to unpack (expected 6, got 5) "
        "[E-BUNDLE-MANIFEST]"
    )


BENCH = """\
`timescale 1ns / 1ps
module tb;
  localparam VECTORS = 30;
  localparam STEPS = 1;
  localparam LINES = VECTORS * STEPS;
  reg [19:0] x [0:LINES-1];
  reg [19:0] given;
  reg [89:0] w [0:1-1];
  reg [89:0] held;
  reg [32:0] y [0:LINES-1];
  reg [32:0] expected;
  reg [32:0] first_expected;
  reg [32:0] first_found;
  wire [32:0] found;
  integer line;
  integer errors;
  integer vectors;
  integer first;
  nc_kernel kernel (.x0(given[19:0]), .w0(held[74:0]), .w1(held[89:75]), .y0(found[32:0]));
  initial begin
    errors = 0;
    vectors = 0;
  end
  initial begin
    #1;
    $readmemh("x.hex", x, 0, LINES-1);
    $readmemh("y.hex", y, 0, LINES-1);
    $readmemh("w.hex", w, 0, 0);
    held = w[0];
    for (line = 0; line < LINES; line = line + 1) begin
      given = x[line];
      expected = y[line];
      #1;
      if ((given ^ given) === 0 && (expected ^ expected) === 0 && (held ^ held) === 0) vectors = vectors + 1;
      if (found !== expected) begin
        if (errors == 0) begin
          first = line;
          first_expected = expected;
          first_found = found;
        end
        errors = errors + 1;
      end
    end
    if (errors != 0) $display("DIFFERENCE line=%0d expected=%h found=%h", first, first_expected, first_found);
    $display("RESULT errors=%0d vectors=%0d", errors, vectors);
    if (errors != 0 || vectors != LINES) $fatal(1, "the kernel differs from y.hex, or a file is incomplete");
    $finish;
  end
endmodule
"""


def test_the_bench_of_a_dense_layer(small: Path, bundle: Path) -> None:
    assert (small / "tb.v").read_text() == BENCH
    clocked = (bundle / "tb.v").read_text()
    assert "if (line % STEPS == 0) begin\n        rst = 1;\n        #1 clk = 1;\n        #1 clk = 0;" in clocked


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as found:
        verify_bundle(tmp_path / "nothing")
    assert str(found.value) == (f"{tmp_path / 'nothing'}: it is no directory; name one that emit wrote [E-BUNDLE-FILE]")


def test_weights_in_the_kernel_are_in_their_file(tmp_path: Path) -> None:
    weights = {"weight": [3, -7, 0, 8, -8, 5], "bias": [1, -2]}
    layer = nc.Dense(inputs=3, units=2)
    folder = emit_bundle(layer, tmp_path / "a", weights=weights, quant="w5a4", style="shiftadd", vectors=VECTORS)
    assert json.loads((folder / "weights.json").read_text()) == weights
    assert json.loads((folder / "manifest.json").read_text())["drawn"] == []
    for text, line in (
        ('{"weight": 3}', "weights.json: 'weight' is no list of integers; emit the bundle again [E-BUNDLE-FILE]"),
        (
            '{"weight": [3, -7, 0, 8, -8, 0.5], "bias": [1, -2]}',
            "manifest.json: weight holds 0.5, expected integers; quantize the weights first [E-KERNEL-WEIGHTS]",
        ),
    ):
        (folder / "weights.json").write_text(text)
        with pytest.raises(ModelError) as found:
            read_bundle(folder)
        assert str(found.value) == f"{folder}: {line}"


def test_an_empty_directory_and_a_bundle_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = contents(emitted(tmp_path / "a", "lstm"))
    (tmp_path / "a" / "kernel.v").write_text("edited")
    assert contents(emitted(tmp_path / "a", "dense")).keys() < first.keys()
    assert contents(emitted(tmp_path / "a", "lstm")) == first
    os.symlink(tmp_path / "a", tmp_path / "link")
    assert contents(emitted(tmp_path / "link", "dense")) == contents(tmp_path / "a")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "link"]


def refused(place: Path) -> str:
    before = sorted(place.parent.rglob("*")) if place.parent.is_dir() else []
    with pytest.raises(OutputError) as found:
        emitted(place, "dense")
    assert found.value.exit_code == 4
    assert (sorted(place.parent.rglob("*")) if place.parent.is_dir() else []) == before
    return str(found.value)


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path, small: Path) -> None:
    (small / "notes.txt").write_text("mine")
    assert refused(small) == (
        f"{small}: cannot be written: it holds 'notes.txt', which is of no bundle; name a new directory or empty this "
        "one [E-OUTPUT]"
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_text('{"schema": "web", "files": {}}')
    assert "it holds 'manifest.json', which is of no bundle" in refused(tmp_path / "folder")
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file") == f"{tmp_path / 'file'}: cannot be written: it is no directory [E-OUTPUT]"
    assert (
        refused(tmp_path / "file" / "a") == f"{tmp_path / 'file' / 'a'}: cannot be written: Not a directory [E-OUTPUT]"
    )
    assert "cannot be written: No such file or directory [E-OUTPUT]" in refused(tmp_path / "none" / "a")
    assert "embedded null" in refused(Path(f"{tmp_path}/nul\0"))


@pytest.mark.parametrize("broken", [1, 2])
def test_a_failure_in_the_middle_leaves_what_was_there(
    small: Path, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    before, rename, calls = contents(small), os.rename, []

    def fails(old: Any, new: Any) -> None:
        calls.append(new)
        if len(calls) == broken:
            raise OSError(28, "No space left on device")
        rename(old, new)

    monkeypatch.setattr(directories.os, "rename", fails)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device \[E-OUTPUT\]$"):
        emitted(small, "lstm")
    assert contents(small) == before
    assert [each.name for each in small.parent.iterdir()] == ["small"]


def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert refused(tmp_path / "locked" / "a").endswith("cannot be written: Permission denied [E-OUTPUT]")


def test_a_free_size_has_no_record() -> None:
    with pytest.raises(UnsupportedLayer, match=r"Dense\.units is N, which a manifest cannot hold; bind free sizes"):
        recorded(nc.Dense(inputs=2, units=nc.symbols("N")))


def test_nothing_of_a_model_is_in_the_files(tmp_path: Path) -> None:
    layer, quant, style = LAYERS["dense"]
    named = nc.Dense(inputs=5, units=3, name="evil; endmodule")
    one = contents(emit_bundle(named, tmp_path / "a", quant=quant, style=style, vectors=VECTORS))
    other = contents(emit_bundle(layer, tmp_path / "b", quant=quant, style=style, vectors=VECTORS))
    assert {name for name in one if one[name] != other[name]} == {"manifest.json"}
    shutil.rmtree(tmp_path / "b")
