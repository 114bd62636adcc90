"""Which sum of products a tensor is: how far its numbers reach follows from the weights, read when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..accounting import Matrix
from ..accounting.matrix import Biased
from ..formats import Accumulation
from ..operators.rule import Call
from ..shapes import Tensor
from .rows import Answer

__all__ = ["own_sum", "with_sum"]

# What hands sums on as they are, or without the negative ones.
PASSING = frozenset(("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "GlobalMaxPool"))


def own_sum(answer: Answer, operands: Mapping[str, Matrix]) -> tuple[Accumulation, Matrix] | None:
    """The sum of products that an operator makes, its bias included; None where its weights are not known."""
    if answer.sum is None or "weight" not in operands:
        return None
    weights, bias = operands["weight"], operands.get("bias")
    return answer.sum, weights if bias is None else Biased.over(weights, bias)


def with_sum(
    call: Call, answer: Answer, operands: Mapping[str, Matrix], tensors: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The outputs of a node, the first with the sum of products it is, if it is one."""
    if not tensors:
        return tensors
    found = tensors[0].summed
    first = call.inputs[0] if call.inputs else None
    before = first.summed if first is not None else None
    stated = tensors[0].encoding is not None and not tensors[0].encoding.derived
    if "weight" in operands and not stated:
        found = own_sum(answer, operands)
    elif answer.partial is not None and call.op == "Add":
        open = call.inputs[answer.partial]
        before = open.summed if open is not None else None
        found = None if before is None else (before[0], Biased.over(before[1], operands.get("bias")))
    elif before is not None and call.op == "Relu":
        found = before[0], Biased.over(before[1], positive=True)
    elif call.op in PASSING:
        found = before
    elif found is not None:
        found = None
    return tensors if found is tensors[0].summed else (replace(tensors[0], summed=found), *tensors[1:])
