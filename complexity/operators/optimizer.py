"""One update step of an optimizer (ai.onnx.preview.training), element by element, and the gradient it feeds on."""

from __future__ import annotations

from collections.abc import Callable

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from ..shapes import Shape, Tensor, elements
from .rule import Call, Operator, Result, Steps

__all__ = ["OPERATORS"]

ROLE = Role.ELEMENTWISE
Update = Callable[[Arithmetic[Signal], Signal, Format], None]


def groups(call: Call, parts: int) -> list[Tensor]:
    """The optimized tensors: behind R and T come all X, all G, and the states, `parts` groups of equal length."""
    tensors = len(call.inputs) - 2
    if tensors < parts or tensors % parts:
        call.refuse("E-OPTIMIZER-INPUTS", f"{tensors} tensors after R and T do not make {parts} groups of one length")
    count = tensors // parts
    for index in range(count):
        shape = call.shape(2 + index)
        for part in range(1, parts):
            other = call.shape(2 + part * count + index)
            if len(shape) != len(other) or any(differ(a, b) for a, b in zip(shape, other, strict=True)):
                fact = f"inputs {2 + index} and {2 + part * count + index} have shapes {list(shape)} and {list(other)}"
                call.refuse("E-OPTIMIZER-SHAPE", f"{fact}, expected one shape")
    return [call.input(2 + index) for index in range(count)]


def differ(left: Size, right: Size) -> bool:
    """Whether two sizes are known to differ."""
    return isinstance(left, int) and isinstance(right, int) and left != right


def updated(call: Call, parts: int, rate: Update, update: Update) -> Result:
    """The learning rate once, then every element of every tensor; states come out behind the new values."""
    optimized = groups(call, parts)

    def text(m: Arithmetic[Signal]) -> None:
        number = call.input(0).number
        rate(m, m.variable(1, number), number)
        for tensor in optimized:
            update(m, m.variable(elements(tensor.shape or ()), tensor.number), tensor.number)

    shapes: list[tuple[str | None, Shape | None]] = [(tensor.dtype, tensor.shape) for tensor in optimized]
    outputs = tuple(Tensor(dtype=dtype, shape=shape) for _ in range(parts - 1) for dtype, shape in shapes)
    return Result(outputs=outputs, work=Steps(text=text), kind="optimizer")


def times(m: Arithmetic[Signal], x: Signal, number: Format) -> Signal:
    """A product that is stored."""
    return m.requantize(m.multiply(x, x, role=ROLE), number)


def plus(m: Arithmetic[Signal], x: Signal, number: Format) -> Signal:
    """A sum that is stored."""
    return m.requantize(m.add(x, x, role=ROLE), number)


def regularized(m: Arithmetic[Signal], call: Call, x: Signal, number: Format) -> Signal:
    """norm_coefficient * X + G; just G where the coefficient is 0."""
    if call.number("norm_coefficient", 0.0) == 0:
        return x
    return plus(m, times(m, x, number), number)


def adagrad(call: Call) -> Result:
    """H' = H + G^2; X' = X - r G / (sqrt(H') + epsilon) with r = R / (1 + T decay_factor).

    Counting per element: 2 products, 2 additions, 1 subtraction, 1 sqrt, 1 division; with norm_coefficient a product
    and an addition more. r: 1 product, 1 addition, 1 division; nothing without decay.
    """

    def rate(m: Arithmetic[Signal], r: Signal, number: Format) -> None:
        if call.number("decay_factor", 0.0) != 0:
            m.lookup(plus(m, times(m, r, number), number), "division")

    def update(m: Arithmetic[Signal], x: Signal, number: Format) -> None:
        gradient = regularized(m, call, x, number)
        squares = plus(m, times(m, gradient, number), number)
        plus(m, m.lookup(squares, "sqrt"), number)
        m.subtract(x, m.lookup(times(m, gradient, number), "division"), role=ROLE)

    return updated(call, 3, rate, update)


