"""`nncomplexity report`: what models cost."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nncomplexity import analyze_input
from nncomplexity.errors import ComplexityError, UsageError, quoted
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.render import FORMATS, View, render
from nncomplexity.render.view import DEFAULT_METRICS
from nncomplexity.report import Report

from .output import Output, parse_output, write_outputs
from .pairs import parse_dims, parse_shapes, parse_values

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print what every node and the whole of a model costs"
# Several inputs: the first of these codes that occurred is the command's.
PRECEDENCE = (70, 3, 5, 2, 4, 1, 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="an .onnx file, MODEL@QUANT, or - for a model on stdin")
    parser.add_argument("--by", default="layer", help="rows: layer, op, role, dtype or module (default layer)")
    parser.add_argument("--metric", help=f"columns, comma-separated (default {','.join(DEFAULT_METRICS)})")
    parser.add_argument("--top", type=_positive, metavar="N", help="show the N dearest rows by the first metric")
    parser.add_argument("--symbolic", action="store_true", help="show each layer's closed form in the literature's letters")
    parser.add_argument("--strict", action="store_true", help="exit 1 if anything is uncounted or contradictory")
    parser.add_argument("--quant", action="append", metavar="SPEC", help="formats: w8a8, w:pot4,a8, fp32 … (repeatable)")
    parser.add_argument("--convention", default="paper", help="paper (default) or exact")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=INT", help="bind a named dimension")
    parser.add_argument("--shape", action="append", default=[], metavar="INPUT=1x3x224", help="fix the shape of an input")
    parser.add_argument("--value", action="append", default=[], metavar="INPUT=1,2", help="make an integer input known")
    parser.add_argument("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    parser.add_argument("--si", action="store_true", help="round numbers in tables to k, M, G")
    parser.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr")
    parser.add_argument("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Report on every input; the exit code tells the worst that happened."""
    outputs = [parse_output(text) for text in arguments.format] or [Output("table", None)]
    metrics = tuple(arguments.metric.split(",")) if arguments.metric else DEFAULT_METRICS
    encodes = _encodes_unicode()
    view = View(
        by=arguments.by,
        metrics=metrics,
        top=arguments.top,
        si=arguments.si,
        ascii=not encodes,
        symbolic=arguments.symbolic,
    )
    bindings = Bindings(
        dims=parse_dims(arguments.dim), shapes=parse_shapes(arguments.shape), values=parse_values(arguments.value)
    )
    if arguments.inputs.count("-") > 1:
        raise UsageError("E-STDIN-TWICE", "standard input can be read once")
    codes, reports = [0], []
    for place in arguments.inputs:
        try:
            reports.extend(_reports(place, arguments, bindings))
        except ComplexityError as error:
            if arguments.debug:
                raise
            print(f"nncomplexity: error: {error}", file=sys.stderr)
            codes.append(error.exit_code)
    if reports:
        codes.append(write_outputs(outputs, lambda format: render(format, reports, view)))
        if not arguments.quiet:
            _notes(reports)
        if arguments.strict and any(_fails(report, arguments.metric) for report in reports):
            codes.append(1)
    return next(code for code in PRECEDENCE if code in codes)


def _reports(place: str, arguments: argparse.Namespace, bindings: Bindings) -> list[Report]:
    quants: Sequence[str] = arguments.quant or ["model"]
    if "@" in place and not os.path.exists(place):
        place, _, quant = place.rpartition("@")
        quants = [quant]
    if place == "-":
        source: str | bytes = sys.stdin.buffer.read() if len(quants) > 1 else place
    else:
        source = place
    return [analyze_input(source, bindings, quant, arguments.convention) for quant in quants]


def _fails(report: Report, metrics: str | None) -> bool:
    for problem in report.problems:
        print(f"nncomplexity: strict: {quoted(report.network.path)}: {problem}", file=sys.stderr)
    nulls = [key for key in (metrics or "").split(",") if key and report.coverage.null.get(key)]
    for key in nulls:
        print(
            f"nncomplexity: strict: {quoted(report.network.path)}: {key} has no value in "
            f"{report.coverage.null[key]} rows",
            file=sys.stderr,
        )
    return bool(report.problems or nulls)


def _notes(reports: Sequence[Report]) -> None:
    for report in {report.network.path: report for report in reports}.values():
        network = report.network
        for warning in network.warnings[:5]:
            print(f"note: {quoted(network.path)}: {quoted(warning, 200)}", file=sys.stderr)
        if network.free:
            listed = ", ".join(quoted(name, 40) for name in network.free[:8])
            example = " ".join(f"--dim {quoted(name, 40)}=16" for name in network.free[:2])
            plural = "s are" if len(network.free) > 1 else " is"
            print(f"note: {len(network.free)} dim{plural} free: {listed}; bind with {example}", file=sys.stderr)


def _encodes_unicode() -> bool:
    try:
        "×".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9])):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive integer")
    return int(text[:9])
