"""What becomes known of a node's outputs beside their shapes: constants' numbers, what a dialect says, float edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from ..formats import FLOATS
from ..operators.rule import Call
from ..shapes import Known, Tensor
from .dialects import reader
from .naming import place_of
from .numbers import LARGEST, Computed, Varied
from .overrides import QUANTIZER, restated

if TYPE_CHECKING:
    from onnx import NodeProto

    from .analysis import Analysis

__all__ = ["stated"]

# Operators that keep every number at its channel, so that widths of channels stay where they are.
CHANNELS_KEPT = frozenset(("Relu", "MaxPool", "Identity", "Dropout", "GlobalMaxPool", "Clip", "Pad"))


def stated(
    analysis: Analysis, node: NodeProto, call: Call, kind: str, outputs: Sequence[Tensor], path: str
) -> tuple[tuple[Tensor, ...], str | None]:
    """The outputs with their numbers, and why the node is free where a dialect makes it so."""
    tensors, free = tuple(outputs), None
    first = call.inputs[0] if call.inputs else None
    varied = first is not None and isinstance(first.known, Varied)
    made = first is not None and (varied or any(each.constant or each.known is not None for each in outputs))
    read, held = reader(call.domain, call.op), any(each is not None and _held(each) for each in call.inputs)
    if not (made or read or held):
        return tensors, None
    place = place_of(path, call.op)
    if made:
        tensors = tuple(
            [replace(each, known=_known(node, call, each, index, place)) for index, each in enumerate(outputs)]
        )
    if read is not None and tensors:
        statement = read(call, tensors, place)
        if statement is not None:
            free = statement.free
            tensors = tuple(
                restated(analysis.quantization, call, tensor, kind == QUANTIZER or free is not None)
                if tensor.encoding is not None
                else tensor
                for tensor in statement.outputs
            )
    if held:
        tensors = tuple([_with_cause(call, tensor, place) for tensor in tensors])
    return tensors, free


def _held(tensor: Tensor) -> bool:
    """Whether a tensor holds quantized numbers, or floats that were some."""
    return tensor.encoding is not None or tensor.cause != "" or not tensor.number.floating


def _known(node: NodeProto, call: Call, tensor: Tensor, index: int, place: str) -> Known | None:
    """The numbers of a constant output, to be computed when they are asked for."""
    first = call.inputs[0]
    if not tensor.constant:
        kept = first is not None and isinstance(first.known, Varied) and call.op in CHANNELS_KEPT
        return first.known if kept and first is not None else None
    inputs = [tensor.known if tensor is not None else None for tensor in call.inputs]
    missing = any(tensor is not None and tensor.known is None for tensor in call.inputs)
    if missing or tensor.shape is None or not all(isinstance(size, int) for size in tensor.shape):
        return None
    shape = tuple(size for size in tensor.shape if isinstance(size, int))
    if prod(shape) > LARGEST:
        return None
    return Computed(
        node=node,
        index=index,
        version=call.version,
        dtype=tensor.dtype,
        shape=shape,
        inputs=inputs,
        attributes=call.attributes,
        place=place,
    )


def _with_cause(call: Call, tensor: Tensor, place: str) -> Tensor:
    """A float that quantized numbers became: it remembers the first node that made it one."""
    if tensor.dtype not in FLOATS or not tensor.number.floating or tensor.encoding is not None:
        return tensor
    cause = next((each.cause for each in call.inputs if each is not None and each.cause), "")
    held = [each for each in call.inputs if each is not None and not each.constant]
    lost = any(each.number.floating and each.encoding is None for each in held)
    if not cause and not lost and any(each.encoding is not None or not each.number.floating for each in held):
        cause = place
    return replace(tensor, cause=cause) if cause else tensor
