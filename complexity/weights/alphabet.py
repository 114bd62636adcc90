"""Weights written as terms of few kinds: what a matrix of numbers becomes before its trees are added.

A kind is a factor times an input of one interval; the word of a weight is the kinds of its terms in order. Kind 0 is
the absent term, with which words are filled up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .levels import ABSENT, Terms

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Array = np.ndarray[Any, Any]

__all__ = ["WORDS", "Alphabet", "binary_words", "digit_words", "product_words"]


@dataclass(frozen=True, slots=True)
class Alphabet:
    """words: [symbols, longest word] of kinds; kinds: interval, low zeros and sign of each, as one row."""

    words: Array
    kinds: Terms


def product_words(values: NDArray[np.int64], classes: NDArray[np.int64], intervals: NDArray[np.int64]) -> Alphabet:
    """Every nonzero weight is one term, its product; intervals: [classes, 2], classes: that of each weight's input."""
    import numpy as np

    words = np.zeros((values.size, 1), np.int64)
    used = values.nonzero()[0]
    words[used, 0] = np.arange(1, used.size + 1)
    factors = values[used]
    plain = np.zeros(used.size, np.int8)
    return Alphabet(_packed(words), _kinds(factors, intervals[classes[used]], plain, plain.astype(bool)))


def digit_words(values: NDArray[np.int64], classes: NDArray[np.int64], intervals: NDArray[np.int64]) -> Alphabet:
    """Every canonical signed digit is one term, exponents ascending; |values| is below 2**61."""
    import numpy as np

    triple, magnitude = 3 * np.abs(values), np.abs(values)
    return _spelled(values, (triple & ~magnitude) >> 1, (magnitude & ~triple) >> 1, classes, intervals)


def binary_words(values: NDArray[np.int64], classes: NDArray[np.int64], intervals: NDArray[np.int64]) -> Alphabet:
    """Every bit set in the magnitude is one term of the number's sign, exponents ascending."""
    import numpy as np

    return _spelled(values, np.abs(values), np.zeros_like(values), classes, intervals)


def _spelled(
    values: NDArray[np.int64],
    plus: NDArray[np.int64],
    minus: NDArray[np.int64],
    classes: NDArray[np.int64],
    intervals: NDArray[np.int64],
) -> Alphabet:
    """Words of signed digits. plus, minus: bits of the digits that the magnitude of each value has."""
    import numpy as np

    signs = {1: np.where(values < 0, minus, plus), -1: np.where(values < 0, plus, minus)}
    exponents = int((plus | minus).max(initial=0)).bit_length()
    words = np.zeros((values.size, exponents), np.int64)
    filled = np.zeros(values.size, np.int64)
    rows: list[tuple[int, int]] = []
    for exponent in range(exponents):
        for sign, digits in signs.items():
            here = ((digits >> exponent) & 1).nonzero()[0]
            if here.size:
                words[here, filled[here]] = 1 + len(rows) * len(intervals) + classes[here]
                filled[here] += 1
                rows.append((exponent, sign))
    words = words[:, : int(filled.max(initial=0))]
    table = np.array(rows, np.int64).reshape(-1, 2).repeat(len(intervals), axis=0)
    inputs = np.tile(intervals, (len(rows), 1))
    factors = table[:, 1] << table[:, 0]
    return Alphabet(_packed(words), _kinds(factors, inputs, table[:, 0].astype(np.int8), table[:, 1] < 0))


def _packed(words: Array) -> Array:
    """In the smallest type: as many bytes less move through every later step."""
    import numpy as np

    return words.astype(np.min_scalar_type(int(words.max(initial=0))))


def _kinds(factors: Array, inputs: Array, zeros: NDArray[np.int8], negative: NDArray[np.bool_]) -> Terms:
    """The row of kinds, the absent one before them."""
    import numpy as np

    ends = factors * inputs.T
    absent = np.zeros(1, np.int64)
    return Terms(
        np.concatenate([absent, ends.min(axis=0)])[None],
        np.concatenate([absent, ends.max(axis=0)])[None],
        np.concatenate([np.array([ABSENT], np.int8), zeros])[None],
        np.concatenate([np.array([True]), negative])[None],
    )


WORDS: Mapping[str, Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], Alphabet]] = {
    "products": product_words,
    "digits": digit_words,
    "binary": binary_words,
}
