"""Which parts of a TensorProto are weights, and the mark that takes their place."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["PAYLOAD_FIELDS", "RAW_DATA_TAG", "Cut", "mark", "read_cut", "worth_cutting"]

FLOAT_BYTES = 4096  # float payloads above this are cut: their values are weights, no shape depends on them
INTEGER_BYTES = 80_000  # integer payloads above this are cut: 10,000 int64 elements may still be shape arithmetic
RAW_DATA = 9
RAW_DATA_TAG = RAW_DATA << 3 | 2
PAYLOAD_FIELDS = {
    4: "float_data",
    5: "int32_data",
    7: "int64_data",
    9: "raw_data",
    10: "double_data",
    11: "uint64_data",
}
INTEGER_TYPES = frozenset((2, 3, 4, 5, 6, 7, 9, 12, 13, 21, 22, 25, 26))  # bool among them
NARROW_FLOATS = frozenset((10, 16, 17, 18, 19, 20, 23, 24, 27, 28))  # floats of 16 bits and less live in int32_data
LOCATION = struct.Struct("<QQB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a cut payload lies in the input, and the TensorProto field it was."""

    offset: int
    length: int
    field: str


def worth_cutting(number: int, data_type: int, length: int) -> bool:
    """Whether a payload of so many bytes is left out before parsing. An unknown type counts as float."""
    if number == RAW_DATA:
        integer = data_type in INTEGER_TYPES
    else:
        integer = number in (7, 11) or (number == 5 and data_type not in NARROW_FLOATS)
    return length > (INTEGER_BYTES if integer else FLOAT_BYTES)


def mark(token: bytes, offset: int, length: int, number: int) -> bytes:
    """The raw_data field that takes the place of a payload."""
    body = token + LOCATION.pack(offset, length, number)
    return bytes((RAW_DATA_TAG, len(body))) + body


def read_cut(raw_data: bytes, token: bytes) -> Cut | None:
    """The location held by the raw_data of a slim model, None if it holds real values."""
    if len(raw_data) != len(token) + LOCATION.size or not raw_data.startswith(token):
        return None
    offset, length, number = LOCATION.unpack_from(raw_data, len(token))
    return Cut(offset=offset, length=length, field=PAYLOAD_FIELDS[number])
