"""`nncomplexity formula`: what a layer costs, in the literature's letters."""

from __future__ import annotations

import argparse

from nncomplexity.errors import UsageError, did_you_mean, quoted
from nncomplexity.expressions import factored
from nncomplexity.formulas import Formula, kind_form
from nncomplexity.kinds import glossary
from nncomplexity.report import metric_of

from .output import Output, write_outputs

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print the closed forms of a layer of the catalogue"
FORMATS = ("text", "latex", "python")
METRICS = ("rm", "mac", "flops", "bop", "nabs", "add", "act")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("kind", metavar="KIND", help="a layer kind, see `nncomplexity layers`")
    parser.add_argument("--metric", metavar="LIST", help=f"metrics, comma-separated (default {','.join(METRICS)})")
    parser.add_argument("-f", "--format", default="text", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Print one formula a metric; as text with what its letters stand for."""
    format = arguments.format
    if format not in FORMATS:
        raise UsageError("E-FORMAT-NAME", f"format '{quoted(format)}' is unknown; {did_you_mean(format, FORMATS)}")
    keys = arguments.metric.split(",") if arguments.metric else METRICS
    formulas = {key: kind_form(arguments.kind, metric_of(key)) for key in keys}
    lines = [_line(key, formula, format) for key, formula in formulas.items()]
    if format == "text":
        letters = glossary(arguments.kind, " ".join(lines))
        width = max((len(letter) for letter in letters), default=0)
        lines += [""] + [f"{letter:{width}}  {meaning}" for letter, meaning in letters.items()] if letters else []
    text = "\n".join(lines) + "\n"
    return write_outputs([Output(format, None)], lambda _: text)


def _line(key: str, formula: Formula, format: str) -> str:
    if format == "latex":
        return rf"\mathrm{{{formula.heading}}} = {formula.latex()}"
    if format == "python":
        return f"{key} = {formula.python()}"
    return f"{formula.heading} = {factored(formula.size)}"
