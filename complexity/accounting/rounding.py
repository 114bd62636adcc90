"""Real weights brought to a number format: the integers a kernel of that format would hold.

A format whose name says no place of the binary point (one integer bit, the default) is placed where the largest weight
just fits: the point belongs to the tensor, the bits to the format.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..formats import AdditivePowerOfTwo, Binary, Format, PowerOfTwo, Ternary

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Array = np.ndarray[Any, Any]

__all__ = ["placed", "rounded"]


# Bits that the mantissa of a single-precision number holds.
EXACT = 24


def placed(reals: Array, format: Format) -> int:
    """Bits behind the binary point: those of the format, or such that the largest weight just fits.

    Largest integer: 2**(bits - 1) - 1 (-2**(bits - 1) too), of powers of two 2**(bits - 2), of ternary ones 1.
    """
    import numpy as np

    fraction = format.fraction
    if format.integer != 1 and isinstance(fraction, int):
        return fraction
    low, high = float(reals.min(initial=0.0)), float(reals.max(initial=0.0))
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = np.nan_to_num(np.asarray(reals, np.float64), posinf=0.0, neginf=0.0)
        low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    reach = max(high, -low)
    if reach == 0.0 or isinstance(format, Binary):
        return fraction if isinstance(fraction, int) else 0
    if isinstance(format, PowerOfTwo):
        return max(format.width - 2, 0) - math.floor(math.log2(reach / 0.75))
    top = 1 if isinstance(format, Ternary) else max(format.interval[1], 1)
    place = math.floor(math.log2(top / reach)) + 1
    while round(high * 2.0**place) > top or round(low * 2.0**place) < min(format.interval[0], -1):
        place -= 1
    return place


def rounded(reals: Array, format: Format, fraction: int) -> NDArray[np.signedinteger[Any]]:
    """The nearest integers of a format in units of 2**-fraction, ties to even, held at its ends.

    A power of two is the nearest in magnitude (ties to the larger), an additive one the sum of so many found one after
    the other in what is left; binary is the sign. Not-a-numbers are 0.
    """
    import numpy as np

    # A product by a power of two and a rounding to so few bits are exact in single precision as well.
    kind = np.float32 if reals.dtype == np.float32 and format.width <= EXACT and abs(fraction) < 100 else np.float64
    held = next(f"int{bits}" for bits in (8, 16, 32, 64) if bits > format.width or (bits == 8 == format.width))
    scaled: Array = np.asarray(reals, kind)
    # A product of a scalar tensor would be no array any more.
    scaled = np.multiply(scaled, kind(2.0**fraction), out=np.empty_like(scaled))
    if not np.isfinite(scaled.sum()):
        scaled = np.nan_to_num(scaled)
    if isinstance(format, Binary):
        return np.where(scaled < 0, -1, 1).astype(np.int8)
    if isinstance(format, PowerOfTwo | AdditivePowerOfTwo):
        terms = format.terms if isinstance(format, AdditivePowerOfTwo) else 1
        return _powers(scaled, format.width, terms).astype(held)
    low, high = format.interval
    np.rint(scaled, out=scaled)
    whole: Array = np.clip(scaled, low, high, out=scaled).astype(held if format.signed else np.int64)
    return whole


def _powers(scaled: NDArray[np.floating[Any]], bits: int, terms: int) -> NDArray[np.int64]:
    """Sums of signed powers of two within `bits` bits of two's complement: of one, exponents 0 to bits - 2.

    Of several the first may be one more: what is then left is taken off again.
    """
    import numpy as np

    top = max(bits - (2 if terms == 1 else 1), 0)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rest = np.clip(scaled, low, high)
    total = np.zeros(scaled.shape, np.int64)
    for _ in range(terms):
        magnitude = np.abs(rest)
        # 1.5 * 2**k lies midway between 2**k and 2**(k + 1); below one half nothing is nearer than 0.
        exponent = np.floor(np.log2(np.maximum(magnitude, 0.5) / 0.75)).astype(np.int64)
        exponent = np.clip(exponent, 0, top)
        term = np.where(magnitude < 0.5, 0, np.sign(rest).astype(np.int64) << exponent)
        total += term
        rest = rest - term
    return total
