"""Normalisation over a batch, a layer, a group, a channel or neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite
from typing import ClassVar

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, floor_divide, product
from ..formats import Format
from ..layers.wiring import inverse, repeated
from ..ops import Role
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .elementwise import raised
from .moved import listed
from .rule import Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS", "Normalized"]

NORM = Role.NORMALIZATION
M = Arithmetic[Signal]
SHARED_FROM = 14
PER_CHANNEL_FROM = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalized:
    """Rows of values brought to mean 0 and deviation 1.

    Equation: y = (x - mean x) / sqrt(mean (x - mean x)^2 + epsilon) * scale + bias; without `centred` the mean is 0.
    Counting, per row of n: n - 1 additions and one product by 1/n for each mean, n subtractions, n squares, one
    addition of epsilon, one sqrt, one reciprocal, n products; n products by the scale, n additions of the bias.
    `repeats` times as many rows, each time the same.
    """

    wired: ClassVar[bool] = True

    rows: Size
    terms: Size
    format: Format
    centred: bool = True
    scale: bool = False
    bias: bool = False
    epsilon: float | None = None
    repeats: Size = 1

    @property
    def executions(self) -> Size:
        """All rows at once, as a part of other equations; by itself one row after the other."""
        return self.repeats

    def equations(self, m: M) -> None:
        """Every row; a row without elements has nothing to do."""
        rows, number = (0 if self.terms == 0 else self.rows), self.format
        elements = rows * self.terms
        x, spread = m.variable(elements, number), repeated(rows, self.terms)
        if self.centred:
            mean = m.arrange([self._mean(m, x, rows)], elements, spread)
            x = m.requantize(m.subtract(x, mean, role=NORM), number)
        square = m.requantize(m.multiply(x, x, role=NORM), number)
        epsilon = m.constant(rows, number, value=None if self.epsilon is None else Fraction(self.epsilon))
        shifted = m.requantize(m.add(self._mean(m, square, rows), epsilon, role=NORM), number)
        root = m.lookup(shifted, "sqrt", result=number, role=NORM)
        factor = m.arrange([m.lookup(root, "reciprocal", result=number, role=NORM)], elements, spread)
        y = m.requantize(m.multiply(x, factor, role=NORM), number)
        if self.scale:
            y = m.requantize(m.multiply(y, m.constant(elements, number, "scale"), role=Role.SCALE), number)
        if self.bias:
            m.add(y, m.constant(elements, number, "bias"), role=Role.BIAS)

    def _mean(self, m: M, x: Signal, rows: Size) -> Signal:
        total = m.requantize(m.sum(x, terms=self.terms, outputs=rows, role=NORM), self.format)
        share = m.constant(rows, self.format, value=inverse(self.terms))
        return m.requantize(m.multiply(total, share, role=NORM), self.format)


def image(call: Call, least: int = 2) -> tuple[Tensor, Shape]:
    """Input 0 and its shape: batch, channels, axes."""
    x = call.input(0)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype))
    if len(x.shape) < least:
        call.refuse("E-RANK", f"input 0 has rank {len(x.shape)}, expected {least} or more")
    return x, x.shape


def vector(call: Call, index: int, expected: Sequence[Size], what: str) -> None:
    """Refuse a trained tensor of another shape than expected."""
    found = call.input(index).shape
    if found is None:
        return
    sizes = zip(found, expected, strict=False)
    if len(found) != len(expected) or any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in sizes):
        call.refuse("E-NORMALIZATION-SIZE", f"the {what} has shape {listed(found)}, expected {listed(expected)}")


def spread(call: Call, index: int, shape: Shape, what: str) -> None:
    """Refuse a trained tensor that does not broadcast to the normalised one."""
    found = call.input(index).shape
    if found is None:
        return
    try:
        fits = len(found) <= len(shape) and broadcast(shape, found) == shape
    except ShapeConflict:
        fits = False
    sizes = [*found, *shape]
    if not fits and all(isinstance(size, int) for size in sizes):
        call.refuse(
            "E-NORMALIZATION-SIZE", f"the {what} of shape {listed(found)} does not broadcast to {listed(shape)}"
        )


def result(x: Tensor, work: Normalized, *more: Tensor) -> Result:
    """Normalised values of the input's type and shape, and further outputs."""
    work = replace(work, rows=1, repeats=work.rows)
    return Result(outputs=(Tensor(dtype=x.dtype, shape=x.shape), *more), work=work, kind="normalization")


