"""Attention of the ONNX standard."""

from __future__ import annotations

from dataclasses import replace

from ..expressions import Size
from ..formats import Format, format_of_dtype
from ..layers.attention import Attention
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .heads import agreed, cache_length, grouped, head_count, per_head, scaling_of
from .rule import Call, Operator, Result

__all__ = ["OPERATORS"]

PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


def unpacked(call: Call, index: int, heads_name: str) -> Shape:
    """Batch, heads, positions and head size of a 4-D or packed 3-D operand."""
    shape = call.shape(index)
    if len(shape) == 4:
        return shape
    if len(shape) != 3:
        call.refuse("E-RANK", f"input {index} has rank {len(shape)}, expected 3 or 4")
    heads = head_count(call, heads_name)
    return shape[0], heads, shape[1], per_head(call, shape[2], heads, f"the last axis of input {index}")


def attention(call: Call) -> Result:
    """Y = softmax(softcap(sqrt(scale) Q (sqrt(scale) K)^T) + bias) V.

    By the definition Q and K are each multiplied by the root of the scale: real multiplications, no MACs. K includes
    the cached keys. attn_mask, is_causal, windows and nonpad_kv_seqlen form one bias: one addition per score.
    """
    ranks = [call.shape(index) for index in range(3)]
    if len({len(shape) for shape in ranks}) > 1:
        listed = ", ".join(str(len(shape)) for shape in ranks)
        call.refuse("E-RANK", f"Q, K and V have ranks {listed}, expected one rank for all")
    names = ("q_num_heads", "kv_num_heads", "kv_num_heads")
    fresh = matched(call, *(unpacked(call, index, name) for index, name in enumerate(names)))
    past = cached_positions(call, fresh)
    check_mask(call, (fresh.batch, fresh.heads, fresh.queries))
    work = replace(
        fresh,
        keys=fresh.keys + past,
        scaling=scaling_of(call, "operands", fresh.key_size),
        biases=int(masked(call)),
        softcap=call.number("softcap", 0.0) != 0,
        activation=softmax_format(call),
    )
    outputs = attention_outputs(call, work)
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=work, kind="attention", formats=work.formats)


def matched(call: Call, q: Shape, k: Shape, v: Shape) -> Attention:
    """The attention of operands [batch, heads, positions, size] whose sizes must agree, scaled nowhere."""
    batch = agreed(call, agreed(call, q[0], k[0], "the batch"), v[0], "the batch")
    key_size = agreed(call, q[3], k[3], "the head size of Q and K")
    shared = agreed(call, k[1], v[1], "the number of heads of K and V")
    keys = agreed(call, k[2], v[2], "the sequence length of K and V")
    grouped(call, q[1], shared)
    return Attention(
        batch=batch,
        heads=q[1],
        shared_heads=shared,
        queries=q[2],
        keys=keys,
        key_size=key_size,
        value_size=v[3],
        scaling="none",
        input=call.input(0).number,
        key=call.input(1).number,
        value=call.input(2).number,
    )


def cached_positions(call: Call, fresh: Attention) -> Size:
    """Positions in past_key and past_value, which come together; 0 without them."""
    if (call.given(4) is None) != (call.given(5) is None):
        call.refuse("E-ATTENTION-PAST", "past_key and past_value come together, found only one of them")
    past = cache_length(call, 4, (fresh.batch, fresh.key_heads, fresh.key_size))
    values = cache_length(call, 5, (fresh.batch, fresh.key_heads, fresh.value_size))
    if past is None or values is None:
        return 0
    return agreed(call, past, values, "the length of past_key and past_value")


def check_mask(call: Call, expected: Shape) -> None:
    """Refuse a mask that does not broadcast to [batch, heads, queries, keys]; its last axis may be shorter."""
    mask = call.given(3)
    if mask is None or mask.shape is None:
        return
    try:
        fits = len(mask.shape) <= 4 and len(broadcast(mask.shape[:-1], expected)) == 3
    except ShapeConflict:
        fits = False
    if not fits:
        target = "[" + ",".join(str(size) for size in expected) + ",keys]"
        found = "[" + ",".join(str(size) for size in mask.shape) + "]"
        call.refuse("E-ATTENTION-MASK", f"mask of shape {found} does not broadcast to {target}")


def masked(call: Call) -> bool:
    """Whether anything is added to the scores."""
    window = call.integer("left_window_size", -1) >= 0 or call.integer("right_window_size", -1) >= 0
    causal = call.integer("is_causal", 0) != 0
    return call.given(3) is not None or call.given(6) is not None or causal or window


def softmax_format(call: Call, default: str | None = None) -> Format:
    """The format of the softmax: softmax_precision, else `default`, else that of Q; a quantized Q keeps its own."""
    q, precision = call.input(0), call.integer("softmax_precision", 0)
    named = PRECISIONS.get(precision, default)
    return q.number if q.format is not None or named is None else format_of_dtype(named)


def attention_outputs(call: Call, work: Attention) -> tuple[Tensor, ...]:
    """Y, present_key, present_value and the scores."""
    q, k, v = (call.input(index) for index in range(3))
    rows, cache = (work.batch, work.heads, work.queries), (work.batch, work.key_heads, work.keys)
    packed = (work.batch, work.queries, work.heads * work.value_size)
    return (
        Tensor(dtype=q.dtype, shape=packed if len(call.shape(0)) == 3 else (*rows, work.value_size)),
        Tensor(dtype=k.dtype, shape=(*cache, work.key_size), format=k.format),
        Tensor(dtype=v.dtype, shape=(*cache, work.value_size), format=v.format),
        Tensor(dtype=q.dtype, shape=(*rows, work.keys)),
    )


def flex_attention(call: Call) -> Result:
    """Y = prob_mod(softmax(score_mod(scale * Q K^T))) V with subgraphs that may change scores and probabilities.

    The contractions, the scale on the scores and the softmax are counted; a call with a subgraph is not, because what
    the subgraph does to every score is not seen here.
    """
    q, k, v = (call.shape(index, 4) for index in range(3))
    plain = matched(call, q, k, v)
    output = Tensor(dtype=call.input(0).dtype, shape=(plain.batch, plain.heads, plain.queries, plain.value_size))
    for name in ("score_mod", "prob_mod"):
        if name in call.attributes:
            call.unknown(f"the subgraph '{name}' works on every score and is not counted", output)
    work = replace(
        plain,
        scaling=scaling_of(call, "scores", plain.key_size),
        activation=softmax_format(call, "float64" if call.input(0).dtype == "float64" else "float32"),
    )
    return Result(outputs=(output,), work=work, kind="attention", formats=work.formats)


OPERATORS = (
    Operator(
        name="Attention",
        rule=attention,
        inputs=(3, 7),
        outputs=(1, 4),
        attributes="is_causal kv_num_heads left_window_size q_num_heads qk_matmul_output_mode right_window_size scale "
        "softcap softmax_precision",
        settings=(3, 6),
    ),
    Operator(
        name="FlexAttention",
        rule=flex_attention,
        inputs=(3, 3),
        attributes="prob_mod scale score_mod softmax_precision",
        domain="ai.onnx.preview",
    ),
)
