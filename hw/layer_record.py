"""A layer with its formats as plain data, and back: what a manifest says of the layer its kernel was made of.

A record is an object with the name of a class under `type` and a value for every field. Reading is strict, because a
manifest may be written by anyone: only known classes, only their fields, only values of the types they declare.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Union

from nncomplexity import formats
from nncomplexity.errors import ComplexityError, ModelError, did_you_mean, quoted
from nncomplexity.expressions import Expression
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Role
from nncomplexity.requantization import Requantization
from nncomplexity.works import Work

from .building import SUPPORTED
from .bundles import UnsupportedLayer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["recorded", "restored"]

TYPE, VALUE = "type", "value"
FORMATS: tuple[type[formats.Format], ...] = (
    formats.Fixed,
    formats.Mixed,
    formats.PowerOfTwo,
    formats.AdditivePowerOfTwo,
    formats.Binary,
    formats.Ternary,
    formats.Float,
)
DEEPEST = 8


def recorded(layer: Layer) -> dict[str, object]:
    """The record of a layer. Raises UnsupportedLayer for one with a field that plain data cannot say."""
    if isinstance(layer, Work):
        raise UnsupportedLayer("an operator that is no layer has no record in a manifest; verify proves its kernel")
    found = _plain(layer, type(layer).__name__)
    assert isinstance(found, dict)
    if restored(found) != layer:
        raise UnsupportedLayer(f"a {layer.kind} with these fields cannot be written to a manifest and read back")
    return found


def restored(data: object) -> Layer:
    """The layer of a record. Raises ModelError E-BUNDLE-LAYER naming the field, the value and what was expected."""
    layers = {each.__name__: each for each in SUPPORTED}
    found = _made(data, "layer", {**_classes(), **layers}, 0)
    if not isinstance(found, Layer):
        raise _wrong("layer", data, f"an object whose type is {' or '.join(sorted(layers))}")
    return found


@cache
def _classes() -> Mapping[str, type[DataclassInstance]]:
    return {each.__name__: each for each in (*FORMATS, Requantization)}


def _plain(value: object, place: str) -> object:
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            return value
        case Fraction():
            return {TYPE: "Fraction", VALUE: str(value)}
        case Role():
            return {TYPE: "Role", VALUE: value.value}
        case list() | tuple():
            return [_plain(each, place) for each in value]
        case Layer() | formats.Format() | Requantization():
            said = [each for each in fields(value) if each.init]
            return {TYPE: type(value).__name__} | {
                each.name: _plain(getattr(value, each.name), f"{place}.{each.name}") for each in said
            }
    raise UnsupportedLayer(f"{place} is {quoted(value)}, which a manifest cannot hold; bind free sizes with --dim")


def _made(data: object, place: str, classes: Mapping[str, type[DataclassInstance]], depth: int) -> object:
    if depth > DEEPEST:
        raise _wrong(place, data, f"at most {DEEPEST} nested values")
    if isinstance(data, list):
        return tuple(_made(each, f"{place}[{index}]", classes, depth + 1) for index, each in enumerate(data))
    if not isinstance(data, dict):
        return data
    name = data.get(TYPE)
    if name in ("Fraction", "Role"):
        try:
            return Fraction(str(data.get(VALUE))) if name == "Fraction" else Role(data.get(VALUE))
        except (ValueError, ZeroDivisionError):
            raise _wrong(place, data.get(VALUE), f"a {name.lower()}") from None
    if not isinstance(name, str) or name not in classes:
        raise _wrong(f"{place}.{TYPE}", name, f"a known class; {did_you_mean(str(name), classes)}")
    values = {key: _made(each, f"{place}.{key}", classes, depth + 1) for key, each in data.items() if key != TYPE}
    return _instance(classes[name], values, place)


def _instance(kind: type[DataclassInstance], values: Mapping[str, object], place: str) -> object:
    declared = typing.get_type_hints(kind, localns={"Expression": Expression})
    known = {each.name: declared[each.name] for each in fields(kind) if each.init}
    for name in [*values, *known]:
        if name not in known:
            fact = f"{place}: a {kind.__name__} has no field '{quoted(name)}'; {did_you_mean(name, known)}"
            raise ModelError("E-BUNDLE-LAYER", fact)
        if name not in values:
            raise ModelError("E-BUNDLE-LAYER", f"{place}.{name} is missing; a record gives every field")
        if not _fits(values[name], known[name]):
            raise _wrong(f"{place}.{name}", values[name], _said(known[name]))
    try:
        return kind(**values)
    except ComplexityError as error:
        raise ModelError("E-BUNDLE-LAYER", f"{place}: {error.fact}") from None


def _fits(value: object, declared: object) -> bool:
    """Whether a value is of a declared type."""
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(_fits(each, inner[0]) for each in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is Sequence:
        return isinstance(value, tuple) and all(_fits(each, inner[0]) for each in value)
    if not isinstance(declared, type):
        return False
    # A truth value is an integer to Python, and no size.
    return isinstance(value, declared) and (declared is bool or not isinstance(value, bool))


def _said(declared: object) -> str:
    """A declared type in words."""
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_said(each) for each in inner if each is not Expression))
    if origin in (tuple, Sequence):
        return "a list"
    words = {int: "an integer", bool: "true or false", str: "a text", float: "a number", type(None): "null"}
    return (
        words.get(declared, str(getattr(declared, "__name__", declared))) if isinstance(declared, type) else "another"
    )


def _wrong(place: str, value: object, rule: str) -> ModelError:
    return ModelError("E-BUNDLE-LAYER", f"{place} is {quoted(value)}, expected {quoted(rule, 120)}")
