"""Loop, Scan and SequenceMap: a graph that runs once per trip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..expressions import Size, names, peak, symbol
from ..network import Row, Status, merge
from ..operators.rule import Attribute, Uncounted
from ..shapes import Tensor
from .attributes import graphs_of, plain_attributes
from .branches import never_run
from .scope import Body, Scope
from .trips import TRIP, trip_count

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

    from .graph import Walker

__all__ = ["run_loop", "run_scan", "run_sequence_map"]

PASSES, UNROLLED = 8, 1_000
States = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """A body to run per trip: `inputs(states, trip)` are its formal inputs, trip None when any trip is meant.

    skipped: outputs before the states (a Loop's condition).
    """

    walker: Walker
    graph: GraphProto
    scope: Scope
    inputs: Callable[[States, Size | None], Sequence[Tensor | None]]
    states: int
    skipped: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether the body may not be walked once more."""
        return self.walker.analysis.exhausted

    def run(self, states: States, trip: Size | None) -> tuple[Body, States, States]:
        """The body walked once, its new states, and what it emits at this trip."""
        body = self.walker.graph(self.graph, self.inputs(states, trip), self.scope)
        found = body.outputs[self.skipped :]
        return body, found[: self.states], found[self.states :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What all trips together give. problem: why it is not known, if it is not."""

    states: States
    emitted: States
    rows: tuple[Row, ...]
    peak: Size | None
    problem: str | None = None


def body_of(node: NodeProto) -> GraphProto:
    """The graph a loop runs."""
    graphs = graphs_of(node)
    if "body" not in graphs:
        raise ModelError("E-ATTRIBUTE-MISSING", "attribute 'body' is required and absent")
    return graphs["body"]


def run_loop(walker: Walker, node: NodeProto, row: Row, inputs: Sequence[Tensor | None], scope: Scope) -> Body:
    """Loop: body times trips; an unknown trip count is the size `PATH.trips`."""
    graph = body_of(node)
    carried = tuple(tensor or Tensor() for tensor in inputs[2:])
    if len(graph.input) != 2 + len(carried) or len(graph.output) < 1 + len(carried):
        raise ModelError(
            "E-LOOP-BODY",
            f"the body has {len(graph.input)} inputs and {len(graph.output)} outputs, "
            f"expected {2 + len(carried)} and at least {1 + len(carried)}",
        )
    inner = walker.inside(row, "body")
    trips = trip_count(
        inner, graph, inputs[0] if inputs else None, inputs[1] if len(inputs) > 1 else None, carried, scope
    )
    if trips is None:
        trips = _named_trips(walker, row)

    def formal(states: States, trip: Size | None) -> Sequence[Tensor | None]:
        counter = Tensor(dtype="int64", shape=(), value=None if trip is None else (trip,))
        return (counter, Tensor(dtype="bool", shape=(), value=(True,)), *states)

    iteration = Iteration(walker=inner, graph=graph, scope=scope, inputs=formal, states=len(carried), skipped=1)
    outcome = iterate(iteration, carried, trips)
    emitted = tuple(_stacked(tensor, trips, 0) for tensor in outcome.emitted)
    return _finished(row, outcome, (*outcome.states, *emitted), trips)


def _named_trips(walker: Walker, row: Row) -> Size:
    """The trip count only the data decide, as the size `PATH.trips`."""
    walker.analysis.inventions += 1
    name = walker.analysis.size_name(f"{walker.prefix}{row.path}", row.place)
    return walker.analysis.bound(symbol(f"{name}.trips"))


def run_scan(walker: Walker, node: NodeProto, row: Row, inputs: Sequence[Tensor | None], scope: Scope) -> Body:
    """Scan: body times the length of the scanned axis; in opset 8 also times the batch."""
    graph = body_of(node)
    old = walker.opsets.get("", 0) < 9
    operands = [tensor or Tensor() for tensor in (inputs[1:] if old else inputs)]
    attributes = plain_attributes(node.attribute, walker.attributes, walker.analysis.tensor)
    scanned = attributes.get("num_scan_inputs")
    if not isinstance(scanned, int):
        raise ModelError("E-ATTRIBUTE-MISSING", "integer attribute 'num_scan_inputs' is required and absent")
    count = len(operands) - scanned
    if count < 0 or scanned < 1 or len(graph.input) != len(operands) or len(graph.output) < count:
        raise ModelError(
            "E-SCAN-BODY",
            f"{len(operands)} inputs of which {scanned} are scanned do not fit a body of {len(graph.input)} inputs "
            f"and {len(graph.output)} outputs",
        )
    states, sequences = tuple(operands[:count]), operands[count:]
    axes = _integers(attributes.get("scan_input_axes")) or [0] * scanned
    out_axes = _integers(attributes.get("scan_output_axes"))
    if len(axes) != scanned:
        raise ModelError("E-SCAN-AXES", f"scan_input_axes lists {len(axes)} axes for {scanned} scanned inputs")
    batch: Size = 1
    if old:
        batch, states, sequences = _without_batch(states, sequences)
    pairs = [_sliced(tensor, axis) for tensor, axis in zip(sequences, axes, strict=True)]
    trips = _common([length for _, length in pairs])
    slices = tuple(tensor for tensor, _ in pairs)
    iteration = Iteration(
        walker=walker.inside(row, "body"),
        graph=graph,
        scope=scope,
        inputs=lambda current, _trip: (*current, *slices),
        states=count,
    )
    outcome = iterate(iteration, states, trips)
    padded = [*out_axes, *([0] * (len(outcome.emitted) - len(out_axes)))]
    emitted = tuple(_stacked(tensor, trips, axis) for tensor, axis in zip(outcome.emitted, padded, strict=False))
    outputs = (*outcome.states, *emitted)
    if old:
        outputs = tuple(_stacked(tensor, batch, 0) for tensor in outputs)
        outcome = replace(outcome, rows=tuple(replace(each, repeat=each.repeat * batch) for each in outcome.rows))
    return _finished(row, outcome, outputs, trips)


def run_sequence_map(walker: Walker, node: NodeProto, row: Row, inputs: Sequence[Tensor | None], scope: Scope) -> Body:
    """SequenceMap: body times the length of the first sequence."""
    first = inputs[0] if inputs else None
    length = first.length if first is not None else None
    trips = length if length is not None else _named_trips(walker, row)
    items = tuple(tensor.item if tensor is not None and tensor.item is not None else tensor for tensor in inputs)
    iteration = Iteration(
        walker=walker.inside(row, "body"),
        graph=body_of(node),
        scope=scope,
        inputs=lambda _states, _trip: items,
        states=0,
    )
    outcome = iterate(iteration, (), trips)
    outputs = tuple(Tensor(item=tensor, length=trips) for tensor in outcome.emitted)
    return _finished(row, outcome, outputs, trips)


def _finished(row: Row, outcome: Outcome, outputs: tuple[Tensor, ...], trips: Size) -> Body:
    rows = tuple(each.within(f"{row.path}/body", 1) for each in outcome.rows)
    own = replace(row, kind=row.op.lower(), outputs=tuple(tensor.shape for tensor in outputs))
    if outcome.problem is not None:
        own = replace(own, status=Status.UNCOUNTED, reason=outcome.problem)
    else:
        own = replace(own, reason=f"counted as its body, trips: {trips}")
    return Body(outputs=outputs, rows=(*rows, own), peak=outcome.peak)


def iterate(iteration: Iteration, states: States, trips: Size) -> Outcome:
    """Run a body until its states no longer change shape, then multiply; or trip by trip where they go on changing."""
    if trips == 0:
        idle = replace(iteration, walker=replace(iteration.walker, tolerant=True))
        body, _, emitted = idle.run(tuple(map(_any, states)), None)
        return Outcome(states=states, emitted=emitted, rows=tuple(map(never_run, body.rows)), peak=0)
    current = states
    for _ in range(PASSES):
        if current is not states and iteration.exhausted:
            raise Uncounted("the graphs around it are walked too often to look into it")
        body, found, emitted = iteration.run(tuple(map(_empty, current)), None)
        following = tuple(_settled(old, new) for old, new in zip(current, found, strict=True))
        if following == current:
            break
        current = following
    stable = all(_same_shape(old, new) for old, new in zip(current, found, strict=True)) and following == current
    rows = tuple(replace(row, repeat=row.repeat * trips) for row in body.rows)
    if stable and not _depends_on_trip(iteration, body, current, trips):
        final = tuple(_after(first, old, new, trips) for first, old, new in zip(states, current, found, strict=True))
        return Outcome(states=final, emitted=emitted, rows=rows, peak=body.peak)
    if isinstance(trips, int) and trips <= UNROLLED:
        unrolled = _unrolled(iteration, states, trips)
        if unrolled is not None:
            return unrolled
    problem = (
        f"its shapes change from trip to trip and there are {trips} of them; bind the trip count to at most {UNROLLED}"
    )
    return Outcome(states=tuple(map(_unknown, found)), emitted=emitted, rows=rows, peak=None, problem=problem)


def _unrolled(iteration: Iteration, states: States, trips: int) -> Outcome | None:
    """Trip by trip; None where that takes too long."""
    rows: list[Row] = []
    most: Size | None = 0
    emitted: States = ()
    states = tuple(replace(state, constant=False, stored=frozenset()) for state in states)
    for trip in range(trips):
        if iteration.exhausted:
            return None
        body, states, emitted = iteration.run(states, trip)
        rows = merge([*rows, *body.rows])
        most = peak(most, body.peak)
    return Outcome(states=states, emitted=emitted, rows=tuple(rows), peak=most)


def _integers(attribute: Attribute | None) -> list[int]:
    return [each for each in attribute if isinstance(each, int)] if isinstance(attribute, tuple) else []


def _any(state: Tensor) -> Tensor:
    return replace(state, value=None, constant=False, accumulator=None, stored=frozenset())


def _empty(state: Tensor) -> Tensor:
    # A sequence enters a trip as if empty, so that the length it leaves with is what the trip appends.
    return replace(state, length=0) if state.item is not None else state


def _settled(old: Tensor, new: Tensor) -> Tensor:
    """The state that holds before any trip: what the first and the later trips have in common."""
    if old.item is not None or new.item is not None:
        return replace(old, item=new.item or old.item)
    changed = old.value != new.value or old.value is None
    return replace(
        new if old.shape is None else old,
        dtype=old.dtype or new.dtype,
        value=None if changed else old.value,
        constant=old.constant and not changed,
        accumulator=None,
        stored=frozenset(),
    )


def _same_shape(old: Tensor, new: Tensor) -> bool:
    if old.item is not None:
        return new.item is not None and new.item.shape == old.item.shape
    return new.shape is not None and old.shape == new.shape


def _after(first: Tensor, old: Tensor, new: Tensor, trips: Size) -> Tensor:
    if old.item is None:
        return replace(new, value=old.value, constant=False)
    if first.length is None or new.length is None:
        return replace(old, length=None)
    return replace(old, length=first.length + new.length * trips)


def _unknown(state: Tensor) -> Tensor:
    return replace(_any(state), shape=None)


def _depends_on_trip(iteration: Iteration, body: Body, states: States, trips: Size) -> bool:
    """Whether the trips of a nested loop are open because the trip of this one is."""
    analysis = iteration.walker.analysis
    open_ = {name for row in body.rows for name in names(row.repeat) if analysis.is_trip_count(name)}
    if not open_ - names(trips):
        return False
    if isinstance(trips, int) and trips <= UNROLLED:
        return True
    named, _, _ = iteration.run(states, symbol(TRIP))
    return any(TRIP in names(row.repeat) for row in named.rows)


def _stacked(tensor: Tensor, trips: Size, axis: int) -> Tensor:
    if tensor.shape is None:
        return _any(tensor)
    place = axis % (len(tensor.shape) + 1)
    return replace(_any(tensor), shape=(*tensor.shape[:place], trips, *tensor.shape[place:]))


def _sliced(tensor: Tensor, axis: int) -> tuple[Tensor, Size | None]:
    if tensor.shape is None:
        return _any(tensor), None
    if not -len(tensor.shape) <= axis < len(tensor.shape):
        raise ModelError("E-AXIS", f"scan axis {axis} is outside the rank {len(tensor.shape)} of its input")
    place = axis % len(tensor.shape)
    return replace(_any(tensor), shape=(*tensor.shape[:place], *tensor.shape[place + 1 :])), tensor.shape[place]


def _common(lengths: list[Size | None]) -> Size:
    known = [length for length in lengths if length is not None]
    if not known:
        raise Uncounted("the length of the scanned axis is unknown")
    whole = {length for length in known if isinstance(length, int)}
    if len(whole) > 1:
        raise ModelError("E-SCAN-LENGTH", f"scanned axes have different lengths: {', '.join(map(str, sorted(whole)))}")
    return whole.pop() if whole else known[0]


def _without_batch(states: States, sequences: list[Tensor]) -> tuple[Size, States, list[Tensor]]:
    pairs = [_sliced(tensor, 0) for tensor in (*states, *sequences)]
    bare = [tensor for tensor, _ in pairs]
    return _common([batch for _, batch in pairs]), tuple(bare[: len(states)]), bare[len(states) :]
