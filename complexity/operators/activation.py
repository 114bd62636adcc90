"""Activation functions on single elements, and Dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..formats import Format
from ..grids import ZERO, Grid, greater, multiplied, point, smaller, united
from ..layers.fused_activation import CUBIC, HALF, ONE, ROOT_HALF, ROOT_TWO_PI
from ..layers.fused_activation import ZERO as NOTHING
from ..ops import Role
from ..shapes import Tensor, is_known
from . import evaluation
from .moved import MOVEMENT
from .pointwise import common_shape, pointwise
from .propagation import Exact
from .rule import Call, Operator, Result, Rule, operand

__all__ = ["OPERATORS", "Chain", "check_numbers", "gelu_exact", "leaky_relu", "sigmoid"]

ACT = Role.ACTIVATION
KIND = "activation"
FACTORS = {"alpha", "beta", "bias", "gamma", "lambd"}
M = Arithmetic[Signal]
Number = Fraction | float


class Chain:
    """An activation written step by step on one format: every value between two steps is stored as wide as x.

    A number in place of a value is a constant.
    """

    def __init__(self, m: M, format: Format) -> None:
        self.m, self.format = m, format

    def times(self, x: Signal, y: Signal | Number) -> Signal:
        """x * y."""
        return self.m.requantize(self.m.multiply(x, self._value(x, y), role=ACT), self.format)

    def plus(self, x: Signal, y: Signal | Number) -> Signal:
        """x + y."""
        return self.m.requantize(self.m.add(x, self._value(x, y), role=ACT), self.format)

    def less(self, x: Signal, y: Number) -> Signal:
        """x - y."""
        return self.m.requantize(self.m.subtract(x, self._value(x, y), role=ACT), self.format)

    def at_least(self, x: Signal, bound: Number) -> Signal:
        """max(x, bound)."""
        return self.m.compare(x, self._value(x, bound), role=ACT, kept="greater")

    def at_most(self, x: Signal, bound: Number) -> Signal:
        """min(x, bound)."""
        return self.m.compare(x, self._value(x, bound), role=ACT, kept="lesser")

    def split(self, x: Signal, bound: Number, above: Signal, below: Signal) -> Signal:
        """`above` where x >= bound, else `below`."""
        return self.m.compare(x, self._value(x, bound), role=ACT, chosen=(above, below))

    def of(self, x: Signal, function: str) -> Signal:
        """A special function of x."""
        return self.m.lookup(x, function, result=self.format, role=ACT)

    def constant(self, x: Signal, value: Number) -> Signal:
        """A number for every element of x."""
        finite = not isinstance(value, float) or math.isfinite(value)
        return self.m.constant(x.elements, self.format, value=Fraction(value) if finite else None)

    def _value(self, x: Signal, y: Signal | Number) -> Signal:
        return self.constant(x, y) if isinstance(y, int | float | Fraction) else y


def chained(
    equation: Callable[[Chain, Signal, Call], object],
    exact: Callable[[Call], Exact] | None = None,
    *,
    wired: bool = True,
) -> Rule:
    """The rule of an activation written as a chain of steps."""

    def rule(call: Call) -> Result:
        check_numbers(call)
        number = call.input(0).number
        return pointwise(
            call,
            lambda m, x: equation(Chain(m, number), x, call),
            0,
            kind=KIND,
            exact=exact(call) if exact else None,
            wired=wired,
        )

    return rule


def check_numbers(call: Call) -> None:
    """Refuse a factor that is no number now, not when the equation is counted."""
    for name in sorted(call.attributes.keys() & FACTORS):
        call.number(name)


def relu(call: Call) -> Result:
    """y = max(x, 0): one comparison per element."""
    x = call.input(0)
    value = evaluation.folded(lambda element: evaluation.larger(element, 0), x.dtype, x)
    return pointwise(
        call,
        lambda m, s: Chain(m, x.number).at_least(s, NOTHING),
        0,
        kind=KIND,
        value=value,
        exact=lambda g: greater(g, ZERO),
        wired=True,
    )


def leaky_relu(c: Chain, x: Signal, call: Call) -> None:
    """y = x for x >= 0, else alpha x: one comparison, one product."""
    c.split(x, NOTHING, x, c.times(x, call.number("alpha", 0.01)))


def leaking(call: Call) -> Exact:
    """LeakyRelu on numbers of a grid; with most slopes the result is on none."""
    slope = point(call.number("alpha", 0.01))
    return lambda x: None if slope is None else bent(x, slope)


def bent(x: Grid, slope: Grid) -> Grid | None:
    """x where it is positive, slope * x where it is not."""
    above, below = greater(x, ZERO), smaller(x, ZERO)
    scaled = None if below is None else multiplied(below, slope)
    if above is None or scaled is None or x.low >= 0:
        return above
    return united(above, scaled)


def prelu(call: Call) -> Result:
    """y = x for x >= 0, else slope * x: one comparison, one product by a trained slope that broadcasts to x."""
    x, slope = call.input(0), call.input(1)
    shape = common_shape(call, 0, 1)
    if shape is not None and shape != x.shape:
        call.refuse(
            "E-PRELU-SLOPE", f"slope of shape {list(slope.shape or ())} does not broadcast to {list(x.shape or ())}"
        )

    def equation(m: M, s: Signal, trained: Signal) -> None:
        c = Chain(m, x.number)
        c.split(s, NOTHING, s, m.multiply(s, trained, role=ACT))

    return pointwise(call, equation, 0, 1, kind=KIND, dtype=x.dtype, exact=bent, wired=True)


def hard_sigmoid(c: Chain, x: Signal, alpha: Number, beta: Number) -> Signal:
    """max(0, min(1, alpha x + beta)): one product, one addition, two comparisons."""
    return c.at_least(c.at_most(c.plus(c.times(x, alpha), beta), ONE), NOTHING)


def hard_sigmoid_of(c: Chain, x: Signal, call: Call) -> None:
    """y = max(0, min(1, alpha x + beta)): one product, one addition, two comparisons."""
    hard_sigmoid(c, x, call.number("alpha", 0.2), call.number("beta", 0.5))


def thresholded(c: Chain, x: Signal, call: Call) -> None:
    """y = x for x > alpha, else 0: one comparison."""
    c.split(x, call.number("alpha", 1.0), x, c.constant(x, NOTHING))


def elu(c: Chain, x: Signal, call: Call) -> None:
    """y = x for x > 0, else alpha (exp(x) - 1): one comparison, exp, subtraction, product unless alpha = 1."""
    alpha = call.number("alpha", 1.0)
    y = c.less(c.of(x, "exp"), ONE)
    c.split(x, NOTHING, x, c.times(y, alpha) if alpha != 1 else y)


def celu(c: Chain, x: Signal, call: Call) -> None:
    """y = max(0, x) + min(0, alpha (exp(x / alpha) - 1)): two comparisons, two products unless alpha = 1, exp,
    one subtraction, one addition."""
    alpha = call.number("alpha", 1.0)
    scaled = alpha != 1
    y = c.less(c.of(c.times(x, 1 / alpha if alpha else math.inf) if scaled else x, "exp"), ONE)
    c.plus(c.at_least(x, NOTHING), c.at_most(c.times(y, alpha) if scaled else y, NOTHING))


def selu(c: Chain, x: Signal, call: Call) -> None:
    """y = gamma x for x > 0, else gamma (alpha exp(x) - alpha): one comparison, exp, subtraction, two products less
    one for each factor that is 1."""
    alpha, gamma = call.number("alpha", 1.6732632), call.number("gamma", 1.050701)
    y = c.of(x, "exp")
    y = c.less(c.times(y, alpha) if alpha != 1 else y, alpha)
    y = c.split(x, NOTHING, x, y)
    if gamma != 1:
        c.times(y, gamma)


def gelu(call: Call) -> Result:
    """y = 0.5 x (1 + erf(x / sqrt 2)): three products, one addition, one erf; or the tanh form."""
    approximation = call.text("approximate", "none")
    if approximation not in ("none", "tanh"):
        call.refuse("E-GELU-FORM", f"approximate is '{approximation}', expected none or tanh")
    return chained(gelu_tanh if approximation == "tanh" else gelu_exact)(call)


def gelu_exact(c: Chain, x: Signal, call: Call) -> Signal:
    """0.5 x (1 + erf(x / sqrt 2)): three products, one addition, one erf."""
    return c.times(c.times(x, HALF), c.plus(c.of(c.times(x, ROOT_HALF), "erf"), ONE))


def gelu_tanh(c: Chain, x: Signal, call: Call) -> None:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): six products, two additions, one tanh."""
    cube = c.times(c.times(x, x), x)
    curve = c.of(c.times(c.plus(x, c.times(cube, CUBIC)), ROOT_TWO_PI), "tanh")
    c.times(c.times(x, HALF), c.plus(curve, ONE))


