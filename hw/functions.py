"""Special functions of decimals, sixty digits of them, and the families of functions that a layer learns in.

Where a function has no value, it takes that of the nearest number which has one (the root of a negative number is 0);
infinities stand for numbers beyond every format.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cache

__all__ = ["DIGITS", "FAMILIES", "FUNCTIONS", "HALF"]

DIGITS = Context(prec=60, rounding=ROUND_HALF_UP)
# A series whose terms are far greater than its sum needs more digits than the sum has.
SERIES = Context(prec=160, rounding=ROUND_HALF_UP)
ZERO, HALF, ONE, TWO = Decimal(0), Decimal("0.5"), Decimal(1), Decimal(2)
INFINITY = Decimal("Infinity")
# e**1000 is beyond every format, e**-1000 below every step.
FAR = Decimal(1000)
# 1 - erf(12) < 10**-63
CERTAIN = Decimal(12)


def _exp(x: Decimal) -> Decimal:
    return min(max(x, -FAR), FAR).exp()


def _log(x: Decimal) -> Decimal:
    return x.ln() if x > 0 else -INFINITY


def _sqrt(x: Decimal) -> Decimal:
    return max(x, ZERO).sqrt()


def _reciprocal(x: Decimal) -> Decimal:
    return ONE / x if x else INFINITY


def _sigmoid(x: Decimal) -> Decimal:
    return ONE / (ONE + _exp(-x))


def _tanh(x: Decimal) -> Decimal:
    grown = _exp(-2 * abs(x))
    return ((ONE - grown) / (ONE + grown)).copy_sign(x)


def _softplus(x: Decimal) -> Decimal:
    return max(x, ZERO) + (ONE + _exp(-abs(x))).ln()


def _silu(x: Decimal) -> Decimal:
    return x * _sigmoid(x)


def _summed(term: Decimal, following: Callable[[Decimal, int], tuple[Decimal, Decimal]]) -> Decimal:
    """A series: `following` gives the term to add and the next power, from the power and the place."""
    total, place = ZERO, 0
    while True:
        added, term = following(term, place)
        if total + added == total:
            return total
        total, place = total + added, place + 1


def _erf(x: Decimal) -> Decimal:
    if abs(x) >= CERTAIN:
        return ONE.copy_sign(x)
    with localcontext(SERIES):
        square = x * x
        total = _summed(x, lambda power, n: (power / (2 * n + 1), -power * square / (n + 1)))
        return TWO * total / _pi().sqrt()


@cache
def _pi() -> Decimal:
    with localcontext(SERIES):
        # Machin: pi = 16 atan 1/5 - 4 atan 1/239
        return 16 * _arc(ONE / 5) - 4 * _arc(ONE / 239)


def _arc(x: Decimal) -> Decimal:
    """atan of a small number."""
    square = x * x
    return _summed(x, lambda power, n: (power / (2 * n + 1), -power * square))


def _atan(x: Decimal) -> Decimal:
    with localcontext(SERIES):
        for _ in range(3):
            x = x / (ONE + (ONE + x * x).sqrt())
        return 8 * _arc(x)


def _turned(x: Decimal, first: int) -> Decimal:
    """The sine of x (first 1) or its cosine (first 0)."""
    with localcontext(SERIES):
        x = x.remainder_near(2 * _pi())
        square, start = x * x, x if first else ONE
        return _summed(start, lambda power, n: (power, -power * square / ((2 * n + first + 1) * (2 * n + first + 2))))


def _sin(x: Decimal) -> Decimal:
    return _turned(x, 1)


def _cos(x: Decimal) -> Decimal:
    return _turned(x, 0)


def _asin(x: Decimal) -> Decimal:
    if abs(x) >= 1:
        return (_pi() / 2).copy_sign(x)
    return _atan(x / (ONE - x * x).sqrt())


def _asinh(x: Decimal) -> Decimal:
    return (abs(x) + (x * x + ONE).sqrt()).ln().copy_sign(x)


def _acosh(x: Decimal) -> Decimal:
    x = max(x, ONE)
    return (x + (x * x - ONE).sqrt()).ln()


def _atanh(x: Decimal) -> Decimal:
    return INFINITY.copy_sign(x) if abs(x) >= 1 else ((ONE + x) / (ONE - x)).ln() / 2


FUNCTIONS: dict[str, Callable[[Decimal], Decimal]] = {
    "acos": lambda x: _pi() / 2 - _asin(x),
    "acosh": _acosh,
    "asin": _asin,
    "asinh": _asinh,
    "atan": _atan,
    "atanh": _atanh,
    "cos": _cos,
    "cosh": lambda x: (_exp(x) + _exp(-x)) / 2,
    "erf": _erf,
    "exp": _exp,
    "log": _log,
    "reciprocal": _reciprocal,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "sin": _sin,
    "sinh": lambda x: (_exp(x) - _exp(-x)) / 2,
    "softplus": _softplus,
    "sqrt": _sqrt,
    "tan": lambda x: _sin(x) / _cos(x),
    "tanh": _tanh,
}


def _bspline(x: Decimal, place: Decimal, each: int, order: int, grid: int) -> Decimal:
    """The spline of the coefficient `each` behind the first one that is not zero on the piece of the grid."""
    along = place * grid
    return _cardinal(along - int(along) + order - each, order)


def _cardinal(x: Decimal, order: int) -> Decimal:
    """The B-spline of an order on the knots 0, 1 … order + 1 (Cox and de Boor)."""
    if order == 0:
        return ONE if 0 <= x < 1 else ZERO
    left, right = _cardinal(x, order - 1), _cardinal(x - 1, order - 1)
    return (x * left + (order + 1 - x) * right) / order


def _grbf(x: Decimal, place: Decimal, each: int, grid: int) -> Decimal:
    """A Gaussian at one of so many places, the first and the last at the ends, as wide as they are apart."""
    distance = place * (grid - 1) - each if grid > 1 else place - HALF
    return _exp(-distance * distance)


def _chebyshev(x: Decimal, place: Decimal, order: int) -> Decimal:
    """The polynomial of the first kind."""
    along = 2 * place - 1
    before, found = along, ONE
    for _ in range(order):
        before, found = found, 2 * along * found - before
    return found


def _fourier(x: Decimal, place: Decimal, times: int, sine: int) -> Decimal:
    return _turned(times * x, sine)


# Of x, its place from 0 to 1 in the range of its format, and the numbers that tell the members of a family apart.
FAMILIES: dict[str, Callable[..., Decimal]] = {
    "bspline": _bspline,
    "chebyshev": _chebyshev,
    "fourier": _fourier,
    "grbf": _grbf,
}
