"""Scatters with a reduction and Col2Im, against loops that count each operation as it happens."""

from __future__ import annotations

from functools import partial
from itertools import product as cartesian

import pytest
from nncomplexity.accounting import count
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Uncounted
from nncomplexity.ops import Kind
from nncomplexity.shapes import Tensor
from reference.calls import caller, known, refusals
from reference.calls import tensor as floats

B, S = symbol("B"), symbol("S")
run = caller("folding", "scattering")


def times(result, kind: Kind):
    return sum((count for op, count in count(result.work) if op.kind is kind), start=0)


KINDS = {"add": Kind.ADD, "mul": Kind.MULTIPLY, "max": Kind.COMPARE, "min": Kind.COMPARE}


@pytest.mark.parametrize("reduction", KINDS)
def test_a_reduction_costs_one_operation_per_update(reduction):
    data, indices, seen = [[0] * 5 for _ in range(3)], [[0, 2, 1], [1, 1, 0]], 0
    for row, places in enumerate(indices):
        for place in places:
            data[row][place] += 1
            seen += 1
    index = Tensor(dtype="int64", shape=(2, 3))
    result = run("ScatterElements", floats(3, 5), index, floats(2, 3), axis=1, reduction=reduction)
    assert times(result, KINDS[reduction]) == seen == 6
    free = run("ScatterElements", floats(3, S), Tensor(dtype="int64", shape=(2, S)), floats(2, S), reduction=reduction)
    assert times(free, KINDS[reduction]) == 2 * S
    slices = run("ScatterND", floats(7, 5), Tensor(dtype="int64", shape=(S, 1)), floats(S, 5), reduction=reduction)
    assert (times(slices, KINDS[reduction]), slices.outputs[0].shape) == (5 * S, (7, 5))


def test_without_a_reduction_updates_are_written():
    result = run("ScatterND", known(1, 2, 3, 4), known(1, 3, shape=(2, 1)), known(9, S))
    assert (result.free, result.outputs[0].value) == ("data movement", (1, 9, 3, S))
    result = run(
        "ScatterElements", known(1, 2, 3, 4, shape=(2, 2)), known(1, 0, shape=(1, 2)), known(8, 9, shape=(1, 2))
    )
    assert result.outputs[0].value == (1, 9, 8, 4)
    assert run("ScatterND", known(1, 2), known(None, shape=(1, 1)), known(9)).outputs[0].value is None


def folded(batch, channels, image, block, strides, dilations, pads):
    """Col2Im by loops: (blocks, additions)."""
    rank = len(image)
    steps = [
        (image[a] + pads[a] + pads[rank + a] - dilations[a] * (block[a] - 1) - 1) // strides[a] + 1 for a in range(rank)
    ]
    touched, additions = set(), 0
    for one in cartesian(range(batch), range(channels), *map(range, steps), *map(range, block)):
        where, taps = one[2 : 2 + rank], one[2 + rank :]
        pixel = tuple(where[a] * strides[a] + taps[a] * dilations[a] - pads[a] for a in range(rank))
        if all(0 <= pixel[a] < image[a] for a in range(rank)):
            if (*one[:2], *pixel) in touched:
                additions += 1
            touched.add((*one[:2], *pixel))
    blocks = 1
    for step in steps:
        blocks *= step
    return blocks, additions


FOLDS = [
    ((5, 5), (1, 5), (1, 1), (1, 1), (0, 0, 0, 0)),
    ((7, 5), (3, 2), (1, 2), (1, 1), (0, 0, 0, 0)),
    ((7, 6), (3, 3), (2, 3), (2, 1), (1, 0, 2, 1)),
    ((9, 4), (2, 2), (3, 3), (1, 1), (0, 1, 0, 1)),
    ((4, 5, 3), (2, 3, 1), (1, 1, 2), (1, 2, 1), (1, 0, 0, 0, 1, 0)),
]


@pytest.mark.parametrize(("image", "block", "strides", "dilations", "pads"), FOLDS)
def test_folding_adds_what_overlaps(image, block, strides, dilations, pads):
    blocks, additions = folded(2, 3, image, block, strides, dilations, pads)
    taps = 1
    for size in block:
        taps *= size
    spacing = {"strides": strides, "dilations": dilations, "pads": pads}
    result = run("Col2Im", floats(2, 3 * taps, blocks), known(*image), known(*block), **spacing)
    assert result.outputs[0].shape == (2, 3, *image)
    assert times(result, Kind.ADD) == additions
    free = run("Col2Im", floats(B, S * taps, blocks), known(*image), known(*block), **spacing)
    assert free.outputs[0].shape == (B, S, *image)
    assert substitute(times(free, Kind.ADD), {"B": 2, "S": 3}) == additions


def test_folds_that_do_not_fit():
    refusal = partial(refusals(run), "Col2Im")
    image, block = known(5, 5), known(1, 5)
    assert refusal(floats(1, 5, 4), image, block) == "4 columns for 5 blocks of image [5,5] [E-FOLD-COUNT]"
    assert refusal(floats(1, 6, 5), image, block) == (
        "6 rows of columns are no multiple of the 5 elements of a block [E-FOLD-BLOCK]"
    )
    assert refusal(floats(1, 5, 5), image, block, strides=(0, 1)) == (
        "strides [0,1] must be 2 numbers of 1 or more [E-FOLD-SPACING]"
    )
    with pytest.raises(Uncounted) as caught:
        run("Col2Im", floats(1, 5, 5), known(S, 5), block)
    assert caught.value.outputs[0].shape == (1, 1, S, 5)