def mish(c: Chain, x: Signal, call: Call) -> None:
    """y = x tanh(softplus(x)): one softplus, one tanh, one product."""
    c.times(x, c.of(c.of(x, "softplus"), "tanh"))


def softsign(c: Chain, x: Signal, call: Call) -> None:
    """y = x / (1 + |x|): one comparison, one addition, one division."""
    c.of(c.plus(c.at_least(x, NOTHING), ONE), "division")


def swish(c: Chain, x: Signal, call: Call) -> Signal:
    """y = x sigmoid(alpha x): one sigmoid, one product, one more unless alpha = 1."""
    alpha = call.number("alpha", 1.0)
    return c.times(x, c.of(c.times(x, alpha) if alpha != 1 else x, "sigmoid"))


def swiglu(call: Call) -> Result:
    """y = swish(a) b of equal shapes: a swish and one product."""
    check_numbers(call)
    a, b = call.input(0), call.input(1)
    if a.shape is not None and b.shape is not None and a.shape != b.shape and common_shape(call, 0, 1) is not None:
        sizes = [*a.shape, *b.shape]
        if len(a.shape) != len(b.shape) or all(isinstance(size, int) for size in sizes):
            call.refuse("E-SWIGLU-SHAPE", f"A of shape {list(a.shape)} and B of shape {list(b.shape)} differ")

    def equation(m: M, x: Signal, y: Signal) -> None:
        c = Chain(m, a.number)
        c.times(swish(c, x, call), y)

    return pointwise(call, equation, 0, 1, kind=KIND, wired=True)


