"""Quantizers between integers and floats: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.

They say which numbers a tensor holds: shape and identity pass through, and in the counted network they cost nothing.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from ..expressions import Size, ceil_divide
from ..formats import FLOATS
from ..shapes import Shape, Tensor
from .element_types import element_type
from .moved import listed
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["FORMAT_STATEMENT", "OPERATORS"]

FORMAT_STATEMENT = "format statement"
# What a quantizer may read, and what a dequantizer may.
REAL = frozenset(("float16", "bfloat16", "float32", "float64", "int32"))
SIGNS = ("", "u")
STORED = frozenset(name for name, bits in FLOATS.items() if bits <= 8) | {"int32"}
STORED |= {f"{sign}int{bits}" for sign in SIGNS for bits in (2, 4, 8, 16)}


def quantize(call: Call) -> Result:
    """y = saturate(round(x / scale) + zero_point), in the zero point's element type, or `output_dtype`, or uint8."""
    x, zero_point = call.input(0), call.given(2)
    if x.dtype is not None and x.dtype not in REAL:
        call.refuse("E-QUANTIZER-TYPE", f"input 0 is {x.dtype}, expected floats or int32")
    _check_scale(call, x.shape, call.input(1))
    wanted, given = element_type(call, "output_dtype"), None if zero_point is None else zero_point.dtype
    if wanted is not None and given is not None and wanted != given:
        call.refuse("E-QUANTIZER-TYPE", f"output_dtype is {wanted} and the zero point {given}, expected the same")
    dtype = wanted or given or ("uint8" if zero_point is None else None)
    return _stated(call, replace(x, dtype=dtype, format=None, value=None))


def dequantize(call: Call) -> Result:
    """y = (x - zero_point) * scale: still the integers of x, in the scale's element type or `output_dtype`."""
    x, scale, zero_point = call.input(0), call.input(1), call.given(2)
    if x.dtype is not None and x.dtype not in STORED:
        call.refuse("E-QUANTIZER-TYPE", f"input 0 is {x.dtype}, expected integers or floats of at most 8 bits")
    _check_scale(call, x.shape, scale)
    if zero_point is not None and None not in (x.dtype, zero_point.dtype) and x.dtype != zero_point.dtype:
        call.refuse(
            "E-QUANTIZER-TYPE", f"input 0 is {x.dtype} and the zero point {zero_point.dtype}, expected the same"
        )
    held = x.number if x.dtype is not None or x.format is not None else None
    dtype = element_type(call, "output_dtype") or scale.dtype
    return _stated(call, replace(x, dtype=dtype, format=held, value=None))


def _stated(call: Call, tensor: Tensor) -> Result:
    scale = call.input(1)
    if not tensor.constant and any(number in (inf, -inf) for number in scale.value or ()):
        # Exporters write it where every number was infinite (a mask): the rest of the model still makes sense.
        call.unknown("the scale is infinite", replace(tensor, encoding=None))
    formats = {} if tensor.format is None else {"output": tensor.format}
    return Result(outputs=(tensor,), free=FORMAT_STATEMENT, kind="quantizer", formats=formats)


def _check_scale(call: Call, shape: Shape | None, scale: Tensor) -> None:
    """A scale is one number, one for each slice along an axis, or one for each block along it."""
    zero_point = call.given(2)
    whole = scale.dtype == "int32" and call.op == "QuantizeLinear"
    if scale.dtype is not None and scale.dtype not in FLOATS and not whole:
        call.refuse("E-QUANTIZER-TYPE", f"the scale is {scale.dtype}, expected a float")
    if scale.shape is None:
        return
    if zero_point is not None and zero_point.shape is not None and _differ(zero_point.shape, scale.shape):
        fact = f"scale {listed(scale.shape)} and zero point {listed(zero_point.shape)} differ in shape"
        call.refuse("E-QUANTIZER-SCALE", fact)
    block = call.integer("block_size", 0)
    if block < 0:
        call.refuse("E-QUANTIZER-BLOCK", f"block_size is {block}, expected 0 or more")
    if shape is None or scale.size == 1:
        return
    axis = _axis(call, len(shape))
    expected: Shape = (shape[axis],) if shape else ()
    if block or len(scale.shape) != 1:
        expected = (*shape[:axis], ceil_divide(shape[axis], block), *shape[axis + 1 :]) if block and shape else ()
        if not block and len(scale.shape) == len(shape):
            # Some writers leave block_size out; the shapes then say it.
            expected = (*shape[:axis], _blocks(shape[axis], scale.shape[axis]), *shape[axis + 1 :])
    if _differ(expected, scale.shape):
        call.refuse(
            "E-QUANTIZER-SCALE", f"scale {listed(scale.shape)} for input {listed(shape)}, expected {listed(expected)}"
        )


def _axis(call: Call, rank: int) -> int:
    """The axis of a scale for each slice; the default of 1 is taken for 0 in a vector."""
    axis = call.integer("axis", 1)
    return 0 if rank < 2 and axis in (0, 1) else call.axis(axis, rank)


def _blocks(length: Size, found: Size) -> Size:
    """How many blocks of one length so many scales can stand for: as many as there are, where that is possible."""
    if not isinstance(length, int) or not isinstance(found, int):
        return found
    return found if found and -(-length // -(-length // found)) == found else 1


def _differ(left: Shape, right: Shape) -> bool:
    if len(left) != len(right):
        # A scalar may be written as a vector of one.
        return not all(size == 1 for size in (*left, *right))
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(left, right, strict=True))


def dynamic_quantize(call: Call) -> Result:
    """y in uint8 over the range that x has in this run, with the scale and the zero point found for it."""
    x = call.input(0)
    y = replace(x, dtype="uint8", format=None, value=None)
    scale, zero_point = Tensor(dtype="float32", shape=()), Tensor(dtype="uint8", shape=())
    outputs = (y, scale, zero_point)[: max(1, len(call.wanted))]
    return Result(outputs=outputs, free=FORMAT_STATEMENT, kind="quantizer")


OPERATORS = (
    *(
        Operator(
            name="QuantizeLinear",
            rule=quantize,
            inputs=(2, 3),
            attributes="axis saturate output_dtype block_size precision",
            settings=(1, 2),
            free=FORMAT_STATEMENT,
            domain=domain,
        )
        for domain in ("", MICROSOFT)
    ),
    *(
        Operator(
            name="DequantizeLinear",
            rule=dequantize,
            inputs=(2, 3),
            attributes="axis block_size output_dtype",
            settings=(1, 2),
            free=FORMAT_STATEMENT,
            domain=domain,
        )
        for domain in ("", MICROSOFT)
    ),
    Operator(name="DynamicQuantizeLinear", rule=dynamic_quantize, outputs=(3, 3), free=FORMAT_STATEMENT),
)
