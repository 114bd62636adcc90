"""Element types as attributes name them: ONNX's TensorProto.DataType codes."""

from __future__ import annotations

from ..element_types import ELEMENT_TYPES
from .rule import Call

__all__ = ["element_type"]


def element_type(call: Call, attribute: str) -> str | None:
    """The element type that an attribute names, None if the attribute is absent or 0 (undefined)."""
    code = call.integer(attribute, 0)
    if code and code not in ELEMENT_TYPES:
        call.refuse("E-TENSOR-TYPE", f"attribute '{attribute}' is {code}, which is not an element type of ONNX")
    return ELEMENT_TYPES[code].name if code else None
