"""Quantization files: what they say, of which layers, above what, and what each refusal says, whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from conftest import Run, Save, built
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import QuantizationError
from nncomplexity.formats import AdditivePowerOfTwo, Fixed, Format, Mixed, PowerOfTwo, format_of_dtype
from nncomplexity.globs import Globs
from nncomplexity.parsers.quantization_file import quantization_from, read_quantization
from nncomplexity.quantization import Table
from onnx import TensorProto, helper, numpy_helper

# The example of the documentation.
EXAMPLE = """
[model]
weight = { bits = 8 }
activation = { bits = 8 }

[[layer]]
match = "encoder.lstm*"
weight = { scheme = "apot", bits = 4, terms = 2 }
input = { bits = 8, frac = 6, signed = true }
recurrent = { bits = 6 }
activation = { bits = 8 }
accumulator = "exact"
per_channel_bits = [4, 4, 6]

[[layer]]
match = "head"
weight = "pot<4>"
accumulator = { bits = 24 }
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def file(text: str | bytes, name: str = "q.toml") -> str:
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return file


def uniform(bits: int) -> Format:
    return Fixed(bits=bits, integer=1)


# Reading


def test_the_fields_of_a_file(write: Any) -> None:
    found = read_quantization(write(EXAMPLE))
    assert (found.text, found.file, found.weight, found.activation) == ("q.toml", True, uniform(8), uniform(8))
    assert (found.input, found.recurrent, found.accumulator) == (None, None, None)
    first, second = found.tables
    assert first == Table(
        match="encoder.lstm*",
        weight=AdditivePowerOfTwo(bits=4, terms=2),
        input=Fixed(bits=8, integer=2),
        recurrent=uniform(6),
        activation=uniform(8),
        exact=True,
        widths=(4, 4, 6),
    )
    assert second == Table(match="head", weight=PowerOfTwo(bits=4), accumulator=24)


def test_json_says_the_same(write: Any) -> None:
    import tomllib

    other = write(json.dumps(tomllib.loads(EXAMPLE)), "q.json")
    found, same = read_quantization(write(EXAMPLE)), read_quantization(other)
    assert (found.tables, found.weight, found.activation) == (same.tables, same.weight, same.activation)
    # Without a suffix the first character tells them apart.
    assert read_quantization(write(json.dumps(tomllib.loads(EXAMPLE)), "formats")).tables == found.tables
    assert read_quantization(write(EXAMPLE, "formats")).tables == found.tables


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ('"w8"', None),
        ('"fixed<8,3>"', Fixed(bits=8, integer=3)),
        ('"ufixed<8,8>"', Fixed(bits=8, integer=8, signed=False)),
        ('"pot4"', PowerOfTwo(bits=4)),
        ('"apot<6,3>"', AdditivePowerOfTwo(bits=6, terms=3)),
        ('"bfloat16"', format_of_dtype("bfloat16")),
        ("{ bits = 5, signed = false }", Fixed(bits=5, integer=1, signed=False)),
        ('{ bits = 16, scheme = "float" }', format_of_dtype("float16")),
        ('{ bits = 7, scheme = "pot" }', PowerOfTwo(bits=7)),
    ],
)
def test_formats_in_words_and_tables(write: Any, text: str, format: Format | None) -> None:
    file = write(f"[model]\nweight = {text}\n")
    if format is not None:
        assert read_quantization(file).weight == format
        return
    with pytest.raises(QuantizationError, match=r"^q\.toml: model: weight is 'w8': .* \[E-QUANT-FORMAT\]$"):
        read_quantization(file)


def test_a_shorthand_is_one_even_where_a_file_is_called_so(write: Any) -> None:
    assert not read_quantization(write("[model]\nweight = { bits = 3 }", "w8a8")).file
    assert read_quantization("./" + write("[model]\nweight = { bits = 3 }", "w8a8")).weight == uniform(3)


