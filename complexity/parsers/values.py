"""The values of small tensors, in pure Python: neither numpy nor onnx is imported."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from ..element_types import ElementType
from ..errors import ModelError
from .small_floats import SMALL_FLOATS, small_float_values
from .stored import Bytes, Numbers, StoredTensor, check_entries, payload
from .varint import read_varint

__all__ = ["ELEMENTS", "Value", "packed", "values"]

Value = int | float | bool | bytes | complex
ELEMENTS = 10_000


def values(tensor: StoredTensor, limit: int = ELEMENTS) -> list[Value] | None:
    """The elements in row-major order, None if there are more than `limit`. Raises ModelError if they cannot be read.

    Strings are bytes as stored; a complex element is a complex number.
    """
    if tensor.elements > limit:
        return None
    place, kind = payload(tensor), tensor.element_type
    if kind.name == "string" and isinstance(place, Numbers):
        return [item for item in place.entries if isinstance(item, bytes)]
    if isinstance(place, Bytes) and place.field in ("raw_data", "float_data", "double_data"):
        return _decoded(kind, place.data, tensor.elements)
    entries = place.entries if isinstance(place, Numbers) else _varints(place.data)
    check_entries(len(entries), tensor)
    return _decoded(kind, packed(kind, entries), tensor.elements)


def packed(kind: ElementType, entries: Sequence[int] | Sequence[float] | Sequence[bytes]) -> bytes:
    """The entries of a typed field in the layout of raw_data: little-endian, narrow types cut to their width."""
    if kind.field in ("float_data", "double_data"):
        return struct.pack(f"<{len(entries)}{kind.letter}", *entries)
    whole = [entry for entry in entries if isinstance(entry, int)]
    if kind.bits == 6:
        return _six_bits(whole)
    width = max(kind.bits, 8)
    mask = (1 << width) - 1
    letter = {8: "B", 16: "H", 32: "I", 64: "Q"}[width]
    return struct.pack(f"<{len(whole)}{letter}", *(entry & mask for entry in whole))


def _six_bits(codes: list[int]) -> bytes:
    """Four 6-bit codes in three bytes, the first lowest; the end is trimmed to whole bytes."""
    pieces = bytearray()
    for start in range(0, len(codes), 4):
        word = sum((code & 0x3F) << 6 * place for place, code in enumerate(codes[start : start + 4]))
        pieces += word.to_bytes(3, "little")
    return bytes(pieces[: -(-len(codes) * 6 // 8)])


def _varints(data: bytes | memoryview) -> list[int]:
    view, position, found = memoryview(data), 0, []
    try:
        while position < len(view):
            value, position = read_varint(view, position)
            found.append(value)
    except IndexError:
        raise ModelError("E-TENSOR-DATA", "the packed numbers of the tensor end inside a number") from None
    return found


def _decoded(kind: ElementType, data: bytes | memoryview, elements: int) -> list[Value]:
    if kind.name in SMALL_FLOATS:
        table = small_float_values(kind.name)
        return [table[code] for code in _codes(data, kind.bits, elements)]
    if kind.bits < 8:
        return list(_signed(_codes(data, kind.bits, elements), kind))
    numbers = struct.unpack(f"<{elements * kind.per_element}{kind.letter}", data)
    if kind.name == "bfloat16":  # the upper half of a float32
        return list(struct.unpack(f"<{elements}f", struct.pack(f"<{elements}I", *(code << 16 for code in numbers))))
    if kind.per_element == 2:
        return [complex(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    return list(numbers)


def _codes(data: bytes | memoryview, bits: int, elements: int) -> Iterable[int]:
    """The codes of a bit stream, least significant bits first."""
    if bits == 8:
        return bytes(data)
    padded, mask = bytes(data) + b"\0", (1 << bits) - 1
    starts = range(0, elements * bits, bits)
    return ((padded[at >> 3] | padded[(at >> 3) + 1] << 8) >> (at & 7) & mask for at in starts)


def _signed(codes: Iterable[int], kind: ElementType) -> Iterable[int]:
    if kind.name.startswith("uint"):
        return codes
    sign = 1 << (kind.bits - 1)
    return ((code ^ sign) - sign for code in codes)
