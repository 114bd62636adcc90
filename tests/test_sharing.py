"""Shared additions, run: the graph computes the matrix, and has the additions that are reported."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import UsageError
from nncomplexity.weights import sharing
from nncomplexity.weights.digits import signed_digits
from nncomplexity.weights.sharing import Shared, distinct_products, shared_trees
from nncomplexity.weights.trees import digit_trees


def executed(graph: Shared, values: list[int]) -> tuple[list[int], int]:
    """The outputs for given inputs, and how many additions it took."""
    known, additions = list(values), 0
    for node in graph.nodes:
        left, right = known[node.left] << node.left_shift, known[node.right] << node.right_shift
        known.append(left - right if node.subtract else left + right)
        additions += 1
    outputs = [
        0 if output is None else (-1) ** output.negative * (known[output.node] << output.shift)
        for output in graph.outputs
    ]
    return outputs, additions


def check(matrix: np.ndarray, low: int, high: int, seed: int) -> Shared:
    """Right on random inputs, as many additions as said, no more than without sharing, every width wide enough."""
    graph = shared_trees(matrix, low, high)
    assert graph is not None
    random = np.random.default_rng(seed)
    for _ in range(3):
        values = [[low, high, (low + high) // 3][kind] for kind in random.integers(0, 3, len(matrix))]
        outputs, additions = executed(graph, values)
        assert outputs == [sum(w * x for w, x in zip(column, values, strict=True)) for column in matrix.T.tolist()]
        assert additions == graph.adders == sum(graph.additions.values())
    plain = digit_trees([matrix.T], low, high)
    assert graph.adders <= plain.adders
    assert sum(count for (subtract, _, _), count in graph.additions.items() if subtract) == sum(
        node.subtract for node in graph.nodes
    )
    assert graph.outputs.count(None) == plain.empty
    assert sum(graph.negations.values()) == sum(output is not None and output.negative for output in graph.outputs)
    return graph


def bits(graph: Shared, inputs: list[tuple[int, int]]) -> Counter[tuple[bool, int, int]]:
    """The additions by width and passed bits again, from the graph's nodes alone, all of them sums of positives."""
    intervals, zeros = list(inputs), [0] * len(inputs)
    found: Counter[tuple[bool, int, int]] = Counter()
    for node in graph.nodes:
        a, b = (
            sorted([(low << shift), (high << shift)])
            for (low, high), shift in (
                (intervals[node.left], node.left_shift),
                (intervals[node.right], node.right_shift),
            )
        )
        total = (a[0] - b[1], a[1] - b[0]) if node.subtract else (a[0] + b[0], a[1] + b[1])
        width = max((end if end >= 0 else ~end).bit_length() for end in total) + 1
        low_zeros = zeros[node.left] + node.left_shift, zeros[node.right] + node.right_shift
        found[node.subtract, width, min(max(low_zeros), width)] += 1
        intervals.append(total)
        zeros.append(min(low_zeros))
    return found


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    terms=st.integers(0, 9),
    outputs=st.integers(0, 9),
    width=st.integers(1, 14),
    sparse=st.sampled_from([0, 0.5, 0.9]),
    seed=st.integers(0, 10**6),
    interval=st.sampled_from([(-128, 127), (0, 255), (3, 9), (-9, -2), (-(2**80), 2**80)]),
)
def test_any_small_matrix(
    terms: int, outputs: int, width: int, sparse: float, seed: int, interval: tuple[int, int]
) -> None:
    random = np.random.default_rng(seed)
    matrix = random.integers(-(2 ** (width - 1)), 2 ** (width - 1), (terms, outputs))
    matrix[random.random(matrix.shape) < sparse] = 0
    check(matrix, *interval, seed)


@pytest.mark.parametrize("seed", range(20))
def test_widths_from_the_graph_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.integers(-32, 32, (5, 7))
    # Between -7 and 7 a sum and its negation have one interval, whichever of them the graph computes.
    assert check(matrix, -7, 7, seed).additions == bits(check(matrix, -7, 7, seed), [(-7, 7)] * 5)
    # Of positive digits there are only sums.
    for interval in ((-8, 7), (0, 15), (-9, -2)):
        positive = check(np.abs(matrix) & 0b10101, *interval, seed)
        assert positive.additions == bits(positive, [interval] * 5)


def test_one_by_hand() -> None:
    # x + y, 2x + 2y, x + y + z: x + y once, then z.
    graph = shared_trees(np.array([[1, 2, 1], [1, 2, 1], [0, 0, 1]]), 0, 3)
    assert graph is not None
    assert graph.nodes == (sharing.Node(0, 0, 1, 0, False), sharing.Node(2, 0, 3, 0, False))
    assert graph.outputs == (
        sharing.Output(3, 0, False),
        sharing.Output(3, 1, False),
        sharing.Output(4, 0, False),
    )
    assert graph.additions == {(False, 4, 0): 1, (False, 5, 0): 1}
    assert graph.full_adders == 9


def test_a_pattern_that_overlaps_itself_is_taken_once() -> None:
    # 1 + 4 + 16 + 64: one pair 1 + 4 stands twice apart.
    weight = 0b1010101
    assert len(signed_digits(weight)) == 4
    graph = check(np.array([[weight]]), 0, 1, 0)
    assert graph.adders == 2
    assert check(np.array([[0b10101]]), 0, 1, 0).adders == 2


def test_shared_is_deterministic_and_saves() -> None:
    matrix = np.random.default_rng(0).integers(-128, 128, (16, 16), dtype=np.int8)
    graph = check(matrix, -128, 127, 0)
    assert graph == shared_trees(matrix.copy(order="F"), -128, 127)
    assert graph.adders < 0.6 * digit_trees([matrix.T], -128, 127).adders


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared_trees(np.full((3000, 3000), 1, np.int8), 0, 1) is None
    assert shared_trees(np.full((2000, 1), 1, np.int8), 0, 1) is None
    monkeypatch.setattr(sharing, "DIGITS", 5)
    assert shared_trees(np.full((1, 2), 0b10101, np.int8), 0, 1) is None
    assert shared_trees(np.full((1, 1), 0b10101, np.int8), 0, 1) is not None


def test_intervals_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError) as refused:
        shared_trees(np.ones((3, 2), int), np.zeros(4, int), 1)
    assert str(refused.value) == (
        "a block has 3 terms but 4 input intervals are given; give one for each term [E-WEIGHT-INPUTS]"
    )


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int64, np.uint64])
def test_products_up_to_sign_and_shift(kind: type[np.integer]) -> None:
    random = np.random.default_rng(5)
    ends = np.iinfo(kind)
    matrix = random.integers(ends.min, ends.max, (40, 30), dtype=kind, endpoint=True)
    matrix[::2] >>= ends.bits - 5
    matrix[0, :3] = ends.min, ends.max, 0

    def odd(value: int) -> int:
        while value and value % 2 == 0:
            value //= 2
        return abs(value)

    expected = sum(len({odd(value) for value in row} - {0, 1}) for row in matrix.tolist())
    assert distinct_products(matrix) == expected
    assert distinct_products(matrix.T.copy().T) == expected
    assert distinct_products(matrix[:, :0]) == 0
    assert distinct_products(matrix[:, :1]) == sum(odd(row[0]) > 1 for row in matrix.tolist())


def test_products_by_hand() -> None:
    # 3, -6, 12 are one product; 5 another; 0, 1, -8 none.
    assert distinct_products(np.array([[3, -6, 12, 5], [0, 1, -8, 7]])) == 3
