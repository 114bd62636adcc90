"""What of a report is shown, and its cells: shared by the formats that are tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError, quoted
from ..expressions import factored, is_expression
from ..metrics import BY_KEY
from ..report import Entry, Number, Report, metric_of, shown_shape
from ..shapes import Shape

__all__ = ["DEFAULT_METRICS", "Grid", "View", "grid"]

DEFAULT_METRICS = ("params", "rm", "mac", "flops", "bop", "nabs")
GROUPINGS = ("layer", "op", "role", "dtype", "module")
PREFIXES = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """by: one row per layer, op, role, dtype or module. top: only the dearest rows by the first metric.
    si: round to k, M, G instead of exact integers. ascii: plain characters only.
    symbolic: the closed form of every layer of the catalogue below the table."""

    by: str = "layer"
    metrics: tuple[str, ...] = DEFAULT_METRICS
    top: int | None = None
    si: bool = False
    ascii: bool = False
    symbolic: bool = False

    def __post_init__(self) -> None:
        if self.by not in GROUPINGS:
            raise UsageError("E-BY", f"--by '{quoted(self.by)}' is unknown; there are {', '.join(GROUPINGS)}")
        for key in self.metrics:
            metric_of(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells: names of columns, rows of text and numbers, the total, and how many rows were left out."""

    columns: tuple[str, ...]
    labels: int
    rows: tuple[tuple[str | Number, ...], ...]
    total: tuple[str | Number, ...]
    hidden: int


def grid(reports: Sequence[Report], view: View) -> Grid:
    """The cells of reports of one model, a group of metric columns for each quantization."""
    first = reports[0]
    if view.by == "layer":
        labels, keyed = _layer_labels(first), [_by_entry(report, view) for report in reports]
    else:
        keyed = [_by_group(report, view) for report in reports]
        names = dict.fromkeys(label for groups in keyed for label in groups)
        labels = {label: (label,) for label in names}
    heads = ("layer", "op", "output") if view.by == "layer" else (view.by,)
    columns = (*heads, *_headings(reports, view))
    rows = [
        (*labels[key], *(value for groups in keyed for value in groups.get(key, [0] * len(view.metrics)))) for key in labels
    ]
    hidden = 0
    if view.top is not None and len(rows) > view.top:
        hidden = len(rows) - view.top
        rows = sorted(rows, key=lambda row: _rank(row[len(heads)]), reverse=True)[: view.top]
    sums = [report.totals[key] for report in reports for key in view.metrics]
    total = ("total", *([""] * (len(heads) - 1)), *sums)
    return Grid(columns=columns, labels=len(heads), rows=tuple(rows), total=total, hidden=hidden)


def _headings(reports: Sequence[Report], view: View) -> list[str]:
    if len(reports) == 1:
        return [BY_KEY[key].heading for key in view.metrics]
    return [f"{BY_KEY[key].heading} {report.network.quantization}" for report in reports for key in view.metrics]


def _layer_labels(report: Report) -> Mapping[str, tuple[str, ...]]:
    return {str(entry.index): (_name(entry), _op(entry), _first_shape(entry.row.outputs)) for entry in report.entries}


def _by_entry(report: Report, view: View) -> dict[str, list[Number]]:
    return {str(entry.index): [entry.metrics[key] for key in view.metrics] for entry in report.entries}


def _by_group(report: Report, view: View) -> dict[str, list[Number]]:
    return {label: [totals[key] for key in view.metrics] for label, totals in report.grouped(view.by).items()}


def _name(entry: Entry) -> str:
    return quoted(entry.row.path, 48)


def _op(entry: Entry) -> str:
    row = entry.row
    marks = "" if row.repeat == 1 else f" x{row.repeat}"
    if row.status.value == "uncounted":
        marks += " (uncounted)"
    return quoted(row.op, 32) + marks


def _first_shape(shapes: Sequence[Shape | None]) -> str:
    return quoted(shown_shape(shapes[0]), 40) if shapes else ""


def _rank(value: str | Number) -> tuple[int, int]:
    # Free sizes first: nothing says they are small.
    if is_expression(value):
        return (1, 0)
    return (0, value) if isinstance(value, int) else (0, -1)


def shown_number(value: str | Number, view: View) -> str:
    """A cell: exact with thousands separators, rounded with --si, `?` where there is no value."""
    if value is None:
        return "?"
    if isinstance(value, int):
        return _rounded(value) if view.si else f"{value:,}"
    return quoted(factored(value), 200) if is_expression(value) else quoted(value, 200)


def _rounded(value: int) -> str:
    for prefix, scale in PREFIXES:
        if value >= scale:
            thousandths = (value * 1000 + scale // 2) // scale
            return f"{thousandths // 1000}.{thousandths % 1000:03d}"[:5].rstrip(".") + f" {prefix}"
    return str(value)
