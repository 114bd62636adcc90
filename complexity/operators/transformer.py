"""What else transformers of com.microsoft fuse: activations with a bias, position biases, padding, masked softmax."""

from __future__ import annotations

from collections.abc import Callable

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..layers.attention import softmax_rows
from ..layers.fused_activation import CUBIC, HALF, ONE, ROOT_TWO_PI
from ..ops import Role
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .activation import Chain, check_numbers, gelu_exact
from .fused_attention import checked_length
from .heads import agreed, head_count, per_head
from .linear import contraction_of
from .rule import MICROSOFT, Call, Operator, Result, Rule, Steps, operand

__all__ = ["OPERATORS"]

Curve = Callable[[Chain, Signal, Call], Signal]


def fast_gelu_curve(c: Chain, x: Signal, call: Call) -> Signal:
    """0.5 x (1 + tanh(a x + b x x x)): 6 products, 2 additions, 1 tanh."""
    third = c.times(c.times(c.times(x, x), x), ROOT_TWO_PI * CUBIC)
    return c.times(c.times(x, HALF), c.plus(c.of(c.plus(c.times(x, ROOT_TWO_PI), third), "tanh"), ONE))


def quick_gelu_curve(c: Chain, x: Signal, call: Call) -> Signal:
    """x sigmoid(alpha x): one product and one sigmoid, one product more unless alpha is 1."""
    alpha = call.number("alpha", 1.702)
    return c.times(x, c.of(x if alpha == 1 else c.times(x, alpha), "sigmoid"))


def biased(m: Arithmetic[Signal], call: Call, elements: Size) -> Signal:
    """Input 0, with input 1 added to it where that is there."""
    x, bias = call.input(0), call.given(1)
    value = operand(m, x, elements)
    if bias is None:
        return value
    return m.requantize(m.add(value, operand(m, bias, elements), role=Role.BIAS), x.number)


def elementwise_shape(call: Call) -> tuple[Shape, Size]:
    """Shape and size of input 0, into which input 1 must broadcast."""
    shape, bias = call.shape(0), call.given(1)
    if bias is not None and bias.shape is not None:
        try:
            if broadcast(shape, bias.shape) != shape:
                call.refuse("E-BIAS-SIZE", f"bias of shape {list(bias.shape)} does not broadcast to {list(shape)}")
        except ShapeConflict as conflict:
            call.refuse("E-BIAS-SIZE", f"bias {conflict}")
    return shape, product(shape)


def activation(curve: Curve) -> Rule:
    """The rule of an activation of every element of X, the bias added before where there is one."""

    def rule(call: Call) -> Result:
        check_numbers(call)
        shape, elements = elementwise_shape(call)
        x = call.input(0)

        def text(m: Arithmetic[Signal]) -> None:
            curve(Chain(m, x.number), biased(m, call, elements), call)

        return Result(outputs=(Tensor(dtype=x.dtype, shape=shape),), work=Steps(text=text), kind="activation")

    return rule


def bias_split_gelu(call: Call) -> Result:
    """Y = left * gelu(right) of the two halves of X + bias along the last axis."""
    shape, elements = elementwise_shape(call)
    if not shape:
        call.refuse("E-RANK", "input 0 has rank 0, expected 1 or more")
    half = per_head(call, shape[-1], 2, "the last axis of input 0")
    number = call.input(0).number

    def text(m: Arithmetic[Signal]) -> None:
        values = m.broadcast(biased(m, call, elements), product(shape[:-1]) * half)
        m.multiply(values, gelu_exact(Chain(m, number), values, call), role=Role.GATE)

    output = Tensor(dtype=call.input(0).dtype, shape=(*shape[:-1], half))
    return Result(outputs=(output,), work=Steps(text=text), kind="activation")


