"""Activation functions on single elements, and Dropout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..formats import Format
from ..grids import ZERO, Grid, greater, multiplied, point, smaller, united
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


class Chain:
    """An activation written step by step on one format: every value between two steps is stored as wide as x."""

    def __init__(self, m: M, format: Format) -> None:
        self.m, self.format = m, format

    def times(self, x: Signal, y: Signal | None = None) -> Signal:
        """x * y, without y x by a constant."""
        other = self._constant(x) if y is None else y
        return self.m.requantize(self.m.multiply(x, other, role=ACT), self.format)

    def plus(self, x: Signal, y: Signal | None = None) -> Signal:
        """x + y, without y x plus a constant."""
        other = self._constant(x) if y is None else y
        return self.m.requantize(self.m.add(x, other, role=ACT), self.format)

    def less(self, x: Signal) -> Signal:
        """x minus a constant."""
        return self.m.requantize(self.m.subtract(x, self._constant(x), role=ACT), self.format)

    def against(self, x: Signal) -> Signal:
        """x compared with a constant, the selected one being the result."""
        return self.m.compare(x, self._constant(x), role=ACT)

    def of(self, x: Signal, function: str) -> Signal:
        """A special function of x."""
        return self.m.lookup(x, function, result=self.format, role=ACT)

    def _constant(self, x: Signal) -> Signal:
        return self.m.constant(x.elements, self.format)


def chained(equation: Callable[[Chain, Signal, Call], object], exact: Callable[[Call], Exact] | None = None) -> Rule:
    """The rule of an activation written as a chain of steps."""

    def rule(call: Call) -> Result:
        check_numbers(call)
        number = call.input(0).number
        return pointwise(
            call, lambda m, x: equation(Chain(m, number), x, call), 0, kind=KIND, exact=exact(call) if exact else None
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
        call, lambda m, s: Chain(m, x.number).against(s), 0, kind=KIND, value=value, exact=lambda g: greater(g, ZERO)
    )


def leaky_relu(c: Chain, x: Signal, call: Call) -> None:
    """y = x for x >= 0, else alpha x: one comparison, one product."""
    c.times(c.against(x))


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
        m.multiply(m.compare(s, m.constant(s.elements, x.number), role=ACT), trained, role=ACT)

    return pointwise(call, equation, 0, 1, kind=KIND, dtype=x.dtype, exact=bent)


def hard_sigmoid(c: Chain, x: Signal) -> Signal:
    """max(0, min(1, alpha x + beta)): one product, one addition, two comparisons."""
    return c.against(c.against(c.plus(c.times(x))))


def elu(c: Chain, x: Signal, call: Call) -> None:
    """y = x for x > 0, else alpha (exp(x) - 1): one comparison, exp, subtraction, product unless alpha = 1."""
    y = c.less(c.of(c.against(x), "exp"))
    if call.number("alpha", 1.0) != 1:
        c.times(y)


def celu(c: Chain, x: Signal, call: Call) -> None:
    """y = max(0, x) + min(0, alpha (exp(x / alpha) - 1)): two comparisons, two products unless alpha = 1, exp,
    one subtraction, one addition."""
    scaled = call.number("alpha", 1.0) != 1
    y = c.less(c.of(c.times(x) if scaled else x, "exp"))
    c.plus(c.against(x), c.against(c.times(y) if scaled else y))


def selu(c: Chain, x: Signal, call: Call) -> None:
    """y = gamma x for x > 0, else gamma (alpha exp(x) - alpha): one comparison, exp, subtraction, two products less
    one for each factor that is 1."""
    y = c.of(c.against(x), "exp")
    y = c.less(c.times(y) if call.number("alpha", 1.6732632) != 1 else y)
    if call.number("gamma", 1.050701) != 1:
        c.times(y)


def gelu(call: Call) -> Result:
    """y = 0.5 x (1 + erf(x / sqrt 2)): three products, one addition, one erf; or the tanh form."""
    approximation = call.text("approximate", "none")
    if approximation not in ("none", "tanh"):
        call.refuse("E-GELU-FORM", f"approximate is '{approximation}', expected none or tanh")
    return chained(gelu_tanh if approximation == "tanh" else gelu_exact)(call)


def gelu_exact(c: Chain, x: Signal, call: Call) -> Signal:
    """0.5 x (1 + erf(x / sqrt 2)): three products, one addition, one erf."""
    return c.times(c.times(x), c.plus(c.of(c.times(x), "erf")))


def gelu_tanh(c: Chain, x: Signal, call: Call) -> None:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): six products, two additions, one tanh."""
    cube = c.times(c.times(x, x), x)
    c.times(c.times(x), c.plus(c.of(c.times(c.plus(x, c.times(cube))), "tanh")))


