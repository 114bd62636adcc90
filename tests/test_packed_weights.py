"""Weights stored several to a byte count as the numbers they are."""

from __future__ import annotations

import nncomplexity as nc
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def test_a_quantized_embedding_table_counts_its_elements_and_their_bits() -> None:
    rows, columns, block = 50, 48, 16
    table = np.zeros((rows, columns // 2), np.uint8)
    scales = np.ones((rows, columns // block), np.float32)
    node = helper.make_node(
        "GatherBlockQuantized",
        ["table", "ids", "scales"],
        ["rows"],
        domain="com.microsoft",
        bits=4,
        block_size=block,
        gather_axis=0,
        quantize_axis=1,
    )
    graph = helper.make_graph(
        [node],
        "embedding",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", 7])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 7, columns])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(scales, "scales")],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    report = nc.analyze(helper.make_model(graph, opset_imports=imports, ir_version=10))
    (entry,) = report.entries
    assert entry.row.status.value == "free"
    assert [str(size) for size in entry.row.outputs[0] or ()] == ["batch", "7", "48"]
    assert (report.totals.params, report.totals.weight_bits) == (50 * 48, 50 * 48 * 4)
    assert report.refusals() == []
