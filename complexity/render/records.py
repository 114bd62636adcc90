"""Records of a sweep as text: a table, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from fractions import Fraction

from ..errors import quoted
from ..expressions import factored, is_expression
from ..metrics import BY_KEY

__all__ = ["FORMATS", "render_records"]

FORMATS = ("table", "json", "csv")
PLACES = 6
Record = dict[str, object]


def render_records(format: str, records: Sequence[Record]) -> str:
    """The records in a format: integers exact everywhere, with separators in the table."""
    names = list(records[0]) if records else []
    if format == "json":
        rows = ",\n  ".join(json.dumps({key: _plain(value) for key, value in record.items()}) for record in records)
        return f"[\n  {rows}\n]\n"
    if format == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([["" if value is None else _plain(value) for value in record.values()] for record in records])
        return stream.getvalue()
    # A sweep in JSON or CSV and every other command do without it.
    from tabulate import tabulate

    heads = [BY_KEY[name].heading if name in BY_KEY else quoted(name) for name in names]
    rows_shown = [[_shown(name, value) for name, value in record.items()] for record in records]
    sides = ["left" if name == "quant" else "right" for name in names]
    return str(tabulate(rows_shown, heads, tablefmt="simple", colalign=sides, disable_numparse=True)) + "\n"


def _plain(value: object) -> object:
    """As JSON and CSV hold it: an exact integer, a fraction or a formula as text, null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _shown(name: str, value: object) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        return f"{value.numerator / value.denominator:.{PLACES}f}"
    if isinstance(value, int):
        return f"{value:,}" if name in BY_KEY else str(value)
    return quoted(factored(value) if is_expression(value) else value, 200)
