"""What bringing integers from one scale to another takes: a multiplier or a shift, a rounding, a zero point, limits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["MULTIPLIER_BITS", "Requantization", "between"]

# Scales whose ratio is no power of two meet in a fixed-point multiplier of this width.
MULTIPLIER_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Requantization:
    """For each number: a product by a constant of 32 bits (`multiplier`, whose value is `factor` where it is one known
    number), a shift, an addition that rounds, one of the zero point, and comparisons with `limits` ends.

    Source: Jacob et al. 2018, arXiv 1712.05877, section 2.2, for the multiplier and the shift.
    """

    multiplier: bool = False
    factor: int | None = None
    shift: bool = False
    rounds: bool = False
    zero_point: bool = False
    limits: int = 0

    @property
    def nothing(self) -> bool:
        """Whether the numbers stay as they are."""
        return not (self.multiplier or self.shift or self.rounds or self.zero_point or self.limits)


def between(
    before: Fraction | None,
    after: Fraction | None,
    span: tuple[int, int],
    room: tuple[int, int],
    *,
    zero_point: bool = False,
    truncates: bool = False,
) -> Requantization:
    """The requantization from steps `before` to steps `after`, None where they are not one known number.

    span: the numbers there are, in steps before; room: those that can be held, in steps after, zero points taken off.
    zero_point: the new one is not 0. truncates: rounding takes no addition.
    """
    if before is None or after is None:
        return Requantization(multiplier=True, shift=True, rounds=not truncates, zero_point=zero_point, limits=2)
    ratio = before / after
    ends = sorted(end * ratio for end in span)
    half = Fraction(0) if truncates else Fraction(1, 2)
    limits = int(ends[0] < room[0] - half) + int(ends[1] >= room[1] + 1 - half)
    if ratio == 1:
        return Requantization(zero_point=zero_point, limits=limits)
    if _power(ratio):
        return Requantization(shift=True, rounds=ratio < 1 and not truncates, zero_point=zero_point, limits=limits)
    return Requantization(
        multiplier=True,
        factor=_factor(ratio),
        shift=True,
        rounds=not truncates,
        zero_point=zero_point,
        limits=limits,
    )


def _power(ratio: Fraction) -> bool:
    return ratio.numerator & (ratio.numerator - 1) == 0 == ratio.denominator & (ratio.denominator - 1)


def _factor(ratio: Fraction) -> int:
    """The ratio as a multiplier in [2**30, 2**31), halves to even: 31 bits and a sign."""
    exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    scaled = ratio * Fraction(2) ** (MULTIPLIER_BITS - 2 - exponent)
    while scaled >= 1 << (MULTIPLIER_BITS - 1):
        scaled /= 2
    while scaled < 1 << (MULTIPLIER_BITS - 2):
        scaled *= 2
    return min(round(scaled), (1 << (MULTIPLIER_BITS - 1)) - 1)
