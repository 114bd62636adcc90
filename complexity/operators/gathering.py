"""Elements chosen by indices: Gather, GatherElements, GatherND."""

from __future__ import annotations

from dataclasses import replace
from itertools import product as cartesian

from ..encoding import Encoding, Granularity
from ..expressions import Size, product
from ..formats import Fixed
from ..shapes import Element, Shape, Tensor, strides_of
from .moved import MOVEMENT, listed, movement, partly, picked, plain, unplaced, whole
from .propagation import blended, including
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS", "index_in"]


def index_in(call: Call, index: Element, size: Size) -> int | None:
    """A known index counted from the front, None if it is not known; refuses one outside the axis."""
    if not isinstance(index, int):
        return None
    if not isinstance(size, int):
        return int(index) if index >= 0 else None
    if not -size <= index < size:
        call.refuse("E-INDEX", f"index {index} is outside an axis of size {size}")
    return index % size


def gather(call: Call) -> Result:
    """Slices along an axis in the order of the indices: data[..., indices, ...]; indices may have any rank."""
    data, indices = call.input(0), call.input(1)
    if data.shape is None or indices.shape is None:
        return movement(partly(call, data, None))
    if not data.shape:
        call.refuse("E-RANK", "input 0 has rank 0, expected 1 or more")
    axis = call.axis(call.integer("axis", 0), len(data.shape))
    shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    if indices.value is None:
        return movement(partly(call, data, shape))
    chosen = [index_in(call, index, data.shape[axis]) for index in indices.value]
    sizes, value = whole(data.shape), None
    if sizes is not None:
        offsets: list[list[int | None]] = [list(places) for places in plain(sizes)]
        offsets[axis] = [None if place is None else offsets[axis][place] for place in chosen]
        value = picked(data.value, offsets)
    return movement(partly(call, data, shape, value))


