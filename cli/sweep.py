"""`nncomplexity sweep`: what layers cost over ranges of sizes and formats."""

from __future__ import annotations

import argparse

from nncomplexity.errors import UsageError, quoted
from nncomplexity.points import Grid, factory_of, nearest, parse_grid
from nncomplexity.render.records import FORMATS, render_records
from nncomplexity.report import check_convention, metric_of
from nncomplexity.sweeps import METRICS, sweep

from .output import Output, parse_output, write_outputs

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print what a layer or a specification costs over ranges of sizes and formats"
DIGITS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("source", metavar="KIND|SPEC", help="a layer kind, or a .toml or .json specification with named sizes")
    add(
        "-P",
        "--parameter",
        action="append",
        default=[],
        metavar="PARAM=FROM:TO[:STEP]",
        help="values of a field of the kind or of a named size, TO included; PARAM=VALUE for one (repeatable)",
    )
    formats = "w8a8, w:pot4,a8, fp32 …, or a file of formats by layer (repeatable)"
    add("-Q", "--quant", action="append", metavar="SPEC", help=formats)
    add("--metric", metavar="LIST", help=f"metrics, comma-separated (default {','.join(METRICS)})")
    add("--equal", metavar="METRIC=VALUE", help="of each quantization only the point whose cost is nearest")
    add("--convention", default="paper", metavar="NAME", help="paper (default) or exact")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Print one row a point and quantization."""
    outputs = [parse_output(text, FORMATS) for text in arguments.format] or [Output("table", None)]
    check_convention(arguments.convention)
    grids = [parse_grid(text) for text in arguments.parameter]
    metrics = list(arguments.metric.split(",")) if arguments.metric else list(METRICS)
    target = _target(arguments.equal)
    if target and target[0] not in metrics:
        metrics.append(target[0])
    records = sweep(
        factory_of(arguments.source, grids),
        quant=arguments.quant or ["model"],
        metrics=metrics,
        convention=arguments.convention,
        **{grid.name: grid.values for grid in grids},
    )
    if target:
        records = list(nearest(records, *target, fixed=_fixed(grids)))
    return write_outputs(outputs, lambda format: render_records(format, records))


def _fixed(grids: list[Grid]) -> list[str]:
    """The parameters that tell groups apart: of those given as ranges the last is the one that is solved for."""
    ranged = [grid.name for grid in grids if grid.ranged]
    return [grid.name for grid in grids if not ranged or grid.name != ranged[-1]]


def _target(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    name, sign, value = text.partition("=")
    digits = value.replace("_", "").replace(",", "")
    if not sign or not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS and int(digits) > 0):
        raise UsageError("E-SWEEP-EQUAL", f"--equal '{quoted(text)}' is not METRIC=VALUE with a positive integer")
    return metric_of(name).key, int(digits)
