"""Fixed point as ap_fixed names it: <W,I>, a rounding, an overflow; exact integers, never a float.

A number is an integer v in units of 2**-fraction. `quantise` brings integers to a format: the bits behind its binary
point are rounded away, then those before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from nncomplexity.errors import QuantizationError, quoted
from nncomplexity.formats import Fixed, Format

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["FixedPoint", "Overflow", "Rounding", "integers_of", "quantise"]

NAMED = re.compile(
    r"(?:ap_)?(u?)fixed<(\d{1,4}),(-?\d{1,4})"
    r"(?:,(?:AP_)?(TRN|RND|RND_CONV)(?:,(?:AP_)?(WRAP|SAT|SAT_SYM))?)?>",
    re.ASCII,
)
# Integers below this magnitude may be added and shifted by a bit in 64-bit words.
SMALL = 1 << 62
# Bits of a format or of a rounding that leave such words room.
NARROW = 61


class Rounding(Enum):
    """What becomes of bits behind the binary point: TRN floor, RND half up, RND_CONV half to even."""

    TRN = "TRN"
    RND = "RND"
    RND_CONV = "RND_CONV"


class Overflow(Enum):
    """What becomes of numbers out of range: WRAP drops high bits, SAT the nearest end, SAT_SYM with -max as least."""

    WRAP = "WRAP"
    SAT = "SAT"
    SAT_SYM = "SAT_SYM"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPoint:
    """ap_fixed<bits,integer,rounding,overflow>: `bits` in all, `integer` before the binary point, the sign included.

    Rounding TRN and overflow WRAP are ap_fixed's defaults: both are wires.
    """

    bits: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    @classmethod
    def of(cls, format: Format, rounding: Rounding = Rounding.TRN, overflow: Overflow = Overflow.WRAP) -> FixedPoint:
        """A format of the analyser with the two modes. Raises QuantizationError E-KERNEL-FORMAT for other kinds."""
        if not isinstance(format, Fixed) or not isinstance(format.integer, int):
            raise QuantizationError("E-KERNEL-FORMAT", f"{format} is not fixed point; a kernel stores fixed<W,I>")
        return cls(
            bits=format.width, integer=format.integer, signed=format.signed, rounding=rounding, overflow=overflow
        )

    @classmethod
    def parse(cls, text: str) -> FixedPoint:
        """The format a name stands for: `ap_fixed<8,4,RND,SAT>`, `ufixed<8,8>`. Raises QuantizationError E-FORMAT."""
        match = NAMED.fullmatch(text.replace(" ", ""))
        if not match or match[2].strip("0") == "":
            raise QuantizationError(
                "E-FORMAT",
                f"'{quoted(text)}' is not a fixed-point format; write ap_fixed<W,I,Q,O> with Q of TRN, RND, RND_CONV "
                "and O of WRAP, SAT, SAT_SYM",
            )
        return cls(
            bits=int(match[2]),
            integer=int(match[3]),
            signed=not match[1],
            rounding=Rounding(match[4] or "TRN"),
            overflow=Overflow(match[5] or "WRAP"),
        )

    @property
    def fraction(self) -> int:
        """Bits behind the binary point."""
        return self.bits - self.integer

    @property
    def interval(self) -> tuple[int, int]:
        """Smallest and largest integer it may hold, in units of 2**-fraction."""
        if not self.signed:
            return 0, (1 << self.bits) - 1
        high = (1 << (self.bits - 1)) - 1
        return (-high if self.overflow is Overflow.SAT_SYM else -high - 1), high

    def __str__(self) -> str:
        sign = "" if self.signed else "u"
        return f"ap_{sign}fixed<{self.bits},{self.integer},{self.rounding.value},{self.overflow.value}>"


def quantise(values: Array, fraction: int, format: FixedPoint) -> Array:
    """Integers in units of 2**-fraction as the integers a format stores, in units of its own.

    Equation: round(v * 2**(format.fraction - fraction)), then the overflow.
    """
    import numpy as np

    dropped = fraction - format.fraction
    # Python integers hold everything between; 64 bits come back where they suffice.
    small = values.dtype != object and 0 <= dropped < NARROW and format.bits < NARROW
    rounded = _rounded(values.astype(np.int64 if small else object), dropped, format.rounding)
    low, high = format.interval
    if format.overflow is Overflow.WRAP:
        span = 1 << format.bits
        return integers_of((rounded - low) % span + low, max(-low, high))
    return integers_of(np.clip(rounded, low, high), max(-low, high))


def integers_of(values: Array, reach: int) -> Array:
    """The same integers in 64-bit words where `reach`, their largest magnitude, allows, else as Python's."""
    import numpy as np

    return values.astype(np.int64 if reach < SMALL else object, copy=False)


def _rounded(values: Array, dropped: int, rounding: Rounding) -> Array:
    """v / 2**dropped as an integer; negative `dropped` adds zeros behind the point."""
    if dropped <= 0:
        widened: Array = values * (1 << -dropped)
        return widened
    below = values // (1 << dropped)
    if rounding is Rounding.TRN:
        return below
    half, rest = 1 << (dropped - 1), values % (1 << dropped)
    up = (rest >= half) if rounding is Rounding.RND else (rest > half) | ((rest == half) & (below % 2 == 1))
    result: Array = below + up.astype(values.dtype)
    return result
