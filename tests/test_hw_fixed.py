"""Fixed point: the roundings and overflows of ap_fixed, in tables and against fractions; tables of functions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nncomplexity.errors import QuantizationError, UsageError
from nncomplexity.formats import Fixed, PowerOfTwo
from nncomplexity.hw.fixed import FixedPoint, Overflow, Rounding, quantise
from nncomplexity.hw.tables import FUNCTIONS, Table


def one(value: int, fraction: int, name: str) -> int:
    return int(quantise(np.array([value]), fraction, FixedPoint.parse(name))[0])


# Quarters rounded to integers: -1.75 … 1.75.
QUARTERS = [-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7]
ROUNDED = {
    "TRN": [-2, -2, -2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1],
    "RND": [-2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2],
    "RND_CONV": [-2, -2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2],
}
OVERFLOWN = {
    "WRAP": {-9: 7, -8: -8, -7: -7, 7: 7, 8: -8, 23: 7, 24: -8},
    "SAT": {-9: -8, -8: -8, -7: -7, 7: 7, 8: 7, 24: 7, -100: -8},
    "SAT_SYM": {-9: -7, -8: -7, -7: -7, 7: 7, 8: 7, 24: 7},
}
UNSIGNED = {"WRAP": {-1: 15, 0: 0, 15: 15, 16: 0, 17: 1}, "SAT": {-1: 0, 0: 0, 15: 15, 16: 15}}


@pytest.mark.parametrize("mode", ROUNDED)
def test_quarters_are_rounded(mode: str) -> None:
    assert [one(value, 2, f"ap_fixed<8,8,{mode}>") for value in QUARTERS] == ROUNDED[mode]


@pytest.mark.parametrize("mode", OVERFLOWN)
def test_numbers_out_of_range(mode: str) -> None:
    assert {value: one(value, 0, f"ap_fixed<4,4,TRN,{mode}>") for value in OVERFLOWN[mode]} == OVERFLOWN[mode]


@pytest.mark.parametrize("mode", UNSIGNED)
def test_unsigned_numbers_out_of_range(mode: str) -> None:
    assert {value: one(value, 0, f"ufixed<4,4,TRN,{mode}>") for value in UNSIGNED[mode]} == UNSIGNED[mode]


def test_saturation_follows_rounding() -> None:
    assert one(31, 2, "ap_fixed<4,4,RND,SAT>") == 7
    assert one(31, 2, "ap_fixed<4,4,RND,WRAP>") == -8
    assert one(30, 2, "ap_fixed<4,4,RND_CONV,WRAP>") == -8


def test_bits_behind_the_point_are_added_and_integers_are_long() -> None:
    assert one(3, 1, "ap_fixed<8,4>") == 24
    assert one((1 << 80) + 3, 2, "ap_fixed<100,100>") == 1 << 78
    assert one(-(1 << 80) - 1, 2, "ap_fixed<8,8,TRN,SAT>") == -128


@given(
    st.integers(-(1 << 70), 1 << 70),
    st.integers(-4, 12),
    st.integers(1, 20),
    st.integers(-6, 20),
    st.booleans(),
    st.sampled_from(Rounding),
    st.sampled_from(Overflow),
)
def test_it_is_the_definition(
    value: int, fraction: int, bits: int, integer: int, signed: bool, rounding: Rounding, overflow: Overflow
) -> None:
    format = FixedPoint(bits=bits, integer=integer, signed=signed, rounding=rounding, overflow=overflow)
    exact = Fraction(value) * Fraction(2) ** (bits - integer - fraction)
    whole = {
        Rounding.TRN: math.floor(exact),
        Rounding.RND: math.floor(exact + Fraction(1, 2)),
        Rounding.RND_CONV: round(exact),
    }[rounding]
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    least = -high if signed and overflow is Overflow.SAT_SYM else low
    wanted = min(max(whole, least), high)
    if overflow is Overflow.WRAP:
        wanted = (whole - low) % (1 << bits) + low
    assert quantise(np.array([value], object), fraction, format).tolist() == [wanted]


def test_names_parse_back() -> None:
    for text in ("ap_fixed<8,4,TRN,WRAP>", "ap_ufixed<1,-3,RND_CONV,SAT_SYM>", "ap_fixed<16,20,RND,SAT>"):
        assert str(FixedPoint.parse(text)) == text
    assert FixedPoint.parse("fixed<8, 4, AP_RND, AP_SAT>") == FixedPoint(
        bits=8, integer=4, rounding=Rounding.RND, overflow=Overflow.SAT
    )
    assert FixedPoint.of(Fixed(bits=8, integer=3, signed=False)) == FixedPoint(bits=8, integer=3, signed=False)


@pytest.mark.parametrize("text", ["fixed<0,1>", "fixed<8>", "fixed<8,4,UP>", "float32", "ap_fixed<8,4,TRN,SAT_ZERO>"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(QuantizationError, match="is not a fixed-point format; write ap_fixed<W,I,Q,O>"):
        FixedPoint.parse(text)


def test_other_formats_are_refused() -> None:
    with pytest.raises(QuantizationError, match="pot<4> is not fixed point"):
        FixedPoint.of(PowerOfTwo(bits=4))


REAL = {
    "acos": lambda x: math.acos(held(x)),
    "acosh": lambda x: math.acosh(max(x, 1)),
    "asin": lambda x: math.asin(held(x)),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": lambda x: math.atanh(x) if abs(x) < 1 else math.copysign(math.inf, x),
    "cos": math.cos,
    "cosh": math.cosh,
    "erf": math.erf,
    "exp": math.exp,
    "log": lambda x: math.log(x) if x > 0 else -math.inf,
    "reciprocal": lambda x: 1 / x if x else math.inf,
    "sin": math.sin,
    "sinh": math.sinh,
    "sqrt": lambda x: math.sqrt(max(x, 0)),
    "tan": math.tan,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "tanh": math.tanh,
}


def held(x: float) -> float:
    """The nearest number that has an arc."""
    return min(max(x, -1.0), 1.0)


def test_every_function_has_a_real_one() -> None:
    assert set(REAL) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tables_are_the_nearest_numbers(name: str) -> None:
    operand, result = FixedPoint(bits=7, integer=3), FixedPoint(bits=9, integer=2)
    entries = Table(function=name, operand=operand, result=result).entries
    assert len(entries) == 128
    for pattern, entry in enumerate(entries):
        value = (pattern - 128 if pattern > 63 else pattern) / 16
        exact = REAL[name](value) * 128
        assert entry in (-256, 255) or abs(entry - exact) <= 0.5 + 1e-9
        assert -256 <= entry <= 255


def test_tables_know_themselves() -> None:
    small = FixedPoint(bits=3, integer=1)
    table = Table(function="tanh", operand=small, result=small)
    assert table.entries == (0, 1, 2, 3, -3, -3, -2, -1)
    assert len(table.digest) == 64
    assert table.digest != Table(function="sigmoid", operand=small, result=small).digest


def test_long_and_unknown_tables_are_refused() -> None:
    small, long = FixedPoint(bits=3, integer=1), FixedPoint(bits=11, integer=4)
    with pytest.raises(UsageError, match="no table is known of 'tanhh'; did you mean 'tanh'"):
        Table(function="tanhh", operand=small, result=small)
    with pytest.raises(UsageError, match="a table of 11 bits has too many entries; quantise to at most 10"):
        Table(function="tanh", operand=long, result=small)
