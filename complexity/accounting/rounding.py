"""Real weights brought to a number format: the integers a kernel of that format would hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formats import AdditivePowerOfTwo, Binary, Format, PowerOfTwo

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Array = np.ndarray[Any, Any]

__all__ = ["rounded"]


def rounded(reals: Array, format: Format) -> NDArray[np.int64]:
    """The nearest integers of a format in units of 2**-fraction, ties to even, held at its ends.

    A power of two is the nearest in magnitude (ties to the larger), an additive one the sum of so many found one after
    the other in what is left; binary is the sign. Not-a-numbers are 0.
    """
    import numpy as np

    scaled = np.nan_to_num(np.asarray(reals, np.float64)) * 2.0 ** int(str(format.fraction))
    if isinstance(format, Binary):
        return np.where(scaled < 0, -1, 1).astype(np.int64)
    if isinstance(format, PowerOfTwo | AdditivePowerOfTwo):
        return _powers(scaled, format.width, format.terms if isinstance(format, AdditivePowerOfTwo) else 1)
    low, high = format.interval
    return np.clip(np.rint(scaled), float(low), float(high)).astype(np.int64)


def _powers(scaled: NDArray[np.float64], bits: int, terms: int) -> NDArray[np.int64]:
    """Sums of signed powers of two of exponents 0 to bits - 2, within `bits` bits of two's complement."""
    import numpy as np

    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rest = np.clip(scaled, low, high)
    total = np.zeros(scaled.shape, np.int64)
    for _ in range(terms):
        magnitude = np.abs(rest)
        # 1.5 * 2**k lies midway between 2**k and 2**(k + 1); below one half nothing is nearer than 0.
        exponent = np.floor(np.log2(np.maximum(magnitude, 0.5) / 0.75)).astype(np.int64)
        exponent = np.clip(exponent, 0, max(bits - 2, 0))
        term = np.where(magnitude < 0.5, 0, np.sign(rest).astype(np.int64) << exponent)
        term = np.where((total + term > high) | (total + term < low), 0, term)
        total += term
        rest = rest - term
    return total
