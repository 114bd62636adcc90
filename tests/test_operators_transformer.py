"""Fused normalisations, activations and position biases: counts against scalar loops, values against the runtime."""

import math
from typing import Any

import numpy as np
import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Result
from reference.calls import caller, tensor
from reference.counting import Number, greatest, numbers, total
from reference.one_node import by_runtime, floats
from reference.totals import counted

run = caller("skip_normalization", "transformer")


def normalized(row: list[Number], scale: list[Number], bias: list[Number] | None, *, mean: bool) -> list[Number]:
    share = Number(1 / len(row))
    if mean:
        centre = total(row) * share
        row = [x - centre for x in row]
    variance = total([x * x for x in row]) * share + Number(1e-12)
    inverse = variance.map("sqrt").map("reciprocal")
    row = [x * inverse * s for x, s in zip(row, scale, strict=True)]
    return [x + b for x, b in zip(row, bias, strict=True)] if bias else row


def gelu(x: Number) -> Number:
    return Number(0.5) * x * (Number(1) + (x * Number(math.sqrt(0.5))).map("erf"))


def fast_gelu(x: Number) -> Number:
    cube = x * x * x
    return Number(0.5) * x * (Number(1) + (Number(0.797885) * x + Number(0.035677) * cube).map("tanh"))


def quick_gelu(x: Number) -> Number:
    return x * (x * Number(1.702)).map("sigmoid")


def plain(array: Any) -> Any:
    return np.vectorize(lambda x: x.value, otypes=[float])(np.array(array))


def agrees(result: Result, y: Any, found: Any) -> None:
    """Values, counts and shape of the three witnesses; `y` was made of Numbers just before."""
    assert np.allclose(plain(y), found, atol=1e-4)
    assert counted(result) == dict(Number.counts)
    assert (result.outputs[0].dtype, result.outputs[0].shape) == ("float32", found.shape)


def setup_function() -> None:
    Number.counts.clear()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("mean", [False, True])
def test_skip_normalization(mean: bool, bias: bool) -> None:
    x, skip, gamma, beta, b = floats(2, 3, 5), floats(2, 3, 5), floats(5), floats(5), floats(5)
    y = []
    for row, other in zip(numbers(x).reshape(6, 5), numbers(skip).reshape(6, 5), strict=True):
        joined = [one + two for one, two in zip(row, other, strict=True)]
        joined = [one + two for one, two in zip(joined, numbers(b), strict=True)] if bias else joined
        y.append(normalized(joined, list(numbers(gamma)), list(numbers(beta)) if mean else None, mean=mean))
    op = "SkipLayerNormalization" if mean else "SkipSimplifiedLayerNormalization"
    feeds = [x, skip, gamma, *([beta] if mean else []), *([b] if bias else [])]
    found = by_runtime(op, feeds, epsilon=1e-12)[0]
    agrees(run(op, *(tensor(*feed.shape) for feed in feeds)), np.array(y).reshape(2, 3, 5), found)


def test_simplified_layer_normalization_of_the_last_axis() -> None:
    x, scale = floats(2, 3, 5), floats(5)
    y = [normalized(list(row), list(numbers(scale)), None, mean=False) for row in numbers(x).reshape(6, 5)]
    found = by_runtime("SimplifiedLayerNormalization", [x, scale], domain="", axis=-1, epsilon=1e-12)[0]
    agrees(
        run("SimplifiedLayerNormalization", tensor(2, 3, 5), tensor(5), axis=-1), np.array(y).reshape(2, 3, 5), found
    )


@pytest.mark.parametrize("segments", [False, True])
def test_embed_layer_normalization(segments: bool) -> None:
    ids = np.array([[0, 2, 1], [3, 3, 0]], np.int32)
    word, position, segment, gamma, beta = floats(4, 5), floats(7, 5), floats(2, 5), floats(5), floats(5)
    mask = np.array([[1, 1, 0], [1, 1, 1]], np.int32)
    y = []
    for b, i in np.ndindex(2, 3):
        row = [one + two for one, two in zip(numbers(word[ids[b, i]]), numbers(position[i]), strict=True)]
        row = [one + two for one, two in zip(row, numbers(segment[0]), strict=True)] if segments else row
        y.append(normalized(row, list(numbers(gamma)), list(numbers(beta)), mean=True))
    lengths = [total(list(row)) for row in numbers(mask)]
    tables = (np.zeros_like(ids), word, position, segment) if segments else (None, word, position, None)
    feeds = [ids, *tables, gamma, beta, mask]
    found = by_runtime("EmbedLayerNormalization", feeds, 2, epsilon=1e-12)
    inputs = [None if feed is None else tensor(*feed.shape, dtype=str(feed.dtype)) for feed in feeds]
    result = run("EmbedLayerNormalization", *inputs, wanted=2)
    agrees(result, np.array(y).reshape(2, 3, 5), found[0])
    assert [int(length.value) for length in lengths] == found[1].tolist()
    assert (result.outputs[1].dtype, result.outputs[1].shape) == ("int32", (2,))


@pytest.mark.parametrize(
    ("op", "function", "bias"),
    [
        ("FastGelu", fast_gelu, True),
        ("FastGelu", fast_gelu, False),
        ("BiasGelu", gelu, True),
        ("Gelu", gelu, False),
        ("QuickGelu", quick_gelu, False),
    ],
)
def test_activations(op: str, function: Any, bias: bool) -> None:
    feeds = [floats(2, 3, 5)] + ([floats(5)] if bias else [])
    x = numbers(feeds[0])
    y = np.vectorize(function, otypes=[object])(x + numbers(feeds[1]) if bias else x)
    agrees(run(op, *(tensor(*feed.shape) for feed in feeds)), y, by_runtime(op, feeds)[0])


