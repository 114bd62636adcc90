"""Comma-separated values after RFC 4180: raw integers, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ..report import Report
from .columns import Cell
from .grid import Line, grid, models
from .view import View, decimal

__all__ = ["render"]

# A cell a spreadsheet would take for a formula: at its start, after blanks, or after a line break inside.
FORMULA = re.compile(r"(?:^|[\r\n])[\s\x00]*[=+\-@\t\r]")
PLACES = 6


def render(reports: Sequence[Report], view: View) -> str:
    """A row a layer (or group) and the total; a model column where there are several models.

    The last column says what the numbers leave out: the number of nodes that could not be counted.
    """
    groups = models(reports)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for position, group in enumerate(groups):
        cells = grid(group, replace(view, ratios=False), compact=False)
        prefix = [_cell(group[0].network.path)] if len(groups) > 1 else []
        if position == 0:
            writer.writerow([*(["model"] if prefix else []), *cells.heads, *cells.numbers, "uncounted"])
        for line in cells.lines:
            writer.writerow([*prefix, *_row(line), line.uncounted])
        writer.writerow([*prefix, *_row(cells.total), cells.total.uncounted])
    return buffer.getvalue()


def _row(line: Line) -> list[str | int]:
    return [_cell(cell) for cell in (*line.labels, *line.cells)]


def _cell(value: str | Cell) -> str | int:
    if isinstance(value, int):
        return value
    if isinstance(value, Fraction):
        return decimal(value, PLACES)
    text = "" if value is None else str(value)
    return f"'{text}" if FORMULA.search(text) else text
