"""Elements accumulated along an axis: running sums and products."""

from __future__ import annotations

from collections.abc import Callable

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, maximum, product
from ..grids import one_step, partial_sums
from ..ops import Role
from ..shapes import Element, Shape, Tensor
from . import evaluation
from .propagation import carried
from .rule import Call, Result, Rule, Steps, operand

__all__ = ["running", "running_product", "running_sum"]

M = Arithmetic[Signal]


def running(function: evaluation.Function, start: int, equation: Callable[[M, Signal, Shape, Size], object]) -> Rule:
    """Elements accumulated along an axis; with `exclusive` the last of them is not needed."""

    def rule(call: Call) -> Result:
        x, shape = call.input(0), call.shape(0)
        axes = call.values(1)
        call.input(1)
        if axes is None or len(axes) != 1 or not isinstance(axes[0], int):
            call.unknown("the axis (input 1) is not known before the run", Tensor(dtype=x.dtype, shape=shape))
        axis, exclusive = call.axis(axes[0], len(shape)), call.integer("exclusive", 0) == 1
        first: Element = float(start) if evaluation.floating(x.dtype) else start
        reverse = call.integer("reverse", 0) == 1
        terms = maximum(shape[axis] - 1, 1) if exclusive else shape[axis]
        value = evaluation.running_values(x, shape, axis, function, first, exclusive=exclusive, reverse=reverse)

        def text(m: M) -> None:
            equation(m, operand(m, x, product(shape)), shape[:axis] + shape[axis + 1 :], terms)

        output = Tensor(dtype=x.dtype, shape=shape).with_value(value)
        if start == 0 and one_step(x, (axis,)):
            output = carried(output, (x,), lambda grid: partial_sums(grid, 0 if exclusive else 1, terms), call.op)
        return Result(outputs=(output,), work=Steps(text=text), kind="reduction")

    return rule


def running_sum(m: M, x: Signal, lines: Shape, terms: Size) -> None:
    """n - 1 additions per line."""
    m.sum(x, terms=terms, outputs=product(lines), role=Role.REDUCTION)


def running_product(m: M, x: Signal, lines: Shape, terms: Size) -> None:
    """n - 1 products per line."""
    joins = m.broadcast(x, product(lines) * maximum(terms - 1, 0))
    m.multiply(joins, joins, role=Role.REDUCTION)
