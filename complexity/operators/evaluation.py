"""Partial evaluation of elements: ONNX's semantics for known integers, floats, truths and free sizes.

A function returns None where the element is not known (the sign of a difference of free sizes, a division by zero);
`shapes.broadcast_values` reads an ArithmeticError, a TypeError or a ValueError the same way. Floats are computed in
Python's own precision. A free size times or over a number stays exact, with rational coefficients.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product as cartesian
from typing import cast

from ..expressions import (
    Expression,
    Size,
    at_least,
    ceil_divide,
    divide_exactly,
    floor_divide,
    maximum,
    minimum,
    rounded_down,
)
from ..shapes import Element, Shape, Tensor, broadcast_values, strides_of
from .moved import whole

__all__ = [
    "Function",
    "absolute",
    "add",
    "both",
    "ceil",
    "choose",
    "divide",
    "either",
    "equal",
    "floating",
    "floor",
    "folded",
    "greater",
    "integral",
    "larger",
    "modulo",
    "multiply",
    "negate",
    "not_less",
    "number_function",
    "partially",
    "power",
    "reduced_values",
    "rounded",
    "running_values",
    "sign",
    "smaller",
    "subtract",
]

WIDE = 4096
Function = Callable[..., Element]
Exact = int | float | Expression


def integral(dtype: str | None) -> bool:
    """Whether an element type holds integers."""
    return dtype is not None and re.fullmatch(r"u?int\d+", dtype) is not None


def floating(dtype: str | None) -> bool:
    """Whether an element type holds floats."""
    return dtype is not None and "float" in dtype


def folded(function: Function, dtype: str | None, *operands: Tensor) -> tuple[Element, ...] | None:
    """An elementwise function on known values, integers kept in the range of the result's type; None if unknown."""
    return broadcast_values(_in_range(function, dtype), *operands)


def partially(function: Function, *operands: Tensor) -> tuple[Element, ...] | None:
    """Like `folded`, for a function that may answer although an operand's element is unknown (None)."""
    if any(operand.value is None for operand in operands):
        return None
    places = [replace(operand, value=tuple(range(len(operand.value or ())))) for operand in operands]

    def at(*indices: int) -> Element:
        return function(*(o.value[i] if o.value else None for o, i in zip(operands, indices, strict=True)))

    return broadcast_values(at, *places)


def _in_range(function: Function, dtype: str | None) -> Function:
    match = re.fullmatch(r"(u?)int(\d+)", dtype or "")
    if match is None:
        return function
    unsigned, span = bool(match[1]), 1 << int(match[2])

    def kept(*elements: Element) -> Element:
        result = function(*elements)
        if not isinstance(result, int):
            return result
        low = result % span
        return low if unsigned or low < span // 2 else low - span

    return kept


def _exact(element: Element) -> Exact:
    if isinstance(element, int | float | Expression):
        return element
    raise TypeError(element)


def _rational(number: Exact) -> int | Fraction:
    # An infinity or NaN raises here, which makes the element unknown.
    if isinstance(number, Expression):
        raise TypeError(number)
    return number if isinstance(number, int) else Fraction(number)


def _settled(size: Size) -> Element:
    if isinstance(size, Expression) and set(size.terms) == {()}:
        return float(size.terms[()])
    return size


def _scaled(size: Expression, factor: int | Fraction) -> Size:
    return size * cast(int, factor)


def add(a: Element, b: Element) -> Element:
    """a + b."""
    left, right = _exact(a), _exact(b)
    if isinstance(right, Expression) and not isinstance(left, Expression):
        left, right = right, left
    if isinstance(left, Expression):
        if isinstance(right, Expression):
            return _settled(left + right)
        other = _rational(right)
        shifted = _scaled(left, other.denominator) + other.numerator
        return _settled(
            _scaled(shifted, Fraction(1, other.denominator)) if isinstance(shifted, Expression) else shifted
        )
    return left + cast(float, right)


def negate(a: Element) -> Element:
    """-a."""
    return -_exact(a)


def subtract(a: Element, b: Element) -> Element:
    """a - b."""
    return add(a, negate(b))


