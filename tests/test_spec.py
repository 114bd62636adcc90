"""Layer specifications: what TOML, JSON and dictionaries say, and every refusal by its text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.formats import AdditivePowerOfTwo, Binary, Fixed, Format, PowerOfTwo, Ternary, format_of_dtype
from nncomplexity.kinds import fields_of, open_layer, required
from nncomplexity.layers import LAYERS, layer_class
from nncomplexity.parsers.spec import network_from, read_spec

LSTM = {"kind": "lstm", "steps": 41, "inputs": 4, "hidden": 35}
DENSE = {"kind": "dense", "inputs": 70, "units": 2}
Table = dict[str, Any]
Ran = Any


def refusal(*tables: object, **top: object) -> str:
    with pytest.raises(nc.ComplexityError) as found:
        network_from({"layer": list(tables), **top})
    return str(found.value)


def test_the_specification_of_the_interface(tmp_path: Path) -> None:
    """The example of the manual, in TOML, JSON and Python."""
    toml = """
[[layer]]
kind = "lstm"
steps = 41
inputs = 4
hidden = 35
bidirectional = true
weight = { bits = 8 }
input = { bits = 8 }
[[layer]]
kind = "dense"
inputs = 70
units = 2
weight = { bits = 8 }
"""
    (tmp_path / "net.toml").write_text(toml)
    eight = {"bits": 8}
    document = {"layer": [{**LSTM, "bidirectional": True, "weight": eight, "input": eight}, {**DENSE, "weight": eight}]}
    (tmp_path / "net.json").write_text(json.dumps(document))
    layers = [nc.LSTM(steps=41, inputs=4, hidden=35, bidirectional=True), nc.Dense(inputs=70, units=2)]
    sources: list[Any] = [tmp_path / "net.toml", str(tmp_path / "net.json"), document, document["layer"]]
    reports = [nc.analyze(source) for source in sources] + [nc.analyze(nc.Network(layers, quant="w8a8"))]
    assert [dict(report.totals) for report in reports] == [dict(reports[0].totals)] * 5
    # 2 directions * 41 steps * 35 * (4*4 + 4*35 + 3) and 70 * 2.
    assert reports[0].totals.rm == 2 * 41 * 35 * 159 + 140
    assert [row.name for row in reports[0].network.rows] == ["lstm", "dense"]
    assert reports[0].to_dict()["model"]["sha256"] == __import__("hashlib").sha256(toml.encode()).hexdigest()  # type: ignore[index]


@pytest.mark.parametrize(
    ("table", "format"),
    [
        ({"bits": 8}, Fixed(bits=8, integer=1)),
        ({"bits": 8, "frac": 6, "signed": False}, Fixed(bits=8, integer=2, signed=False)),
        ({"bits": 4, "scheme": "uniform"}, Fixed(bits=4, integer=1)),
        ({"bits": 4, "scheme": "pot"}, PowerOfTwo(bits=4)),
        ({"bits": 4, "scheme": "apot"}, AdditivePowerOfTwo(bits=4, terms=2)),
        ({"bits": 6, "scheme": "apot", "terms": 3}, AdditivePowerOfTwo(bits=6, terms=3)),
        ({"scheme": "binary"}, Binary()),
        ({"scheme": "ternary"}, Ternary()),
        ({"bits": 16, "scheme": "float"}, format_of_dtype("float16")),
        ("pot4", PowerOfTwo(bits=4)),
        ("fixed<9,3>", Fixed(bits=9, integer=3)),
    ],
)
def test_number_formats(table: object, format: Format) -> None:
    network = network_from([{**DENSE, "weight": table}])
    assert network.named[0].layer.weight == format


def test_sizes_are_integers_names_and_expressions() -> None:
    network = network_from([{**LSTM, "hidden": "n"}, {"kind": "dense", "inputs": "2*n", "units": "35"}])
    assert network.free == ("n",)
    assert network.bound({"n": 5}).named[1].layer == nc.Dense(inputs=10, units=35)


@pytest.mark.parametrize("density", [0.1, "0.1", "1/10"])
def test_a_density_is_the_decimal_that_is_written(density: object) -> None:
    sizes = {"kind": "esn", "steps": 10, "inputs": 4, "reservoir": 100, "outputs": 2}
    by_density, by_row = ([{**sizes, name: value}] for name, value in (("density", density), ("nonzeros_per_row", 10)))
    assert nc.analyze(by_density).totals.rm == nc.analyze(by_row).totals.rm == 18000


@pytest.mark.parametrize("text", ["1e999999999", "1e-999999999", "inf", "nan", '"0.1/3"', '"-1"', "[1]", "true"])
def test_a_density_that_is_none(text: str, tmp_path: Path) -> None:
    """Nothing waits for a number of a milliard digits."""
    head = '[[layer]]\nkind = "esn"\nsteps = 1\ninputs = 1\nreservoir = 10\noutputs = 1\n'
    (tmp_path / "e.toml").write_text(f"{head}density = {text}\n")
    with pytest.raises(nc.SpecError, match="esn: density is "):
        nc.analyze(tmp_path / "e.toml")


def test_a_decimal_of_a_file_is_exact(tmp_path: Path) -> None:
    """0.3 of 10 is 3; binary floating point has no 0.3."""
    head = '[[layer]]\nkind = "esn"\nsteps = 1\ninputs = 1\nreservoir = 10\noutputs = 1\n'
    (tmp_path / "e.toml").write_text(f"{head}density = 0.3\n")
    assert nc.analyze(tmp_path / "e.toml").totals.rm == 10 + 30 + 20 + 10
    (tmp_path / "e.toml").write_text(f"{head}density = 0.25\n")
    with pytest.raises(
        nc.SpecError, match=r"esn: density 0\.25 of 10 reservoir units is not whole, expected 0\.2 or 0\.3"
    ):
        nc.analyze(tmp_path / "e.toml")


def test_names_default_to_kinds_and_repeats_are_numbered() -> None:
    tables = [DENSE, {**DENSE, "name": "head"}, DENSE, {**DENSE, "name": "dense_2"}, DENSE]
    assert [part.name for part in network_from(tables).named] == ["dense", "head", "dense_3", "dense_2", "dense_4"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({**LSTM, "hiden": 3}, "layer[0]: lstm: unknown field 'hiden'; did you mean 'hidden'? [E-SPEC-FIELD]"),
        (
            {"kind": "dense", "units": 2},
            "inputs is missing; expected an integer of at least 1 or a name [E-SPEC-MISSING]",
        ),
        (
            {"kind": "lstm", "inputs": 4, "hidden": 3},
            "layer[0]: lstm: steps is missing; expected an integer of at least 1",
        ),
        ({"kind": "lstmm"}, "layer[0]: kind is 'lstmm', which is no layer; did you mean 'lstm'? [E-SPEC-KIND]"),
        ({"units": 2}, "layer[0]: kind is missing; there are: attention"),
        ({**LSTM, "hidden": 0}, "layer[0]: lstm: hidden is 0, expected an integer of at least 1 [E-SPEC-SIZE]"),
        ({**LSTM, "hidden": -3}, "layer[0]: lstm: hidden is -3, expected an integer of at least 1 [E-SPEC-SIZE]"),
        ({**LSTM, "hidden": 3.5}, "layer[0]: lstm: hidden is 3.5, expected an integer or a name [E-SPEC-TYPE]"),
        ({**LSTM, "hidden": True}, "layer[0]: lstm: hidden is true, expected a number [E-SPEC-TYPE]"),
        ({**LSTM, "hidden": [3]}, "layer[0]: lstm: hidden is [3], expected an integer or a name [E-SPEC-TYPE]"),
        ({**LSTM, "hidden": "__import__('os')"}, "hidden is '__import__('os')', expected an integer, a name, or an"),
        ({**LSTM, "hidden": "3 apples"}, "hidden is '3 apples', expected an integer, a name, or an expression of both"),
        ({**LSTM, "bidirectional": 1}, "layer[0]: lstm: bidirectional is 1, expected true or false [E-SPEC-TYPE]"),
        ({**LSTM, "name": 3}, "layer[0]: lstm: name is 3, expected a text [E-SPEC-TYPE]"),
        ({**DENSE, "weight": 8}, "dense: weight is 8, expected a table such as { bits = 8 } [E-SPEC-TYPE]"),
        ({**DENSE, "weight": {"bit": 8}}, "dense: weight: unknown field 'bit'; did you mean 'bits'? [E-SPEC-FIELD]"),
        ({**DENSE, "weight": {}}, "dense: weight: bits is missing; expected an integer from 1 to 64 [E-SPEC-MISSING]"),
        ({**DENSE, "weight": {"bits": 65}}, "weight.bits is 65, expected an integer from 1 to 64 [E-SPEC-TYPE]"),
        ({**DENSE, "weight": {"bits": "8"}}, "weight.bits is '8', expected an integer from 1 to 64 [E-SPEC-TYPE]"),
        (
            {**DENSE, "weight": {"bits": 4, "scheme": "pto"}},
            "weight.scheme is 'pto'; did you mean 'pot'? [E-SPEC-SCHEME]",
        ),
        ({**DENSE, "weight": {"bits": 4, "terms": 2}}, "terms belongs to scheme 'apot', found scheme 'uniform'"),
        (
            {**DENSE, "weight": {"bits": 4, "scheme": "pot", "frac": 2}},
            "frac belongs to scheme 'uniform', found scheme",
        ),
        ({**DENSE, "weight": "pot99"}, "dense: weight is 'pot99': "),
        ({**DENSE, "accumulator": 24}, 'dense: accumulator is 24, expected "exact" or { bits = 24 } [E-SPEC-TYPE]'),
        ("dense", "layer[0]: a layer is dense, expected a table with kind and sizes [E-SPEC-TYPE]"),
        (
            {"kind": "conv1d", "length": 9, "channels": 3, "filters": 4, "kernel_size": 3, "groups": 2},
            "layer[0]: conv1d: groups is 2, expected a divisor of 3 channels [E-SPEC-SIZE]",
        ),
    ],
)
def test_a_wrong_table_is_refused_by_name(table: object, text: str) -> None:
    assert text in refusal(table)


def test_the_layer_that_is_wrong_is_named() -> None:
    assert refusal(DENSE, {**DENSE, "units": 0}).startswith("layer[1]: dense: units is 0")
    twice = refusal({**DENSE, "name": "a"}, {**DENSE, "name": "a"})
    assert twice == "layer[1]: name is 'a', which is an earlier layer's [E-SPEC-NAME]"


def test_what_stands_beside_the_layers() -> None:
    assert (
        refusal(DENSE, quont="w8a8") == "unknown field 'quont' beside the layers; did you mean 'quant'? [E-SPEC-FIELD]"
    )
    assert refusal(DENSE, quant=8) == "quant is 8, expected a text such as 'w8a8' [E-SPEC-TYPE]"
    assert refusal(DENSE, quant="w8b8").endswith("[E-QUANT]")
    assert refusal().endswith("the spec holds no layer; write a [[layer]] table with its kind and sizes [E-SPEC-EMPTY]")
    assert network_from({"layer": [DENSE], "quant": "w4a8"}).rows().rows[0].formats["weight"] == Fixed(bits=4)
    assert "reading reports back is not supported yet" in refusal(schema="nncomplexity.report/1")


@pytest.mark.parametrize(
    ("name", "text", "fact"),
    [
        ("a.toml", "[[layer]\n", "not valid TOML"),
        ("a.json", '{"layer": [', "not valid JSON"),
        ("a.json", '{"layer": [{"kind": "dense", "units": 1, "units": 2}]}', "not valid JSON: 'units' is given twice"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.toml", "a = " + "[" * 100_000, "not valid TOML"),
        ("a.json", '{"layer": [{"kind": "dense", "inputs": ' + "9" * 5000 + "}]}", "not valid JSON"),
    ],
)
def test_a_file_that_cannot_be_read(name: str, text: str, fact: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(nc.ModelError, match=re.escape(fact)) as found:
        read_spec(tmp_path / name)
    assert found.value.identifier == "E-SPEC-SYNTAX"


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(nc.ModelError, match=r"there is no such file \[E-FILE-MISSING\]$"):
        read_spec(tmp_path / "no.toml")
    (tmp_path / "big.toml").write_text("#" * (1 << 22) + "\n")
    with pytest.raises(nc.ModelError, match=r"\[E-SPEC-LIMIT\]$"):
        read_spec(tmp_path / "big.toml")


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_can_be_written_down(kind: str) -> None:
    """All required fields as names give the open layer, and all fields of a layer have a reader."""
    names = [name for name, each in fields_of(kind).items() if required(kind, each)]
    more = {"density": "density"} if kind == "esn" else {}
    network = network_from([{"kind": kind, **{name: name for name in names}, **more}])
    assert network.named[0].layer == open_layer(kind)
    assert isinstance(network.named[0].layer, layer_class(kind))


def test_the_command_reports_a_specification(run: Callable[..., Ran], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text('[[layer]]\nkind = "dense"\ninputs = "n"\nunits = 5\n')
    found = run("report", "net.toml", "--dim", "n=10", "--quant", "w8a8", "-f", "json")
    report = json.loads(found.out)
    assert (found.code, report["totals"]["bop"], report["model"]["dims"]) == (0, 4200, {"n": 10})
    assert report["layers"][0]["kind"] == "dense" and report["layers"][0]["formats_from"] == "--quant w8a8"
    assert json.loads(run("report", "net.toml@w8a8", "-q", "-f", "json").out)["totals"]["rm"] == "5*n"
    wrong = run("report", "net.toml", "--dim", "m=10")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == "nncomplexity: error: net.toml: --dim: no size is called 'm'; there are: n [E-BIND-DIM]\n"
    shaped = run("report", "net.toml", "--shape", "x=1x3")
    assert (shaped.code, shaped.err[-14:]) == (2, "[E-BIND-SPEC]\n")
    Path("net.toml").write_text('[[layer]]\nkind = "dense"\ninputs = 0\nunits = 5\n')
    wrong = run("report", "net.toml")
    place = "nncomplexity: error: net.toml: layer[0]: dense: "
    assert (wrong.code, wrong.err) == (2, f"{place}inputs is 0, expected an integer of at least 1 [E-SPEC-SIZE]\n")
