"""A network: its rows in file order, each with the work of one node, and what is known of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from .accounting import Countable, Matrix, count
from .encoding import Encoding
from .expressions import Size, peak
from .formats import Fixed, Format, parts
from .ops import Inventory, Kind, Op, Role
from .shapes import Shape

__all__ = ["Network", "Row", "Status", "Stored", "merge"]

SHOWN_PATHS = 3
QUBIT = Fixed(bits=1, signed=False)


class Status(Enum):
    """counted: the work is known. free: none by definition. uncounted: not known, for a reason."""

    COUNTED = "counted"
    FREE = "free"
    UNCOUNTED = "uncounted"


@dataclass(frozen=True, slots=True)
class Stored:
    """A trained tensor a row is the user of: identity, how many numbers, in which format."""

    identity: str
    elements: Size
    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored node with one signature of argument shapes and formats.

    repeat: executions. paths: the first three places it runs at. place: where it is stored (for merging equal rows).
    encodings: what the integers of its operands mean, and who says so. detected: what its weights' values were found
    to be, where that was asked for. work: equations of one execution.
    operands: its constants whose values are known, by the equations' names for them.
    requantization: what bringing its outputs to their integers takes; only `exact` charges it.
    written: numbers it writes per execution, as an inventory; None if unknown. live: bits alive while it runs; None if
    unknown. trained: the parameters it uses. accumulator: declared width of its accumulators, not the network's.
    resources: quantum resources of one execution. padding: products of one execution whose input is padding; None if
    unknown. alternative: it is in a branch that is not charged. branches: the inventories of which the dearer one
    counts, where free sizes forbid to say which.
    """

    name: str
    op: str
    domain: str
    status: Status
    place: str = ""
    path: str = ""
    paths: tuple[str, ...] = ()
    kind: str = ""
    reason: str | None = None
    repeat: Size = 1
    inputs: tuple[Shape | None, ...] = ()
    outputs: tuple[Shape | None, ...] = ()
    formats: Mapping[str, Format] = field(default_factory=dict)
    formats_from: str = ""
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    detected: str = ""
    work: Countable | None = None
    operands: Mapping[str, Matrix] = field(default_factory=dict)
    requantization: Countable | None = None
    padding: Size | None = 0
    written: Inventory | None = field(default_factory=Inventory)
    live: Size | None = 0
    trained: tuple[Stored, ...] = ()
    resources: Mapping[str, Size] = field(default_factory=dict)
    accumulator: int | None = None
    alternative: bool = False
    branches: tuple[tuple[Row, ...], ...] = ()

    def operations(self, counter: str, accumulator: int | None = None) -> Inventory:
        """What the node computes in all its executions, as a counter sees it; hardware is there once for all."""
        width, found = self.accumulator or accumulator, Inventory()
        if self.work is not None:
            found = count(self.work, counter, width, self.operands)
        charged = counter not in ("paper", "digits") and not (counter == "schedule" and self.work is not None)
        if self.requantization is not None and charged:
            found = found + count(self.requantization, counter, width, self.operands)
        return found if counter == "kernel" and not self.alternative else found * self.repeat

    def standing(self, convention: str) -> Status:
        """The status in a convention: a node that only requantizes is free where that is not charged."""
        charged = self.status is Status.FREE and self.requantization is not None and convention == "exact"
        return Status.COUNTED if charged else self.status

    def storage(self) -> Inventory:
        """What it keeps: its parameters once, what it writes every time, what is alive beside it."""
        counts: dict[Op, Size] = {}
        for stored in self.trained:
            for format, elements in parts(stored.format, stored.elements):
                op = Op(Kind.STORE, Role.PARAMETER, format, format, format)
                counts[op] = counts.get(op, 0) + elements
        for name, units in self.resources.items():
            op = Op(Kind.QUANTUM, Role.QUANTUM, QUBIT, QUBIT, QUBIT, function=name)
            counts[op] = units * self.repeat
        if self.padding is not None:
            counts[Op(Kind.PADDING, Role.INPUT, QUBIT, QUBIT, QUBIT)] = self.padding * self.repeat
        return Inventory(counts) + (self.written or Inventory()) * self.repeat

    def within(self, prefix: str, repeat: Size) -> Row:
        """The row as part of a body that runs `repeat` times at `prefix`."""
        paths = tuple(f"{prefix}/{path}" for path in self.paths)
        return replace(self, path=f"{prefix}/{self.path}", paths=paths, repeat=self.repeat * repeat)

    def unexecuted(self) -> Row:
        """The row as part of a branch that is not charged."""
        return replace(self, repeat=0, alternative=True, branches=())


def merge(rows: Iterable[Row]) -> list[Row]:
    """Rows of one stored node with one signature made one row: repeats are added, the first paths kept."""
    merged: dict[object, Row] = {}
    for row in rows:
        key = _signature(row)
        if (first := merged.get(key)) is None:
            merged[key] = row
            continue
        merged[key] = replace(
            first,
            repeat=first.repeat + row.repeat,
            paths=tuple(dict.fromkeys((*first.paths, *row.paths)))[:SHOWN_PATHS],
            trained=tuple(dict.fromkeys((*first.trained, *row.trained))),
            live=peak(first.live, row.live),
        )
    return list(merged.values())


def _signature(row: Row) -> object:
    inner = tuple(tuple((_signature(each), each.repeat) for each in branch) for branch in row.branches)
    formats = (*row.formats.values(), row.formats_from, row.accumulator)
    # Equal work of one node is one object: attributes that depend on the call around make another.
    return (
        row.place,
        row.inputs,
        row.outputs,
        row.alternative,
        row.status,
        row.reason,
        formats,
        id(row.work),
        tuple(map(id, row.operands.values())),
        inner,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Rows in file order and what is known of the whole.

    nodes: the stored nodes of all reachable graphs. dims: bound sizes. free: sizes still free.
    accumulator: declared width of every accumulator, if one was declared. input_bits: declared width of graph inputs.
    """

    path: str
    rows: tuple[Row, ...]
    ir_version: int = 0
    opsets: Mapping[str, int] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    quantization: str = "model"
    accumulator: int | None = None
    input_bits: int | None = None
    warnings: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    digest: Callable[[], str] | None = None
