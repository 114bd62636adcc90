"""Attention operators of com.microsoft: counts against scalar loops whose numbers are those of the runtime."""

import math
from typing import Any

import numpy as np
import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Result, Uncounted
from nncomplexity.ops import Kind
from reference.calls import caller, tensor
from reference.one_node import by_runtime, floats
from reference.scalars import Scalars
from reference.totals import counted

run = caller("fused_attention", "multi_head_attention", "group_query_attention", wanted=4)


class Heads(Scalars):
    """Projections, attention and rotation of [batch, heads, sequence, size], number by number."""

    def affine(self, x: Any, weight: Any, bias: Any) -> Any:
        y = np.zeros((*x.shape[:-1], weight.shape[1]))
        for index in np.ndindex(x.shape[:-1]):
            y[index] = [self.sum(self.dot(x[index], weight[:, j]), bias[j]) for j in range(weight.shape[1])]
        return y

    def attend(self, q: Any, k: Any, v: Any, biases: Any = ()) -> Any:
        y = np.zeros((*q.shape[:-1], v.shape[-1]))
        for b, h, i in np.ndindex(q.shape[:-1]):
            shared = h // (q.shape[1] // k.shape[1])
            row = [self.product(self.dot(q[b, h, i], key), 1 / math.sqrt(q.shape[-1])) for key in k[b, shared]]
            for bias in biases:
                added = np.broadcast_to(bias, (*q.shape[:-1], len(row)))[b, h, i]
                row = [self.sum(x, add) for x, add in zip(row, added, strict=True)]
            weights = self.softmax(row)
            y[b, h, i] = [self.dot(weights, v[b, shared, :, j]) for j in range(v.shape[-1])]
        return y

    def rotate(self, x: Any, cosines: Any, sines: Any) -> Any:
        half, y = cosines.shape[-1], x.copy()
        for index in np.ndindex(*x.shape[:-1], half):
            at, other = index, (*index[:-1], index[-1] + half)
            cos, sin = cosines[index[2], index[-1]], sines[index[2], index[-1]]
            y[at] = self.sum(self.product(cos, x[at]), -self.product(sin, x[other]))
            y[other] = self.sum(self.product(sin, x[at]), self.product(cos, x[other]))
        return y


def heads_of(x: Any, heads: int) -> Any:
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def packed(x: Any) -> Any:
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)


def agrees(result: Result, s: Scalars, y: Any, found: Any) -> None:
    """Values, counts and shapes of the three witnesses."""
    assert np.allclose(y, found[0], atol=1e-4)
    assert counted(result) == s.nonzero
    assert [output.shape for output in result.outputs] == [array.shape for array in found]


def test_attention_projects_biases_and_attends() -> None:
    x, w, b, past = floats(2, 3, 5), floats(5, 18), floats(18), floats(2, 2, 2, 4, 3)
    s = Heads()
    q, k, v = (heads_of(part, 2) for part in np.split(s.affine(x, w, b), 3, axis=-1))
    causal = np.triu(np.full((3, 7), -1e9), 5)
    y = s.attend(q, np.concatenate([past[0], k], 2), np.concatenate([past[1], v], 2), [causal])
    feeds = {"x": x, "w": w, "b": b, "m": None, "past": past}
    found = by_runtime("Attention", feeds.values(), 2, num_heads=2, unidirectional=1)
    inputs = (tensor(2, 3, 5), tensor(5, 18, constant=True), tensor(18, constant=True), None, tensor(2, 2, 2, 4, 3))
    result = run("Attention", *inputs, num_heads=2, unidirectional=1)
    agrees(result, s, packed(y), found)
    assert counted(result)["mac"] == 2 * 3 * 5 * 18 + 2 * 2 * 3 * 7 * (3 + 3)


def test_attention_with_values_of_another_size() -> None:
    x, w, b = floats(2, 3, 5), floats(5, 22), floats(22)
    s = Heads()
    projected = s.affine(x, w, b)
    y = s.attend(*(heads_of(part, 2) for part in np.split(projected, [6, 12], axis=-1)))
    found = by_runtime("Attention", [x, w, b], num_heads=2, qkv_hidden_sizes=[6, 6, 10])
    inputs = (tensor(2, 3, 5), tensor(5, 22, constant=True), tensor(22))
    agrees(run("Attention", *inputs, num_heads=2, qkv_hidden_sizes=(6, 6, 10), wanted=1), s, packed(y), found)


def test_quantized_attention_has_the_macs_of_its_float_twin() -> None:
    x, w = tensor(2, 3, 6, dtype="uint8"), tensor(6, 18, dtype="int8", constant=True)
    quantized = run("QAttention", x, w, tensor(18), tensor(1), tensor(1), num_heads=2)
    plain = run("Attention", tensor(2, 3, 6), tensor(6, 18, constant=True), tensor(18), num_heads=2)
    assert counted(quantized) == counted(plain)
    assert [(o.dtype, o.shape) for o in quantized.outputs] == [("float32", (2, 3, 6)), ("float32", (2, 2, 2, 3, 3))]
    widths = {(op.left.bits, op.right.bits) for op, _ in count(quantized.work) if op.kind is Kind.MULTIPLY}
    assert (8, 8) in widths and (32, 32) in widths


