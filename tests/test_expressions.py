"""Expressions in free sizes: whatever is done with names must be what Python's integers do once the names are bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import ModelError
from nncomplexity.expressions import (
    Expression,
    Size,
    at_least,
    ceil_divide,
    clog2,
    divide_exactly,
    extent,
    factored,
    floor_divide,
    is_expression,
    maximum,
    minimum,
    names,
    product,
    substitute,
    symbol,
    total,
)

NAMES = ("a", "b", "c")
VALUES = st.fixed_dictionaries({name: st.integers(1, 40) for name in NAMES})
A, B, C = (symbol(name) for name in NAMES)


@dataclass(frozen=True)
class Tree:
    """A computation to be done twice: on names, and on integers."""

    apply: Callable[..., Size]
    parts: tuple[Tree | int | str, ...]

    def on(self, leaf: Callable[[str], Size]) -> Size:
        return self.apply(
            *(
                part.on(leaf) if isinstance(part, Tree) else leaf(part) if isinstance(part, str) else part
                for part in self.parts
            )
        )


def trees() -> st.SearchStrategy[Tree]:
    leaves = st.sampled_from(NAMES) | st.integers(-9, 9)

    def grown(inner: st.SearchStrategy[Tree | int | str]) -> st.SearchStrategy[Tree]:
        pairs = st.tuples(inner, inner)
        divisors = st.tuples(inner, st.integers(1, 9))
        return st.one_of(
            st.builds(Tree, st.just(lambda x, y: x + y), pairs),
            st.builds(Tree, st.just(lambda x, y: x - y), pairs),
            st.builds(Tree, st.just(lambda x, y: x * y), pairs),
            st.builds(Tree, st.just(maximum), pairs),
            st.builds(Tree, st.just(minimum), pairs),
            st.builds(Tree, st.just(floor_divide), divisors),
            st.builds(Tree, st.just(ceil_divide), divisors),
            st.builds(Tree, st.just(lambda x, y: x % y), divisors),
            st.builds(Tree, st.just(lambda x: clog2(maximum(x, 1))), st.tuples(inner)),
        )

    return grown(st.recursive(leaves, grown, max_leaves=12))


@settings(max_examples=120, derandomize=True, deadline=None)
@given(trees(), VALUES)
def test_symbolic_then_bound_is_python(tree: Tree, values: dict[str, int]) -> None:
    free = tree.on(symbol)
    bound = substitute(free, values)
    assert bound == tree.on(values.__getitem__)
    assert type(bound) is int
    assert names(free) <= set(NAMES)


@settings(max_examples=120, derandomize=True, deadline=None)
@given(trees(), VALUES)
def test_printing_parses_back_with_python(tree: Tree, values: dict[str, int]) -> None:
    """The text is a Python expression: the same number comes out of eval, in both forms."""
    free = tree.on(symbol)
    scope = {"Max": max, "Min": min, "clog2": lambda n: (n - 1).bit_length(), **values}
    expected = substitute(free, values)
    # Rational coefficients print as fractions; Python's / is exact enough at these sizes.
    assert round(eval(str(free), {"__builtins__": {}}, scope), 6) == expected
    assert round(eval(factored(free), {"__builtins__": {}}, scope), 6) == expected


@settings(max_examples=120, derandomize=True, deadline=None)
@given(trees(), trees(), VALUES)
def test_order_is_never_wrong(left: Tree, right: Tree, values: dict[str, int]) -> None:
    one, other = left.on(symbol), right.on(symbol)
    known = at_least(one, other)
    if known is not None:
        assert known is (substitute(one, values) >= substitute(other, values))


@settings(max_examples=120, derandomize=True, deadline=None)
@given(trees(), trees())
def test_exact_division_undoes_multiplication(left: Tree, right: Tree) -> None:
    one, other = left.on(symbol), right.on(symbol)
    if other != 0:
        assert divide_exactly(one * other, other) == one


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(trees(), max_size=6))
def test_total_is_repeated_addition(parts: list[Tree]) -> None:
    sizes = [part.on(symbol) for part in parts]
    added: Size = 0
    for size in sizes:
        added = added + size
    assert total(sizes) == added


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (A + A, "2*a"),
        (A * B - B * A, "0"),
        (3 - A, "-a + 3"),
        (A * A * 4 + 3 * A, "4*a**2 + 3*a"),
        (floor_divide(A, 2), "(a//2)"),
        (floor_divide(4 * A + 2, 2), "2*a + 1"),
        (floor_divide(A + 4, 2), "(a//2) + 2"),
        (floor_divide(floor_divide(A, 2) + 1, 3), "((a + 2)//6)"),
        (ceil_divide(A, 2), "((a + 1)//2)"),
        (floor_divide(A * B, B), "a"),
        (7 % A, "-(7//a)*a + 7"),
        (maximum(A, 1), "a"),
        (maximum(A, B, A), "Max(a, b)"),
        (maximum(A, maximum(B, C)), "Max(a, b, c)"),
        (maximum(2 * A, A), "2*a"),
        (minimum(A, A + B), "a"),
        (minimum(A, B + 1), "Min(a, b + 1)"),
        (clog2(A), "clog2(a)"),
        (A**3, "a**3"),
    ],
)
def test_normal_form(size: Size, text: str) -> None:
    assert str(size) == text


@pytest.mark.parametrize("exponent", [1, 31, 52, 53, 63, 200])
def test_clog2_is_exact_at_powers_of_two(exponent: int) -> None:
    """Floating logarithms are wrong from 2**31 + 1 on (sympy) or 2**49 + 1 on (math.log2)."""
    assert clog2(2**exponent) == exponent
    assert clog2(2**exponent + 1) == exponent + 1
    assert clog2(2**exponent - 1) == (exponent if exponent > 1 else 0)
    assert substitute(clog2(A + 1), {"a": 2**exponent}) == exponent + 1


def test_edges_of_clog2_and_division() -> None:
    assert [clog2(n) for n in (0, 1, 2, 3, 4, 5)] == [0, 0, 1, 2, 2, 3]
    assert [floor_divide(-7, 2), ceil_divide(-7, 2), floor_divide(7, -2)] == [-4, -3, -4]
    assert substitute(floor_divide(A, -2), {"a": 7}) == -4
    assert divide_exactly(A * B + A, A) == B + 1
    assert divide_exactly(A * A - B * B, A + B) == A - B
    assert divide_exactly(A + 1, A) is None
    assert divide_exactly(A, 0) is None
    assert divide_exactly(3 * A, 2) is None
    with pytest.raises(ZeroDivisionError):
        floor_divide(A, 0)


def test_equality_hash_and_truth() -> None:
    assert A * (B + 1) == A + A * B
    assert hash(A * (B + 1)) == hash(A + A * B)
    assert A != B and A != 1
    assert not is_expression(A - A) and (A - A) == 0
    assert isinstance(A - B, Expression)
    with pytest.raises(TypeError, match=r"^the truth of a is not known while a size is free$"):
        bool(A)
    assert product([]) == 1 and total([]) == 0


def test_factored_pulls_out_what_is_shared() -> None:
    assert factored(4 * A * A * B + 6 * A * B) == "2*a*b*(2*a + 3)"
    assert factored(A + B) == "a + b"
    assert factored(5) == "5"


def test_big_numbers_stay_exact() -> None:
    assert substitute(A * A * A, {"a": 2**33}) == 2**99


def test_lengths_are_limited() -> None:
    many = total(symbol(f"x{i}") for i in range(30))
    with pytest.raises(ModelError) as caught:
        many * many * many * many
    assert str(caught.value) == "an expression of 40920 terms exceeds 10000; bind some dims with --dim [E-LIMIT-TERMS]"
    nested: Size = A
    with pytest.raises(
        ModelError, match=r"functions deep, is too long to be useful; bind some dims with --dim \[E-LIMIT-TERMS\]$"
    ):
        for _ in range(10_000):
            nested = floor_divide(3 * nested + 1, 2)
    assert extent(maximum(A + B, C + 1) + A) == 6
