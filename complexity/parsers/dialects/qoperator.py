"""Operators on integers whose scales and zero points are inputs: the output's say what its integers mean."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from ...expressions import is_expression
from ...formats import FLOATS, Fixed, format_of_dtype
from ...operators.moved import listed
from ...operators.rule import Call
from ...shapes import Shape, Tensor
from .qdq import described
from .statement import Statement, checked_scale, fixed, known_numbers, on_steps, step_of

__all__ = ["read"]


class Part(NamedTuple):
    """Where a tensor, its scale and its zero point stand among the inputs, -1 for none.

    axis: along which there may be one of them for each slice; None for one of the whole tensor.
    """

    data: int
    scale: int
    zero: int
    axis: int | None = None


# x, x_scale, x_zero_point, y_scale, y_zero_point.
UNARY = (Part(0, 1, 2), Part(-1, 3, 4))
BINARY = (Part(0, 1, 2), Part(3, 4, 5), Part(-1, 6, 7))
# The parts of every operator; what has no data is the output, the others are inputs.
PARTS = {
    "QLinearConv": (Part(0, 1, 2), Part(3, 4, 5, 0), Part(-1, 6, 7)),
    "QLinearMatMul": (Part(0, 1, 2, -2), Part(3, 4, 5, -1), Part(-1, 6, 7, -2)),
    "QGemm": (Part(0, 1, 2), Part(3, 4, 5, -1), Part(-1, 7, 8)),
    "QLinearAdd": BINARY,
    "QLinearMul": BINARY,
    "QLinearWhere": (Part(1, 2, 3), Part(4, 5, 6), Part(-1, 7, 8)),
    "MatMulInteger": (Part(0, -1, 2, -2), Part(1, -1, 3, -1)),
    "ConvInteger": (Part(0, -1, 2), Part(1, -1, 3, 0)),
    "MatMulIntegerToFloat": (Part(0, 2, 4, -2), Part(1, 3, 5, -1)),
    "DynamicQuantizeMatMul": (Part(1, 2, 3, -1),),
    "QAttention": (Part(0, 3, 6), Part(1, 4, 7, -1)),
}
# One scale for each direction, or for each row of the gates of each direction.
RECURRENT = (Part(1, 8, 9), Part(2, 10, 11))


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """The output's integers."""
    if call.op == "MatMulNBits":
        _check_block_scales(call)
        return None
    if call.op == "DynamicQuantizeLSTM":
        for part in RECURRENT:
            _check_numbers(call, part)
            _check_type(call, part)
            _check_rows(call, part)
        return None
    tensor, parts = outputs[0], _parts(call)
    for part in parts:
        _check(call, part)
    written = next((part for part in parts if part.data < 0), None)
    held = format_of_dtype(tensor.dtype)
    if written is None or tensor.dtype is None or not isinstance(held, Fixed) or call.given(written.scale) is None:
        return None
    step = step_of(known_numbers(call.given(written.scale)))
    encoding = described(call, written.scale, written.zero, step, f"QOperator: {call.op} {place}")
    encoding = replace(encoding, carrier=tensor.dtype)
    low, high = held.interval
    return Statement(outputs=(on_steps(tensor, fixed(low, high, held.width, step), encoding), *outputs[1:]))


def _parts(call: Call) -> tuple[Part, ...]:
    if call.op != "QLinearConcat":
        return PARTS.get(call.op, UNARY)
    return (Part(-1, 0, 1), *(Part(at, at + 1, at + 2) for at in range(2, len(call.inputs) - 2, 3)))


def _given(call: Call, index: int) -> Tensor | None:
    return call.given(index) if index >= 0 else None


def _check(call: Call, part: Part) -> None:
    """Scale and zero point of one tensor."""
    _check_numbers(call, part)
    _check_type(call, part)
    for index, name in ((part.scale, "scale"), (part.zero, "zero point")):
        given = _given(call, index)
        if given is not None and given.shape is not None:
            _check_shape(call, part, index, name, given.shape)


def _check_numbers(call: Call, part: Part) -> None:
    scale = _given(call, part.scale)
    if scale is None:
        return
    if scale.dtype is not None and scale.dtype not in FLOATS:
        call.refuse("E-QUANTIZER-TYPE", f"the scale at input {part.scale} is {scale.dtype}, expected a float")
    data = _given(call, part.data)
    if (data is None or not data.constant) and any(number in (math.inf, -math.inf) for number in scale.value or ()):
        # As of QuantizeLinear: every number was infinite (a mask), and the rest of the model still makes sense.
        call.unknown(f"the scale at input {part.scale} is infinite")
    checked_scale(call, part.scale, f"the scale at input {part.scale}")


def _check_type(call: Call, part: Part) -> None:
    data, zero = _given(call, part.data), _given(call, part.zero)
    if zero is None or zero.dtype is None:
        return
    if zero.dtype in FLOATS and not zero.dtype.startswith("float8"):
        fact = f"the zero point at input {part.zero} is {zero.dtype}, expected integers"
        call.refuse("E-QUANTIZER-TYPE", fact)
    if data is not None and data.dtype in TYPES and data.dtype != zero.dtype:
        fact = f"input {part.data} is {data.dtype} and its zero point {zero.dtype}, expected the same"
        call.refuse("E-QUANTIZER-TYPE", fact)


# The element types of quantized numbers.
TYPES = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16))


def _check_shape(call: Call, part: Part, index: int, name: str, found: Shape) -> None:
    """One number, or one for each slice of the axis, in a vector or as it broadcasts to the tensor."""
    if any(is_expression(size) for size in found) or all(size == 1 for size in found):
        return
    data = _given(call, part.data)
    if part.axis is None:
        call.refuse("E-QUANTIZER-SCALE", f"the {name} at input {index} has shape {listed(found)}, expected one number")
    if data is None or data.shape is None:
        return
    axis = part.axis
    if call.op == "QGemm" and call.integer("transB", 0):
        axis = 0
    if call.op == "QLinearMatMul" and len(data.shape) < 2:
        axis = -1
    expected = data.shape[axis] if -len(data.shape) <= axis < len(data.shape) else 1
    slices = found[0] if len(found) == 1 else found[axis] if len(found) == len(data.shape) else None
    # Of the two axes of a matrix the other one is summed over.
    if len(found) > 1 and axis < 0 and slices is not None and found[-3 - axis] != 1:
        slices = None
    if slices is None or (isinstance(expected, int) and slices != expected and slices != 1):
        fact = f"the {name} at input {index} has shape {listed(found)} for input {listed(data.shape)}"
        call.refuse("E-QUANTIZER-SCALE", f"{fact}, expected one number or {expected}")


def _check_rows(call: Call, part: Part) -> None:
    """One number for each direction, or for each row of its gates."""
    weights = call.shape(part.data, 3)
    for index, name in ((part.scale, "scale"), (part.zero, "zero point")):
        found = call.shape(index)
        if any(is_expression(size) for size in (*found, *weights)) or found in (weights[:1], weights[::2]):
            continue
        expected = f"{listed(weights[:1])} or {listed(weights[::2])}"
        call.refuse("E-QUANTIZER-SCALE", f"the {name} at input {index} has shape {listed(found)}, expected {expected}")


def _check_block_scales(call: Call) -> None:
    """Blocks of zeros have a scale of 0, and some quantizers write the sign of the largest weight into it."""
    for index, name in ((2, "scale"), (3, "zero point")):
        for number in known_numbers(call.given(index)) or ():
            if not math.isfinite(number):
                call.refuse("E-QUANT-SCALE", f"{name} is {number}, expected a finite number")