@pytest.mark.parametrize("past", [0, 3])
def test_multi_head_attention_adds_the_bias_of_the_projection(past: int) -> None:
    q, k, v, b = floats(2, 3, 8), floats(2, 5, 8), floats(2, 5, 8), floats(24)
    caches = {"pk": floats(2, 2, past, 4), "pv": floats(2, 2, past, 4)} if past else {}
    bias = floats(1, 2, 3, 5 + past)
    s = Heads()
    biased = []
    for x, part in zip((q, k, v), np.split(b, 3), strict=True):
        biased.append(heads_of(np.vectorize(s.sum, otypes=[float])(x, part), 2))
    if past:
        biased[1], biased[2] = (
            np.concatenate([caches[name], x], 2) for name, x in zip(("pk", "pv"), biased[1:], strict=True)
        )
    y = s.attend(*biased, [bias])
    feeds = {"q": q, "k": k, "v": v, "b": b, "m": None, "a": bias, **caches}
    found = by_runtime("MultiHeadAttention", feeds.values(), 3, num_heads=2)
    inputs = [None if feed is None else tensor(*feed.shape) for feed in feeds.values()]
    agrees(run("MultiHeadAttention", *inputs, num_heads=2, wanted=3), s, packed(y), found)


def test_packed_operands_count_like_separate_ones() -> None:
    apart = run("MultiHeadAttention", *(tensor(2, 3, 8),) * 3, num_heads=2)
    together = run("MultiHeadAttention", tensor(2, 3, 2, 3, 4), num_heads=2)
    pair = run("MultiHeadAttention", tensor(2, 3, 8), tensor(2, 3, 2, 2, 4), num_heads=2)
    cached = run("MultiHeadAttention", tensor(2, 3, 8), tensor(2, 2, 3, 4), tensor(2, 2, 3, 4), num_heads=2)
    assert counted(apart) == counted(together) == counted(pair) == counted(cached)
    assert apart.outputs == together.outputs == pair.outputs == cached.outputs
    token = run("DecoderMaskedMultiHeadAttention", tensor(2, 1, 24), num_heads=2)
    assert token.outputs[0].shape == (2, 1, 8)


@pytest.mark.parametrize("rotary", [0, 1])
def test_group_query_attention_shares_heads_and_turns_them(rotary: int) -> None:
    q, k, v = floats(2, 5, 64), floats(2, 5, 32), floats(2, 5, 32)
    cosines, sines = floats(9, 8), floats(9, 8)
    s = Heads()
    heads = [heads_of(q, 4), heads_of(k, 2), heads_of(v, 2)]
    if rotary:
        heads[:2] = [s.rotate(x.astype(float), cosines, sines) for x in heads[:2]]
    y = s.attend(*heads, [np.triu(np.full((5, 5), -1e9), 1)])
    lengths, total = np.full(2, 4, np.int32), np.array([5], np.int32)
    feeds = {"q": q, "k": k, "v": v, "pk": None, "pv": None, "l": lengths, "t": total}
    feeds |= {"c": cosines, "s": sines} if rotary else {}
    found = by_runtime("GroupQueryAttention", feeds.values(), 3, num_heads=4, kv_num_heads=2, do_rotary=rotary)
    inputs = [None if feed is None else tensor(*feed.shape) for feed in feeds.values()]
    inputs[6] = tensor(1, dtype="int32", value=(5,))
    result = run("GroupQueryAttention", *inputs, num_heads=4, kv_num_heads=2, do_rotary=rotary, wanted=3)
    agrees(result, s, packed(y), found)


def test_group_query_attention_reads_the_total_length() -> None:
    cache = tensor(2, 2, symbol("past"), 16)
    total = tensor(1, dtype="int32", value=(symbol("total"),))
    inputs = (tensor(2, 1, 64), tensor(2, 1, 32), tensor(2, 1, 32), cache, cache, tensor(2), total)
    free = run("GroupQueryAttention", *inputs, num_heads=4, kv_num_heads=2)
    assert str(counted(free)["mac"]) == str(2 * 4 * 32 * symbol("total"))
    assert str(free.outputs[1].shape) == "(2, 2, Max(past, total), 16)"
    unread = run("GroupQueryAttention", *inputs[:6], tensor(1), num_heads=4, kv_num_heads=2)
    assert substitute(counted(unread)["mac"], {"past": 127}) == 2 * 4 * 128 * 32
    sunk = counted(run("GroupQueryAttention", *inputs, num_heads=4, kv_num_heads=2, smooth_softmax=1))
    assert sunk["cmp"] - counted(free)["cmp"] == sunk["exp"] - counted(free)["exp"] == 2 * 4