def batch_normalization(call: Call) -> Result:
    """At inference y = a x + b, statistics, scale and bias folded: one product and one addition per value.

    In training (training_mode, or statistics asked for before version 14) the statistics of every channel over the
    batch, and the running ones: two products and one addition for each mean and variance.
    """
    x, shape = image(call, 1)
    channels: Shape = shape[1:2] or (1,)
    if not call.integer("spatial", 1):
        channels = shape[1:]
    for index, what in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")):
        vector(call, index, channels, what)
    old = call.version < SHARED_FROM
    training = any(call.wanted[1:]) if old else call.integer("training_mode", 0) != 0
    statistics = [Tensor(dtype=call.input(index).dtype, shape=channels) for index in (3, 4, 3, 4)]
    rows = product(channels)
    terms = product((*shape[:1], *shape[1 + len(channels) :]))

    def text(m: M) -> None:
        if not training:
            number = call.input(1).number
            scaled = m.multiply(operand(m, x, rows), m.constant(rows, number, "scale"), role=NORM)
            m.add(scaled, m.constant(rows, number, "bias"), role=NORM)
            return
        Normalized(rows=rows, terms=terms, format=x.number, scale=True, bias=True).equations(m)
        running = m.variable(2 * rows, call.input(3).number)
        factor = m.constant(2 * rows, call.input(3).number)
        kept = m.multiply(running, factor, role=NORM)
        m.add(kept, m.multiply(running, factor, role=NORM), role=NORM)

    outputs = (Tensor(dtype=x.dtype, shape=shape), *statistics)[: max(1, len(call.wanted))]
    work = Steps(text=text) if training else Steps(text=text, executions=terms, wired=True)
    return Result(outputs=outputs, work=work, kind="normalization")


def epsilon(call: Call) -> float | None:
    """The number added to a variance; None where it is none."""
    found = call.attributes.get("epsilon", 1e-5)
    return found if isinstance(found, float) and isfinite(found) else None


def layer_normalization(call: Call) -> Result:
    """Normalised over the axes from `axis` on, scaled and shifted; mean and inverse deviation may be asked for."""
    x, shape = image(call, 1)
    axis = call.axis(call.integer("axis", -1), len(shape))
    spread(call, 1, shape, "scale")
    if call.given(2) is not None:
        spread(call, 2, shape, "bias")
    rows, terms = product(shape[:axis]), product(shape[axis:])
    kept = (*shape[:axis], *(1 for _ in shape[axis:]))
    stash = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}.get(call.integer("stash_type", 1))
    statistics = [Tensor(dtype=stash, shape=kept)] * 2
    work = Normalized(
        rows=rows, terms=terms, format=x.number, scale=True, bias=call.given(2) is not None, epsilon=epsilon(call)
    )
    return result(x, work, *statistics[: max(0, len(call.wanted) - 1)])


def rms_normalization(call: Call) -> Result:
    """y = x / sqrt(mean x^2 + epsilon) * scale over the axes from `axis` on."""
    x, shape = image(call, 1)
    axis = call.axis(call.integer("axis", -1), len(shape))
    spread(call, 1, shape, "scale")
    rows, terms = product(shape[:axis]), product(shape[axis:])
    return result(
        x, Normalized(rows=rows, terms=terms, format=x.number, centred=False, scale=True, epsilon=epsilon(call))
    )


def instance_normalization(call: Call) -> Result:
    """Normalised over the axes of every channel of every sample."""
    x, shape = image(call, 3)
    vector(call, 1, shape[1:2], "scale")
    vector(call, 2, shape[1:2], "bias")
    rows, terms = product(shape[:2]), product(shape[2:])
    return result(x, Normalized(rows=rows, terms=terms, format=x.number, scale=True, bias=True, epsilon=epsilon(call)))


def group_normalization(call: Call) -> Result:
    """Normalised over groups of channels of every sample; scale and bias per group, from version 21 on per channel."""
    x, shape = image(call)
    groups, channels = call.integer("num_groups"), shape[1]
    if groups < 1:
        call.refuse("E-NORMALIZATION-GROUPS", f"num_groups is {groups}, expected 1 or more")
    if isinstance(channels, int) and channels % groups:
        call.refuse("E-NORMALIZATION-GROUPS", f"{channels} channels do not divide into {groups} groups")
    trained: Size = groups if call.version < PER_CHANNEL_FROM else channels
    vector(call, 1, (trained,), "scale")
    vector(call, 2, (trained,), "bias")
    terms = floor_divide(channels, groups) * product(shape[2:])
    return result(
        x,
        Normalized(rows=shape[0] * groups, terms=terms, format=x.number, scale=True, bias=True, epsilon=epsilon(call)),
    )


