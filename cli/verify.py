"""`nncomplexity verify`: layers proved on the kernels that are emitted for them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nncomplexity.errors import ComplexityError, UsageError, did_you_mean, quoted
from nncomplexity.render.records import render_records

from .notices import print_error
from .output import Output, parse_output, write_outputs
from .parts import Subject, add_source, place_of, subjects
from .proving import Options, Outcome, compared, outcomes

if TYPE_CHECKING:
    from nncomplexity.hw.proof import Verdict

__all__ = ["HELP", "add_arguments", "run"]

HELP = "prove the layers of a model or a specification on the kernels that are emitted for them"
FORMATS = ("table", "json")
MOST = 1_000_000
ROUNDINGS = ("TRN", "RND", "RND_CONV")
OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")
# A tool is missing or failed: what is known is still told.
TOOL = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add_source(parser)
    add = parser.add_argument
    styles = "mac: real multipliers, the default; shiftadd: shifts and adders, the default for powers of two"
    add("--style", metavar="STYLE", help=styles)
    add("--rounding", default="TRN", metavar="MODE", help=f"of what is stored: {', '.join(ROUNDINGS)} (default TRN)")
    add("--overflow", default="WRAP", metavar="MODE", help=f"of what is stored: {', '.join(OVERFLOWS)} (default WRAP)")
    add("--vectors", type=int, default=1000, metavar="N", help="samples to simulate (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="where drawn numbers begin (default 0)")
    most = "list layers of a model whose kernel has more products instead of proving them (default 20000)"
    add("--max-products", type=int, default=20_000, metavar="N", help=most)
    add("--jobs", type=int, default=1, metavar="N", help="layers to prove at once (default 1)")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Prove every layer that has a kernel; exit code 1 where a comparison fails."""
    outputs = [parse_output(text, FORMATS) for text in arguments.format] or [Output("table", None)]
    options = _options(arguments)
    asked = list(subjects(arguments))
    found = [
        _placed(each, outcome, arguments)
        for each, outcome in zip(asked, outcomes(asked, options, arguments.jobs), strict=True)
    ]
    verdicts = [each for each in compared(asked, [outcome.verdict for outcome in found]) if each is not None]
    without = [(each.name, outcome.reason) for each, outcome in zip(asked, found, strict=True) if outcome.reason]
    broken = [outcome.error for outcome in found if outcome.error is not None]
    for error in broken:
        print_error(error)
    if not verdicts and not broken:
        raise _nothing(asked, without, arguments)
    code = write_outputs(outputs, lambda format: _text(format, verdicts, without, arguments)) if verdicts else 0
    return TOOL if broken else code or int(not all(verdicts))


def _options(arguments: argparse.Namespace) -> Options:
    for name, least, most in (("vectors", 1, MOST), ("seed", 0, 1 << 63), ("jobs", 1, 1024), ("max-products", 1, MOST)):
        value = getattr(arguments, name.replace("-", "_"))
        if not least <= value <= most:
            raise UsageError("E-USAGE", f"--{name} {value} is out of range; choose {least} to {most}")
    for name, known in (("rounding", ROUNDINGS), ("overflow", OVERFLOWS)):
        value = getattr(arguments, name)
        if value not in known:
            raise UsageError("E-USAGE", f"--{name} '{quoted(value)}' is unknown; {did_you_mean(value, known)}")
    return Options(
        style=arguments.style,
        vectors=arguments.vectors,
        seed=arguments.seed,
        rounding=arguments.rounding,
        overflow=arguments.overflow,
    )


def _placed(subject: Subject, outcome: Outcome, arguments: argparse.Namespace) -> Outcome:
    """The outcome, its error at its place. Raises: an error that is no tool's."""
    if outcome.error is not None:
        outcome.error.at(f"{place_of(arguments)}: layer '{quoted(subject.name)}'")
        if outcome.error.exit_code != TOOL:
            raise outcome.error
    return outcome


def _nothing(
    asked: Sequence[Subject], without: Sequence[tuple[str, str]], arguments: argparse.Namespace
) -> ComplexityError:
    from nncomplexity.hw.bundles import UnsupportedLayer

    if not without:
        return UnsupportedLayer("nothing to prove: no row computes anything").at(place_of(arguments))
    name, fact = next((each for each in without if not each[1].startswith("there is no kernel")), without[0])
    more = f" (and {len(without) - 1} more)" if len(without) > 1 else ""
    return UnsupportedLayer(f"nothing to prove: {fact}").at(f"{place_of(arguments)}: layer '{quoted(name)}'{more}")


def _text(format: str, verdicts: list[Verdict], without: list[tuple[str, str]], arguments: argparse.Namespace) -> str:
    if format == "json":
        found = {
            "seed": arguments.seed,
            "layers": [verdict.to_dict() for verdict in verdicts],
            "without_kernel": [{"name": name, "reason": reason} for name, reason in without],
        }
        return json.dumps(found, indent=2) + "\n"
    lines = [render_records("table", [_record(each) for each in verdicts])]
    lines += [f"{quoted(each.name)}: {each.first_difference}" for each in verdicts if not each]
    lines += [f"{quoted(each.name)}: {figure}" for each in verdicts for figure in each.idealised]
    lines += [f"{quoted(name)}: not proved: {reason}" for name, reason in without]
    simulators = ", ".join(dict.fromkeys(each.simulator for each in verdicts))
    references = ", ".join(dict.fromkeys(each.reference for each in verdicts if each.reference))
    drawn = "weights and inputs" if any("drawn" in each.weights for each in verdicts) else "inputs"
    lines.append(f"{drawn} drawn from seed {arguments.seed}; schedule unrolled; elaborated by {simulators}")
    if references:
        lines.append(f"deviations from {references}")
    return "\n".join(lines) + "\n"


def _record(verdict: Verdict) -> dict[str, object]:
    return {
        "layer": quoted(verdict.name),
        "style": verdict.style,
        "weights": verdict.weights,
        "vectors": verdict.vectors,
        "steps": verdict.steps,
        "operations": verdict.operations,
        "values": _said(verdict.values_equal),
        "counts": _said(verdict.counts_equal),
        "saturated": {None: "-", True: "yes", False: "no"}[verdict.saturated],
        "deviation": "-" if verdict.deviation is None else f"{verdict.deviation:.3g}",
        "bound": "-" if verdict.bound is None else f"{verdict.bound:.3g}",
    }


def _said(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
