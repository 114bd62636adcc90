"""Special functions without tables and wires: what the plain numbers of a layer are put through.

Double precision, but for the straight pieces and the polynomials, which are exact: their values may lie just between
two numbers of a format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np

from .fixed import FixedPoint
from .words import Array

__all__ = ["FUNCTIONS", "STRAIGHT", "evaluated", "member_values", "straight"]

INFINITY = np.inf
FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "acos": lambda x: np.arccos(np.clip(x, -1, 1)),
    "acosh": lambda x: np.arccosh(np.maximum(x, 1)),
    "asin": lambda x: np.arcsin(np.clip(x, -1, 1)),
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": lambda x: np.arctanh(np.clip(x, -1, 1)),
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "exp": np.exp,
    "log": lambda x: np.log(np.maximum(x, 0)),
    "reciprocal": lambda x: np.where(x == 0, INFINITY, 1 / np.where(x == 0, 1, x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sin": np.sin,
    "sinh": np.sinh,
    "softplus": lambda x: np.logaddexp(0, x),
    "sqrt": lambda x: np.sqrt(np.maximum(x, 0)),
    "tan": np.tan,
    "tanh": np.tanh,
}
STRAIGHT = ("sigmoid", "tanh")


def evaluated(function: str, seen: Array, operand: FixedPoint, result: FixedPoint) -> Array:
    """A function of the integers a table sees, at the nearest number of the result, halves up."""
    with np.errstate(all="ignore"):
        values = FUNCTIONS[function](seen.astype(np.float64) * 2.0**-operand.fraction)
    low, high = result.interval
    return np.clip(np.floor(values * 2.0**result.fraction + 0.5), low, high).astype(np.int64)


def straight(function: str, values: Array, fraction: int, result: FixedPoint) -> Array:
    """PLAN's sigmoid, or 2 sigmoid(2 x) - 1, of integers in units of 2**-fraction, rounded once, halves up.

    Equation: y = 1/4 |x| + 1/2 below 1, 1/8 |x| + 5/8 below 2.375, 1/32 |x| + 27/32 below 5, 1; of x < 0 it is 1 - y.
    """
    doubled = function == "tanh"
    point = max(fraction - doubled, 0)
    wide = values.astype(object) << point - (fraction - doubled)
    size = np.abs(wide)
    # In units of 2**-(point + 5).
    y = np.where(
        size >= 5 << point,
        32 << point,
        np.where(
            8 * size >= 19 << point,
            size + (27 << point),
            np.where(size >= 1 << point, 4 * size + (20 << point), 8 * size + (16 << point)),
        ),
    )
    y = np.where(wide < 0, (32 << point) - y, y)
    y = 2 * y - (32 << point) if doubled else y
    units = point + 6
    rounded = (y << max(result.fraction + 1, 0)) + (1 << point + 5 + max(-result.fraction - 1, 0))
    low, high = result.interval
    found: Array = np.clip(rounded >> units + max(-result.fraction - 1, 0), low, high)
    return found


def member_values(function: str, number: int, operand: FixedPoint, member: tuple[int, ...]) -> Fraction | float:
    """A function of a family of one integer that its table sees."""
    low, _ = operand.interval
    place = Fraction(number - low, 1 << operand.bits)
    if function == "bspline":
        each, order, grid = member
        return _spline(place * grid % 1 + order - each, order)
    if function == "chebyshev":
        return _polynomial(2 * place - 1, *member)
    if function == "grbf":
        each, grid = member
        distance = place * (grid - 1) - each if grid > 1 else place - Fraction(1, 2)
        return math.exp(-(float(distance) ** 2))
    times, sine = member
    angle = times * float(Fraction(number) / Fraction(2) ** operand.fraction)
    return math.sin(angle) if sine else math.cos(angle)


def _spline(x: Fraction, order: int) -> Fraction:
    """The B-spline on the knots 0 to order + 1 as a sum of truncated powers."""
    if order == 0:
        return Fraction(int(0 <= x < 1))
    terms = ((-1) ** k * math.comb(order + 1, k) * max(x - k, Fraction(0)) ** order for k in range(order + 2))
    return Fraction(sum(terms, Fraction(0)) / math.factorial(order))


def _polynomial(x: Fraction, order: int) -> Fraction:
    """The Chebyshev polynomial as its sum of powers of x and x**2 - 1."""
    terms = (math.comb(order, 2 * k) * (x * x - 1) ** k * x ** (order - 2 * k) for k in range(order // 2 + 1))
    return sum(terms, Fraction(0))
