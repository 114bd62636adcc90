"""Number formats through an operator: what its exact arithmetic makes of the numbers its operands hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from ..encoding import Encoding, Granularity
from ..formats import FLOATS, Format, widest
from ..grids import Grid, evened, grid_of, on_grid, one_step, point, united
from ..shapes import Element, Shape, Tensor

__all__ = ["Exact", "blended", "carried", "chosen", "including"]

# What an operator does to the grids of its operands; None where the result is on none.
Exact = Callable[..., Grid | None]


def chosen(x: Tensor, shape: Shape | None, axes: Sequence[int] = ()) -> Tensor:
    """Numbers of a tensor that the run chooses: their format and what it means stay.

    axes: those along which they are chosen; where the step differs along one, which step a number has is not known.
    """
    encoding = x.encoding
    if encoding is not None and not one_step(x, axes):
        encoding = replace(encoding, granularity=Granularity.ELEMENT, axis=None, block=0)
    elif encoding is not None and encoding.axis is not None and (shape is None or len(shape) != x.rank):
        encoding = replace(encoding, axis=None)
    return Tensor(dtype=x.dtype, shape=shape, format=x.format and evened(x.format), encoding=encoding)


def carried(
    output: Tensor,
    operands: Sequence[Tensor],
    arithmetic: Exact,
    source: str,
    otherwise: Exact | None = None,
) -> Tensor:
    """A computed tensor with the format that arithmetic on the grids of its operands gives; as it is where none does.

    Only floats carry: on integers the same operator computes with what is stored. otherwise: asked where the arithmetic
    has no answer although every operand is encoded.
    """
    origins = [operand for operand in operands if operand.encoding is not None]
    if not origins or output.dtype not in FLOATS or any(origin.dtype not in FLOATS for origin in origins):
        return output
    grids = [grid for operand in operands if (grid := grid_of(operand)) is not None]
    if len(grids) < len(operands):
        return output
    result = arithmetic(*grids)
    if result is None and otherwise is not None and len(origins) == len(operands):
        result = otherwise(*grids)
    return output if result is None else on_grid(output, result, source, origins)


def including(tensor: Tensor, value: Element, source: str) -> Tensor:
    """The tensor, moved, with one more number among its own; a float where that number is not on its grid."""
    encoding = tensor.encoding
    if encoding is None:
        return tensor
    before, more = grid_of(tensor), point(value)
    if tensor.dtype not in FLOATS and isinstance(value, int) and encoding.zero_point is not None:
        # Among integers the number is a stored one.
        more = Grid(encoding.step, value - encoding.zero_point, value - encoding.zero_point)
        result = before and Grid(before.step, min(before.low, more.low), max(before.high, more.high))
    else:
        result = None if before is None or more is None else united(before, more)
    bare = replace(tensor, format=None, encoding=None)
    return bare if result is None else on_grid(bare, result, source, (tensor,))


def blended(tensors: Sequence[Tensor], source: str) -> tuple[Format | None, Encoding | None]:
    """Format and encoding of numbers of several tensors side by side.

    One step and zero point: the union of the ranges. Else integers of different meaning stand next to each other: in
    the widest format, with no one step.
    """
    if all(tensor.format is None and tensor.encoding is None for tensor in tensors):
        return None, None
    encodings = [tensor.encoding for tensor in tensors if tensor.encoding is not None]
    first = tensors[0].number
    same = len(encodings) == len(tensors) and all(
        replace(e, source="") == replace(encodings[0], source="") for e in encodings
    )
    # A step found for each tensor, or along an axis, is not the same because two encodings look alike.
    whole = bool(encodings) and encodings[0].step is not None
    if same and all(tensor.number == first for tensor in tensors):
        return evened(first), encodings[0] if whole else replace(
            encodings[0], source=source, granularity=Granularity.ELEMENT, axis=None, block=0
        )
    if encodings and len({(encoding.step, encoding.zero_point) for encoding in encodings}) == 1:
        grids = [grid for tensor in tensors if (grid := grid_of(tensor)) is not None]
        result = _union(grids) if len(grids) == len(tensors) else None
        if result is not None and result.step == encodings[0].step and encodings[0].step is not None:
            origins = [tensor for tensor in tensors if tensor.encoding is not None]
            made = on_grid(Tensor(dtype=tensors[0].dtype), result, source, origins[:1])
            return made.format, made.encoding
    held = reduce(widest, (tensor.number for tensor in tensors))
    if len(encodings) < len(tensors) or held.floating:
        return held, None
    zeros = {encoding.zero_point for encoding in encodings}
    return evened(held), Encoding(
        source=source, zero_point=zeros.pop() if len(zeros) == 1 else None, granularity=Granularity.ELEMENT
    )


def _union(grids: Sequence[Grid]) -> Grid | None:
    result: Grid | None = grids[0]
    for grid in grids[1:]:
        result = None if result is None else united(result, grid)
    return result
