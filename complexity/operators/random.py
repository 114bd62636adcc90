"""Random numbers: drawn, and compared with probabilities."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..ops import Role
from ..shapes import Shape, Tensor
from .element_types import element_type
from .moved import listed
from .rule import Call, Operator, Result, Rule, Steps

__all__ = ["OPERATORS"]

EACH = Role.ELEMENTWISE
M = Arithmetic[Signal]


def drawn(shift: str, spread: str, standard: tuple[float, float], *, like: bool) -> Rule:
    """y = shift + spread * r: one "random" per element, a product and an addition unless r is the number asked for."""

    def rule(call: Call) -> Result:
        dtype = element_type(call, "dtype") or (call.input(0).dtype if like else "float32")
        shape = call.input(0).shape if like else named_shape(call)
        output = Tensor(dtype=dtype, shape=shape)
        if shape is None:
            call.unknown("the shape of input 0 is unknown", output)
        found = call.number(shift, standard[0]), call.number(spread, standard[1])
        count = product(shape)

        def text(m: M) -> None:
            number = m.lookup(m.variable(count, output.number), "random", role=EACH)
            if found != standard:
                factor = m.constant(count, output.number)
                m.add(m.multiply(number, factor, role=EACH), factor, role=EACH)

        return Result(outputs=(output,), work=Steps(text=text), kind="random")

    return rule


def named_shape(call: Call) -> Shape:
    """The required shape attribute."""
    shape = call.integers("shape")
    if shape is None:
        call.refuse("E-ATTRIBUTE-MISSING", "attribute 'shape' is required and absent")
    if any(size < 0 for size in shape):
        call.refuse("E-SIZE", f"attribute 'shape' is {listed(shape)}, expected sizes of 0 or more")
    return shape


def bernoulli(call: Call) -> Result:
    """y = 1 with probability x: one "random" and one comparison per element."""
    x = call.input(0)
    output = Tensor(dtype=element_type(call, "dtype") or x.dtype, shape=x.shape)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", output)
    count = product(x.shape)

    def text(m: M) -> None:
        probability = m.variable(count, x.number)
        m.compare(m.lookup(probability, "random", role=EACH), probability, role=EACH)

    return Result(outputs=(output,), work=Steps(text=text), kind="random")


def multinomial(call: Call) -> Result:
    """Classes drawn by their logarithmic probabilities.

    Counting, per row of n classes: n - 1 comparisons, n subtractions, n exp and n - 1 additions for the cumulative
    distribution; per sample one "random", one product by the total and n - 1 comparisons.
    """
    x, samples = call.input(0), call.integer("sample_size", 1)
    if samples < 1:
        call.refuse("E-SIZE", f"sample_size is {samples}, expected 1 or more")
    dtype = element_type(call, "dtype") or "int32"
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=dtype))
    batch, classes = call.shape(0, 2)
    if classes == 0:
        call.refuse("E-SIZE", "input 0 has no class to draw")
    draws: Size = batch * samples

    def text(m: M) -> None:
        logits = m.variable(batch * classes, x.number)
        top = m.greatest(logits, terms=classes, outputs=batch, role=EACH)
        difference = m.requantize(m.subtract(logits, m.broadcast(top, batch * classes), role=EACH), x.number)
        m.sum(m.lookup(difference, "exp", role=EACH), terms=classes, outputs=batch, role=EACH)
        number = m.lookup(m.variable(draws, x.number), "random", role=EACH)
        m.multiply(number, m.variable(draws, x.number), role=EACH)
        m.greatest(m.variable(draws * classes, x.number), terms=classes, outputs=draws, role=EACH)

    return Result(outputs=(Tensor(dtype=dtype, shape=(batch, samples)),), work=Steps(text=text), kind="random")


NORMAL, UNIFORM = ("mean", "scale", (0.0, 1.0)), ("low", "high", (0.0, 1.0))

OPERATORS = (
    Operator(
        name="RandomNormal",
        rule=drawn(*NORMAL, like=False),
        inputs=(0, 0),
        attributes="dtype mean scale seed shape",
        random=True,
    ),
    Operator(name="RandomNormalLike", rule=drawn(*NORMAL, like=True), attributes="dtype mean scale seed", random=True),
    Operator(
        name="RandomUniform",
        rule=drawn(*UNIFORM, like=False),
        inputs=(0, 0),
        attributes="dtype high low seed shape",
        random=True,
    ),
    Operator(name="RandomUniformLike", rule=drawn(*UNIFORM, like=True), attributes="dtype high low seed", random=True),
    Operator(name="Bernoulli", rule=bernoulli, attributes="dtype seed", random=True),
    Operator(name="Multinomial", rule=multinomial, attributes="dtype sample_size seed", random=True),
)