REFUSED = [
    ("", "the file says nothing; write [model] or [[layer]] tables [E-QUANT-EMPTY]"),
    ("weight = { bits = 8 }", "unknown field 'weight' beside the tables; write it under [model]: weight = ... "),
    ("[layers]", "unknown field 'layers' beside the tables; did you mean 'layer'? [E-QUANT-FIELD]"),
    ("layer = 3", "layer is 3, expected [[layer]] tables [E-QUANT-TYPE]"),
    ("model = 3", "model is 3, expected a table such as { weight = { bits = 8 } } [E-QUANT-TYPE]"),
    ("layer = [3]", "layer[0] is 3, expected a table such as { weight = { bits = 8 } } [E-QUANT-TYPE]"),
    ("[[layer]]", 'layer[0]: match is missing; expected a glob such as "encoder.lstm*" [E-QUANT-MISSING]'),
    ("[[layer]]\nmatch = ''", "layer[0]: match is '', expected a glob of 1 to 1000 characters [E-QUANT-TYPE]"),
    ("[[layer]]\nmatch = true", "layer[0]: match is true, expected a glob of 1 to 1000 characters [E-QUANT-TYPE]"),
    ("[model]\nwieght = 1", "model: unknown field 'wieght'; did you mean 'weight'? [E-QUANT-FIELD]"),
    (
        "[[layer]]\nmatch = 'a'\n[[layer]]\nmatch = 'b'\nrecurent = 1",
        "layer[1]: unknown field 'recurent'; did you mean 'recurrent'? [E-QUANT-FIELD]",
    ),
    ("[model]\nweight = {bit = 1}", "model: weight: unknown field 'bit'; did you mean 'bits'? [E-QUANT-FIELD]"),
    ("[model]\nweight = 8", "model: weight is 8, expected a table such as { bits = 8 } [E-QUANT-TYPE]"),
    (
        "[model]\nweight = {bits = 4, scheme = 'octal'}",
        "model: weight.scheme is 'octal'; there are: uniform, pot, apot, binary, ternary, float [E-QUANT-SCHEME]",
    ),
    (
        "[model]\nweight = {bits = 4, scheme = 'apot', terms = 5}",
        "model: weight.terms is 5, expected an integer from 1 to 4 [E-QUANT-TYPE]",
    ),
    *(
        (
            f"[model]\nweight = {{bits = {value}}}",
            f"model: weight.bits is {shown}, expected an integer from 1 to 64 [E-BITS]",
        )
        for value, shown in [("0", "0"), ("-3", "-3"), ("4.5", "4.5"), ("1000000000", "1000000000"), ("true", "true")]
    ),
    (
        "[model]\naccumulator = {bits = 0}",
        "model: accumulator.bits is 0, expected an integer from 1 to 64 [E-BITS]",
    ),
    ("[model]\naccumulator = 24", 'model: accumulator is 24, expected "exact" or { bits = 24 } [E-QUANT-TYPE]'),
    (
        "[[layer]]\nmatch = 'a'\nper_channel_bits = [4, 0]",
        "layer[0]: per_channel_bits[1] is 0, expected an integer from 1 to 64 [E-BITS]",
    ),
    (
        "[[layer]]\nmatch = 'a'\nper_channel_bits = 4",
        "layer[0]: per_channel_bits is 4, expected one width for each output channel, such as [4, 4, 6] [E-QUANT-TYPE]",
    ),
    (
        "[[layer]]\nmatch = 'a'\nweight = 'binary'\nper_channel_bits = [4]",
        "layer[0]: per_channel_bits belongs to schemes 'uniform', 'pot' and 'apot', found weight binary "
        "[E-QUANT-FIELD]",
    ),
    (
        "[model\n",
        "not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 7) [E-QUANT-SYNTAX]",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says(write: Any, text: str, message: str) -> None:
    message += "" if message.endswith("]") else "[E-QUANT-FIELD]"
    with pytest.raises(QuantizationError, match=f"^{re.escape(f'q.toml: {message}')}$") as refusal:
        read_quantization(write(text))
    assert refusal.value.exit_code == 2


def test_files_that_cannot_be_read(write: Any) -> None:
    for text, message in (
        ("absent.toml", "absent.toml: there is no such file [E-FILE-MISSING]"),
        ("no/such", "no/such: there is no such file [E-FILE-MISSING]"),
        (".", ".: this is a directory [E-FILE-KIND]"),
        (write(b"\xff\xfe", "broken.toml"), "broken.toml: not valid TOML: 'utf-8' codec can't decode byte 0xff in "),
        (write(b"#" * (1 << 20) + b"#"), "q.toml: a quantization file of more than 1048576 bytes is not read [E-QUANT"),
    ):
        with pytest.raises(QuantizationError, match=f"^{re.escape(message)}"):
            read_quantization(text)


def test_a_word_that_is_neither_says_that_a_file_must_exist() -> None:
    message = (
        "quantization '-' cannot be read at '-': bits must be integers; write w8a8, w4a8p24, w:pot4,a8, w:apot4x2,a8, "
        "fp32, bf16, none or model; schemes: uniform, pot, apot; or a TOML file that exists [E-QUANT]"
    )
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        read_quantization("-")


# Globs


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("encoder.lstm*", "encoder.lstm/lstm_1", True),
        ("encoder/lstm", "encoder.lstm", True),
        ("encoder.lstm*", "/encoder/lstm/LSTM", True),
        ("Encoder*", "encoder", False),
        ("a?c", "abc", True),
        ("a[b-d]c", "acc", True),
        ("a[!b-d]c", "acc", False),
        ("a[!b-d]c", "aec", True),
        ("a[", "a[", True),
        ("*", "", True),
        ("**b*", "aabaa", True),
        ("ab", "abc", False),
    ],
)
def test_a_glob_matches(glob: str, text: str, expected: bool) -> None:
    assert (Globs([glob]).first([text]) is not None) is expected


