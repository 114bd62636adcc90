"""Activation functions an operator applies to its own result: those of recurrent gates and of fused operators."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import Any, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role

__all__ = ["ACTIVATIONS", "CUBIC", "HALF", "ONE", "ROOT_HALF", "ROOT_TWO_PI", "ZERO", "activated"]

V = TypeVar("V")
ROLE = Role.ACTIVATION
ALIASES = {"swish": "silu"}
# A constant of the format, of a value or, where a name does not say it, of one that is not known.
Constant = Callable[[Fraction | None], V]
ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)
# Seventy bits of 1/sqrt(2) and sqrt(2/pi).
ROOT_HALF = Fraction(isqrt(1 << 139), 1 << 70)
ROOT_TWO_PI = Fraction(941975826783654713887, 1 << 70)
CUBIC = Fraction(44715, 1_000_000)


def activated(m: Arithmetic[V], x: V, function: str, elements: Size, format: Format) -> V:
    """`function` of every element of x, stored in `format`.

    Counting: sigmoid, tanh and softplus are evaluations of a special function; the others are what their definition
    says: Relu is a comparison, HardSigmoid a product, an addition and two comparisons, Elu a comparison, an exp, a
    subtraction and a product.
    Raises: KeyError for a name that is not in ACTIVATIONS.
    """
    name = ALIASES.get(function, function)
    if name in _LOOKED_UP:
        return m.lookup(x, name, result=format)

    def constant(value: Fraction | None) -> V:
        return m.constant(elements, format, value=value)

    return m.requantize(_DEFINED[name](m, x, constant, format), format)


def _relu(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.compare(x, c(ZERO), role=ROLE, kept="greater")


def _thresholded(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.compare(x, c(None), role=ROLE)


def _leaky(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.multiply(m.compare(x, c(ZERO), role=ROLE), c(None), role=ROLE)


def _clip(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.compare(m.compare(x, c(None), role=ROLE), c(None), role=ROLE)


def _limited(m: Arithmetic[V], x: V, c: Constant[V]) -> V:
    """max(0, min(1, x))"""
    return m.compare(m.compare(x, c(ONE), role=ROLE, kept="lesser"), c(ZERO), role=ROLE, kept="greater")


def _affine(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.add(m.multiply(x, c(None), role=ROLE), c(None), role=ROLE)


def _hard_sigmoid(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return _limited(m, _affine(m, x, c, format), c)


def _hard_swish(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    scaled = m.add(m.multiply(x, c(Fraction(1, 6)), role=ROLE), c(HALF), role=ROLE)
    return m.multiply(x, m.requantize(_limited(m, scaled, c), format), role=ROLE)


def _scaled_tanh(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.multiply(m.lookup(m.multiply(x, c(None), role=ROLE), "tanh", result=format), c(None), role=ROLE)


def _elu(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    grown = m.lookup(m.compare(x, c(ZERO), role=ROLE), "exp", result=format)
    return m.multiply(m.subtract(grown, c(ONE), role=ROLE), c(None), role=ROLE)


def _softsign(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.lookup(m.add(m.compare(x, c(ZERO), role=ROLE), c(ONE), role=ROLE), "division", result=format)


def _silu(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    return m.multiply(x, m.lookup(x, "sigmoid", result=format), role=ROLE)


def _gelu(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    """x/2 * (1 + erf(x / sqrt 2))"""
    curve = m.add(m.lookup(m.multiply(x, c(ROOT_HALF), role=ROLE), "erf", result=format), c(ONE), role=ROLE)
    return m.multiply(m.multiply(x, c(HALF), role=ROLE), m.requantize(curve, format), role=ROLE)


def _fast_gelu(m: Arithmetic[V], x: V, c: Constant[V], format: Format) -> V:
    """x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3)))"""
    x = m.requantize(x, format)
    cube = m.requantize(m.multiply(m.requantize(m.multiply(x, x, role=ROLE), format), x, role=ROLE), format)
    inner = m.requantize(m.add(x, m.multiply(cube, c(CUBIC), role=ROLE), role=ROLE), format)
    curve = m.add(m.lookup(m.multiply(inner, c(ROOT_TWO_PI), role=ROLE), "tanh", result=format), c(ONE), role=ROLE)
    return m.multiply(m.multiply(x, c(HALF), role=ROLE), m.requantize(curve, format), role=ROLE)


_LOOKED_UP = frozenset({"sigmoid", "tanh", "softplus"})
_DEFINED: dict[str, Callable[[Arithmetic[Any], Any, Any, Format], Any]] = {
    "affine": _affine,
    "clip": _clip,
    "elu": _elu,
    "fastgelu": _fast_gelu,
    "gelu": _gelu,
    "hardsigmoid": _hard_sigmoid,
    "hardswish": _hard_swish,
    "leakyrelu": _leaky,
    "relu": _relu,
    "scaledtanh": _scaled_tanh,
    "silu": _silu,
    "softsign": _softsign,
    "thresholdedrelu": _thresholded,
}
ACTIVATIONS = _LOOKED_UP | frozenset(_DEFINED) | frozenset(ALIASES)
