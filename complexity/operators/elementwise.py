"""Arithmetic on single elements: sums, products, powers, special functions, limits, and running sums along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..formats import Accumulation, Format
from ..grids import (
    Grid,
    added,
    divided,
    greater,
    grown_together,
    magnitude,
    multiplied,
    negated,
    powered,
    rounded,
    signs,
    smaller,
    subtracted,
)
from ..ops import Role
from ..shapes import Element, Tensor
from . import evaluation
from .cumulative import running, running_product, running_sum
from .layouts import flat
from .moved import MOVEMENT, joined, movement
from .pointwise import common_shape, pointwise
from .propagation import Exact, carried
from .rule import Call, Layout, Operator, Result, Rule, Steps, operand
from .variadic import extreme, many_mean, many_sum

__all__ = ["OPERATORS", "raised"]

EACH = Role.ELEMENTWISE
M = Arithmetic[Signal]


def joined_bias(call: Call, *, left_only: bool) -> tuple[int, Accumulation] | None:
    """The input still in its accumulator, and that accumulator, where the other is a constant vector added to it.

    A vector has an axis and more than one element, or one element where the tensor has one channel. It may not enlarge
    the tensor, and no other node may read what the accumulator held before.
    """
    for index in (0,) if left_only else (0, 1):
        tensor, vector = call.input(index), call.input(1 - index)
        alone = index < len(call.alone) and call.alone[index]
        if not alone or tensor.accumulator is None or not vector.constant or tensor.constant or not vector.shape:
            continue
        if tensor.shape is None or tensor.shape != common_shape(call, 0, 1):
            continue
        if product(vector.shape) != 1 or 1 in (tensor.shape[-1], *tensor.shape[1:2]):
            return index, tensor.accumulator
    return None


def addition(call: Call) -> Result:
    """y = a + b: one addition per element; in the accumulator of a linear operator where b is its bias."""
    return sum_or_difference(call, lambda m, x, y, role: m.add(x, y, role=role), evaluation.add, added)


def subtraction(call: Call) -> Result:
    """y = a - b: one subtraction per element; in the accumulator of a linear operator where b is its bias."""
    return sum_or_difference(call, lambda m, x, y, role: m.subtract(x, y, role=role), evaluation.subtract, subtracted)


def sum_or_difference(
    call: Call, verb: Callable[[M, Signal, Signal, Role], Signal], function: evaluation.Function, exact: Exact
) -> Result:
    """One addition or subtraction per output element."""
    commutes = exact is added
    a, b = call.input(0), call.input(1)
    dtype = a.dtype or b.dtype
    common_shape(call, 0, 1)
    value = evaluation.folded(function, dtype, a, b)
    bias = joined_bias(call, left_only=not commutes)
    if bias is not None:
        open, accumulation = bias
        tensor, vector = call.input(open), call.input(1 - open)

        def text(m: M) -> None:
            sum = m.partial(1, accumulation, "partial")
            verb(m, sum, m.constant(1, vector.number, "bias"), Role.BIAS)

        layouts = {"bias": Layout(1 - open, flat)}
        output = Tensor(dtype=dtype, shape=tensor.shape).with_value(value)
        output = carried(output, (a, b), exact, call.op, grown_together)
        work = Steps(text=text, executions=product(tensor.shape or ()), wired=True)
        return Result(outputs=(output,), work=work, kind="add", layouts=layouts, partial=open)
    return pointwise(
        call,
        lambda m, x, y: verb(m, x, y, EACH),
        *(0, 1),
        kind="add",
        dtype=dtype,
        value=value,
        operands=constant_last(a, b) if commutes else [a, b],
        exact=exact,
        otherwise=grown_together,
        wired=True,
    )


def constant_last(*tensors: Tensor) -> list[Tensor]:
    """Operands of a commutative operation, the constant one behind."""
    return sorted(tensors, key=lambda tensor: tensor.constant)


def multiplication(call: Call) -> Result:
    """y = a * b: one product per element."""
    a, b = call.input(0), call.input(1)
    common_shape(call, 0, 1)
    value = evaluation.folded(evaluation.multiply, a.dtype or b.dtype, a, b)
    return pointwise(
        call,
        lambda m, x, y: m.multiply(x, y, role=EACH),
        *(0, 1),
        kind="elementwise",
        value=value,
        operands=constant_last(a, b),
        exact=multiplied,
        wired=True,
    )


def division(call: Call) -> Result:
    """y = a / b: one division per element, truncated toward zero between integers."""
    dtype = call.input(0).dtype or call.input(1).dtype
    common_shape(call, 0, 1)

    def quotient(a: Element, b: Element) -> Element:
        return evaluation.divide(a, b, integers=evaluation.integral(dtype)) if dtype else None

    value = evaluation.folded(quotient, dtype, call.input(0), call.input(1))
    return pointwise(
        call,
        lambda m, x, y: m.lookup(x, "division", role=EACH),
        *(0, 1),
        kind="elementwise",
        value=value,
        exact=divided,
    )


def remainder(call: Call) -> Result:
    """y = a mod b: one "modulo" per element; the sign is b's, with fmod=1 a's."""
    dtype, truncated = call.input(0).dtype or call.input(1).dtype, call.integer("fmod", 0) == 1
    common_shape(call, 0, 1)

    def rest(a: Element, b: Element) -> Element:
        return evaluation.modulo(a, b, truncated=truncated)

    value = evaluation.folded(rest, dtype, call.input(0), call.input(1))
    return pointwise(call, lambda m, x, y: m.lookup(x, "modulo", role=EACH), 0, 1, kind="elementwise", value=value)


def raised(m: M, x: Signal, exponent: float | None, number: Format, role: Role) -> Signal:
    """x to a power: products for 2, 3 and 4, root and reciprocal for halves and -1, else one evaluation of "pow"."""
    if exponent == 1:
        return x
    if exponent in (2, 4):
        square = m.multiply(x, x, role=role)
        half = m.requantize(square, number)
        return square if exponent == 2 else m.multiply(half, half, role=role)
    if exponent == 3:
        return m.multiply(m.requantize(m.multiply(x, x, role=role), number), x, role=role)
    if exponent == -1:
        return m.lookup(x, "reciprocal", result=number, role=role)
    if exponent in (0.5, -0.5):
        root = m.lookup(x, "sqrt", result=number, role=role)
        return root if exponent == 0.5 else m.lookup(root, "reciprocal", result=number, role=role)
    return m.lookup(x, "pow", result=number, role=role)


def power(call: Call) -> Result:
    """y = a ** b of a's type: products where b is one known small number, else one "pow" per element."""
    base, exponents = call.input(0), call.input(1)
    common_shape(call, 0, 1)

    def typed(a: Element, b: Element) -> Element:
        result = evaluation.power(a, b)
        return int(result) if evaluation.integral(base.dtype) and isinstance(result, float) else result

    known = exponents.value or (None,)
    first = known[0]
    same = first if isinstance(first, int | float) and all(element == first for element in known) else None
    # Powers that are products, roots and reciprocals have their exponent in the equation.
    written = same in (1, 2, 3, 4, -1, 0.5, -0.5)
    result = pointwise(
        call,
        lambda m, x, *_: raised(m, x, same, base.number, EACH),
        *(0, 1),
        kind="elementwise",
        dtype=base.dtype,
        value=evaluation.folded(typed, base.dtype, base, exponents),
        operands=[base] if written else None,
        exact=lambda x, _: powered(x, int(same)) if same in (1, 2, 3, 4) else None,
        wired=written,
    )
    result = replace(result, layouts={}) if written else result
    return replace(result, work=None, free="the first power is the number itself") if same == 1 else result


