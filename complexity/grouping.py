"""Rows of a report put together: by operator, by module, by the role or the number format of each operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .metrics import METRICS
from .network import Row, Status
from .ops import PRODUCTS, Inventory, Kind, Op
from .report import Entry, Totals, combined, known_values

__all__ = ["grouped"]

# An If whose branches free sizes forbid to compare is a maximum: it cannot be split into operations.
UNDECIDED = "If: dearer branch"
UNKNOWN = "unknown"


def grouped(entries: Sequence[Entry], key: str) -> dict[str, Totals]:
    """Metric values by label. Every column sums to the report's total (a peak is one row's and has no parts)."""
    if key in ("role", "dtype"):
        return _by_operation(entries, _role if key == "role" else _number_format)
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_label(entry.row, key), []).append(entry)
    return {label: _totals(group) for label, group in groups.items()}


def _totals(group: Sequence[Entry]) -> Totals:
    values = {metric: known_values(group, metric.key) for metric in METRICS}
    return Totals(
        {metric.key: combined(known, metric) if known else None for metric, known in values.items()}, _uncounted(group)
    )


def _uncounted(group: Sequence[Entry]) -> int:
    return sum(entry.row.status is Status.UNCOUNTED for entry in group)


def _by_operation(entries: Sequence[Entry], label: Callable[[Op], str]) -> dict[str, Totals]:
    whole = [entry for entry in entries if not entry.row.branches or entry.row.alternative]
    parts = [entry.operations for entry in whole if not entry.row.alternative]
    # What is kept stands behind what is computed.
    parts.extend(entry.row.storage() for entry in whole)
    groups: dict[str, Inventory] = {}
    for part in parts:
        for name, inventory in part.grouped(label).items():
            groups[name] = groups.get(name, Inventory()) + inventory
    found = {name: _weighed(inventory) for name, inventory in groups.items()}
    if undecided := [entry for entry in entries if entry.row.branches and not entry.row.alternative]:
        found[UNDECIDED] = _totals(undecided)
    if uncounted := _uncounted(entries):
        found[UNKNOWN] = Totals({metric.key: None for metric in METRICS}, uncounted)
    return found


def _weighed(inventory: Inventory) -> Totals:
    return Totals({metric.key: None if metric.largest else inventory.total(metric.weight) for metric in METRICS})


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
