"""Adder trees of constant matrices against one written node by node, and against values running through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import UsageError
from nncomplexity.weights import packing, pages
from nncomplexity.weights.trees import Trees, digit_trees, product_trees

Interval = tuple[int, int]
Grow = Callable[..., Trees]
INTERVALS = [(-128, 127), (0, 255), (-7, 8), (3, 9), (-9, -2), (0, 0), (-1, 1), (0, 1), (5, 5)]


@dataclass
class Node:
    """A node with the two it adds, or a leaf: what the tree claims, and a value running through it."""

    interval: Interval
    zeros: int
    negative: bool
    value: int
    parts: tuple[Node, ...] = ()

    @property
    def width(self) -> int:
        """By trying, the negation too where the node is negated later."""
        ends = list(self.interval) + ([-end for end in self.interval] if self.negative else [])
        bits = 1
        while not all(-(2 ** (bits - 1)) <= end < 2 ** (bits - 1) for end in ends):
            bits += 1
        return bits


def naf(value: int) -> list[tuple[int, int]]:
    """Signed digits by the textbook's division."""
    found, exponent = [], 0
    while value:
        if value % 2:
            digit = 2 - value % 4
            found.append((exponent, digit))
            value -= digit
        value //= 2
        exponent += 1
    return found


def leaf(factor: int, x: Interval, value: int, zeros: int, negative: bool) -> Node:
    corners = sorted([factor * x[0], factor * x[1]])
    return Node((corners[0], corners[1]), zeros, negative, factor * value)


def leaves(row: Sequence[int], inputs: Sequence[Interval], values: Sequence[int], digits: bool) -> list[Node]:
    found = []
    for weight, x, value in zip(row, inputs, values, strict=True):
        if digits:
            found += [leaf(sign * 2**e, x, value, e, sign < 0) for e, sign in naf(weight)]
        elif weight:
            found.append(leaf(weight, x, value, 0, False))
    return found


def summed(nodes: Sequence[Node]) -> Node:
    """By recursion: the left subtree is the largest power of two of leaves that leaves some for the right."""
    if len(nodes) == 1:
        return nodes[0]
    split = 1
    while 2 * split < len(nodes):
        split *= 2
    a, b = summed(nodes[:split]), summed(nodes[split:])
    return Node(
        (a.interval[0] + b.interval[0], a.interval[1] + b.interval[1]),
        min(a.zeros, b.zeros),
        a.negative and b.negative,
        a.value + b.value,
        (a, b),
    )


def nodes(root: Node) -> list[Node]:
    return [node for part in root.parts for node in nodes(part)] + ([root] if root.parts else [])


def expected(rows: Sequence[Sequence[int]], inputs: Sequence[Interval], digits: bool) -> Trees:
    additions: Counter[tuple[bool, int, int]] = Counter()
    negations: Counter[int] = Counter()
    products: Counter[int] = Counter()
    powers: Counter[int] = Counter()
    ends, terms, empty, shifts = [], 0, 0, 0
    for row in rows:
        row_leaves = leaves(row, inputs, [0] * len(row), digits)
        terms += len(row_leaves)
        shifts += sum(each.zeros >= 1 for each in row_leaves)
        if not digits:
            for weight, each in zip([weight for weight in row if weight], row_leaves, strict=True):
                (powers if bin(weight).count("1") == 1 else products)[each.width] += 1
        if not row_leaves:
            empty += 1
            ends.append((0, 0))
            continue
        root = summed(row_leaves)
        ends.append(root.interval)
        if root.negative:
            negations[root.width] += 1
        for node in nodes(root):
            a, b = node.parts
            additions[a.negative is not b.negative, node.width, min(max(a.zeros, b.zeros), node.width)] += 1
    return Trees(
        additions=dict(additions),
        negations=dict(negations),
        low=min((low for low, _ in ends), default=0),
        high=max((high for _, high in ends), default=0),
        outputs=len(rows),
        empty=empty,
        terms=terms,
        shifts=shifts,
        zeros=sum(list(row).count(0) for row in rows),
        products=dict(products),
        powers=dict(powers),
    )


