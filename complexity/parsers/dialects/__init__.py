"""The dialects of quantization: the index page. One file reads one way of saying what the integers of a tensor mean.

An operator's rule knows shapes and work; a dialect knows the numbers: format, step, zero point, and where constants
stand for integers, those integers.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from .statement import Reader, Statement

__all__ = ["DIALECTS", "Statement", "reader"]

# The file of a dialect, and the operators whose calls say something in it, by domain.
GENERAL = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.channels_last", "")
DIALECTS: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "qdq": ((("", "com.microsoft"), ("QuantizeLinear", "DequantizeLinear")),),
    "qcdq": ((("",), ("Clip",)),),
    "qoperator": (
        (("", "com.microsoft"), ("QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger")),
        (
            ("com.microsoft",),
            (
                "QGemm",
                "QLinearAdd",
                "QLinearMul",
                "QLinearSigmoid",
                "QLinearLeakyRelu",
                "QLinearReduceMean",
                "QLinearSoftmax",
                "QLinearAveragePool",
                "QLinearGlobalAveragePool",
                "QLinearConcat",
                "QLinearWhere",
                "MatMulIntegerToFloat",
                "DynamicQuantizeMatMul",
                "DynamicQuantizeLSTM",
                "QAttention",
                "MatMulNBits",
            ),
        ),
    ),
    "dynamic": ((("",), ("DynamicQuantizeLinear",)),),
    "qonnx": (
        (GENERAL, ("Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc", "MultiThreshold", "QuantLSTMCell")),
    ),
    # Beside the graph, by tensor: no operator.
    "annotated": (),
    "scaled": ((("",), ("Cast", "Sub", "Mul", "Div", "Add")),),
}


@cache
def reader(domain: str, op: str) -> Reader | None:
    """What reads the calls of an operator, None where no dialect has something to say of them."""
    for name, groups in DIALECTS.items():
        if any(domain in domains and op in operators for domains, operators in groups):
            found: Reader = import_module(f".{name}", __package__).read
            return found
    return None
