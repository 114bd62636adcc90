"""The smallest parts of the protobuf wire format: variable-length numbers and fields without a length."""

from __future__ import annotations

from ..errors import ModelError

__all__ = ["LENGTH", "encoded", "malformed", "read_varint", "skip_scalar"]

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
LONGEST = 10


def malformed(offset: int, fact: str) -> ModelError:
    """A file that is no protobuf message, with the offset of the fault."""
    return ModelError("E-FILE-PROTOBUF", f"not an ONNX model, or damaged: {fact} at byte {offset}")


def read_varint(view: memoryview, start: int) -> tuple[int, int]:
    """The number starting at `start` and the position after it. IndexError beyond the last byte."""
    value = 0
    for index in range(LONGEST):
        byte = view[start + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, start + index + 1
    raise malformed(start, f"a number of more than {LONGEST} bytes")


def skip_scalar(view: memoryview, tag: int, opening: int, start: int, message: str) -> int:
    """The position after a field that has no length. `opening` is where its tag starts."""
    wire = tag & 7
    if wire == VARINT:
        return start + 1 if view[start] < 0x80 else read_varint(view, start)[1]
    if wire == FIXED64:
        return start + 8
    if wire == FIXED32:
        return start + 4
    fact = "a group, which ONNX never uses," if wire in (START_GROUP, END_GROUP) else f"the undefined wire type {wire}"
    raise malformed(opening, f"{fact} in {message}")


def encoded(value: int) -> bytes:
    """A number in as few bytes as possible."""
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)
