"""Layers of a kind with every size left open: what formulas and the list of layers are made from."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields

from .errors import SpecError, UsageError, quoted
from .expressions import symbol
from .layers import layer_class
from .layers.layer import Layer
from .letters import LETTERS

__all__ = ["FORMATS", "fields_of", "glossary", "open_layer", "required", "summary"]

FORMATS = ("weight", "input", "activation", "recurrent", "key", "value")


def fields_of(kind: str) -> dict[str, Field[object]]:
    """The fields a specification of this kind may have, in order: sizes and choices, then number formats."""
    layer = layer_class(kind)
    own = {each.name: each for each in fields(layer)}
    return {name: own[name] for name in (*layer.spec, *FORMATS) if name in own}


def required(kind: str, field: Field[object]) -> bool:
    """Whether a specification must give a field: it has no default, or it is the steps of a sequence."""
    # A cell in a program may stand for one step; a specification that forgets the steps would count too little.
    steps = field.name == "steps" and kind != "dense"
    return steps or (field.default is MISSING and field.default_factory is MISSING)


def open_layer(kind: str) -> Layer:
    """A layer of the kind whose sizes are symbols. Raises UsageError E-FORMULA where the kind has no closed form."""
    layer = layer_class(kind)
    needed = {name: symbol(name) for name, each in fields_of(kind).items() if required(kind, each)}
    # Of fields that stand for one another (density, nonzeros_per_row) the first is taken.
    choices = [{}, *({name: symbol(name)} for name in layer.letters if name in layer.spec and name not in needed)]
    refusal: Exception | None = None
    for more in choices:
        try:
            return layer(**needed, **more)  # type: ignore[arg-type]
        except (TypeError, ValueError, SpecError) as error:
            refusal = refusal or error
    raise UsageError("E-FORMULA", f"'{quoted(kind)}' has no closed form: {quoted(refusal)}")


def glossary(kind: str, text: str) -> dict[str, str]:
    """The letters of a formula that stand in a text, with their meanings."""
    found = set(_words(text))
    known = dict(LETTERS)
    for name, letters in layer_class(kind).letters.items():
        # The layer's own word, where the literature's does not hold it already.
        if len(letters.split()) == 1 and name not in known.get(letters, ""):
            known[letters] = name.replace("_", " ")
    meanings = {letter: known[letter] for letter in known if letter in found}
    return {**meanings, **({"clog2(n)": "ceil(log2 n)"} if "clog2" in found else {})}


def summary(kind: str) -> str:
    """What a layer is: the first sentence of its class."""
    text = (layer_class(kind).__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
