"""`nncomplexity emit`: the kernel of a layer as a bundle, a directory of Verilog, test bench and numbers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nncomplexity.errors import UsageError, quoted

from .output import Output, write_outputs
from .parts import Subject, add_numbers, add_source, check_numbers, place_of, subjects

if TYPE_CHECKING:
    from nncomplexity.hw.trial import Trial

__all__ = ["HELP", "add_arguments", "run"]

HELP = "write the kernel of a layer: Verilog, a test bench that checks itself, vectors, tables and a manifest"
SCHEDULES = ("unrolled",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add_source(parser)
    add("--layer", metavar="NAME", required=True, help="the layer to emit")
    add("--out", metavar="DIR", required=True, help="a new or empty directory, or a bundle to replace")
    add("--schedule", metavar="SCHEDULE", default="unrolled", help="unrolled: one step a cycle")
    add_numbers(parser)
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Write the bundle of one layer."""
    if arguments.schedule not in SCHEDULES:
        fact = f"--schedule '{quoted(arguments.schedule)}' is unknown; choose {' or '.join(SCHEDULES)}"
        raise UsageError("E-USAGE", fact)
    check_numbers(arguments)
    subject = _one(arguments)
    # numpy comes with the kernels: no other command waits for it.
    from nncomplexity.hw.bundles import UnsupportedLayer
    from nncomplexity.hw.delivery import emit_part
    from nncomplexity.hw.fixed import Overflow, Rounding

    try:
        if subject.part is None:
            raise UnsupportedLayer(subject.reason)
        trial = emit_part(
            subject.part,
            arguments.out,
            weights=subject.weights or None,
            own=bool(subject.weights),
            style=arguments.style,
            activation=arguments.activation,
            vectors=arguments.vectors,
            seed=arguments.seed,
            modes=(Rounding(arguments.rounding), Overflow(arguments.overflow)),
        )
    except UsageError as error:
        raise error.at(f"{place_of(arguments)}: layer '{quoted(subject.name)}'") from None
    return write_outputs([Output("table", None)], lambda format: _text(arguments, trial))


def _one(arguments: argparse.Namespace) -> Subject:
    """The layer that was asked for; a pattern may name it, but one alone."""
    found = list(subjects(arguments))
    if len(found) > 1:
        names = ", ".join(f"'{quoted(each.name, 40)}'" for each in found[:3])
        fact = f"--layer '{quoted(arguments.layer)}' names {len(found)} layers: {names}; a bundle holds one"
        raise UsageError("E-LAYER-NAME", fact)
    return found[0]


def _text(arguments: argparse.Namespace, trial: Trial) -> str:
    steps = f" of {trial.steps} steps" if trial.steps > 1 else ""
    drawn = f"{'weights and ' if trial.drawn else ''}inputs drawn from seed {arguments.seed}"
    place = quoted(arguments.out)
    return (
        f"{place}: kernel of '{quoted(trial.name)}', style {trial.style}, schedule unrolled, "
        f"{trial.vectors} vectors{steps}; {drawn}\n"
        f"check it with: nncomplexity verify --kernel {place}\n"
    )
