"""If: one of two graphs runs. A known condition decides; else the dearer graph is charged and both are listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..expressions import Size, at_least, maximum, peak, total
from ..metrics.flops import METRIC as FLOPS
from ..network import Row, Status
from ..ops import Inventory
from ..shapes import Element, Tensor
from .attributes import graphs_of
from .scope import Body, Scope

if TYPE_CHECKING:
    from onnx import NodeProto

    from .graph import Walker

__all__ = ["known_condition", "never_run", "run_if"]

BRANCHES = ("then_branch", "else_branch")


def known_condition(tensor: Tensor | None) -> bool | None:
    """The truth of a condition known before the run, None if it is not."""
    if tensor is None or tensor.value is None or len(tensor.value) != 1:
        return None
    element: Element = tensor.value[0]
    return bool(element) if isinstance(element, bool | int | float) else None


def run_if(walker: Walker, node: NodeProto, row: Row, inputs: Sequence[Tensor | None], scope: Scope) -> Body:
    """Outputs and rows of an If; a branch that cannot run with these shapes is listed and never charged."""
    graphs = graphs_of(node)
    for branch in BRANCHES:
        if branch not in graphs:
            raise ModelError("E-ATTRIBUTE-MISSING", f"attribute '{branch}' is required and absent")
    condition = known_condition(inputs[0] if inputs else None)
    if condition is not None:
        chosen = BRANCHES[not condition]
        bodies = {
            branch: walker.inside(row, branch, tolerant=branch != chosen).graph(graphs[branch], (), scope)
            for branch in BRANCHES
        }
        return _decided(row, bodies, chosen, f"the condition is known: {chosen} runs")
    bodies = {branch: walker.inside(row, branch, tolerant=True).graph(graphs[branch], (), scope) for branch in BRANCHES}
    feasible = [branch for branch in BRANCHES if bodies[branch].problem is None]
    if not feasible and (problem := bodies[BRANCHES[0]].problem) is not None:
        raise problem
    if len(feasible) == 1:
        return _decided(row, bodies, feasible[0], f"only {feasible[0]} fits its inputs")
    dearer = at_least(_flops(bodies[BRANCHES[0]]), _flops(bodies[BRANCHES[1]]))
    outputs = _merged(walker, row, bodies, BRANCHES[dearer is False])
    if dearer is None:
        return _undecided(row, bodies, outputs)
    chosen = BRANCHES[not dearer]
    charged = _charged(row, bodies, chosen, f"the dearer branch is charged: {chosen}", executed=True)
    return replace(charged, outputs=outputs)


def _decided(row: Row, bodies: dict[str, Body], chosen: str, reason: str) -> Body:
    return replace(_charged(row, bodies, chosen, reason, executed=False), outputs=bodies[chosen].outputs)


def _charged(row: Row, bodies: dict[str, Body], chosen: str, reason: str, *, executed: bool) -> Body:
    rows: list[Row] = []
    for branch, body in bodies.items():
        inner = [each.within(f"{row.path}/{branch}", 1) for each in body.rows]
        if branch != chosen:
            inner = [(each if executed else never_run(each)).unexecuted() for each in inner]
        rows.extend(inner)
    body = bodies[chosen]
    own = replace(row, reason=reason, kind="if", outputs=tuple(tensor.shape for tensor in body.outputs))
    return Body(outputs=body.outputs, rows=(*rows, own), peak=body.peak)


def never_run(row: Row) -> Row:
    """The row of a node that never runs: it owes nothing, whatever is not known of it."""
    return replace(
        row, status=Status.FREE, reason="never runs", work=None, written=Inventory(), branches=(), repeat=0, live=0
    )


def _undecided(row: Row, bodies: dict[str, Body], outputs: tuple[Tensor, ...]) -> Body:
    inner = {
        branch: tuple(each.within(f"{row.path}/{branch}", 1) for each in body.rows) for branch, body in bodies.items()
    }
    own = replace(
        row,
        status=Status.COUNTED,
        reason="the dearer branch is charged here; free sizes decide which it is",
        kind="if",
        outputs=tuple(tensor.shape for tensor in outputs),
        branches=tuple(inner.values()),
    )
    listed = tuple(each.unexecuted() for rows in inner.values() for each in rows)
    return Body(outputs=outputs, rows=(*listed, own), peak=peak(*(body.peak for body in bodies.values())))


def _flops(body: Body) -> Size:
    return _flops_of(body.rows)


def _flops_of(rows: Sequence[Row]) -> Size:
    sizes: list[Size] = []
    for row in rows:
        own = row.operations("paper").total(FLOPS.weight)
        if own is not None:
            sizes.append(own)
        if row.branches and not row.alternative:
            sizes.append(maximum(*(_flops_of(branch) for branch in row.branches)) * row.repeat)
    return total(sizes)


def _merged(walker: Walker, row: Row, bodies: dict[str, Body], chosen: str) -> tuple[Tensor, ...]:
    first, second = (bodies[branch].outputs for branch in BRANCHES)
    if len(first) != len(second):
        raise ModelError("E-IF-OUTPUTS", f"branches give {len(first)} and {len(second)} outputs")
    merged: list[Tensor] = []
    for one, other, taken in zip(first, second, bodies[chosen].outputs, strict=True):
        if one.shape != other.shape:
            shapes = " and ".join(_shown(tensor) for tensor in (one, other))
            walker.analysis.remarks[
                f"{row.path}: the branches give shapes {shapes}; those of the charged one are used"
            ] = None
        same = one.value == other.value and one.shape == other.shape
        merged.append(
            replace(
                taken,
                value=taken.value if same else None,
                constant=same and one.constant and other.constant and one.value is not None,
                stored=frozenset(),
                accumulator=None,
            )
        )
    return tuple(merged)


def _shown(tensor: Tensor) -> str:
    return "unknown" if tensor.shape is None else "[" + ",".join(map(str, tensor.shape)) + "]"
