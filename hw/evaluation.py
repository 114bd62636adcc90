"""A netlist run on integers, all samples at once; every value is checked against the interval its wire promises."""

from __future__ import annotations

from collections.abc import Mapping
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

__all__ = ["IntervalError", "evaluate"]


class IntervalError(UsageError):
    """A wire carries a number outside its interval: an input is out of range, or the netlist is wrong."""


def evaluate(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs, and under a register port's name what its registers take at the end of the step.

    Shapes: every input [samples, elements] of integers, or [elements] where it is that of all samples; outputs
    [samples, elements].
    Raises: UsageError E-KERNEL-INPUT for a missing port or another number of elements, IntervalError E-KERNEL-RANGE.
    """
    values: list[Array] = []
    ports = _ports(graph, inputs)
    samples = max((len(each) for each in ports.values()), default=1)
    for place, node in enumerate(graph.nodes):
        value = _value(graph, node, values, ports)
        if value.size and not (node.low <= value.min() and value.max() <= node.high):
            raise IntervalError(
                "E-KERNEL-RANGE",
                f"wire n{place} ({node.operation.value}) carries {value.min()}..{value.max()}, "
                f"expected {node.low}..{node.high}",
            )
        values.append(value)
    found = {name: _together([values[node] for node in nodes], samples) for name, nodes in graph.outputs.items()}
    states: dict[str, list[Array]] = {}
    for register, source in graph.feeds.items():
        states.setdefault(graph.nodes[register].port, []).append(values[source])
    return found | {name: _together(each, samples) for name, each in states.items()}


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


def _value(graph: Graph, node: Node, values: list[Array], ports: Mapping[str, Array]) -> Array:
    import numpy as np

    if node.operation in (Operation.INPUT, Operation.REGISTER):
        column: Array = ports[node.port][:, node.index]
        return column if column.dtype == object else integers_of(column, max(-node.low, node.high))
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
    return _computed(graph, node, values)


@lru_cache(maxsize=64)
def _entries(table: Table) -> Array:
    import numpy as np

    return integers_of(np.array(table.entries, object), max(map(abs, table.entries)))


def _computed(graph: Graph, node: Node, values: list[Array]) -> Array:
    """The operators of arithmetic."""
    import numpy as np

    # Operands as they enter the operator may reach further than its result.
    bits = max(graph.nodes[each.node].width + each.shift for each in node.operands)
    wide = max(bits + 1, node.width) >= NARROW
    left, *others = (_operand(each, values, wide) for each in node.operands)
    right, third = others[0] if others else left, others[-1] if others else left
    match node.operation:
        case Operation.ADD:
            result = left + right
        case Operation.SUBTRACT:
            result = left - right
        case Operation.NEGATE:
            result = -left
        case Operation.MULTIPLY:
            result = left * right
        case Operation.GREATER:
            result = np.maximum(left, right)
        case Operation.LESSER:
            result = np.minimum(left, right)
        case Operation.LESS:
            result = (left < right).astype(np.int64)
        case Operation.SELECT:
            result = np.where(left == 1, right, third)
        case Operation.RECTIFY:
            result = np.maximum(left, 0)
        case Operation.SIGN:
            result = -(left < 0).astype(np.int64)
        case Operation.TURN:
            result = left ^ right
        case _:
            result = left
    return integers_of(result, max(abs(node.low), abs(node.high)))


def _operand(operand: Operand, values: list[Array], wide: bool) -> Array:
    value = values[operand.node]
    if wide:
        value = value.astype(object)
    return value << operand.shift if operand.shift else value
