"""Windows that keep their greatest element, their mean or their norm; pooling of whole maps and of regions."""

from __future__ import annotations

from collections.abc import Callable

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, at_least, ceil_divide, floor_divide, product
from ..formats import Format
from ..grids import Grid, one_step, partial_sums, summed
from ..layers.wiring import inverse
from ..ops import Role
from ..shapes import Shape, Tensor
from .elementwise import raised
from .moved import MOVEMENT, listed, sizes_from_data
from .propagation import carried, chosen, including
from .rule import Call, Operator, Result, Rule, Steps, operand

__all__ = ["OPERATORS", "average", "global_pool", "pool", "window_positions"]

POOL = Role.POOLING
M = Arithmetic[Signal]
Equation = Callable[[M, Signal, Size, Size, Format], None]
MODES = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def per_axis(call: Call, name: str, count: int, default: int, least: int) -> tuple[int, ...]:
    """An attribute of `count` integers, none below `least`; the default where it is absent or empty."""
    found = call.integers(name) or (default,) * count
    if len(found) != count:
        call.refuse("E-POOL-ATTRIBUTE", f"attribute '{name}' has {len(found)} values, expected {count}")
    if found and min(found) < least:
        call.refuse("E-POOL-ATTRIBUTE", f"attribute '{name}' holds {min(found)}, expected {least} or more")
    return found


def kernel_of(call: Call, axes: int) -> tuple[int, ...]:
    """The required window."""
    if not call.integers("kernel_shape"):
        call.refuse("E-ATTRIBUTE-MISSING", "attribute 'kernel_shape' is required and absent")
    return per_axis(call, "kernel_shape", axes, 1, 1)


def window_positions(call: Call, sizes: Shape, kernel: tuple[int, ...]) -> Shape:
    """Positions of a window along each axis; one that would start in the end padding or behind it does not count."""
    axes, mode = len(sizes), call.text("auto_pad", "NOTSET") or "NOTSET"
    if mode not in MODES:
        call.refuse("E-POOL-AUTOPAD", f"auto_pad is '{mode[:40]}', expected one of {', '.join(MODES)}")
    strides, dilations = per_axis(call, "strides", axes, 1, 1), per_axis(call, "dilations", axes, 1, 1)
    pads = per_axis(call, "pads", 2 * axes, 0, 0) if mode == "NOTSET" else (0,) * (2 * axes)
    up, positions = call.integer("ceil_mode", 0) != 0, []
    for axis, size in enumerate(sizes):
        stride, extent, begin, end = (
            strides[axis],
            (kernel[axis] - 1) * dilations[axis] + 1,
            pads[axis],
            pads[axes + axis],
        )
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            count = ceil_divide(size, stride)
        elif up:
            count = ceil_divide(size + begin + min(0, end - extent + stride), stride)
        else:
            count = floor_divide(size + begin + end - extent, stride) + 1
        if at_least(count, 1) is False:
            room = size + begin + end
            call.refuse("E-POOL-SIZE", f"a window of {extent} along axis {axis} does not fit a padded input of {room}")
        positions.append(count)
    return tuple(positions)


def pool(equation: Equation, dtypes: tuple[str, ...] = ()) -> Rule:
    """An equation on every window of every channel; `dtypes` of further outputs.

    Windows that reach into padding are charged in full: a kernel computes them.
    """

    def rule(call: Call) -> Result:
        x, shape = spatial_input(call, *dtypes)
        kernel = kernel_of(call, len(shape) - 2)
        pooled = (*shape[:2], *window_positions(call, shape[2:], kernel))
        taps, outputs = product(list(kernel)), product(pooled)

        def text(m: M) -> None:
            equation(m, m.variable(taps, x.number), taps, 1, x.number)

        tensors = [
            numbers(call, equation, x, pooled, taps, padded=reaches_out(call)),
            *(Tensor(dtype=dtype, shape=pooled) for dtype in dtypes),
        ]
        work = Steps(text=text, executions=outputs, wired=True)
        return Result(outputs=tuple(tensors[: max(1, len(call.wanted))]), work=work, kind="pooling")

    return rule


def reaches_out(call: Call) -> bool:
    """Whether a window may hold less than all its elements."""
    mode = call.text("auto_pad", "NOTSET") or "NOTSET"
    padded = mode.startswith("SAME") or (mode == "NOTSET" and any(call.integers("pads") or ()))
    return padded or call.integer("ceil_mode", 0) != 0


