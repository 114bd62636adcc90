"""Attention, rotary embedding and linear attention: counts against scalar loops, shapes against ONNX's node tests."""

import math
from typing import Any

import numpy as np
import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Uncounted
from nncomplexity.shapes import Tensor
from reference.calls import caller, operators_of, tensor
from reference.node_cases import agreeing_shapes
from reference.one_node import by_onnx
from reference.scalars import Scalars
from reference.totals import counted

FAMILIES = ("attention", "linear_attention", "rotary_embedding")
RULES = operators_of(*FAMILIES)
run = caller(*FAMILIES, wanted=4)


def attend(s: Scalars, q: Any, k: Any, v: Any, *, mask: Any = None, softcap: float = 0.0) -> Any:
    """The definition of the operator, number by number; K and V already hold the cache."""
    root = math.sqrt(1 / math.sqrt(q.shape[-1]))
    q = np.vectorize(lambda x: s.product(x, root), otypes=[float])(q)
    k = np.vectorize(lambda x: s.product(x, root), otypes=[float])(k)
    y = np.zeros((*q.shape[:-1], v.shape[-1]))
    for b, h, i in np.ndindex(q.shape[:-1]):
        shared = h // (q.shape[1] // k.shape[1])
        row = [s.dot(q[b, h, i], key) for key in k[b, shared]]
        if softcap:
            row = [s.product(s.apply("tanh", math.tanh(s.apply("division", x / softcap))), softcap) for x in row]
        if mask is not None:
            row = [s.sum(x, bias) for x, bias in zip(row, mask[i], strict=True)]
        weights = s.softmax(row)
        y[b, h, i] = [s.dot(weights, v[b, shared, :, j]) for j in range(v.shape[-1])]
    return y


@pytest.mark.parametrize(
    ("past", "softcap", "masked"), [(0, 0.0, False), (2, 0.0, True), (3, 1.5, True), (0, 2.5, False)]
)
def test_attention_counts_what_its_definition_computes(past: int, softcap: float, masked: bool) -> None:
    rng = np.random.default_rng(7)
    q, k, v = rng.normal(size=(2, 6, 3, 5)), rng.normal(size=(2, 2, 4, 5)), rng.normal(size=(2, 2, 4, 7))
    past_k, past_v = rng.normal(size=(2, 2, past, 5)), rng.normal(size=(2, 2, past, 7))
    mask = rng.normal(size=(3, 4 + past)) if masked else None
    s = Scalars()
    y = attend(s, q, np.concatenate([past_k, k], 2), np.concatenate([past_v, v], 2), mask=mask, softcap=softcap)
    feeds = [q, k, v, mask, *((past_k, past_v) if past else ())]
    expected = by_onnx("Attention", feeds, version=23, outputs=3, softcap=softcap)
    assert np.allclose(y, expected[0])
    caches = (tensor(2, 2, past, 5), tensor(2, 2, past, 7)) if past else (None, None)
    mask_tensor = tensor(3, 4 + past) if masked else None
    result = run(
        "Attention", tensor(*q.shape), tensor(*k.shape), tensor(*v.shape), mask_tensor, *caches, softcap=softcap
    )
    assert counted(result) == s.nonzero
    assert counted(result)["mac"] == 2 * 6 * 3 * (4 + past) * (5 + 7)
    assert [output.shape for output in result.outputs[:3]] == [array.shape for array in expected]


def test_linear_attention_counts_what_its_definition_computes() -> None:
    for rule, decayed, corrected in (("linear", 0, 0), ("gated", 1, 0), ("delta", 0, 1), ("gated_delta", 3, 1)):
        s = Scalars()
        for _ in range(2 * 5 * 2):  # batch, tokens, key heads
            if decayed:
                gates = [s.apply("exp", 1.0) for _ in range(decayed)]
                [s.product(gates[i % decayed], 1.0) for i in range(3) for _ in range(7)]
            if corrected:
                for _ in range(7):
                    s.product(s.sum(1.0, -s.dot([1.0] * 3, [1.0] * 3)), 1.0)
            [s.sum(1.0, s.product(1.0, 1.0, mac=True)) for _ in range(3) for _ in range(7)]
        for _ in range(2 * 5 * 4):  # batch, tokens, query heads
            [s.product(s.dot([1.0] * 3, [1.0] * 3), 1.0) for _ in range(7)]
        gates_in = tensor(2, 5, 2 * decayed) if decayed else None
        beta = tensor(2, 5, 2) if corrected else None
        inputs = (tensor(2, 5, 12), tensor(2, 5, 6), tensor(2, 5, 14), None, gates_in, beta)
        result = run("LinearAttention", *inputs, q_num_heads=4, kv_num_heads=2, update_rule=rule)
        assert counted(result) == s.nonzero, rule
        assert [output.shape for output in result.outputs] == [(2, 5, 28), (2, 2, 3, 7)]


