"""ONNX files of quantized networks, written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

__all__ = ["GENERAL", "INT8", "MICROSOFT", "UINT8", "File"]

GENERAL, MICROSOFT = "qonnx.custom_op.general", "com.microsoft"
INT8, UINT8 = TensorProto.INT8, TensorProto.UINT8


class File:
    """An ONNX file in the making; every method gives the name of the tensor it made."""

    def __init__(self, opset: int = 21) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, *shape: int | str, type: int = TensorProto.FLOAT, name: str = "x") -> str:
        self.inputs.append(helper.make_tensor_value_info(name, type, shape))
        return name

    def constant(self, numbers: Any, type: int = TensorProto.FLOAT) -> str:
        name, array = f"c{len(self.stored)}", np.asarray(numbers)
        self.stored.append(helper.make_tensor(name, type, array.shape, array.reshape(-1).tolist()))
        return name

    def node(self, op: str, *inputs: str, name: str = "", domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        names = [f"t{len(self.nodes)}", *(f"t{len(self.nodes)}_{index}" for index in range(1, outputs))]
        self.nodes.append(helper.make_node(op, inputs, names, name, domain=domain, **attributes))
        return names[0]

    def quantize(self, x: str, scale: float, zero: int = 0, type: int = INT8, name: str = "") -> str:
        """QuantizeLinear alone."""
        return self.node("QuantizeLinear", x, self.constant(scale), self.constant(zero, type), name=name)

    def dequantize(self, x: str, scale: Any, zero: Any = 0, type: int = INT8, **more: Any) -> str:
        """DequantizeLinear alone."""
        return self.node("DequantizeLinear", x, self.constant(scale), self.constant(zero, type), **more)

    def both(self, x: str, scale: float, zero: int = 0, type: int = INT8, name: str = "") -> str:
        """QuantizeLinear and DequantizeLinear."""
        return self.dequantize(self.quantize(x, scale, zero, type, name), scale, zero, type)

    def weight(self, integers: Any, scale: Any = 1.0, type: int = INT8, **more: Any) -> str:
        """Stored integers behind DequantizeLinear."""
        zero = np.zeros(np.shape(scale), int)
        return self.dequantize(self.constant(integers, type), scale, zero, type, **more)

    def quant(self, x: str, bits: Any, scale: Any = 1.0, name: str = "", **more: Any) -> str:
        """QONNX Quant, zero point 0."""
        inputs = x, self.constant(scale), self.constant(0.0), self.constant(bits)
        settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **more}
        return self.node("Quant", *inputs, name=name, domain=GENERAL, **settings)

    def model(self, *outputs: str) -> onnx.ModelProto:
        results: Sequence[str] = outputs or (self.nodes[-1].output[0],)
        made = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in results]
        for each in made:
            each.ClearField("type")
        graph = helper.make_graph(self.nodes, "graph", self.inputs, made, self.stored)
        domains = {"": self.opset} | {node.domain: 1 for node in self.nodes if node.domain}
        return helper.make_model(graph, opset_imports=[helper.make_opsetid(*each) for each in domains.items()])