def special(function: str, value: evaluation.Function | None = None, exact: Exact | None = None) -> Rule:
    """y = f(x): one evaluation of a special function per element."""

    def rule(call: Call) -> Result:
        x = call.input(0)
        known = evaluation.folded(value, x.dtype, x) if value else None
        return pointwise(
            call,
            lambda m, s: m.lookup(s, function, role=EACH),
            0,
            kind="elementwise",
            value=known,
            exact=exact,
            wired=True,
        )

    return rule


def whole(function: Callable[[Fraction], int], value: evaluation.Function) -> Rule:
    """y = x rounded to an integer: one evaluation of "round" per element."""
    return special("round", value, lambda x: rounded(x, function))


def compared(value: evaluation.Function, exact: Exact) -> Rule:
    """|x| and sign x: one comparison with zero per element."""

    def rule(call: Call) -> Result:
        known = evaluation.folded(value, call.input(0).dtype, call.input(0))
        return pointwise(call, lambda m, x: m.compare(x, x, role=EACH), 0, kind="elementwise", value=known, exact=exact)

    return rule


def negation(call: Call) -> Result:
    """y = 0 - x: one subtraction per element."""
    number = call.input(0).number
    value = evaluation.folded(evaluation.negate, call.input(0).dtype, call.input(0))

    def equation(m: M, x: Signal) -> None:
        m.subtract(m.constant(x.elements, number, value=Fraction(0)), x, role=EACH)

    return pointwise(call, equation, 0, kind="elementwise", value=value, exact=negated, wired=True)