def test_bias_split_gelu_and_bias_add() -> None:
    for x in numbers(floats(6, 10)):
        left, right = np.split(x + numbers(floats(10)), 2)
        left * np.vectorize(gelu, otypes=[object])(right)
    result = run("BiasSplitGelu", tensor(2, 3, 10), tensor(10))
    assert counted(result) == dict(Number.counts)
    assert result.outputs[0].shape == (2, 3, 5)
    assert counted(run("BiasAdd", tensor(2, 3, 10), tensor(10), tensor(2, 3, 10))) == {"add": 2 * 60}


def test_bias_softmax() -> None:
    for row in numbers(floats(6, 5)) + numbers(floats(6, 5)):
        top = greatest(row)
        powers = [(x - top).map("exp") for x in row]
        inverse = total(powers).map("reciprocal")
        [power * inverse for power in powers]
    assert counted(run("BiasSoftmax", tensor(2, 3, 5), tensor(2, 3, 5), axis=2, is_inner_broadcast=0)) == dict(
        Number.counts
    )


def test_gated_relative_position_bias() -> None:
    query, head, columns = numbers(floats(2, 3, 4)), 2, 6  # two heads of two
    weight, bias = numbers(floats(2, columns)), numbers(floats(columns))
    macs = 0
    for b, i, h in np.ndindex(2, 3, head):
        row = [x + Number(1) for x in query[b, i, 2 * h : 2 * h + 2]]
        gates = []
        for j in range(columns):
            gates.append(total([x * w for x, w in zip(row, weight[:, j], strict=True)]) + bias[j])
            macs += 2
        u, r = (total(part).map("sigmoid") for part in (gates[:3], gates[3:]))
        gate = u * (r * Number(0.5) - Number(1)) + Number(2)
        [gate * Number(x) for x in range(3)]
    inputs = (
        tensor(2, 3, 4),
        tensor(4),
        tensor(1, 2, 3, 3),
        tensor(2, 6, constant=True),
        tensor(6),
        tensor(1, 2, 1, 1),
    )
    result = run("GatedRelativePositionBias", *inputs, num_heads=2)
    assert counted(result) == {**Number.counts, "mac": macs}
    assert result.outputs[0].shape == (2, 2, 3, 3)


def test_look_ups_and_padding_are_free() -> None:
    bias = run("RelativePositionBias", tensor(32, 4), tensor(1, value=(7,)), tensor(1), max_distance=9)
    assert (bias.free, str(bias.outputs[0].shape)) == ("data movement", "(1, 4, 7, n.key_length)")
    packed = run("RemovePadding", tensor(2, 5, 3), tensor(2), wanted=4)
    assert [str(output.shape) for output in packed.outputs] == ["(n.tokens, 3)", "(2, 5)", "(3,)", "(1,)"]
    assert run("RestorePadding", packed.outputs[0], tensor(2, 5)).outputs[0].shape == (2, 5, 3)


def test_free_sizes_give_the_numbers_of_bound_ones() -> None:
    def costs(b: Any, s: Any) -> dict[str, Any]:
        return counted(run("SkipLayerNormalization", tensor(b, s, 5), tensor(b, s, 5), tensor(5), tensor(5)))

    free = costs(symbol("b"), symbol("s"))
    for b, s in ((1, 1), (3, 7)):
        assert {name: substitute(size, {"b": b, "s": s}) for name, size in free.items()} == costs(b, s)


@pytest.mark.parametrize(
    ("op", "inputs", "text"),
    [
        ("SkipLayerNormalization", (tensor(2, 3, 5), tensor(2, 3, 5), tensor(4)), "gamma has 4 elements, expected 5"),
        ("SkipLayerNormalization", (tensor(), tensor(), tensor(4)), "input 0 has rank 0, expected 1 or more"),
        (
            "SkipLayerNormalization",
            (tensor(2, 3, 5), tensor(2, 4, 5), tensor(5)),
            "input and skip differ: shapes [2,3,5] and [2,4,5] do not broadcast",
        ),
        ("BiasGelu", (tensor(2, 5), tensor(4)), "bias shapes [2,5] and [4] do not broadcast"),
        (
            "BiasSplitGelu",
            (tensor(2, 5), tensor(5)),
            "the last axis of input 0 of 5 does not divide into 2 equal parts",
        ),
    ],
)
def test_contradictions_are_refused_with_what_was_found(op: str, inputs: Any, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        run(op, *inputs)
    assert caught.value.fact == text


@pytest.mark.parametrize("skipped", [False, True])
@pytest.mark.parametrize("silu", [0, 1])
def test_group_norm_of_channels_at_the_end(skipped: bool, silu: int) -> None:
    x, skip, bias = numbers(floats(2, 3, 5, 6)), numbers(floats(2, 3, 5, 6)), numbers(floats(6))
    if skipped:
        x = x + skip + bias
    for sample in x:
        for group in np.split(sample, 3, axis=-1):
            row = list(group.ravel())
            row = normalized(row, row, row, mean=True)
            [y * y.map("sigmoid") for y in row if silu]
    inputs = (tensor(2, 3, 5, 6), tensor(6), tensor(6), *((tensor(2, 3, 5, 6), tensor(6)) if skipped else ()))
    result = run("SkipGroupNorm" if skipped else "GroupNorm", *inputs, groups=3, activation=silu)
    assert counted(result) == dict(Number.counts)
    assert result.outputs[0].shape == (2, 3, 5, 6)
