"""The terminal table: numbers with separators, about a screen wide."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from ..errors import quoted
from ..report import Report
from .grid import Grid, Line, grid, models
from .notes import bound, closed_forms, notes, title
from .view import View, safe, shown_number

__all__ = ["render"]

WIDTH = 120
# Paths are shortened in the middle, step by step, until the table is as wide as a screen.
PATHS = (56, 48, 40, 32, 26, 20)
BOLD, YELLOW, PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"


def render(reports: Sequence[Report], view: View) -> str:
    """One table a model, its quantizations side by side, with coverage and notes below."""
    return "\n".join(_one(group, view) for group in models(reports))


def _one(reports: Sequence[Report], view: View) -> str:
    for limit in PATHS:
        cells = grid(reports, view, width=limit)
        lines = _table(cells, view, reports[0].coverage.uncounted)
        if len(lines[0]) <= WIDTH:
            break
    heading = safe(title(reports), view)
    if view.color:
        heading, lines = f"{BOLD}{heading}{PLAIN}", _coloured(lines, cells)
    forms = ["", *closed_forms(reports[0], view)] if view.symbolic else []
    below = [safe(line, view) for line in (*notes(reports), *forms)]
    return "\n".join([heading, "", *lines, "", *below]) + "\n"


def _table(cells: Grid, view: View, uncounted: int) -> list[str]:
    def row(line: Line) -> list[str]:
        return [*(safe(label, view) for label in line.labels), *(shown_number(cell, view) for cell in line.cells)]

    total = [*cells.total.labels, *(bound(shown_number(cell, view), uncounted) for cell in cells.total.cells)]
    lines = tabulate(
        [*(row(line) for line in cells.lines), total],
        headers=[safe(quoted(head), view) for head in (*cells.heads, *cells.numbers)],
        colalign=("left",) * len(cells.heads) + ("right",) * len(cells.numbers),
        disable_numparse=True,
        tablefmt="simple",
    ).splitlines()
    # The total stands under a rule of its own.
    lines.insert(len(lines) - 1, lines[1])
    return [line.rstrip() for line in lines]


def _coloured(lines: Sequence[str], cells: Grid) -> list[str]:
    painted = list(lines)
    for index, line in enumerate(cells.lines, start=2):
        if line.uncounted:
            painted[index] = f"{YELLOW}{painted[index]}{PLAIN}"
    for index in (0, -1):
        painted[index] = f"{BOLD}{painted[index]}{PLAIN}"
    return painted
