"""Columns of blocks folded back into an image: Col2Im."""

from __future__ import annotations

from collections.abc import Iterator

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, divide_exactly, floor_divide, product
from ..ops import Role
from ..shapes import Shape, Tensor
from .moved import listed, sizes_from_data
from .rule import Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS", "TAPS", "axis_hits"]

TAPS = 100_000


def col2im(call: Call) -> Result:
    """image[p] = sum of the block elements that land on p: one addition for each but the first on a pixel."""
    x, image, block = call.input(0), sizes_from_data(call, 1), sizes_from_data(call, 2, 1)
    if x.shape is None or image is None or block is None:
        call.unknown("the shape of input 0, the image or the block is unknown", Tensor(dtype=x.dtype))
    batch, columns, count = call.shape(0, 3)
    if len(image) != len(block):
        call.refuse("E-FOLD-RANK", f"image {listed(image)} and block {listed(block)} differ in rank")
    taps = product(block)
    if isinstance(columns, int) and isinstance(taps, int) and columns % taps:
        call.refuse("E-FOLD-BLOCK", f"{columns} rows of columns are no multiple of the {taps} elements of a block")
    exact = divide_exactly(columns, taps)
    channels = floor_divide(columns, taps) if exact is None else exact
    result = Tensor(dtype=x.dtype, shape=(batch, channels, *image))
    additions = batch * channels * _overlaps(call, image, block, count, result)

    def text(m: Arithmetic[Signal]) -> None:
        element = operand(m, x, additions)
        m.add(element, element, role=Role.REDUCTION)

    return Result(outputs=(result,), work=Steps(text=text), kind="fold")


def _overlaps(call: Call, image: Shape, block: Shape, count: Size, result: Tensor) -> Size:
    """Additions in one channel: elements that land in the image less the pixels they land on."""
    strides, dilations, pads = _spacing(call, len(image))
    landed, hit, blocks = 1, 1, 1
    for axis, (size, taps) in enumerate(zip(image, block, strict=True)):
        if not isinstance(size, int) or not isinstance(taps, int) or taps > TAPS:
            call.unknown("how blocks overlap is not known while the image or block has free or huge sizes", result)
        before, behind = pads[axis], pads[axis + len(image)]
        room = size + before + behind - dilations[axis] * (taps - 1) - 1
        steps = room // strides[axis] + 1
        if steps < 1:
            call.refuse("E-FOLD-BLOCK", f"a block of {taps} does not fit axis {axis} of the image {listed(image)}")
        inside, pixels = axis_hits(size, (taps, steps, strides[axis], dilations[axis], before))
        landed, hit, blocks = landed * inside, hit * pixels, blocks * steps
    if isinstance(count, int) and count != blocks:
        call.refuse("E-FOLD-COUNT", f"{count} columns for {blocks} blocks of image {listed(image)}")
    return landed - hit


def _spacing(call: Call, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    found = []
    for name, default, length in (("strides", 1, rank), ("dilations", 1, rank), ("pads", 0, 2 * rank)):
        given = call.integers(name)
        numbers = (default,) * length if given is None else given
        if len(numbers) != length or any(number < default for number in numbers):
            call.refuse("E-FOLD-SPACING", f"{name} {listed(numbers)} must be {length} numbers of {default} or more")
        found.append(numbers)
    return found[0], found[1], found[2]


def axis_hits(size: int, spacing: tuple[int, int, int, int, int]) -> tuple[int, int]:
    """On one axis: block elements inside the image, and different pixels they land on.

    spacing: taps of a block, blocks, stride, dilation, padding before.
    """
    taps, blocks, stride, dilation, before = spacing
    inside = 0
    runs: dict[int, list[tuple[int, int]]] = {}
    for tap in range(taps):
        offset = tap * dilation - before
        first = max(0, -(offset // stride))
        last = min(blocks - 1, (size - 1 - offset) // stride)
        if last >= first:
            inside += last - first + 1
            # Positions of one tap are a run of steps of the stride; runs of one residue may share pixels.
            runs.setdefault(offset % stride, []).append((first + offset // stride, last + offset // stride))
    return inside, sum(end - start + 1 for found in runs.values() for start, end in _merged(found))


def _merged(runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start, end = min(runs)
    for first, last in sorted(runs):
        if first > end + 1:
            yield start, end
            start = first
        end = max(end, last)
    yield start, end


OPERATORS = (Operator(name="Col2Im", rule=col2im, inputs=(3, 3), attributes="strides pads dilations", settings=(1, 2)),)