@settings(derandomize=True, max_examples=400)
@given(st.lists(st.text("ab*?", max_size=6), max_size=4), st.text("abc", max_size=8), st.text("abc", max_size=3))
def test_globs_are_those_of_fnmatch(patterns: list[str], text: str, more: str) -> None:
    globs = Globs(patterns)
    assert list(globs.found([text])) == [i for i, each in enumerate(patterns) if fnmatchcase(text, each)]
    assert globs.after(more, globs.after(text)) == globs.after(text + more)


# Layers without a model and their twins in a file


def network() -> nc.Network:
    return nc.Network({"enc": nc.LSTM(steps=5, inputs=3, hidden=7), "head": nc.Dense(inputs=7, units=2, steps=5)})


def twin() -> onnx.ModelProto:
    """The same layers as a model."""
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B"], ["y"], "enc", hidden_size=7),
        helper.make_node("Squeeze", ["y", "axes"], ["s"], "squeeze"),
        helper.make_node("MatMul", ["s", "V"], ["h"], "head/product"),
        helper.make_node("Add", ["h", "b"], ["o"], "head/bias"),
    ]
    model = built(
        nodes, {"x": [5, 1, 3]}, ["o"], {"W": [1, 28, 3], "R": [1, 28, 7], "B": [1, 56], "V": [7, 2], "b": [2]}
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2], np.int64), "axes"))
    return model


TABLES: list[dict[str, Any]] = [
    {"layer": [{"match": "enc", "weight": {"bits": 4}, "input": {"bits": 8}, "activation": {"bits": 6}}]},
    {
        "model": {"weight": {"bits": 8}, "activation": {"bits": 8}},
        "layer": [{"match": "enc", "weight": "pot4", "recurrent": {"bits": 5}, "accumulator": {"bits": 20}}],
    },
    {
        "model": {"weight": {"bits": 3}, "recurrent": {"bits": 9}, "activation": {"bits": 8}, "input": {"bits": 12}},
        "layer": [{"match": "head*", "weight": "apot<6,2>", "input": {"bits": 5}, "activation": {"bits": 16}}],
    },
    {
        "model": {"weight": {"bits": 8}, "activation": {"bits": 8}, "accumulator": {"bits": 30}},
        "layer": [{"match": "enc", "accumulator": "exact"}, {"match": "*", "activation": {"bits": 7}}],
    },
    {"layer": [{"match": "*", "weight": {"bits": 4}, "input": {"bits": 8}}]},
]


