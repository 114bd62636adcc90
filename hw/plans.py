"""Sums of products by known numbers that share their partial sums: a list of additions that gives all of them.

A plan comes from a search over a whole matrix. It is believed only after the matrix has been read back from it: every
unit vector put through its additions gives a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from nncomplexity.ops import Kind, Role
from nncomplexity.weights.sharing import shared_trees

from .bundles import UnsupportedLayer
from .netlist import Graph, Operand
from .tools import ToolError

__all__ = ["Matrix", "Output", "Plan", "Step", "planned", "rows_of", "shared_plan"]

Matrix = tuple[tuple[int, ...], ...]


class Step(NamedTuple):
    """One addition, subtraction or negation of nodes, shifted; `both`: its result is negated later."""

    kind: Kind
    left: Operand
    right: Operand
    both: bool = False


class Output(NamedTuple):
    """Where a sum is taken: a node shifted, and negated last where `negative`; `both`: the node is kept for that."""

    operand: Operand
    negative: bool = False
    both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """inputs: how many, the nodes before those of `steps`; outputs: None where a row has no term."""

    inputs: int
    steps: tuple[Step, ...]
    outputs: tuple[Output | None, ...]


def rows_of(plan: Plan) -> Matrix:
    """The matrix that a plan computes, row by row, read back by unit vectors."""
    values = [tuple(int(place == unit) for unit in range(plan.inputs)) for place in range(plan.inputs)]

    def shifted(operand: Operand) -> list[int]:
        return [value << operand.shift for value in values[operand.node]]

    for step in plan.steps:
        left, right = shifted(step.left), shifted(step.right)
        match step.kind:
            case Kind.ADD:
                values.append(tuple(a + b for a, b in zip(left, right, strict=True)))
            case Kind.SUBTRACT:
                values.append(tuple(a - b for a, b in zip(left, right, strict=True)))
            case _:
                values.append(tuple(-a for a in left))
    found = []
    for output in plan.outputs:
        sums = shifted(output.operand) if output else [0] * plan.inputs
        found.append(tuple(-each if output and output.negative else each for each in sums))
    return tuple(found)


@lru_cache(maxsize=64)
def shared_plan(weights: Matrix, interval: tuple[int, int]) -> Plan:
    """The project's own search: two-term subexpressions of the signed digits that occur twice are computed once.

    Raises: UnsupportedLayer E-KERNEL-LAYER for more digits than are searched.
    """
    import numpy as np

    found = shared_trees(np.array(weights, np.int64).T, *interval)
    if found is None:
        raise UnsupportedLayer("its weights have more digits than are searched for what they share; choose shiftadd")
    steps = [
        Step(
            Kind.SUBTRACT if node.subtract else Kind.ADD,
            Operand(node.left, node.left_shift),
            Operand(node.right, node.right_shift),
            node.negative,
        )
        for node in found.nodes
    ]
    outputs = [
        None if each is None else Output(Operand(each.node, each.shift), each.negative, each.negative)
        for each in found.outputs
    ]
    return Plan(inputs=found.inputs, steps=tuple(steps), outputs=tuple(outputs))


def planned(
    graph: Graph,
    plan_of: Callable[[Matrix, tuple[int, int]], Plan],
    inputs: Sequence[Sequence[int]],
    weights: Sequence[Sequence[int]],
    interval: tuple[int, int],
    role: Role,
    *,
    alone: bool = False,
) -> list[Operand | None]:
    """The sums of products by known numbers, planned together unless they have inputs of their own; None where all
    numbers are 0.

    inputs: the wires of every row, the same unless `alone`; interval: the integers they carry. Raises: ToolError
    E-DA-KERNEL.
    """
    found: list[Operand | None] = [None] * len(inputs)
    for rows in [[row] for row in range(len(inputs))] if alone else [list(range(len(inputs)))] if inputs else []:
        wires = inputs[rows[0]]
        matrix = tuple(tuple(weights[row]) for row in rows)
        plan = plan_of(matrix, interval)
        if rows_of(plan) != matrix:
            raise ToolError("E-DA-KERNEL", "the search for shared sums gave a graph of another matrix; choose shiftadd")
        for row, root in zip(rows, _grown(graph, plan, wires, role), strict=True):
            found[row] = root
    return found


def _grown(graph: Graph, plan: Plan, wires: Sequence[int], role: Role) -> list[Operand | None]:
    """The nodes of a plan, made over these wires."""
    nodes = list(wires)

    def operand(of: Operand) -> Operand:
        return Operand(nodes[of.node], of.shift)

    for step in plan.steps:
        match step.kind:
            case Kind.ADD:
                nodes.append(graph.add(operand(step.left), operand(step.right), role, both=step.both))
            case Kind.SUBTRACT:
                nodes.append(graph.subtract(operand(step.left), operand(step.right), role))
            case _:
                nodes.append(graph.negate(operand(step.left), role))
    roots: list[Operand | None] = []
    for output in plan.outputs:
        root = None if output is None else operand(output.operand)
        if output is not None and root is not None and output.negative:
            root = Operand(graph.negate(root, role, both=output.both))
        roots.append(root)
    return roots
