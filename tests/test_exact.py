"""The exact convention against a tree built node by node: every sum enumerated, every width from its own interval."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.accounting import count
from nncomplexity.formats import Fixed, Ternary
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.gru import GRU
from nncomplexity.layers.lstm import LSTM
from nncomplexity.metrics import BY_KEY
from nncomplexity.ops import Kind

Interval = tuple[int, int]


def width(interval: Interval) -> int:
    """Bits of the smallest two's complement that holds an interval, by trying."""
    bits = 1
    while not (-(2 ** (bits - 1)) <= interval[0] and interval[1] < 2 ** (bits - 1)):
        bits += 1
    return bits


def tree(terms: list[Interval]) -> tuple[list[int], Interval]:
    """Widths of the additions of a balanced tree over adjacent pairs, the odd last one passed up; and the root."""
    widths: list[int] = []
    while len(terms) > 1:
        joined = []
        for left, right in zip(terms[::2], terms[1::2], strict=False):
            joined.append((left[0] + right[0], left[1] + right[1]))
            widths.append(width(joined[-1]))
        terms = joined + terms[len(terms) - len(terms) % 2 :]
    return widths, terms[0]


def signed(bits: int) -> Interval:
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    inputs=st.integers(1, 40),
    units=st.integers(1, 5),
    weight=st.integers(2, 9),
    x=st.integers(2, 9),
    bias=st.booleans(),
)
def test_a_dense_layer_is_products_a_tree_and_a_bias(inputs: int, units: int, weight: int, x: int, bias: bool) -> None:
    corners = [a * b for a in signed(weight) for b in signed(x)]
    widths, root = tree([(min(corners), max(corners))] * inputs)
    if bias:
        # The bias has weight - 1 bits behind its point, the sum weight + x - 2: it enters shifted up.
        shift = x - 1
        low, high = signed(weight)
        widths.append(width((root[0] + (low << shift), root[1] + (high << shift))))
    layer = Dense(inputs=inputs, units=units, bias=bias, weight=Fixed(bits=weight), input=Fixed(bits=x))
    inventory = count(layer, "exact")
    assert inventory.total(BY_KEY["bop"].weight) == units * (inputs * weight * x + sum(widths))
    assert inventory.total(BY_KEY["add"].weight) == units * len(widths)
    assert inventory.total(BY_KEY["rm"].weight) == units * inputs


def test_the_tree_of_a_power_of_two_costs_less_than_one_accumulator() -> None:
    layer = Dense(inputs=64, units=1, bias=False, weight=Fixed(bits=8), input=Fixed(bits=8))
    paper, exact = (count(layer, convention).total(BY_KEY["bop"].weight) for convention in ("paper", "exact"))
    assert paper == 64 * 64 + 63 * 22
    assert exact == 64 * 64 + 32 * 17 + 16 * 18 + 8 * 19 + 4 * 20 + 2 * 21 + 22


def test_widths_never_exceed_a_declared_accumulator() -> None:
    layer = Dense(inputs=50, units=3, weight=Fixed(bits=8), input=Fixed(bits=8))
    for op, _ in count(layer, "exact", 18):
        assert op.kind is Kind.MULTIPLY or op.result.width <= 18


def test_counts_of_operations_do_not_depend_on_the_convention() -> None:
    eight = Fixed(bits=8)
    formats = {"weight": eight, "input": eight, "recurrent": eight, "activation": eight}
    for layer in (LSTM(inputs=3, hidden=5, steps=7, **formats), GRU(inputs=3, hidden=5, steps=7, **formats)):
        for key in ("rm", "mac", "add", "cmp", "act", "flops"):
            assert count(layer, "paper").total(BY_KEY[key].weight) == count(layer, "exact").total(BY_KEY[key].weight)


def test_ternary_weights_make_products_as_wide_as_their_input() -> None:
    layer = Dense(inputs=1, units=1, bias=False, weight=Ternary(), input=Fixed(bits=6))
    ((op, times),) = count(layer, "exact")
    # -1 * -32 is 32, which needs a seventh bit.
    assert (times, op.result.width) == (1, 7)
