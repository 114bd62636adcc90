"""Quantization files: number formats for a model and, by globs, for its layers, in TOML or JSON.

`[model]` holds what is said of every layer, each `[[layer]]` table what is said of the layers its `match` finds first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..errors import ComplexityError, ModelError, QuantizationError, SpecError, did_you_mean, quoted
from ..formats import WIDEST, AdditivePowerOfTwo, Fixed, Format, PowerOfTwo
from ..quantization import Quantization, Table, parse_quantization
from .fields import accumulator_of, format_of

__all__ = ["quantization_from", "read_quantization"]

SIZE, TABLES, PATTERN = 1 << 20, 10_000, 1000
SUFFIXES = (".toml", ".json")
TOP = ("model", "layer")
FORMATS = ("weight", "input", "recurrent", "activation")
MODEL = (*FORMATS, "accumulator")
LAYER = ("match", *MODEL, "per_channel_bits")
# What a file that cannot be opened is called: facts about models would mislead.
FILE = {"E-SPEC-LIMIT": "E-QUANT-LIMIT", "E-SPEC-SYNTAX": "E-QUANT-SYNTAX"}


def read_quantization(text: str) -> Quantization:
    """The quantization a text stands for: a shorthand such as w8a8, else the name of a file of tables.

    Raises QuantizationError for what is neither, and for what a file says.
    """
    try:
        return parse_quantization(text)
    except QuantizationError as error:
        if _names_a_file(text):
            return _read(text)
        if error.identifier != "E-QUANT":
            raise
        raise QuantizationError("E-QUANT", f"{error.fact}; or a TOML file that exists") from None


def _names_a_file(text: str) -> bool:
    separators = {"/", os.sep, os.altsep or os.sep}
    named = text.lower().endswith(SUFFIXES) or any(each in text for each in separators)
    return named or ("\0" not in text and os.path.exists(text))


def _read(path: str) -> Quantization:
    # Most runs need no file: its readers are loaded for it alone.
    from .documents import parse_document, read_document

    try:
        data = read_document(path, SIZE, "a quantization file")
        toml = not path.lower().endswith(".json") and not data.lstrip().startswith(b"{")
        return quantization_from(parse_document(data, toml=toml), path=path)
    except ModelError as error:
        fact = error.fact.partition(",")[0] if error.identifier == "E-FILE-KIND" else error.fact
        raise QuantizationError(FILE.get(error.identifier, error.identifier), fact).at(quoted(path)) from None
    except ComplexityError as error:
        raise error.at(quoted(path)) from None


def quantization_from(document: object, *, path: str = "tables") -> Quantization:
    """The quantization of a file as plain data: a mapping with `model`, `layer` or both. Raises QuantizationError."""
    if not isinstance(document, Mapping):
        raise QuantizationError("E-QUANT-TYPE", f"the file holds {_shown(document)}, expected [model] or [[layer]]")
    for key in document:
        if key not in TOP:
            hint = f"write it under [model]: {key} = ..." if key in MODEL else did_you_mean(str(key), TOP)
            raise QuantizationError("E-QUANT-FIELD", f"unknown field '{quoted(key)}' beside the tables; {hint}")
    if not document:
        raise QuantizationError("E-QUANT-EMPTY", "the file says nothing; write [model] or [[layer]] tables")
    model, layers = document.get("model", {}), document.get("layer", [])
    if not isinstance(layers, list | tuple):
        raise QuantizationError("E-QUANT-TYPE", f"layer is {_shown(layers)}, expected [[layer]] tables")
    if len(layers) > TABLES:
        raise QuantizationError("E-QUANT-LIMIT", f"the file holds {len(layers)} layer tables, the limit is {TABLES}")
    general = _formats("model", model, MODEL)
    tables = tuple(_table(f"layer[{index}]", each) for index, each in enumerate(layers))
    return Quantization(
        text=path,
        file=True,
        weight=general.get("weight"),
        input=general.get("input"),
        recurrent=general.get("recurrent"),
        activation=general.get("activation"),
        accumulator=_accumulator("model", model),
        tables=tables,
    )


def _table(place: str, table: object) -> Table:
    formats = _formats(place, table, LAYER)
    assert isinstance(table, Mapping)
    match = table.get("match")
    if match is None:
        fact = f'{place}: match is missing; expected a glob such as "encoder.lstm*"'
        raise QuantizationError("E-QUANT-MISSING", fact)
    if not isinstance(match, str) or not match or len(match) > PATTERN:
        rule = f"a glob of 1 to {PATTERN} characters"
        raise QuantizationError("E-QUANT-TYPE", f"{place}: match is {_shown(match)}, expected {rule}")
    return Table(
        match=match,
        accumulator=_accumulator(place, table),
        exact=table.get("accumulator") == "exact",
        widths=_widths(place, table.get("per_channel_bits"), formats.get("weight")),
        weight=formats.get("weight"),
        input=formats.get("input"),
        recurrent=formats.get("recurrent"),
        activation=formats.get("activation"),
    )


def _formats(place: str, table: object, known: tuple[str, ...]) -> dict[str, Format]:
    """The formats of a table, its keys checked."""
    if not isinstance(table, Mapping):
        example = "a table such as { weight = { bits = 8 } }"
        raise QuantizationError("E-QUANT-TYPE", f"{place} is {_shown(table)}, expected {example}")
    for key in table:
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise QuantizationError("E-QUANT-FIELD", f"{place}: unknown field '{quoted(key)}'; {hint}")
    return {name: _format(f"{place}: {name}", table[name]) for name in FORMATS if name in table}


def _format(place: str, value: object) -> Format:
    if isinstance(value, Mapping) and "bits" in value:
        _width(f"{place}.bits", value["bits"])
    try:
        return format_of(place, value)
    except SpecError as error:
        raise _own(error) from None


def _accumulator(place: str, table: Mapping[str, object]) -> int | None:
    value = table.get("accumulator", "exact")
    if isinstance(value, Mapping) and "bits" in value:
        _width(f"{place}: accumulator.bits", value["bits"])
    try:
        return accumulator_of(f"{place}: accumulator", value)
    except SpecError as error:
        raise _own(error) from None


def _own(error: SpecError) -> QuantizationError:
    # The fields are those of layer specifications; their refusals are this file's here.
    return QuantizationError(error.identifier.replace("E-SPEC-", "E-QUANT-"), error.fact)


def _widths(place: str, value: object, weight: Format | None) -> tuple[int, ...]:
    if value is None:
        return ()
    place = f"{place}: per_channel_bits"
    if not isinstance(value, list | tuple) or not value:
        rule = "one width for each output channel, such as [4, 4, 6]"
        raise QuantizationError("E-QUANT-TYPE", f"{place} is {_shown(value)}, expected {rule}")
    widths = tuple(_width(f"{place}[{index}]", each) for index, each in enumerate(value))
    if weight is not None and not isinstance(weight, Fixed | PowerOfTwo | AdditivePowerOfTwo):
        fact = f"{place} belongs to schemes 'uniform', 'pot' and 'apot', found weight {weight}"
        raise QuantizationError("E-QUANT-FIELD", fact)
    if isinstance(weight, AdditivePowerOfTwo) and isinstance(weight.terms, int) and weight.terms > min(widths):
        fact = f"{place} holds {min(widths)} bits for weights of {weight.terms} terms, expected at least as many bits"
        raise QuantizationError("E-QUANT-TYPE", fact)
    return widths


def _width(place: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= WIDEST:
        raise QuantizationError("E-BITS", f"{place} is {_shown(value)}, expected an integer from 1 to {WIDEST}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return f"{'a table' if isinstance(value, Mapping) else 'a list'} of {len(value)}" if value else "empty"
    return f"'{quoted(value)}'" if isinstance(value, str) else quoted(value)
