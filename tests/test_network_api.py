"""Networks of layers in Python: names, the chain of formats, warnings, open sizes, the public names."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
import sympy
from nncomplexity.formats import Fixed, PowerOfTwo
from nncomplexity.layers import LAYERS
from nncomplexity.layers.layer import FLOAT32
from nncomplexity.quantization import parse_quantization
from onnx import helper

EIGHT, FOUR, SIX = Fixed(bits=8, integer=1), Fixed(bits=4, integer=1), Fixed(bits=6, integer=1)


def formats(network: nc.Network, quant: str = "model") -> list[tuple[str, ...]]:
    """weight, input, activation of every layer."""
    parts = network.parts(parse_quantization(quant))
    return [tuple(str(f) for f in (p.layer.weight, p.layer.input, p.layer.activation)) for p in parts]


def test_every_layer_class_has_a_public_name() -> None:
    for place in LAYERS.values():
        name = place.rpartition(":")[2]
        assert name in nc.__all__ and getattr(nc, name).__name__ == name


def test_functions_stay_functions_whatever_is_imported() -> None:
    """No module may take the place of a public name; `nc.hw` alone is a room of its own."""
    for name in nc.__all__:
        assert (type(getattr(nc, name)).__name__ == "module") == (name == "hw"), name
        assert not (Path(nc.__file__).parent / f"{name}.py").exists(), name
    assert callable(nc.hw.verify)


def test_layers_load_neither_onnx_nor_numpy_nor_sympy() -> None:
    text = "import sys, nncomplexity as nc; nc.analyze(nc.Dense(inputs=3, units=2)).totals; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert not [name for name in ("onnx", "numpy", "sympy") if f"'{name}'" in loaded]


def test_the_network_of_the_interface() -> None:
    layers = [nc.LSTM(steps=41, inputs=4, hidden=35, bidirectional=True), nc.Dense(inputs=70, units=2)]
    report = nc.analyze(nc.Network(layers, quant="w8a8"))
    assert (report["lstm"].rm, report["dense"].rm, report.network.warnings) == (456330, 140, ())
    assert report.totals.params == 2 * (4 * 35 * 4 + 4 * 35 * 35 + 8 * 35) + 70 * 2 + 2
    assert str(report["dense"].formula("rm")) == "RM = n_i*n_n*n_s"
    assert (report.coverage.nodes, report.coverage.counted, report.coverage.uncounted) == (2, 2, 0)
    assert report.totals.weight_bits == 8 * report.totals.params


def test_a_layer_alone_a_list_and_a_mapping() -> None:
    head = nc.Dense(inputs=10, units=5)
    assert nc.analyze(head, quant="w8a8").totals.bop == 4200
    assert nc.analyze([head, nc.Dense(inputs=5, units=2)]).totals.rm == 60
    report = nc.analyze(nc.Network({"first": head, "second": nc.Dense(inputs=5, units=2)}))
    assert [entry.name for entry in report.entries] == ["first", "second"]


def test_repeats_are_numbered() -> None:
    layers = [nc.Dense(inputs=n, units=m) for n, m in pairwise((4, 3, 2, 1))]
    assert [part.name for part in nc.Network(layers).named] == ["dense", "dense_2", "dense_3"]


def test_a_layer_may_say_its_name() -> None:
    layers = [nc.Dense(inputs=3, units=3, name="stem"), nc.Dense(inputs=3, units=3)]
    assert [part.name for part in nc.Network(layers).named] == ["stem", "dense"]
    assert layers[0] == layers[1], "a name changes no count"
    layers.append(nc.Dense(inputs=3, units=3, name="dense"))
    assert [part.name for part in nc.Network(layers).named] == ["stem", "dense_2", "dense"]


def test_the_chain_of_formats() -> None:
    """Missing input = previous activation, else float; missing activation = input; missing recurrent = weight."""
    first = nc.LSTM(steps=3, inputs=4, hidden=5, weight=FOUR, input=EIGHT, activation=SIX)
    second, third = nc.Dense(inputs=5, units=5, weight=FOUR), nc.Dense(inputs=5, units=2)
    network = nc.Network([first, second, third])
    four, six, eight = "fixed<4,1>", "fixed<6,1>", "fixed<8,1>"
    assert formats(network) == [(four, eight, six), (four, six, six), ("float32", six, six)]
    assert next(network.parts()).layer.recurrent == FOUR  # type: ignore[attr-defined]
    assert formats(nc.Network([third])) == [("float32", "float32", "float32")]


def test_quant_fills_in_and_the_option_overrides() -> None:
    """Command line > layer > network."""
    layers = [nc.Dense(inputs=4, units=4, weight=PowerOfTwo(bits=4)), nc.Dense(inputs=4, units=2)]
    network = nc.Network(layers, quant="w8a6")
    six, eight = "fixed<6,1>", "fixed<8,1>"
    assert formats(network) == [("pot<4>", six, six), (eight, six, six)]
    assert formats(network, "w8a8") == [(eight, eight, eight)] * 2
    assert formats(network, "w:binary") == [("binary", six, six)] * 2
    sources = [entry.row.formats_from for entry in nc.analyze(network).entries]
    assert sources == ["layer", "quant w8a6"]
    assert nc.analyze(network, quant="w8a8")["dense"].row.formats_from == "--quant w8a8"
    assert nc.analyze(network, quant="w8a8", input_bits=12)["dense"].row.formats["input"] == Fixed(bits=12, integer=1)


def test_keys_and_values_are_inputs_of_attention() -> None:
    layer = nc.Attention(heads=2, queries=3, keys=4, key_size=5, value_size=6)
    report = nc.analyze(layer, quant="w8a8")
    assert report.totals.nabs is not None and report["attention"].row.formats["key"] == EIGHT


def test_declared_accumulators() -> None:
    """50 products of 8*8 bits, 45 additions and 5 biases in the accumulator."""
    layer = nc.Dense(inputs=10, units=5)
    assert nc.analyze(nc.Network([layer], "w8a8p24")).totals.bop == 50 * 64 + 50 * 24
    assert nc.analyze(layer, quant="w8a8p30").totals.bop == 50 * 64 + 50 * 30
    table = {"kind": "dense", "inputs": 10, "units": 5, "accumulator": {"bits": 24}}
    assert nc.analyze([table, {**table, "accumulator": "exact", "inputs": 5}], quant="w8a8").totals.bop == (
        50 * 64 + 50 * 24 + 25 * 64 + 25 * 19
    )


def test_a_mismatch_is_a_warning() -> None:
    layers = [nc.LSTM(steps=4, inputs=3, hidden=5), nc.Dense(inputs=6, units=2)]
    expected = ("'dense' takes 6 inputs, but 'lstm' gives 5 per step, 20 in all",)
    assert nc.analyze(layers).network.warnings == expected
    for inputs in (5, 20):
        assert nc.analyze([layers[0], nc.Dense(inputs=inputs, units=2)]).network.warnings == ()


def test_open_sizes() -> None:
    n_h, n_i = nc.symbols("n_h n_i")  # type: ignore[misc]
    report = nc.analyze([nc.LSTM(steps=4, inputs=n_i, hidden=n_h), nc.Dense(inputs=n_h, units=2)])
    assert report.network.free == ("n_i", "n_h")
    assert str(report.totals.rm) == "16*n_h**2 + 16*n_h*n_i + 14*n_h"
    bound = nc.analyze(nc.LSTM(steps=4, inputs=n_i, hidden=n_h), dims={"n_h": 8, "n_i": 4})
    assert bound.totals.rm == 4 * 8 * (4 * 12 + 3)
    with pytest.raises(nc.UsageError, match=r"the exact convention needs integers; bind with --dim: n_i, n_h"):
        nc.analyze(report.network and [nc.LSTM(inputs=n_i, hidden=n_h)], convention="exact")
    with pytest.raises(nc.SpecError, match=r"^symbols: '2\*n' is not a list of names"):
        nc.symbols("2*n")


def test_sizes_of_sympy_and_numpy() -> None:
    n = sympy.Symbol("n")
    report = nc.analyze([nc.GRU(steps=4, inputs=3, hidden=n), nc.Dense(inputs=n, units=2 * n + 1)])
    assert (report.network.free, str(report.totals.rm)) == (("n",), "14*n**2 + 49*n")
    big = nc.analyze(nc.Dense(inputs=np.int64(2**40), units=np.int64(2**40))).totals.rm
    assert big == 2**80 and type(big) is int
    with pytest.raises(nc.SpecError, match=r"^dense: inputs is n/2, expected an integer of at least 1"):
        nc.Dense(inputs=n / 2, units=3)  # type: ignore[arg-type]


def test_the_letters_below_a_table(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = "steps = 2\ninputs = 3\nreservoir = 20\nnonzeros_per_row = 4\noutputs = 2\n"
    Path("esn.toml").write_text(f'[[layer]]\nkind = "esn"\n{sizes}')
    shown = " ".join(run("report", "esn.toml", "--symbolic", "--quant", "w8a8").out.split())
    assert "N_r reservoir" in shown and "n_z nonzeros per row" in shown and "n_o outputs" in shown


def test_what_is_no_layer_is_refused() -> None:
    message = "layer[1]: expected a layer such as nc.Dense(...), found int [E-SPEC-LAYER]"
    with pytest.raises(nc.SpecError, match=f"^{re.escape(message)}$"):
        nc.Network([nc.Dense(inputs=1, units=1), 3])  # type: ignore[list-item]
    with pytest.raises(nc.SpecError, match=r"^a network needs at least one layer \[E-SPEC-EMPTY\]$"):
        nc.Network([])
    message = "accumulators: no layer is called 'dens'; did you mean 'dense'? [E-SPEC-NAME]"
    with pytest.raises(nc.SpecError, match=f"^{re.escape(message)}$"):
        nc.Network([nc.Dense(inputs=1, units=1)], accumulators={"dens": 8})
    with pytest.raises(nc.QuantizationError, match=r"\[E-BITS\]$"):
        nc.Network([nc.Dense(inputs=1, units=1)], accumulators={"dense": 65})
    with pytest.raises(nc.QuantizationError):
        nc.Network([nc.Dense(inputs=1, units=1)], quant="w8b8")


SAME = ("rm", "mac", "bop", "nabs", "add", "act", "params")
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
DOORS: dict[str, dict[str, Any]] = {
    "dense": {"inputs": 13, "units": 7},
    "dense without bias": {"inputs": 9, "units": 5, "bias": False},
    "conv1d": {"length": 23, "channels": 3, "filters": 5, "kernel_size": 4, "padding": 2, "stride": 2},
    "conv1d in groups": {"length": 23, "channels": 6, "filters": 4, "kernel_size": 3, "dilation": 2, "groups": 2},
    "rnn": {"steps": 7, "inputs": 5, "hidden": 6},
    "lstm": {"steps": 7, "inputs": 5, "hidden": 6, "bidirectional": True},
    "lstm with peepholes": {"steps": 3, "inputs": 5, "hidden": 4, "peepholes": True},
    "gru": {"steps": 7, "inputs": 5, "hidden": 6},
    "gru reset after": {"steps": 2, "inputs": 3, "hidden": 9, "linear_before_reset": True, "bidirectional": True},
    "gru without bias": {"steps": 7, "inputs": 5, "hidden": 6, "bias": False},
}


def model_of(build: Any, kind: str, sizes: dict[str, Any]) -> onnx.ModelProto:
    """The same layer as an ONNX file."""
    bias = sizes.get("bias", True)
    if kind == "dense":
        weights = {"W": [sizes["inputs"], sizes["units"]], **({"b": [sizes["units"]]} if bias else {})}
        return build([helper.make_node("Gemm", ["x", *weights], ["y"])], {"x": [1, sizes["inputs"]]}, ["y"], weights)
    if kind == "conv1d":
        groups, ends, filters = sizes.get("groups", 1), sizes.get("padding", 0), sizes["filters"]
        shape = [filters, sizes["channels"] // groups, sizes["kernel_size"]]
        more = {"strides": [sizes.get("stride", 1)], "dilations": [sizes.get("dilation", 1)], "pads": [ends, ends]}
        node = helper.make_node("Conv", ["x", "W", "b"], ["y"], group=groups, **more)
        return build([node], {"x": [1, sizes["channels"], sizes["length"]]}, ["y"], {"W": shape, "b": [filters]})
    hidden, ways = sizes["hidden"], 2 if sizes.get("bidirectional") else 1
    rows = GATES[kind] * hidden
    weights = {"W": [ways, rows, sizes["inputs"]], "R": [ways, rows, hidden]}
    names = ["x", "W", "R"]
    if bias:
        weights["B"] = [ways, 2 * rows]
        names.append("B")
    if sizes.get("peepholes"):
        weights["P"] = [ways, 3 * hidden]
        names += ["", "", "", "P"]
    more = {"linear_before_reset": 1} if sizes.get("linear_before_reset") else {}
    direction = "bidirectional" if ways == 2 else "forward"
    node = helper.make_node(kind.upper(), names, ["y"], hidden_size=hidden, direction=direction, **more)
    return build([node], {"x": [sizes["steps"], 1, sizes["inputs"]]}, ["y"], weights)


def toml_of(kind: str, sizes: dict[str, Any]) -> str:
    lines = [f"{name} = {str(value).lower()}" for name, value in sizes.items()]
    return "\n".join(["[[layer]]", f'kind = "{kind}"', *lines, ""])


@pytest.mark.parametrize("quant", ["w8a8", "w4a9", "w:pot4,a8", "w:apot6x3,a7", "fp32", "w8a8p24"])
@pytest.mark.parametrize("case", DOORS)
def test_all_doors_lead_to_the_same_numbers(case: str, quant: str, build: Any, tmp_path: Path) -> None:
    """TOML, JSON, Python and an ONNX file of one layer."""
    kind, sizes = case.split()[0], DOORS[case]
    (tmp_path / "n.toml").write_text(toml_of(kind, sizes))
    table = {"kind": kind, **sizes}
    (tmp_path / "n.json").write_text(
        str(table).replace("'", '"').replace("True", "true").replace("False", "false").join(("[", "]"))
    )
    classes = {"dense": nc.Dense, "conv1d": nc.Conv1D, "rnn": nc.RNN, "lstm": nc.LSTM, "gru": nc.GRU}
    layers = [tmp_path / "n.toml", tmp_path / "n.json", [table], classes[kind](**sizes)]
    file = model_of(build, kind, sizes)
    paper, exact = (
        [
            {key: nc.analyze(source, quant=quant, convention=convention).totals[key] for key in SAME}
            for source in (*layers, file)
        ]
        for convention in ("paper", "exact")
    )
    assert paper == [paper[0]] * 5 and exact[:-1] == [exact[0]] * 4
    assert paper[0]["rm"] > 0
    assert (paper[0]["nabs"] is None) == (quant == "fp32")
    # In `exact` the file's weights are known, and all of them are zero: what is left does not multiply by one.
    peepholes = 3 * sizes["hidden"] * sizes["steps"] if sizes.get("peepholes") else 0
    assert exact[-1]["rm"] == exact[0]["rm"] - exact[0]["mac"] - peepholes
    for key in ("mac", "act", "params"):
        assert exact[-1][key] == exact[0][key]
    for key in ("bop", "nabs", "add"):
        assert exact[0][key] is None or exact[-1][key] < exact[0][key]


def test_a_chain_of_layers_is_the_chain_of_nodes(build: Any) -> None:
    """Conv, LSTM and a Gemm per step, as a file and as layers."""
    nodes = [
        helper.make_node("Conv", ["x", "K", "k"], ["c"]),
        helper.make_node("Transpose", ["c"], ["t"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["t", "W", "R", "B"], ["h"], hidden_size=6, direction="bidirectional"),
        helper.make_node("Transpose", ["h"], ["p"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["p", "s"], ["r"]),
        helper.make_node("MatMul", ["r", "D"], ["m"]),
        helper.make_node("Add", ["m", "d"], ["y"]),
    ]
    weights = {"K": [5, 2, 3], "k": [5], "W": [2, 24, 5], "R": [2, 24, 6], "B": [2, 48], "D": [12, 2], "d": [2]}
    model = build(nodes, {"x": [1, 2, 11]}, ["y"], weights)
    model.graph.initializer.append(helper.make_tensor("s", onnx.TensorProto.INT64, [2], [9, 12]))
    layers = [
        nc.Conv1D(length=11, channels=2, filters=5, kernel_size=3),
        nc.LSTM(steps=9, inputs=5, hidden=6, bidirectional=True),
        nc.Dense(inputs=12, units=2, steps=9),
    ]
    for quant in ("w8a8", "w:pot4,a6"):
        file, spec = nc.analyze(model, quant=quant), nc.analyze(layers, quant=quant)
        assert [spec.totals[key] for key in SAME] == [file.totals[key] for key in SAME]
    assert spec.network.warnings == () and FLOAT32.floating
