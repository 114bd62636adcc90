"""`nncomplexity verify` on models: their own weights, ONNX's own results, many layers at once."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from nncomplexity.catalogue import Part
from nncomplexity.cli import proving
from nncomplexity.cli.main import main
from nncomplexity.cli.parts import subjects
from nncomplexity.hw import elaborations
from nncomplexity.hw.building import build
from nncomplexity.hw.elaborate import elaborate
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

EXAMPLES = Path(__file__).parent.parent / "examples"
Array = np.ndarray[Any, Any]
Weights = Mapping[str, Array]
Run = Callable[..., Any]
Save = Callable[..., str]
STEPS = 2.0**-3, 2.0**-5


def model(nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Sequence[int | str]], weights: Weights) -> Any:
    """A model of float inputs whose last node makes `y`."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    domains = [helper.make_opsetid("", 19), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8)


def normal(*shape: int, seed: int = 5) -> Array:
    """Real weights."""
    return np.random.default_rng(seed).normal(0, 0.4, shape).astype(np.float32)


def integers(*shape: int, seed: int = 5, low: int = -128, high: int = 128) -> Array:
    """Stored weights."""
    return np.random.default_rng(seed).integers(low, high, shape)


def dense(units: int = 3) -> Any:
    """Gemm and ReLU."""
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["h"], "fc", transB=1),
        helper.make_node("Relu", ["h"], ["y"], "relu"),
    ]
    return model(nodes, {"x": ["batch", 7]}, {"W": normal(units, 7), "b": normal(units)})


def quantized(kind: type[np.generic] = np.int8, zeros: tuple[int, int] = (3, 0)) -> Any:
    """x and W between quantizers: QDQ, with zero points of the input and of the weights."""
    held = np.iinfo(kind)  # type: ignore[type-var]
    weights = {
        "W": integers(6, 4, low=int(held.min), high=int(held.max) + 1).astype(kind),
        "sx": np.array(STEPS[0], np.float32),
        "zx": np.array(zeros[0], np.int8),
        "sw": np.array(STEPS[1], np.float32),
        "zw": np.array(zeros[1], kind),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["xq"], "quantize"),
        helper.make_node("DequantizeLinear", ["xq", "sx", "zx"], ["xd"], "dequantize"),
        helper.make_node("DequantizeLinear", ["W", "sw", "zw"], ["wd"], "weight"),
        helper.make_node("MatMul", ["xd", "wd"], ["y"], "product"),
    ]
    return model(nodes, {"x": [5, 6]}, weights)


def recurrent(op: str, gates: int, *, directions: int = 1, **attributes: Any) -> Any:
    """A recurrent layer over 4 steps of 2 inputs, 3 hidden."""
    weights = {
        "W": normal(directions, gates * 3, 2, seed=1),
        "R": normal(directions, gates * 3, 3, seed=2),
        "B": normal(directions, 2 * gates * 3, seed=3),
    }
    inputs = ["x", "W", "R", "B"]
    if attributes.pop("peepholes", False):
        weights["P"] = np.full((directions, 9), 0.25, np.float32)
        inputs += ["", "", "", "P"]
    if directions == 2:
        attributes["direction"] = "bidirectional"
    node = helper.make_node(op, inputs, ["y"], "cell", hidden_size=3, **attributes)
    return model([node], {"x": [4, 1, 2]}, weights)


def verified(run: Run, *arguments: str, code: int = 0) -> Any:
    """The JSON of a run."""
    ran = run("verify", *arguments, "--vectors", "30", "-f", "json")
    assert ran.code == code, ran.err
    return json.loads(ran.out)


def test_table(save: Save, run: Run) -> None:
    ran = run("verify", save(dense()), "--quant", "w8a8", "--dim", "batch=2", "--vectors", "30", "--seed", "4")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split()[-3:] == ["saturated", "deviation", "bound"]
    # 21 products, 18 additions, 3 biases; a sum of integers is ONNX's own but for nothing.
    assert lines[2].split() == ["fc", "mac", "given", "30", "1", "1", "42", "equal", "equal", "-", "0", "0"]
    # A comparison with 0, of one element.
    assert lines[3].split()[:9] == ["relu", "mac", "drawn", "30", "1", "1", "1", "equal", "equal"]
    assert "inputs drawn from seed 4; schedule unrolled; elaborated by pyosys " in lines[5]
    assert lines[6].startswith(f"deviations from onnx {onnx.__version__} Gemm")


