"""The shorthand of `--quant`: what each spelling means, and what each refusal says, whole."""

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
    Format,
    PowerOfTwo,
    Ternary,
    format_of_dtype,
    parse_format,
)
from nncomplexity.quantization import parse_quantization

HINT = (
    "bits must be integers; write w8a8, w4a8p24, w:pot4,a8, w:apot4x2,a8, fp32, bf16, none or model; "
    "schemes: uniform, pot, apot [E-QUANT]"
)


def uniform(bits: int) -> Format:
    return Fixed(bits=bits, integer=1)


@pytest.mark.parametrize(
    ("text", "weight", "activation", "accumulator"),
    [
        ("model", None, None, None),
        ("none", None, None, None),
        ("w8a8", uniform(8), uniform(8), None),
        ("w1a64", uniform(1), uniform(64), None),
        ("w4a8p24", uniform(4), uniform(8), 24),
        ("w:pot4,a8", PowerOfTwo(bits=4), uniform(8), None),
        ("a8,w:pot4,p20", PowerOfTwo(bits=4), uniform(8), 20),
        ("w:apot4x2,a8", AdditivePowerOfTwo(bits=4, terms=2), uniform(8), None),
        ("w:apot6x3,a:7", AdditivePowerOfTwo(bits=6, terms=3), uniform(7), None),
        ("w:apot<6,2>,a:ufixed<8,8>", AdditivePowerOfTwo(bits=6), Fixed(bits=8, integer=8, signed=False), None),
        ("w:binary,a:ternary", Binary(), Ternary(), None),
        ("w5", uniform(5), None, None),
        ("fp32", format_of_dtype("float32"), format_of_dtype("float32"), None),
        ("bf16", format_of_dtype("bfloat16"), format_of_dtype("bfloat16"), None),
        ("w:fp16,a:bf16", format_of_dtype("float16"), format_of_dtype("bfloat16"), None),
    ],
)
def test_a_shorthand_means(
    text: str, weight: Format | None, activation: Format | None, accumulator: int | None
) -> None:
    found = parse_quantization(text)
    assert (found.weight, found.activation, found.accumulator) == (weight, activation, accumulator)
    assert found.text == text and found.input is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w4.5a8", f"quantization 'w4.5a8' cannot be read at 'w4.5a8': {HINT}"),
        ("w8a8,w4", f"quantization 'w8a8,w4' cannot be read at 'w8a8': {HINT}"),
        ("w8,w4", f"quantization 'w8,w4' cannot be read at 'w4': {HINT}"),
        ("int8", f"quantization 'int8' cannot be read at 'int8': {HINT}"),
        ("w:pot4x2,a8", f"quantization 'w:pot4x2,a8': a power of two has one term: {HINT}"),
        ("w:apot4x0,a8", f"quantization 'w:apot4x0,a8' asks for 0 terms of 4 bits: {HINT}"),
        ("w:apot4x9,a8", f"quantization 'w:apot4x9,a8' asks for 9 terms of 4 bits: {HINT}"),
        ("w:octal,a8", f"quantization 'w:octal,a8' cannot be read at 'octal': {HINT}"),
        ("w٨a8", f"quantization 'w٨a8' cannot be read at 'w٨a8': {HINT}"),
        ("w8\na8", f"quantization 'w8\\na8' cannot be read at 'w8\\na8': {HINT}"),
        ("w0a8", "'w0a8' asks for 0 bits; a width is an integer from 1 to 64 [E-BITS]"),
        ("w8a65", "'w8a65' asks for 65 bits; a width is an integer from 1 to 64 [E-BITS]"),
        ("w8a8p65", "'w8a8p65' asks for 65 bits; a width is an integer from 1 to 64 [E-BITS]"),
        ("w:pot0,a8", "'w:pot0,a8' asks for 0 bits; a width is an integer from 1 to 64 [E-BITS]"),
        ("w:fixed<65,1>", "'fixed<65,1>' asks for 65 bits; a width is an integer from 1 to 64 [E-BITS]"),
    ],
)
def test_a_refusal_says(text: str, message: str) -> None:
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        parse_quantization(text)


@pytest.mark.parametrize("text", ["w8a8p" + "9" * 5000, "w" + "1" * 5000 + "a8", "w:apot4x" + "7" * 5000])
def test_a_number_of_thousands_of_digits_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(QuantizationError) as refusal:
        parse_quantization(text)
    assert len(f"nncomplexity: error: {refusal.value}") <= 300


def test_input_bits_are_for_graph_inputs_only() -> None:
    found = parse_quantization("w4a8").with_input_bits(12)
    assert (found.input, found.activation) == (uniform(12), uniform(8))
    message = "'--input-bits 65' asks for 65 bits; a width is an integer from 1 to 64 [E-BITS]"
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        found.with_input_bits(65)


@settings(derandomize=True, max_examples=100)
@given(st.integers(1, 64), st.integers(1, 64))
def test_weights_and_activations_keep_their_widths(weight: int, activation: int) -> None:
    found = parse_quantization(f"w{weight}a{activation}")
    assert found.weight is not None and found.activation is not None
    assert (found.weight.bits, found.activation.bits) == (weight, activation)
    for format in (found.weight, found.activation):
        assert parse_format(str(format)) == format
        again = parse_quantization(f"w:{format},a:{format}")
        assert (again.weight, again.activation) == (format, format)


@settings(derandomize=True, max_examples=200)
@given(st.text("wap:x,<>0123456789fixedpotbin.- ", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_quantization(text)
    except QuantizationError as refusal:
        assert refusal.exit_code == 2
