"""An exact part of a size: the density of a reservoir, the rate of open gates."""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor

from ..errors import SpecError, quoted
from ..expressions import Expression, Size, is_expression

__all__ = ["Part", "exact_part", "share"]

# A longer text, or an exponent of more digits, would be a number too long to compute with.
LONGEST = 40
NUMBER = re.compile(r"[0-9]+(?:/[0-9]+|(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?)|\.[0-9]+")
Part = str | int | float | Fraction | Expression


def exact_part(kind: str, field: str, part: Part, size_name: str, size: Size) -> Fraction | Expression:
    """A part of `size` as an exact fraction: text and floats are read as the decimals they print.

    A text is a decimal, with an exponent of two digits at most, or a fraction; it has at most 40 characters.
    Raises: SpecError E-SPEC-PART for a part outside [0, 1] or one that is no number, E-SPEC-WHOLE where part * size is
    not whole, with the two nearest parts that make it so.
    """
    if is_expression(part):
        return part
    exact = _read(part)
    if exact is None or not 0 <= exact <= 1:
        fact = f"{field} is {quoted(part)}, expected a decimal or a fraction from 0 to 1"
        raise SpecError("E-SPEC-PART", fact).at(kind)
    if isinstance(size, int) and (exact * size).denominator != 1:
        below = floor(exact * size)
        nearest = " or ".join(_shown(Fraction(whole, size)) for whole in (below, below + 1))
        fact = f"{field} {quoted(part)} of {size} {size_name} is not whole, expected {nearest}"
        raise SpecError("E-SPEC-WHOLE", fact).at(kind)
    return exact


def share(part: Part, size: Size) -> Size:
    """part * size, whole."""
    if is_expression(part):
        return part * size
    exact = Fraction(str(part))
    return size if exact == 1 else Expression({(): exact}) * size


def _read(part: object) -> Fraction | None:
    """The number that is meant, None for what is no plain one."""
    if isinstance(part, Fraction | int):
        return None if isinstance(part, bool) else Fraction(part)
    text = str(part)
    # A float prints shortly, whatever its exponent.
    if not isinstance(part, float) and not (len(text) <= LONGEST and NUMBER.fullmatch(text)):
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _shown(part: Fraction) -> str:
    """A part as a decimal where that is exact, else as a fraction."""
    decimal = f"{float(part):.12g}"
    return decimal if "e" not in decimal and Fraction(decimal) == part else str(part)
