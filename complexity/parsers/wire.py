"""Walks the protobuf wire format of a model and leaves the weights out before anything is parsed."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import ModelError
from .kinds import KINDS, LISTED, Kind
from .limits import Limits
from .payload import FLOAT_BYTES, PAYLOAD_FIELDS, mark, worth_cutting
from .varint import LENGTH, encoded, malformed, read_varint, skip_scalar

__all__ = ["Slim", "slim"]

LARGE = FLOAT_BYTES  # a message not larger than this holds no payload worth cutting and is stepped over
DATA_TYPE_TAG, DIMS = 0x10, 1
CONTINUED = bytes(range(128, 256))  # the bytes of a packed list that do not end a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Slim:
    """A model without its weights: each cut payload is replaced by raw_data holding the token and its location."""

    data: bytes
    token: bytes
    nodes: int
    cuts: int
    cut_bytes: int


def slim(view: memoryview, limits: Limits | None = None) -> Slim:
    """Check the wire format of a ModelProto and return it without its large payloads. Raises ModelError."""
    walk = _Walk(view, limits or Limits())
    try:
        walk.message(KINDS["ModelProto"], 0, len(view), 0)
    except IndexError:  # only a number can reach beyond the last byte: every length has been compared
        raise ModelError("E-FILE-TRUNCATED", f"the file ends inside a field, at byte {len(view)}") from None
    return Slim(data=walk.rest(), token=walk.token, nodes=walk.nodes, cuts=walk.cuts, cut_bytes=walk.cut_bytes)


class _Walk:
    """One pass over a model. Edits are (start, end, replacement) in file order."""

    __slots__ = ("cut_bytes", "cuts", "edits", "fields", "limits", "nodes", "token", "view")

    def __init__(self, view: memoryview, limits: Limits) -> None:
        self.view, self.limits = view, limits
        self.token = os.urandom(16)  # unforgeable: no file can hold a location of its own making
        self.edits: list[tuple[int, int, bytes]] = []
        self.nodes = self.fields = self.cuts = self.cut_bytes = 0

    def rest(self) -> bytes:
        """The edited model."""
        pieces: list[bytes | memoryview] = []
        start = 0
        for first, last, replacement in self.edits:
            pieces += (self.view[start:first], replacement)
            start = last
        pieces.append(self.view[start:])
        self.limits.check_graph(sum(map(len, pieces)))
        return b"".join(pieces)

    def message(self, kind: Kind, start: int, end: int, depth: int) -> int:
        """Walk one message; return by how many bytes it shrinks. The inner loop runs once per node of the model."""
        view, node = self.view, kind.node
        limit = self.limits.attribute_entries if kind.name in LISTED else self.limits.fields
        position, saved, nodes, seen, noted = start, 0, 0, 0, 0
        while position < end:
            opening = position
            tag = view[position]
            position += 1
            if tag > 127:
                tag, position = read_varint(view, opening)
            seen += 1
            if tag & 7 != LENGTH:
                position = skip_scalar(view, tag, opening, position, kind.name)
            else:
                length = view[position]
                position += 1
                if length > 127:
                    length, position = read_varint(view, position - 1)
                if tag >> 3 == node:
                    nodes += 1
                if length > LARGE or position + length > end:
                    self.count(seen - noted, 0)
                    noted = seen
                    saved += self.large(kind, tag >> 3, opening, position, length, end, depth)
                position += length
            if seen > limit:
                self.overfull(kind, start, seen, nodes)
        if position > end:
            raise self.overrun(kind, opening, position - end, end)
        self.count(seen - noted, nodes)
        return saved

    def count(self, fields: int, nodes: int) -> None:
        """Add to what has been seen so far, and refuse too much of it."""
        self.fields += fields
        self.nodes += nodes
        self.limits.check_nodes(self.nodes)
        self.limits.check_fields(self.fields)

    def overfull(self, kind: Kind, start: int, seen: int, nodes: int) -> None:
        """Refuse a message with too many fields, by the most telling name."""
        if kind.name in LISTED:
            self.limits.check_entries(seen, kind.name, start)
        self.count(seen, nodes)

    def overrun(self, kind: Kind, opening: int, by: int, end: int) -> ModelError:
        """A field longer than the message around it: at the end of the file, the file was cut short."""
        if end == len(self.view):
            fact = f"the file ends {by} bytes before its declared length (field at byte {opening} of {end})"
            return ModelError("E-FILE-TRUNCATED", fact)
        return malformed(opening, f"a field that runs {by} bytes beyond its {kind.name}")

    def large(self, kind: Kind, number: int, opening: int, start: int, length: int, end: int, depth: int) -> int:
        """Walk a large field if it may hold tensors, and set its new length."""
        stop = start + length
        if stop > end:
            raise self.overrun(kind, opening, stop - end, end)
        name = kind.inside.get(number)
        if name is None:
            if number in kind.numbers:
                self.numbers(number, start, stop)
            return 0
        if name == "GraphProto" and kind.name == "AttributeProto":
            depth += 1
            self.limits.check_depth(depth, start)
        return self.nested(name, opening, start, stop, depth)

    def numbers(self, number: int, start: int, stop: int) -> None:
        """Count a packed list: its floats have 4 bytes, its integers end with a byte below 128."""
        span = stop - start
        if span > self.limits.attribute_entries:
            entries = span // 4 if number == 7 else len(bytes(self.view[start:stop]).translate(None, CONTINUED))
            self.limits.check_entries(entries, "AttributeProto", start)

    def nested(self, name: str, opening: int, start: int, stop: int, depth: int) -> int:
        """Walk a message; its length stands before its content, so its edit does too."""
        place, behind_tag = len(self.edits), read_varint(self.view, opening)[1]
        self.edits.append((start, start, b""))
        saved = self.tensor(start, stop) if name == "TensorProto" else self.message(KINDS[name], start, stop, depth)
        if not saved:
            del self.edits[place:]
            return 0
        length = encoded(stop - start - saved)
        self.edits[place] = (behind_tag, start, length)
        return saved + start - behind_tag - len(length)

    def tensor(self, start: int, end: int) -> int:
        """Walk a TensorProto. Its type may follow its payload, so the payload is judged at the end."""
        view, position, data_type, seen = self.view, start, 0, 0
        payloads: list[tuple[int, int, int, int]] = []
        while position < end:
            opening = position
            tag, position = read_varint(view, position)
            seen += 1
            if seen > self.limits.fields:
                self.count(seen, 0)
            if tag & 7 != LENGTH:
                if tag == DATA_TYPE_TAG:
                    data_type = read_varint(view, position)[0] & 0xFFFFFFFF
                position = skip_scalar(view, tag, opening, position, "TensorProto")
                continue
            length, position = read_varint(view, position)
            if position + length > end:
                break
            if tag >> 3 in PAYLOAD_FIELDS and length:
                payloads.append((tag >> 3, opening, position, length))
            elif tag >> 3 == DIMS:
                entries = len(bytes(view[position : position + length]).translate(None, CONTINUED))
                self.limits.check_rank(entries, start)
            position += length
        else:
            length = 0
        if position + length > end:
            raise self.overrun(KINDS["TensorProto"], opening, position + length - end, end)
        self.count(seen, 0)
        return self.cut(payloads, data_type, start)

    def cut(self, payloads: list[tuple[int, int, int, int]], data_type: int, tensor: int) -> int:
        """Replace the payload of a tensor if it is large."""
        if not any(worth_cutting(number, data_type, length) for number, _, _, length in payloads):
            return 0
        if len(payloads) > 1:
            names = ", ".join(f"{PAYLOAD_FIELDS[number]} at byte {opening}" for number, opening, _, _ in payloads[:3])
            raise ModelError("E-TENSOR-DATA", f"the tensor at byte {tensor} holds several payloads: {names}")
        number, opening, start, length = payloads[0]
        replacement = mark(self.token, start, length, number)
        self.edits.append((opening, start + length, replacement))
        self.cuts += 1
        self.cut_bytes += length
        return start + length - opening - len(replacement)