def mean_variance_normalization(call: Call) -> Result:
    """y = (x - mean x) / deviation over axes, 0, 2 and 3 if none are named."""
    x, shape = image(call, 1)
    named = call.integers("axes")
    axes = [call.axis(axis, len(shape), "axes") for axis in ((0, 2, 3) if named is None else named)]
    terms = product([size for axis, size in enumerate(shape) if axis in axes])
    rows = product([size for axis, size in enumerate(shape) if axis not in axes])
    return result(x, Normalized(rows=rows, terms=terms, format=x.number, epsilon=1e-9))


def local_response_normalization(call: Call) -> Result:
    """y = x / (bias + alpha/size * sum of squares over `size` channels)^beta.

    Counting, per value: one square, size - 1 additions (windows at the first and last channels are charged in full: a
    kernel computes them), one product by alpha/size, one addition of the bias, one power, one division.
    """
    x, shape = image(call)
    size, beta = call.integer("size"), call.number("beta", 0.75)
    if size < 1:
        call.refuse("E-NORMALIZATION-WINDOW", f"size is {size}, expected 1 or more")
    elements = product(shape)

    def text(m: M) -> None:
        values, one = operand(m, x, elements), m.constant(elements, x.number)
        square = m.requantize(m.multiply(values, values, role=NORM), x.number)
        window = m.broadcast(square, elements * size)
        total = m.requantize(m.sum(window, terms=size, outputs=elements, role=NORM), x.number)
        scaled = m.requantize(m.multiply(total, one, role=NORM), x.number)
        base = m.requantize(m.add(scaled, one, role=NORM), x.number)
        raised(m, base, beta, x.number, NORM)
        m.lookup(values, "division", role=NORM)

    return Result(outputs=(Tensor(dtype=x.dtype, shape=shape),), work=Steps(text=text), kind="normalization")


def lp_normalization(call: Call) -> Result:
    """y = x / |x|_p along an axis: n squares, n - 1 additions and a root for p = 2, n comparisons and n - 1 additions
    for p = 1; then one reciprocal and n products per row."""
    x, shape = image(call, 1)
    axis, p = call.axis(call.integer("axis", -1), len(shape)), call.integer("p", 2)
    if p not in (1, 2):
        call.refuse("E-NORMALIZATION-NORM", f"attribute 'p' is {p}, expected 1 or 2")
    terms = shape[axis]
    rows: Size = 0 if terms == 0 else product(shape[:axis] + shape[axis + 1 :])

    def text(m: M) -> None:
        values = operand(m, x, terms)
        if p == 2:
            square = m.requantize(m.multiply(values, values, role=NORM), x.number)
            total = m.sum(square, terms=terms, outputs=1, role=NORM)
            length = m.lookup(total, "sqrt", result=x.number, role=NORM)
        else:
            total = m.sum(m.compare(values, values, role=NORM), terms=terms, outputs=1, role=NORM)
            length = m.requantize(total, x.number)
        factor = m.lookup(length, "reciprocal", result=x.number, role=NORM)
        m.multiply(values, m.arrange([factor], terms, repeated(1, terms)), role=NORM)

    work = Steps(text=text, executions=rows, wired=True)
    return Result(outputs=(Tensor(dtype=x.dtype, shape=shape),), work=work, kind="normalization")


OPERATORS = (
    Operator(
        name="BatchNormalization",
        rule=batch_normalization,
        inputs=(5, 5),
        outputs=(1, 5),
        attributes="epsilon momentum spatial training_mode",
    ),
    Operator(
        name="LayerNormalization",
        rule=layer_normalization,
        inputs=(2, 3),
        outputs=(1, 3),
        attributes="axis epsilon stash_type",
    ),
    Operator(name="RMSNormalization", rule=rms_normalization, inputs=(2, 2), attributes="axis epsilon stash_type"),
    Operator(name="InstanceNormalization", rule=instance_normalization, inputs=(3, 3), attributes="epsilon"),
    Operator(
        name="GroupNormalization",
        rule=group_normalization,
        inputs=(3, 3),
        attributes="epsilon num_groups stash_type",
    ),
    Operator(name="LRN", rule=local_response_normalization, attributes="alpha beta bias size"),
    Operator(name="LpNormalization", rule=lp_normalization, attributes="axis p"),
    Operator(name="MeanVarianceNormalization", rule=mean_variance_normalization, attributes="axes"),
)
