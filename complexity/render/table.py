"""The terminal table: numbers with separators, about a screen wide."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import TextWrapper

from tabulate import tabulate

from ..errors import quoted
from ..expressions import factored, is_expression
from ..report import Report
from .columns import Cell
from .grid import Grid, Line, grid, models
from .notes import bound, closed_forms, notes, title
from .view import View, safe, shown_number

__all__ = ["render"]

WIDTH = 120
# Paths are shortened in the middle, step by step, until the table is as wide as a screen.
FORMULA, LONGEST = 16, 2_000
PATHS = (56, 48, 40, 32, 26, 20)
WRAPPER = TextWrapper(WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
BOLD, YELLOW, PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"


def render(reports: Sequence[Report], view: View) -> str:
    """One table a model, its quantizations side by side, with coverage and notes below."""
    return "\n".join(_one(group, view) for group in models(reports))


def _one(reports: Sequence[Report], view: View) -> str:
    formulas = _Formulas()
    for limit in (*PATHS, PATHS[-1]):
        cells = grid(reports, view, width=limit)
        lines = _table(cells, view, formulas)
        if len(lines[1]) <= WIDTH:
            break
        formulas.wanted = limit == PATHS[-1]
    heading = safe(title(reports), view)
    if view.color:
        heading, lines = f"{BOLD}{heading}{PLAIN}", _coloured(lines, cells)
    forms = ["", *closed_forms(reports[0], view)] if view.symbolic else []
    wrapped = [part for line in notes(reports) for part in WRAPPER.wrap(line)]
    below = [safe(line, view) for line in (*formulas.listed(), *wrapped, *forms)]
    return "\n".join([heading, "", *lines, "", *below]) + "\n"


class _Formulas:
    """Formulas too long for a cell, numbered in order of appearance and listed below, once they are wanted."""

    def __init__(self) -> None:
        self.wanted = False
        self._numbers: dict[str, str] = {}

    def shown(self, cell: Cell, view: View) -> str:
        """The cell, or the number of its formula."""
        text = shown_number(cell, view)
        if not self.wanted or not is_expression(cell) or len(text) <= FORMULA:
            return text
        whole = quoted(factored(cell), LONGEST)
        return self._numbers.setdefault(whole, f"[{len(self._numbers) + 1}]")

    def listed(self) -> list[str]:
        """A line a formula, and a blank one below."""
        lines = [f"{number} = {text}" for text, number in self._numbers.items()]
        return [*lines, ""] if lines else []


def _table(cells: Grid, view: View, formulas: _Formulas) -> list[str]:
    def row(line: Line) -> list[str]:
        return [*(safe(label, view) for label in line.labels), *(formulas.shown(cell, view) for cell in line.cells)]

    total = [
        *cells.total.labels,
        *(bound(formulas.shown(cell, view), cells.total.uncounted) for cell in cells.total.cells),
    ]
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
