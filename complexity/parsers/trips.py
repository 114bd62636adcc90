"""How often a Loop runs, found before the run: by running only what decides its condition, or in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..expressions import Expression, Size, ceil_divide, is_expression, maximum, minimum, substitute, symbol
from ..shapes import Element, Tensor
from .attributes import graphs_of
from .branches import known_condition
from .liveness import Uses
from .naming import node_path
from .scope import Scope

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

    from .graph import Walker

__all__ = ["trip_count"]

STEPS = 10_000
ENDLESS = 2**63 - 1
# A name no file can hold: names from files never contain a NUL.
TRIP = "\0trip"


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
    slice_ = Slice.of(graph)
    if slice_.endless(walker, scope, carried):
        return None if most == ENDLESS else most
    simulated = _simulated(walker, slice_, carried, scope, most)
    if simulated is not None:
        return simulated
    closed = _closed(walker, slice_, carried, scope)
    return None if closed is None else minimum(closed, most) if most != ENDLESS else closed


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

    states: indices of the carried values they read.
    """

    graph: GraphProto
    nodes: tuple[tuple[int, NodeProto], ...]
    states: frozenset[int]
    reads_trip: bool

    @classmethod
    def of(cls, graph: GraphProto) -> Slice:
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
        return cls(
            graph=graph,
            nodes=tuple((index, graph.node[index]) for index in sorted(nodes)),
            states=frozenset(states),
            reads_trip=bool(graph.input) and graph.input[0].name in seen,
        )

    def run(self, walker: Walker, scope: Scope, trip: Element, carried: Sequence[Tensor]) -> Scope:
        """One trip of the slice; the returned scope holds every value it met."""
        local = Scope({}, scope)
        walker.enter_initializers(self.graph, local)
        names = [value.name for value in self.graph.input]
        given = (Tensor(dtype="int64", shape=(), value=(trip,)), Tensor(dtype="bool", shape=(), value=(True,)), *carried)
        local.tensors.update(zip(names, given, strict=False))
        uses = Uses.of((), ())
        for index, node in self.nodes:
            body = walker.node(node, index, node_path(node, index), local, uses)
            walker.define(node, body.outputs, local)
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

    def endless(self, walker: Walker, scope: Scope, carried: Sequence[Tensor]) -> bool:
        """Whether the condition is true whatever the trip."""
        if self.states or self.reads_trip:
            return False
        return known_condition(self.condition(self.run(walker, scope, None, carried))) is True


def _reads(node: NodeProto) -> list[str]:
    found = [name for name in node.input if name]
    for graph in graphs_of(node).values():
        for inner in graph.node:
            found.extend(_reads(inner))
        found.extend(value.name for value in graph.output)
    return found


def _simulated(walker: Walker, slice_: Slice, carried: Sequence[Tensor], scope: Scope, most: Size) -> int | None:
    """Trip by trip, at most STEPS of them, while the condition is known."""
    states = list(carried)
    for trip in range(min(most, STEPS) if isinstance(most, int) else STEPS):
        local = slice_.run(walker, scope, trip, states)
        state = known_condition(slice_.condition(local))
        if state is None:
            return None
        if not state:
            return trip + 1 if isinstance(most, int) else None
        states = slice_.following(local, states)
    return most if isinstance(most, int) and most <= STEPS else None


def _closed(walker: Walker, slice_: Slice, carried: Sequence[Tensor], scope: Scope) -> Size | None:
    """Trips of a condition that compares values linear in the trip number."""
    trip = symbol(TRIP)
    marked = [_marked(state, index) if index in slice_.states else state for index, state in enumerate(carried)]
    after = slice_.following(slice_.run(walker, scope, trip, marked), marked)
    linear: list[Tensor] = []
    for index, (first, before, then) in enumerate(zip(carried, marked, after, strict=True)):
        if index not in slice_.states:
            linear.append(first)
            continue
        step = _difference(then, before)
        begin = first.value[0] if first.value is not None and len(first.value) == 1 else None
        if step is None or begin is None or isinstance(begin, str | float):
            return None
        linear.append(replace(first, value=(begin + trip * step,)))
    local = slice_.run(walker, scope, trip, linear)
    return _trips_of(slice_, local, slice_.graph.output[0].name)


def _marked(state: Tensor, index: int) -> Tensor:
    return replace(state, value=(symbol(f"\0state{index}"),), constant=False)


def _difference(after: Tensor, before: Tensor) -> int | None:
    if after.value is None or before.value is None or len(after.value) != 1:
        return None
    new, old = after.value[0], before.value[0]
    if isinstance(new, int | Expression) and isinstance(old, Expression):
        difference = new - old
        return difference if isinstance(difference, int) else None
    return None


def _trips_of(slice_: Slice, scope: Scope, name: str) -> Size | None:
    """1 + the first trip after which the condition `name` is false."""
    node = next((node for _, node in slice_.nodes if name in node.output), None)
    if node is None:
        return None
    if node.op_type in ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape"):
        return _trips_of(slice_, scope, node.input[0])
    if node.op_type == "And":
        sides = [_trips_of(slice_, scope, side) for side in node.input]
        known = [side for side in sides if side is not None]
        return minimum(*known) if len(known) == len(sides) else None
    values = [_scalar(scope.find(side)) for side in node.input]
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    excess = values[0] - values[1]
    if node.op_type in ("Greater", "GreaterOrEqual"):
        excess = -excess
    elif node.op_type not in ("Less", "LessOrEqual"):
        return None
    at = [substitute(excess, {TRIP: trip}) for trip in (0, 1, 2)]
    slope = at[1] - at[0]
    if not isinstance(slope, int) or slope <= 0 or at[2] - at[1] != slope:
        return None
    strict = node.op_type in ("Less", "Greater")
    return 1 + maximum(0, ceil_divide(-at[0] if strict else 1 - at[0], slope))


def _scalar(tensor: Tensor | None) -> Size | None:
    if tensor is None or tensor.value is None or len(tensor.value) != 1:
        return None
    value = tensor.value[0]
    return value if isinstance(value, int | Expression) else None