def test_json_says_what_was_compared(save: Save, run: Run) -> None:
    found = verified(run, save(quantized()), "--style", "shiftadd", "--rounding", "RND", "--overflow", "SAT")
    (layer,) = found["layers"]
    assert layer.pop("simulator").startswith("pyosys ") and layer.pop("operations") > 0
    said = {
        "name": "product",
        "style": "shiftadd",
        "schedule": "unrolled",
        "vectors": 30,
        "steps": 1,
        "values_equal": True,
        "counts_equal": True,
        "first_difference": "",
        "cycles": 1,
        "counted_by": "exact convention, shiftadd",
        "adders_alone": None,
        "inner_operations": 0,
        "changed": [],
        "idealised": [],
        "weights": "given",
        "rounding": "RND",
        "overflow": "SAT",
        "saturated": None,
        "deviation": 0.0,
        "bound": 0.0,
        "within": True,
        "reference": f"onnx {onnx.__version__} Gemm",
    }
    assert {key: layer[key] for key in said} == said


LINEAR: dict[str, tuple[Any, tuple[str, ...]]] = {
    "gemm": (dense(), ("--quant", "w8a8", "--dim", "batch=2")),
    "gemm of powers": (dense(), ("--quant", "w:pot4,a6", "--dim", "batch=1")),
    "integers": (quantized(), ()),
    "zero points of weights": (quantized(np.uint8, (-7, 130)), ()),
    "matrix on the left": (
        model([helper.make_node("MatMul", ["W", "x"], ["y"], "fc")], {"x": [6, 2]}, {"W": normal(3, 6)}),
        ("--quant", "w5a4"),
    ),
    "batches of weights": (
        model([helper.make_node("MatMul", ["x", "W"], ["y"], "fc")], {"x": [2, 5, 4]}, {"W": normal(2, 4, 3)}),
        ("--quant", "w5a4"),
    ),
    "two variables": (
        model([helper.make_node("MatMul", ["x", "z"], ["y"], "scores")], {"x": [3, 4], "z": [4, 2]}, {}),
        ("--quant", "w6a6"),
    ),
    "conv": (
        model(
            [helper.make_node("Conv", ["x", "W", "b"], ["y"], "conv", pads=[1, 0, 1, 0])],
            {"x": [1, 2, 5, 4]},
            {"W": normal(3, 2, 3, 2), "b": normal(3)},
        ),
        ("--quant", "w6a5"),
    ),
    "conv of groups": (
        model(
            [helper.make_node("Conv", ["x", "W", "b"], ["y"], "conv", group=2)],
            {"x": [1, 4, 6]},
            {"W": normal(6, 2, 3), "b": normal(6)},
        ),
        ("--quant", "w6a5"),
    ),
    "dynamic": (
        model(
            [
                helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "quantize"),
                helper.make_node("MatMulInteger", ["q", "W", "z"], ["i"], "product"),
                helper.make_node("Cast", ["i"], ["y"], "cast", to=TensorProto.FLOAT),
            ],
            {"x": [2, 5]},
            {"W": integers(5, 3).astype(np.int8)},
        ),
        (),
    ),
}


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("name", LINEAR)
def test_sums_of_products_are_exactly_those_of_onnx(name: str, style: str, save: Save, run: Run) -> None:
    made, arguments = LINEAR[name]
    layer = verified(run, save(made), *arguments, "--style", style)["layers"][0]
    assert layer["values_equal"] and layer["counts_equal"]
    assert (layer["deviation"], layer["bound"], layer["within"]) == (0, 0, True)
    apart = name == "zero points of weights" and style == "mac"
    given = "given, zero points apart" if apart else "drawn" if name == "two variables" else "given"
    assert layer["weights"] == given


