"""Number formats: names that parse back, widths, ranges, adders per multiplication."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import QuantizationError
from nncomplexity.formats import (
    AdditivePowerOfTwo,
    Binary,
    Fixed,
    Float,
    Format,
    PowerOfTwo,
    Ternary,
    accumulator,
    format_of_dtype,
    grown,
    parse_format,
    widest,
)

BITS = st.integers(1, 64)
FORMATS = st.one_of(
    st.builds(Fixed, bits=BITS, integer=st.integers(-99, 99), signed=st.booleans()),
    st.builds(PowerOfTwo, bits=BITS),
    BITS.flatmap(lambda bits: st.builds(AdditivePowerOfTwo, bits=st.just(bits), terms=st.integers(1, bits))),
    st.sampled_from([Binary(), Ternary()]),
    st.sampled_from(["float64", "float32", "float16", "bfloat16", "float8e4m3fn", "float4e2m1"]).map(format_of_dtype),
    st.builds(Float, bits=BITS),
)


@settings(derandomize=True, max_examples=300)
@given(FORMATS)
def test_a_name_parses_back_to_an_equal_format(format: Format) -> None:
    assert parse_format(str(format)) == format


@pytest.mark.parametrize(
    ("name", "bits", "fraction", "interval", "adders"),
    [
        ("fixed<8,1>", 8, 7, (-128, 127), 7),
        ("fixed<8,4>", 8, 4, (-128, 127), 7),
        ("ufixed<8,8>", 8, 0, (0, 255), 7),
        ("fixed<1,1>", 1, 0, (-1, 0), 0),
        ("pot<4>", 4, 3, (-8, 7), 0),
        ("apot<6,2>", 6, 5, (-32, 31), 1),
        ("apot<6>", 6, 5, (-32, 31), 1),
        ("apot<1>", 1, 0, (-1, 0), 0),
        ("binary", 1, 0, (-1, 1), 0),
        ("ternary", 2, 0, (-1, 1), 0),
    ],
)
def test_what_a_format_holds(name: str, bits: int, fraction: int, interval: tuple[int, int], adders: int) -> None:
    """adders: b - 1 uniform, 0 power of two, t - 1 additive power of two (after arXiv 2206.12191, reconstructed)."""
    format = parse_format(name)
    assert (format.bits, format.fraction, format.interval, format.adders) == (bits, fraction, interval, adders)


LIST = "write fixed<W,I>, ufixed<W,I>, pot<b>, apot<b,t>, binary, ternary or a float type [E-FORMAT]"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", f"'' is not a number format; {LIST}"),
        ("fixed<8", f"'fixed<8' is not a number format; {LIST}"),
        ("fixed<8.5,1>", f"'fixed<8.5,1>' is not a number format; {LIST}"),
        ("pot<4,3>", f"'pot<4,3>' is not a number format; {LIST}"),
        ("fixed<٨,1>", f"'fixed<٨,1>' is not a number format; {LIST}"),
        ("fixed<0,1>", "'fixed<0,1>' asks for 0 bits; a width is an integer from 1 to 64 [E-BITS]"),
        ("ufixed<-8,1>", "'ufixed<-8,1>' asks for -8 bits; a width is an integer from 1 to 64 [E-BITS]"),
        ("apot<4,0>", "'apot<4,0>' asks for 0 terms of 4 bits [E-FORMAT]"),
        ("apot<4,5>", "'apot<4,5>' asks for 5 terms of 4 bits [E-FORMAT]"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        parse_format(name)


# Source: Acc(n, b_w, b_i) = b_w + b_i + ceil(log2 n), after arXiv 2206.12191, reconstructed.
@pytest.mark.parametrize(
    ("terms", "weight", "input", "width"),
    [
        (1, 8, 8, 16),
        (2, 8, 8, 17),
        (3, 4, 8, 14),
        (5, 8, 8, 19),
        (16, 8, 8, 20),
        (100, 2, 8, 17),
        (2**31 + 1, 8, 8, 48),
    ],
)
def test_the_accumulator_of_a_sum_of_products(terms: int, weight: int, input: int, width: int) -> None:
    found = accumulator(terms, Fixed(bits=weight), Fixed(bits=input))
    assert (found.bits, found.fraction) == (width, weight + input - 2)


def test_sums_and_choices() -> None:
    eight, nine = Fixed(bits=8), Fixed(bits=9)
    single = format_of_dtype("float32")
    assert grown(eight, 5).bits == 11
    assert grown(single, 5) is single
    assert widest(eight, nine) is nine
    assert widest(Fixed(bits=64), single) is single
    assert accumulator(4, single, eight).floating


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("int8", "fixed<8,8>"),
        ("uint4", "ufixed<4,4>"),
        ("bool", "ufixed<1,1>"),
        ("float16", "float16"),
        (None, "float32"),
    ],
)
def test_the_format_of_an_element_type(dtype: str | None, name: str) -> None:
    assert str(format_of_dtype(dtype)) == name
