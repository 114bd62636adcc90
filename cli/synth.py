"""`nncomplexity synth`: layers synthesised, what they take beside what was predicted."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nncomplexity.errors import ComplexityError, UsageError, quoted
from nncomplexity.metrics import BY_KEY
from nncomplexity.metrics.prediction import Calibration, calibration, priced
from nncomplexity.render.records import render_records

from .notices import print_error
from .output import Output, parse_output, write_outputs
from .parts import add_source, place_of, subjects

if TYPE_CHECKING:
    from nncomplexity.hw.cache import Cache
    from nncomplexity.hw.census import Census
    from nncomplexity.hw.mapping import Mapped
    from nncomplexity.hw.schedule import Schedule

__all__ = ["HELP", "add_arguments", "run"]

HELP = "synthesise the layers of a model or a specification: LUT, FF, DSP, carry and gates of their kernels"
FORMATS = ("table", "json")
CLOCK = 1_000_000
# What a target is predicted to take: the metric, or the calibration that prices look-up tables.
CALIBRATED = {"xilinx": "xilinx", "lut6": "lut6"}
PREDICTED = {"xilinx": ("ff", "dsp"), "lut6": ("ff",), "ice40": ("ff",), "ecp5": ("ff",), "gates": ("ff", "nlg")}
ROWS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "carry": "carry cells", "gates": "gates", "inverters": "inverters"}
OPERATORS = ("adders", "full_adders", "multipliers", "register_bits")
Numbers = dict[str, int | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add_source(parser)
    add("--layer", metavar="GLOB", default="*", help="only the layers of these names")
    add("--target", metavar="TARGET", default="xilinx", help="xilinx (default), ice40, ecp5, gates, lut6")
    styles = "mac: real multipliers, the default; shiftadd: shifts and adders, the default for powers of two"
    add("--style", metavar="STYLE", help=styles)
    add("--clock", type=float, metavar="MHZ", help="also seconds and executions per second at this clock")
    add("--seed", type=int, default=0, metavar="N", help="where drawn numbers begin (default 0)")
    add("--timeout", type=float, default=600.0, metavar="S", help="limit of one run of the tool (default 600)")
    add("--no-cache", action="store_true", help="neither read nor keep results in the user's cache directory")
    add("-f", "--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--debug", action="store_true", help="show a traceback for an error")


def run(arguments: argparse.Namespace) -> int:
    """Synthesise every layer that has a kernel; exit code 5 where the tool fails, after what is known."""
    # numpy comes with the kernels: no other command waits for it.
    from nncomplexity.hw.bundles import UnsupportedLayer
    from nncomplexity.hw.mapping import mapped
    from nncomplexity.hw.targets import target_of
    from nncomplexity.hw.tools import ToolError

    outputs = [parse_output(text, FORMATS) for text in arguments.format] or [Output("table", None)]
    target_of(arguments.target)
    _check(arguments)
    cache, place = _cache(arguments), place_of(arguments)
    found: list[Mapped] = []
    without: list[tuple[str, str]] = []
    code = 0
    for subject in subjects(arguments):
        settings = {"style": arguments.style, "seed": arguments.seed, "seconds": arguments.timeout, "cache": cache}
        if subject.part is None:
            without.append((subject.name, subject.reason))
            continue
        try:
            weights, own = subject.weights or None, bool(subject.weights)
            found.append(mapped(subject.part, arguments.target, weights=weights, own=own, **settings))
        except UnsupportedLayer as error:
            without.append((subject.name, error.fact))
        except ComplexityError as error:
            error.at(f"{place}: layer '{quoted(subject.name)}'")
            if not isinstance(error, ToolError) or not found:
                raise
            # What is known is told before the failure ends the run.
            print_error(error)
            code = error.exit_code
            break
    if not found:
        name, fact = without[0]
        raise UnsupportedLayer(f"nothing to synthesise: {fact}").at(f"{place}: layer '{quoted(name)}'")
    return write_outputs(outputs, lambda format: _text(format, found, without, arguments)) or code


def _check(arguments: argparse.Namespace) -> None:
    limits = (("seed", 0, 1 << 63), ("timeout", 0.001, 10**8), ("clock", 0.000001, CLOCK))
    for name, least, most in limits:
        value = getattr(arguments, name)
        # A comparison that NaN fails too.
        if value is not None and not least <= value <= most:
            raise UsageError("E-USAGE", f"--{name} {value} is out of range; choose {least} to {most}")


def _cache(arguments: argparse.Namespace) -> Cache | None:
    from nncomplexity.hw.cache import Cache, cache_folder

    return None if arguments.no_cache else Cache(cache_folder() / "synth")


def _text(format: str, found: list[Mapped], without: list[tuple[str, str]], arguments: argparse.Namespace) -> str:
    if format == "json":
        return json.dumps(_document(found, without, arguments), indent=2) + "\n"
    first = found[0].synthesis
    lines = [
        render_records("table", [row for each in found for row in _taken(each)]),
        render_records("table", [row for each in found for row in _operators(each)]),
        render_records("table", [row for each in found for row in _timed(each, arguments.clock)]),
        f"{first.target} by {first.tool}: {'; '.join(first.flags)}",
        f"LUT: {first.remark}" if first.lut is not None else first.remark,
    ]
    lines += [_band(fit) for fit in [_calibration(first.target)] if fit is not None]
    lines += [f"{quoted(name)}: not synthesised: {reason}" for name, reason in without]
    drawn = f"weights that no file gives are drawn from seed {arguments.seed}"
    lines.append(f"{drawn}; kernels of one execution, schedule unrolled; not placed")
    return "\n".join(lines) + "\n"


def _taken(each: Mapped) -> Iterator[dict[str, object]]:
    guess = predicted(each)
    for key, label in ROWS.items():
        number = getattr(each.synthesis, key)
        if number is not None:
            row = {"layer": quoted(each.name), "style": each.style, "cells": label, "synthesised": f"{number:,}"}
            known = guess.get("nlg" if key == "gates" else key)
            yield {**row, "predicted": "" if known is None else f"{known:,}"}


def _operators(each: Mapped) -> Iterator[dict[str, object]]:
    for name in OPERATORS:
        counts = [None if one is None else getattr(one, name) for one in (each.declared, each.optimised)]
        shown = ["?" if number is None else f"{number:,}" for number in counts]
        row = {"layer": quoted(each.name), "operators": name.replace("_", " ")}
        yield {**row, "declared": shown[0], "optimised": shown[1]}


def _timed(each: Mapped, clock: float | None) -> Iterator[dict[str, object]]:
    for schedule in each.schedules:
        row: dict[str, object] = {"layer": quoted(each.name), "schedule": schedule.name}
        row |= {"latency": schedule.latency, "interval": schedule.interval, "executions": schedule.executions}
        row |= {"cycles": schedule.cycles}
        if clock is not None:
            row |= {f"s at {clock:g} MHz": f"{schedule.seconds(clock):.4g}"}
            row |= {"executions/s": f"{schedule.per_second(clock):.4g}"}
        yield row


def predicted(each: Mapped) -> Numbers:
    """What was predicted of a kernel, by metric; None where a price is not known."""
    target = each.synthesis.target
    found: Numbers = {}
    if _calibration(target) is not None:
        found["lut"] = _whole(each.inventory.total(lambda op: priced(op, CALIBRATED[target])))
    for key in PREDICTED[target]:
        found[key] = _whole(each.inventory.total(BY_KEY[key].weight))
    return found


def _whole(number: object) -> int | None:
    return number if isinstance(number, int) else None


def _calibration(target: str) -> Calibration | None:
    return calibration(CALIBRATED[target]) if target in CALIBRATED else None


def _band(fit: Calibration) -> str:
    return (
        f"predicted LUT: median error {fit.band.median:.0%}, nine in ten within {fit.band.ninety:.0%}, "
        f"on {fit.tested} layers that were not among the {fit.fitted} fitted ({fit.tool})"
    )


def _document(found: list[Mapped], without: list[tuple[str, str]], arguments: argparse.Namespace) -> dict[str, object]:
    first, fit = found[0].synthesis, _calibration(found[0].synthesis.target)
    band = None if fit is None else {"median": fit.band.median, "ninety": fit.band.ninety}
    return {
        "target": first.target,
        "tool": first.tool,
        "flags": list(first.flags),
        "remark": first.remark,
        "seed": arguments.seed,
        "clock_mhz": arguments.clock,
        "calibration": fit and {"tool": fit.tool, "fitted": fit.fitted, "tested": fit.tested, "band": band},
        "layers": [_plain(each, arguments.clock) for each in found],
        "without_kernel": [{"name": name, "reason": reason} for name, reason in without],
    }


def _plain(each: Mapped, clock: float | None) -> dict[str, object]:
    synthesis = each.synthesis
    return {
        "name": each.name,
        "style": each.style,
        "synthesised": {**{key: getattr(synthesis, key) for key in ROWS}, "cells": dict(synthesis.cells)},
        "predicted": predicted(each),
        "operators": {"declared": _counts(each.declared), "optimised": each.optimised and _counts(each.optimised)},
        "schedules": {schedule.name: _cycles(schedule, clock) for schedule in each.schedules},
    }


def _counts(found: Census) -> Mapping[str, int]:
    return {name: getattr(found, name) for name in OPERATORS}


def _cycles(schedule: Schedule, clock: float | None) -> dict[str, object]:
    row: dict[str, object] = {"latency": schedule.latency, "interval": schedule.interval}
    row |= {"executions": schedule.executions, "cycles": schedule.cycles}
    at = clock is not None
    row["seconds"] = schedule.seconds(clock) if clock is not None and at else None
    row["executions_per_second"] = schedule.per_second(clock) if clock is not None and at else None
    return row
