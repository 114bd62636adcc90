"""Markdown: a pipe table whose cells hold no live syntax."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from ..errors import quoted
from ..report import Report
from .table import notes
from .view import View, grid, shown_number

__all__ = ["render"]

LIVE = "\\`*_{}[]<>()#!|~&"


def render(reports: Sequence[Report], view: View) -> str:
    """A heading, a table and the notes for each model."""
    models = dict.fromkeys(report.network.path for report in reports)
    return "\n".join(_one([r for r in reports if r.network.path == path], view) for path in models)


def _one(reports: Sequence[Report], view: View) -> str:
    cells = grid(reports, view)
    body = [
        [dead(str(cell)) if position < cells.labels else dead(shown_number(cell, view)) for position, cell in enumerate(row)]
        for row in (*cells.rows, cells.total)
    ]
    numbers = len(cells.columns) - cells.labels
    table = tabulate(
        body,
        headers=[dead(column) for column in cells.columns],
        colalign=("left",) * cells.labels + ("right",) * numbers,
        disable_numparse=True,
        tablefmt="pipe",
    )
    lines = [f"- {dead(line.strip())}" for line in notes(reports, cells.hidden)]
    return "\n".join([f"### {dead(reports[0].network.path)}", "", table, "", *lines, ""])


def dead(text: str) -> str:
    """Text whose Markdown signs are escaped and whose line breaks are blanks."""
    safe = quoted(text.replace("\n", " ").replace("\r", " "), 200)
    return "".join(f"\\{character}" if character in LIVE else character for character in safe)
