"""The fields of a layer table: what a layer takes, and every value checked against it by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from ..dimensions import is_integer_expression, parse_dimension
from ..errors import QuantizationError, SpecError, did_you_mean, quoted
from ..expressions import Expression, Size, symbol
from ..formats import WIDEST, AdditivePowerOfTwo, Binary, Fixed, Format, PowerOfTwo, Ternary, format_of_dtype
from ..kinds import fields_of, required
from ..layers import layer_class
from ..layers.layer import Layer
from ..quantization import parse_quantization

__all__ = ["accumulator_of", "format_of", "layer_of", "size_of"]

KEYS = ("bits", "scheme", "terms", "frac", "signed")
# What a field of sizes may say in a word.
WORDS = frozenset({"same", "valid"})
# A part of a size; an exponent of more digits would be a number too long to compute with.
PART = re.compile(r"\d{1,30}/\d{1,30}|\d{1,30}(\.\d{1,60})?([eE][+-]?\d{1,2})?", re.ASCII)
FLOATS = {16: "float16", 32: "float32", 64: "float64"}
SCHEMES = ("uniform", "pot", "apot", "binary", "ternary", "float")


def layer_of(kind: str, table: Mapping[str, object]) -> tuple[Layer, int | None]:
    """The layer of a table and its declared accumulator width. Raises SpecError naming the field, value and rule."""
    known = fields_of(kind)
    given = dict(table)
    accumulator = accumulator_of(f"{kind}: accumulator", given.pop("accumulator", "exact"))
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), [*known, "accumulator"])
            raise SpecError("E-SPEC-FIELD", f"{kind}: unknown field '{quoted(name)}'; {hint}")
    for name, each in known.items():
        if name not in given and required(kind, each):
            rule = "expected an integer of at least 1 or a name" if each.type == "Size" else "it has no default"
            raise SpecError("E-SPEC-MISSING", f"{kind}: {name} is missing; {rule}")
    values = {name: _value(f"{kind}: {name}", str(known[name].type), value) for name, value in given.items()}
    try:
        return layer_class(kind)(**values), accumulator  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise SpecError("E-SPEC-TYPE", f"{kind}: {quoted(error, 160)}") from None


def size_of(place: str, value: object) -> Size:
    """An integer, or a text that is an integer expression in names."""
    if isinstance(value, Expression) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        raise _wrong(place, value, "an integer or a name")
    size = parse_dimension(value)
    if not is_integer_expression(value):
        raise _wrong(place, value, "an integer, a name, or an expression of both such as '2*n'")
    return size


def _value(place: str, declared: str, value: object) -> object:
    """A value as the field's type wants it."""
    kinds = {part.strip() for part in declared.split("|")}
    if "Format" in kinds:
        return value if isinstance(value, Format) else format_of(place, value)
    if kinds == {"bool"}:
        if not isinstance(value, bool):
            raise _wrong(place, value, "true or false")
        return value
    if isinstance(value, bool):
        raise _wrong(place, value, "a number")
    if "Fraction" in kinds:
        return _part(place, value)
    if kinds == {"str"}:
        if not isinstance(value, str):
            raise _wrong(place, value, "a text")
        return value
    if isinstance(value, list | tuple) and not kinds <= {"Size", "int", "None"}:
        return tuple(_value(place, "Size", each) for each in value)
    if isinstance(value, str) and value in WORDS and "str" in kinds:
        return value
    if "Size" not in kinds and not isinstance(value, int):
        raise _wrong(place, value, "an integer")
    return size_of(place, value)


def _part(place: str, value: object) -> object:
    """A part of a size as the decimal that is written; a float's shortest text is the one that was meant."""
    if isinstance(value, str) and value.isidentifier():
        return symbol(value)
    if isinstance(value, int | Expression):
        return value
    if not isinstance(value, str | float | Decimal) or not PART.fullmatch(str(value)):
        raise _wrong(place, value, "a decimal from 0 to 1")
    return str(value)


def format_of(place: str, value: object) -> Format:
    """`{ bits = 8 }`, `{ bits = 4, scheme = "apot", terms = 2 }`, or a name as in --quant: "pot4", "fixed<8,1>".

    Raises SpecError naming the place, the value and the rule.
    """
    if isinstance(value, str):
        try:
            found = parse_quantization(f"w:{value}").weight
        except QuantizationError as error:
            raise SpecError("E-SPEC-FORMAT", f"{place} is '{quoted(value)}': {error.fact}") from None
        if found is None:
            raise _wrong(place, value, "a number format")
        return found
    if not isinstance(value, Mapping):
        raise _wrong(place, value, "a table such as { bits = 8 }")
    for key in value:
        if key not in KEYS:
            raise SpecError("E-SPEC-FIELD", f"{place}: unknown field '{quoted(key)}'; {did_you_mean(str(key), KEYS)}")
    scheme = value.get("scheme", "uniform")
    if scheme not in SCHEMES:
        raise SpecError("E-SPEC-SCHEME", f"{place}.scheme is '{quoted(scheme)}'; {did_you_mean(str(scheme), SCHEMES)}")
    _check_keys(place, str(scheme), value)
    if scheme in ("binary", "ternary"):
        return Binary() if scheme == "binary" else Ternary()
    bits = _integer(f"{place}.bits", value.get("bits"), 1, WIDEST)
    if scheme == "pot":
        return PowerOfTwo(bits=bits)
    if scheme == "apot":
        return AdditivePowerOfTwo(
            bits=bits, terms=_integer(f"{place}.terms", value.get("terms", min(2, bits)), 1, bits)
        )
    if scheme == "float":
        if bits not in FLOATS:
            raise _wrong(f"{place}.bits", bits, "16, 32 or 64 for a float")
        return format_of_dtype(FLOATS[bits])
    signed = value.get("signed", True)
    if not isinstance(signed, bool):
        raise _wrong(f"{place}.signed", signed, "true or false")
    integer = bits - _integer(f"{place}.frac", value["frac"], -WIDEST, WIDEST) if "frac" in value else 1
    return Fixed(bits=bits, integer=integer, signed=signed)


def _check_keys(place: str, scheme: str, table: Mapping[str, object]) -> None:
    if "bits" not in table and scheme not in ("binary", "ternary"):
        raise SpecError("E-SPEC-MISSING", f"{place}: bits is missing; expected an integer from 1 to {WIDEST}")
    if "terms" in table and scheme != "apot":
        raise SpecError("E-SPEC-FIELD", f"{place}: terms belongs to scheme 'apot', found scheme '{scheme}'")
    for key in ("frac", "signed"):
        if key in table and scheme != "uniform":
            raise SpecError("E-SPEC-FIELD", f"{place}: {key} belongs to scheme 'uniform', found scheme '{scheme}'")


def accumulator_of(place: str, value: object) -> int | None:
    """`{ bits = 24 }`; None for "exact", the width that follows from the operands. Raises SpecError."""
    if value == "exact":
        return None
    if not isinstance(value, Mapping) or set(value) != {"bits"}:
        raise _wrong(place, value, '"exact" or { bits = 24 }')
    return _integer(f"{place}.bits", value["bits"], 1, WIDEST)


def _integer(place: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _wrong(place, value, f"an integer from {least} to {most}")
    return value


def _wrong(place: str, value: object, rule: str) -> SpecError:
    shown = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    text = shown or (f"'{quoted(value)}'" if isinstance(value, str) else quoted(value))
    return SpecError("E-SPEC-TYPE", f"{place} is {text}, expected {rule}")
