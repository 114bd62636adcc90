"""Losses and optimizers: counts against scalar loops, shapes against ONNX's node tests."""

import importlib
from collections import Counter
from typing import Any, ClassVar

import onnx
import onnx.backend.test.case.node as node_cases
import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators import loss, optimizer
from nncomplexity.operators.rule import Call, Result, Uncounted
from nncomplexity.ops import Kind
from nncomplexity.shapes import Tensor

RULES = {operator.name: operator.rule for family in (loss, optimizer) for operator in family.OPERATORS}
DOMAINS = {operator.name: operator.domain for family in (loss, optimizer) for operator in family.OPERATORS}
NODE_TESTS = ("adagrad", "adam", "momentum", "negativeloglikelihoodloss", "softmax_cross_entropy_loss")


def tensor(*shape: Any, **fields: Any) -> Tensor:
    return Tensor(**{"dtype": "float32", "shape": shape, **fields})


def run(op: str, *inputs: Tensor | None, wanted: int = 2, **attributes: Any) -> Result:
    wants = (True,) * wanted
    return RULES[op](Call(op=op, domain=DOMAINS[op], inputs=inputs, attributes=attributes, wanted=wants, name="n"))


def counted(result: Result) -> dict[str, Any]:
    """Products, additions, comparisons and evaluations of an answer in the `paper` convention."""
    names = {Kind.MULTIPLY: "rm", Kind.ADD: "add", Kind.SUBTRACT: "add", Kind.COMPARE: "cmp"}
    totals: dict[str, Any] = {}
    assert result.work is not None
    for op, times in count(result.work):
        name = names.get(op.kind, op.function)
        totals[name] = totals.get(name, 0) + times
    return totals


class Number:
    """A number of no value whose arithmetic is counted."""

    counts: ClassVar[Counter[str]] = Counter()

    def _happens(self, name: str) -> "Number":
        Number.counts[name] += 1
        return self

    def __add__(self, other: object) -> "Number":
        return self._happens("add")

    def __mul__(self, other: object) -> "Number":
        return self._happens("rm")

    def __truediv__(self, other: object) -> "Number":
        return self._happens("division")

    def __gt__(self, other: object) -> "Number":
        return self._happens("cmp")

    def __pow__(self, other: object) -> "Number":
        return self._happens("pow")

    __sub__ = __rsub__ = __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> "Number":
        return self._happens("add")

    def map(self, name: str) -> "Number":
        return self._happens(name)


def total(values: list[Number]) -> Number:
    result = values[0]
    for value in values[1:]:
        result = result + value
    return result


def setup_function() -> None:
    Number.counts = Counter()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("softmax", [False, True])
def test_losses(reduction: str, weighted: bool, ignoring: bool, softmax: bool) -> None:
    x, losses = Number(), []
    for _ in range(3 * 7):  # samples of 5 classes
        if softmax:
            [x > x for _ in range(4)]
            log = total([(x - x).map("exp") for _ in range(5)]).map("log")
            [x - log for _ in range(5)]
        if ignoring:
            _ = x > x
        losses.append(-x * Number() if weighted else -x)
    if reduction != "none":
        joined = total(losses)
        if reduction == "mean":
            _ = joined / total([Number()] * 21) if weighted or ignoring else joined * (1 / 21)
    op = "SoftmaxCrossEntropyLoss" if softmax else "NegativeLogLikelihoodLoss"
    weights = tensor(5) if weighted else None
    attributes: dict[str, Any] = {"reduction": reduction} | ({"ignore_index": 2} if ignoring else {})
    result = run(op, tensor(3, 5, 7), tensor(3, 7, dtype="int64"), weights, **attributes)
    assert counted(result) == dict(Number.counts)
    assert result.outputs[0].shape == ((3, 7) if reduction == "none" else ())
    assert not softmax or result.outputs[1].shape == (3, 5, 7)


def adagrad(x: Number, norm: float, other: float) -> None:
    gradient = norm * x + x if norm else x
    squares = x + gradient * gradient
    _ = x - x * gradient / (squares.map("sqrt") + 1e-6)


def adam(x: Number, norm: float, other: float) -> None:
    gradient = norm * x + x if norm else x
    moment, squares = 0.9 * x + 0.1 * gradient, 0.999 * x + 0.001 * gradient * gradient
    new = x - x * moment / (squares.map("sqrt") + 1e-6)
    _ = (1 - other) * new if other else new


def momentum(x: Number, norm: float, other: float) -> None:
    gradient = norm * x + x if norm else x
    moment = 0.9 * x + x * gradient
    _ = x - x * (gradient + 0.9 * moment if other else moment)


