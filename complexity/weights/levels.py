"""One level of many adder trees at once: adjacent terms of every output added, each addition charged to a table.

Outputs are the rows of rectangles, filled up behind with absent terms. An absent term is the neutral element: its
interval is 0..0, its low zeros pass through a minimum, its sign through a conjunction; so a term without a partner
passes up unchanged, and what is charged for it is recognised by its low zeros and dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.signedinteger[Any]]

__all__ = ["ABSENT", "Tally", "Terms", "widths"]

# The low zeros of an absent term; those of a real one are fewer, for 64 bits hold every interval here.
ABSENT = 127
# A charge is width, sign and passed bits in one number of 7 + 1 + 7 bits.
KEYS = 1 << 15
SUBTRACT = 1 << 7


class Terms(NamedTuple):
    """Terms or partial sums, one row an output: exact interval, constant low zero bits, all digits negative."""

    low: Integers
    high: Integers
    zeros: NDArray[np.int8]
    negative: NDArray[np.bool_]

    def at(self, index: Any) -> Terms:
        """The same selection of all four."""
        return Terms(self.low[index], self.high[index], self.zeros[index], self.negative[index])


def widths(terms: Terms) -> Integers:
    """Bits of the smallest two's complement holding each interval, and its negation where it is negated later."""
    import numpy as np

    sign = terms.low.dtype.itemsize * 8 - 1
    bits = (terms.low ^ (terms.low >> sign)) | (terms.high ^ (terms.high >> sign))
    if terms.negative.any():
        negated = np.nonzero(terms.negative)
        low, high = -terms.high[negated], -terms.low[negated]
        bits[negated] |= (low ^ (low >> sign)) | (high ^ (high >> sign))
    # With the bit below the leading one cleared no rounding to a float can reach the next power of two.
    bits &= ~(bits >> 1)
    real, mantissa, bias = (np.float32, 23, 126) if sign == 31 else (np.float64, 52, 1022)
    exponents: Integers = bits.astype(real).view(bits.dtype) >> mantissa
    exponents -= bias - 1
    return np.maximum(exponents, 1, out=exponents)


class Tally:
    """The additions charged so far, by width, sign and passed bits."""

    def __init__(self) -> None:
        import numpy as np

        self._table = np.zeros(KEYS, np.int64)

    def joined(self, terms: Terms, times: NDArray[np.int64] | None = None) -> Terms:
        """The next level: adjacent pairs added and charged, `times` each row where it is given."""
        import numpy as np

        even = terms.low.shape[1] & ~1
        left, right = terms.at(np.s_[:, 0:even:2]), terms.at(np.s_[:, 1:even:2])
        sums = Terms(
            left.low + right.low,
            left.high + right.high,
            np.minimum(left.zeros, right.zeros),
            left.negative & right.negative,
        )
        keys = widths(sums)
        keys <<= 8
        keys |= np.maximum(left.zeros, right.zeros)
        keys |= (left.negative ^ right.negative).view(np.uint8) << np.uint8(7)
        if times is None:
            found = np.bincount(keys.ravel())
        else:
            # Counts pass through floats, exact below 2**53.
            each = np.broadcast_to(times[:, None], keys.shape)
            found = np.bincount(keys.ravel(), each.ravel()).astype(np.int64)
        self._table[: found.size] += found
        if even == terms.low.shape[1]:
            return sums
        last = terms.at(np.s_[:, even:])
        return Terms(*(np.concatenate(both, axis=1) for both in zip(sums, last, strict=True)))

    def additions(self) -> Counter[tuple[bool, int, int]]:
        """Charges as (subtraction, width, passed): how many additions; passed bits are at most the width."""
        found: Counter[tuple[bool, int, int]] = Counter()
        for key in self._table.nonzero()[0].tolist():
            width, passed = key >> 8, key & ABSENT
            if passed != ABSENT:
                found[bool(key & SUBTRACT), width, min(passed, width)] += int(self._table[key])
        return found