def numbers(call: Call, equation: Equation, x: Tensor, shape: Shape, taps: Size, *, padded: bool = False) -> Tensor:
    """The pooled tensor, in the number format that exact arithmetic gives.

    The mean of a window has the integers of its sum. Where windows reach into padding they are sums of one to all
    elements; left out of the mean, padding makes the divisor, so the step, one of each position.
    """
    output = Tensor(dtype=x.dtype, shape=shape)
    if equation is greatest:
        return chosen(x, shape, range(2, len(shape)))
    if equation is not average or not one_step(x, range(2, len(shape))):
        return output
    counted = call.integer("count_include_pad", 0) != 0 and call.integer("ceil_mode", 0) == 0

    def exact(grid: Grid) -> Grid | None:
        whole = summed(grid, taps, mean=True)
        if whole is None or not padded:
            return whole
        part = partial_sums(grid, 1, taps)
        return part and part._replace(step=whole.step if counted else None)

    return carried(output, (x,), exact, call.op)


def spatial_input(call: Call, *dtypes: str) -> tuple[Tensor, Shape]:
    """Input 0 and its shape: batch, channels and at least one axis more."""
    x = call.input(0)
    if x.shape is None:
        call.unknown(
            "the shape of input 0 is unknown", Tensor(dtype=x.dtype), *(Tensor(dtype=dtype) for dtype in dtypes)
        )
    if len(x.shape) < 3:
        call.refuse("E-POOL-RANK", f"input 0 has rank {len(x.shape)}, expected 3 or more: batch, channels, axes")
    return x, x.shape


def global_pool(equation: Equation) -> Rule:
    """An equation on all of each channel."""

    def rule(call: Call) -> Result:
        x, shape = spatial_input(call)
        taps, outputs = product(shape[2:]), product(shape[:2])

        def text(m: M) -> None:
            equation(m, operand(m, x, taps), taps, 1, x.number)

        pooled = (*shape[:2], *(1 for _ in shape[2:]))
        output = numbers(call, equation, x, pooled, taps)
        work = Steps(text=text, executions=outputs, wired=True)
        return Result(outputs=(output,), work=work, kind="pooling")

    return rule


def greatest(m: M, x: Signal, taps: Size, outputs: Size, format: Format) -> None:
    """k - 1 comparisons per output value."""
    m.greatest(x, terms=taps, outputs=outputs, role=POOL)


def average(m: M, x: Signal, taps: Size, outputs: Size, format: Format) -> None:
    """k - 1 additions and one product by the constant 1/k per output value, whether or not padding is counted in k."""
    share = m.constant(outputs, format, value=inverse(taps))
    m.multiply(m.sum(x, terms=taps, outputs=outputs, role=POOL), share, role=POOL)


def norm(p: int) -> Equation:
    """(sum |x|^p)^(1/p): for p = 2 k squares, k - 1 additions and a root; for p = 1 k comparisons and k - 1 additions;
    else k comparisons, k powers, k - 1 additions and one power."""

    def equation(m: M, x: Signal, taps: Size, outputs: Size, format: Format) -> None:
        if p == 2:
            total = m.dot(x, x, terms=taps, outputs=outputs, role=POOL)
            m.lookup(total, "sqrt", result=format, role=POOL)
            return
        powers = m.compare(x, x, role=POOL)
        if p != 1:
            powers = m.requantize(raised(m, powers, p, format, POOL), format)
        total = m.sum(powers, terms=taps, outputs=outputs, role=POOL)
        if p != 1:
            m.lookup(total, "pow", result=format, role=POOL)

    return equation


def normed(make: Callable[[Equation], Rule]) -> Rule:
    """LpPool and GlobalLpPool: the attribute p chooses the norm."""

    def rule(call: Call) -> Result:
        p = call.integer("p", 2)
        if p < 1:
            call.refuse("E-POOL-NORM", f"attribute 'p' is {p}, expected 1 or more")
        return make(norm(p))(call)

    return rule


def max_unpool(call: Call) -> Result:
    """The pooled values put back where they came from, zeros elsewhere."""
    x = call.input(0)
    if x.shape is not None and len(x.shape) < 3:
        call.refuse("E-POOL-RANK", f"input 0 has rank {len(x.shape)}, expected 3 or more: batch, channels, axes")
    shape: Shape | None
    if call.given(2) is not None:
        shape = sizes_from_data(call, 2)
    elif x.shape is None:
        shape = None
    else:
        axes = len(x.shape) - 2
        kernel, strides, pads = (
            kernel_of(call, axes),
            per_axis(call, "strides", axes, 1, 1),
            per_axis(call, "pads", 2 * axes, 0, 0),
        )
        places = zip(x.shape[2:], kernel, strides, pads[:axes], pads[axes:], strict=True)
        shape = (*x.shape[:2], *((size - 1) * step + taps - low - high for size, taps, step, low, high in places))
    if shape is not None and any(isinstance(size, int) and size < 0 for size in shape):
        call.refuse("E-POOL-SIZE", f"unpooling gives a shape of {listed(shape)}")
    return Result(outputs=(including(chosen(x, shape), 0, call.op),), free=MOVEMENT)


