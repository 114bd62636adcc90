"""How often a Loop runs, found before the run: by running only what decides its condition, or in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..expressions import Expression, Size, at_least, ceil_divide, is_expression, maximum, minimum, substitute, symbol
from ..shapes import Element, Tensor
from .attributes import graphs_of
from .branches import known_condition
from .liveness import Live, Uses
from .naming import node_path
from .scope import Scope

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

    from .graph import Walker

__all__ = ["TRIP", "trip_count"]

STEPS = 10_000
ENDLESS = 2**63 - 1
# A name no file can hold: names from files never contain a NUL.
TRIP = "\0trip"
# Whether the left side must stay below the right one, and strictly so.
COMPARISONS = {
    "Less": (True, True),
    "LessOrEqual": (True, False),
    "Greater": (False, True),
    "GreaterOrEqual": (False, False),
}


def trip_count(
    walker: Walker,
    graph: GraphProto,
    limit: Tensor | None,
    condition: Tensor | None,
    carried: Sequence[Tensor],
    scope: Scope,
) -> Size | None:
    """The number of trips as an int or in free sizes; None where the data decide.

    limit: the Loop's first input, absent or INT64_MAX for no limit. A condition is read after each trip, so a loop
    `while i < n` from 0 whose condition enters as true makes n + 1 trips when it tests before it counts.
    """
    most = _limit(limit)
    start = True if condition is None else known_condition(condition)
    if start is False or most == 0:
        return 0
    if start is None or most is None:
        return None
    slice_ = Slice.of(walker, graph, scope)
    if slice_.endless(carried):
        return None if most == ENDLESS else most
    closed = _closed(slice_, carried)
    if closed is not None:
        found = minimum(closed, most) if most != ENDLESS else closed
        return None if found == ENDLESS else found
    return _simulated(slice_, carried, most)


def _limit(limit: Tensor | None) -> Size | None:
    if limit is None:
        return ENDLESS
    if limit.value is None or len(limit.value) != 1:
        return None
    value = limit.value[0]
    if isinstance(value, int):
        return max(0, int(value))
    return value if is_expression(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The nodes of a loop body that its condition depends on, over any number of trips.

    scope: what the body sees before a trip. states: indices of the carried values they read.
    """

    walker: Walker
    graph: GraphProto
    scope: Scope
    nodes: tuple[tuple[int, NodeProto], ...]
    states: frozenset[int]
    reads_trip: bool

    @classmethod
    def of(cls, walker: Walker, graph: GraphProto, scope: Scope) -> Slice:
        """Walk backwards from the condition, and from every carried value it turns out to need."""
        producers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
        formal = {value.name: index - 2 for index, value in enumerate(graph.input)}
        wanted, seen, nodes, states = [graph.output[0].name], set(), set(), set()
        while wanted:
            name = wanted.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in producers:
                node = graph.node[producers[name]]
                nodes.add(producers[name])
                wanted.extend(_reads(node))
            elif formal.get(name, -1) >= 0:
                states.add(formal[name])
                wanted.append(graph.output[1 + formal[name]].name)
        stored = Scope({}, scope)
        walker.enter_initializers(graph, stored)
        return cls(
            walker=walker,
            graph=graph,
            scope=stored,
            nodes=tuple((index, graph.node[index]) for index in sorted(nodes)),
            states=frozenset(states),
            reads_trip=bool(graph.input) and graph.input[0].name in seen,
        )

    def run(self, trip: Element, carried: Sequence[Tensor]) -> Scope:
        """One trip of the slice; the returned scope holds every value it met."""
        local = Scope({}, self.scope)
        names = [value.name for value in self.graph.input]
        given = (
            Tensor(dtype="int64", shape=(), value=(trip,)),
            Tensor(dtype="bool", shape=(), value=(True,)),
            *carried,
        )
        local.tensors.update(zip(names, given, strict=False))
        live = Live(local, Uses.of((), ()))
        self.walker.analysis.spent += len(self.nodes)
        for index, node in self.nodes:
            try:
                self.walker.node(node, index, node_path(node, index), live)
            except ModelError:
                # Walking the whole body meets it again and says where.
                for name in node.output:
                    local.tensors.setdefault(name, Tensor())
        return local

    def condition(self, scope: Scope) -> Tensor | None:
        """The condition after a trip."""
        return scope.find(self.graph.output[0].name)

    def following(self, scope: Scope, carried: Sequence[Tensor]) -> list[Tensor]:
        """The carried values after a trip; those the slice does not read stay as they were."""
        return [
            scope.find(self.graph.output[1 + index].name) or Tensor() if index in self.states else state
            for index, state in enumerate(carried)
        ]

    def endless(self, carried: Sequence[Tensor]) -> bool:
        """Whether the condition is true whatever the trip."""
        if self.states or self.reads_trip:
            return False
        return known_condition(self.condition(self.run(None, carried))) is True