def check(blocks: Sequence[np.ndarray], low: int | Sequence[int], high: int | Sequence[int]) -> None:
    """Both structures equal the reference, figure by figure, in Python integers."""
    rows = [row for block in blocks for row in block.tolist()]
    terms = len(rows[0]) if rows else 0
    lows = [low] * terms if isinstance(low, int) else list(low)
    highs = [high] * terms if isinstance(high, int) else list(high)
    given_low = low if isinstance(low, int) else np.array(low)
    given_high = high if isinstance(high, int) else np.array(high)
    for digits, grow in ((True, digit_trees), (False, product_trees)):
        found = grow(blocks, given_low, given_high)
        assert found == expected(rows, list(zip(lows, highs, strict=True)), digits)
        assert found.adders == found.terms - (found.outputs - found.empty)
        numbers = [*found.additions.values(), *found.negations, *found.products.items(), found.low, found.terms]
        assert {type(each) for each in numbers} <= {int, tuple}
        assert all(type(part) in (int, bool) for key in found.additions for part in key)


TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[np.ndarray, Interval]:
    """Small matrices of any type and range, some sparse, some of one sign."""
    kind = np.dtype(draw(st.sampled_from(TYPES)))
    bits = draw(st.integers(1, min(40, 8 * kind.itemsize - (kind.kind == "i"))))
    low = draw(st.sampled_from([0, -(2 ** (bits - 1))])) if kind.kind == "i" else 0
    high = draw(st.sampled_from([0, 2 ** (bits - 1) - 1])) if low else 2 ** (bits - 1)
    outputs, terms = draw(st.integers(0, 5)), draw(st.integers(0, 21))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    matrix = random.integers(low, high, (outputs, terms), dtype=np.int64, endpoint=True)
    matrix[random.random(matrix.shape) < draw(st.sampled_from([0, 0.3, 0.9]))] = 0
    return matrix.astype(kind), draw(st.sampled_from(INTERVALS))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(matrices())
def test_any_small_matrix(case: tuple[np.ndarray, Interval]) -> None:
    matrix, (low, high) = case
    check([matrix], low, high)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(matrices(), st.integers(0, 10**6), st.sampled_from([1, 3, 40]))
def test_every_input_has_its_own_interval(case: tuple[np.ndarray, Interval], seed: int, kinds: int) -> None:
    matrix, _ = case
    random = np.random.default_rng(seed)
    pool = np.sort(random.integers(-300, 300, (kinds, 2)), axis=1)
    chosen = pool[random.integers(0, kinds, matrix.shape[1])]
    if len(matrix):
        check([matrix], chosen[:, 0].tolist(), chosen[:, 1].tolist())


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8, 12])
def test_long_rows_of_unequal_lengths_in_groups_of_terms(
    bits: int, grouped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small tables make every group size occur; without them each term stands alone.
    monkeypatch.setattr(pages, "TABLE", 1 << 13 if grouped else 0)
    monkeypatch.setattr(packing, "SLAB", 3000)
    random = np.random.default_rng(bits)
    matrix = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (37, 211))
    matrix[random.random(matrix.shape) < random.random((37, 1)) ** 2] = 0
    matrix[5] = 0
    matrix[6] = -1
    check([matrix[:11], matrix[11:11], matrix[11:]], -128, 127)
    check([matrix.astype(np.int16)], 0, 15)


@pytest.mark.parametrize("grow", [digit_trees, product_trees])
def test_a_large_matrix_in_groups_is_the_same_term_by_term(grow: Grow, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(1).integers(-128, 128, (150, 1501), dtype=np.int8)
    found = grow([matrix], -128, 127)
    monkeypatch.setattr(pages, "TABLE", 0)
    assert grow([matrix[:, :]], -128, 127) == found


def test_views_are_read_as_they_lie() -> None:
    random = np.random.default_rng(3)
    whole = random.integers(-128, 128, (23, 3, 17), dtype=np.int8)
    whole.flags.writeable = False
    check([whole[:, 1, ::2].T, whole[:, 2, 5::-1].T], -128, 127)
    check([whole[::-3, :, 4][:, ::-1].T], -128, 127)
    check([whole.reshape(23, -1).astype(">i2")], 0, 255)


@pytest.mark.parametrize("value", [-128, -1, -3, 1, 127])
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (2, 7), (4, 64)])
def test_rows_of_one_value(value: int, shape: tuple[int, int]) -> None:
    for low, high in INTERVALS:
        check([np.full(shape, value, np.int8)], low, high)