def region_count(call: Call, columns: int) -> tuple[Tensor, Shape, Size]:
    """The image, its shape, and the number of regions in input 1."""
    x = call.input(0)
    rois = call.input(1).shape
    if x.shape is None or rois is None:
        call.unknown("the shape of input 0 or 1 is unknown", Tensor(dtype=x.dtype))
    shape, rois = call.shape(0, 4), call.shape(1, 2)
    if isinstance(rois[1], int) and rois[1] != columns:
        call.refuse("E-POOL-REGION", f"regions of {rois[1]} numbers, expected {columns}")
    return x, shape, rois[0]


def max_roi_pool(call: Call) -> Result:
    """The greatest elements of a grid of windows in each region; the windows are as large as the regions."""
    x, shape, count = region_count(call, 5)
    pooled = call.integers("pooled_shape") or ()
    if len(pooled) != 2 or min(pooled) < 1:
        call.refuse("E-POOL-ATTRIBUTE", f"pooled_shape is {listed(pooled)}, expected two sizes of 1 or more")
    # A region without elements gives 0.
    output = including(chosen(x, (count, shape[1], *pooled)), 0, call.op)
    return Result(outputs=(output,), kind="pooling")


def roi_align(call: Call) -> Result:
    """The mean (or maximum) of s x s bilinear samples in each bin of each region.

    Counting: per sample and channel 4 products and 3 additions (none in the maximum, which compares the 4 products);
    per bin s^2 - 1 additions and one product by 1/s^2, or 4 s^2 - 1 comparisons. Positions and coefficients, shared by
    all channels, are not charged. With sampling_ratio = 0 the regions decide s.
    """
    x, shape, count = region_count(call, 4)
    height, width, ratio = (
        call.integer("output_height", 1),
        call.integer("output_width", 1),
        call.integer("sampling_ratio", 0),
    )
    mode = call.text("mode", "avg")
    if min(height, width) < 1 or ratio < 0 or mode not in ("avg", "max"):
        call.refuse("E-POOL-REGION", f"a grid of {height} x {width}, {ratio} samples and mode '{mode[:40]}' is none")
    output = Tensor(dtype=x.dtype, shape=(count, shape[1], height, width))
    if ratio == 0:
        call.unknown("sampling_ratio is 0: how many samples a region takes only its size decides", output)
    bins, samples = product(output.shape or ()), ratio * ratio

    def text(m: M) -> None:
        pixels, weights = m.variable(bins * samples * 4, x.number), m.variable(bins * samples * 4, x.number)
        if mode == "max":
            weighted = m.requantize(m.multiply(pixels, weights, role=POOL), x.number)
            m.greatest(weighted, terms=4 * samples, outputs=bins, role=POOL)
            return
        sample = m.requantize(m.dot(pixels, weights, terms=4, outputs=bins * samples, role=POOL), x.number)
        average(m, sample, samples, bins, x.number)

    return Result(outputs=(output,), work=Steps(text=text), kind="pooling")


WINDOW = "auto_pad ceil_mode dilations kernel_shape pads strides"

OPERATORS = (
    Operator(name="MaxPool", rule=pool(greatest, ("int64",)), outputs=(1, 2), attributes=f"{WINDOW} storage_order"),
    Operator(name="AveragePool", rule=pool(average), attributes=f"{WINDOW} count_include_pad"),
    Operator(name="LpPool", rule=normed(pool), attributes=f"{WINDOW} p"),
    Operator(name="GlobalMaxPool", rule=global_pool(greatest)),
    Operator(name="GlobalAveragePool", rule=global_pool(average)),
    Operator(name="GlobalLpPool", rule=normed(global_pool), attributes="p"),
    Operator(
        name="MaxUnpool",
        rule=max_unpool,
        inputs=(2, 3),
        attributes="kernel_shape pads strides",
        settings=(2,),
        free=MOVEMENT,
    ),
    Operator(
        name="MaxRoiPool",
        rule=max_roi_pool,
        inputs=(2, 2),
        attributes="pooled_shape spatial_scale",
        uncountable="the sizes of the regions, which are data, decide how many elements are compared",
    ),
    Operator(
        name="RoiAlign",
        rule=roi_align,
        inputs=(3, 3),
        attributes="coordinate_transformation_mode mode output_height output_width sampling_ratio spatial_scale",
    ),
)
