"""What goes to stderr: one line an error, one line a note."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from nncomplexity.errors import ComplexityError, quoted
from nncomplexity.report import Report

__all__ = ["print_bug", "print_error", "print_errors", "print_notes"]

SHOWN = 20
WARNINGS = 5


def print_error(error: ComplexityError) -> None:
    """The error line: `nncomplexity: error: WHERE: FACT [E-ID]`."""
    print(f"nncomplexity: error: {error}", file=sys.stderr)


def print_errors(errors: Sequence[ComplexityError]) -> None:
    """The first error lines, and how many more there are."""
    for error in errors[:SHOWN]:
        print_error(error)
    if len(errors) > SHOWN:
        print(f"nncomplexity: error: and {len(errors) - SHOWN} more", file=sys.stderr)


def print_bug(error: BaseException, place: str = "") -> None:
    """A fault of this program, without a traceback."""
    fact = f"internal error ({type(error).__name__}); rerun with --debug"
    bug = ComplexityError("E-BUG", fact)
    print_error(bug.at(quoted(place)) if place else bug)


def print_notes(reports: Iterable[Report]) -> None:
    """Warnings of each model, and how to bind its free dims."""
    for report in {report.network.path: report for report in reports}.values():
        network = report.network
        place = "standard input" if network.path == "-" else quoted(network.path)
        for warning in network.warnings[:WARNINGS]:
            print(f"note: {place}: {quoted(warning, 200)}", file=sys.stderr)
        if len(network.warnings) > WARNINGS:
            print(f"note: {place}: and {len(network.warnings) - WARNINGS} more warnings in -f json", file=sys.stderr)
        if network.free:
            print(f"note: {place}: {_free(network.free)}", file=sys.stderr)


def _free(names: Sequence[str]) -> str:
    listed = ", ".join(quoted(name, 40) for name in names[:8]) + (" …" if len(names) > 8 else "")
    example = " ".join(f"--dim {quoted(name, 40)}=16" for name in names[:2])
    return f"{len(names)} dim{'s are' if len(names) > 1 else ' is'} free: {listed}; bind with {example}"
