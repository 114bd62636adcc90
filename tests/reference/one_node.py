"""Models of one node, computed by onnx's own reference or by the runtime: the witnesses of values and shapes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

__all__ = ["by_onnx", "by_runtime", "floats"]

Feeds = dict[str, Any]


def floats(*shape: int) -> Any:
    """Random float32 numbers, the same for the same shape."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def one_node(
    op: str, arrays: Iterable[Any], outputs: int, domain: str, opsets: dict[str, int], attributes: dict[str, Any]
) -> tuple[onnx.ModelProto, Feeds]:
    """The model, and what to feed it; an absent input is None."""
    named = {f"x{index}": array for index, array in enumerate(arrays)}
    names = [name if array is not None else "" for name, array in named.items()]
    feeds = {name: array for name, array in named.items() if array is not None}
    node = helper.make_node(op, names, [f"y{index}" for index in range(outputs)], domain=domain, **attributes)
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name=name) for name in node.output])
    imports = [helper.make_opsetid(name, version) for name, version in opsets.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=9), feeds


def by_onnx(op: str, arrays: Iterable[Any], *, version: int, outputs: int = 1, **attributes: Any) -> list[Any]:
    """What onnx's own reference computes."""
    model, feeds = one_node(op, arrays, outputs, "", {"": version}, attributes)
    return list(ReferenceEvaluator(model).run(None, feeds))


def by_runtime(
    op: str, arrays: Iterable[Any], outputs: int = 1, *, domain: str = "com.microsoft", **attributes: Any
) -> list[Any]:
    """What onnxruntime computes; the test is skipped where it is not installed."""
    onnxruntime = pytest.importorskip("onnxruntime")
    opsets = {"": 17, "ai.onnx.ml": 3, "com.microsoft": 1}
    model, feeds = one_node(op, arrays, outputs, domain, opsets, attributes)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))
