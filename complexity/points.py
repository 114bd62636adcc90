"""Sweeps asked for in words: a kind or a specification, parameters as ranges, and the nearest point to a cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import mul

from .catalogue import SUFFIXES, Network
from .errors import UsageError, did_you_mean, quoted
from .kinds import fields_of
from .layers import LAYERS
from .parsers.fields import layer_of
from .parsers.spec import read_spec
from .sweeps import Record

__all__ = ["Grid", "factory_of", "nearest", "parse_grid"]

POINTS = 1_000_000
# What the columns and options of a sweep are called already.
RESERVED = frozenset({"convention", "factory", "metrics", "quant", "ratio"})
DIGITS = 18


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of one parameter. ranged: it was given as a range."""

    name: str
    values: Sequence[object]
    ranged: bool = True


def parse_grid(text: str) -> Grid:
    """`NAME=FROM:TO[:STEP]`, TO included; `NAME=VALUE` is one value: an integer, true, false or a text."""
    name, sign, value = text.partition("=")
    if not sign or not name or not value:
        raise UsageError("E-SWEEP-PARAMETER", f"-P '{quoted(text)}' is not NAME=FROM:TO[:STEP] or NAME=VALUE")
    parts = value.split(":")
    if len(parts) == 1:
        words: dict[str, object] = {"true": True, "false": False}
        return Grid(name, [words.get(value, int(value) if _whole(value) else value)], ranged=False)
    if len(parts) > 3 or not all(_whole(part) for part in parts):
        fact = f"-P '{quoted(text)}': FROM, TO and STEP are integers of at most {DIGITS} digits"
        raise UsageError("E-SWEEP-PARAMETER", fact)
    first, last, step = (*map(int, parts), 1)[:3]
    if step < 1 or last < first:
        raise UsageError("E-SWEEP-PARAMETER", f"-P '{quoted(text)}': expected FROM <= TO and STEP of at least 1")
    return Grid(name, range(first, last + 1, step))


def factory_of(source: str, grids: Sequence[Grid]) -> Callable[..., Network]:
    """What makes the network of a point. Raises UsageError for parameters the kind or the spec does not know."""
    names = [grid.name for grid in grids]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError("E-SWEEP-PARAMETER", f"-P: '{quoted(twice)}' is given twice")
    if taken := next((name for name in names if name in RESERVED), None):
        raise UsageError("E-SWEEP-NAME", f"-P: a sweep calls something else '{quoted(taken)}'; rename the size")
    count = reduce(mul, (len(grid.values) for grid in grids), 1)
    if count > POINTS:
        raise UsageError("E-SWEEP-LIMIT", f"the parameters span {count} points, the limit is {POINTS}")
    if source.lower().endswith(SUFFIXES):
        return _of_spec(read_spec(source), grids)
    if source not in LAYERS:
        fact = f"'{quoted(source)}' is neither a layer kind nor a .toml or .json file; {did_you_mean(source, LAYERS)}"
        raise UsageError("E-SWEEP-KIND", fact)
    for name in names:
        if name not in fields_of(source):
            raise UsageError("E-SWEEP-PARAMETER", f"-P: {source} has no '{quoted(name)}'; {_hint(name, source)}")
    return lambda **point: _of_kind(source, point)


def nearest(records: Sequence[Record], metric: str, target: int, fixed: Sequence[str]) -> Iterator[Record]:
    """Of each group of points that agree in `fixed` and the quantization, the one whose cost is nearest to the target.

    Of two as near the first, which is the smaller. The record gains `ratio`, the exact cost / target.
    """
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        cost = record[metric]
        if not isinstance(cost, int):
            raise UsageError("E-SWEEP-NULL", f"{metric} has no value for these formats; give -Q w8a8")
        key = tuple(value for name, value in record.items() if name == "quant" or name in fixed)
        groups.setdefault(key, []).append(record)
    for group in groups.values():
        best = min(group, key=lambda record: abs(_cost(record, metric) - target))
        yield {**best, "ratio": Fraction(_cost(best, metric), target)}


def _cost(record: Mapping[str, object], metric: str) -> int:
    cost = record[metric]
    return cost if isinstance(cost, int) else 0


def _of_kind(kind: str, point: Mapping[str, object]) -> Network:
    layer, width = layer_of(kind, point)
    return Network([layer], path=kind, accumulators={} if width is None else {kind: width})


def _of_spec(network: Network, grids: Sequence[Grid]) -> Callable[..., Network]:
    for grid in grids:
        if grid.name not in network.free:
            hint = did_you_mean(grid.name, network.free)
            raise UsageError("E-SWEEP-PARAMETER", f"-P: the spec names no size '{quoted(grid.name)}'; {hint}")
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in grid.values):
            raise UsageError("E-SWEEP-PARAMETER", f"-P: '{quoted(grid.name)}' is a size, expected integers")
    return lambda **point: network.bound(point)


def _hint(name: str, kind: str) -> str:
    return did_you_mean(name, fields_of(kind))


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS
