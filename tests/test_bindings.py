"""Bindings: `--dim`, `--shape` and `--value` say what a file leaves open; what does not fit is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from nncomplexity.errors import BindingError
from onnx import TensorProto, helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def identity(inputs: Mapping[str, tuple[int, Sequence[int | str | None] | None]]) -> onnx.ModelProto:
    """One Identity per input; `x` -> `x_out`."""
    infos = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in inputs]
    outputs = [helper.make_empty_tensor_value_info(f"{name}_out") for name in inputs]
    graph = helper.make_graph(nodes, "g", infos, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def shapes(model: onnx.ModelProto, **options: Any) -> list[str]:
    """What the Identity nodes give: shapes as text."""
    return [",".join(map(str, entry.row.outputs[0] or ["?"])) for entry in nc.analyze(model, **options).entries]


def refused(model: onnx.ModelProto, **options: Any) -> str:
    with pytest.raises(BindingError) as caught:
        nc.analyze(model, **options)
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert text.startswith("ModelProto: ")
    return text.removeprefix("ModelProto: ")


PAIR = identity({"x": (FLOAT, ["N", 3]), "y": (FLOAT, ["N", "T"])})


def test_free_names_stay_and_bound_names_go() -> None:
    assert shapes(PAIR) == ["N,3", "N,T"]
    assert shapes(PAIR, dims={"N": 5}) == ["5,3", "5,T"]
    assert shapes(PAIR, dims={"N": 0, "T": 7}) == ["0,3", "0,7"]
    report = nc.analyze(PAIR, dims={"N": 5})
    assert (report.network.dims, report.network.free) == ({"N": 5}, ("T",))


def test_a_shape_gives_its_names_to_all_inputs() -> None:
    assert shapes(PAIR, shapes={"y": (4, 9)}) == ["4,3", "4,9"]
    assert nc.analyze(PAIR, shapes={"y": (4, 9)}).network.dims == {"N": 4, "T": 9}
    assert shapes(PAIR, shapes={"y": ("rows", 9)}) == ["N,3", "rows,9"]
    assert shapes(PAIR, dims={"N": 2}, shapes={"y": (2, 9)}) == ["2,3", "2,9"]


@pytest.mark.parametrize("integer", [np.int64(6), np.uint8(6), True + 5])
def test_any_integer_type_is_a_size(integer: int) -> None:
    assert shapes(PAIR, dims={"N": integer}) == ["6,3", "6,T"]
    assert shapes(PAIR, shapes={"x": (integer, 3)}) == ["6,3", "6,T"]


@pytest.mark.parametrize("name", ["N", "I", "E", "S", "oo", "lambda", "import", "a b", "x.y:z", "größe", "N\n"])
def test_names_are_only_names(name: str) -> None:
    model = identity({"x": (FLOAT, [name, 2])})
    assert nc.analyze(model).network.free == (name,)
    assert shapes(model, dims={name: 4}) == ["4,2"]


@pytest.mark.parametrize("unnamed", [None, "", "?", "-1", "-17", -1])
def test_dims_without_a_name_are_called_by_input_and_axis(unnamed: int | str | None) -> None:
    model = identity({"x": (FLOAT, [3, unnamed]), "y": (FLOAT, [unnamed, 2])})
    if unnamed == -1:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -1
    assert shapes(model) == ["3,x:1", "y:0,2"]
    assert shapes(model, dims={"x:1": 8}) == ["3,8", "y:0,2"]
    assert shapes(model, shapes={"x": (3, 8)}) == ["3,8", "y:0,2"]


def test_arithmetic_in_dim_params() -> None:
    model = identity({"x": (FLOAT, ["2*N + 1", "floor(T/2)"]), "past": (FLOAT, ["N", "T"])})
    assert shapes(model, dims={"N": 4, "T": 7}) == ["9,3", "4,7"]
    # The one name a size is linear in follows from the size, whichever input says it.
    assert shapes(model, shapes={"x": (9, 3)}) == ["9,3", "4,T"]
    assert shapes(model, shapes={"past": (4, 7), "x": (9, 3)}) == ["9,3", "4,7"]


def test_values_of_integer_inputs_are_known() -> None:
    model = identity({"n": (INT64, []), "v": (INT64, ["K"]), "w": (INT64, ["K"]), "on": (BOOL, [1])})
    report = nc.analyze(model, values={"n": -3, "v": [1, 2, 3], "on": True})
    assert report.entries[0].row.outputs == ((),)
    assert shapes(model, values={"v": [1, 2, 3]})[1:3] == ["3", "3"]
    assert shapes(model, values={"v": 9}, dims={"K": 4})[1:3] == ["4", "4"]
    # An input of unknown rank: one value is a scalar, more are a vector.
    loose = identity({"n": (INT64, None)})
    assert nc.analyze(loose, values={"n": 4}).entries[0].row.outputs == ((),)
    assert shapes(loose, values={"n": [4, 5]}) == ["2"]


def test_a_known_value_shapes_what_follows() -> None:
    x = helper.make_tensor_value_info("x", FLOAT, [12])
    shape = helper.make_tensor_value_info("shape", INT64, [2])
    y = helper.make_tensor_value_info("y", FLOAT, None)
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", [x, shape], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    assert shapes(model, values={"shape": [3, -1]}) == ["3,4"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dims": {"n": 1}}, "--dim: the model has no dim 'n'; there are: N, T [E-BIND-DIM]"),
        ({"dims": {"NN": 1}}, "--dim: the model has no dim 'NN'; did you mean 'N'? [E-BIND-DIM]"),
        ({"dims": {"N": -1}}, "--dim N=-1: a size is not negative [E-BIND-SIZE]"),
        ({"dims": {"N": 2.5}}, "--dim N=2.5: a size is an integer [E-BIND-NUMBER]"),
        ({"dims": {"N": "4"}}, "--dim N=4: a size is an integer [E-BIND-NUMBER]"),
        ({"shapes": {"X": (1,)}}, "--shape: the model has no input 'X'; there are: x, y [E-BIND-INPUT]"),
        ({"shapes": {"x": (1,)}}, "--shape x=1: the input has rank 2, found 1 sizes [E-BIND-RANK]"),
        ({"shapes": {"x": ()}}, "--shape x=scalar: the input has rank 2, found 0 sizes [E-BIND-RANK]"),
        ({"shapes": {"x": (1, 4)}}, "--shape x=1x4: axis 1 is 3 in the file, found 4 [E-BIND-FIXED]"),
        ({"shapes": {"x": (1, "K")}}, "--shape x=1xK: axis 1 is 3 in the file, found K [E-BIND-FIXED]"),
        ({"shapes": {"x": (-2, 3)}}, "--shape x=-2x3=-2: a size is not negative [E-BIND-SIZE]"),
        (
            {"shapes": {"x": (1, 3), "y": (2, 4)}},
            "--shape y=2x4: dim 'N' is bound to 1 and to 2 [E-BIND-TWICE]",
        ),
        ({"dims": {"N": 4}, "shapes": {"x": (1, 3)}}, "--shape x=1x3: dim 'N' is bound to 4 and to 1 [E-BIND-TWICE]"),
        ({"values": {"z": 1}}, "--value: the model has no input 'z'; there are: x, y [E-BIND-INPUT]"),
        ({"values": {"x": 1}}, "--value x: the input is float32, not integer or boolean [E-BIND-VALUE]"),
    ],
)
def test_refusals(options: dict[str, Any], text: str) -> None:
    assert refused(PAIR, **options) == text


@pytest.mark.parametrize(
    ("inputs", "options", "text"),
    [
        (
            {"x": (FLOAT, ["2*N"])},
            {"shapes": {"x": (5,)}},
            "--shape x=5: axis 0 is 2*N in the file, found 5 [E-BIND-FIXED]",
        ),
        (
            {"x": (FLOAT, ["N + 1"])},
            {"shapes": {"x": (5,)}, "dims": {"N": 3}},
            "--shape x=5: dim 'N + 1' is bound to 4 and to 5 [E-BIND-TWICE]",
        ),
        (
            {"v": (INT64, [3])},
            {"values": {"v": [1, 2]}},
            "--value v: 2 values for an input of 3 elements [E-BIND-VALUE]",
        ),
        (
            {"v": (INT64, ["A", "B"])},
            {"values": {"v": [1, 2]}},
            "--value v: 2 values for an input of A*B elements [E-BIND-VALUE]",
        ),
        (
            {"v": (TensorProto.UINT8, [1])},
            {"values": {"v": 256}},
            "--value v: 256 is outside uint8 (0 to 255) [E-BIND-VALUE]",
        ),
        (
            {"v": (TensorProto.INT8, [1])},
            {"values": {"v": -129}},
            "--value v: -129 is outside int8 (-128 to 127) [E-BIND-VALUE]",
        ),
        ({"v": (BOOL, [1])}, {"values": {"v": 2}}, "--value v: 2 is outside bool (0 to 1) [E-BIND-VALUE]"),
        (
            {"v": (TensorProto.STRING, [1])},
            {"values": {"v": 1}},
            "--value v: the input is string, not integer or boolean [E-BIND-VALUE]",
        ),
    ],
)
def test_refusals_of_special_inputs(inputs: Any, options: dict[str, Any], text: str) -> None:
    assert refused(identity(inputs), **options) == text


def test_sequences_and_optionals() -> None:
    item = helper.make_tensor_type_proto(FLOAT, ["N", 2])
    sequence = helper.make_value_info("s", helper.make_sequence_type_proto(item))
    optional = helper.make_value_info("o", helper.make_optional_type_proto(item))
    nodes = [
        helper.make_node("ConcatFromSequence", ["s"], ["c"], axis=0),
        helper.make_node("OptionalGetElement", ["o"], ["e"]),
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in ("c", "e")]
    graph = helper.make_graph(nodes, "g", [sequence, optional], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert shapes(model) == ["N*s.length,2", "N,2"]
    assert shapes(model, dims={"N": 3, "s.length": 4}) == ["12,2", "3,2"]
    assert refused(model, shapes={"s": (3, 2)}) == (
        "--shape s=3x2: the input is a sequence, bind the dims of its items with --dim [E-BIND-SHAPE]"
    )
    assert refused(model, values={"s": 1}) == (
        "--value s: the input is a sequence, not integer or boolean [E-BIND-VALUE]"
    )


def test_initializers_among_the_inputs_are_weights_not_inputs() -> None:
    infos = [helper.make_tensor_value_info(name, FLOAT, [3, "M"]) for name in ("x", "w")]
    weight = helper.make_tensor("w", FLOAT, [3, 3], [0.0] * 9)
    y = helper.make_tensor_value_info("y", FLOAT, None)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", infos, [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=3)
    report = nc.analyze(model, dims={"M": 3})
    assert (report.totals.mac, report.totals.params) == (27, 9)
    assert refused(model, shapes={"w": (3, 3)}) == "--shape: the model has no input 'w'; there are: x [E-BIND-INPUT]"
