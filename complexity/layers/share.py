"""An exact part of a size: the density of a reservoir, the rate of open gates."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from ..errors import SpecError, quoted
from ..expressions import Expression, Size, is_expression

__all__ = ["Part", "exact_part", "share"]

Part = str | int | float | Fraction | Expression


def exact_part(kind: str, field: str, part: Part, size_name: str, size: Size) -> Fraction | Expression:
    """A part of `size` as an exact fraction: text and floats are read as the decimals they print.

    Raises: SpecError E-SPEC-PART for a part outside [0, 1] or one that is no number, E-SPEC-WHOLE where part * size is
    not whole, with the two nearest parts that make it so.
    """
    if is_expression(part):
        return part
    try:
        exact = Fraction(str(part))
    except (ValueError, ZeroDivisionError):
        exact = Fraction(-1)
    if isinstance(part, bool) or not 0 <= exact <= 1:
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


def _shown(part: Fraction) -> str:
    """A part as a decimal where that is exact, else as a fraction."""
    decimal = f"{float(part):.12g}"
    return decimal if "e" not in decimal and Fraction(decimal) == part else str(part)
