"""The cells of a report: shared by the formats that are tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import quoted
from ..expressions import Size, is_expression, names, substitute
from ..measuring import Number, Totals
from ..metrics import BY_KEY
from ..report import Entry, Report, combined, shown_shape
from ..shapes import Shape
from .columns import Cell, columns
from .view import View

__all__ = ["Grid", "Line", "grid", "models"]

Values = Mapping[str, Number]
NO_LIMIT = 100_000
TYPICAL = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: its texts, its numbers, how many uncounted nodes it leaves out."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    uncounted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Headings of the text and of the number columns, the rows, and the total."""

    heads: tuple[str, ...]
    numbers: tuple[str, ...]
    lines: tuple[Line, ...]
    total: Line


@dataclass(frozen=True, slots=True)
class _Group:
    """A row before its columns are chosen: the metric values of every report."""

    labels: Callable[[int], tuple[str, ...]]
    values: Sequence[Values]
    uncounted: int = 0


def models(reports: Sequence[Report]) -> list[list[Report]]:
    """Reports of one model together, in order of first appearance."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        found.setdefault(report.network.path, []).append(report)
    return list(found.values())


def grid(reports: Sequence[Report], view: View, *, width: int = NO_LIMIT, compact: bool = True) -> Grid:
    """The cells of reports of one model, a group of metric columns for each quantization.

    width: what a layer's path is shortened to. compact: a metric equal for all quantizations has one column.
    """
    view = replace(view, metrics=(*view.metrics, *_optional(reports, view)))
    groups = _layers(reports, view) if view.by == "layer" else _grouped(reports, view)
    totals = _Group(lambda _: (), [report.totals for report in reports], reports[0].coverage.uncounted)

    def shared(key: str) -> bool:
        return compact and all(
            values[key] == group.values[0][key] for group in (*groups, totals) for values in group.values
        )

    found = columns(reports, view, shared)

    def line(group: _Group) -> Line:
        cells = tuple(column.cell(lambda index, key: group.values[index][key]) for column in found)
        return Line(labels=group.labels(width), cells=cells, uncounted=group.uncounted)

    heads = view.labels if view.by == "layer" else (view.by,)
    total = Line(labels=("total", *([""] * (len(heads) - 1))), cells=line(totals).cells, uncounted=totals.uncounted)
    shown = _dearest(groups, view, len(heads))
    return Grid(
        heads=heads,
        numbers=tuple(column.heading for column in found),
        lines=tuple(line(group) for group in shown),
        total=total,
    )


def _optional(reports: Sequence[Report], view: View) -> list[str]:
    """Metrics that are shown unasked because a model has them."""
    optional = [key for key, metric in BY_KEY.items() if metric.optional and key not in view.metrics]
    return [key for key in optional if any(report.totals[key] not in (0, None) for report in reports)]


def _layers(reports: Sequence[Report], view: View) -> list[_Group]:
    """Rows by path and by how often the path came before: formats may split a node's rows differently."""
    keyed: list[dict[tuple[str, int], Entry]] = []
    for report in reports:
        seen: dict[str, int] = {}
        entries: dict[tuple[str, int], Entry] = {}
        for entry in report.entries:
            number = seen[entry.row.path] = seen.get(entry.row.path, -1) + 1
            entries[entry.row.path, number] = entry
        keyed.append(entries)
    groups: list[_Group] = []
    for key in dict.fromkeys(key for entries in keyed for key in entries):
        found = [entries.get(key) for entries in keyed]
        first = next(entry for entry in found if entry is not None)
        values = [_nothing() if entry is None else entry.metrics for entry in found]
        groups.append(_Group(_labels(first, view), values, int(first.status.value == "uncounted")))
    return groups


def _labels(entry: Entry, view: View) -> Callable[[int], tuple[str, ...]]:
    return lambda width: tuple(_label(entry, label, width) for label in view.labels)


def _grouped(reports: Sequence[Report], view: View) -> list[_Group]:
    keyed = [report.grouped(view.by) for report in reports]

    def group(label: str) -> _Group:
        found = [groups.get(label) for groups in keyed]
        uncounted = max(totals.uncounted for totals in found if totals is not None)
        marked = f"{label} ({uncounted} uncounted)" if uncounted else label
        values = [totals or _nothing() for totals in found]
        return _Group(lambda width: (quoted(marked, max(width, 40)),), values, uncounted)

    found = [group(label) for label in dict.fromkeys(label for groups in keyed for label in groups)]
    # Of operations only those that the shown metrics speak of.
    spoken = [each for each in found if any(values[key] != 0 for values in each.values for key in view.metrics)]
    return spoken if view.by in ("role", "dtype") else found


def _nothing() -> Values:
    return dict.fromkeys(BY_KEY, 0)


def _dearest(groups: list[_Group], view: View, heads: int) -> list[_Group]:
    """The `top` rows, then the others as one, so that every column still sums to the total."""
    if view.top is None or len(groups) <= view.top:
        return groups
    key = next((key for key in view.metrics if BY_KEY[key].computed), view.metrics[0])
    ordered = sorted(groups, key=lambda group: _rank(group.values[0][key]), reverse=True)
    rest = ordered[view.top :]
    label = (f"({len(rest)} more rows)", *([""] * (heads - 1)))
    values = [_together(rest, index) for index in range(len(rest[0].values))]
    return [*ordered[: view.top], _Group(lambda _: label, values, sum(group.uncounted for group in rest))]


def _together(groups: Sequence[_Group], index: int) -> Values:
    """Several rows as one: what only an uncounted row lacks is left out, any other missing value stays missing."""
    rows = [(group.values[index], group.uncounted) for group in groups]

    def value(key: str) -> Number:
        known = [row[key] for row, uncounted in rows if row[key] is not None or not uncounted]
        return combined(known, BY_KEY[key]) if known else None

    return Totals(value, tuple(BY_KEY))


def _rank(value: Number) -> int:
    # While sizes are free, rows are compared as if each were this large.
    if is_expression(value):
        value = substitute(value, dict.fromkeys(names(value), TYPICAL))
    return value if isinstance(value, int) else -1


def _label(entry: Entry, label: str, width: int) -> str:
    row = entry.row
    if label in ("layer", "name"):
        return quoted(row.path if label == "layer" else row.name, width)
    if label == "op":
        marks = "" if row.repeat == 1 else " (not charged)" if row.alternative else f" x{_times(row.repeat)}"
        return quoted(row.op, 40) + marks + (" (uncounted)" if entry.status.value == "uncounted" else "")
    if label in ("input", "output"):
        return _first_shape(row.inputs if label == "input" else row.outputs)
    if label == "formats":
        return " ".join(f"{name}:{format}" for name, format in row.formats.items())
    return {"kind": row.kind, "status": entry.status.value, "repeat": quoted(row.repeat, 40), "detected": row.detected}[
        label
    ]


def _first_shape(shapes: Sequence[Shape | None]) -> str:
    return quoted(shown_shape(shapes[0]), 32) if shapes else ""


def _times(repeat: Size) -> str:
    return f"({quoted(repeat, 40)})" if is_expression(repeat) else str(repeat)
