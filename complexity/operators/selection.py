"""Operators whose results, and whose work, only the data decide: Unique, NonMaxSuppression, ImageDecoder."""

from __future__ import annotations

from dataclasses import replace

from ..errors import quoted
from ..expressions import Size
from ..shapes import Tensor
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS"]

CHANNELS = {"RGB": 3, "BGR": 3, "Grayscale": 1}


def unique(call: Call) -> Result:
    """The distinct elements, or slices along an axis, with first places, places in the result, and counts."""
    x, count = call.input(0), call.symbol("count")
    found: tuple[Size, ...] | None = (count,)
    length: Size | None = x.size
    if "axis" in call.attributes:
        if x.shape is None:
            found, length = None, None
        else:
            axis = call.axis(call.integer("axis"), len(x.shape))
            found, length = (*x.shape[:axis], count, *x.shape[axis + 1 :]), x.shape[axis]
    distinct = replace(x, shape=found, value=None, accumulator=None)
    counted = Tensor(dtype="int64", shape=(count,))
    inverse = Tensor(dtype="int64", shape=None if length is None else (length,))
    return Result(outputs=(distinct, counted, inverse, counted)[: max(1, len(call.wanted))])


def first_seen(call: Call) -> Result:
    """The Unique of com.microsoft: the distinct elements in the order of the input, their places in it, and counts."""
    distinct, _, inverse, counts = unique(replace(call, wanted=(True,) * 4)).outputs
    return Result(outputs=(distinct, inverse, counts)[: max(1, len(call.wanted))])


def non_max_suppression(call: Call) -> Result:
    """The boxes kept, as [count, 3] indices of batch, class and box."""
    for index in (0, 1):
        if call.input(index).shape is not None:
            call.shape(index, 3)
    return Result(outputs=(Tensor(dtype="int64", shape=(call.symbol("count"), 3)),))


def image_decoder(call: Call) -> Result:
    """An image as [height, width, channels] bytes."""
    pixels = call.text("pixel_format", "RGB")
    if pixels not in CHANNELS:
        call.refuse("E-PIXEL-FORMAT", f"pixel_format is '{quoted(pixels)}', expected {', '.join(CHANNELS)}")
    shape = (call.symbol("height"), call.symbol("width"), CHANNELS[pixels])
    return Result(outputs=(Tensor(dtype="uint8", shape=shape),))


OPERATORS = (
    Operator(
        name="Unique",
        rule=unique,
        outputs=(1, 4),
        attributes="axis sorted",
        uncountable="sorting: how many comparisons it takes depends on the data",
    ),
    Operator(
        name="Unique",
        rule=first_seen,
        outputs=(3, 3),
        uncountable="telling elements apart: how many comparisons it takes depends on the data",
        domain=MICROSOFT,
    ),
    Operator(
        name="NonMaxSuppression",
        rule=non_max_suppression,
        inputs=(2, 5),
        attributes="center_point_box",
        settings=(2, 3, 4),
        uncountable="how many pairs of boxes are compared depends on the data",
    ),
    Operator(
        name="ImageDecoder",
        rule=image_decoder,
        attributes="pixel_format",
        uncountable="decoding an image: the work depends on its encoding",
    ),
)