CELLS: dict[str, tuple[Any, str]] = {
    "rnn": (recurrent("RNN", 1), "RNN"),
    "relu": (recurrent("RNN", 1, activations=["Relu"]), ""),
    "gru": (recurrent("GRU", 3), "GRU"),
    "gru before the reset": (recurrent("GRU", 3, linear_before_reset=1), "GRU"),
    "lstm": (recurrent("LSTM", 4), "LSTM"),
    "coupled": (recurrent("LSTM", 4, input_forget=1), ""),
}


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("name", CELLS)
def test_cells_stay_within_their_bound(name: str, style: str, save: Save, run: Run) -> None:
    made, op = CELLS[name]
    arguments = ("--quant", "w:8,a:fixed<12,4>", "--rounding", "RND", "--overflow", "SAT", "--style", style)
    (layer,) = verified(run, save(made), *arguments)["layers"]
    assert (layer["name"], layer["steps"], layer["weights"]) == ("cell", 20, "given")
    assert layer["values_equal"] and layer["counts_equal"] and layer["within"]
    assert 0 < layer["deviation"] <= layer["bound"]
    assert layer["reference"] == (f"onnx {onnx.__version__} {op}" if op else "equations in floats")
    # Tables see the whole of what their operand can be: its ends are reached, or the ReLU's state is held back.
    assert isinstance(layer["saturated"], bool)


def test_each_direction_is_a_kernel(save: Save, run: Run) -> None:
    found = verified(run, save(recurrent("LSTM", 4, directions=2)), "--quant", "w6a8")["layers"]
    assert [layer["name"] for layer in found] == ["cell (forward)", "cell (backward)"]
    assert all(layer["values_equal"] and layer["counts_equal"] for layer in found)
    # Weights differ, so do results.
    assert found[0]["deviation"] != found[1]["deviation"]


def test_a_cell_in_steps_that_formats_do_not_say(save: Save, run: Run) -> None:
    """Its activations see other numbers than the model's: the kernel is proved, and how far off it is says nothing."""

    def stored(step: float) -> Any:
        nodes = [
            helper.make_node("DequantizeLinear", [f"{name}q", "s"], [name], f"dequantize {name}") for name in ("W", "R")
        ]
        node = helper.make_node("LSTM", ["x", "W", "R"], ["y"], "cell", hidden_size=3)
        weights = {
            "Wq": integers(1, 12, 2, seed=1).astype(np.int8),
            "Rq": integers(1, 12, 3, seed=2).astype(np.int8),
            "s": np.array(step, np.float32),
        }
        return model([*nodes, node], {"x": [4, 1, 2]}, weights)

    for step, weights in ((1.0, "given"), (0.03, "given, steps of the file")):
        (layer,) = verified(run, save(stored(step)), "--quant", "a:fixed<8,4>")["layers"]
        assert layer["values_equal"] and layer["counts_equal"] and layer["weights"] == weights
        assert (layer["deviation"] is None) == (layer["within"] is None) == (layer["reference"] == "") == (step != 1)


def test_peepholes_have_binary_points_of_their_own(save: Save, run: Run) -> None:
    ran = run("verify", save(recurrent("LSTM", 4, peepholes=True)), "--quant", "w8a8")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "nncomplexity: error: m.onnx: layer 'cell': nothing to prove: its gates' weights have binary points of their "
        "own, a kernel has one for all of them [E-KERNEL-LAYER]\n"
    )
    (layer,) = verified(run, "m.onnx", "--quant", "w:fixed<8,2>,a:8")["layers"]
    assert layer["values_equal"] and layer["counts_equal"] and layer["within"]


def arguments_of(file: str, **options: Any) -> Any:
    """What the options of the command say."""
    every = {"layer": "*", "quant": "model", "dim": [], "shape": [], "value": [], "random_weights": False}
    return SimpleNamespace(source=file, **{**every, **options})


@pytest.mark.parametrize(("kind", "zeros"), [(np.int8, (0, 0)), (np.int8, (3, -5)), (np.uint8, (-7, 130))])
def test_the_kernel_of_a_quantized_model_gives_its_results(kind: Any, zeros: tuple[int, int], save: Save) -> None:
    made = quantized(kind, zeros)
    x = np.random.default_rng(3).uniform(-11, 11, (5, 6)).astype(np.float32)
    made.graph.output.append(helper.make_tensor_value_info("xq", TensorProto.INT8, None))
    wanted, stored = ReferenceEvaluator(made).run(None, {"x": x})
    (subject,) = subjects(arguments_of(save(made), style="shiftadd"))
    assert subject.part is not None
    kernel = build(subject.part.layer, "shiftadd", subject.weights)
    (found,) = kernel.run({"x0": [stored.astype(np.int64)]})
    matrix = np.array(subject.weights["weight"]).reshape(4, 6)
    # The input's zero point is a constant of every sum.
    sums = found.astype(np.int64) - zeros[0] * matrix.sum(axis=1)
    assert np.array_equal(matrix.T, numpy_helper.to_array(made.graph.initializer[0]).astype(np.int64) - zeros[1])
    # Steps that are powers of two leave nothing to round: ONNX's floats are the kernel's integers.
    assert np.array_equal(sums * (STEPS[0] * STEPS[1]), wanted)


