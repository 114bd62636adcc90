"""`nncomplexity verify`: layers proved on the kernels that are emitted for them."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from nncomplexity.errors import ComplexityError, UsageError, quoted
from nncomplexity.render.records import render_records

from .output import Output, parse_output, write_outputs
from .parts import parts

if TYPE_CHECKING:
    from nncomplexity.hw.proof import Verdict

__all__ = ["HELP", "add_arguments", "run"]

HELP = "prove the layers of a specification on the kernels that are emitted for them"
FORMATS = ("table", "json")
MOST = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("source", metavar="SPEC", help="a .toml or .json specification; weights are drawn from --seed")
    add("--layer", metavar="GLOB", default="*", help="only the layers of these names")
    add("--quant", metavar="SPEC", default="model", help="w8a8, w:pot4,a8 …, or a file of formats by layer")
    add("--dim", action="append", default=[], metavar="NAME=INT", help="bind a named size (repeatable)")
    styles = "mac: real multipliers, the default; shiftadd: shifts and adders, the default for powers of two"
    add("--style", metavar="STYLE", help=styles)
    add("--vectors", type=int, default=1000, metavar="N", help="samples to simulate (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="where drawn numbers begin (default 0)")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Prove every layer that has a kernel; exit code 1 where a comparison fails."""
    # numpy comes with the kernels: no other command waits for it.
    from nncomplexity.hw.bundles import UnsupportedLayer
    from nncomplexity.hw.proof import prove

    outputs = [parse_output(text, FORMATS) for text in arguments.format] or [Output("table", None)]
    for name, least, most in (("vectors", 1, MOST), ("seed", 0, 1 << 63)):
        value = getattr(arguments, name)
        if not least <= value <= most:
            raise UsageError("E-USAGE", f"--{name} {value} is out of range; choose {least} to {most}")
    place = quoted(arguments.source)
    verdicts: list[Verdict] = []
    without: list[tuple[str, str]] = []
    for part in parts(arguments):
        try:
            verdicts.append(prove(part, style=arguments.style, vectors=arguments.vectors, seed=arguments.seed))
        except UnsupportedLayer as error:
            without.append((part.name, error.fact))
        except ComplexityError as error:
            raise error.at(f"{place}: layer '{quoted(part.name)}'") from None
    if not verdicts:
        name, fact = without[0]
        raise UnsupportedLayer(f"nothing to prove: {fact}").at(f"{place}: layer '{quoted(name)}'")
    code = write_outputs(outputs, lambda format: _text(format, verdicts, without, arguments.seed))
    return code or int(not all(verdicts))


def _text(format: str, verdicts: list[Verdict], without: list[tuple[str, str]], seed: int) -> str:
    if format == "json":
        found = {
            "seed": seed,
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
    simulators = ", ".join(dict.fromkeys(each.simulator for each in verdicts))
    lines.append(f"weights and inputs drawn from seed {seed}; schedule unrolled; elaborated by {simulators}")
    return "\n".join(lines) + "\n"


def _said(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
