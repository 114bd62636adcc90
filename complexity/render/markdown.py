"""Markdown: a pipe table whose cells hold no live syntax."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from ..errors import quoted
from ..report import Report
from .grid import Line, grid, models
from .notes import bound, closed_forms, notes, title
from .view import View, shown_number

__all__ = ["render"]

LIVE = "\\`*_{}[]<>#!|~&$"
# What some renderers make a link of without any sign: an address.
ADDRESS = re.compile(r":(?=//)|(?<=\bwww)\.", re.IGNORECASE)
PATH = 80


def render(reports: Sequence[Report], view: View) -> str:
    """A heading, how it was counted, a table and the notes for each model."""
    return "\n".join(_one(group, view) for group in models(reports))


def _one(reports: Sequence[Report], view: View) -> str:
    cells = grid(reports, view, width=PATH)

    def row(line: Line) -> list[str]:
        return [*map(dead, line.labels), *(dead(shown_number(cell, view)) for cell in line.cells)]

    total = [
        *cells.total.labels,
        *(dead(bound(shown_number(cell, view), cells.total.uncounted)) for cell in cells.total.cells),
    ]
    table = tabulate(
        [*(row(line) for line in cells.lines), [f"**{cell}**" if cell else "" for cell in total]],
        headers=[dead(column) for column in (*cells.heads, *cells.numbers)],
        colalign=("left",) * len(cells.heads) + ("right",) * len(cells.numbers),
        disable_numparse=True,
        tablefmt="pipe",
    )
    name, *rest = title(reports).split(" | ")
    lines = [f"{'  ' * line.startswith('  ')}- {dead(line.strip())}" for line in notes(reports)]
    forms = ["", "```text", *closed_forms(reports[0], view), "```"] if view.symbolic else []
    return "\n".join([f"### {dead(name)}", "", dead(", ".join(rest)), "", table, "", *lines, *forms, ""])


def dead(text: str) -> str:
    """Text whose Markdown signs are escaped and whose line breaks are blanks."""
    safe = quoted(text.replace("\n", " ").replace("\r", " "), 240)
    escaped = "".join(f"\\{character}" if character in LIVE else character for character in safe)
    return ADDRESS.sub(lambda sign: f"\\{sign[0]}", escaped)
