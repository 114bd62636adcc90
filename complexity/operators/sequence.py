"""Sequences and optionals. A sequence knows what its tensors have in common, and its length.

An optional that holds something is taken as what it holds; an empty one is a tensor of which nothing but a length of 0
is known. Where the run decides (a graph input), its element type is "optional" and `item` is what it may hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..expressions import Size, ceil_divide, floor_divide
from ..shapes import Shape, Tensor
from .element_types import element_type
from .moved import MOVEMENT, joined, listed, movement, sizes_from_data
from .rule import Call, Operator, Result

__all__ = ["OPERATORS"]


def _alike(tensors: Sequence[Tensor]) -> Tensor:
    """What tensors have in common: their shape if it is one."""
    shape = tensors[0].shape if all(tensor.shape == tensors[0].shape for tensor in tensors) else None
    return joined(tensors, shape, tensors[0].value if len(tensors) == 1 else None, "a sequence")


def _of(item: Tensor, length: Size | None) -> Tensor:
    return Tensor(item=item, length=length)


def _item(call: Call, index: int = 0) -> Tensor:
    """What the tensors of an input sequence have in common."""
    return call.input(index).item or Tensor()


def construct(call: Call) -> Result:
    """A sequence of the inputs."""
    if not call.inputs:
        call.refuse("E-NODE-INPUT", "input 0 is required and absent")
    tensors = [call.input(index) for index in range(len(call.inputs))]
    return movement(_of(_alike(tensors), len(tensors)))


def empty(call: Call) -> Result:
    """A sequence of nothing, of an element type."""
    return movement(_of(Tensor(dtype=element_type(call, "dtype") or "float32"), 0))


def at(call: Call) -> Result:
    """One tensor of a sequence."""
    _check_position(call, 1, call.input(0).length, 0)
    return movement(_item(call))


def _check_position(call: Call, index: int, length: Size | None, behind: int) -> None:
    value = call.values(index)
    place = value[0] if value else None
    if isinstance(place, int) and isinstance(length, int) and not -length <= place < length + behind:
        call.refuse("E-SEQUENCE-POSITION", f"position {place} is outside a sequence of {length}")


def erase(call: Call) -> Result:
    """A sequence without one of its tensors, the last if none is named."""
    length = call.input(0).length
    _check_position(call, 1, length, 0)
    if isinstance(length, int) and length < 1:
        call.refuse("E-SEQUENCE-POSITION", "an empty sequence has nothing to erase")
    return movement(_of(_item(call), None if length is None else length - 1))


def insert(call: Call) -> Result:
    """A sequence with one tensor more."""
    sequence, tensor = call.input(0), call.input(1)
    _check_position(call, 2, sequence.length, 1)
    item = tensor if sequence.length == 0 or sequence.item is None else _alike((sequence.item, tensor))
    if sequence.item is None and sequence.length != 0:
        item = Tensor(dtype=tensor.dtype)
    return movement(_of(item, None if sequence.length is None else sequence.length + 1))


def length(call: Call) -> Result:
    """How many tensors a sequence holds."""
    known = call.input(0).length
    return movement(Tensor(dtype="int64", shape=()).with_value(None if known is None else (known,)))


def concat_from_sequence(call: Call) -> Result:
    """The tensors of a sequence behind one another, on an axis of their own or a new one."""
    item, count = _item(call), call.input(0).length
    if count is None:
        count = call.symbol("length")
    result = replace(item, value=item.value if count == 1 else None, accumulator=None)
    if item.shape is None:
        return movement(result)
    new = call.integer("new_axis", 0)
    axis = call.axis(call.integer("axis"), len(item.shape) + (1 if new else 0))
    size: Size = count if new else item.shape[axis] * count
    return movement(replace(result, shape=(*item.shape[:axis], size, *item.shape[axis + (0 if new else 1) :])))


def split_to_sequence(call: Call) -> Result:
    """Parts along an axis as a sequence: of one size (the last may be smaller), of named sizes, or single slices."""
    x = call.input(0)
    item = replace(x, shape=None, value=None, accumulator=None)
    if x.shape is None:
        return movement(_of(item, None))
    axis = call.axis(call.integer("axis", 0), len(x.shape))
    before, size, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    if call.given(1) is None:
        kept: Shape = (1,) if call.integer("keepdims", 1) else ()
        return movement(_of(replace(item, shape=(*before, *kept, *behind)), size))
    parts, scalar = sizes_from_data(call, 1, parts=True), call.input(1).shape == ()
    if parts is None:
        return movement(_of(item, None))
    if scalar:
        (part,) = parts
        if isinstance(part, int) and part < 1:
            call.refuse("E-SPLIT-SIZE", f"split is {part}, expected 1 or more")
        even = part == 1 or size - floor_divide(size, part) * part == 0
        return movement(_of(replace(item, shape=(*before, part, *behind) if even else None), ceil_divide(size, part)))
    total: Size = 0
    for part in parts:
        total = total + part
    if isinstance(total, int) and isinstance(size, int) and total != size:
        call.refuse("E-SPLIT-TOTAL", f"split {listed(parts)} sums to {total}, the axis has size {size}")
    one = bool(parts) and all(part == parts[0] for part in parts)
    return movement(_of(replace(item, shape=(*before, parts[0], *behind) if one else None), len(parts)))


def optional(call: Call) -> Result:
    """The input as an optional; an empty one without it."""
    held = call.given(0)
    return movement(Tensor(length=0) if held is None else held)


def _empty(tensor: Tensor | None) -> bool:
    return tensor is None or (tensor.length == 0 and tensor.item is None)


def optional_get_element(call: Call) -> Result:
    """What an optional holds."""
    held = call.input(0)
    if _empty(held):
        call.refuse("E-OPTIONAL-EMPTY", "the optional holds nothing")
    return movement((held.item or Tensor()) if held.dtype == "optional" else held)


def optional_has_element(call: Call) -> Result:
    """Whether an optional holds something; a tensor or a sequence does."""
    held = call.given(0)
    decided = held is None or held.dtype != "optional"
    return movement(Tensor(dtype="bool", shape=()).with_value((not _empty(held),) if decided else None))


OPERATORS = (
    Operator(name="SequenceConstruct", rule=construct, inputs=(1, None), free=MOVEMENT),
    Operator(name="SequenceEmpty", rule=empty, inputs=(0, 0), attributes="dtype", free=MOVEMENT),
    Operator(name="SequenceAt", rule=at, inputs=(2, 2), settings=(1,), free=MOVEMENT),
    Operator(name="SequenceErase", rule=erase, inputs=(1, 2), settings=(1,), free=MOVEMENT),
    Operator(name="SequenceInsert", rule=insert, inputs=(2, 3), settings=(2,), free=MOVEMENT),
    Operator(name="SequenceLength", rule=length, free=MOVEMENT),
    Operator(name="ConcatFromSequence", rule=concat_from_sequence, attributes="new_axis axis", free=MOVEMENT),
    Operator(
        name="SplitToSequence",
        rule=split_to_sequence,
        inputs=(1, 2),
        attributes="keepdims axis",
        settings=(1,),
        free=MOVEMENT,
    ),
    Operator(name="Optional", rule=optional, inputs=(0, 1), attributes="type", free=MOVEMENT),
    Operator(name="OptionalGetElement", rule=optional_get_element, free=MOVEMENT),
    Operator(name="OptionalHasElement", rule=optional_has_element, inputs=(0, 1), free=MOVEMENT),
)
