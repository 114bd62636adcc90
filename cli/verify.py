"""`nncomplexity verify`: layers proved on the kernels that are emitted for them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nncomplexity.errors import ComplexityError, UsageError, quoted
from nncomplexity.render.records import render_records

from .output import Output, parse_output, write_outputs
from .parts import MOST, add_part_options, check_number, parts

if TYPE_CHECKING:
    from nncomplexity.hw.proof import Verdict

__all__ = ["HELP", "add_arguments", "run"]

HELP = "prove the layers of a specification on the kernels that are emitted for them"
FORMATS = ("table", "json")
LONGEST = 86_400
# What a bundle says of itself, with the defaults of the options that would say it.
SAID_IN_BUNDLE: dict[str, object] = {
    "layer": "*",
    "quant": "model",
    "dim": [],
    "style": None,
    "vectors": 1000,
    "seed": 0,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("source", metavar="SPEC", nargs="?", help="a .toml or .json specification; weights are drawn from --seed")
    add("--layer", metavar="GLOB", default="*", help="only the layers of these names")
    add_part_options(parser)
    add("--kernel", metavar="DIR", help="judge a bundle that emit wrote, as it lies, in place of a specification")
    add("--simulator", metavar="NAME", default="builtin", help="builtin (the default), verilator or iverilog")
    add("--timeout", type=float, metavar="S", help="seconds for each run of another program (default 600)")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Prove every layer that has a kernel, or a bundle; exit code 1 where a comparison fails."""
    outputs = [parse_output(text, FORMATS) for text in arguments.format] or [Output("table", None)]
    check_number(arguments, "vectors", 1, MOST)
    check_number(arguments, "seed", 0, 1 << 63)
    if arguments.timeout is not None and not 0 < arguments.timeout <= LONGEST:
        raise UsageError("E-USAGE", f"--timeout {arguments.timeout:g} is out of range; choose seconds up to {LONGEST}")
    if (arguments.kernel is None) == (arguments.source is None):
        raise UsageError("E-USAGE", "verify takes a specification or --kernel DIR, one of them")
    # numpy comes with the kernels: no other command waits for it.
    from nncomplexity.hw.simulators import SECONDS, check_simulator

    check_simulator(arguments.simulator)
    seconds = arguments.timeout or SECONDS
    verdicts, without = _bundle(arguments, seconds) if arguments.kernel is not None else _layers(arguments, seconds)
    code = write_outputs(outputs, lambda format: _text(format, verdicts, without, arguments))
    return code or int(not all(verdicts))


def _bundle(arguments: argparse.Namespace, seconds: float) -> tuple[list[Verdict], list[tuple[str, str]]]:
    """The verdict on a bundle; what it is made of is said in it."""
    from nncomplexity.hw.inspection import verify_bundle

    for name, default in SAID_IN_BUNDLE.items():
        if getattr(arguments, name) != default:
            raise UsageError("E-USAGE", f"--{name} does not go with --kernel: the bundle says it; leave it out")
    return [verify_bundle(arguments.kernel, simulator=arguments.simulator, seconds=seconds)], []


def _layers(arguments: argparse.Namespace, seconds: float) -> tuple[list[Verdict], list[tuple[str, str]]]:
    """The verdicts on the layers that have a kernel; the others, each with the reason."""
    from nncomplexity.hw.bundles import UnsupportedLayer
    from nncomplexity.hw.proof import prove

    place = quoted(arguments.source)
    verdicts: list[Verdict] = []
    without: list[tuple[str, str]] = []
    run_on: dict[str, Any] = {name: getattr(arguments, name) for name in ("style", "vectors", "seed", "simulator")}
    for part in parts(arguments):
        try:
            verdicts.append(prove(part, seconds=seconds, **run_on))
        except UnsupportedLayer as error:
            without.append((part.name, error.fact))
        except ComplexityError as error:
            raise error.at(f"{place}: layer '{quoted(part.name)}'") from None
    if not verdicts:
        name, fact = without[0]
        raise UnsupportedLayer(f"nothing to prove: {fact}").at(f"{place}: layer '{quoted(name)}'")
    return verdicts, without


def _text(format: str, verdicts: list[Verdict], without: list[tuple[str, str]], arguments: argparse.Namespace) -> str:
    if format == "json":
        found = {
            "seed": arguments.seed if arguments.kernel is None else None,
            "layers": [verdict.to_dict() for verdict in verdicts],
            "without_kernel": [{"name": name, "reason": reason} for name, reason in without],
        }
        return json.dumps(found, indent=2) + "\n"
    records: list[dict[str, object]] = [
        {
            "layer": quoted(each.name),
            "style": each.style,
            "vectors": each.vectors,
            "steps": each.steps,
            "operations": each.operations,
            "values": _said(each.values_equal),
            "counts": _said(each.counts_equal),
        }
        for each in verdicts
    ]
    lines = [render_records("table", records)]
    lines += [f"{quoted(each.name)}: {each.first_difference}" for each in verdicts if not each]
    lines += [f"{quoted(name)}: not proved: {reason}" for name, reason in without]
    lines += [f"{name}: not as it was emitted; what it does was judged" for each in verdicts for name in each.changed]
    lines.append("; ".join(_ran(verdicts, arguments)))
    return "\n".join(lines) + "\n"


def _ran(verdicts: list[Verdict], arguments: argparse.Namespace) -> Iterator[str]:
    """What ran, and where the numbers come from."""
    if arguments.kernel is None:
        yield f"weights and inputs drawn from seed {arguments.seed}"
    yield f"schedule {', '.join(dict.fromkeys(each.schedule for each in verdicts))}"
    elaborators, simulators = (
        ", ".join(dict.fromkeys(getattr(each, tool) for each in verdicts)) for tool in ("elaborator", "simulator")
    )
    yield f"elaborated by {elaborators}"
    if simulators != elaborators:
        yield f"simulated by {simulators}"


def _said(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