def multiply(a: Element, b: Element) -> Element:
    """a * b."""
    left, right = _exact(a), _exact(b)
    if isinstance(right, Expression) and not isinstance(left, Expression):
        left, right = right, left
    if isinstance(left, Expression):
        return _settled(left * right if isinstance(right, Expression) else _scaled(left, _rational(right)))
    return left * cast(float, right)


def divide(a: Element, b: Element, *, integers: bool) -> Element:
    """a / b: integers truncated toward zero, free sizes rounded down because sizes are not negative."""
    left, right = _exact(a), _exact(b)
    if integers:
        return _whole_quotient(left, right)
    if isinstance(right, Expression):
        exact = divide_exactly(left, right) if isinstance(left, int | Expression) else None
        return None if exact is None else _settled(exact)
    if isinstance(left, Expression):
        return _settled(_scaled(left, 1 / Fraction(_rational(right))))
    return left / right


def _whole_quotient(left: Exact, right: Exact) -> Element:
    if not isinstance(left, int | Expression) or not isinstance(right, int | Expression) or right == 0:
        return None
    if at_least(right, 0) is False:
        left, right = -left, -right
    if at_least(0, left) is True:
        return -floor_divide(-left, right)
    return floor_divide(left, right)


def modulo(a: Element, b: Element, *, truncated: bool) -> Element:
    """a mod b: with the sign of b, or of a where the quotient is truncated (fmod)."""
    left, right = _exact(a), _exact(b)
    if isinstance(left, Expression) or isinstance(right, Expression):
        if not isinstance(left, int | Expression) or not isinstance(right, int | Expression):
            return None
        positive = at_least(left, 0) is True and at_least(right, 1) is True
        return left - floor_divide(left, right) * right if positive else None
    if isinstance(left, int) and isinstance(right, int):
        return (-1 if left < 0 else 1) * (abs(left) % abs(right)) if truncated else left % right
    if not math.isfinite(left) or not math.isfinite(right):
        return None
    return math.fmod(left, right) if truncated else left % right


def power(a: Element, b: Element) -> Element:
    """a ** b, None where it is complex, too long to hold or a negative power of an integer."""
    base, exponent = _exact(a), _exact(b)
    if isinstance(exponent, float) and exponent.is_integer() and isinstance(base, int | Expression):
        exponent = int(exponent)
    if isinstance(base, Expression):
        return base**exponent if isinstance(exponent, int) and 0 <= exponent <= 16 else None
    if isinstance(exponent, Expression):
        return None
    if isinstance(base, int) and isinstance(exponent, int):
        return base**exponent if exponent >= 0 and base.bit_length() * exponent <= WIDE else None
    result = base**exponent
    return result if isinstance(result, float) else None


def floor(a: Element) -> Element:
    """The greatest integer not above a."""
    number = _exact(a)
    if isinstance(number, Expression):
        return rounded_down(number)
    return float(math.floor(number)) if isinstance(number, float) and math.isfinite(number) else number


def ceil(a: Element) -> Element:
    """The least integer not below a."""
    number = _exact(a)
    if not isinstance(number, Expression):
        return negate(floor(negate(number)))
    parts = math.lcm(*(c.denominator for c in number.terms.values()))
    return ceil_divide(_scaled(number, parts), parts)


def rounded(a: Element) -> Element:
    """The nearest integer, halves to the even one; None for a free size that may lie at a half."""
    number = _exact(a)
    if isinstance(number, Expression):
        return number if all(isinstance(c, int) for c in number.terms.values()) else None
    return float(round(number)) if isinstance(number, float) and math.isfinite(number) else number


def greater(a: Element, b: Element) -> bool | None:
    """a > b, None where free sizes decide."""
    if not isinstance(a, Expression) and not isinstance(b, Expression):
        return cast(float, _exact(a)) > cast(float, _exact(b))
    below = not_less(b, a)
    return None if below is None else not below


def not_less(a: Element, b: Element) -> bool | None:
    """a >= b, None where free sizes decide."""
    left, right = _exact(a), _exact(b)
    if not isinstance(left, Expression) and not isinstance(right, Expression):
        return left >= right
    difference = _exact(subtract(left, right))
    return difference >= 0 if isinstance(difference, float) else at_least(difference, 0)


