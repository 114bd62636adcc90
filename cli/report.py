"""`nncomplexity report`: what models cost."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from nncomplexity.errors import ComplexityError, ModelError, UsageError, quoted
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.render import FORMATS, View, render
from nncomplexity.render.view import DEFAULT_LABELS, DEFAULT_METRICS, GROUPINGS, LABELS
from nncomplexity.report import Report, check_convention

from .clock import OutOfTime, time_limit
from .notices import print_bug, print_error, print_errors, print_notes
from .output import Output, parse_output, stdout_encodes, write_outputs
from .pairs import parse_dims, parse_shapes, parse_values
from .requests import Request

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print what every node and the whole of a model costs"
BUG, UNCOUNTED = 70, 1
# Several inputs: the first of these codes that occurred is the command's.
PRECEDENCE = (BUG, 3, 5, 2, 4, UNCOUNTED, 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="an .onnx file, MODEL@QUANT, or - for a model on stdin")
    rows = parser.add_argument_group("rows and columns")
    rows.add_argument(
        "--by", default="layer", metavar="WHAT", help=f"one row per {', '.join(GROUPINGS)} (default layer)"
    )
    rows.add_argument(
        "--metric", metavar="LIST", help=f"metrics, comma-separated (default {','.join(DEFAULT_METRICS)})"
    )
    rows.add_argument("--columns", metavar="LIST", help=f"text columns of {', '.join(LABELS)}")
    rows.add_argument("--top", type=_positive, metavar="N", help="the N dearest rows by the first metric of operations")
    rows.add_argument("--per", metavar="NAME|N", help="add columns divided by the size of a bound dim, or by a number")
    rows.add_argument("--si", action="store_true", help="round numbers in tables to k, M, G")
    rows.add_argument("--symbolic", action="store_true", help="each layer's closed form in the literature's letters")
    counting = parser.add_argument_group("what is counted")
    formats = "w8a8, w:pot4,a8, fp32 …, or a file of formats by layer (repeatable)"
    counting.add_argument("--quant", action="append", metavar="SPEC", help=formats)
    counting.add_argument("--input-bits", type=_positive, metavar="N", help="width of the graph's float inputs")
    counting.add_argument("--convention", default="paper", metavar="NAME", help="paper (default) or exact")
    counting.add_argument(
        "--detect", action="store_true", help="read the weights: count powers of two, and sums of two, as what they are"
    )
    counting.add_argument("--dim", action="append", default=[], metavar="NAME=INT", help="bind a named dimension")
    counting.add_argument("--shape", action="append", default=[], metavar="INPUT=1x3x224", help="fix an input's shape")
    counting.add_argument(
        "--value", action="append", default=[], metavar="INPUT=1,2", help="make an integer input known"
    )
    counting.add_argument("--strict", action="store_true", help="exit 1 if anything is uncounted or contradictory")
    output = parser.add_argument_group("output")
    output.add_argument("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    output.add_argument(
        "--color", default="auto", choices=("auto", "always", "never"), help="default auto: on a terminal"
    )
    output.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr")
    output.add_argument("--timeout", type=_seconds, metavar="S", help="give up after S seconds")
    output.add_argument("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Report on every input; the exit code tells the worst that happened."""
    outputs = [parse_output(text) for text in arguments.format] or [Output("table", None)]
    view = _view(arguments)
    check_convention(arguments.convention)
    request = Request(
        quants=tuple(arguments.quant or ["model"]),
        input_bits=arguments.input_bits,
        convention=arguments.convention,
        metrics=view.metrics if arguments.metric else (),
        detect=arguments.detect,
        bindings=Bindings(
            dims=parse_dims(arguments.dim), shapes=parse_shapes(arguments.shape), values=parse_values(arguments.value)
        ),
    )
    if arguments.inputs.count("-") > 1:
        raise UsageError("E-STDIN-TWICE", "standard input can be read once")
    codes = {0}
    reports: list[Report] = []
    place = ""
    try:
        with time_limit(arguments.timeout):
            for place in arguments.inputs:
                reports.extend(_tried(place, request, arguments.debug, codes))
            texts = {output.format: render(output.format, reports, view) for output in outputs} if reports else {}
    except OutOfTime:
        fact = f"not done within {arguments.timeout:g} s, the limit of --timeout"
        raise ModelError("E-TIMEOUT", fact).at(quoted(place)) from None
    if reports:
        codes.add(write_outputs(outputs, texts.__getitem__))
        _comment(reports, arguments, codes)
    return next(code for code in PRECEDENCE if code in codes)


def _tried(place: str, request: Request, debug: bool, codes: set[int]) -> Iterator[Report]:
    """The reports of an input, one for each quantization; a refusal is told and leaves its exit code."""
    try:
        yield from request.reports(place)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, ComplexityError):
            print_error(error)
            codes.add(error.exit_code)
        else:
            print_bug(error, place)
            codes.add(BUG)


def _comment(reports: list[Report], arguments: argparse.Namespace, codes: set[int]) -> None:
    if not arguments.quiet:
        print_notes(reports)
    if arguments.strict:
        asked = arguments.metric.split(",") if arguments.metric else []
        refusals = {str(each): each for report in reports for each in report.refusals(asked)}
        print_errors(list(refusals.values()))
        codes.update([UNCOUNTED] if refusals else [])


def _view(arguments: argparse.Namespace) -> View:
    if arguments.columns and arguments.by != "layer":
        raise UsageError("E-COLUMNS", f"--columns is for one row per layer, not for --by {quoted(arguments.by)}")
    return View(
        by=arguments.by,
        metrics=tuple(arguments.metric.split(",")) if arguments.metric else DEFAULT_METRICS,
        labels=tuple(arguments.columns.split(",")) if arguments.columns else _labels(arguments),
        top=arguments.top,
        per=arguments.per,
        si=arguments.si,
        ascii=not stdout_encodes("…é"),
        color=_coloured(arguments.color),
        symbolic=arguments.symbolic,
        listed=len(arguments.inputs) > 1 or len(arguments.quant or ()) > 1,
    )


def _labels(arguments: argparse.Namespace) -> tuple[str, ...]:
    return (*DEFAULT_LABELS, "detected") if arguments.detect else DEFAULT_LABELS


def _coloured(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise argparse.ArgumentTypeError(f"'{quoted(text)}' is not a positive integer")
    return int(text[:9])


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # A comparison that NaN fails too.
    if not 0 < seconds <= 10**8:
        raise argparse.ArgumentTypeError(f"'{quoted(text)}' is not a number of seconds above 0")
    return seconds
