"""Softmax, its logarithm and its limit, over one axis or, before version 13, over all axes from one on."""

from __future__ import annotations

from collections.abc import Callable

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..formats import Format
from ..layers.wiring import repeated
from ..ops import Role
from ..shapes import Tensor
from .rule import Call, Operator, Result, Rule, Steps, operand

__all__ = ["OPERATORS", "log_softmax", "softmax", "softmax_rule"]

ACT = Role.ACTIVATION
COERCED_BEFORE = 13
M = Arithmetic[Signal]
Equation = Callable[[M, Signal, Size, Size, Format], None]


def shifted(m: M, x: Signal, rows: Size, terms: Size, format: Format) -> tuple[Signal, Signal]:
    """x less its greatest, and the sum of the exponentials of that difference."""
    top = m.greatest(x, terms=terms, outputs=rows, role=ACT)
    top = m.arrange([top], rows * terms, repeated(rows, terms))
    difference = m.requantize(m.subtract(x, top, role=ACT), format)
    return difference, m.lookup(difference, "exp", result=format, role=ACT)


def softmax(m: M, x: Signal, rows: Size, terms: Size, format: Format) -> None:
    """y = exp(x - max x) / sum exp(x - max x): per row of n values n - 1 comparisons, n subtractions, n exp, n - 1
    additions, one reciprocal, n products."""
    _, powers = shifted(m, x, rows, terms, format)
    total = m.sum(powers, terms=terms, outputs=rows, role=ACT)
    inverse = m.lookup(total, "reciprocal", result=format, role=ACT)
    m.multiply(powers, m.arrange([inverse], rows * terms, repeated(rows, terms)), role=ACT)


def log_softmax(m: M, x: Signal, rows: Size, terms: Size, format: Format) -> None:
    """y = x - max x - log sum exp(x - max x): per row n - 1 comparisons, n subtractions, n exp, n - 1 additions, one
    log, n subtractions."""
    difference, powers = shifted(m, x, rows, terms, format)
    total = m.sum(powers, terms=terms, outputs=rows, role=ACT)
    log = m.lookup(total, "log", result=format, role=ACT)
    m.subtract(difference, m.arrange([log], rows * terms, repeated(rows, terms)), role=ACT)


def hardmax(m: M, x: Signal, rows: Size, terms: Size, format: Format) -> None:
    """y = 1 at the first greatest element, else 0: n - 1 comparisons per row."""
    m.greatest(x, terms=terms, outputs=rows, role=ACT)


def softmax_rule(equation: Equation, version: Callable[[Call], int] = lambda call: call.version) -> Rule:
    """An equation on every row; `version` says which version's meaning of the axis holds."""

    def rule(call: Call) -> Result:
        x = call.input(0)
        if x.shape is None:
            call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype))
        coerced = version(call) < COERCED_BEFORE
        axis = call.axis(call.integer("axis", 1 if coerced else -1), len(x.shape))
        behind = () if coerced else x.shape[axis + 1 :]
        terms = product(x.shape[axis:] if coerced else x.shape[axis : axis + 1])
        # A row without elements has no sum to invert either.
        rows: Size = 0 if terms == 0 else product(x.shape[:axis] + behind)

        def text(m: M) -> None:
            equation(m, operand(m, x, terms), 1, terms, x.number)

        # The greatest alone is not yet the ones and zeros of a hardmax.
        work = Steps(text=text, executions=rows, wired=equation is not hardmax)
        return Result(outputs=(Tensor(dtype=x.dtype, shape=x.shape),), work=work, kind="softmax")

    return rule


OPERATORS = (
    Operator(name="Softmax", rule=softmax_rule(softmax), attributes="axis"),
    Operator(name="LogSoftmax", rule=softmax_rule(log_softmax), attributes="axis"),
    Operator(name="Hardmax", rule=softmax_rule(hardmax), attributes="axis"),
)
