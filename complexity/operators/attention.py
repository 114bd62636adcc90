"""Attention of the ONNX standard, and what fused attention operators share with it: heads, caches, agreeing sizes."""

from __future__ import annotations

from ..expressions import Size, divide_exactly
from ..formats import Format, format_of_dtype
from ..layers.attention import Attention
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .rule import Call, Operator, Result

__all__ = ["OPERATORS", "agreed", "cache_length", "head_count", "per_head", "scaling_of"]

PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


def agreed(call: Call, left: Size, right: Size, what: str) -> Size:
    """The one size two inputs must have; the fixed one where the other is free."""
    if isinstance(left, int) and isinstance(right, int) and left != right:
        call.refuse("E-ATTENTION-SIZE", f"{what} is {left} in one input and {right} in another")
    return left if isinstance(left, int) else right


def head_count(call: Call, name: str, default: int | None = None) -> int:
    """A number of heads from an attribute: at least one."""
    heads = call.integer(name, default)
    if heads < 1:
        call.refuse("E-ATTENTION-HEADS", f"attribute '{name}' is {heads}, expected 1 or more")
    return heads


def per_head(call: Call, size: Size, heads: Size, what: str) -> Size:
    """The share of one head in a packed axis."""
    share = divide_exactly(size, heads)
    if share is not None:
        return share
    if isinstance(size, int) and isinstance(heads, int):
        call.refuse("E-ATTENTION-HEADS", f"{what} of {size} does not divide into {heads} equal parts")
    return size // heads


def grouped(call: Call, heads: Size, shared: Size) -> None:
    """Refuse query heads that do not share key and value heads evenly."""
    if isinstance(heads, int) and isinstance(shared, int) and (shared < 1 or heads % shared):
        call.refuse("E-ATTENTION-GROUPS", f"{heads} query heads do not share {shared} key and value heads evenly")


def scaling_of(call: Call, where: str, key_size: Size, *, zero_is_default: bool = False) -> str:
    """Where the scale is multiplied; "none" for a scale of one, which costs nothing."""
    scale = call.number("scale", 0.0)
    default = "scale" not in call.attributes or (zero_is_default and scale == 0)
    return "none" if (key_size == 1 if default else scale == 1) else where


def cache_length(call: Call, index: int, expected: tuple[Size, Size, Size]) -> Size | None:
    """Positions in a cached key or value [batch, heads, positions, size], None where the input is absent."""
    past = call.given(index)
    if past is None:
        return None
    batch, heads, positions, size = call.shape(index, 4)
    for found, wanted, what in zip(
        (batch, heads, size), expected, ("the batch", "heads", "the head size"), strict=True
    ):
        agreed(call, found, wanted, f"{what} of cached input {index}")
    return positions


def unpacked(call: Call, index: int, heads_name: str) -> tuple[Size, Size, Size, Size]:
    """Batch, heads, positions and head size of a 4-D or packed 3-D operand."""
    shape = call.shape(index)
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
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
    batch, heads, queries, key_size = unpacked(call, 0, "q_num_heads")
    key_batch, shared, new, key_width = unpacked(call, 1, "kv_num_heads")
    value_batch, value_heads, value_new, value_size = unpacked(call, 2, "kv_num_heads")
    batch = agreed(call, agreed(call, batch, key_batch, "the batch"), value_batch, "the batch")
    key_size = agreed(call, key_size, key_width, "the head size of Q and K")
    shared = agreed(call, shared, value_heads, "the number of heads of K and V")
    new = agreed(call, new, value_new, "the sequence length of K and V")
    grouped(call, heads, shared)
    past = cached_positions(call, (batch, shared, key_size), value_size)
    keys = new + past
    check_mask(call, (batch, heads, queries))
    work = Attention(
        batch=batch,
        heads=heads,
        shared_heads=shared,
        queries=queries,
        keys=keys,
        key_size=key_size,
        value_size=value_size,
        scaling=scaling_of(call, "operands", key_size),
        biases=int(masked(call)),
        softcap=call.number("softcap", 0.0) != 0,
        input=call.input(0).number,
        key=call.input(1).number,
        value=call.input(2).number,
        activation=softmax_format(call),
    )
    outputs = attention_outputs(call, (batch, heads, shared, queries), (keys, key_size, value_size))
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=work, kind="attention", formats=work.formats)


def cached_positions(call: Call, expected: tuple[Size, Size, Size], value_size: Size) -> Size:
    """Positions in past_key and past_value, which come together; 0 without them."""
    if (call.given(4) is None) != (call.given(5) is None):
        call.refuse("E-ATTENTION-PAST", "past_key and past_value come together, found only one of them")
    past = cache_length(call, 4, expected)
    values = cache_length(call, 5, (expected[0], expected[1], value_size))
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


def attention_outputs(call: Call, counts: Shape, sizes: Shape) -> tuple[Tensor, ...]:
    """Y, present_key, present_value and the scores."""
    batch, heads, shared, queries = counts
    keys, key_size, value_size = sizes
    q, k, v = (call.input(index) for index in range(3))
    packed = len(call.shape(0)) == 3
    shape = (batch, queries, heads * value_size) if packed else (batch, heads, queries, value_size)
    return (
        Tensor(dtype=q.dtype, shape=shape),
        Tensor(dtype=k.dtype, shape=(batch, shared, keys, key_size), format=k.format),
        Tensor(dtype=v.dtype, shape=(batch, shared, keys, value_size), format=v.format),
        Tensor(dtype=q.dtype, shape=(batch, heads, queries, keys)),
    )


def flex_attention(call: Call) -> Result:
    """Y = prob_mod(softmax(score_mod(scale * Q K^T))) V with subgraphs that may change scores and probabilities.

    The contractions, the scale on the scores and the softmax are counted; a call with a subgraph is not, because what
    the subgraph does to every score is not seen here.
    """
    batch, heads, queries, key_size = call.shape(0, 4)
    key_batch, shared, keys, key_width = call.shape(1, 4)
    value_batch, value_heads, value_keys, value_size = call.shape(2, 4)
    batch = agreed(call, agreed(call, batch, key_batch, "the batch"), value_batch, "the batch")
    key_size = agreed(call, key_size, key_width, "the head size of Q and K")
    shared = agreed(call, shared, value_heads, "the number of heads of K and V")
    keys = agreed(call, keys, value_keys, "the sequence length of K and V")
    grouped(call, heads, shared)
    output = Tensor(dtype=call.input(0).dtype, shape=(batch, heads, queries, value_size))
    for name in ("score_mod", "prob_mod"):
        if name in call.attributes:
            call.unknown(f"the subgraph '{name}' works on every score and is not counted", output)
    work = Attention(
        batch=batch,
        heads=heads,
        shared_heads=shared,
        queries=queries,
        keys=keys,
        key_size=key_size,
        value_size=value_size,
        scaling=scaling_of(call, "scores", key_size),
        input=call.input(0).number,
        key=call.input(1).number,
        value=call.input(2).number,
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