def test_what_has_no_kernel_is_listed_with_the_reason(save: Save, run: Run) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"], "first"),
        helper.make_node("Add", ["h", "b"], ["a"], "bias"),
        helper.make_node("Mystery", ["a"], ["m"], "riddle", domain="com.microsoft"),
        helper.make_node("MatMul", ["a", "V"], ["y"], "second"),
    ]
    weights = {"W": normal(4, 3), "b": normal(3), "V": integers(3, 2).astype(np.float32)}
    found = verified(run, save(model(nodes, {"x": [1, 4]}, weights)), "--quant", "w8a8", "--max-products", "11")
    assert [layer["name"] for layer in found["layers"]] == ["bias", "second"]
    assert found["without_kernel"] == [
        {"name": "first", "reason": "its kernel has 12 products, --max-products allows 11"},
        {"name": "riddle", "reason": "it is not counted: no rule for operator Mystery of domain com.microsoft"},
    ]
    ran = run("verify", "m.onnx")
    assert ran.code == 2
    assert ran.err == (
        "nncomplexity: error: m.onnx: layer 'first' (and 3 more): nothing to prove: weight is float32, a kernel needs "
        "fixed point; give formats with --quant w8a8 [E-KERNEL-LAYER]\n"
    )


@pytest.mark.parametrize(
    ("units", "line"),
    [
        (3, "initializer 'W': the tensor holds 0 entries, its shape [3, 7] of float32 needs 21 [E-TENSOR-SIZE]"),
        (90, "node 'fc' (Gemm): the tensor holds 0 entries, its shape [90, 7] of float32 needs 630 [E-TENSOR-SIZE]"),
    ],
)
def test_weights_that_cannot_be_read(units: int, line: str, save: Save, run: Run) -> None:
    made = dense(units)
    for tensor in made.graph.initializer:
        tensor.ClearField("raw_data")
    arguments = (save(made), "--quant", "w8a8", "--dim", "batch=1")
    ran = run("verify", *arguments)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"nncomplexity: error: m.onnx: {line}\n"
    layer = verified(run, *arguments, "--random-weights")["layers"][0]
    assert layer["weights"] == "drawn" and layer["values_equal"] and layer["counts_equal"]


def test_external_data_that_is_missing(save: Save, run: Run) -> None:
    made = dense()
    onnx.external_data_helper.convert_model_to_external_data(made, location="weights.bin", size_threshold=0)
    for tensor in made.graph.initializer:
        tensor.ClearField("raw_data")
    ran = run("verify", save(made), "--quant", "w8a8", "--dim", "batch=1")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1 and "weights.bin" in ran.err
    assert verified(run, "m.onnx", "--quant", "w8a8", "--dim", "batch=1", "--random-weights")["layers"]


def test_standard_input_and_a_quantization_in_the_name(save: Save, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save(dense())
    one = verified(run, f"{file}@w6a5", "--dim", "batch=1")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path(file).read_bytes())))
    assert verified(run, "-", "--quant", "w6a5", "--dim", "batch=1") == one


def test_examples(run: Run) -> None:
    found = verified(run, str(EXAMPLES / "student.onnx"), "--dim", "batch=1", "--quant", "w:pot4,a8")["layers"]
    assert [layer["name"] for layer in found][-2:] == ["head/MatMul_1", "head/linear"]
    assert all(layer["values_equal"] and layer["counts_equal"] and not layer["deviation"] for layer in found)


