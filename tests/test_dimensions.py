"""The text of a dimension: what exporters write becomes a size, everything else one opaque name."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.dimensions import parse_dimension
from nncomplexity.expressions import Size, ceil_divide, floor_divide, maximum, minimum, names, substitute, symbol

N, M = symbol("N"), symbol("M")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("batch", symbol("batch")),
        ("N + 1", N + 1),
        ("2*N", 2 * N),
        ("N*M + 3", N * M + 3),
        ("(N - 1)*2", 2 * N - 2),
        ("-N + 5", 5 - N),
        ("--N", N),
        ("N//2", floor_divide(N, 2)),
        ("N % 4", N - 4 * floor_divide(N, 4)),
        ("9 % N", 9 - floor_divide(9, N) * N),
        ("N**2", N * N),
        ("2**3", 8),
        ("floor(N/2)", floor_divide(N, 2)),
        ("ceil(N/2)", ceil_divide(N, 2)),
        # As sympy prints the sizes of a strided convolution.
        ("floor(N/2 - 1/2) + 1", floor_divide(N - 1, 2) + 1),
        ("floor(N/2 + M/3)", floor_divide(3 * N + 2 * M, 6)),
        ("floor(1 + N/2)", floor_divide(N, 2) + 1),
        ("floor((N/2)*3)", floor_divide(3 * N, 2)),
        ("floor(N/2/3)", floor_divide(N, 6)),
        ("Max(1, N - 1)", maximum(1, N - 1)),
        ("Min(N, M)", minimum(N, M)),
        ("floor(N)", N),
        ("p2o.DynamicDimension.0", symbol("p2o.DynamicDimension.0")),
        ("x:0 + 1", symbol("x:0") + 1),
        ("16", 16),
    ],
)
def test_expressions_exporters_write(text: str, size: Size) -> None:
    assert parse_dimension(text) == size


@pytest.mark.parametrize(
    "name", ["N", "I", "E", "S", "oo", "pi", "lambda", "import", "None", "True", "Max", "floor", "größe"]
)
def test_names_of_other_languages_are_names(name: str) -> None:
    assert parse_dimension(name) == symbol(name)
    assert parse_dimension(f"{name}") - 1 + 1 == symbol(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "N ",
        "\tN + 1",
        "batch size",
        "N/2",
        "N +",
        "(N",
        "N)",
        "N,M",
        "f(N)",
        "Max()",
        "floor(N, 2)",
        "Max(N/2, 1)",
        "N//0",
        "N % 0",
        "floor(N/0)",
        "5 % 0",
        "N**M",
        "N**9",
        "N***2",
        "1.5*N",
        "1e9",
        "-1",
        "2 - 5",
        "9223372036854775808",
        "9223372036854775807 + 1",
        "99999999999999999999999*N",
        "__import__('os').system('true')",
        "[x for x in ()]",
        "N if M else 1",
        "x:1000000000)",
        "N\x00",
        "N\u202e",
        "²",
        "N*" * 127 + "N" * 9,
        "(" * 17 + "N" + ")" * 17,
        "*".join(["(a+b+c+d)"] * 20),
        "(a+b+c+d+e)**8",
    ],
)
def test_everything_else_is_one_opaque_name(text: str) -> None:
    size = parse_dimension(text)
    assert names(size) == {str(size)}
    assert "\0" not in str(size)


def test_depth_and_length() -> None:
    assert parse_dimension("(" * 15 + "N" + ")" * 15) == N
    assert parse_dimension("-" * 200 + "N") == N
    long = "n" * 257
    assert len(str(parse_dimension(long))) < 200
    assert parse_dimension(long) == parse_dimension(long)
    assert parse_dimension(long) != parse_dimension(long + "n")
    assert len(str(parse_dimension("x" * 2**20))) < 200


# What Python makes of the grammar's own texts is the oracle; floor and ceil of quotients by exact fractions.
GRAMMAR = st.recursive(
    st.sampled_from(["N", "M"]) | st.integers(0, 20).map(str),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["//", "%"]), st.integers(1, 9)).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.integers(1, 9), inner, st.integers(1, 9)).map(
            lambda t: f"floor({t[0]}/{t[1]} - {t[2]}/{t[3]})"
        ),
        st.tuples(inner, st.integers(1, 9)).map(lambda t: f"ceil({t[0]}/{t[1]})"),
        st.tuples(st.sampled_from(["Max", "Min"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=6,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(GRAMMAR, st.integers(1, 30), st.integers(1, 30))
def test_grammar_is_python(text: str, n: int, m: int) -> None:
    scope = {"N": Fraction(n), "M": Fraction(m), "Max": max, "Min": min, "floor": floor, "ceil": ceil}
    # Quotients of two literals must stay fractions too.
    exact = eval(
        "".join(f"Fraction({part})" if part.isdigit() else part for part in _split(text)),
        {"Fraction": Fraction, **scope},
    )
    size = parse_dimension(text)
    if names(size) <= {"N", "M"}:
        assert substitute(size, {"N": n, "M": m}) == exact
    else:
        assert names(size) == {text}


def _split(text: str) -> list[str]:
    return re.findall(r"\d+|\D+", text)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=40) | st.text("NM0123456789+-*/%(), floorMaxi", max_size=60))
def test_any_text_is_a_size(text: str) -> None:
    size = parse_dimension(text)
    assert isinstance(size, int) or names(size)
    assert not isinstance(size, int) or size >= 0
