"""Data types that stand beside the graph, as QONNX files have them."""

from __future__ import annotations

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

INPUTS, UNITS = 7, 5
WEIGHTS = np.random.default_rng(5).integers(-2, 2, (INPUTS, UNITS))


def network(types: dict[str, str]) -> onnx.ModelProto:
    """(x + 1) / 2 times a matrix."""
    constants = {"one": np.float32(1), "two": np.float32(2), "w": WEIGHTS.astype(np.float32)}
    nodes = [
        helper.make_node("Add", ["x", "one"], ["a"]),
        helper.make_node("Div", ["a", "two"], ["d"]),
        helper.make_node("MatMul", ["d", "w"], ["y"], "product"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, UNITS])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    for name, kind in types.items():
        annotation = graph.quantization_annotation.add()
        annotation.tensor_name = name
        entry = annotation.quant_parameter_tensor_names.add()
        entry.key, entry.value = "finn_datatype", kind
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("BIPOLAR", 1), ("INT4", None), ("FLOAT32", 32)],
)
def test_an_input_is_as_wide_as_its_annotation(kind: str, bits: int | None) -> None:
    """(x + 1) / 2 of -1 and 1 is 0 and 1; of 4-bit integers it is half of -7 to 8: 5 bits."""
    row = nc.analyze(network({"x": kind, "w": "INT2"}))["product"]
    assert row.bop_mac == INPUTS * UNITS * 2 * (bits or 5)


def test_integers_kept_in_floats_are_read_as_integers() -> None:
    row = nc.analyze(network({"x": "BIPOLAR", "w": "INT2"}), convention="exact")["product"]
    used = np.count_nonzero(WEIGHTS)
    assert (row.mac, row.rm, row.bop_mac) == (INPUTS * UNITS, 0, 2 * used)
    assert row.adders == sum(max(np.count_nonzero(column) - 1, 0) for column in WEIGHTS.T)


def test_the_command_line_is_above_an_annotation() -> None:
    row = nc.analyze(network({"x": "BIPOLAR", "w": "INT2"}), quant="w6a5")["product"]
    assert row.bop_mac == INPUTS * UNITS * 6 * 5


def test_a_name_that_is_no_data_type_is_refused() -> None:
    with pytest.raises(nc.ModelError) as refused:
        nc.analyze(network({"w": "INT"}))
    assert str(refused.value) == "ModelProto: the annotation of tensor 'w' is no data type: 'INT' [E-QUANT-TYPE]"
