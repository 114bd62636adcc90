"""`nncomplexity verify`: layers proved on the kernels that are emitted for them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nncomplexity.errors import ComplexityError, UsageError, quoted
from nncomplexity.render.records import render_records

from .notices import print_error
from .output import Output, parse_output, write_outputs
from .parts import Subject, add_numbers, add_source, check_number, check_numbers, place_of, subjects
from .proving import Options, Outcome, compared, outcomes

if TYPE_CHECKING:
    from nncomplexity.hw.proof import Verdict

__all__ = ["HELP", "add_arguments", "run"]

HELP = "prove the layers of a model or a specification on the kernels that are emitted for them"
FORMATS = ("table", "json")
MOST, JOBS, LONGEST = 1_000_000, 1024, 86_400
# Options that go with a bundle, which says all others itself.
OF_A_BUNDLE = frozenset({"kernel", "simulator", "timeout", "format", "debug"})
# A tool is missing or failed: what is known is still told.
TOOL = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add_source(parser, nargs="?")
    add("--layer", metavar="GLOB", default="*", help="only the layers of these names")
    add_numbers(parser)
    schedules = "unrolled: a step a cycle (default); folded: one multiply-accumulate unit, a product a cycle"
    add("--schedule", metavar="SCHEDULE", default="unrolled", help=schedules)
    add("--kernel", metavar="DIR", help="judge a bundle that emit wrote, as it lies, in place of an input")
    add("--simulator", metavar="NAME", default="builtin", help="builtin (the default), verilator or iverilog")
    add("--timeout", type=float, metavar="S", help="seconds for each run of another program (default 600)")
    most = "list layers of a model whose kernel has more products instead of proving them (default 20000)"
    add("--max-products", type=int, default=20_000, metavar="N", help=most)
    add("--jobs", type=int, default=1, metavar="N", help="layers to prove at once (default 1)")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Prove every layer that has a kernel, or a bundle; exit code 1 where a comparison fails."""
    outputs = [parse_output(text, FORMATS) for text in arguments.format] or [Output("table", None)]
    check_numbers(arguments)
    check_number(arguments, "jobs", 1, JOBS)
    check_number(arguments, "max-products", 1, MOST)
    if arguments.timeout is not None and not 0 < arguments.timeout <= LONGEST:
        raise UsageError("E-USAGE", f"--timeout {arguments.timeout:g} is out of range; choose seconds up to {LONGEST}")
    if (arguments.kernel is None) == (arguments.source is None):
        raise UsageError("E-USAGE", "verify takes an input or --kernel DIR, one of them")
    # numpy comes with the kernels: no other command waits for it.
    from nncomplexity.hw.simulators import SECONDS, check_simulator

    check_simulator(arguments.simulator)
    seconds = arguments.timeout or SECONDS
    if arguments.kernel is not None:
        verdicts, without, broken = [_bundle(arguments, seconds)], list[tuple[str, str]](), False
    else:
        verdicts, without, broken = _layers(arguments, seconds)
    code = write_outputs(outputs, lambda format: _text(format, verdicts, without, arguments)) if verdicts else 0
    return TOOL if broken else code or int(not all(verdicts))


def _bundle(arguments: argparse.Namespace, seconds: float) -> Verdict:
    """The verdict on a bundle; what it is made of is said in it."""
    from nncomplexity.hw.inspection import verify_bundle

    said = argparse.ArgumentParser()
    add_arguments(said)
    for name, value in vars(said.parse_args([])).items():
        if name not in OF_A_BUNDLE and getattr(arguments, name) != value:
            option = name.replace("_", "-")
            raise UsageError("E-USAGE", f"--{option} does not go with --kernel: the bundle says it; leave it out")
    return verify_bundle(arguments.kernel, simulator=arguments.simulator, seconds=seconds)


def _layers(arguments: argparse.Namespace, seconds: float) -> tuple[list[Verdict], list[tuple[str, str]], bool]:
    """The verdicts on layers that have a kernel, the others with the reasons, and whether a tool failed."""
    options = Options(
        style=arguments.style,
        schedule=arguments.schedule,
        activation=arguments.activation,
        vectors=arguments.vectors,
        seed=arguments.seed,
        rounding=arguments.rounding,
        overflow=arguments.overflow,
        simulator=arguments.simulator,
        seconds=seconds,
    )
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
    return verdicts, without, bool(broken)


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
            "seed": arguments.seed if arguments.kernel is None else None,
            "layers": [verdict.to_dict() for verdict in verdicts],
            "without_kernel": [{"name": name, "reason": reason} for name, reason in without],
        }
        return json.dumps(found, indent=2) + "\n"
    lines = [render_records("table", [_record(each) for each in verdicts])]
    lines += [f"{quoted(each.name)}: {each.first_difference}" for each in verdicts if not each]
    lines += [f"{quoted(each.name)}: {figure}" for each in verdicts for figure in each.idealised]
    lines += [
        f"{quoted(each.name)}: {each.adders} adders, {each.adders_alone} in style shiftadd; counts: {each.counted_by}"
        for each in verdicts
        if each.adders_alone is not None
    ]
    lines += [f"{quoted(name)}: not proved: {reason}" for name, reason in without]
    inner = "operators are parts of activation functions, one look-up each in the count, or of choices, none"
    lines += [f"{quoted(each.name)}: {each.inner_operations} {inner}" for each in verdicts if each.inner_operations]
    lines += [f"{name}: not as it was emitted; what it does was judged" for each in verdicts for name in each.changed]
    lines.append("; ".join(_ran(verdicts, arguments)))
    if references := ", ".join(dict.fromkeys(each.reference for each in verdicts if each.reference)):
        lines.append(f"deviations from {references}")
    return "\n".join(lines) + "\n"


def _ran(verdicts: Sequence[Verdict], arguments: argparse.Namespace) -> Iterator[str]:
    """What ran, and where the numbers come from."""
    if arguments.kernel is None:
        drawn = "weights and inputs" if any("drawn" in each.weights for each in verdicts) else "inputs"
        yield f"{drawn} drawn from seed {arguments.seed}"
    yield f"schedule {', '.join(dict.fromkeys(each.schedule for each in verdicts))}"
    elaborators, simulators = (
        ", ".join(dict.fromkeys(getattr(each, tool) for each in verdicts)) for tool in ("elaborator", "simulator")
    )
    yield f"elaborated by {elaborators}"
    if simulators != elaborators:
        yield f"simulated by {simulators}"


def _record(verdict: Verdict) -> dict[str, object]:
    return {
        "layer": quoted(verdict.name),
        "style": verdict.style,
        "weights": verdict.weights,
        "vectors": verdict.vectors,
        "steps": verdict.steps,
        "cycles": verdict.cycles,
        "operations": verdict.operations,
        "values": _said(verdict.values_equal),
        "counts": _said(verdict.counts_equal),
        "saturated": {None: "-", True: "yes", False: "no"}[verdict.saturated],
        "deviation": "-" if verdict.deviation is None else f"{verdict.deviation:.3g}",
        "bound": "-" if verdict.bound is None else f"{verdict.bound:.3g}",
    }


def _said(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