def test_operators_that_are_no_layers_have_kernels_of_one_element_or_window(save: Save, run: Run) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "W"], ["c"], "conv"),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], "norm"),
        helper.make_node("Relu", ["n"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["p"], "largest", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Sigmoid", ["p"], ["g"], "gate"),
        helper.make_node("GlobalAveragePool", ["g"], ["y"], "mean"),
    ]
    weights = {"W": normal(3, 2, 2, 2), "s": normal(3), "b": normal(3), "m": normal(3), "v": np.ones(3, np.float32)}
    found = verified(run, save(model(nodes, {"x": [1, 2, 5, 7]}, weights)), "--quant", "w6a6")
    assert [layer["name"] for layer in found["layers"]] == ["conv", "norm", "relu", "largest", "gate", "mean"]
    assert all(layer["values_equal"] and layer["counts_equal"] for layer in found["layers"])
    # A product and an addition a channel; a comparison; three of them; a look-up; five additions, the product by 1/6.
    assert [layer["operations"] for layer in found["layers"]][1:] == [6, 1, 3, 1, 6]


def test_jobs_change_nothing_but_the_time(save: Save, run: Run) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "V"], ["y"], "second"),
    ]
    file = save(model(nodes, {"x": [1, 4]}, {"W": normal(4, 3), "V": normal(3, 2)}))
    alone = run("verify", file, "--quant", "w6a5", "--vectors", "20")
    together = run("verify", file, "--quant", "w6a5", "--vectors", "20", "--jobs", "2")
    assert (alone.code, alone.out) == (together.code, together.out)
    assert together.code == 0


def test_equal_kernels_are_elaborated_once(save: Save, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(text: str, top: str) -> object:
        made.append(text)
        return elaborate(text, top)

    monkeypatch.setattr(elaborations, "elaborate", counted)
    weights = {"A": normal(3, 3, seed=1), "B": normal(3, 3, seed=2), "C": normal(3, 4, seed=3)}
    nodes = [
        helper.make_node("MatMul", ["x", "A"], ["a"], "first"),
        helper.make_node("MatMul", ["a", "B"], ["b"], "second"),
        helper.make_node("MatMul", ["b", "C"], ["y"], "third"),
    ]
    found = verified(run, save(model(nodes, {"x": [1, 3]}, weights)), "--quant", "w6a5", "--style", "mac")["layers"]
    # With weights on ports two layers of one size are one text, with weights of their own.
    assert len(found) == 3 and len(made) == 2
    assert verified(run, "m.onnx", "--quant", "w6a5", "--style", "shiftadd")["layers"] and len(made) == 5


class Crash:
    """Ends the process that reads it."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (3,)


def test_a_process_that_dies_is_a_fault_of_the_program(save: Save, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = [proving.Subject(name=name, part=Part(name=name, layer=Crash())) for name in "ab"]  # type: ignore[arg-type]
    monkeypatch.setattr("nncomplexity.cli.verify.subjects", lambda arguments: iter(crashing))
    ran = run("verify", "m.onnx", "--jobs", "2")
    assert (ran.code, ran.out) == (70, "")
    assert ran.err == ("nncomplexity: error: internal error (BrokenProcessPool); rerun with --debug [E-BUG]\n")


def test_an_interrupt_is_exit_130(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(task: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(proving, "_proved", interrupted)
    assert main(["verify", save(dense()), "--quant", "w8a8", "--dim", "batch=1"]) == 130


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--jobs", "0"], "--jobs 0 is out of range; choose 1 to 1024 [E-USAGE]"),
        (["--rounding", "RDN"], "--rounding 'RDN' is unknown; did you mean 'TRN'? [E-USAGE]"),
        (["--overflow", "CLIP"], "--overflow 'CLIP' is unknown; there are: WRAP, SAT, SAT_SYM [E-USAGE]"),
        (["--layer", "rely"], "--layer: no layer is called 'rely'; did you mean 'relu'? [E-LAYER-NAME]"),
        (["--dim", "b=1"], "m.onnx: --dim: the model has no dim 'b'; there are: batch [E-BIND-DIM]"),
        ([], "m.onnx: the exact convention needs integers; bind with --dim: batch [E-EXACT-SYMBOL]"),
        (
            ["--quant", "w8a8p24", "--dim", "batch=1", "--layer", "fc"],
            "m.onnx: layer 'fc': nothing to prove: its accumulators have 24 bits; kernels have those that "
            "sums need [E-KERNEL-LAYER]",
        ),
    ],
)
def test_errors(save: Save, run: Run, arguments: list[str], line: str) -> None:
    extra = [] if "--dim" in arguments or line.startswith("m.onnx") else ["--dim", "batch=1"]
    ran = run("verify", save(dense()), *arguments, *extra)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"nncomplexity: error: {line}\n"
