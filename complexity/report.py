"""A report: what every node and the whole cost, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from .accounting import CONVENTIONS
from .assumptions import assumptions_of
from .errors import ComplexityError, UsageError, did_you_mean, quoted
from .expressions import Size, is_expression, maximum, total
from .metrics import BY_KEY, METRICS, Metric, peak_activation_bits
from .network import Network, Row, Status
from .ops import Inventory
from .shapes import Shape

if TYPE_CHECKING:
    from .formulas import Formula

__all__ = [
    "Coverage",
    "Entry",
    "Number",
    "Report",
    "Totals",
    "check_convention",
    "combined",
    "known_values",
    "metric_of",
    "plain",
]

Number = Size | None
PEAK = peak_activation_bits.METRIC.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the network the totals speak of. null: rows without a value, by metric."""

    nodes: int
    counted: int
    free: int
    uncounted: int
    null: Mapping[str, int] = field(default_factory=dict)


class Totals(dict[str, Number]):
    """Metric values by key, also as attributes: `totals.nabs`. uncounted: how many rows they leave out."""

    def __init__(self, values: Mapping[str, Number], uncounted: int = 0) -> None:
        super().__init__(values)
        self.uncounted = uncounted

    def __getattr__(self, name: str) -> Number:
        if name not in self:
            raise AttributeError(f"no metric '{name}'; {did_you_mean(name, self)}")
        return self[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"Totals({super().__repr__()})"


class Entry:
    """One row of a report: a node with its metrics; metrics are attributes too (`entry.rm`)."""

    def __init__(self, index: int, row: Row, report: Report) -> None:
        self.index = index
        self.row = row
        self._report = report

    @cached_property
    def metrics(self) -> Totals:
        """Metric values over all executions; None where unknown or undefined."""
        return self._report.measured(self.row)

    @cached_property
    def operations(self) -> Inventory:
        """What the node computes over all executions."""
        return self.row.operations(self._report.convention, self._report.network.accumulator)

    @property
    def name(self) -> str:
        """The node's name."""
        return self.row.name

    def __getattr__(self, name: str) -> Number:
        if name in BY_KEY:
            return self.metrics[name]
        raise AttributeError(f"a report row has no '{name}'")

    def __repr__(self) -> str:
        shown = ", ".join(f"{key}={value}" for key, value in self.metrics.items() if value != 0)
        return f"<{quoted(self.row.path)} ({quoted(self.row.op)}): {shown or self.row.status.value}>"

    def formula(self, metric: str = "rm") -> Formula:
        """The closed form of a metric in the literature's letters. Raises UsageError for a row without one."""
        from .formulas import closed_form

        return closed_form(self.row, metric_of(metric))


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a network costs in one counting convention. Indexed by a node's name or path."""

    network: Network
    convention: str = "paper"

    def __post_init__(self) -> None:
        check_convention(self.convention)
        if self.convention == "exact" and self.network.free:
            names = ", ".join(quoted(name, 40) for name in self.network.free[:5])
            fact = f"the exact convention needs integers; bind with --dim: {names}"
            raise UsageError("E-EXACT-SYMBOL", fact).at(quoted(self.network.path))

    def __deepcopy__(self, memo: object) -> Report:
        return self  # immutable, and it may hold a mapped file

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All rows in file order."""
        return tuple(Entry(index, row, self) for index, row in enumerate(self.network.rows))

    @cached_property
    def totals(self) -> Totals:
        """Sums over rows (the largest row for a peak); None where a counted row has no value."""
        return Totals({metric.key: self._total(metric) for metric in METRICS}, self.coverage.uncounted)

    @cached_property
    def coverage(self) -> Coverage:
        """Stored nodes by status, the worst one where a node has several rows."""
        worst = [Status.FREE, Status.COUNTED, Status.UNCOUNTED]
        status: dict[str, Status] = {}
        for row in self.network.rows:
            status[row.place] = max(status.get(row.place, row.status), row.status, key=worst.index)
        found = list(status.values())
        null = {
            metric.key: missing
            for metric in METRICS
            if (missing := sum(entry.metrics[metric.key] is None for entry in self.entries))
        }
        return Coverage(
            nodes=len(found),
            counted=found.count(Status.COUNTED),
            free=found.count(Status.FREE),
            uncounted=found.count(Status.UNCOUNTED),
            null=null,
        )

    def __getitem__(self, key: str) -> Entry:
        for entry in self.entries:
            if key in (entry.row.name, entry.row.path, *entry.row.paths):
                return entry
        for entry in self.entries:
            if entry.row.path.split("/")[0] == key and entry.row.status is Status.COUNTED:
                return entry
        hint = did_you_mean(key, dict.fromkeys(entry.row.path for entry in self.entries))
        raise KeyError(f"no row '{quoted(key)}'; {hint}")

    def _ipython_key_completions_(self) -> list[str]:
        return [entry.name for entry in self.entries]

    def measured(self, row: Row) -> Totals:
        """The metrics of one row over all its executions; computed once for rows of equal work."""
        # Equal calls share these objects, and the network keeps them alive. Branches hold rows with branches.
        own = (id(row.work), id(row.written), row.repeat, row.status, row.alternative)
        key: object = id(row) if row.branches or row.trained else own
        if (known := self._known.get(key)) is None:
            known = self._known[key] = self._weighed(row)
        return Totals({**known, PEAK: 0 if row.alternative else row.live})

    @cached_property
    def _known(self) -> dict[object, Totals]:
        return {}

    def _weighed(self, row: Row) -> Totals:
        stored = row.storage()
        computed = row.operations(self.convention, self.network.accumulator)
        return Totals({metric.key: self._measure(row, metric, stored, computed) for metric in METRICS})

    def _measure(self, row: Row, metric: Metric, stored: Inventory, computed: Inventory) -> Number:
        if metric.largest:
            return 0 if row.alternative else row.live
        kept = stored.total(metric.weight)
        if row.alternative:
            return kept
        if row.branches:
            return self._dearest(row, metric, kept)
        if row.status is Status.UNCOUNTED and metric.key not in ("params", "weight_bits") and not metric.optional:
            return None
        if row.written is None and metric.key == "activation_bits":
            return None
        done = computed.total(metric.weight)
        return None if done is None or kept is None else done + kept

    def _dearest(self, row: Row, metric: Metric, stored: Number) -> Number:
        totals = [self._sum(branch, metric) for branch in row.branches]
        known = [total for total in totals if total is not None]
        return None if len(known) < len(totals) or stored is None else maximum(*known) * row.repeat + stored

    def _sum(self, rows: Sequence[Row], metric: Metric) -> Number:
        values = [self.measured(row)[metric.key] for row in rows]
        known = [value for value in values if value is not None]
        return total(known) if len(known) == len(values) else None

    def _total(self, metric: Metric) -> Number:
        found = combined(known_values(self.entries, metric.key), metric)
        # Nothing counted beside something uncounted is not zero.
        return None if found == 0 and self.coverage.uncounted else found

    @property
    def symbolic(self) -> bool:
        """Whether a total still holds a free size."""
        return any(is_expression(value) for value in self.totals.values())

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the numbers take for granted, one line each."""
        return (*self.network.assumptions, *assumptions_of(self))

    def refusals(self, metrics: Iterable[str] = ()) -> list[ComplexityError]:
        """What `--strict` fails on: uncounted rows, contradictions in the file, nulls in the metrics asked for."""
        place = quoted(self.network.path)
        found: list[ComplexityError] = []
        for entry in self.entries:
            if entry.row.status is Status.UNCOUNTED:
                fact = f"is uncounted: {entry.row.reason}"
                node = f"node '{quoted(entry.row.path)}' ({quoted(entry.row.op, 40)})"
                found.append(ComplexityError("E-STRICT-UNCOUNTED", fact).at(node).at(place))
        found.extend(ComplexityError("E-STRICT-CONTRADICTION", text).at(place) for text in self.network.contradictions)
        for key in metrics:
            if rows := self.coverage.null.get(key):
                found.append(ComplexityError("E-STRICT-NULL", f"{key} has no value in {rows} rows").at(place))
        return found

    def grouped(self, key: str) -> dict[str, Totals]:
        """Totals by `layer`, `op`, `module`, `role` or `dtype`, each with the number of rows it leaves out."""
        from .grouping import grouped

        return grouped(self.entries, key)

    def to_dict(self) -> dict[str, object]:
        """The report as plain data: the JSON hub format `nncomplexity.report/1`."""
        from .document import document

        return document(self)

    def to_json(self) -> str:
        """The report as JSON text: exact integers, ASCII, strict."""
        from .document import text

        return text(self)

    def to_records(self) -> list[dict[str, object]]:
        """One flat dictionary per row."""
        return [
            {
                "index": entry.index,
                "name": entry.row.name,
                "path": entry.row.path,
                "op": entry.row.op,
                "status": entry.row.status.value,
                **{key: plain(value) for key, value in entry.metrics.items()},
            }
            for entry in self.entries
        ]

    def to_pandas(self) -> object:
        """The records as a pandas DataFrame; pandas is imported here and nowhere else."""
        try:
            import pandas
        except ImportError:
            raise UsageError(
                "E-PANDAS", "to_pandas needs pandas: pip install pandas; to_records needs nothing"
            ) from None
        return pandas.DataFrame(self.to_records())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from .render import render

        return {"text/plain": render("table", [self]), "text/markdown": render("markdown", [self])}

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        from .render import render

        return render("table", [self])


def metric_of(key: str) -> Metric:
    """The metric of a key. Raises UsageError E-METRIC with the known keys."""
    if key not in BY_KEY:
        raise UsageError("E-METRIC", f"metric '{quoted(key)}' is unknown; {did_you_mean(key, BY_KEY)}")
    return BY_KEY[key]


def check_convention(name: str) -> None:
    """Refuse a counting convention that does not exist."""
    if name not in CONVENTIONS:
        raise UsageError(
            "E-CONVENTION", f"convention '{quoted(name)}' is unknown; there are {' and '.join(CONVENTIONS)}"
        )


def plain(value: Number) -> int | str | None:
    """A metric value as JSON holds it: an exact integer, a formula as text, or null."""
    return str(value) if is_expression(value) else value if isinstance(value, int) else None


def known_values(entries: Iterable[Entry], key: str) -> list[Number]:
    """Values of rows, without the ones that are missing because the row is uncounted."""
    values = [(entry.metrics[key], entry.row.status) for entry in entries]
    return [value for value, status in values if value is not None or status is not Status.UNCOUNTED]


def combined(values: Sequence[Number], metric: Metric) -> Number:
    """Values of several rows as one: their sum, or the largest for a peak; None where one is."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return maximum(0, *dict.fromkeys(known)) if metric.largest else total(known)


def shown_shape(shape: Shape | None) -> str:
    """A shape as it is written in tables: 1x3x224x224, `scalar`, `?`."""
    if shape is None:
        return "?"
    sizes = [f"({size})" if is_expression(size) and " " in str(size) else str(size) for size in shape]
    return "x".join(sizes) or "scalar"
