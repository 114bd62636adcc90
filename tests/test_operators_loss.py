"""Losses and optimizers: counts against scalar loops, shapes against ONNX's node tests."""

from typing import Any

import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Uncounted
from reference.calls import caller, operators_of, tensor
from reference.counting import Number, total
from reference.node_cases import agreeing_shapes
from reference.totals import counted

RULES = operators_of("loss", "optimizer")
run = caller("loss", "optimizer", wanted=2)


def setup_function() -> None:
    Number.counts.clear()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("softmax", [False, True])
def test_losses(reduction: str, weighted: bool, ignoring: bool, softmax: bool) -> None:
    x, losses = Number(0.5), []
    for _ in range(3 * 7):  # samples of 5 classes
        if softmax:
            [x > x for _ in range(4)]
            log = total([(x - x).map("exp") for _ in range(5)]).map("log")
            [x - log for _ in range(5)]
        if ignoring:
            _ = x > x
        losses.append(-x * Number(0.5) if weighted else -x)
    if reduction != "none":
        joined = total(losses)
        if reduction == "mean":
            _ = joined / total([Number(0.5)] * 21) if weighted or ignoring else joined * (1 / 21)
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
    x = Number(0.5)
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
    seen = agreeing_shapes(RULES)
    assert seen.keys() == {name for _, name in RULES} - {"Gradient"}


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