def adam(call: Call) -> Result:
    """V' = alpha V + (1 - alpha) G; H' = beta H + (1 - beta) G G; X' = X - r V' / (sqrt(H') + epsilon).

    Counting per element: 6 products, 3 additions, 1 subtraction, 1 sqrt, 1 division; with norm_coefficient a product
    and an addition more, with norm_coefficient_post a product more. r = R sqrt(1 - beta^T) / (1 - alpha^T) where T > 0:
    a comparison, 2 powers, 2 subtractions, 1 sqrt, 1 product, 1 division.
    """

    def rate(m: Arithmetic[Signal], r: Signal, number: Format) -> None:
        m.compare(m.variable(1, call.input(1).number), m.constant(1, call.input(1).number), role=ROLE)
        for _ in range(2):
            m.subtract(m.constant(1, number), m.lookup(r, "pow"), role=ROLE)
        m.lookup(times(m, m.lookup(r, "sqrt"), number), "division")

    def update(m: Arithmetic[Signal], x: Signal, number: Format) -> None:
        gradient = regularized(m, call, x, number)
        times(m, x, number)
        momentum = plus(m, times(m, gradient, number), number)
        times(m, x, number)
        squares = plus(m, times(m, times(m, gradient, number), number), number)
        plus(m, m.lookup(squares, "sqrt"), number)
        step = m.lookup(times(m, momentum, number), "division")
        new = m.requantize(m.subtract(x, step, role=ROLE), number)
        if call.number("norm_coefficient_post", 0.0) != 0:
            times(m, new, number)

    return updated(call, 4, rate, update)


def momentum(call: Call) -> Result:
    """V' = alpha V + beta G; X' = X - R V', or X - R (G + alpha V') with Nesterov's momentum.

    Counting per element: 3 products, 1 addition, 1 subtraction; Nesterov's a product and an addition more; with
    norm_coefficient a product and an addition more. One comparison tells the first iteration, where beta is 1.
    """
    mode = call.text("mode")
    if mode not in ("standard", "nesterov"):
        call.refuse("E-OPTIMIZER-MODE", f"mode '{quoted(mode)}' is neither standard nor nesterov")

    def rate(m: Arithmetic[Signal], r: Signal, number: Format) -> None:
        m.compare(m.variable(1, call.input(1).number), m.constant(1, call.input(1).number), role=ROLE)

    def update(m: Arithmetic[Signal], x: Signal, number: Format) -> None:
        gradient = regularized(m, call, x, number)
        times(m, x, number)
        direction = plus(m, times(m, gradient, number), number)
        if mode == "nesterov":
            direction = plus(m, times(m, direction, number), number)
        m.subtract(x, times(m, direction, number), role=ROLE)

    return updated(call, 3, rate, update)


NO_GRADIENT = "the gradient runs a part of the graph backwards, which the file does not spell out"


def gradient(call: Call) -> Result:
    """Derivatives of one tensor with respect to those named in xs: shaped like them, never counted."""
    names = call.texts("xs") or ()
    shapes = [call.given(index) for index in range(len(names))]
    outputs = (Tensor(dtype=x.dtype, shape=x.shape) if x is not None else Tensor() for x in shapes)
    call.unknown(NO_GRADIENT, *outputs)


DOMAIN = "ai.onnx.preview.training"

OPERATORS = (
    Operator(
        name="Adagrad",
        rule=adagrad,
        inputs=(3, None),
        outputs=(1, None),
        attributes="decay_factor epsilon norm_coefficient",
        settings=(0, 1),
        domain=DOMAIN,
    ),
    Operator(
        name="Adam",
        rule=adam,
        inputs=(3, None),
        outputs=(1, None),
        attributes="alpha beta epsilon norm_coefficient norm_coefficient_post",
        settings=(0, 1),
        domain=DOMAIN,
    ),
    Operator(
        name="Momentum",
        rule=momentum,
        inputs=(3, None),
        outputs=(1, None),
        attributes="alpha beta mode norm_coefficient",
        settings=(0, 1),
        domain=DOMAIN,
    ),
    Operator(
        name="Gradient",
        rule=gradient,
        inputs=(1, None),
        outputs=(1, None),
        attributes="xs y zs",
        uncountable=NO_GRADIENT,
        domain=DOMAIN,
    ),
)