@pytest.mark.parametrize("norm", [0.0, 0.5])
@pytest.mark.parametrize("other", [0.0, 0.25])
@pytest.mark.parametrize("op", ["Adagrad", "Adam", "Momentum"])
def test_optimizers_work_element_by_element(op: str, norm: float, other: float) -> None:
    x = Number()
    attributes: dict[str, Any] = {"norm_coefficient": norm}
    if op == "Adagrad":
        attributes["decay_factor"] = other
        _ = x / (1 + x * other) if other else x
    elif op == "Adam":
        attributes["norm_coefficient_post"] = other
        _ = x > 0, x * (1 - x**x).map("sqrt") / (1 - x**x)
    else:
        attributes["mode"] = "nesterov" if other else "standard"
        _ = x > 0
    for _ in range(2 * 3 + 5):
        {"Adagrad": adagrad, "Adam": adam, "Momentum": momentum}[op](x, norm, other)
    parts = 4 if op == "Adam" else 3
    inputs = (tensor(), tensor(dtype="int64"), *(tensor(2, 3), tensor(5)) * parts)
    result = run(op, *inputs, **attributes)
    assert counted(result) == dict(Number.counts)
    assert [output.shape for output in result.outputs] == [(2, 3), (5,)] * (parts - 1)


def test_free_sizes_give_the_numbers_of_bound_ones() -> None:
    def costs(n: Any, d: Any) -> dict[str, Any]:
        return counted(run("SoftmaxCrossEntropyLoss", tensor(n, 5, d), tensor(n, d), tensor(5)))

    def steps(n: Any, d: Any) -> dict[str, Any]:
        return counted(run("Adam", tensor(), tensor(), *(tensor(n, d),) * 4))

    for function in (costs, steps):
        free = function(symbol("n"), symbol("d"))
        for n, d in ((1, 1), (3, 7)):
            assert {name: substitute(size, {"n": n, "d": d}) for name, size in free.items()} == function(n, d)


def test_gradients_are_shaped_and_never_counted() -> None:
    with pytest.raises(Uncounted) as caught:
        run("Gradient", tensor(2, 3), tensor(4), xs=("a",), zs=("b",), y="c")
    assert caught.value.reason == "the gradient runs a part of the graph backwards, which the file does not spell out"
    assert [output.shape for output in caught.value.outputs] == [(2, 3)]


def test_empty_batches_cost_nothing_negative() -> None:
    result = counted(run("SoftmaxCrossEntropyLoss", tensor(0, 5), tensor(0)))
    assert all(times >= 0 for times in result.values())
    assert counted(run("Adagrad", tensor(), tensor(), *(tensor(0, 3),) * 3)) == {}


def test_shapes_are_those_of_the_node_tests() -> None:
    for name in NODE_TESTS:
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    seen: Counter[str] = Counter()
    for case in node_cases._NodeTestCases:
        node = case.model.graph.node[0]
        if len(case.model.graph.node) != 1 or DOMAINS.get(node.op_type) != node.domain:
            continue
        (inputs, outputs), attributes = case.data_sets[0], {}
        for item in node.attribute:
            value = onnx.helper.get_attribute_value(item)
            attributes[item.name] = value.decode() if isinstance(value, bytes) else value
        tensors = tuple(tensor(*x.shape, dtype=str(x.dtype)) for x in inputs)
        call = Call(op=node.op_type, inputs=tensors, attributes=attributes, wanted=(True,) * len(node.output))
        found = RULES[node.op_type](call).outputs
        assert [(y.dtype, y.shape) for y in found] == [(str(y.dtype), y.shape) for y in outputs], case.name
        seen[node.op_type] += 1
    assert seen.keys() == RULES.keys() - {"Gradient"}


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "text"),
    [
        ("NegativeLogLikelihoodLoss", (tensor(3), tensor(3)), {}, "input 0 has rank 1, expected 2 or more"),
        ("NegativeLogLikelihoodLoss", (tensor(3, 5), tensor(4)), {}, "labels have shape [4], expected [3]"),
        ("SoftmaxCrossEntropyLoss", (tensor(3, 5), tensor(3), tensor(4)), {}, "weights have shape [4], expected [5]"),
        (
            "SoftmaxCrossEntropyLoss",
            (tensor(3, 5), tensor(3)),
            {"reduction": "median"},
            "reduction 'median' is none of none, sum, mean",
        ),
        ("Adagrad", (tensor(),) * 6, {}, "4 tensors after R and T do not make 3 groups of one length"),
        (
            "Adam",
            (tensor(), tensor(), tensor(2), tensor(3), tensor(2), tensor(2)),
            {},
            "inputs 2 and 3 have shapes [2] and [3], expected one shape",
        ),
        ("Momentum", (tensor(),) * 5, {"mode": "heavy"}, "mode 'heavy' is neither standard nor nesterov"),
    ],
)
def test_contradictions_are_refused_with_what_was_found(op: str, inputs: Any, attributes: Any, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        run(op, *inputs, **attributes)
    assert caught.value.fact == text
