"""Activation functions an operator applies to its own result: those of recurrent gates and of fused operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size
from ..formats import Format
from ..ops import Role

__all__ = ["ACTIVATIONS", "activated"]

V = TypeVar("V")
ROLE = Role.ACTIVATION
ALIASES = {"swish": "silu"}


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
    constant = m.constant(elements, format)
    return m.requantize(_DEFINED[name](m, x, constant, format), format)


def _relu(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.compare(x, c, role=ROLE)


def _leaky(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.multiply(m.compare(x, c, role=ROLE), c, role=ROLE)


def _clip(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.compare(m.compare(x, c, role=ROLE), c, role=ROLE)


def _affine(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.add(m.multiply(x, c, role=ROLE), c, role=ROLE)


def _hard_sigmoid(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return _clip(m, _affine(m, x, c, format), c, format)


def _hard_swish(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.multiply(x, m.requantize(_hard_sigmoid(m, x, c, format), format), role=ROLE)


def _scaled_tanh(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.multiply(m.lookup(m.multiply(x, c, role=ROLE), "tanh", result=format), c, role=ROLE)


def _elu(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    grown = m.lookup(m.compare(x, c, role=ROLE), "exp", result=format)
    return m.multiply(m.subtract(grown, c, role=ROLE), c, role=ROLE)


def _softsign(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.lookup(m.add(m.compare(x, c, role=ROLE), c, role=ROLE), "division", result=format)


def _silu(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    return m.multiply(x, m.lookup(x, "sigmoid", result=format), role=ROLE)


def _gelu(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    """x/2 * (1 + erf(x / sqrt 2))"""
    curve = m.add(m.lookup(m.multiply(x, c, role=ROLE), "erf", result=format), c, role=ROLE)
    return m.multiply(m.multiply(x, c, role=ROLE), m.requantize(curve, format), role=ROLE)


def _fast_gelu(m: Arithmetic[V], x: V, c: V, format: Format) -> V:
    """x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3)))"""
    x = m.requantize(x, format)
    cube = m.requantize(m.multiply(m.requantize(m.multiply(x, x, role=ROLE), format), x, role=ROLE), format)
    inner = m.requantize(m.add(x, m.multiply(cube, c, role=ROLE), role=ROLE), format)
    curve = m.add(m.lookup(m.multiply(inner, c, role=ROLE), "tanh", result=format), c, role=ROLE)
    return m.multiply(m.multiply(x, c, role=ROLE), m.requantize(curve, format), role=ROLE)


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
    "thresholdedrelu": _relu,
}
ACTIVATIONS = _LOOKED_UP | frozenset(_DEFINED) | frozenset(ALIASES)
