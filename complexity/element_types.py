"""The element types of ONNX tensors: their names, bits, and how their elements are laid out."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ModelError

__all__ = ["ELEMENT_TYPES", "ElementType", "element_type"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementType:
    """One ONNX element type: `field` is its typed field, `letter` its struct format (codes where it has no own)."""

    name: str
    code: int
    bits: int
    field: str
    letter: str

    @property
    def per_element(self) -> int:
        """Numbers stored per element: two for a complex value."""
        return 2 if self.name.startswith("complex") else 1

    def size(self, elements: int) -> int:
        """Bytes of so many elements in raw_data; elements below a byte are packed."""
        return -(-elements * self.bits // 8)

    def entries(self, elements: int) -> int:
        """Entries of so many elements in the typed field: 4-bit and 2-bit elements share one, 6-bit ones do not."""
        return self.size(elements) if self.bits in (2, 4) else elements * self.per_element


TABLE = """
    1 float32 32 float_data f
    2 uint8 8 int32_data B
    3 int8 8 int32_data b
    4 uint16 16 int32_data H
    5 int16 16 int32_data h
    6 int32 32 int32_data i
    7 int64 64 int64_data q
    8 string 0 string_data s
    9 bool 8 int32_data ?
    10 float16 16 int32_data e
    11 float64 64 double_data d
    12 uint32 32 uint64_data I
    13 uint64 64 uint64_data Q
    14 complex64 64 float_data f
    15 complex128 128 double_data d
    16 bfloat16 16 int32_data H
    17 float8e4m3fn 8 int32_data B
    18 float8e4m3fnuz 8 int32_data B
    19 float8e5m2 8 int32_data B
    20 float8e5m2fnuz 8 int32_data B
    21 uint4 4 int32_data B
    22 int4 4 int32_data B
    23 float4e2m1 4 int32_data B
    24 float8e8m0 8 int32_data B
    25 uint2 2 int32_data B
    26 int2 2 int32_data B
    27 float6e2m3 6 int32_data B
    28 float6e3m2 6 int32_data B
"""
ELEMENT_TYPES = {
    int(code): ElementType(name=name, code=int(code), bits=int(bits), field=field, letter=letter)
    for code, name, bits, field, letter in (line.split() for line in TABLE.strip().splitlines())
}
BY_NAME = {kind.name: kind for kind in ELEMENT_TYPES.values()}


def element_type(code: int) -> ElementType:
    """The element type of a TensorProto.DataType code. Raises ModelError for a code that ONNX does not define."""
    found = ELEMENT_TYPES.get(code)
    if found is None:
        kind = "undefined (0)" if code == 0 else f"{code}, which is not an element type of ONNX"
        raise ModelError("E-TENSOR-TYPE", f"data type {kind}")
    return found
