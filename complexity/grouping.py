"""Rows of a report put together: by operator, by module, by the role or the number format of each operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .metrics import METRICS
from .network import Row, Status
from .ops import PRODUCTS, Inventory, Kind, Op
from .report import Entry, Number, combined, known_values

__all__ = ["grouped"]

Values = Mapping[str, Number]
# An If whose branches free sizes forbid to compare is a maximum: it cannot be split into operations.
UNDECIDED = "If (dearer branch)"


def grouped(entries: Sequence[Entry], key: str) -> dict[str, Values]:
    """Metric values by label. Every column sums to the report's total (a peak is one row's and has no parts)."""
    if key in ("role", "dtype"):
        return _by_operation(entries, _role if key == "role" else _number_format)
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_label(entry.row, key), []).append(entry)
    return {_marked(label, group): _totals(group) for label, group in groups.items()}


def _totals(group: Sequence[Entry]) -> Values:
    values = {metric: known_values(group, metric) for metric in METRICS}
    return {metric.key: combined(known, metric) if known else None for metric, known in values.items()}


def _marked(label: str, group: Sequence[Entry]) -> str:
    uncounted = sum(entry.row.status is Status.UNCOUNTED for entry in group)
    return f"{label} ({uncounted} uncounted)" if uncounted else label


def _by_operation(entries: Sequence[Entry], label: Callable[[Op], str]) -> dict[str, Values]:
    groups: dict[str, Inventory] = {}
    undecided: list[Entry] = []
    for entry in entries:
        row = entry.row
        if row.branches and not row.alternative:
            undecided.append(entry)
            continue
        done = Inventory() if row.alternative else entry.operations
        for name, inventory in (done + row.storage()).grouped(label).items():
            groups[name] = groups.get(name, Inventory()) + inventory
    found: dict[str, Values] = {name: _weighed(inventory) for name, inventory in groups.items()}
    return {**found, **({UNDECIDED: _totals(undecided)} if undecided else {})}


def _weighed(inventory: Inventory) -> Values:
    return {metric.key: None if metric.largest else inventory.total(metric.weight) for metric in METRICS}


def _label(row: Row, key: str) -> str:
    if key == "op":
        return row.op
    if key == "module":
        return row.path.rpartition("/")[0] or "(top)"
    return row.path


def _role(op: Op) -> str:
    return op.role.value


def _number_format(op: Op) -> str:
    if op.kind in PRODUCTS:
        return f"{op.left} x {op.right}"
    return f"{op.role.value if op.kind is Kind.STORE else op.kind.value} {op.result}"
