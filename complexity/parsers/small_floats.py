"""The values of float formats of 8 bits and less, from their definition."""

from __future__ import annotations

import math
from functools import cache

__all__ = ["SMALL_FLOATS", "small_float_values"]

# name: exponent bits, mantissa bits, bias, and what the top codes mean
SMALL_FLOATS = {
    "float8e4m3fn": (4, 3, 7, "fn"),
    "float8e4m3fnuz": (4, 3, 8, "fnuz"),
    "float8e5m2": (5, 2, 15, "ieee"),
    "float8e5m2fnuz": (5, 2, 16, "fnuz"),
    "float8e8m0": (8, 0, 127, "scale"),
    "float6e2m3": (2, 3, 1, "finite"),
    "float6e3m2": (3, 2, 3, "finite"),
    "float4e2m1": (2, 1, 1, "finite"),
}


@cache
def small_float_values(dtype: str) -> tuple[float, ...]:
    """The value of every code of a small float format, in code order."""
    exponent_bits, mantissa_bits, bias, special = SMALL_FLOATS[dtype]
    if special == "scale":
        return (*(2.0 ** (code - bias) for code in range(255)), math.nan)
    half = 1 << (exponent_bits + mantissa_bits)
    positive = [_positive(code, exponent_bits, mantissa_bits, bias, special) for code in range(half)]
    negative = [-value for value in positive]
    if special == "fnuz":
        negative[0] = math.nan
    return (*positive, *negative)


def _positive(code: int, exponent_bits: int, mantissa_bits: int, bias: int, special: str) -> float:
    exponent, mantissa = divmod(code, 1 << mantissa_bits)
    if special == "ieee" and exponent == (1 << exponent_bits) - 1:
        return math.nan if mantissa else math.inf
    if special == "fn" and code == (1 << (exponent_bits + mantissa_bits)) - 1:
        return math.nan
    if exponent == 0:
        return math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return math.ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits)
