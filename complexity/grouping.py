"""Rows of a report put together: by operator, by module, by the role or the number format of each operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .formats import Fixed, Format
from .measuring import Number, Totals
from .metrics import BY_KEY, Metric
from .network import Row, Status
from .ops import PRODUCTS, Inventory, Kind, Op
from .report import Entry, combined, known_values

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
    def value(key: str) -> Number:
        known = known_values(group, key)
        return combined(known, BY_KEY[key]) if known else None

    return Totals(value, tuple(BY_KEY), _uncounted(group))


def _uncounted(group: Sequence[Entry]) -> int:
    return sum(entry.status is Status.UNCOUNTED for entry in group)


def _by_operation(entries: Sequence[Entry], label: Callable[[Op], str]) -> dict[str, Totals]:
    whole = [entry for entry in entries if not entry.row.branches or entry.row.alternative]
    charged = [entry for entry in whole if not entry.row.alternative]
    counters: dict[str, dict[str, Inventory]] = {}

    def groups(metric: Metric) -> dict[str, Inventory]:
        # One grouping for all metrics that weigh the same inventories.
        key = metric.counter(entries[0].convention) if entries else ""
        if key not in counters:
            # What is kept stands behind what is computed.
            parts = [*(entry.operations_of(metric) for entry in charged), *(entry.row.storage() for entry in whole)]
            counters[key] = _joined(parts, label)
        return counters[key]

    def totals(name: str) -> Totals:
        return Totals(lambda key: _weighed(groups(BY_KEY[key]).get(name, Inventory()), BY_KEY[key]), tuple(BY_KEY))

    found = {name: totals(name) for counter in _counters(entries) for name in groups(counter)}
    if undecided := [entry for entry in entries if entry.row.branches and not entry.row.alternative]:
        found[UNDECIDED] = _totals(undecided)
    if uncounted := _uncounted(entries):
        found[UNKNOWN] = Totals(lambda _: None, tuple(BY_KEY), uncounted)
    return found


def _counters(entries: Sequence[Entry]) -> list[Metric]:
    """A metric for each counter whose operations are listed: those of the metrics the report lists."""
    if not entries:
        return []
    asked = (BY_KEY[key] for key in entries[0].listed)
    return list({metric.counter(entries[0].convention): metric for metric in asked if not metric.asked}.values())


def _joined(parts: Iterable[Inventory], label: Callable[[Op], str]) -> dict[str, Inventory]:
    groups: dict[str, Inventory] = {}
    for part in parts:
        for name, inventory in part.grouped(label).items():
            groups[name] = groups.get(name, Inventory()) + inventory
    return groups


def _weighed(inventory: Inventory, metric: Metric) -> Number:
    return None if metric.largest else inventory.total(metric.weight)


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
        return f"{_named(op.left)} x {_named(op.right)}"
    return f"{op.role.value if op.kind is Kind.STORE else op.kind.value} {_named(op.result)}"


def _named(format: Format) -> str:
    """Bits and sign, whatever the place of the binary point: int8, uint4; other formats by their names."""
    if isinstance(format, Fixed):
        return f"{'' if format.signed else 'u'}int{format.bits}"
    return str(format)