def test_packed_attention_counts_tokens_and_padded_scores() -> None:
    inputs = (tensor(7, 5), tensor(5, 12, constant=True), tensor(12), tensor(2, 4), tensor(3))
    result = run("PackedAttention", *inputs, num_heads=2)
    assert counted(result)["mac"] == 7 * 5 * 12 + 2 * 2 * 4 * 4 * (2 + 2)
    parts = (tensor(7, 4), tensor(7, 4), tensor(7, 6), tensor(14), tensor(2, 4), tensor(3))
    multi = run("PackedMultiHeadAttention", *parts, num_heads=2)
    assert counted(multi)["mac"] == 2 * 2 * 4 * 4 * (2 + 3)
    assert (result.outputs[0].shape, multi.outputs[0].shape) == ((7, 4), (7, 6))


def test_a_shared_buffer_is_as_full_as_its_length_says() -> None:
    buffer = tensor(2, 2, 2, 99, 3)
    inputs = [tensor(2, 1, 5), tensor(5, 18), tensor(18), None, buffer, None, tensor(1, value=(40,))]
    known = run("Attention", *inputs, num_heads=2, past_present_share_buffer=1)
    assert counted(known)["mac"] == 2 * 5 * 18 + 2 * 2 * 41 * 6
    assert known.outputs[1].shape == (2, 2, 2, 99, 3)
    inputs[6] = tensor(1)
    unknown = counted(run("Attention", *inputs, num_heads=2, past_present_share_buffer=1))
    assert substitute(unknown["mac"], {"n.past_sequence_length": 40}) == counted(known)["mac"]


X, W = tensor(2, 3, 5), tensor(5, 18)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "text"),
    [
        (
            "Attention",
            (X, tensor(6, 18)),
            {"num_heads": 2},
            "the input size of the projection is 5 in one input and 6 in another",
        ),
        ("Attention", (X, W), {"num_heads": 5}, "the merged projection of 18 does not divide into 15 equal parts"),
        ("Attention", (X, W), {}, "attribute 'num_heads' is required and absent"),
        (
            "Attention",
            (X, W),
            {"num_heads": 2, "qkv_hidden_sizes": (6, 4, 8)},
            "qkv_hidden_sizes is [6, 4, 8], expected [q, q, v] of 1 or more",
        ),
        (
            "Attention",
            (X, W),
            {"num_heads": 2, "do_rotary": 1, "rotary_embedding_dim": 8},
            "rotary_embedding_dim 8 is outside 0..3, the head size",
        ),
        ("MultiHeadAttention", (X,), {"num_heads": 5}, "input 0 has rank 3, expected 5 where key is absent"),
        (
            "MultiHeadAttention",
            (X, tensor(2, 3, 5, 2, 1), X),
            {"num_heads": 5},
            "keys packed with values leave no input value, found one",
        ),
        (
            "GroupQueryAttention",
            (X, X, X, None, None, X, X),
            {"num_heads": 5, "kv_num_heads": 2},
            "5 query heads do not share 2 key and value heads evenly",
        ),
    ],
)
def test_contradictions_are_refused_with_what_was_found(op: str, inputs: Any, attributes: Any, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        run(op, *inputs, **attributes)
    assert caught.value.fact == text


def test_a_window_sized_cache_is_uncounted() -> None:
    cache = tensor(2, 2, 8, 16)
    inputs = (tensor(2, 1, 64), tensor(2, 1, 32), tensor(2, 1, 32), cache, cache, tensor(2), tensor(1))
    with pytest.raises(Uncounted) as caught:
        run("GroupQueryAttention", *inputs, num_heads=4, kv_num_heads=2, sliding_window_cache=1)
    assert caught.value.reason == "how much a window-sized cache holds is known only at the run"
    assert caught.value.outputs[0].shape == (2, 1, 64)


def test_normalised_heads_add_a_norm_per_new_query_and_key() -> None:
    inputs: list[Any] = [tensor(2, 3, 64), tensor(2, 3, 32), tensor(2, 3, 32), None, None, tensor(2), tensor(1)]
    plain = counted(run("GroupQueryAttention", *inputs, num_heads=4, kv_num_heads=2))
    weights = [None] * 7 + [tensor(16), tensor(16)]
    normed = counted(run("GroupQueryAttention", *inputs, *weights, num_heads=4, kv_num_heads=2))
    rows = 2 * 3 * (4 + 2)
    assert normed["rm"] - plain["rm"] == rows * (16 + 1 + 16 + 16)
    assert normed["add"] - plain["add"] == rows * (15 + 1)
    assert (normed["sqrt"], normed["reciprocal"] - plain["reciprocal"]) == (rows, rows)