def bias_add(call: Call) -> Result:
    """Y = X + bias + skip: two additions per element."""
    shape, elements = elementwise_shape(call)

    def text(m: Arithmetic[Signal]) -> None:
        m.add(biased(m, call, elements), operand(m, call.input(2), elements), role=Role.ELEMENTWISE)

    return Result(outputs=(Tensor(dtype=call.input(0).dtype, shape=shape),), work=Steps(text=text), kind="elementwise")


def bias_softmax(call: Call) -> Result:
    """Y = softmax(data + bias) over the axes from `axis` on: one addition per element before the softmax."""
    x, shape = call.input(0), call.shape(0)
    axis = call.axis(call.integer("axis", 1), len(shape))
    rows, terms = product(shape[:axis]), product(shape[axis:])

    def text(m: Arithmetic[Signal]) -> None:
        if terms == 0:
            return
        total = m.add(operand(m, x, rows * terms), operand(m, call.input(1), rows * terms), role=Role.ELEMENTWISE)
        softmax_rows(m, m.requantize(total, x.number), terms=terms, rows=rows, format=x.number)

    return Result(outputs=(Tensor(dtype=x.dtype, shape=shape),), work=Steps(text=text), kind="activation")


def relative_position_bias(call: Call) -> Result:
    """A table row for every distance between two positions; the distances do not depend on the data."""
    heads = call.shape(0, 2)[1]
    lengths: list[Size] = []
    for index, name in ((1, "query_length"), (2, "key_length")):
        known = call.sizes(index)
        lengths.append(checked_length(call, known[0]) if known else call.symbol(name))
    output = Tensor(dtype=call.input(0).dtype, shape=(1, heads, *lengths))
    return Result(outputs=(output,), free="data movement")


def gated_relative_position_bias(call: Call) -> Result:
    """rel_pos * (u (r a - 1) + 2) with gates u, r = sigmoid of two sums over a projection of query + bias.

    Counting per query and head: head_size additions of the query bias, a projection to D columns with its bias, D - 2
    additions of the two sums, 2 sigmoids, 2 products and 2 additions of the gate; one product per score.
    """
    heads, query = head_count(call, "num_heads"), call.shape(0)
    if len(query) not in (2, 3):
        call.refuse("E-RANK", f"input 0 has rank {len(query)}, expected 2 or 3")
    size = per_head(call, query[-1], heads, "the last axis of input 0")
    terms, columns = call.shape(3, 2)
    agreed(call, terms, size, "the head size of query and weight")
    half = per_head(call, columns, 2, "the columns of the weight")
    batch, sequence = call.shape(6, 2) if len(query) == 2 else (query[0], query[1])
    number, weight = call.input(0).number, call.input(3)
    rows = product(query[:-1]) * heads
    projection = contraction_of(call.input(0), weight, size, rows * columns)

    def text(m: Arithmetic[Signal]) -> None:
        m.add(m.variable(rows * size, number), operand(m, call.input(1), rows * size), role=Role.BIAS)
        projection.equations(m)
        gates = m.variable(rows * columns, number)
        gates = m.requantize(m.add(gates, operand(m, call.input(4), rows * columns), role=Role.BIAS), number)
        total = m.sum(gates, terms=half, outputs=2 * rows, role=Role.REDUCTION)
        gate = m.broadcast(m.lookup(m.requantize(total, number), "sigmoid"), rows)
        one = m.constant(1, number)
        inner = m.requantize(m.multiply(gate, operand(m, call.input(5), 1), role=Role.GATE), number)
        inner = m.requantize(m.subtract(inner, one, role=Role.GATE), number)
        outer = m.requantize(m.multiply(gate, inner, role=Role.GATE), number)
        outer = m.requantize(m.add(outer, one, role=Role.GATE), number)
        scores = m.variable(batch * heads * sequence * sequence, call.input(2).number)
        m.multiply(scores, outer, role=Role.SCALE)

    output = Tensor(dtype=call.input(0).dtype, shape=(batch, heads, sequence, sequence))
    return Result(outputs=(output,), work=Steps(text=text), kind="attention", formats=projection.formats)