@pytest.mark.parametrize("low, high", [(-(2**40), 2**41), (0, 2**70), (-(2**62), -1), (-1, 1)])
def test_intervals_beyond_64_bits(low: int, high: int) -> None:
    random = np.random.default_rng(7)
    for kind in (np.int64, np.uint64):
        ends = np.iinfo(kind)
        matrix = random.integers(ends.min, ends.max, (4, 9), dtype=kind, endpoint=True)
        matrix[0, :2] = ends.min, ends.max
        matrix[2] = 0
        matrix[3, ::2] = 1
        check([matrix, matrix.astype(np.int8), matrix >> 21], low, high)


@pytest.mark.parametrize("bits", range(20, 64))
def test_no_interval_is_a_bit_too_wide_for_its_arithmetic(bits: int) -> None:
    # The digits of 3 are 4 and -1: their intervals add up to more than the product's.
    for matrix in (np.array([[1, 1, 1], [-1, -1, -1], [3, -5, 0]]), np.full((1, 3), 3)):
        for high in (2**bits - 1, 2**bits, 3 * 2 ** (bits - 1)):
            check([matrix], -high, high)
            check([matrix], 0, high)


@pytest.mark.parametrize("grow", [digit_trees, product_trees])
def test_nothing_at_all(grow: Grow) -> None:
    assert grow([], 0, 1) == Trees()
    assert grow([np.zeros((0, 3), np.int8)], 0, 1) == Trees()
    assert grow([np.zeros((3, 0), np.int8)], 0, 1) == Trees(outputs=3, empty=3)
    assert grow([np.zeros((2, 5), np.int8)], 4, 9) == Trees(outputs=2, empty=2, zeros=10)


def test_one_tree_by_hand() -> None:
    # 5x + 6y - 2z: x + 4x, then 8y - 2y, then -2z; x, y, z in 0..3.
    found = digit_trees([np.array([[5, 6, -2]])], 0, 3)
    # 5x = 0..15 passes two bits; -2y and 8y stand in this order: -6..24 passes three; 5x + 6y = -6..39 passes one
    # bit; minus 2z: -12..39 passes one.
    assert found.additions == {
        (False, 5, 2): 1,
        (True, 6, 3): 1,
        (False, 7, 1): 1,
        (True, 7, 1): 1,
    }
    assert (found.low, found.high, found.shifts, found.terms) == (-12, 39, 4, 5)
    products = product_trees([np.array([[5, 6, -2]])], 0, 3)
    assert products.products == {5: 1, 6: 1}
    assert products.powers == {4: 1}
    assert products.additions == {(False, 7, 0): 2}


@settings(derandomize=True, max_examples=100, deadline=None)
@given(matrices(), st.booleans(), st.randoms(use_true_random=False))
def test_values_fit_their_wires_and_add_up(case: tuple[np.ndarray, Interval], digits: bool, random: Random) -> None:
    """The reference tree run on inputs at and between the ends of their interval."""
    matrix, (low, high) = case
    for row in matrix.tolist():
        values = [random.choice([low, high, random.randint(low, high)]) for _ in row]
        terms = leaves(row, [(low, high)] * len(row), values, digits)
        if not terms:
            continue
        root = summed(terms)
        assert root.value == sum(weight * value for weight, value in zip(row, values, strict=True))
        for node in nodes(root):
            reach = 2 ** (node.width - 1)
            assert -reach <= node.value < reach
            assert not node.negative or -reach <= -node.value < reach
            assert node.value % 2**node.zeros == 0


def test_intervals_that_do_not_fit_are_refused() -> None:
    blocks = [np.ones((2, 3), np.int8)]
    with pytest.raises(UsageError) as refused:
        digit_trees(blocks, np.zeros(4, int), 1)
    assert str(refused.value) == (
        "a block has 3 terms but 4 input intervals are given; give one for each term [E-WEIGHT-INPUTS]"
    )
    with pytest.raises(UsageError) as refused:
        product_trees(blocks, np.zeros(2, int), np.ones(3, int))
    assert str(refused.value) == ("2 low and 3 high bounds of inputs are given; give as many of each [E-WEIGHT-INPUTS]")
    with pytest.raises(UsageError) as refused:
        digit_trees(blocks, 2, 1)
    assert str(refused.value) == "the interval of an input is 2..1; write the lower bound first [E-WEIGHT-INPUTS]"
