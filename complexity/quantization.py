"""Quantization said from outside a model: the shorthand of `--quant`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .errors import QuantizationError, quoted
from .formats import (
    AdditivePowerOfTwo,
    Binary,
    Fixed,
    Format,
    PowerOfTwo,
    Ternary,
    check_bits,
    format_of_dtype,
    parse_format,
)

__all__ = ["Quantization", "parse_quantization"]

UNIFORM = re.compile(r"w(\d+)a(\d+)(?:p(\d+))?", re.ASCII)
SCHEME = re.compile(r"(pot|apot)(\d+)(?:x(\d+))?", re.ASCII)
PART = re.compile(r"([wap])(\d+)", re.ASCII)
FLOATING = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64"}
HINT = (
    "bits must be integers; write w8a8, w4a8p24, w:pot4,a8, w:apot4x2,a8, fp32, bf16, none or model; "
    "schemes: uniform, pot, apot"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Formats for the float tensors of a model; None leaves what the file says.

    input: format of the graph's inputs where it is not that of other activations.
    accumulator: declared width of every accumulator, None for the width that follows from the operands.
    """

    text: str = "model"
    weight: Format | None = None
    activation: Format | None = None
    input: Format | None = None
    accumulator: int | None = None

    def with_input_bits(self, bits: int | None) -> Quantization:
        """The same formats with graph inputs of so many bits (`--input-bits`). Raises QuantizationError E-BITS."""
        return self if bits is None else replace(self, input=_fixed(bits, f"--input-bits {bits}"))


def parse_quantization(text: str) -> Quantization:
    """The quantization a shorthand stands for.

    Raises QuantizationError E-QUANT for text that is none, E-BITS for a width outside 1..64.
    """
    if text in ("model", "none", ""):
        return Quantization(text=text or "model")
    if text in FLOATING:
        number = format_of_dtype(FLOATING[text])
        return Quantization(text=text, weight=number, activation=number)
    if match := UNIFORM.fullmatch(text):
        return Quantization(
            text=text,
            weight=_uniform(match[1], text),
            activation=_uniform(match[2], text),
            accumulator=_width(match[3], text) if match[3] else None,
        )
    return _parts(text)


def _parts(text: str) -> Quantization:
    weight: Format | None = None
    activation: Format | None = None
    width: int | None = None
    # A format's own comma (apot<6,2>) stands inside angle brackets and separates nothing.
    for part in re.split(r",(?![^<]*>)", text):
        name, _, value = part.partition(":")
        match = PART.fullmatch(part)
        if name == "w" and value and weight is None:
            weight = _format(value, text)
        elif name == "a" and value and activation is None:
            activation = _format(value, text)
        elif match and match[1] == "a" and activation is None:
            activation = _uniform(match[2], text)
        elif match and match[1] == "w" and weight is None:
            weight = _uniform(match[2], text)
        elif match and match[1] == "p" and width is None:
            width = _width(match[2], text)
        else:
            raise QuantizationError(
                "E-QUANT", f"quantization '{quoted(text)}' cannot be read at '{quoted(part)}': {HINT}"
            )
    return Quantization(text=text, weight=weight, activation=activation, accumulator=width)


def _width(digits: str, text: str) -> int:
    # More digits than any width has: enough to be refused by value.
    bits = int(digits[:20])
    check_bits(bits, text)
    return bits


def _uniform(digits: str, text: str) -> Format:
    return _fixed(_width(digits, text), text)


def _fixed(bits: int, text: str) -> Format:
    check_bits(bits, text)
    return Fixed(bits=bits, integer=1)


def _format(value: str, text: str) -> Format:
    if match := SCHEME.fullmatch(value):
        bits = _width(match[2], text)
        if match[1] == "pot":
            if match[3]:
                raise QuantizationError(
                    "E-QUANT", f"quantization '{quoted(text)}': a power of two has one term: {HINT}"
                )
            return PowerOfTwo(bits=bits)
        terms = int((match[3] or "2")[:20])
        if not 1 <= terms <= bits:
            raise QuantizationError(
                "E-QUANT", f"quantization '{quoted(text)}' asks for {terms} terms of {bits} bits: {HINT}"
            )
        return AdditivePowerOfTwo(bits=bits, terms=terms)
    if value in ("binary", "ternary"):
        return Binary() if value == "binary" else Ternary()
    if value in FLOATING:
        return format_of_dtype(FLOATING[value])
    if value.isascii() and value.isdigit():
        return _uniform(value, text)
    try:
        return parse_format(value)
    except QuantizationError as error:
        if error.identifier == "E-BITS":
            raise
        raise QuantizationError(
            "E-QUANT", f"quantization '{quoted(text)}' cannot be read at '{quoted(value)}': {HINT}"
        ) from None
