"""`nncomplexity explain`: why a layer costs what it costs, or what a metric means."""

from __future__ import annotations

import argparse

from nncomplexity.errors import UsageError, did_you_mean, quoted
from nncomplexity.explanation import DEFAULTS, explain, matching
from nncomplexity.metrics import BY_KEY
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.render.explanation import metric_text, text
from nncomplexity.report import check_convention, metric_of

from .output import Output, write_outputs
from .pairs import parse_dims, parse_shapes, parse_values
from .requests import Request

__all__ = ["HELP", "add_arguments", "run"]

HELP = "explain a layer's number term by term, or a metric"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("input", metavar="INPUT|METRIC", help="an .onnx file, a .toml or .json specification, MODEL@QUANT, or a metric")
    add("layer", nargs="?", metavar="LAYER", help="a row of the report: its name, its path or a glob")
    add("--metric", metavar="LIST", help=f"metrics, comma-separated (default {','.join(DEFAULTS)})")
    add("--quant", default="model", metavar="SPEC", help="w8a8, w:pot4,a8, fp32 …, or a file of formats by layer")
    add("--convention", default="paper", metavar="NAME", help="paper (default) or exact")
    add("--dim", action="append", default=[], metavar="NAME=INT", help="bind a named dimension")
    add("--shape", action="append", default=[], metavar="INPUT=1x3x224", help="fix an input's shape")
    add("--value", action="append", default=[], metavar="INPUT=1,2", help="make an integer input known")
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation of a metric, or of every row the name or glob finds."""
    if arguments.layer is None:
        written = metric_text(BY_KEY[_metric(arguments.input)])
    else:
        written = "\n".join(_layers(arguments))
    return write_outputs([Output("text", None)], lambda _: written)


def _metric(name: str) -> str:
    if name in BY_KEY:
        return name
    fact = f"'{quoted(name)}' is no metric; give INPUT and LAYER, or a metric: {did_you_mean(name, BY_KEY)}"
    raise UsageError("E-EXPLAIN", fact)


def _layers(arguments: argparse.Namespace) -> list[str]:
    check_convention(arguments.convention)
    metrics = [metric_of(key).key for key in arguments.metric.split(",")] if arguments.metric else list(DEFAULTS)
    request = Request(
        quants=(arguments.quant,),
        convention=arguments.convention,
        bindings=Bindings(
            dims=parse_dims(arguments.dim), shapes=parse_shapes(arguments.shape), values=parse_values(arguments.value)
        ),
    )
    return [
        text(explain(report, entry, metrics))
        for report in request.reports(arguments.input)
        for entry in matching(report, arguments.layer)
    ]
