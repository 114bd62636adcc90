"""The JSON report, schema nncomplexity.report/1: docs/report.schema.json is what it promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nncomplexity as nc
import onnx
import pytest
from onnx import helper

SCHEMA = json.loads((Path(__file__).parent.parent / "docs/report.schema.json").read_text("utf-8"))
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
KEYWORDS = {
    *("type", "enum", "const", "required", "properties", "additionalProperties", "items", "maxItems", "minimum"),
    *("pattern", "$ref", "$defs", "$schema", "$id", "title", "description"),
}
Build = Callable[..., onnx.ModelProto]
Save = Callable[..., str]
Run = Callable[..., Any]


def problems(value: Any, schema: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Violations of a schema made of the keywords this one uses (a check without a dependency)."""
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "$ref" in schema:
        yield from problems(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], place)
    kinds = schema.get("type", [])
    allowed = [KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    if allowed and type(value) not in allowed:
        yield f"{place} is a {type(value).__name__}"
        return
    if value != schema.get("const", value) or value not in schema.get("enum", [value]):
        yield f"{place} is {value!r}"
    if isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{place} is {value}"
    if isinstance(value, dict):
        yield from (f"{place} has no {key}" for key in schema.get("required", ()) if key not in value)
        for key, each in value.items():
            inner = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if inner is not None:
                yield from problems(each, inner, f"{place}.{key}")
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from problems(each, schema.get("items", {}), f"{place}[{index}]")


def document(report: nc.Report) -> dict[str, Any]:
    """The report as its JSON text says it."""
    text = report.to_json()
    assert text.isascii()
    found: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found == report.to_dict()
    assert list(problems(found, SCHEMA)) == []
    return found


def test_the_contract_by_example(dense: onnx.ModelProto) -> None:
    found = document(nc.analyze(dense, dims={"batch": 3}, quant="w8a8"))
    assert found["model"]["dims"] == {"batch": 3} and found["model"]["free_dims"] == []
    assert found["model"]["opsets"] == {"ai.onnx": 17}
    assert (found["convention"], found["quantization"]) == ("paper", "w8a8")
    assert found["coverage"] == {"nodes": 3, "counted": 3, "free": 0, "uncounted": 0, "null": {}}
    product, bias, relu = found["layers"]
    assert product["formats"] == {"weight": "fixed<8,1>", "input": "fixed<8,1>", "accumulator": "fixed<20,6>"}
    assert (product["kind"], product["formats_from"], product["params"]) == ("dense", "--quant w8a8", 50)
    assert product["inputs"] == [[3, 10], [10, 5]] and product["outputs"] == [[3, 5]]
    assert product["operations"] == [
        {"kind": "multiply", "role": "input", "a": 8, "b": 8, "constant": True, "result": 20, "count": 150},
        {"kind": "add", "role": "input", "a": 20, "b": 20, "constant": False, "result": 20, "count": 135},
    ]
    assert [each["role"] for each in bias["operations"]] == ["bias"]
    assert found["totals"]["bop"] == 3 * 4200 and found["totals"]["nabs"] == 3 * 8000
    assert relu["metrics"]["cmp"] == 15 and relu["metrics"]["bop"] == 0


def test_rows_sum_to_the_totals(dense: onnx.ModelProto) -> None:
    found = document(nc.analyze(dense, dims={"batch": 7}, quant="w4a8"))
    for key, total in found["totals"].items():
        values = [row["metrics"][key] for row in found["layers"]]
        assert total == (max(values) if key == "peak_activation_bits" else sum(values)), key


def test_null_is_unknown_or_undefined_and_never_a_number(partly: onnx.ModelProto) -> None:
    found = document(nc.analyze(partly))
    counted, uncounted = found["layers"]
    assert (counted["status"], counted["reason"]) == ("counted", None)
    assert uncounted["status"] == "uncounted"
    assert uncounted["reason"] == "no rule for operator Mystery of domain example.org"
    assert uncounted["metrics"]["rm"] is None and uncounted["operations"] == []
    assert counted["metrics"]["nabs"] is None, "a float operand"
    assert found["totals"]["rm"] == 2 * 3 * 5
    assert found["coverage"]["uncounted"] == 1
    assert found["coverage"]["null"]["nabs"] == 2 and found["coverage"]["null"]["rm"] == 1


def test_nothing_counted_is_null_and_not_zero(build: Build) -> None:
    model = build([helper.make_node("Mystery", ["x"], ["y"], domain="example.org")], {"x": [2]}, ["y"])
    model.opset_import.append(helper.make_opsetid("example.org", 1))
    totals = document(nc.analyze(model))["totals"]
    assert set(totals.values()) == {None}


def test_integers_are_exact_beyond_every_float(build: Build) -> None:
    side = 2**33
    model = build([helper.make_node("MatMul", ["x", "v"], ["y"])], {"x": [side, side], "v": [side, side]}, ["y"])
    found = document(nc.analyze(model))
    assert found["totals"]["mac"] == 2**99
    assert found["totals"]["add"] == 2**66 * (2**33 - 1)


def test_free_dims_are_formulas_in_their_own_names(dense: onnx.ModelProto) -> None:
    found = document(nc.analyze(dense, quant="w8a8"))
    assert found["model"]["free_dims"] == ["batch"]
    assert found["totals"]["rm"] == "50*batch"
    assert found["layers"][0]["outputs"] == [["batch", 5]]
    assert found["layers"][0]["operations"][0]["count"] == "50*batch"
    assert "free sizes are at least 1" in found["assumptions"]


def test_assumptions_say_what_was_taken_for_granted(dense: onnx.ModelProto) -> None:
    widths = (
        "paper: every addition of a dot product costs its final accumulator (after arXiv 2206.12191, reconstructed)"
    )
    floats = "float operands count their storage bits in BOP"
    assert document(nc.analyze(dense, dims={"batch": 1}))["assumptions"] == [widths, floats]
    found = nc.analyze(dense, dims={"batch": 1}, quant="w4a8", input_bits=12)
    applied = ["--quant w4a8 applied to float tensors", "--input-bits 12 applied to float inputs of the graph"]
    assert document(found)["assumptions"] == [*applied, widths]
    assert found["product"].operations.total(lambda op: op.left.bits if op.constant else 0) == 12 * 50


def test_text_of_the_file_is_escaped(build: Build) -> None:
    name = 'ev\u202eil "\n\u200b<é>'
    found = document(nc.analyze(build([helper.make_node("Relu", ["x"], ["y"], name)], {"x": [2]}, ["y"])))
    assert found["layers"][0]["name"] == name


@pytest.mark.parametrize("quants", [["w8a8"], ["w8a8", "w4a8"]], ids=["one object", "a list for several"])
def test_the_command_writes_the_same(dense: onnx.ModelProto, save: Save, run: Run, quants: list[str]) -> None:
    path = save(dense)
    options = [word for quant in quants for word in ("--quant", quant)]
    found = json.loads(run("report", path, "-f", "json", "-q", *options).out)
    expected = [nc.analyze(path, quant=quant).to_dict() for quant in quants]
    assert found == (expected if len(expected) > 1 else expected[0])


def test_a_list_stays_a_list_when_an_input_is_refused(dense: onnx.ModelProto, save: Save, run: Run) -> None:
    ran = run("report", save(dense), "missing.onnx", "-f", "json", "-q")
    assert ran.code == 3 and len(json.loads(ran.out)) == 1


def test_the_check_of_the_schema_finds_violations(dense: onnx.ModelProto) -> None:
    found = nc.analyze(dense).to_dict()
    found["convention"] = "guess"
    found["totals"]["rm"] = 1.5  # type: ignore[index]
    del found["coverage"]["null"]  # type: ignore[attr-defined]
    assert sorted(problems(found, SCHEMA)) == [
        "$.convention is 'guess'",
        "$.coverage has no null",
        "$.totals.rm is a float",
    ]
