"""The digits of an integer constant: what a product by it costs in shifts and additions.

Source: G. W. Reitwiesner, Binary arithmetic, Advances in Computers 1 (1960) (reconstructed): the non-adjacent form is
unique and has the fewest nonzero signed digits.
"""

from __future__ import annotations

__all__ = ["binary_digits", "bit_span", "digit_count", "is_power", "low_zeros", "popcount", "signed_digits"]


def signed_digits(value: int) -> tuple[tuple[int, int], ...]:
    """The canonical signed digits (non-adjacent form) as (exponent, sign), exponents ascending; 0 has none.

    Equation: value = sum of sign * 2**exponent, no two exponents adjacent.
    """
    magnitude, sign = abs(value), -1 if value < 0 else 1
    # 3m - m = 2m, subtracted bit by bit without a borrow: the difference of two bits is the digit.
    plus, minus = 3 * magnitude & ~magnitude, magnitude & ~(3 * magnitude)
    return tuple(
        (bit - 1, sign if plus >> bit & 1 else -sign)
        for bit in range(1, plus.bit_length() + 1)
        if (plus | minus) >> bit & 1
    )


def binary_digits(value: int) -> tuple[tuple[int, int], ...]:
    """The bits set in the magnitude as (exponent, sign), exponents ascending, all of the number's sign; 0 has none."""
    magnitude, sign = abs(value), -1 if value < 0 else 1
    return tuple((bit, sign) for bit in range(magnitude.bit_length()) if magnitude >> bit & 1)


def digit_count(value: int) -> int:
    """How many canonical signed digits an integer has."""
    return (abs(value) ^ 3 * abs(value)).bit_count()


def popcount(value: int) -> int:
    """Bits set in the binary magnitude."""
    return abs(value).bit_count()


def low_zeros(value: int) -> int:
    """Zero bits below the lowest bit set; 0 has none."""
    return max((value & -value).bit_length() - 1, 0)


def bit_span(value: int) -> int:
    """Bits from the highest to the lowest one set in the magnitude, both included; 0 spans 0."""
    return abs(value).bit_length() - low_zeros(value)


def is_power(value: int) -> bool:
    """Whether an integer is plus or minus a power of two: a product by it is a shift."""
    return abs(value).bit_count() == 1
