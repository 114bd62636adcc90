"""The naive number: a float that counts what is done to it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

__all__ = ["Number", "act", "greatest", "larger", "numbers", "total"]

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "erf": math.erf,
    "exp": math.exp,
    "log": math.log,
    "reciprocal": lambda x: 1 / x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "sqrt": math.sqrt,
    "tanh": math.tanh,
}


class Number:
    """A float whose arithmetic is counted in `Number.counts`; plain numbers beside it are constants."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __add__(self, other: Number | float) -> Number:
        return _done("add", self.value + _value(other))

    def __sub__(self, other: Number | float) -> Number:
        return _done("add", self.value - _value(other))

    def __rsub__(self, other: float) -> Number:
        return _done("add", other - self.value)

    def __neg__(self) -> Number:
        return _done("add", -self.value)

    def __mul__(self, other: Number | float) -> Number:
        return _done("rm", self.value * _value(other))

    def __truediv__(self, other: Number | float) -> Number:
        return _done("division", self.value / _value(other))

    def __pow__(self, other: Number | float) -> Number:
        return _done("pow", self.value ** _value(other))

    def __gt__(self, other: Number | float) -> bool:
        Number.counts["cmp"] += 1
        return self.value > _value(other)

    __radd__, __rmul__ = __add__, __mul__

    def map(self, name: str) -> Number:
        """A special function of the number, by name."""
        return act(name, FUNCTIONS[name], self)


def _value(x: Number | float) -> float:
    return x.value if isinstance(x, Number) else x


def _done(name: str, value: float) -> Number:
    Number.counts[name] += 1
    return Number(value)


def act(name: str, function: Callable[..., float], *arguments: Number) -> Number:
    """One evaluation of a function, counted under a name."""
    return _done(name, function(*(argument.value for argument in arguments)))


def larger(a: Number, b: Number) -> Number:
    """The larger of two: one comparison."""
    return a if a > b else b


def total(values: Sequence[Number]) -> Number:
    """The sum, from the left."""
    result = values[0]
    for value in values[1:]:
        result = result + value
    return result


def greatest(values: Sequence[Number]) -> Number:
    """The greatest, from the left."""
    result = values[0]
    for value in values[1:]:
        result = larger(result, value)
    return result


def numbers(array: Any) -> Any:
    """An array of Numbers."""
    return np.vectorize(Number, otypes=[object])(array)