@pytest.mark.parametrize("document", TABLES, ids=range(len(TABLES)))
def test_a_specification_and_a_model_cost_the_same(write: Any, document: Mapping[str, Any]) -> None:
    quant = write(json.dumps(document), "q.json")
    spec = nc.analyze(network(), quant=quant)
    model = nc.analyze(twin(), quant=quant)
    for key in ("rm", "mac", "bop", "bop_mac", "nabs", "weight_bits"):
        assert spec["enc"].metrics[key] == model["enc"].metrics[key], key
        product, bias = model["head/product"].metrics[key], model["head/bias"].metrics[key]
        assert spec["head"].metrics[key] == (None if product is None or bias is None else product + bias), key


def test_input_bits_are_above_every_table(write: Any) -> None:
    quant = write("[[layer]]\nmatch = '*'\nweight = {bits = 4}\ninput = {bits = 8}\nactivation = {bits = 6}")
    for source in (network(), twin()):
        report = nc.analyze(source, quant=quant, input_bits=12)
        assert str(report["enc"].row.formats["input"]) == "fixed<12,1>"
        assert str(report["enc"].row.formats["activation"]) == "fixed<6,1>"


def test_inputs_of_a_file_are_not_told_as_the_option(write: Any) -> None:
    quant = write("[model]\ninput = {bits = 12}\nactivation = {bits = 8}\nweight = {bits = 8}")
    for source in (network(), twin()):
        report = nc.analyze(source, quant=quant)
        assert str(report["enc"].row.formats["input"]) == "fixed<12,1>"
        assert not [line for line in report.assumptions if "--input-bits" in line]


def test_the_report_names_who_says_the_formats(write: Any) -> None:
    quant = write("[model]\nweight = {bits = 8}\n[[layer]]\nmatch = 'enc*'\nweight = {bits = 4}")
    for source in (network(), twin()):
        rows = {entry.row.path: entry.row.formats_from for entry in nc.analyze(source, quant=quant).entries}
        assert rows["enc"] == "q.toml: enc*"
        assert next(said for path, said in rows.items() if path.startswith("head")) == "q.toml: model"


def test_the_first_match_wins_and_an_empty_table_leaves_a_layer_to_the_model(write: Any) -> None:
    quant = write("[[layer]]\nmatch = 'head*'\n[[layer]]\nmatch = '*'\nweight = {bits = 4}")
    for source, head in ((network(), "head"), (twin(), "head/product")):
        report = nc.analyze(source, quant=quant)
        assert str(report["enc"].row.formats["weight"]) == "fixed<4,1>"
        assert str(report[head].row.formats["weight"]) == "float32"


def test_tables_that_match_nothing_are_warnings(write: Any) -> None:
    quant = write("[[layer]]\nmatch = 'hed'\nweight = {bits = 4}")
    for source, near in ((network(), "head"), (twin(), "head")):
        assert nc.analyze(source, quant=quant).network.warnings == (
            f"q.toml: layer[0] 'hed' matches no layer; did you mean '{near}'?",
        )
    quant = write("[[layer]]\nmatch = 'squeeze'\nweight = {bits = 4}")
    assert nc.analyze(twin(), quant=quant).network.warnings == (
        "q.toml: layer[0] 'squeeze' matches only quantizers and data movement",
    )


# Widths per channel


def test_widths_per_channel(write: Any) -> None:
    quant = write("[[layer]]\nmatch = 'head*'\nper_channel_bits = [4, 6]\ninput = {bits = 8}")
    for source, head in ((network(), "head"), (twin(), "head/product")):
        weight = nc.analyze(source, quant=quant)[head].row.formats["weight"]
        assert isinstance(weight, Mixed)
        assert (weight.bits, weight.shares) == (6, ((4, 1), (6, 1)))


def test_widths_of_another_number_of_channels(write: Any) -> None:
    quant = write("[[layer]]\nmatch = '*'\nper_channel_bits = [4, 6, 4]")
    for source in (network(), twin()):
        message = (
            "q.toml: layer[0] '*': per_channel_bits holds 3 widths, but the output channels of 'enc' are 7 "
            "[E-QUANT-CHANNELS]"
        )
        with pytest.raises(QuantizationError, match=f"{re.escape(message)}$"):
            nc.analyze(source, quant=quant)


