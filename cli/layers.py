"""`nncomplexity layers`: the catalogue and what its layers take."""

from __future__ import annotations

import argparse
import json
from dataclasses import MISSING, Field
from textwrap import wrap

from nncomplexity.errors import UsageError, did_you_mean, quoted
from nncomplexity.formats import Format
from nncomplexity.hw import KERNELS
from nncomplexity.kinds import FORMATS as NUMBER_FORMATS
from nncomplexity.kinds import fields_of, required, summary
from nncomplexity.layers import LAYERS, layer_class

from .output import Output, write_outputs

__all__ = ["HELP", "add_arguments", "run"]

HELP = "list the layers a specification may name, with their fields"
FORMATS = ("table", "json")
WIDTH = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("-f", "--format", default="table", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Print every kind with its fields."""
    format = arguments.format
    if format not in FORMATS:
        raise UsageError("E-FORMAT-NAME", f"format '{quoted(format)}' is unknown; {did_you_mean(format, FORMATS)}")
    text = _json() if format == "json" else _table()
    return write_outputs([Output(format, None)], lambda _: text)


def _table() -> str:
    lines: list[str] = []
    width = max(len(kind) for kind in LAYERS)
    for kind in LAYERS:
        sizes = [_shown(kind, each) for name, each in fields_of(kind).items() if name not in NUMBER_FORMATS]
        indent = " " * (width + 2)
        head = f"{kind:{width}}  {layer_class(kind).__name__}: {summary(kind)}"
        lines.extend(wrap(head, WIDTH, subsequent_indent=indent))
        lines.extend(wrap(", ".join(sizes), WIDTH, initial_indent=indent, subsequent_indent=indent))
    formats = ", ".join(NUMBER_FORMATS)
    also = f"every layer also: name, {formats} (number formats), accumulator"
    lines += ["", also]
    for said, kernel in (("with a kernel", True), ("without a kernel", False)):
        kinds = ", ".join(kind for kind in LAYERS if (kind in KERNELS) is kernel)
        lines.extend(wrap(f"{said}: {kinds or 'none'}", WIDTH, subsequent_indent="  "))
    return "\n".join(lines) + "\n"


def _json() -> str:
    found = [
        {
            "kind": kind,
            "class": layer_class(kind).__name__,
            "summary": summary(kind),
            "kernel": kind in KERNELS,
            "letters": dict(layer_class(kind).letters),
            "fields": [_field(kind, each) for name, each in fields_of(kind).items()],
        }
        for kind in LAYERS
    ]
    return json.dumps({"layers": found}, indent=2, allow_nan=False) + "\n"


def _field(kind: str, field: Field[object]) -> dict[str, object]:
    if required(kind, field):
        return {"name": field.name, "required": True}
    return {"name": field.name, "required": False, "default": _default(field)}


def _default(field: Field[object]) -> object:
    """The default as JSON holds it; null where another field or layer decides."""
    value = field.default
    if value is MISSING or value is None or isinstance(value, Format):
        return None
    return list(value) if isinstance(value, tuple) else value if isinstance(value, int | str) else str(value)


def _shown(kind: str, field: Field[object]) -> str:
    if required(kind, field):
        return field.name
    value = _default(field)
    return f"{field.name}?" if value is None else f"{field.name}={json.dumps(value)}"
