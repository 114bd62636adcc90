"""Layer specifications without a model: TOML, JSON and plain dictionaries, read to layers and their formats.

A file holds `[[layer]]` tables in order, and beside them `quant`, formats for what the layers leave unsaid.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256

from ..catalogue import Network
from ..errors import ComplexityError, SpecError, did_you_mean, quoted
from ..layers import LAYERS
from ..layers.layer import Layer
from .documents import parse_document, read_document
from .fields import layer_of

__all__ = ["network_from", "read_spec"]

SIZE, LAYER_LIMIT = 1 << 22, 10_000
TOP = ("layer", "quant")


def read_spec(path: str | os.PathLike[str]) -> Network:
    """The network of a spec file. Raises ModelError for a file that cannot be read, SpecError for what it says."""
    name = os.fspath(path)
    try:
        data = read_document(name, SIZE, "a spec")
        document = parse_document(data, toml=name.lower().endswith(".toml"))
        return network_from(document, path=name, digest=sha256(data).hexdigest())
    except ComplexityError as error:
        raise error.at(quoted(name)) from None


def network_from(document: object, *, path: str = "spec", digest: str = "") -> Network:
    """The network of a spec as plain data: a mapping with `layer`, or the list of layer tables itself."""
    tables, quant = _layers(document)
    layers: dict[str, Layer] = {}
    accumulators: dict[str, int] = {}
    for index, table in enumerate(tables):
        try:
            name, layer, accumulator = _one(table)
            if name and name in layers:
                raise SpecError("E-SPEC-NAME", f"name is '{quoted(name)}', which is an earlier layer's")
        except ComplexityError as error:
            raise error.at(f"layer[{index}]") from None
        name = name or _default(layer.kind, layers, tables)
        layers[name] = layer
        if accumulator is not None:
            accumulators[name] = accumulator
    return Network(layers, quant, path=path, accumulators=accumulators, digest=(lambda: digest) if digest else None)


def _layers(document: object) -> tuple[Sequence[object], str]:
    quant: object = "model"
    tables: object = document
    if isinstance(document, Mapping):
        if "schema" in document:
            raise SpecError("E-SPEC-REPORT", "this is a saved report; reading reports back is not supported yet")
        for key in document:
            if key not in TOP:
                hint = did_you_mean(str(key), TOP)
                raise SpecError("E-SPEC-FIELD", f"unknown field '{quoted(key)}' beside the layers; {hint}")
        quant, tables = document.get("quant", "model"), document.get("layer")
    if not isinstance(quant, str):
        raise SpecError("E-SPEC-TYPE", f"quant is {quoted(quant)}, expected a text such as 'w8a8'")
    if not isinstance(tables, list | tuple) or not tables:
        raise SpecError("E-SPEC-EMPTY", "the spec holds no layer; write a [[layer]] table with its kind and sizes")
    if len(tables) > LAYER_LIMIT:
        raise SpecError("E-SPEC-LIMIT", f"the spec holds {len(tables)} layers, the limit is {LAYER_LIMIT}")
    return tables, quant


def _one(table: object) -> tuple[str, Layer, int | None]:
    if not isinstance(table, Mapping):
        raise SpecError("E-SPEC-TYPE", f"a layer is {quoted(table)}, expected a table with kind and sizes")
    found = dict(table)
    kind, name = found.pop("kind", None), found.pop("name", "")
    if kind is None:
        raise SpecError("E-SPEC-MISSING", f"kind is missing; {did_you_mean('', LAYERS)}")
    if not isinstance(kind, str) or kind not in LAYERS:
        raise SpecError(
            "E-SPEC-KIND", f"kind is '{quoted(kind)}', which is no layer; {did_you_mean(str(kind), LAYERS)}"
        )
    if not isinstance(name, str):
        raise SpecError("E-SPEC-TYPE", f"{kind}: name is {quoted(name)}, expected a text")
    layer, accumulator = layer_of(kind, found)
    return name, layer, accumulator


def _default(kind: str, taken: Mapping[str, Layer], tables: Sequence[object]) -> str:
    """The kind, with a number where another layer has that name; names said in the file come first."""
    said = {str(each.get("name")) for each in tables if isinstance(each, Mapping) and each.get("name")}
    number, found = 2, kind
    while found in taken or found in said:
        found, number = f"{kind}_{number}", number + 1
    return found