def mish(c: Chain, x: Signal, call: Call) -> None:
    """y = x tanh(softplus(x)): one softplus, one tanh, one product."""
    c.times(x, c.of(c.of(x, "softplus"), "tanh"))


def softsign(c: Chain, x: Signal, call: Call) -> None:
    """y = x / (1 + |x|): one comparison, one addition, one division."""
    c.of(c.plus(c.against(x)), "division")


def swish(c: Chain, x: Signal, call: Call) -> Signal:
    """y = x sigmoid(alpha x): one sigmoid, one product, one more unless alpha = 1."""
    return c.times(x, c.of(c.times(x) if call.number("alpha", 1.0) != 1 else x, "sigmoid"))


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

    return pointwise(call, equation, 0, 1, kind=KIND)


def shrink(c: Chain, x: Signal, call: Call) -> None:
    """y = x + bias for x < -lambd, x - bias for x > lambd, else 0: two comparisons, one addition unless bias = 0."""
    y = c.against(c.against(x))
    if call.number("bias", 0.0) != 0:
        c.plus(y)


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
        Chain(m, x.number).times(s)

    result = pointwise(call, equation, 0, kind=KIND)
    return replace(result, outputs=(*result.outputs, mask)[: len(outputs)])


def looked_up(function: str) -> Rule:
    """y = f(x): one evaluation per element."""
    return chained(lambda c, x, call: c.of(x, function))


OPERATORS = (
    Operator(name="Relu", rule=relu),
    Operator(name="LeakyRelu", rule=chained(leaky_relu, leaking), attributes="alpha"),
    Operator(name="PRelu", rule=prelu, inputs=(2, 2)),
    Operator(name="ThresholdedRelu", rule=chained(lambda c, x, call: c.against(x)), attributes="alpha"),
    Operator(name="Sigmoid", rule=chained(sigmoid)),
    Operator(name="Tanh", rule=looked_up("tanh")),
    Operator(name="HardSigmoid", rule=chained(lambda c, x, call: hard_sigmoid(c, x)), attributes="alpha beta"),
    Operator(name="HardSwish", rule=chained(lambda c, x, call: c.times(x, hard_sigmoid(c, x)))),
    Operator(name="Elu", rule=chained(elu), attributes="alpha"),
    Operator(name="Celu", rule=chained(celu), attributes="alpha"),
    Operator(name="Selu", rule=chained(selu), attributes="alpha gamma"),
    Operator(name="Gelu", rule=gelu, attributes="approximate"),
    Operator(name="Mish", rule=chained(mish)),
    Operator(name="Softplus", rule=looked_up("softplus")),
    Operator(name="Softsign", rule=chained(softsign)),
    Operator(name="Swish", rule=chained(swish), attributes="alpha"),
    Operator(name="SwiGLU", rule=swiglu, inputs=(2, 2), attributes="alpha"),
    Operator(name="Shrink", rule=chained(shrink), attributes="bias lambd"),
    Operator(name="Dropout", rule=dropout, inputs=(1, 3), outputs=(1, 2), attributes="ratio seed", settings=(1, 2)),
)
