"""Operators on integers whose scales and zero points are inputs: the output's say what its integers mean."""

from __future__ import annotations

from dataclasses import replace

from ...formats import Fixed, format_of_dtype
from ...operators.rule import Call
from ...shapes import Tensor
from .qdq import described
from .statement import Statement, checked_scale, fixed, on_steps, step_of

__all__ = ["read"]

# Where the scale of the output stands; its zero point follows.
OUTPUT_SCALE = {
    "QLinearConv": 6,
    "QLinearMatMul": 6,
    "QGemm": 7,
    "QLinearAdd": 6,
    "QLinearMul": 6,
    "QLinearConcat": 0,
    "QLinearWhere": 7,
}
# The others: x, x_scale, x_zero_point, y_scale, y_zero_point.
UNARY = 3


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """The output's integers."""
    tensor, at = outputs[0], OUTPUT_SCALE.get(call.op, UNARY)
    for index in range(len(call.inputs)):
        given = call.given(index)
        # Of what is float here only scales are.
        if given is not None and given.constant and given.dtype in ("float32", "float16", "float64", "bfloat16"):
            checked_scale(call, index, f"the scale at input {index}")
    held = format_of_dtype(tensor.dtype)
    if tensor.dtype is None or not isinstance(held, Fixed) or call.given(at) is None:
        return None
    step = step_of(checked_scale(call, at))
    encoding = described(call, at, at + 1, step, f"QOperator: {call.op} {place}")
    encoding = replace(encoding, carrier=tensor.dtype)
    low, high = held.interval
    return Statement(outputs=(on_steps(tensor, fixed(low, high, held.width, step), encoding),))
