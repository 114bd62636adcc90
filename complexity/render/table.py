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
# What a path is shortened to at most and at least shown of.
PATHS = (20, 64)
FORMULA, LONGEST = 16, 2_000
WRAPPER = TextWrapper(WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
BOLD, YELLOW, PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"


def render(reports: Sequence[Report], view: View) -> str:
    """One table a model, its quantizations side by side, with coverage and notes below."""
    return "\n".join(_one(group, view) for group in models(reports))


def _one(reports: Sequence[Report], view: View) -> str:
    cells = grid(reports, view)
    formulas = _Formulas()
    rows = _rows(cells, view, formulas)
    if _width(rows) - _longest(rows) + PATHS[0] > WIDTH:
        formulas.wanted = True
        rows = _rows(cells, view, formulas)
    # Paths are shortened in the middle until the table is as wide as a screen, and never to less than says anything.
    limit = min(max(_longest(rows) - max(_width(rows) - WIDTH, 0), PATHS[0]), PATHS[1])
    lines = _table(cells, [[safe(quoted(first, limit), view), *rest] for first, *rest in rows])
    heading = safe(title(reports), view)
    if view.color:
        heading, lines = f"{BOLD}{heading}{PLAIN}", _coloured(lines, cells)
    forms = ["", *closed_forms(reports[0], view)] if view.symbolic else []
    wrapped = [part for line in notes(reports) for part in WRAPPER.wrap(line)]
    below = [safe(line, view) for line in (*formulas.listed(), *wrapped, *forms)]
    return "\n".join([heading, "", *lines, "", *below]) + "\n"


def _rows(cells: Grid, view: View, formulas: _Formulas) -> list[list[str]]:
    """All texts but the first of a row as they are printed: the headings, the rows, the total."""

    def row(line: Line) -> list[str]:
        numbers = [formulas.shown(cell, view) for cell in line.cells]
        shown = [bound(number, line.uncounted) for number in numbers] if line is cells.total else numbers
        return [line.labels[0], *(safe(label, view) for label in line.labels[1:]), *shown]

    heads = [safe(quoted(head), view) for head in (*cells.heads, *cells.numbers)]
    return [heads, *(row(line) for line in (*cells.lines, cells.total))]


def _width(rows: Sequence[Sequence[str]]) -> int:
    # tabulate gives a heading two blanks more than it needs.
    heads, body = [len(head) + 2 for head in rows[0]], zip(*rows[1:], strict=True)
    return sum(max(head, *map(len, column)) + 2 for head, column in zip(heads, body, strict=True)) - 2


def _longest(rows: Sequence[Sequence[str]]) -> int:
    return max(len(row[0]) for row in rows)


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


def _table(cells: Grid, rows: Sequence[Sequence[str]]) -> list[str]:
    lines = tabulate(
        rows[1:],
        headers=rows[0],
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
