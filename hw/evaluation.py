"""A netlist run on integers, all samples at once; every value is checked against the interval its wire promises."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from nncomplexity.errors import UsageError

from .fixed import NARROW, integers_of, quantise
from .netlist import Graph, Node, Operand, Operation
from .tables import Table

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Evaluation", "IntervalError", "evaluate"]


class IntervalError(UsageError):
    """A wire carries a number outside its interval: an input is out of range, or the netlist is wrong."""


def evaluate(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs, and under a register port's name what its registers take at the end of the step.

    Shapes: every input [samples, elements] of integers, or [elements] where it is that of all samples; outputs
    [samples, elements].
    Raises: UsageError E-KERNEL-INPUT for a missing port or another number of elements, IntervalError E-KERNEL-RANGE.
    """
    return Evaluation(graph).step(inputs)


class Evaluation:
    """A netlist run step by step. fixed: inputs that keep their numbers; what follows from them is computed once."""

    def __init__(self, graph: Graph, fixed: Mapping[str, Array] | None = None) -> None:
        self._graph, self._fixed = graph, fixed or {}
        self._known: dict[int, Array] | None = None
        self._wide = [_is_wide(graph, node) for node in graph.nodes]

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As `evaluate`; the fixed inputs need not be given again."""
        graph = self._graph
        values: list[Array] = []
        ports = _ports(graph, {**self._fixed, **inputs})
        samples = max((len(each) for each in ports.values()), default=1)
        known = self._known or {}
        for place, node in enumerate(graph.nodes):
            value = known.get(place)
            values.append(self._checked(place, node, values, ports) if value is None else value)
        if self._known is None:
            self._known = {place: values[place] for place in self._held()}
        found = {name: _together([values[node] for node in nodes], samples) for name, nodes in graph.outputs.items()}
        states: dict[str, list[Array]] = {}
        for register, source in graph.feeds.items():
            states.setdefault(graph.nodes[register].port, []).append(values[source])
        return found | {name: _together(each, samples) for name, each in states.items()}

    def _checked(self, place: int, node: Node, values: list[Array], ports: Mapping[str, Array]) -> Array:
        value = _value(self._graph, node, values, ports, self._wide[place])
        if value.size and not (node.low <= value.min() and value.max() <= node.high):
            raise IntervalError(
                "E-KERNEL-RANGE",
                f"wire n{place} ({node.operation.value}) carries {value.min()}..{value.max()}, "
                f"expected {node.low}..{node.high}",
            )
        return value

    def _held(self) -> set[int]:
        """Nodes that are the same at every step."""
        found: set[int] = set()
        for place, node in enumerate(self._graph.nodes):
            fixed = node.operation is Operation.INPUT and node.port in self._fixed
            made = node.operands and all(each.node in found for each in node.operands)
            if fixed or made or node.operation is Operation.CONSTANT:
                found.add(place)
        return found


def _together(columns: list[Array], samples: int) -> Array:
    """Columns next to each other, one that is known for all samples repeated."""
    import numpy as np

    if not columns:
        return np.zeros((samples, 0), np.int64)
    return np.stack([np.broadcast_to(each, (samples,)) for each in columns], axis=1)


def _ports(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every input as [samples, elements]."""
    import numpy as np

    found: dict[str, Array] = {}
    for name, port in graph.inputs.items():
        if name not in inputs:
            raise UsageError("E-KERNEL-INPUT", f"input {name} is missing; give {port.elements} integers per sample")
        array = np.atleast_2d(np.asarray(inputs[name]))
        if array.dtype.kind not in "iuO" or array.shape[1] != port.elements:
            raise UsageError(
                "E-KERNEL-INPUT",
                f"input {name} is {array.dtype} of {array.shape[1]} elements, expected {port.elements} integers",
            )
        found[name] = array.astype(object) if array.dtype.kind == "u" else array
    return found


def _value(graph: Graph, node: Node, values: list[Array], ports: Mapping[str, Array], wide: bool) -> Array:
    import numpy as np

    if node.operation in (Operation.INPUT, Operation.REGISTER):
        column: Array = ports[node.port][:, node.index]
        # What is out of range is no number of 64 bits perhaps, and is refused as it is.
        held = column.dtype != object or not column.size or node.low <= column.min() <= column.max() <= node.high
        return integers_of(column, max(-node.low, node.high)) if held else column
    if node.operation is Operation.CONSTANT:
        return integers_of(np.array([node.value], object), abs(node.value))
    if node.operation is Operation.QUANTISE:
        assert node.format is not None
        source = node.operands[0].node
        return quantise(values[source], graph.nodes[source].fraction, node.format)
    if node.operation is Operation.TABLE:
        assert node.table is not None
        entries = _entries(node.table)
        return entries[(values[node.operands[0].node] % len(entries)).astype(np.int64)]
    result = _operators()[node.operation](*[_operand(each, values, wide) for each in node.operands])
    return integers_of(result, max(abs(node.low), abs(node.high))) if wide else result


@lru_cache(maxsize=64)
def _entries(table: Table) -> Array:
    import numpy as np

    return integers_of(np.array(table.entries, object), max(map(abs, table.entries)))


@lru_cache
def _operators() -> Mapping[Operation, Callable[..., Array]]:
    """The operators of arithmetic."""
    import numpy as np

    return {
        Operation.WIRE: lambda x: x,
        Operation.ADD: operator.add,
        Operation.SUBTRACT: operator.sub,
        Operation.NEGATE: operator.neg,
        Operation.MULTIPLY: operator.mul,
        Operation.GREATER: np.maximum,
        Operation.LESSER: np.minimum,
        Operation.LESS: lambda left, right: (left < right).astype(np.int64),
        Operation.SELECT: lambda which, one, other: np.asarray(np.where(which == 1, one, other)),
        Operation.RECTIFY: lambda x: np.maximum(x, 0),
        Operation.SIGN: lambda x: -(x < 0).astype(np.int64),
        Operation.TURN: operator.xor,
    }


def _is_wide(graph: Graph, node: Node) -> bool:
    """Whether an operator needs Python integers: its operands may reach further than its result."""
    bits = max((graph.nodes[each.node].width + each.shift for each in node.operands), default=0)
    return max(bits + 1, node.width) >= NARROW


def _operand(operand: Operand, values: list[Array], wide: bool) -> Array:
    value = values[operand.node]
    if wide:
        value = value.astype(object)
    return value << operand.shift if operand.shift else value
