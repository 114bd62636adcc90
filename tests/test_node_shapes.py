"""onnx's own node tests as the second witness of shapes and element types: over 1,800 one-node models."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from nncomplexity.parsers.graph import Walker
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.parsers.model import read_network
from nncomplexity.parsers.scope import Body, Scope
from nncomplexity.quantization import Quantization
from nncomplexity.shapes import Tensor
from onnx import numpy_helper

# Tensors of at most this many integers are made known: axes, shapes, lengths, repeats.
KNOWN = 64


def known_inputs(model: onnx.ModelProto, inputs: list[object]) -> onnx.ModelProto:
    """The model with its small integer, boolean and scalar inputs stored in the file."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value, given in zip(model.graph.input, inputs, strict=False):
        small = isinstance(given, np.ndarray) and given.size <= KNOWN and value.type.HasField("tensor_type")
        if small and isinstance(given, np.ndarray) and (given.dtype.kind in "iub" or given.ndim <= 1):
            tensor = numpy_helper.from_array(given, value.name)
            if tensor.data_type == value.type.tensor_type.elem_type:
                copy.graph.initializer.append(tensor)
    return copy


@pytest.fixture(scope="module")
def cases() -> Iterator[list[object]]:
    """Every node test of the installed onnx package; collecting them takes seconds, so once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        yield list(collect_testcases(None))


def outputs_of(model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """What the walker knows of every tensor of the main graph."""
    scopes: list[Scope] = []
    walk = Walker.nodes

    def watched(self: Walker, nodes: object, scope: Scope, outputs: object) -> Body:
        if self.place == "graph":
            scopes.append(scope)
        return walk(self, nodes, scope, outputs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Walker, "nodes", watched)
        read_network(model, Bindings(), Quantization())
    return scopes[0].tensors


def test_shapes_and_types_are_those_of_the_node_tests(cases: list, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: list[str] = []
    compared = 0
    for case in cases:
        if case.model is None:
            continue
        inputs, outputs = case.data_sets[0]
        tensors = outputs_of(known_inputs(case.model, inputs), monkeypatch)
        for value, true in zip(case.model.graph.output, outputs, strict=False):
            if not isinstance(true, np.ndarray) or value.name not in tensors:
                continue
            tensor = tensors[value.name]
            shape = tensor.shape
            if shape is None or not all(isinstance(size, int) for size in shape):
                continue
            compared += 1
            if shape != true.shape:
                wrong.append(f"{case.name}: {shape}, expected {true.shape}")
            if value.type.HasField("tensor_type"):
                expected = value.type.tensor_type.elem_type
                name = onnx.TensorProto.DataType.Name(expected).lower()
                found = {"float32": "float", "float64": "double"}.get(str(tensor.dtype), str(tensor.dtype))
                if found != name:
                    wrong.append(f"{case.name}: {found}, expected {name}")
    assert wrong == []
    assert compared > 1_500
