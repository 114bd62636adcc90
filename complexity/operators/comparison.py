"""Comparisons, logic and bits: what answers true or false, or looks at single bits."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..ops import Role
from ..shapes import Element, Tensor
from . import evaluation
from .pointwise import common_shape, pointwise
from .rule import Call, Operator, Result, Rule

__all__ = ["OPERATORS"]

BITS = "bit logic: no multiplication, addition, comparison or special function"
LONGEST_SHIFT = 64
TOTAL_FROM = 28


def comparison(function: evaluation.Function) -> Rule:
    """a against b: one comparison per element. Free sizes are compared where their least value, one, decides."""

    def rule(call: Call) -> Result:
        common_shape(call, 0, 1)
        value = evaluation.folded(function, "bool", call.input(0), call.input(1))
        return pointwise(call, compare, 0, 1, kind="comparison", dtype="bool", value=value)

    return rule


def compare(m: Arithmetic[Signal], x: Signal, y: Signal) -> None:
    """One comparison."""
    m.compare(x, y, role=Role.ELEMENTWISE)


def test(function: Callable[[Call, float], bool]) -> Rule:
    """Is x infinite, is it not a number: one comparison per element. A free size is neither."""

    def rule(call: Call) -> Result:
        def known(element: Element) -> Element:
            return isinstance(element, float) and function(call, element)

        value = evaluation.folded(known, "bool", call.input(0))
        return pointwise(
            call,
            lambda m, x: m.compare(x, x, role=Role.ELEMENTWISE),
            *(0,),
            kind="comparison",
            dtype="bool",
            value=value,
        )

    return rule


def infinite(call: Call, number: float) -> bool:
    """Whether a number is one of the infinities asked for."""
    wanted = call.integer("detect_positive" if number > 0 else "detect_negative", 1)
    return math.isinf(number) and wanted != 0


def logic(function: evaluation.Function, *, truths: bool = False) -> Rule:
    """Bits of one or two operands joined: free."""

    def rule(call: Call) -> Result:
        indices = range(max(1, len(call.inputs)))
        tensors = [call.input(index) for index in indices]
        dtype = "bool" if truths else next((tensor.dtype for tensor in tensors if tensor.dtype), None)
        shape = common_shape(call, *indices)
        value = evaluation.partially(function, *tensors) if truths else evaluation.folded(function, dtype, *tensors)
        return Result(outputs=(Tensor(dtype=dtype, shape=shape).with_value(value),), free=BITS)

    return rule


def negated(a: Element) -> Element:
    """not a."""
    return None if a is None else not a


def differing(a: Element, b: Element) -> Element:
    """Exactly one of a and b."""
    return None if a is None or b is None else bool(a) != bool(b)


def on_bits(function: Callable[..., int]) -> evaluation.Function:
    """A function of integers on elements; a free size has no known bits."""

    def applied(*elements: Element) -> Element:
        numbers = [element for element in elements if isinstance(element, int)]
        return function(*numbers) if len(numbers) == len(elements) else None

    return applied


def shift(call: Call) -> Result:
    """x shifted by y places, to the side the required attribute `direction` says."""
    direction = call.text("direction")
    if direction not in ("LEFT", "RIGHT"):
        call.refuse("E-SHIFT-DIRECTION", f"direction is '{direction}', expected LEFT or RIGHT")

    def moved(x: int, places: int) -> int:
        if not 0 <= places < LONGEST_SHIFT:
            # Version 28 says what was undefined before: every bit leaves.
            if call.version < TOTAL_FROM:
                raise ValueError(places)
            places = LONGEST_SHIFT
        return x << places if direction == "LEFT" else x >> places

    return logic(on_bits(moved))(call)


COMPARISONS: tuple[tuple[str, evaluation.Function], ...] = (
    ("Equal", evaluation.equal),
    ("Less", lambda a, b: evaluation.greater(b, a)),
    ("LessOrEqual", lambda a, b: evaluation.not_less(b, a)),
    ("Greater", evaluation.greater),
    ("GreaterOrEqual", evaluation.not_less),
)
TRUTHS: tuple[tuple[str, evaluation.Function], ...] = (
    ("And", evaluation.both),
    ("Or", evaluation.either),
    ("Xor", differing),
)
BITWISE: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    ("BitwiseAnd", int.__and__),
    ("BitwiseOr", int.__or__),
    ("BitwiseXor", int.__xor__),
)

OPERATORS = (
    *(Operator(name=name, rule=comparison(function), inputs=(2, 2)) for name, function in COMPARISONS),
    Operator(name="IsNaN", rule=test(lambda call, number: math.isnan(number))),
    Operator(name="IsInf", rule=test(infinite), attributes="detect_negative detect_positive"),
    *(Operator(name=name, rule=logic(function, truths=True), inputs=(2, 2), free=BITS) for name, function in TRUTHS),
    Operator(name="Not", rule=logic(negated, truths=True), free=BITS),
    *(Operator(name=name, rule=logic(on_bits(function)), inputs=(2, 2), free=BITS) for name, function in BITWISE),
    Operator(name="BitwiseNot", rule=logic(on_bits(int.__invert__)), free=BITS),
    Operator(name="BitShift", rule=shift, inputs=(2, 2), attributes="direction", settings=(1,), free=BITS),
)
