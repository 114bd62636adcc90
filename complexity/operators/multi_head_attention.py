"""Attention operators of com.microsoft on operands projected elsewhere: apart, packed together, or cached."""

from __future__ import annotations

from dataclasses import dataclass

from ..expressions import Size
from ..layers.attention import Attention
from ..shapes import Tensor
from .fused_attention import PROJECTED, Fused, Slots, given, used_length
from .heads import agreed, cache_length, head_count, per_head, scaling_of
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Sizes of the operands of an attention whose projection is done elsewhere.

    fresh: new positions of K and V; cached: K and V are a cache, made and biased before.
    """

    batch: Size
    queries: Size
    fresh: Size
    key_size: Size
    value_size: Size
    cached: bool = False


def separate_heads(call: Call, heads: int) -> Heads:
    """Sizes where query, key and value come apart, or keys and values packed together, or as a cache."""
    batch, queries, hidden = call.shape(0, 3)
    size = per_head(call, hidden, heads, "the last axis of input 0")
    key = call.shape(1)
    if len(key) == 5:
        if call.given(2) is not None:
            call.refuse("E-ATTENTION-SIZE", "keys packed with values leave no input value, found one")
        agreed(call, key[2], heads, "the number of heads")
        return Heads(batch=batch, queries=queries, fresh=key[1], key_size=size, value_size=key[4])
    if len(key) not in (3, 4):
        call.refuse("E-RANK", f"input 1 has rank {len(key)}, expected 3, 4 or 5")
    value = call.shape(2, len(key))
    agreed(call, key[0], batch, "the batch")
    if len(key) == 4:
        agreed(call, agreed(call, key[1], value[1], "the number of heads"), heads, "the number of heads")
        agreed(call, key[3], size, "the head size")
        fresh = agreed(call, key[2], value[2], "the sequence length of key and value")
        return Heads(batch=batch, queries=queries, fresh=fresh, key_size=size, value_size=value[3], cached=True)
    agreed(call, key[2], hidden, "the hidden size of query and key")
    fresh = agreed(call, key[1], value[1], "the sequence length of key and value")
    value_size = per_head(call, value[2], heads, "the last axis of input 2")
    return Heads(batch=batch, queries=queries, fresh=fresh, key_size=size, value_size=value_size)


def packed_heads(call: Call, heads: int, past: int) -> Heads:
    """Sizes where one input holds query, key and value."""
    shape = call.shape(0)
    if len(shape) == 5:
        agreed(call, shape[2], heads, "the number of heads")
        agreed(call, shape[3], 3, "the parts packed into input 0")
        return Heads(batch=shape[0], queries=shape[1], fresh=shape[1], key_size=shape[4], value_size=shape[4])
    if len(shape) != 3 or call.op == "MultiHeadAttention":
        call.refuse("E-RANK", f"input 0 has rank {len(shape)}, expected 5 where key is absent")
    size = call.shape(past, 4)[3] if given(call, past) else per_head(call, shape[2], 3 * heads, "packed input 0")
    if isinstance(shape[2], int) and isinstance(size, int) and shape[2] < 2 * heads * size:
        call.refuse("E-ATTENTION-SIZE", f"packed input 0 has {shape[2]} columns, fewer than queries and keys need")
    rest = per_head(call, shape[2] - 2 * heads * size, heads, "packed input 0")
    return Heads(batch=shape[0], queries=shape[1], fresh=shape[1], key_size=size, value_size=rest)


def multi_head(call: Call, slots: Slots) -> Result:
    """softmax(scale Q K^T + mask) V; a bias of the projection before it is added here."""
    heads = head_count(call, "num_heads")
    sizes = packed_heads(call, heads, slots.past) if call.given(1) is None else separate_heads(call, heads)
    positions = None if sizes.cached else cache_length(call, slots.past, (sizes.batch, heads, sizes.key_size))
    shared = positions is not None and given(call, slots.past_length)
    past = 0 if positions is None else used_length(call, slots.past_length) if shared else positions
    keys = past + sizes.fresh
    x = call.input(0)
    key, value = call.given(1) or x, call.given(2) or call.given(1) or x
    work = Fused(
        attention=Attention(
            batch=sizes.batch,
            heads=heads,
            queries=sizes.queries,
            keys=keys,
            key_size=sizes.key_size,
            value_size=sizes.value_size,
            scaling=scaling_of(call, "scores", sizes.key_size, zero_is_default=True),
            biases=slots.additions(call),
            input=x.number,
            key=key.number,
            value=value.number,
            activation=x.number,
        ),
        biased=biased_elements(sizes, heads) if given(call, slots.bias) else 0,
        bias_format=call.input(slots.bias).number if given(call, slots.bias) else x.number,
    )
    kept = positions if shared and positions is not None else keys
    outputs = (
        Tensor(dtype=x.dtype, shape=(sizes.batch, sizes.queries, heads * sizes.value_size)),
        Tensor(dtype=key.dtype, shape=(sizes.batch, heads, kept, sizes.key_size), format=key.format),
        Tensor(dtype=value.dtype, shape=(sizes.batch, heads, kept, sizes.value_size), format=value.format),
        Tensor(dtype=x.dtype, shape=(sizes.batch, heads, sizes.queries, keys)),
    )
    formats = work.attention.formats
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=work, kind="attention", formats=formats)


def biased_elements(sizes: Heads, heads: int) -> Size:
    """Numbers of Q, K and V that take a bias; a cache has taken it before."""
    query = sizes.batch * sizes.queries * heads * sizes.key_size
    fresh = sizes.batch * sizes.fresh * heads * (sizes.key_size + sizes.value_size)
    return query if sizes.cached else query + fresh


def multi_head_attention(call: Call) -> Result:
    """Attention of projected operands: apart, packed, or cached."""
    return multi_head(call, Slots(bias=3, mask=4, position_bias=5, past=6, past_length=8))


def masked_decoder_attention(call: Call) -> Result:
    """Attention of one new token."""
    return multi_head(call, Slots(mask=3, position_bias=4, past=5, past_length=7, bias=10))


def packed_multi_head_attention(call: Call) -> Result:
    """Attention of operands packed without padding; scores are counted over the padded [batch, sequence]."""
    heads, shape = head_count(call, "num_heads"), call.shape(0)
    batch, sequence = call.shape(4, 2)
    if len(shape) == 4:
        agreed(call, shape[1], heads, "the number of heads")
        tokens, key_size, value_size = shape[0], shape[3], shape[3]
    else:
        tokens, hidden = call.shape(0, 2)
        key_size = per_head(call, hidden, heads, "the last axis of input 0")
        agreed(call, call.shape(1, 2)[1], hidden, "the hidden size of query and key")
        value_size = per_head(call, call.shape(2, 2)[1], heads, "the last axis of input 2")
    x = call.input(0)
    key, value = call.given(1) or x, call.given(2) or x
    work = Fused(
        attention=Attention(
            batch=batch,
            heads=heads,
            queries=sequence,
            keys=sequence,
            key_size=key_size,
            value_size=value_size,
            scaling=scaling_of(call, "scores", key_size, zero_is_default=True),
            biases=int(given(call, 6)),
            input=x.number,
            key=key.number,
            value=value.number,
            activation=x.number,
        ),
        biased=tokens * heads * (2 * key_size + value_size) if given(call, 3) else 0,
        bias_format=call.input(3).number if given(call, 3) else x.number,
    )
    output = Tensor(dtype=x.dtype, shape=(tokens, heads * value_size))
    return Result(outputs=(output,), work=work, kind="attention", formats=work.attention.formats)


OPERATORS = (
    Operator(
        name="MultiHeadAttention",
        rule=multi_head_attention,
        inputs=(1, 10),
        outputs=(1, 4),
        attributes=f"{PROJECTED} unidirectional",
        settings=(4, 5, 8, 9),
        domain=MICROSOFT,
    ),
    Operator(
        name="PackedMultiHeadAttention",
        rule=packed_multi_head_attention,
        inputs=(6, 7),
        attributes=PROJECTED,
        settings=(4, 5, 6),
        domain=MICROSOFT,
    ),
    Operator(
        name="DecoderMaskedMultiHeadAttention",
        rule=masked_decoder_attention,
        inputs=(1, 11),
        outputs=(1, 4),
        attributes=f"{PROJECTED} output_qk past_present_share_buffer",
        settings=(3, 4, 7, 8, 9),
        domain=MICROSOFT,
    ),
)