def test_widths_of_a_convolution_and_of_another_scheme(write: Any) -> None:
    node = helper.make_node("Conv", ["x", "W"], ["y"], "conv")
    model = built([node], {"x": [1, 2, 9]}, ["y"], {"W": [3, 2, 3]})
    quant = write("[[layer]]\nmatch = 'conv'\nweight = 'apot<4,2>'\nper_channel_bits = [4, 4, 6]\ninput = {bits = 8}")
    assert str(nc.analyze(model, quant=quant)["conv"].row.formats["weight"]) == "apot<6,2>"
    assert quantization_from({"layer": [{"match": "c", "per_channel_bits": [5, 5]}]}).said(("c",)).weight == uniform(5)


# Above what the nodes of a file say


def quantized() -> onnx.ModelProto:
    """A product of an input and weights that both pass quantizers of 8 bits, its result quantized again."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"], "enter"),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"], "entered"),
        helper.make_node("DequantizeLinear", ["W", "s", "z"], ["wd"], "weights"),
        helper.make_node("MatMul", ["xd", "wd"], ["h"], "first"),
        helper.make_node("QuantizeLinear", ["h", "s", "z"], ["hq"], "leave"),
        helper.make_node("DequantizeLinear", ["hq", "s", "z"], ["hd"], "left"),
        helper.make_node("MatMul", ["hd", "V"], ["y"], "second"),
    ]
    model = built(nodes, {"x": [2, 5]}, ["y"], {"V": [3, 4]})
    for array, name in ((np.zeros((5, 3), np.int8), "W"), (np.float32(1), "s"), (np.int8(0), "z")):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return model


def formats(report: nc.Report, name: str) -> list[str]:
    return [str(report[name].row.formats[each]) for each in ("weight", "input")]


def test_the_command_line_is_above_the_nodes_of_a_file() -> None:
    report = nc.analyze(quantized())
    assert (formats(report, "first"), formats(report, "second")[1]) == (["fixed<8,8>", "fixed<8,8>"], "fixed<8,8>")
    report = nc.analyze(quantized(), quant="w4a6")
    for name in ("first", "second"):
        assert formats(report, name) == ["fixed<4,1>", "fixed<6,1>"]
    report = nc.analyze(quantized(), quant="w4a6", input_bits=12)
    assert (formats(report, "first")[1], formats(report, "second")[1]) == ("fixed<12,1>", "fixed<6,1>")


def test_a_table_is_above_the_nodes_of_a_file(write: Any) -> None:
    quant = write("[[layer]]\nmatch = 'first'\nweight = {bits = 3}\ninput = {bits = 5}\nactivation = {bits = 7}")
    report = nc.analyze(quantized(), quant=quant)
    assert formats(report, "first") == ["fixed<3,1>", "fixed<5,1>"]
    # What the layer writes goes through the quantizers behind it.
    assert formats(report, "second") == ["float32", "fixed<7,1>"]
    assert report.network.warnings == (
        "q.toml: layer[0] 'first' replaces formats that the model states, first at 'first'",
    )
    quant = write("[[layer]]\nmatch = 'first'\nweight = {bits = 3}\ninput = {bits = 5}")
    assert formats(nc.analyze(quantized(), quant=quant), "second") == ["float32", "fixed<8,8>"]


def test_integer_weights_of_a_quantized_operator(write: Any) -> None:
    nodes = [helper.make_node("MatMulInteger", ["x", "W"], ["y"], "product")]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [2, 5])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
        [numpy_helper.from_array(np.zeros((5, 3), np.int8), "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    quant = write("[[layer]]\nmatch = 'product'\nweight = {bits = 3}\ninput = {bits = 5}")
    assert formats(nc.analyze(model, quant=quant), "product") == ["fixed<3,1>", "fixed<5,1>"]
    assert formats(nc.analyze(model, quant="w4a6"), "product") == ["fixed<4,1>", "ufixed<8,8>"]


def test_indices_and_shapes_are_no_numbers(write: Any) -> None:
    nodes = [
        helper.make_node("Gather", ["E", "i"], ["e"], "embedding"),
        helper.make_node("MatMul", ["e", "W"], ["y"], "product"),
    ]
    model = built(nodes, {}, ["y"], {"E": [11, 5], "W": [5, 3]})
    model.graph.input.append(helper.make_tensor_value_info("i", TensorProto.INT64, [4]))
    quant = write("[[layer]]\nmatch = '*'\nweight = {bits = 3}")
    report = nc.analyze(model, quant=quant)
    assert formats(report, "product") == ["fixed<3,1>", "fixed<3,1>"]
    assert (report["embedding"].weight_bits, report["product"].weight_bits) == (11 * 5 * 3, 5 * 3 * 3)


def test_calls_of_one_function_may_have_formats_of_their_own(write: Any) -> None:
    body = helper.make_function(
        "local",
        "Twice",
        ["x", "w"],
        ["y"],
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        [helper.make_opsetid("", 17)],
    )
    calls = [
        helper.make_node("Twice", ["x", "W"], ["a"], "one", domain="local"),
        helper.make_node("Twice", ["x", "W"], ["b"], "two", domain="local"),
        helper.make_node("Twice", ["x", "W"], ["c"], "three", domain="local"),
    ]
    model = built(calls, {"x": [2, 5]}, ["a", "b", "c"], {"W": [5, 3]})
    model.functions.append(body)
    model.opset_import.append(helper.make_opsetid("local", 1))
    quant = write("[[layer]]\nmatch = 'two/*'\nweight = {bits = 3}\naccumulator = {bits = 9}")
    rows = {path: entry.row for entry in nc.analyze(model, quant=quant).entries for path in entry.row.paths}
    assert [str(rows[f"{call}/product"].formats["weight"]) for call in ("one", "two", "three")] == [
        "float32",
        "fixed<3,1>",
        "float32",
    ]
    assert [rows[f"{call}/product"].accumulator for call in ("one", "two", "three")] == [None, 9, None]


# The command


def test_the_command_reads_a_file(write: Any, save: Save, run: Run) -> None:
    model = save(twin())
    quant = write("[[layer]]\nmatch = 'enc'\nweight = {bits = 4}\ninput = {bits = 8}")
    for arguments in ([model, "--quant", quant], [f"{model}@{quant}"]):
        ran = run("report", *arguments, "-f", "json")
        assert (ran.code, ran.err) == (0, "")
        layers = {row["path"]: row for row in json.loads(ran.out)["layers"]}
        assert layers["enc"]["formats_from"] == "q.toml: enc"
        assert layers["enc"]["formats"]["weight"] == "fixed<4,1>"
    assert run("report", model, "--quant", "w8a8", "--quant", quant).code == 0
    assert "fixed<4,1>" in run("explain", model, "enc", "--quant", quant).out


def test_the_command_refuses_a_file(write: Any, save: Save, run: Run) -> None:
    model = save(twin())
    quant = write("[model]\nweight = {bits = 0}")
    line = "nncomplexity: error: q.toml: model: weight.bits is 0, expected an integer from 1 to 64 [E-BITS]\n"
    for arguments in (
        ["report", model, "--quant", quant],
        ["report", f"{model}@{quant}"],
        ["explain", model, "enc", "--quant", quant],
        ["sweep", "dense", "-P", "inputs=2", "-P", "units=2", "-Q", quant],
    ):
        ran = run(*arguments)
        assert (ran.code, ran.out, ran.err) == (2, "", line)
    missing = run("report", model, "--quant", "absent.toml")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err == "nncomplexity: error: absent.toml: there is no such file [E-FILE-MISSING]\n"


def test_the_command_warns_of_a_table_without_a_layer(write: Any, save: Save, run: Run) -> None:
    quant = write("[[layer]]\nmatch = 'encc'\nweight = {bits = 4}")
    ran = run("report", save(twin()), "--quant", quant)
    assert ran.code == 0
    assert "note: m.onnx: q.toml: layer[0] 'encc' matches no layer; did you mean 'enc'?\n" in ran.err
