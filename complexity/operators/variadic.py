"""One operand or more joined elementwise: sums, means and extremes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import reduce

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..formats import Format, widest
from ..grids import Grid, added, grown_together, multiplied
from ..ops import Role
from ..shapes import Element
from . import evaluation
from .pointwise import common_shape, pointwise
from .propagation import Exact
from .rule import Call, Result, Rule

__all__ = ["extreme", "many_mean", "many_sum"]

EACH = Role.ELEMENTWISE
M = Arithmetic[Signal]


def many(
    call: Call,
    function: evaluation.Function,
    equation: Callable[[M, Signal, int, Format], object],
    exact: Exact,
    otherwise: Exact | None = None,
) -> Result:
    """One operand or more joined elementwise: the equation sees all of them in the widest of their formats."""
    indices = range(len(call.inputs)) or range(1)
    tensors = [call.input(index) for index in indices]
    common_shape(call, *indices)
    number, dtype = tensors[0].number, next((tensor.dtype for tensor in tensors if tensor.dtype), None)
    for tensor in tensors:
        number = widest(number, tensor.number)

    def equations(m: M) -> None:
        equation(m, m.variable(len(tensors), number), len(tensors), number)

    value = evaluation.folded(function, dtype, *tensors)
    result = pointwise(
        call,
        equations,
        *indices,
        kind="elementwise",
        value=value,
        operands=(),
        exact=exact,
        otherwise=otherwise,
        wired=True,
    )
    alone = len(tensors) == 1
    return replace(result, work=None, free="one operand: the number itself") if alone else result


def repeated(exact: Exact) -> Exact:
    """Arithmetic of two operands as that of many."""

    def all_of(*grids: Grid) -> Grid | None:
        result: Grid | None = grids[0]
        for grid in grids[1:]:
            result = None if result is None else exact(result, grid)
        return result

    return all_of


def averaged(*grids: Grid) -> Grid | None:
    """The mean: the integers of the sum, its step divided."""
    sum = repeated(added)(*grids)
    return None if sum is None else multiplied(sum, Grid(Fraction(1, len(grids)), 1, 1))


def total(*elements: Element) -> Element:
    """The sum of elements."""
    return reduce(evaluation.add, elements)


def many_sum(call: Call) -> Result:
    """y = a + b + ...: n - 1 additions per element."""
    return many(call, total, lambda m, x, n, _: summed(m, x, n), repeated(added), grown_together)


def summed(m: M, x: Signal, terms: int) -> Signal:
    """The sum of operands that stand behind each other."""
    return m.sum(x, terms=terms, outputs=1, role=EACH)


def many_mean(call: Call) -> Result:
    """y = (a + b + ...) / n: n - 1 additions and one product by the constant 1/n per element."""

    def mean(*elements: Element) -> Element:
        return evaluation.divide(total(*elements), len(elements), integers=False)

    def equation(m: M, x: Signal, terms: int, number: Format) -> None:
        m.multiply(summed(m, x, terms), m.constant(1, number, value=Fraction(1, terms)), role=EACH)

    return many(call, mean, equation, averaged, grown_together)


def extreme(function: evaluation.Function, exact: Exact, kept: str) -> Rule:
    """The greatest or smallest of n operands: n - 1 comparisons per element."""

    def equation(m: M, x: Signal, terms: int, number: Format) -> None:
        m.greatest(x, terms=terms, outputs=1, role=EACH, kept=kept)

    return lambda call: many(call, lambda *elements: reduce(function, elements), equation, repeated(exact))
