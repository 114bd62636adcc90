"""Comma-separated values after RFC 4180: raw integers, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..report import Number, Report
from .view import View, grid

__all__ = ["render"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render(reports: Sequence[Report], view: View) -> str:
    """A row a layer (or group) and the total; a model column where there are several models."""
    models = dict.fromkeys(report.network.path for report in reports)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for position, path in enumerate(models):
        cells = grid([report for report in reports if report.network.path == path], view)
        prefix = [path] if len(models) > 1 else []
        if position == 0:
            writer.writerow([*(["model"] if prefix else []), *cells.columns])
        for row in (*cells.rows, cells.total):
            writer.writerow([_cell(cell) for cell in (*prefix, *row)])
    return buffer.getvalue()


def _cell(value: str | Number) -> str | int:
    if isinstance(value, int):
        return value
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text
