"""The row of a node once its rule has answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..expressions import Size, product
from ..formats import FLOATS
from ..network import Row, Status, Stored
from ..operators.rule import Call, Operator, Result, Uncounted
from ..ops import Inventory, Kind, Op, Role
from ..shapes import Tensor
from .analysis import Analysis

__all__ = ["finished_row"]


def finished_row(
    analysis: Analysis, operator: Operator, call: Call, row: Row, result: Result | Uncounted, outputs: Sequence[Tensor]
) -> Row:
    """The row with status, work, parameters and what is written."""
    wanted = [tensor for tensor, named in zip(outputs, call.wanted, strict=False) if named]
    row = replace(row, outputs=tuple(tensor.shape for tensor in wanted))
    if isinstance(result, Uncounted) or operator.uncountable:
        reason = result.reason if isinstance(result, Uncounted) else operator.uncountable
        trained = _trained(analysis, operator, call)
        return replace(row, status=Status.UNCOUNTED, reason=reason, trained=trained, written=None)
    free = result.free or operator.free
    if free is None and outputs and all(_known(tensor) for tensor in wanted):
        free = "known before the run"
    if free is not None:
        moved = all(tensor.constant for tensor in wanted)
        # Constants that are only moved stay with whoever computes with them.
        return replace(row, reason=free, kind=result.kind, trained=() if moved else _trained(analysis, operator, call))
    quantization = analysis.quantization
    return replace(
        row,
        status=Status.COUNTED,
        kind=result.kind or row.op.lower(),
        work=result.work,
        formats=dict(result.formats),
        formats_from=f"--quant {quantization.text}" if quantization.activation or quantization.weight else "model",
        written=_written(wanted),
        trained=_trained(analysis, operator, call),
    )


def _trained(analysis: Analysis, operator: Operator, call: Call) -> tuple[Stored, ...]:
    """The stored tensors among a node's operands; integers only where the operator multiplies by them."""
    found: dict[str, Stored] = {}
    for position, tensor in enumerate(call.inputs):
        if tensor is None or not tensor.stored or position in operator.settings:
            continue
        if tensor.dtype in FLOATS or position in operator.weights:
            for identity in sorted(tensor.stored):
                found[identity] = Stored(identity, analysis.stored[identity], tensor.number)
    return tuple(found.values())


def _known(tensor: Tensor) -> bool:
    return tensor.value is not None and None not in tensor.value


def _written(outputs: Sequence[Tensor]) -> Inventory | None:
    """The numbers a node writes, None if a size is unknown."""
    counts: dict[Op, Size] = {}
    for tensor in outputs:
        if tensor.constant:
            continue
        if tensor.shape is None:
            return None
        op = Op(Kind.STORE, Role.OUTPUT, tensor.number, tensor.number, tensor.number)
        counts[op] = counts.get(op, 0) + product(tensor.shape)
    return Inventory(counts)
