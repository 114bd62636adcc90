"""Quantization said from outside a model: the shorthand of `--quant`, and tables of formats by layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from .errors import QuantizationError, did_you_mean, quoted
from .formats import (
    AdditivePowerOfTwo,
    Binary,
    Fixed,
    Format,
    Mixed,
    PowerOfTwo,
    Ternary,
    check_bits,
    format_of_dtype,
    parse_format,
)
from .globs import Globs

__all__ = ["Quantization", "Said", "Table", "parse_quantization"]

UNIFORM = re.compile(r"w(\d+)a(\d+)(?:p(\d+))?", re.ASCII)
SCHEME = re.compile(r"(pot|apot)(\d+)(?:x(\d+))?", re.ASCII)
PART = re.compile(r"([wap])(\d+)", re.ASCII)
FLOATING = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64"}
# So many names are compared with a glob that matches none of them.
COMPARED = 2000
HINT = (
    "bits must be integers; write w8a8, w4a8p24, w:pot4,a8, w:apot4x2,a8, fp32, bf16, none or model; "
    "schemes: uniform, pot, apot"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Formats of the layers a glob finds; None where the table leaves a field to the model.

    recurrent: missing, it is `weight`. accumulator: declared width; exact: the width that follows from the operands,
    whatever is declared for the model. widths: bits of the weight's output channels, where they differ.
    """

    match: str
    weight: Format | None = None
    input: Format | None = None
    recurrent: Format | None = None
    activation: Format | None = None
    accumulator: int | None = None
    exact: bool = False
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said from outside of one layer, by its table where one matched and else for the whole model.

    input: None where it is what the layer before wrote. fallback: format of the outputs where not even the file says
    one. widths: bits of each output channel of the weight. source: who says it, "" where nobody says anything.
    table: the first that matched.
    """

    weight: Format | None = None
    input: Format | None = None
    recurrent: Format | None = None
    activation: Format | None = None
    fallback: Format | None = None
    accumulator: int | None = None
    widths: tuple[int, ...] = ()
    source: str = ""
    table: int | None = None


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """Formats for the numbers of a model; None leaves what the file says.

    input: format of the graph's inputs where it is not that of other activations; asked: by `--input-bits`, which is
    above every table. recurrent: of recurrent weights where it is not that of other weights.
    accumulator: declared width of every accumulator, None for the width that follows from the operands.
    detect: give weights the scheme that their values have. tables: formats by layer, the first match wins.
    file: `text` names the file they were read from.
    """

    text: str = "model"
    weight: Format | None = None
    activation: Format | None = None
    input: Format | None = None
    accumulator: int | None = None
    recurrent: Format | None = None
    tables: tuple[Table, ...] = ()
    file: bool = False
    asked: bool = field(default=False, compare=False)
    detect: bool = False

    def with_input_bits(self, bits: int | None) -> Quantization:
        """The same formats with graph inputs of so many bits (`--input-bits`). Raises QuantizationError E-BITS."""
        return self if bits is None else replace(self, input=_fixed(bits, f"--input-bits {bits}"), asked=True)

    @property
    def everywhere(self) -> int | None:
        """The declared width of every accumulator; None as well where tables say it layer by layer."""
        return None if self.tables else self.accumulator

    @cached_property
    def globs(self) -> Globs:
        """What the tables match, in order."""
        return Globs([table.match for table in self.tables])

    def said(self, texts: Iterable[str]) -> Said:
        """What is said of a layer of these names: by the first table that matches one, else for the model."""
        index = self.globs.first(texts) if self.tables else None
        return self.general if index is None else self._of_tables[index]

    @cached_property
    def general(self) -> Said:
        """What is said of a layer that no table matches."""
        said = (self.weight, self.activation, self.recurrent, self.accumulator)
        return Said(
            weight=self.weight,
            recurrent=self.recurrent or self.weight,
            activation=self.activation,
            accumulator=self.accumulator,
            source=self._source("model") if any(said) else "",
        )

    @cached_property
    def _of_tables(self) -> tuple[Said, ...]:
        return tuple(self._of_table(index, table) for index, table in enumerate(self.tables))

    def _of_table(self, index: int, table: Table) -> Said:
        # Copies: whether a tensor's format was said by a table is asked by identity.
        weight = _copy(_mixed(table) or self.weight)
        return Said(
            weight=weight,
            input=_copy(table.input),
            recurrent=_copy(table.recurrent) or (weight if table.weight or table.widths else self.recurrent or weight),
            activation=_copy(table.activation or self.activation),
            fallback=_copy(table.input),
            accumulator=None if table.exact else table.accumulator or self.accumulator,
            widths=table.widths,
            source=self._source(table.match),
            table=index,
        )

    def check_channels(self, said: Said, layer: str, channels: object) -> None:
        """Refuse widths that are not one for each output channel of a layer. Raises QuantizationError."""
        if said.table is not None and len(said.widths) != channels:
            found = "none that are known" if channels is None else quoted(channels)
            fact = (
                f"layer[{said.table}] '{quoted(self.tables[said.table].match)}': per_channel_bits holds "
                f"{len(said.widths)} widths, but the output channels of '{quoted(layer)}' are {found}"
            )
            raise QuantizationError("E-QUANT-CHANNELS", fact).at(quoted(self.text))

    def unmatched(self, layers: Iterable[Sequence[str]]) -> list[str]:
        """A remark for every table that matches none of these layers, each given by its names."""
        if not self.tables:
            return []
        known = [tuple(names) for names in layers]
        found = {index for names in known for index in self.globs.found(names)}
        listed = list(dict.fromkeys(name for names in known for name in names))[:COMPARED]
        return [
            f"{self.text}: layer[{index}] '{quoted(table.match)}' matches no layer; {did_you_mean(table.match, listed)}"
            for index, table in enumerate(self.tables)
            if index not in found
        ]

    def _source(self, part: str) -> str:
        return f"{self.text}: {part}" if self.file else f"--quant {self.text}"

    def states(self, format: Format | None) -> bool:
        """Whether a format was said here; the same object, not an equal one of the file's."""
        return format is not None and id(format) in self.stated

    @cached_property
    def stated(self) -> frozenset[int]:
        """The identities of all formats said here."""
        own = (self.weight, self.activation, self.input, self.recurrent)
        tables = ((each.weight, each.input, each.recurrent, each.activation) for each in self._of_tables)
        return frozenset(id(format) for group in (own, *tables) for format in group if format is not None)


def _copy(format: Format | None) -> Format | None:
    return None if format is None else replace(format)


def _mixed(table: Table) -> Format | None:
    """The weight's format: with one width per channel the widest, which still knows how many channels have each."""
    weight, widths = table.weight, table.widths
    if not widths:
        return weight
    most = max(widths)
    if weight is not None and not isinstance(weight, Fixed):
        return replace(weight, bits=most)
    counts = tuple((bits, widths.count(bits)) for bits in sorted(set(widths)))
    if len(counts) == 1:
        return replace(weight, bits=most) if weight else Fixed(bits=most)
    signed, integer = (weight.signed, weight.integer) if weight else (True, 1)
    return Mixed(bits=most, integer=integer, signed=signed, shares=counts)


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
