"""Linear attention: a state matrix per head that is decayed, corrected, written and read at every token."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from ..shapes import Shape, Tensor
from .heads import agreed, grouped, head_count, per_head
from .rule import MICROSOFT, Call, Operator, Result, Steps

__all__ = ["OPERATORS"]

RULES = ("linear", "gated", "delta", "gated_delta")


def linear_attention(call: Call) -> Result:
    """S = exp(g) S + k (x) v, o = scale q S; with a delta rule v is first replaced by beta (v - S k).

    Counted as the recurrence that defines it, at every token, the first one included; MACs are the read q S, the
    correction S k and the write k (x) v. A chunked kernel may do other work.
    """
    rule, query_heads, heads = checked(call)
    q, k, v = (call.shape(index, 3) for index in range(3))
    batch = agreed(call, agreed(call, q[0], k[0], "the batch"), v[0], "the batch")
    tokens = agreed(call, agreed(call, q[1], k[1], "the sequence length"), v[1], "the sequence length")
    key_size = agreed(
        call,
        per_head(call, q[2], query_heads, "the last axis of input 0"),
        per_head(call, k[2], heads, "the last axis of input 1"),
        "the head size of query and key",
    )
    value_size = per_head(call, v[2], heads, "the last axis of input 2")
    readers, decays = max(query_heads, heads), decay_size(call, rule, heads, key_size)
    scale = call.number("scale", 0.0)
    scaled = scale != 1 and not (scale == 0 and key_size == 1)
    number = call.input(0).number

    def text(m: Arithmetic[Signal]) -> None:
        writers = batch * tokens * heads
        if "gated" in rule:
            decay(m, writers * decays, writers * key_size * value_size, number)
        if "delta" in rule:
            correct(m, writers, (key_size, value_size), number)
        write(m, writers * key_size * value_size, number)
        read(m, batch * tokens * readers, (key_size, value_size), number, scaled=scaled)

    output = Tensor(dtype=call.input(0).dtype, shape=(batch, tokens, readers * value_size))
    state = state_of(call, (batch, heads, key_size, value_size))
    return Result(outputs=(output, state), work=Steps(text=text), kind="linear attention")


def checked(call: Call) -> tuple[str, int, int]:
    """The update rule, query heads and key heads; com.microsoft also lets key heads share a query head."""
    rule = call.text("update_rule", "gated_delta")
    if rule not in RULES:
        call.refuse("E-LINEAR-ATTENTION-RULE", f"update_rule '{quoted(rule)}' is none of {', '.join(RULES)}")
    query_heads, heads = head_count(call, "q_num_heads"), head_count(call, "kv_num_heads")
    inverse = call.domain == MICROSOFT and heads % query_heads == 0
    if not inverse:
        grouped(call, query_heads, heads)
    if "delta" in rule and call.given(5) is None:
        call.refuse("E-LINEAR-ATTENTION-INPUT", f"update_rule '{rule}' needs the input beta, which is absent")
    return rule, query_heads, heads


def state_of(call: Call, shape: Shape) -> Tensor:
    """The state after the last token, or after each of the last state_window tokens."""
    past, window = call.given(3), call.integer("state_window", 0)
    return Tensor(dtype=(past or call.input(0)).dtype, shape=(window, *shape) if window > 0 else shape)


def decay_size(call: Call, rule: str, heads: int, key_size: Size) -> Size:
    """Decays of one head and token: one, or one for every key dimension; 0 without decay."""
    if "gated" not in rule:
        return 0
    if call.given(4) is None:
        call.refuse("E-LINEAR-ATTENTION-INPUT", f"update_rule '{rule}' needs the input decay, which is absent")
    last = call.shape(4, 3)[2]
    if last == heads:
        return 1
    if isinstance(last, int) and isinstance(key_size, int) and last != heads * key_size:
        call.refuse("E-LINEAR-ATTENTION-INPUT", f"decay has {last} columns, expected {heads} or {heads * key_size}")
    return key_size


def decay(m: Arithmetic[Signal], gates: Size, elements: Size, number: Format) -> None:
    """S = exp(g) S."""
    gate = m.lookup(m.variable(gates, number), "exp")
    m.multiply(m.variable(elements, number), m.broadcast(gate, elements), role=Role.GATE)


def correct(m: Arithmetic[Signal], heads: Size, sizes: tuple[Size, Size], number: Format) -> None:
    """v = beta (v - S k)."""
    key_size, value_size = sizes
    state, key = m.variable(heads * key_size * value_size, number), m.variable(heads * key_size, number)
    found = m.dot(state, key, terms=key_size, outputs=heads * value_size, role=Role.CONTRACTION)
    values = m.variable(heads * value_size, number)
    missing = m.requantize(m.subtract(values, m.requantize(found, number), role=Role.STATE), number)
    m.multiply(missing, values, role=Role.GATE)


def write(m: Arithmetic[Signal], elements: Size, number: Format) -> None:
    """S = S + k (x) v."""
    state, key = m.variable(elements, number), m.variable(elements, number)
    m.add(state, m.multiply(key, key, role=Role.CONTRACTION), role=Role.STATE)


def read(m: Arithmetic[Signal], heads: Size, sizes: tuple[Size, Size], number: Format, *, scaled: bool) -> None:
    """o = scale q S."""
    key_size, value_size = sizes
    query, state = m.variable(heads * key_size, number), m.variable(heads * key_size * value_size, number)
    result = m.dot(query, state, terms=key_size, outputs=heads * value_size, role=Role.CONTRACTION)
    if scaled:
        m.multiply(m.requantize(result, number), m.constant(1, number), role=Role.SCALE)


ATTRIBUTES = "chunk_size kv_num_heads q_num_heads scale update_rule"

OPERATORS = (
    Operator(name="LinearAttention", rule=linear_attention, inputs=(3, 6), outputs=(2, 2), attributes=ATTRIBUTES),
    Operator(
        name="LinearAttention",
        rule=linear_attention,
        inputs=(3, 6),
        outputs=(2, 2),
        attributes=f"{ATTRIBUTES} state_window",
        domain=MICROSOFT,
    ),
)
