"""Updates written at indices: Scatter, ScatterElements, ScatterND. Only a reduction costs, one operation an update."""

from __future__ import annotations

from dataclasses import replace
from itertools import product as cartesian

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size
from ..ops import Role
from ..shapes import Element, Shape, Tensor, strides_of
from .gathering import index_in
from .moved import MOVEMENT, joined, listed, movement, whole
from .rule import Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS"]


def scatter_elements(call: Call) -> Result:
    """A copy of the data in which each update stands at its own position on all axes but one, where its index says."""
    data, indices, updates = call.input(0), call.input(1), call.input(2)
    if data.shape is not None:
        axis = call.axis(call.integer("axis", 0), len(data.shape))
        for shape in (indices.shape, updates.shape):
            if shape is not None and len(shape) != len(data.shape):
                call.refuse("E-RANK", f"{listed(shape)} differs in rank from the data {listed(data.shape)}")
        if indices.shape is not None and updates.shape is not None:
            _same(call, indices.shape, updates.shape)
        return _written(call, _places(call, data, indices, axis))
    return _written(call, None)


def scatter_nd(call: Call) -> Result:
    """A copy of the data in which slices named by index vectors, the last axis of the indices, are replaced."""
    data, indices, updates = call.input(0), call.input(1), call.input(2)
    if data.shape is None or indices.shape is None:
        return _written(call, None)
    if not data.shape or not indices.shape:
        call.refuse("E-RANK", f"data {listed(data.shape)} and indices {listed(indices.shape)} must have rank 1 or more")
    depth = indices.shape[-1]
    if not isinstance(depth, int):
        return _written(call, None)
    if depth > len(data.shape):
        call.refuse("E-SCATTER-DEPTH", f"index vectors of {depth} for data {listed(data.shape)}")
    if updates.shape is not None:
        _same(call, (*indices.shape[:-1], *data.shape[depth:]), updates.shape)
    return _written(call, _slice_places(call, data, indices, depth))


def _same(call: Call, expected: Shape, found: Shape) -> None:
    pairs = zip(expected, found, strict=False)
    differ = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)
    if len(expected) != len(found) or differ:
        call.refuse("E-SCATTER-SHAPE", f"updates of shape {listed(found)}, expected {listed(expected)}")


def _places(call: Call, data: Tensor, indices: Tensor, axis: int) -> list[int | None] | None:
    sizes, target = whole(data.shape), whole(indices.shape)
    if sizes is None or target is None or indices.value is None:
        return None
    steps, places = strides_of(sizes), list[int | None]()
    for place, index in zip(cartesian(*(range(size) for size in target)), indices.value, strict=False):
        chosen = index_in(call, index, sizes[axis])
        others = sum(at * step for axis_, (at, step) in enumerate(zip(place, steps, strict=True)) if axis_ != axis)
        places.append(None if chosen is None else others + chosen * steps[axis])
    return places


def _slice_places(call: Call, data: Tensor, indices: Tensor, depth: int) -> list[int | None] | None:
    sizes, wanted = whole(data.shape), indices.value
    if sizes is None or wanted is None or depth == 0:
        return None
    steps, places = strides_of(sizes), list[int | None]()
    block = steps[depth - 1]
    for row in range(0, len(wanted), depth):
        chosen = [index_in(call, index, size) for index, size in zip(wanted[row : row + depth], sizes, strict=False)]
        start = sum(place * step for place, step in zip(chosen, steps, strict=False) if place is not None)
        places.extend([None] * block if None in chosen else range(start, start + block))
    return places


def _written(call: Call, places: list[int | None] | None) -> Result:
    data, updates, reduction = call.input(0), call.input(2), call.text("reduction", "none")
    if reduction not in ("none", "add", "mul", "max", "min"):
        call.refuse("E-SCATTER-REDUCTION", f"reduction is '{quoted(reduction)}', expected none, add, mul, max or min")
    value = _overwritten(data, updates, places) if reduction == "none" else None
    result = joined((data, updates), data.shape, value, call.op)
    constant = result.constant and call.input(1).constant
    if reduction in ("add", "mul"):
        # How many updates meet in one place only the run decides.
        result = replace(result, format=None, encoding=None)
    result = replace(result, constant=constant, stored=frozenset())
    if reduction == "none":
        return movement(result)
    total = updates.size
    if total is None:
        call.unknown("the shape of input 2 is unknown", result)
    return Result(outputs=(result,), work=_reduction(data, updates, total, reduction), kind="scatter")


def _reduction(data: Tensor, updates: Tensor, total: Size, reduction: str) -> Steps:
    """One addition, product or comparison per update."""

    def text(m: Arithmetic[Signal]) -> None:
        update, old = operand(m, updates, total), operand(m, data, total)
        if reduction == "add":
            m.add(update, old, role=Role.REDUCTION)
        elif reduction == "mul":
            m.multiply(update, old, role=Role.REDUCTION)
        else:
            m.compare(update, old, role=Role.REDUCTION)

    return Steps(text=text)


def _overwritten(data: Tensor, updates: Tensor, places: list[int | None] | None) -> list[Element] | None:
    """The data with the updates written in; all of it is unknown as soon as a place is."""
    if data.value is None or places is None or None in places:
        return None
    value = list(data.value)
    written = updates.value or (None,) * len(places)
    for place, element in zip(places, written, strict=False):
        if place is not None and place < len(value):
            value[place] = element
    return value


OPERATORS = (
    Operator(name="Scatter", rule=scatter_elements, inputs=(3, 3), attributes="axis", settings=(1,), free=MOVEMENT),
    Operator(
        name="ScatterElements",
        rule=scatter_elements,
        inputs=(3, 3),
        attributes="axis reduction",
        settings=(1,),
    ),
    Operator(name="ScatterND", rule=scatter_nd, inputs=(3, 3), attributes="reduction", settings=(1,)),
)