def _reads(node: NodeProto) -> list[str]:
    found = [name for name in node.input if name]
    for graph in graphs_of(node).values():
        for inner in graph.node:
            found.extend(_reads(inner))
        found.extend(value.name for value in graph.output)
    return found


def _simulated(slice_: Slice, carried: Sequence[Tensor], most: Size) -> Size | None:
    """Trip by trip, at most STEPS of them, while the condition is known."""
    states = list(carried)
    for trip in range(min(most, STEPS) if isinstance(most, int) else STEPS):
        if slice_.walker.analysis.exhausted:
            return None
        local = slice_.run(trip, states)
        state = known_condition(slice_.condition(local))
        if state is None:
            return None
        if not state:
            return minimum(trip + 1, most)
        states = slice_.following(local, states)
    return most if isinstance(most, int) and most <= STEPS else None


def _closed(slice_: Slice, carried: Sequence[Tensor]) -> Size | None:
    """Trips of a condition that compares values linear in the trip number; ENDLESS if it stays true."""
    # A name is at least one; the first trip is zero, and a carried value may have any sign.
    trip = symbol(TRIP) - 1
    marked = [_marked(state, index) if index in slice_.states else state for index, state in enumerate(carried)]
    if any(state is None for state in marked):
        return None
    before = [state for state in marked if state is not None]
    after = slice_.following(slice_.run(trip, before), before)
    linear: list[Tensor] = []
    for index, (first, old, new) in enumerate(zip(carried, before, after, strict=True)):
        if index not in slice_.states:
            linear.append(first)
            continue
        step, begin = _difference(new, old), _scalar(first)
        if step is None or begin is None:
            return None
        linear.append(replace(first, value=(begin + trip * step,)))
    return _trips_of(slice_, slice_.run(trip, linear), slice_.graph.output[0].name)


def _marked(state: Tensor, index: int) -> Tensor | None:
    if state.size != 1:
        return None
    return replace(state, value=(symbol(f"\0up{index}") - symbol(f"\0down{index}"),), constant=False)


def _difference(after: Tensor, before: Tensor) -> int | None:
    new, old = _scalar(after), _scalar(before)
    if new is None or old is None:
        return None
    difference = new - old
    return difference if isinstance(difference, int) else None


def _trips_of(slice_: Slice, scope: Scope, name: str, *, negated: bool = False) -> Size | None:
    """1 + the first trip after which the condition `name` is false; ENDLESS if there is none, None if unknown."""
    node = next((node for _, node in slice_.nodes if name in node.output), None)
    truth = known_condition(scope.find(name))
    if truth is not None:
        return ENDLESS if truth is not negated else 1
    if node is None or node.domain not in ("", "ai.onnx") or not node.input:
        return None
    if node.op_type in ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Not"):
        return _trips_of(slice_, scope, node.input[0], negated=negated is not (node.op_type == "Not"))
    if node.op_type in ("And", "Or"):
        sides = [_trips_of(slice_, scope, side, negated=negated) for side in node.input]
        known = [side for side in sides if side is not None]
        if len(known) < len(sides):
            return None
        # Each side stays false once it is.
        return _first(known) if (node.op_type == "And") is not negated else _last(known)
    return _compared(node, scope, negated)


def _first(trips: list[Size]) -> Size:
    ending = [each for each in trips if each != ENDLESS]
    return minimum(*ending) if ending else ENDLESS


def _last(trips: list[Size]) -> Size:
    return ENDLESS if any(each == ENDLESS for each in trips) else maximum(*trips)


def _compared(node: NodeProto, scope: Scope, negated: bool) -> Size | None:
    """The trips of a comparison of two values linear in the trip number."""
    if node.op_type not in COMPARISONS:
        return None
    values = [_scalar(scope.find(side)) for side in node.input]
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    below, strict = COMPARISONS[node.op_type]
    if negated:
        below, strict = not below, not strict
    excess = values[0] - values[1] if below else values[1] - values[0]
    first, second = (substitute(excess, {TRIP: 1 + trip}) for trip in (0, 1))
    slope = second - first
    if not isinstance(slope, int) or first + (symbol(TRIP) - 1) * slope != excess:
        return None
    bound = 0 if strict else 1
    if slope <= 0:
        ended = at_least(first, bound)
        return None if ended is None else 1 if ended else ENDLESS
    return 1 + maximum(0, ceil_divide(bound - first, slope))


def _scalar(tensor: Tensor | None) -> Size | None:
    if tensor is None or tensor.value is None or len(tensor.value) != 1:
        return None
    value = tensor.value[0]
    return value if isinstance(value, int | Expression) else None
