"""Attention, rotary embedding and linear attention: counts against scalar loops, shapes against ONNX's node tests."""

import importlib
import math
from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnx.backend.test.case.node as node_cases
import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators import attention, linear_attention, rotary_embedding
from nncomplexity.operators.rule import Call, Operator, Result, Uncounted
from nncomplexity.ops import LINEAR_ROLES, Kind
from nncomplexity.shapes import Tensor
from onnx.reference import ReferenceEvaluator

FAMILIES = (attention, linear_attention, rotary_embedding)
RULES: dict[tuple[str, str], Operator] = {
    (operator.domain, operator.name): operator for family in FAMILIES for operator in family.OPERATORS
}
NODE_TESTS = ("attention", "flexattention", "linear_attention", "rotaryembedding")


def tensor(*shape: Any, **fields: Any) -> Tensor:
    return Tensor(**{"dtype": "float32", "shape": shape, **fields})


def run(op: str, *inputs: Tensor | None, domain: str = "", wanted: int = 4, **attributes: Any) -> Result:
    call = Call(op=op, domain=domain, inputs=inputs, attributes=attributes, wanted=(True,) * wanted, name="n")
    return RULES[domain, op].rule(call)


def counted(result: Result) -> dict[str, Any]:
    """Products, MACs, additions, comparisons and evaluations of an answer in the `paper` convention."""
    names = {Kind.MULTIPLY: "rm", Kind.ADD: "add", Kind.SUBTRACT: "add", Kind.COMPARE: "cmp"}
    totals: dict[str, Any] = {}
    assert result.work is not None
    for op, times in count(result.work):
        for name in [names.get(op.kind, op.function)] + ["mac"] * (
            op.kind is Kind.MULTIPLY and op.role in LINEAR_ROLES
        ):
            totals[name] = totals.get(name, 0) + times
    return totals


class Scalars:
    """Scalar arithmetic that counts itself."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def product(self, a: float, b: float, *, mac: bool = False) -> float:
        self.counts["rm"] += 1
        self.counts["mac"] += mac
        return a * b

    def sum(self, a: float, b: float) -> float:
        self.counts["add"] += 1
        return a + b

    def larger(self, a: float, b: float) -> float:
        self.counts["cmp"] += 1
        return max(a, b)

    def apply(self, name: str, value: float) -> float:
        self.counts[name] += 1
        return value

    def total(self, values: list[float]) -> float:
        result = values[0]
        for value in values[1:]:
            result = self.sum(result, value)
        return result

    def dot(self, a: Any, b: Any) -> float:
        return self.total([self.product(x, y, mac=True) for x, y in zip(a, b, strict=True)])

    def softmax(self, row: list[float]) -> list[float]:
        top = row[0]
        for value in row[1:]:
            top = self.larger(top, value)
        powers = [self.apply("exp", math.exp(self.sum(value, -top))) for value in row]
        inverse = self.apply("reciprocal", 1 / self.total(powers))
        return [self.product(power, inverse) for power in powers]


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


def evaluated(node: Any, feeds: Any) -> Any:
    """ONNX's own reference on one node."""

    def info(name: str) -> Any:
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None)

    graph = onnx.helper.make_graph([node], "g", [info(name) for name in feeds], [info(name) for name in node.output])
    opset = onnx.helper.make_opsetid("", 23)
    return ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[opset])).run(None, feeds)


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
    names = ["Q", "K", "V", "M" if masked else "", "PK" if past else "", "PV" if past else ""]
    node = onnx.helper.make_node("Attention", names, ["Y", "K2", "V2"], softcap=softcap)
    feeds = {"Q": q, "K": k, "V": v, "M": mask, "PK": past_k, "PV": past_v}
    expected = evaluated(node, {name: feeds[name] for name in names if name})
    assert np.allclose(y, expected[0])
    caches = (tensor(2, 2, past, 5), tensor(2, 2, past, 7)) if past else (None, None)
    mask_tensor = tensor(3, 4 + past) if masked else None
    result = run(
        "Attention", tensor(*q.shape), tensor(*k.shape), tensor(*v.shape), mask_tensor, *caches, softcap=softcap
    )
    assert counted(result) == {name: times for name, times in s.counts.items() if times}
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
        assert counted(result) == {name: times for name, times in s.counts.items() if times}, rule
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


def cases() -> list[Any]:
    for name in NODE_TESTS:
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    return [
        case
        for case in node_cases._NodeTestCases
        if len(case.model.graph.node) == 1
        and (case.model.graph.node[0].domain, case.model.graph.node[0].op_type) in RULES
    ]


def test_shapes_are_those_of_the_node_tests() -> None:
    seen: Counter[str] = Counter()
    for case in cases():
        node, (inputs, outputs) = case.model.graph.node[0], case.data_sets[0]
        given = iter(inputs)
        tensors = [
            tensor(*array.shape, dtype=str(array.dtype)) if name else None
            for name in node.input
            for array in [next(given) if name else None]
        ]
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        attributes = {key: text.decode() if isinstance(text, bytes) else text for key, text in attributes.items()}
        wanted = tuple(bool(name) for name in node.output)
        call = Call(op=node.op_type, domain=node.domain, inputs=tuple(tensors), attributes=attributes, wanted=wanted)
        try:
            found = RULES[node.domain, node.op_type].rule(call).outputs
        except Uncounted as uncounted:
            found = uncounted.outputs
        shown = [output for output, name in zip(found, node.output, strict=False) if name]
        assert [(output.dtype, output.shape) for output in shown] == [
            (str(array.dtype), array.shape) for array in outputs
        ], case.name
        seen[node.op_type] += 1
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
