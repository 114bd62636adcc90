"""A report: what every node and the whole cost, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .accounting import CONVENTIONS, statistics_of
from .assumptions import assumptions_of
from .errors import ComplexityError, UsageError, did_you_mean, quoted
from .expressions import is_expression, maximum, total
from .measuring import Measuring, Number, Totals, keys_of
from .metrics import BY_KEY, Metric
from .network import Network, Row, Status
from .ops import Inventory
from .shapes import Shape

if TYPE_CHECKING:
    from .formulas import Formula
    from .weights.histogram import FloatStatistics, Statistics

# The matrices of a linear operator, each gate's of a recurrent one; biases and factors are none.
WEIGHTS = ("weight", "recurrent")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the network the totals speak of."""

    nodes: int
    counted: int
    free: int
    uncounted: int


class Entry:
    """One row of a report: a node with its metrics; metrics are attributes too (`entry.rm`)."""

    def __init__(self, index: int, row: Row, report: Report) -> None:
        self.index = index
        self.row = row
        self._report = report

    @cached_property
    def metrics(self) -> Totals:
        """Metric values over all executions; None where unknown or undefined."""
        return self._report.measuring.totals(self.row)

    @cached_property
    def operations(self) -> Inventory:
        """What the node computes over all executions."""
        return self._report.measuring.inventory(self.row)

    @property
    def weights(self) -> Statistics | FloatStatistics | None:
        """Zeros, powers of two, signed digits … of the weights of a linear operator; None where they are not known.

        Reads the weights.
        """
        return statistics_of([matrix for name, matrix in self.row.operands.items() if name.startswith(WEIGHTS)])

    def operations_of(self, metric: Metric) -> Inventory:
        """The same as the counter sees it that a metric prices."""
        return self._report.measuring.inventory(self.row, metric)

    @property
    def convention(self) -> str:
        """The report's convention."""
        return self._report.convention

    @property
    def listed(self) -> tuple[str, ...]:
        """The metrics the report lists."""
        return self._report.listed

    @property
    def status(self) -> Status:
        """counted, free or uncounted, in the report's convention."""
        return self.row.standing(self._report.convention)

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
        return f"<{quoted(self.row.path)} ({quoted(self.row.op)}): {shown or self.status.value}>"

    def formula(self, metric: str = "rm") -> Formula:
        """The closed form of a metric in the literature's letters. Raises UsageError for a row without one."""
        from .formulas import closed_form

        return closed_form(self.row, metric_of(metric))


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a network costs in one counting convention. Indexed by a node's name or path.

    asked: metrics asked for by name, which are listed beside the usual ones even where they are costly.
    """

    network: Network
    convention: str = "paper"
    asked: tuple[str, ...] = ()

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
        return Totals(lambda key: self._total(metric_of(key)), keys_of(self.convention), self.coverage.uncounted)

    @cached_property
    def coverage(self) -> Coverage:
        """Stored nodes by status, the worst one where a node has several rows."""
        worst = [Status.FREE, Status.COUNTED, Status.UNCOUNTED]
        status: dict[str, Status] = {}
        for entry in self.entries:
            place = entry.row.place
            status[place] = max(status.get(place, entry.status), entry.status, key=worst.index)
        found = list(status.values())
        return Coverage(
            nodes=len(found),
            counted=found.count(Status.COUNTED),
            free=found.count(Status.FREE),
            uncounted=found.count(Status.UNCOUNTED),
        )

    def nulls(self, metrics: Iterable[str]) -> dict[str, int]:
        """Rows without a value, by metric, for metrics that have such rows."""
        missing = {key: sum(entry.metrics[key] is None for entry in self.entries) for key in metrics}
        return {key: rows for key, rows in missing.items() if rows}

    def __getitem__(self, key: str) -> Entry:
        for entry in self.entries:
            if key in (entry.row.name, entry.row.path, *entry.row.paths):
                return entry
        for entry in self.entries:
            if entry.row.path.split("/")[0] == key and entry.status is Status.COUNTED:
                return entry
        hint = did_you_mean(key, dict.fromkeys(entry.row.path for entry in self.entries))
        raise KeyError(f"no row '{quoted(key)}'; {hint}")

    def _ipython_key_completions_(self) -> list[str]:
        return [entry.name for entry in self.entries]

    @property
    def listed(self) -> tuple[str, ...]:
        """The metrics of the convention, and those asked for; costly ones only then."""
        keys = dict.fromkeys((*self.totals, *self.asked))
        return tuple(key for key in keys if not BY_KEY[key].asked or key in self.asked)

    @cached_property
    def measuring(self) -> Measuring:
        """Inventories and metric values of rows in this convention."""
        return Measuring(self.convention, self.network.accumulator)

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
            if entry.status is Status.UNCOUNTED:
                fact = f"is uncounted: {entry.row.reason}"
                node = f"node '{quoted(entry.row.path)}' ({quoted(entry.row.op, 40)})"
                found.append(ComplexityError("E-STRICT-UNCOUNTED", fact).at(node).at(place))
        found.extend(ComplexityError("E-STRICT-CONTRADICTION", text).at(place) for text in self.network.contradictions)
        for key in metrics:
            if rows := self.nulls([key]).get(key):
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
                "status": entry.status.value,
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
    values = [(entry.metrics[key], entry.status) for entry in entries]
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
