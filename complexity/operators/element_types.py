"""Element types as attributes name them: ONNX's TensorProto.DataType codes."""

from __future__ import annotations

from .rule import Call

__all__ = ["element_type"]

NAMES = """
    undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128
    bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2
    float6e2m3 float6e3m2
"""
CODES = dict(enumerate(NAMES.split()))


def element_type(call: Call, attribute: str) -> str | None:
    """The element type that an attribute names, None if the attribute is absent or 0 (undefined)."""
    code = call.integer(attribute, 0)
    if code not in CODES:
        call.refuse("E-TENSOR-TYPE", f"attribute '{attribute}' is {code}, which is not an element type of ONNX")
    return CODES[code] if code else None
