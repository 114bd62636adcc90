"""How often each value occurs in arrays of weights, and the figures that follow from it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .digits import bit_span, digit_count, is_power, popcount

if TYPE_CHECKING:
    from typing import Any

    from numpy import ndarray
    from numpy.typing import NDArray

    Array = ndarray[Any, Any]

__all__ = ["FloatStatistics", "Statistics", "float_statistics", "histogram", "statistics"]

# Numbers handled at a time: with the 64-bit copy that numpy makes of them they stay in a cache.
SLICE = 1 << 17
# The widest range of values that is counted in a table instead of sorted.
RANGE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a multiset of integers costs as constant factors.

    numbers: how many there are, each zero, +-2**k (powers) or neither (general). csd_digits, popcount, span: canonical
    signed digits, bits set, bits from the highest to the lowest set, each summed over all numbers. distinct: different
    values. most_digits: signed digits of the value that has most. minimum, maximum: 0 where there are no numbers.
    """

    numbers: int = 0
    zeros: int = 0
    powers: int = 0
    general: int = 0
    csd_digits: int = 0
    popcount: int = 0
    span: int = 0
    distinct: int = 0
    most_digits: int = 0
    minimum: int = 0
    maximum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatStatistics:
    """How many floats there are, and which of them a multiplication can spare: zeros and +-2**k (powers).

    general: the rest, infinities and not-a-numbers among them.
    """

    numbers: int = 0
    zeros: int = 0
    powers: int = 0
    general: int = 0


def statistics(counts: Mapping[int, int]) -> Statistics:
    """The figures of a histogram: value to the number of its occurrences."""
    present = {value: count for value, count in counts.items() if count}
    numbers, zeros = sum(present.values()), present.get(0, 0)
    powers = sum(count for value, count in present.items() if is_power(value))
    return Statistics(
        numbers=numbers,
        zeros=zeros,
        powers=powers,
        general=numbers - zeros - powers,
        csd_digits=sum(count * digit_count(value) for value, count in present.items()),
        popcount=sum(count * popcount(value) for value, count in present.items()),
        span=sum(count * bit_span(value) for value, count in present.items()),
        distinct=len(present),
        most_digits=max(map(digit_count, present), default=0),
        minimum=min(present, default=0),
        maximum=max(present, default=0),
    )


def histogram(arrays: Iterable[Array]) -> dict[int, int]:
    """How often each value occurs in integer arrays of any type, shape and strides; values ascend."""
    import numpy as np

    total: Counter[int] = Counter()
    pairs = {1: np.zeros(1 << 16, np.int64), -1: np.zeros(1 << 16, np.int64)}
    for array in arrays:
        for piece in _pieces(array):
            if piece.dtype.itemsize == 1 and piece.dtype.kind in "iu":
                total.update(_in_pairs(piece, pairs[-1 if piece.dtype.kind == "i" else 1]))
            elif piece.size:
                total.update(_counted(piece))
    for sign, table in pairs.items():
        values = np.arange(256, dtype=np.uint8).view(np.int8 if sign < 0 else np.uint8).tolist()
        # A pair counts once for either of its bytes.
        square = table.reshape(256, 256)
        each = square.sum(0) + square.sum(1)
        total.update({value: count for value, count in zip(values, each.tolist(), strict=True) if count})
    return dict(sorted(total.items()))


def float_statistics(arrays: Iterable[Array]) -> FloatStatistics:
    """Zeros, powers of two and the rest in arrays of floats of any width."""
    import numpy as np

    numbers = zeros = powers = 0
    for array in arrays:
        for piece in _pieces(array):
            for start in range(0, piece.size, SLICE):
                mantissa = np.abs(np.frexp(piece[start : start + SLICE])[0])
                numbers += mantissa.size
                zeros += int(np.count_nonzero(mantissa == 0))
                powers += int(np.count_nonzero(mantissa == 0.5))
    return FloatStatistics(numbers=numbers, zeros=zeros, powers=powers, general=numbers - zeros - powers)


def _pieces(array: Array) -> Iterator[Array]:
    """An array as flat contiguous pieces: a view where there is one, else copies of a bounded part at a time."""
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    array = array.transpose(axes)
    if array.ndim < 2 or array.flags.c_contiguous:
        yield array.reshape(-1)
        return
    rows = max(1, (1 << 20) * array.shape[0] // max(array.size, 1))
    for start in range(0, array.shape[0], rows):
        yield array[start : start + rows].reshape(-1)


def _in_pairs(piece: Array, table: NDArray[Any]) -> dict[int, int]:
    """Add bytes two at a time to a table of all 65,536 pairs; the odd last one is returned."""
    import numpy as np

    even = piece.size & ~1
    words = np.ascontiguousarray(piece[:even]).view(np.uint16)
    for start in range(0, words.size, SLICE):
        found = np.bincount(words[start : start + SLICE])
        table[: found.size] += found
    return {int(piece[-1]): 1} if piece.size & 1 else {}


def _counted(piece: Array) -> dict[int, int]:
    import numpy as np

    low, high = int(piece.min()), int(piece.max())
    if high - low >= RANGE:
        values, counts = np.unique(piece, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))
    table = np.zeros(high - low + 1, np.int64)
    for start in range(0, piece.size, SLICE):
        # The difference wraps in a signed type; modulo 2**64 it is right.
        offsets = piece[start : start + SLICE].astype(np.uint64) - np.uint64(low % (1 << 64))
        table += np.bincount(offsets.astype(np.int64), minlength=table.size)
    return {low + offset: count for offset, count in enumerate(table.tolist()) if count}
