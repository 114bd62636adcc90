"""Words of any width as arrays of numbers, and many numbers in one word.

A word of up to 63 bits is an int64 array, a wider one an array of Python integers; both hold the signed reading of the
bits, which `wrap` restores after each operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NARROW", "Array", "Slice", "packed", "slices", "stored", "unpacked", "wrap"]

Array = NDArray[Any]
# The lowest bit taken of a wide word, and how many.
Slice = tuple[int, int]
# A sum or difference of two such words still is what it was modulo 2**64, and every unsigned word is an int64.
NARROW = 63


def wrap(values: Array, width: int) -> Array:
    """The signed reading of the low bits of each value: int64 up to 63 bits, Python integers above."""
    if values.dtype != object:
        unused = 64 - width
        return (values << unused) >> unused
    sign = 1 << (width - 1)
    wrapped = ((values & (2 * sign - 1)) ^ sign) - sign
    return wrapped.astype(np.int64) if width <= NARROW else wrapped


def stored(values: Array, width: int) -> Array:
    """A result as a word of so many bits."""
    if values.dtype == bool:
        values = values.astype(np.int64)
    if width > NARROW and values.dtype != object:
        values = values.astype(object)
    return wrap(values, width)


def packed(values: Array, width: int) -> Array:
    """The elements of the last axis as one word each, element 0 in the lowest bits: what a port of many is given."""
    *shape, elements = values.shape
    rows = values.reshape(-1, elements)
    bits = np.empty((len(rows), elements, width), np.uint8)
    for place in range(width):
        bits[:, :, place] = ((rows >> min(place, 63) if rows.dtype != object else rows >> place) & 1).astype(np.uint8)
    words = np.empty(len(rows), object)
    for at, row in enumerate(np.packbits(bits.reshape(len(rows), -1), axis=1, bitorder="little")):
        words[at] = int.from_bytes(row.tobytes(), "little")
    return words.reshape(shape)


def unpacked(words: Array, elements: int, width: int, *, signed: bool) -> Array:
    """The elements of words in a new last axis: int64 up to 63 bits, Python integers above."""
    if width > NARROW:
        apart = [words.astype(object) >> (at * width) for at in range(elements)]
        return np.stack([wrap(each, width) if signed else each & ((1 << width) - 1) for each in apart], axis=-1)
    flat, size = words.reshape(-1).tolist(), elements * width
    octets = np.frombuffer(b"".join(_octets(word, size) for word in flat), np.uint8).reshape(len(flat), -1)
    bits = np.unpackbits(octets, axis=1, count=size, bitorder="little").reshape(len(flat), elements, width)
    found = np.zeros((len(flat), elements), np.int64)
    for place in range(width):
        found |= bits[:, :, place].astype(np.int64) << place
    return (wrap(found, width) if signed else found).reshape(*words.shape, elements)


def slices(words: Array, width: int, wanted: Sequence[Slice]) -> list[Array]:
    """Words of at most 63 bits cut out of wide ones, each at a cost that does not depend on the width."""
    flat = words.tolist()
    # Eight octets and one more are read wherever a slice begins.
    octets = np.frombuffer(b"".join(_octets(word, width) + bytes(9) for word in flat), np.uint8)
    octets = octets.reshape(len(flat), -1)
    found = []
    for low, take in wanted:
        first, odd = divmod(low, 8)
        eight = np.ascontiguousarray(octets[:, first : first + 8]).view("<u8")[:, 0]
        value = eight >> np.uint64(odd)
        if odd:
            value = value | octets[:, first + 8].astype(np.uint64) << np.uint64(64 - odd)
        found.append(wrap(value.astype(np.int64), take))
    return found


def _octets(word: int, width: int) -> bytes:
    return (word & ((1 << width) - 1)).to_bytes((width + 7) // 8, "little")