@pytest.mark.parametrize(
    ("domain", "shape", "table", "attributes", "pairs"),
    [
        ("", (2, 3, 5, 8), (2, 5, 4), {}, 2 * 3 * 5 * 4),
        ("", (2, 5, 24), (2, 5, 3), {"num_heads": 3, "rotary_embedding_dim": 6}, 2 * 5 * 3 * 3),
        ("com.microsoft", (2, 5, 24), (9, 4), {"scale": 3.0}, 2 * 5 * 3 * 4),
        ("com.microsoft", (2, 5, 24), (9, 2), {"num_heads": 3, "rotary_embedding_dim": 4}, 2 * 5 * 3 * 2),
    ],
)
def test_rotary_embedding_turns_pairs(domain: str, shape: Any, table: Any, attributes: Any, pairs: int) -> None:
    tables = (tensor(*table), tensor(*table))
    inputs = (tensor(*shape), tensor(2, 5, dtype="int64"), *tables) if domain else (tensor(*shape), *tables)
    result = run("RotaryEmbedding", *inputs, domain=domain, **attributes)
    s = Scalars()
    for _ in range(pairs):
        s.sum(s.product(1.0, 2.0), -s.product(3.0, 4.0))
        s.sum(s.product(1.0, 2.0), s.product(3.0, 4.0))
    assert counted(result) == {"rm": s.counts["rm"], "add": s.counts["add"]}
    assert result.outputs[0].shape == shape


def test_flex_attention_scales_the_scores_and_leaves_subgraphs_uncounted() -> None:
    inputs = tensor(2, 6, 3, 5), tensor(2, 3, 4, 5), tensor(2, 3, 4, 7)
    scores = 2 * 6 * 3 * 4
    found = counted(run("FlexAttention", *inputs, domain="ai.onnx.preview"))
    assert found["mac"] == scores * (5 + 7)
    assert found["rm"] == found["mac"] + scores + scores
    assert counted(run("FlexAttention", *inputs, domain="ai.onnx.preview", scale=1.0))["rm"] == found["mac"] + scores
    with pytest.raises(Uncounted) as caught:
        run("FlexAttention", *inputs, domain="ai.onnx.preview", score_mod=1)
    assert caught.value.reason == "the subgraph 'score_mod' works on every score and is not counted"
    assert caught.value.outputs[0].shape == (2, 6, 3, 7)


def test_free_sizes_give_the_numbers_of_bound_ones() -> None:
    def attention_of(b: Any, new: Any, past: Any) -> dict[str, Any]:
        caches = tensor(b, 2, past, 5), tensor(b, 2, past, 7)
        return counted(
            run("Attention", tensor(b, 6, new, 5), tensor(b, 2, new, 5), tensor(b, 2, new, 7), None, *caches)
        )

    free = attention_of(symbol("b"), symbol("n"), symbol("p"))
    for b, n, p in ((1, 1, 127), (3, 5, 2), (2, 7, 11)):
        bound = {name: substitute(size, {"b": b, "n": n, "p": p}) for name, size in free.items()}
        assert bound == attention_of(b, n, p)
    assert str(free["mac"]) == str(72 * symbol("b") * symbol("n") * (symbol("n") + symbol("p")))


def test_shapes_are_those_of_the_node_tests() -> None:
    seen = agreeing_shapes(RULES)
    assert seen["Attention"] > 80 and seen["LinearAttention"] > 10 and seen["RotaryEmbedding"] > 7, seen


def test_empty_caches_and_no_keys_cost_nothing_negative() -> None:
    nothing = run("Attention", tensor(2, 3, 4, 5), tensor(2, 3, 0, 5), tensor(2, 3, 0, 5))
    assert counted(nothing) == {}
    assert all(
        times >= 0
        for times in counted(run("Attention", tensor(0, 3, 4, 5), tensor(0, 3, 2, 5), tensor(0, 3, 2, 5))).values()
    )


Q, K, V = tensor(2, 6, 3, 5), tensor(2, 2, 4, 5), tensor(2, 2, 4, 7)


@pytest.mark.parametrize(
    ("inputs", "attributes", "text"),
    [
        ((Q, tensor(2, 2, 20), V), {}, "Q, K and V have ranks 4, 3, 4, expected one rank for all"),
        ((tensor(2, 6), tensor(2, 6), tensor(2, 6)), {}, "input 0 has rank 2, expected 3 or 4"),
        ((Q, tensor(2, 4, 4, 5), tensor(2, 4, 4, 7)), {}, "6 query heads do not share 4 key and value heads evenly"),
        ((Q, tensor(2, 2, 4, 9), V), {}, "the head size of Q and K is 5 in one input and 9 in another"),
        ((Q, tensor(3, 2, 4, 5), V), {}, "the batch is 2 in one input and 3 in another"),
        ((Q, K, V, None, tensor(2, 2, 4, 5)), {}, "past_key and past_value come together, found only one of them"),
        ((Q, K, V, tensor(5, 4)), {}, "mask of shape [5,4] does not broadcast to [2,6,3,keys]"),
        (
            (tensor(2, 3, 7),) * 3,
            {"q_num_heads": 3, "kv_num_heads": 1},
            "the last axis of input 0 of 7 does not divide into 3 equal parts",
        ),
        ((tensor(2, 3, 7),) * 3, {"q_num_heads": 0}, "attribute 'q_num_heads' is 0, expected 1 or more"),
        ((tensor(2, 3, 7),) * 3, {}, "attribute 'q_num_heads' is required and absent"),
    ],
)
def test_contradictions_are_refused_with_what_was_found(inputs: Any, attributes: Any, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        run("Attention", *inputs, **attributes)
    assert caught.value.fact == text


def test_unknown_shapes_are_uncounted() -> None:
    with pytest.raises(Uncounted) as caught:
        run("Attention", Q, Tensor(dtype="float32"), V)
    assert caught.value.reason == "the shape of input 1 is unknown"