def gather_block_quantized(call: Call) -> Result:
    """Slices of a table quantized in blocks, made real again: a look-up; narrow elements may be packed in bytes."""
    data, indices, bits = call.shape(0), call.shape(1), call.integer("bits", 4)
    if bits not in (2, 4, 8):
        call.refuse("E-QUANTIZER-BITS", f"bits is {bits}, expected 2, 4 or 8")
    if not data:
        call.refuse("E-RANK", "input 0 has rank 0, expected 1 or more")
    table = call.input(0)
    if table.dtype == "uint8":
        data = (*data[:-1], data[-1] * (8 // bits))
    axis = call.axis(call.integer("gather_axis", 0), len(data), "gather_axis")
    shape = (*data[:axis], *indices, *data[axis + 1 :])
    stored = Fixed(bits=bits, integer=bits, signed=table.dtype == "int4")
    signed, given = stored.signed, call.given(3) is not None
    encoding = Encoding(
        source=call.op,
        carrier=table.dtype,
        zero_point=0 if signed and not given else None,
        granularity=Granularity.BLOCK,
        block=call.integer("block_size", 128),
    )
    return Result(
        outputs=(Tensor(dtype=call.input(2).dtype, shape=shape, format=stored, encoding=encoding),),
        free=MOVEMENT,
        packed={0: (product(data), stored)},
    )


def gather_elements(call: Call) -> Result:
    """For each index one element, at the index's own position on all axes but one."""
    data, indices = call.input(0), call.input(1)
    if data.shape is None or indices.shape is None:
        return movement(partly(call, data, indices.shape))
    rank = len(data.shape)
    if len(indices.shape) != rank or not rank:
        call.refuse(
            "E-RANK", f"indices {listed(indices.shape)} and data {listed(data.shape)} must be of one rank, 1 or more"
        )
    axis = call.axis(call.integer("axis", 0), rank)
    for place, (size, wide) in enumerate(zip(indices.shape, data.shape, strict=True)):
        if place != axis and isinstance(size, int) and isinstance(wide, int) and size > wide:
            call.refuse(
                "E-GATHER-SIZE", f"indices {listed(indices.shape)} exceed data {listed(data.shape)} on axis {place}"
            )
    return movement(partly(call, data, indices.shape, _picked_elements(call, data, indices, axis)))


def _picked_elements(call: Call, data: Tensor, indices: Tensor, axis: int) -> list[Element] | None:
    sizes, target = whole(data.shape), whole(indices.shape)
    if sizes is None or target is None or data.value is None or indices.value is None:
        return None
    steps, value = strides_of(sizes), list[Element]()
    for place, index in zip(cartesian(*(range(size) for size in target)), indices.value, strict=False):
        chosen = index_in(call, index, sizes[axis])
        if chosen is None:
            value.append(None)
            continue
        where = (*place[:axis], chosen, *place[axis + 1 :])
        value.append(data.value[sum(at * step for at, step in zip(where, steps, strict=True))])
    return value


def gather_nd(call: Call) -> Result:
    """Slices named by index vectors, the last axis of the indices, behind `batch_dims` shared axes."""
    data, indices, batch = call.input(0), call.input(1), call.integer("batch_dims", 0)
    if data.shape is None or indices.shape is None:
        return movement(partly(call, data, None))
    if not data.shape or not indices.shape:
        call.refuse("E-RANK", f"data {listed(data.shape)} and indices {listed(indices.shape)} must have rank 1 or more")
    depth = indices.shape[-1]
    if not isinstance(depth, int):
        return movement(partly(call, data, None))
    if not 0 <= batch < min(len(data.shape), len(indices.shape)) or not 1 <= depth <= len(data.shape) - batch:
        call.refuse(
            "E-GATHER-DEPTH",
            f"batch_dims {batch} and index vectors of {depth} do not fit data {listed(data.shape)} and indices "
            f"{listed(indices.shape)}",
        )
    for size, other in zip(data.shape[:batch], indices.shape[:batch], strict=True):
        if isinstance(size, int) and isinstance(other, int) and size != other:
            call.refuse("E-GATHER-BATCH", f"batch sizes {size} and {other} differ")
    shape = (*indices.shape[:-1], *data.shape[batch + depth :])
    value = None if batch else _picked_slices(call, data, indices, depth)
    return movement(unplaced(partly(call, data, shape, value), data.shape))


def _picked_slices(call: Call, data: Tensor, indices: Tensor, depth: int) -> list[Element] | None:
    sizes, wanted = whole(data.shape), indices.value
    if sizes is None or data.value is None or wanted is None:
        return None
    steps, value = strides_of(sizes), list[Element]()
    block = steps[depth - 1]
    for row in range(0, len(wanted), depth):
        chosen = [index_in(call, index, size) for index, size in zip(wanted[row : row + depth], sizes, strict=False)]
        start = sum(place * step for place, step in zip(chosen, steps, strict=False) if place is not None)
        value.extend([None] * block if None in chosen else data.value[start : start + block])
    return value


def reverse_sequence(call: Call) -> Result:
    """Each sequence of the batch turned around over its own length."""
    x = call.input(0)
    if x.shape is not None:
        rank, time, batch = len(x.shape), call.integer("time_axis", 0), call.integer("batch_axis", 1)
        if rank < 2:
            call.refuse("E-RANK", f"input 0 has rank {rank}, expected 2 or more")
        if {time, batch} != {0, 1}:
            call.refuse("E-AXIS", f"time_axis {time} and batch_axis {batch} must be 0 and 1 in some order")
    return movement(partly(call, x, x.shape))


def trilu(call: Call) -> Result:
    """The upper or lower triangle of each matrix, zeros elsewhere."""
    x = call.input(0)
    if x.shape is not None and len(x.shape) < 2:
        call.refuse("E-RANK", f"input 0 has rank {len(x.shape)}, expected 2 or more")
    return movement(including(partly(call, x, x.shape), 0, call.op))


def tensor_scatter(call: Call) -> Result:
    """A cache with an update written into its sequence axis."""
    cache, update = call.input(0), call.input(1)
    if cache.shape is not None and update.shape is not None:
        _check_update(call, cache.shape, update.shape)
    held, encoding = blended((cache, update), call.op)
    return movement(replace(partly(call, cache, cache.shape), format=held, encoding=encoding))


def _check_update(call: Call, cache: Shape, update: Shape) -> None:
    if len(cache) != len(update) or len(cache) < 2:
        call.refuse("E-RANK", f"cache {listed(cache)} and update {listed(update)} must be of one rank, 2 or more")
    axis = call.axis(call.integer("axis", -2), len(cache))
    if axis == 0:
        call.refuse("E-AXIS", "axis 0 is the batch, expected a later axis")
    for place, (size, other) in enumerate(zip(cache, update, strict=True)):
        if isinstance(size, int) and isinstance(other, int) and (other > size or (place != axis and other != size)):
            call.refuse(
                "E-SCATTER-SHAPE", f"update {listed(update)} does not fit cache {listed(cache)} on axis {place}"
            )


OPERATORS = (
    Operator(
        name="GatherBlockQuantized",
        rule=gather_block_quantized,
        inputs=(3, 4),
        attributes="bits block_size gather_axis quantize_axis",
        weights=(0,),
        settings=(1, 2, 3),
        free=MOVEMENT,
        domain=MICROSOFT,
    ),
    Operator(name="Gather", rule=gather, inputs=(2, 2), attributes="axis", settings=(1,), free=MOVEMENT),
    Operator(
        name="GatherElements", rule=gather_elements, inputs=(2, 2), attributes="axis", settings=(1,), free=MOVEMENT
    ),
    Operator(name="GatherND", rule=gather_nd, inputs=(2, 2), attributes="batch_dims", settings=(1,), free=MOVEMENT),
    Operator(name="GatherND", rule=gather_nd, inputs=(2, 2), settings=(1,), free=MOVEMENT, domain=MICROSOFT),
    Operator(
        name="ReverseSequence",
        rule=reverse_sequence,
        inputs=(2, 2),
        attributes="batch_axis time_axis",
        settings=(1,),
        free=MOVEMENT,
    ),
    *(
        Operator(
            name="Trilu", rule=trilu, inputs=(1, 2), attributes="upper", settings=(1,), free=MOVEMENT, domain=domain
        )
        for domain in ("", MICROSOFT)
    ),
    Operator(
        name="TensorScatter",
        rule=tensor_scatter,
        inputs=(2, 3),
        attributes="mode axis",
        settings=(2,),
        free=MOVEMENT,
    ),
)