def shrink(c: Chain, x: Signal, call: Call) -> None:
    """y = x + bias for x < -lambd, x - bias for x > lambd, else 0: two comparisons, one addition unless bias = 0."""
    bias, bound = call.number("bias", 0.0), call.number("lambd", 0.5)
    above = c.split(x, bound, x, c.constant(x, NOTHING))
    y = c.split(x, -bound, above, x)
    if bias != 0:
        c.plus(y, bias)


def sigmoid(c: Chain, x: Signal, call: Call) -> None:
    """y = sigmoid(x)."""
    c.of(x, "sigmoid")


def dropout(call: Call) -> Result:
    """At inference the input itself. In training one random number, one comparison and one product per element."""
    x, training = call.input(0), call.given(2)
    mask = Tensor(dtype=x.dtype if call.version < 10 else "bool", shape=x.shape)
    outputs = (x, mask)[: max(1, min(2, len(call.wanted)))]
    known = (False,) if training is None else training.value
    if known is None or not is_known(known):
        scaled = replace(x, format=None, encoding=None)
        call.unknown(
            "whether training_mode (input 2) drops elements is not known before the run",
            *(scaled, mask)[: len(outputs)],
        )
    if not any(known):
        return Result(outputs=outputs, free=MOVEMENT)

    def equation(m: M, s: Signal) -> None:
        drawn = m.lookup(s, "random", result=x.number, role=ACT)
        m.compare(drawn, operand(m, x, s.elements), role=ACT)
        m.requantize(m.multiply(s, m.constant(s.elements, x.number), role=ACT), x.number)

    result = pointwise(call, equation, 0, kind=KIND)
    return replace(result, outputs=(*result.outputs, mask)[: len(outputs)])


def looked_up(function: str) -> Rule:
    """y = f(x): one evaluation per element."""
    return chained(lambda c, x, call: c.of(x, function))


OPERATORS = (
    Operator(name="Relu", rule=relu),
    Operator(name="LeakyRelu", rule=chained(leaky_relu, leaking), attributes="alpha"),
    Operator(name="PRelu", rule=prelu, inputs=(2, 2)),
    Operator(name="ThresholdedRelu", rule=chained(thresholded, wired=False), attributes="alpha"),
    Operator(name="Sigmoid", rule=chained(sigmoid)),
    Operator(name="Tanh", rule=looked_up("tanh")),
    Operator(name="HardSigmoid", rule=chained(hard_sigmoid_of), attributes="alpha beta"),
    Operator(
        name="HardSwish",
        rule=chained(lambda c, x, call: c.times(x, hard_sigmoid(c, x, Fraction(1, 6), HALF))),
    ),
    Operator(name="Elu", rule=chained(elu), attributes="alpha"),
    Operator(name="Celu", rule=chained(celu), attributes="alpha"),
    Operator(name="Selu", rule=chained(selu), attributes="alpha gamma"),
    Operator(name="Gelu", rule=gelu, attributes="approximate"),
    Operator(name="Mish", rule=chained(mish)),
    Operator(name="Softplus", rule=looked_up("softplus")),
    Operator(name="Softsign", rule=chained(softsign, wired=False)),
    Operator(name="Swish", rule=chained(swish), attributes="alpha"),
    Operator(name="SwiGLU", rule=swiglu, inputs=(2, 2), attributes="alpha"),
    Operator(name="Shrink", rule=chained(shrink, wired=False), attributes="bias lambd"),
    Operator(name="Dropout", rule=dropout, inputs=(1, 3), outputs=(1, 2), attributes="ratio seed", settings=(1, 2)),
)