def remove_padding(call: Call) -> Result:
    """The tokens that are no padding, one after another; how many is known only at the run."""
    batch, sequence, hidden = call.shape(0, 3)
    outputs = (
        Tensor(dtype=call.input(0).dtype, shape=(call.symbol("tokens"), hidden), format=call.input(0).format),
        Tensor(dtype="int32", shape=(batch, sequence)),
        Tensor(dtype="int32", shape=(batch + 1,)),
        Tensor(dtype="int32", shape=(1,)),
    )
    return Result(outputs=outputs[: max(1, len(call.wanted))], free="data movement")


def restore_padding(call: Call) -> Result:
    """Tokens put back to their places, zeros between them."""
    _, hidden = call.shape(0, 2)
    x = call.input(0)
    output = Tensor(dtype=x.dtype, shape=(*call.shape(1, 2), hidden), format=x.format)
    return Result(outputs=(output,), free="data movement")


def gemma_rotary_embedding(call: Call) -> Result:
    """q cos(e) + q_rot sin(e) and the same for k: 2 products and 1 addition per element, one sin and cos per angle."""
    angles = product(call.shape(0, 3))
    shapes = call.shape(1, 4), call.shape(3, 4)

    def text(m: Arithmetic[Signal]) -> None:
        emb = operand(m, call.input(0), angles)
        tables = [m.lookup(emb, name, result=call.input(1).number) for name in ("sin", "cos")]
        for index, shape in ((1, shapes[0]), (3, shapes[1])):
            x = operand(m, call.input(index), product(shape))
            turned = [m.multiply(x, table, role=Role.ELEMENTWISE) for table in tables]
            m.add(turned[0], turned[1], role=Role.ELEMENTWISE)

    outputs = tuple(Tensor(dtype=call.input(1).dtype, shape=shape) for shape in shapes)
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=Steps(text=text), kind="rotary embedding")


OPERATORS = (
    Operator(name="FastGelu", rule=activation(fast_gelu_curve), inputs=(1, 2), domain=MICROSOFT),
    Operator(name="BiasGelu", rule=activation(gelu_exact), inputs=(2, 2), domain=MICROSOFT),
    Operator(name="Gelu", rule=activation(gelu_exact), domain=MICROSOFT),
    Operator(name="QuickGelu", rule=activation(quick_gelu_curve), attributes="alpha", domain=MICROSOFT),
    Operator(name="BiasSplitGelu", rule=bias_split_gelu, inputs=(2, 2), domain=MICROSOFT),
    Operator(name="BiasAdd", rule=bias_add, inputs=(3, 3), domain=MICROSOFT),
    Operator(
        name="BiasSoftmax", rule=bias_softmax, inputs=(2, 2), attributes="axis is_inner_broadcast", domain=MICROSOFT
    ),
    Operator(
        name="RelativePositionBias",
        rule=relative_position_bias,
        inputs=(3, 3),
        attributes="is_bidirectional max_distance",
        settings=(1, 2),
        free="data movement",
        domain=MICROSOFT,
    ),
    Operator(
        name="GatedRelativePositionBias",
        rule=gated_relative_position_bias,
        inputs=(6, 7),
        attributes="num_heads",
        settings=(6,),
        domain=MICROSOFT,
    ),
    Operator(
        name="RemovePadding",
        rule=remove_padding,
        inputs=(2, 2),
        outputs=(4, 4),
        settings=(1,),
        free="data movement",
        domain=MICROSOFT,
    ),
    Operator(
        name="RestorePadding",
        rule=restore_padding,
        inputs=(2, 2),
        settings=(1,),
        free="data movement",
        domain=MICROSOFT,
    ),
    Operator(name="GemmaRotaryEmbedding", rule=gemma_rotary_embedding, inputs=(5, 5), outputs=(2, 2), domain=MICROSOFT),
)
