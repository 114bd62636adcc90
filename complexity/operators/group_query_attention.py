"""GroupQueryAttention of com.microsoft: shared key and value heads, caches, rotation, normalised heads."""

from __future__ import annotations

from ..expressions import Size, maximum
from ..layers.attention import Attention
from ..shapes import Shape, Tensor
from .fused_attention import Fused, checked_length, given
from .heads import agreed, grouped, head_count, per_head, scaling_of
from .normalization import Normalized
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS"]


def group_query_attention(call: Call) -> Result:
    """Attention whose query heads share key and value heads, with caches, rotation and normalised heads.

    Keys are total_sequence_length where its value is known, else cached plus new ones. The causal mask (and the window
    it may have) is one addition per score, an attention bias another. Quantized caches are taken as read back. A factor
    of smooth_softmax or head_sink joins the softmax of every row.
    """
    heads, shared = head_count(call, "num_heads"), head_count(call, "kv_num_heads")
    grouped(call, heads, shared)
    batch, queries, fresh, key_size = packed_or_apart(call, heads, shared)
    past: Size = call.shape(3, 4)[2] if given(call, 3) else 0
    total = call.sizes(6)
    keys = checked_length(call, total[0]) if total else past + fresh
    outputs = attended(call, (batch, heads, shared, queries), key_size, (past, keys))
    if call.integer("sliding_window_cache", 0):
        call.unknown("how much a window-sized cache holds is known only at the run", outputs[0])
    x, key, value = call.input(0), call.given(1) or call.input(0), call.given(2) or call.input(0)
    scores = Attention(
        batch=batch,
        heads=heads,
        shared_heads=shared,
        queries=queries,
        keys=keys,
        key_size=key_size,
        value_size=key_size,
        scaling=scaling_of(call, "scores", key_size, zero_is_default=True),
        biases=int(call.integer("causal", 1) != 0) + int(given(call, 10)),
        softcap=call.number("softcap", 0.0) > 0,
        sink=given(call, 11) or call.integer("smooth_softmax", 0) > 0,
        input=x.number,
        key=key.number,
        value=value.number,
        activation=x.number,
    )
    work = prepared(call, scores, batch * (queries * heads + fresh * shared))
    return Result(outputs=outputs, work=work, kind="attention", formats=scores.formats)


def attended(call: Call, counts: Shape, key_size: Size, lengths: tuple[Size, Size]) -> tuple[Tensor, ...]:
    """The output, both caches and the scores; a cache is as long as the longer of the old one and of all keys."""
    batch, heads, shared, queries = counts
    x = call.input(0)
    present = []
    for index in (3, 4):
        past, new = call.given(index), call.given(index - 2) or x
        width = call.shape(index, 4)[3] if past is not None else key_size
        present.append(Tensor(dtype=(past or new).dtype, shape=(batch, shared, maximum(*lengths), width)))
    output = Tensor(dtype=x.dtype, shape=(batch, queries, heads * key_size))
    scores = Tensor(dtype=x.dtype, shape=(batch, heads, queries, lengths[1]))
    return (output, *present, scores)[: max(1, len(call.wanted))]


def packed_or_apart(call: Call, heads: int, shared: int) -> tuple[Size, Size, Size, Size]:
    """Batch, queries, new keys and head size of query and key, which may come packed in one input."""
    batch, queries, hidden = call.shape(0, 3)
    if call.given(1) is None:
        return batch, queries, queries, per_head(call, hidden, heads + 2 * shared, "packed input 0")
    key_size = per_head(call, hidden, heads, "the last axis of input 0")
    key_batch, fresh, key_hidden = call.shape(1, 3)
    found = per_head(call, key_hidden, shared, "the last axis of input 1")
    return agreed(call, batch, key_batch, "the batch"), queries, fresh, agreed(call, key_size, found, "the head size")


def prepared(call: Call, scores: Attention, vectors: Size) -> Fused:
    """The attention with its new queries and keys normalised and turned where the call asks for it."""
    angles = call.shape(7, 2)[1] if call.integer("do_rotary", 0) else 0
    norm = Normalized(rows=vectors, terms=scores.key_size, format=scores.input, centred=False, scale=True)
    return Fused(attention=scores, head_norm=norm if given(call, 14) else None, pairs=vectors * angles)


OPERATORS = (
    Operator(
        name="GroupQueryAttention",
        rule=group_query_attention,
        inputs=(7, 17),
        outputs=(1, 4),
        attributes="causal do_rotary k_norm_epsilon k_quant_type kv_cache_bit_width kv_num_heads local_window_size "
        "num_heads q_norm_epsilon qk_norm_epsilon qk_output rotary_interleaved scale sliding_window_cache "
        "smooth_softmax softcap v_quant_type",
        settings=(5, 6, 7, 8, 9, 10, 12, 13, 16),
        domain=MICROSOFT,
    ),
)
