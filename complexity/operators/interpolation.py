"""Values between grid points: Resize and Upsample at regular places, GridSample at places that are data."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Expression, Size, ceil_divide, maximum, product
from ..formats import Format
from ..ops import Role
from ..shapes import Element, Shape, Tensor
from . import evaluation
from .moved import MOVEMENT, listed
from .propagation import chosen, including
from .rule import Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS"]

BETWEEN = Role.INTERPOLATION
M = Arithmetic[Signal]
TAPS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
POLICIES = ("stretch", "not_larger", "not_smaller")
SIMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a resized tensor: its size before and after, and the factor where it was given as one (else None)."""

    before: Size
    after: Size
    factor: Element = None
    cropped: bool = False

    @property
    def kept(self) -> bool:
        """Whether every value of this axis is one of the input's."""
        same = self.before == self.after if self.factor is None else self.factor == 1
        return same and not self.cropped

    def taps(self, count: int, widened: bool) -> Size:
        """Input values one output value depends on; `widened`: a filter against aliasing covers those left out."""
        if self.kept:
            return 1
        if not widened:
            return count
        if isinstance(self.factor, int | float) and self.factor > 0:
            inverse = 1 / simple(self.factor)
            return max(count, 2 * -((-count // 2 * inverse.numerator) // inverse.denominator))
        if self.after == 0:
            return count
        return maximum(count, 2 * ceil_divide(count // 2 * self.before, self.after))


def simple(number: float) -> Fraction:
    """The number, or the simple fraction whose nearest float32 it is (0.7 is stored as 0.699999988)."""
    exact = Fraction(number)
    near = exact.limit_denominator(SIMPLE)
    return near if single(float(near)) == number else exact


def single(number: float) -> float:
    """The nearest float32."""
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return float("inf")


def scaled(size: Size, factor: Element) -> Size | None:
    """floor(size * factor), the product rounded to float32 as kernels do; None if unknown."""
    if isinstance(factor, int | float):
        if isinstance(size, int):
            return int(single(single(size) * single(factor)))
        factor = float(factor)
        ratio = simple(factor)
        result = evaluation.floor(evaluation.divide(size * ratio.numerator, ratio.denominator, integers=False))
    elif isinstance(factor, Expression):
        result = evaluation.floor(evaluation.multiply(size, factor))
    else:
        return None
    return result if isinstance(result, int | Expression) else None


def elements_of(call: Call, index: int) -> tuple[Element, ...] | None:
    """The elements of an input, each None while unknown; None if the input is absent or empty."""
    tensor = call.given(index)
    if tensor is None or tensor.shape == (0,) or tensor.value == ():
        return None
    if tensor.value is not None:
        return tensor.value
    count = tensor.size
    return (None,) * count if isinstance(count, int) and count <= 64 else (None,) * len(call.shape(0))


def resized_axes(call: Call, rank: int) -> tuple[int, ...]:
    """The axes that scales, sizes and regions speak of."""
    named = call.integers("axes")
    axes = tuple(range(rank)) if named is None else tuple(call.axis(axis, rank, "axes") for axis in named)
    if len(set(axes)) != len(axes):
        call.refuse("E-AXES-REPEATED", f"axes {listed(axes)} name an axis twice")
    return axes


def by_factor(call: Call, before: Size, axis: int, factor: Element, cropped: bool) -> Axis:
    """An axis made `factor` times as long; a region to read from changes no size (as kernels do, unlike the text)."""
    if isinstance(factor, int | float) and not 0 < factor < float("inf"):
        call.refuse("E-RESIZE-SCALE", f"the scale of axis {axis} is {factor}, expected a number above 0")
    after = scaled(before, factor)
    return Axis(
        before=before, after=call.symbol(f"size{axis}") if after is None else after, factor=factor, cropped=cropped
    )


def by_sizes(call: Call, shape: Shape, axes: tuple[int, ...], sizes: tuple[Element, ...]) -> dict[int, Axis]:
    """Axes brought to given sizes, or to the nearest that keep the aspect ratio inside or around them."""
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if policy not in POLICIES:
        call.refuse(
            "E-RESIZE-POLICY", f"keep_aspect_ratio_policy is '{policy[:40]}', expected one of {', '.join(POLICIES)}"
        )
    wanted: list[Size] = []
    for axis, size in zip(axes, sizes, strict=True):
        if not isinstance(size, int | Expression | None) or (isinstance(size, int) and size < 0):
            call.refuse("E-RESIZE-SIZE", f"the size of axis {axis} is {size}, expected an integer of 0 or more")
        wanted.append(call.symbol(f"size{axis}") if size is None else size)
    if policy == "stretch" or len(axes) < 2:
        return {axis: Axis(before=shape[axis], after=size) for axis, size in zip(axes, wanted, strict=True)}
    pairs = [(shape[axis], size) for axis, size in zip(axes, wanted, strict=True)]
    ratios = [
        Fraction(size, before) for before, size in pairs if isinstance(before, int) and isinstance(size, int) and before
    ]
    if len(ratios) < len(pairs):
        return {axis: Axis(before=shape[axis], after=call.symbol(f"size{axis}")) for axis in axes}
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    half = Fraction(1, 2)
    return {
        axis: Axis(before=before, after=int(ratio * before + half))
        for axis, (before, _) in zip(axes, pairs, strict=True)
        if isinstance(before, int)
    }


def resize(call: Call) -> Result:
    """A tensor sampled on another grid.

    Counting, per output value: nothing for nearest; 2^d products and 2^d - 1 additions for linear, 4^d and 4^d - 1 for
    cubic, d the axes that change. With antialias an axis made shorter takes as many values more as it leaves out. The
    coefficients, known before the run, and values outside the image are not charged. Quantized numbers stay so through
    nearest alone: what linear and cubic make is a float.
    """
    x = call.input(0)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype))
    axes = resized_axes(call, len(x.shape))
    early = call.version < 11
    scales, sizes = elements_of(call, 1 if early else 2), None if early else elements_of(call, 3)
    if (scales is None) == (sizes is None):
        found = "neither" if scales is None else "both"
        call.refuse("E-RESIZE-SIZE", f"a resized shape needs either scales or sizes, found {found}")
    given = scales if sizes is None else sizes
    if given is None or len(given) != len(axes):
        call.refuse("E-RESIZE-SIZE", f"{len(given or ())} scales or sizes are given for {len(axes)} axes")
    cropped = crops(call, len(axes))
    if sizes is None:
        places = zip(axes, given, cropped, strict=True)
        changed = {axis: by_factor(call, x.shape[axis], axis, factor, crop) for axis, factor, crop in places}
    else:
        found_axes = by_sizes(call, x.shape, axes, sizes)
        changed = {axis: replace(found_axes[axis], cropped=crop) for axis, crop in zip(axes, cropped, strict=True)}
    return sampled(call, x, x.shape, changed)


def crops(call: Call, count: int) -> tuple[bool, ...]:
    """Whether each axis is read from a region other than all of it."""
    if call.text("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return (False,) * count
    roi = elements_of(call, 1) or (None,) * (2 * count)
    if len(roi) != 2 * count:
        call.refuse("E-RESIZE-REGION", f"the region has {len(roi)} numbers, expected {2 * count}")
    return tuple((start, end) != (0, 1) for start, end in zip(roi[:count], roi[count:], strict=True))


def sampled(call: Call, x: Tensor, shape: Shape, changed: dict[int, Axis]) -> Result:
    """The result of a Resize whose axes are known."""
    mode = call.text("mode", "nearest")
    if mode not in TAPS:
        call.refuse("E-RESIZE-MODE", f"mode is '{mode[:40]}', expected nearest, linear or cubic")
    widened = call.integer("antialias", 0) != 0 and mode != "nearest"
    after = tuple(changed[axis].after if axis in changed else size for axis, size in enumerate(shape))
    output = Tensor(dtype=x.dtype, shape=after)
    taps = product([axis.taps(TAPS[mode], widened) for axis in changed.values()])
    if mode == "nearest" or taps == 1:
        moved = chosen(x, after)
        if call.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
            moved = including(moved, call.number("extrapolation_value", 0.0), call.op)
        return Result(outputs=(moved,), free=MOVEMENT, kind="interpolation")
    outputs = product(after)

    def text(m: M) -> None:
        m.dot(
            m.variable(outputs * taps, x.number),
            m.constant(outputs * taps, x.number),
            terms=taps,
            outputs=outputs,
            role=BETWEEN,
        )

    return Result(outputs=(output,), work=Steps(text=text), kind="interpolation")


def upsample(call: Call) -> Result:
    """Resize with one scale per axis, an attribute before version 9."""
    x = call.input(0)
    if x.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=x.dtype))
    named = call.attributes.get("scales")
    scales = elements_of(call, 1) if named is None else named
    if not isinstance(scales, tuple) or len(scales) != len(x.shape):
        call.refuse(
            "E-RESIZE-SIZE",
            f"{len(scales) if isinstance(scales, tuple) else 0} scales are given for {len(x.shape)} axes",
        )
    changed = {axis: by_factor(call, x.shape[axis], axis, factor, False) for axis, factor in enumerate(scales)}
    return sampled(call, x, x.shape, changed)


def grid_sample(call: Call) -> Result:
    """An image read at places that a grid names.

    Counting: per coordinate of the grid one product and one addition that turn -1..1 into pixels and one "round"; for
    linear and cubic also its fraction and, per axis, the coefficients (linear: the fraction and one minus it; cubic:
    four polynomials of three products and three additions); per place d - 1 products for each coefficient of d axes.
    Per place and channel one product for each coefficient and additions between them. Values outside are not charged.
    """
    x, grid = call.input(0), call.input(1)
    if x.shape is None or grid.shape is None:
        call.unknown("the shape of input 0 or 1 is unknown", Tensor(dtype=x.dtype))
    axes, mode = len(x.shape) - 2, call.text("mode", "bilinear" if call.version < 20 else "linear")
    if axes < 1 or len(grid.shape) != len(x.shape):
        call.refuse("E-GRID-RANK", f"an image of rank {len(x.shape)} and a grid of rank {len(grid.shape)} do not match")
    if isinstance(grid.shape[-1], int) and grid.shape[-1] != axes:
        call.refuse("E-GRID-RANK", f"the grid names {grid.shape[-1]} coordinates, the image has {axes} axes")
    if mode not in TAPS:
        call.refuse("E-RESIZE-MODE", f"mode is '{mode[:40]}', expected nearest, linear or cubic")
    places, taps = product(grid.shape[:-1]), TAPS[mode]
    output = Tensor(dtype=x.dtype, shape=(*x.shape[:2], *grid.shape[1:-1]))
    outputs = product(output.shape or ())

    def text(m: M) -> None:
        coefficients(m, operand(m, grid, places * axes), taps, axes, places, grid.number)
        if taps > 1:
            every = taps**axes
            values, weights = m.variable(outputs * every, x.number), m.variable(outputs * every, x.number)
            m.dot(values, weights, terms=every, outputs=outputs, role=BETWEEN)

    if taps == 1:
        output = including(chosen(x, output.shape), 0, call.op)
    return Result(outputs=(output,), work=Steps(text=text), kind="interpolation")


def coefficients(m: M, grid: Signal, taps: int, axes: int, places: Size, number: Format) -> None:
    """The coefficients of every place of a grid, shared by all channels."""
    factor = m.constant(grid.elements, number)
    pixel = m.requantize(m.multiply(grid, factor, role=BETWEEN), number)
    pixel = m.requantize(m.add(pixel, factor, role=BETWEEN), number)
    below = m.lookup(pixel, "round", role=BETWEEN)
    if taps == 1:
        return
    fraction = m.requantize(m.subtract(pixel, below, role=BETWEEN), number)
    if taps == 2:
        m.subtract(factor, fraction, role=BETWEEN)
    else:
        polynomials = m.variable(grid.elements * taps * 3, number)
        m.add(m.requantize(m.multiply(polynomials, factor, role=BETWEEN), number), factor, role=BETWEEN)
    joint = m.variable(places * taps**axes * (axes - 1), number)
    m.multiply(joint, joint, role=BETWEEN)


def affine_grid(call: Call) -> Result:
    """theta times every place of a regular grid: per coordinate d products and d additions (the last factor is 1)."""
    theta = call.input(0)
    if theta.shape is None:
        call.unknown("the shape of input 0 is unknown", Tensor(dtype=theta.dtype))
    batch, rows, columns = call.shape(0, 3)
    axes = rows if isinstance(rows, int) else columns - 1
    if axes not in (2, 3) or not isinstance(axes, int) or (isinstance(columns, int) and columns != axes + 1):
        call.refuse("E-GRID-RANK", f"theta has shape {listed(theta.shape)}, expected [N,2,3] or [N,3,4]")
    wanted = elements_of(call, 1) or ()
    if len(wanted) != axes + 2:
        call.refuse("E-GRID-RANK", f"size has {len(wanted)} elements, expected {axes + 2}")
    spatial = tuple(
        size if isinstance(size, int | Expression) else call.symbol(f"size{place}")
        for place, size in enumerate(wanted[2:], 2)
    )
    if any(isinstance(size, int) and size < 0 for size in spatial):
        call.refuse("E-SIZE", f"size asks for {listed(spatial)}, expected sizes of 0 or more")
    shape = (batch, *spatial, axes)
    count = product(shape)

    def text(m: M) -> None:
        turned = m.dot(
            m.variable(count * axes, theta.number),
            m.constant(count * axes, theta.number),
            terms=axes,
            outputs=count,
            role=BETWEEN,
        )
        m.add(turned, m.variable(count, theta.number), role=BETWEEN)

    return Result(outputs=(Tensor(dtype=theta.dtype, shape=shape),), work=Steps(text=text), kind="interpolation")


OPERATORS = (
    Operator(
        name="Resize",
        rule=resize,
        inputs=(1, 4),
        attributes="antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
        "keep_aspect_ratio_policy mode nearest_mode",
        settings=(1, 2, 3),
    ),
    Operator(name="Upsample", rule=upsample, inputs=(1, 2), attributes="mode scales", settings=(1,)),
    Operator(name="GridSample", rule=grid_sample, inputs=(2, 2), attributes="align_corners mode padding_mode"),
    Operator(name="AffineGrid", rule=affine_grid, inputs=(2, 2), attributes="align_corners", settings=(1,)),
)