def equal(a: Element, b: Element) -> bool | None:
    """a = b, None where free sizes decide."""
    if not isinstance(a, Expression) and not isinstance(b, Expression):
        return a == b
    up, down = not_less(a, b), not_less(b, a)
    if up is False or down is False:
        return False
    return True if up and down else None


def larger(a: Element, b: Element) -> Element:
    """max(a, b)."""
    return _extreme(a, b, maximum, greater)


def smaller(a: Element, b: Element) -> Element:
    """min(a, b)."""
    return _extreme(a, b, minimum, lambda left, right: greater(right, left))


def _extreme(
    a: Element, b: Element, sizes: Callable[..., Size], wins: Callable[[Element, Element], bool | None]
) -> Element:
    if any(isinstance(x, float) and math.isnan(x) for x in (a, b)):
        return math.nan
    won = wins(a, b)
    if won is not None:
        return a if won else b
    left, right = (int(x) if isinstance(x, float) and x.is_integer() else x for x in (a, b))
    if isinstance(left, int | Expression) and isinstance(right, int | Expression):
        return sizes(left, right)
    return None


def absolute(a: Element) -> Element:
    """|a|, None for a free size of either sign."""
    number = _exact(a)
    if not isinstance(number, Expression):
        return abs(number)
    if at_least(number, 0):
        return number
    return -number if at_least(0, number) else None


def sign(a: Element) -> Element:
    """-1, 0 or 1."""
    up, down = greater(a, 0), greater(0, a)
    return None if up is None or down is None else int(up) - int(down)


def choose(condition: Element, a: Element, b: Element) -> Element:
    """a where the condition holds, else b; the branch not taken need not be known."""
    if condition is None:
        return a if a is not None and type(a) is type(b) and a == b else None
    return a if condition else b


def both(a: Element, b: Element) -> Element:
    """a and b; one False decides."""
    return False if a is False or b is False else None if a is None or b is None else bool(a and b)


def either(a: Element, b: Element) -> Element:
    """a or b; one True decides."""
    return True if a is True or b is True else None if a is None or b is None else bool(a or b)


def number_function(function: Callable[[float], float]) -> Function:
    """A function of the math module on elements; free sizes have no value under it."""

    def applied(a: Element) -> Element:
        number = _exact(a)
        return None if isinstance(number, Expression) else function(float(number))

    return applied


def _lines(shape: Sequence[int], axes: Sequence[int]) -> list[list[int]]:
    """Row-major places of the elements that meet in a reduction over axes, one list for each result."""
    strides, kept = strides_of(shape), [axis for axis in range(len(shape)) if axis not in axes]
    starts = _places([shape[axis] for axis in kept], [strides[axis] for axis in kept])
    steps = _places([shape[axis] for axis in axes], [strides[axis] for axis in axes])
    return [[start + step for step in steps] for start in starts]


def _places(sizes: Sequence[int], strides: Sequence[int]) -> list[int]:
    indices = cartesian(*(range(size) for size in sizes))
    return [sum(i * step for i, step in zip(index, strides, strict=True)) for index in indices]


def _known(function: Function, *elements: Element) -> Element:
    if any(element is None for element in elements):
        return None
    try:
        return function(*elements)
    except (ArithmeticError, TypeError, ValueError):
        return None


def reduced_values(tensor: Tensor, shape: Shape, axes: Sequence[int], function: Function) -> tuple[Element, ...] | None:
    """A function of all elements that meet in a reduction over axes; unknown where one of them is."""
    sizes = whole(shape)
    if tensor.value is None or sizes is None:
        return None
    value, function = tensor.value, _in_range(function, tensor.dtype)
    return tuple(_known(function, *(value[place] for place in line)) for line in _lines(sizes, sorted(axes)))


def running_values(
    tensor: Tensor, shape: Shape, axis: int, function: Function, start: Element, *, exclusive: bool, reverse: bool
) -> tuple[Element, ...] | None:
    """Known elements accumulated along an axis; everything behind an unknown element is unknown."""
    sizes = whole(shape)
    if tensor.value is None or sizes is None:
        return None
    function, results = _in_range(function, tensor.dtype), list(tensor.value)
    for line in _lines(sizes, [axis]):
        total: Element = start
        for place in reversed(line) if reverse else line:
            before, total = total, _known(function, total, tensor.value[place])
            results[place] = before if exclusive else total
    return tuple(results)
