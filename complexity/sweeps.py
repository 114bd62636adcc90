"""Costs over ranges of sizes and formats: one record a point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product

from .accounting import count
from .catalogue import Network, network_of, row_of, widths_of
from .errors import UsageError, quoted
from .expressions import maximum, total
from .layers.layer import Layer
from .metrics import Metric
from .parsers.quantization_file import read_quantization
from .quantization import Quantization
from .report import Number, check_convention, metric_of

__all__ = ["METRICS", "Factory", "Record", "cost", "measure", "sweep"]

METRICS = ("params", "rm", "mac", "flops", "bop", "nabs")
Record = dict[str, object]
Factory = Callable[..., "Network | Layer | Sequence[Layer]"]
NETWORK = "network"


def sweep(
    factory: Factory,
    *,
    quant: Sequence[str] | str = ("model",),
    metrics: Sequence[str] = METRICS,
    convention: str = "paper",
    **grids: Iterable[object],
) -> list[Record]:
    """What `factory(**point)` costs at every point of the grids, the last grid fastest, each under every quantization.

    Records hold the point, `quant` and the metrics as exact integers; None where a metric is undefined.
    Raises UsageError for an unknown metric or convention, QuantizationError for a quantization.
    """
    check_convention(convention)
    wanted = [metric_of(key) for key in metrics]
    formats = [read_quantization(text) for text in ([quant] if isinstance(quant, str) else quant)]
    if overlapping := {"quant", *metrics} & set(grids):
        raise UsageError("E-SWEEP-NAME", f"a grid cannot be called '{quoted(min(overlapping))}': a column is")
    values = {name: _values(name, grid) for name, grid in grids.items()}
    records: list[Record] = []
    for point in product(*values.values()):
        named = dict(zip(values, point, strict=True))
        network = network_of(factory(**named))
        for quantization in formats:
            costs = measure(network, wanted, quantization, convention)
            records.append({**named, "quant": quantization.text, **costs})
    return records


def cost(network: Network, metric: str, *, quant: str = "model", convention: str = "paper") -> Number:
    """One metric of a network."""
    return measure(network, [metric_of(metric)], read_quantization(quant), convention)[metric]


def measure(
    network: Network, metrics: Sequence[Metric], quantization: Quantization, convention: str
) -> dict[str, Number]:
    """Metrics of a network without a report: operations from the layer cache, storage only where a metric asks."""
    width = network.accumulator(quantization)
    found: dict[str, list[Number]] = {metric.key: [] for metric in metrics}
    stored = any(not metric.computed for metric in metrics)
    for part in network.parts(quantization):
        counters = {metric.counter(convention) for metric in metrics if metric.computed}
        work = {counter: count(part.layer, counter, part.accumulator or width, widths_of(part)) for counter in counters}
        row = row_of(part) if stored else None
        for metric in metrics:
            if metric.computed:
                value = work[metric.counter(convention)].total(metric.weight)
            elif row is not None:
                value = row.live if metric.largest else row.storage().total(metric.weight)
            found[metric.key].append(value)
    return {metric.key: _combined(found[metric.key], metric) for metric in metrics}


def _combined(values: Sequence[Number], metric: Metric) -> Number:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return maximum(*known) if metric.largest else total(known)


def _values(name: str, grid: object) -> list[object]:
    if isinstance(grid, Iterable) and not isinstance(grid, str | Mapping):
        return list(grid)
    raise UsageError("E-SWEEP-GRID", f"{quoted(name)} is {quoted(grid)}, expected a range or a list of values")