def clip(call: Call) -> Result:
    """y = min(max(x, low), high): one comparison per element and bound present (attributes before version 11)."""
    low, high = limits = bound(call, "min", 1), bound(call, "max", 2)
    x = call.input(0)
    shape, operands = x.shape, [x]
    value: Tensor | None = x
    for limit, function in ((low, evaluation.larger), (high, evaluation.smaller)):
        if limit is None:
            continue
        if limit.shape and product(limit.shape) != 1:
            call.refuse("E-CLIP-BOUND", f"a bound has shape {list(limit.shape)}, expected a scalar")
        operands.append(limit)
        if value is not None:
            scalar = replace(limit, shape=())
            found = evaluation.folded(function, x.dtype, value, scalar)
            value = None if found is None else Tensor(dtype=x.dtype, shape=shape, value=found)

    def equation(m: M, x: Signal) -> None:
        for limit, kept in zip(limits, ("greater", "lesser"), strict=True):
            if limit is not None:
                x = m.compare(x, _limit(m, limit, x.elements), role=Role.ACTIVATION, kept=kept)

    result = pointwise(call, equation, 0, kind="activation", value=None if value is None else value.value, wired=True)
    output = carried(result.outputs[0], (x, *(limit for limit in operands[1:])), clipped(low, high), call.op)
    result = replace(result, outputs=(output,))
    return result if len(operands) > 1 else replace(result, work=None, free="no bound: the number itself")


def _limit(m: M, limit: Tensor, elements: Size) -> Signal:
    """A bound, with its number where that is known."""
    known = limit.value[0] if limit.value else None
    if not limit.constant or not isinstance(known, int | float) or not math.isfinite(known):
        return operand(m, limit, elements)
    return m.constant(elements, limit.number, value=Fraction(known))


def clipped(low: Tensor | None, high: Tensor | None) -> Exact:
    """The limits of Clip that are there, on grids."""
    functions = [function for limit, function in ((low, greater), (high, smaller)) if limit is not None]

    def exact(x: Grid, *limits: Grid) -> Grid | None:
        result: Grid | None = x
        for function, limit in zip(functions, limits, strict=True):
            result = None if result is None else function(result, limit)
        return result

    return exact


def bound(call: Call, name: str, index: int) -> Tensor | None:
    """A bound of Clip, from an attribute or an input."""
    if name in call.attributes:
        return Tensor(dtype=call.input(0).dtype, shape=(), value=(call.number(name),), constant=True)
    return call.given(index)


def where(call: Call) -> Result:
    """y = a where the condition holds, else b: a selection."""
    condition, a, b = call.input(0), call.input(1), call.input(2)
    shape = common_shape(call, 0, 1, 2)
    chosen = joined((a, b), shape, evaluation.partially(evaluation.choose, condition, a, b), call.op)
    if not condition.constant:
        chosen = replace(chosen, constant=False, stored=frozenset())
    return movement(replace(chosen, dtype=a.dtype or b.dtype))


OPERATORS = (
    Operator(name="Add", rule=addition, inputs=(2, 2)),
    Operator(name="Sub", rule=subtraction, inputs=(2, 2)),
    Operator(name="Mul", rule=multiplication, inputs=(2, 2)),
    Operator(name="Div", rule=division, inputs=(2, 2)),
    Operator(name="Mod", rule=remainder, inputs=(2, 2), attributes="fmod"),
    Operator(name="Pow", rule=power, inputs=(2, 2)),
    Operator(name="Neg", rule=negation),
    Operator(name="Abs", rule=compared(evaluation.absolute, magnitude)),
    Operator(name="Sign", rule=compared(evaluation.sign, signs)),
    Operator(name="Reciprocal", rule=special("reciprocal", lambda x: evaluation.divide(1.0, x, integers=False))),
    Operator(name="Sqrt", rule=special("sqrt", evaluation.number_function(math.sqrt))),
    Operator(name="Exp", rule=special("exp", evaluation.number_function(math.exp))),
    Operator(name="Log", rule=special("log", evaluation.number_function(math.log))),
    Operator(name="Floor", rule=whole(math.floor, evaluation.floor)),
    Operator(name="Ceil", rule=whole(math.ceil, evaluation.ceil)),
    Operator(name="Round", rule=whole(round, evaluation.rounded)),
    *(
        Operator(name=name, rule=special(name.lower()))
        for name in ("Erf", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh")
    ),
    Operator(name="Max", rule=extreme(evaluation.larger, greater, "greater"), inputs=(1, None)),
    Operator(name="Min", rule=extreme(evaluation.smaller, smaller, "lesser"), inputs=(1, None)),
    Operator(name="Sum", rule=many_sum, inputs=(1, None)),
    Operator(name="Mean", rule=many_mean, inputs=(1, None)),
    Operator(name="Clip", rule=clip, inputs=(1, 3), attributes="max min", settings=(1, 2)),
    Operator(name="Where", rule=where, inputs=(3, 3), free=MOVEMENT),
    Operator(
        name="CumSum",
        rule=running(evaluation.add, 0, running_sum),
        inputs=(2, 2),
        attributes="exclusive reverse",
        settings=(1,),
    ),
    Operator(
        name="CumProd",
        rule=running(evaluation.multiply, 1, running_product),
        inputs=(2, 2),
        attributes="exclusive reverse",
        settings=(1,),
    ),
)
