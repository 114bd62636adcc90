"""The metric values of rows in a convention, each computed when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .errors import UsageError, did_you_mean
from .expressions import Size, maximum, total
from .formats import Fixed
from .metrics import BY_KEY, METRICS, Metric
from .network import Row, Status
from .ops import Inventory, Kind, Op, Role

__all__ = ["Measuring", "Number", "Totals", "keys_of"]

Number = Size | None
# What is known of a node whose work is not: the numbers it stores.
STORED = ("params", "weight_bits")
NOTHING = Fixed(bits=1, signed=False)
UNKNOWN = Inventory({Op(Kind.UNKNOWN, Role.ELEMENTWISE, NOTHING, NOTHING, NOTHING): 1})


def keys_of(convention: str) -> tuple[str, ...]:
    """The metrics a report lists unasked; `exact` lists the details too, predictions none."""
    listed = (metric for metric in METRICS if not metric.unlisted)
    return tuple(metric.key for metric in listed if convention == "exact" or not metric.detail)


class Totals(Mapping[str, Number]):
    """Metric values by key, also as attributes: `totals.nabs`. Every metric can be asked for; those of `keys` are
    listed. uncounted: how many rows the values leave out."""

    def __init__(self, value: Callable[[str], Number], keys: Sequence[str], uncounted: int = 0) -> None:
        self._value, self._keys, self._found = value, keys, dict[str, Number]()
        self.uncounted = uncounted

    def __getitem__(self, key: str) -> Number:
        if key not in self._found:
            if key not in BY_KEY:
                raise KeyError(key)
            self._found[key] = self._value(key)
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __getattr__(self, name: str) -> Number:
        if name not in BY_KEY:
            hint = "" if name.startswith("_") else f"; {did_you_mean(name, self)}"
            raise AttributeError(f"no metric '{name}'{hint}")
        return self[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"Totals({dict(self)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _settled, (dict(self), self.uncounted)


def _settled(values: dict[str, Number], uncounted: int) -> Totals:
    """Totals as they were copied or stored: listed values only."""
    return Totals(values.__getitem__, tuple(values), uncounted)


class Measuring:
    """Inventories and metric values of rows in one convention; what equal rows share is computed once.

    accumulator: declared width of every accumulator.
    """

    def __init__(self, convention: str, accumulator: int | None) -> None:
        self._convention, self._accumulator, self._keys = convention, accumulator, keys_of(convention)
        self._totals: dict[object, Totals] = {}
        self._inventories: dict[object, Inventory] = {}
        self._storage: dict[int, Inventory] = {}

    def inventory(self, row: Row, metric: Metric | None = None) -> Inventory:
        """What a row computes over all executions, as the counter of a metric (or of the convention) sees it."""
        counter = metric.counter(self._convention) if metric is not None else self._convention
        # Equal calls share these objects, and the network keeps them alive.
        made = (id(row.work), id(row.requantization), *map(id, row.operands.values()))
        key = (counter, made, row.repeat, row.accumulator)
        if (found := self._inventories.get(key)) is None:
            try:
                found = row.operations(counter, self._accumulator)
            except UsageError as error:
                # A detail is null where free sizes leave its widths open.
                if metric is None or not metric.detail or error.identifier != "E-EXACT-SYMBOL":
                    raise
                found = UNKNOWN * row.repeat
            self._inventories[key] = found
        return found

    def totals(self, row: Row) -> Totals:
        """The metrics of one row over all its executions."""
        own = (id(row.work), id(row.written), row.repeat, row.status, row.alternative, row.live)
        # Branches hold rows with branches.
        alone = row.branches or row.trained or row.operands or row.requantization or row.padding != 0
        key: object = id(row) if alone else own
        if (known := self._totals.get(key)) is None:
            known = self._totals[key] = Totals(lambda metric: self._measure(row, BY_KEY[metric]), self._keys)
        return known

    def _measure(self, row: Row, metric: Metric) -> Number:
        if metric.largest:
            return 0 if row.alternative else row.live
        # What is kept is nothing to a metric of operations.
        kept = 0 if metric.computed else self._stored(row).total(metric.weight)
        if row.alternative:
            return kept
        if row.branches:
            return self._dearest(row, metric, kept)
        if row.status is Status.UNCOUNTED and metric.key not in STORED and not metric.optional:
            return None
        if (row.written is None and metric.key == "activation_bits") or (
            row.padding is None and metric.key == "mac_padding"
        ):
            return None
        if not metric.computed:
            return kept
        done = self.inventory(row, metric).total(metric.weight)
        return None if done is None or kept is None else done + kept

    def _stored(self, row: Row) -> Inventory:
        if (found := self._storage.get(id(row))) is None:
            found = self._storage[id(row)] = row.storage()
        return found

    def _dearest(self, row: Row, metric: Metric, stored: Number) -> Number:
        totals = [self._sum(branch, metric) for branch in row.branches]
        known = [total for total in totals if total is not None]
        if len(known) < len(totals) or stored is None:
            return None
        # Hardware is there once, however often it runs.
        times = 1 if metric.always == "kernel" else row.repeat
        return maximum(*known) * times + stored

    def _sum(self, rows: Sequence[Row], metric: Metric) -> Number:
        values = [self.totals(row)[metric.key] for row in rows]
        known = [value for value in values if value is not None]
        return total(known) if len(known) == len(values) else None
