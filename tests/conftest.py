"""What several test files share: small models built in code, and the command run in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from nncomplexity.cli.main import main
from onnx import TensorProto, helper, numpy_helper

Build = Callable[..., onnx.ModelProto]
Save = Callable[..., str]
Run = Callable[..., "Ran"]


class Ran:
    """What a run of the command left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def built(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    weights: Mapping[str, Sequence[int]] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model of float inputs, named outputs and zero weights of the shapes given."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def build() -> Build:
    """`built`, for tests of one folder that cannot import each other."""
    return built


@pytest.fixture
def dense() -> onnx.ModelProto:
    """Dense 10 -> 5 with bias on `batch` vectors: MatMul, Add, Relu."""
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"], "product"),
        helper.make_node("Add", ["h", "b"], ["a"], "bias"),
        helper.make_node("Relu", ["a"], ["y"], "relu"),
    ]
    return built(nodes, {"x": ["batch", 10]}, ["y"], {"W": [10, 5], "b": [5]})


@pytest.fixture
def partly() -> onnx.ModelProto:
    """A MatMul of 2x3 by 3x5 beside a node of an unknown operator."""
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"], "product"),
        helper.make_node("Mystery", ["h"], ["y"], "riddle", domain="example.org"),
    ]
    model = built(nodes, {"x": [2, 3]}, ["y"], {"W": [3, 5]})
    model.opset_import.append(helper.make_opsetid("example.org", 1))
    return model


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Write a model under a name in the working directory, a fresh one, and give the name."""
    monkeypatch.chdir(tmp_path)

    def write(model: onnx.ModelProto, name: str = "m.onnx") -> str:
        Path(name).write_bytes(model.SerializeToString())
        return name

    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process."""

    def command(*arguments: str) -> Ran:
        code = main(list(arguments))
        found = capsys.readouterr()
        return Ran(code, found.out, found.err)

    return command
