"""What analysis knows of a tensor: element type, shape, small values; and the shape arithmetic operators share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product as cartesian
from math import prod
from typing import TYPE_CHECKING, Protocol

from .encoding import Encoding
from .expressions import Expression, Size, is_expression, maximum, product
from .formats import Accumulation, Format, format_of_dtype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .accounting import Matrix

__all__ = [
    "FOLDED",
    "RANK",
    "Element",
    "Known",
    "Shape",
    "ShapeConflict",
    "Tensor",
    "broadcast",
    "broadcast_values",
    "elements",
    "is_known",
    "strides_of",
]

FOLDED = 10_000
RANK = 64
Element = int | float | bool | str | Expression | None
Shape = tuple[Size, ...]


class Known(Protocol):
    """The numbers of a constant tensor, read when asked for; numpy is imported then."""

    @property
    def whole(self) -> bool:
        """Whether they are stored as integers."""

    @property
    def varied(self) -> bool:
        """Whether their widths may differ."""

    def integers(self) -> NDArray[np.integer]:
        """The stored integers less their zero point, in the tensor's shape, where they are `whole`."""

    def reals(self) -> NDArray[np.generic]:
        """What the numbers stand for, in the tensor's shape."""

    def widths(self) -> NDArray[np.integer] | None:
        """Bits of every number in the tensor's shape, where they differ; else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor during analysis.

    dtype: ONNX element type ("float32"), None if unknown. shape: None if even the rank is unknown.
    value: the elements in row-major order where partial evaluation knows them, None for an unknown element; the field
    itself is None where nothing is known. Only tensors of at most FOLDED elements carry one.
    constant: the same at every run (a weight, or computed from weights alone).
    format: the number format where something says it; else the element type's.
    encoding: what the integers of the format mean; None where they mean themselves, or the tensor is float.
    cause: for a float among quantized tensors, the node that made it one.
    accumulator: the sum a linear operator left here, as long as a bias could still join it.
    item: for a sequence or an optional, what it holds; length: of a sequence, if known.
    stored: identities of the stored tensors this one is made of, so that parameters are counted once.
    known: its numbers, however many, to be read when asked for. summed: the sum of products it is, and its weights.
    """

    dtype: str | None = None
    shape: Shape | None = None
    value: tuple[Element, ...] | None = None
    constant: bool = False
    format: Format | None = None
    encoding: Encoding | None = None
    cause: str = ""
    accumulator: Accumulation | None = None
    item: Tensor | None = None
    length: Size | None = None
    stored: frozenset[str] = field(default=frozenset(), compare=False)
    known: Known | None = field(default=None, compare=False)
    summed: tuple[Accumulation, Matrix] | None = field(default=None, compare=False)

    @property
    def number(self) -> Format:
        """The number format: said by a quantizer or an option, else the element type's."""
        return self.format or format_of_dtype(self.dtype)

    @property
    def rank(self) -> int | None:
        """Number of axes, None if unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def size(self) -> Size | None:
        """Number of elements, None if unknown."""
        return None if self.shape is None else product(self.shape)

    def with_value(self, value: Sequence[Element] | None) -> Tensor:
        """The same tensor with known elements; too many to fold are dropped."""
        return replace(self, value=None if value is None or len(value) > FOLDED else tuple(value))


class ShapeConflict(Exception):
    """Two shapes that an operator needs to agree do not; the text says how. Rules turn it into a ModelError."""


def elements(shape: Shape) -> Size:
    """Number of elements of a shape."""
    return product(shape)


def is_known(value: tuple[Element, ...] | None) -> bool:
    """True when every element is a plain number."""
    return value is not None and not any(element is None or is_expression(element) for element in value)


def broadcast(*shapes: Shape) -> Shape:
    """The common shape of operands under ONNX's multidirectional broadcasting.

    Two different free sizes meet as Max(a, b): equal sizes or a size of one give just that.
    Raises ShapeConflict for sizes that differ and are not one.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Size] = []
    for axis in range(rank):
        sizes = [shape[axis - rank] for shape in shapes if axis >= rank - len(shape)]
        result.append(_broadcast_size(sizes, shapes))
    return tuple(result)


def _broadcast_size(sizes: list[Size], shapes: tuple[Shape, ...]) -> Size:
    result: Size = 1
    for size in sizes:
        if size == 1 or size == result:
            continue
        if result == 1:
            result = size
        elif isinstance(size, int) and isinstance(result, int):
            listed = " and ".join("[" + ",".join(map(str, shape)) + "]" for shape in shapes)
            raise ShapeConflict(f"shapes {listed} do not broadcast")
        elif isinstance(size, int):
            result = size
        elif is_expression(result):
            result = maximum(result, size)
    return result


def strides_of(shape: Sequence[int]) -> list[int]:
    """Row-major strides in elements."""
    strides, step = [0] * len(shape), 1
    for axis in range(len(shape) - 1, -1, -1):
        strides[axis], step = step, step * shape[axis]
    return strides


def broadcast_values(function: Callable[..., Element], *operands: Tensor) -> tuple[Element, ...] | None:
    """An elementwise function on known values under broadcasting; None where a value or shape is not known."""
    if any(operand.value is None or operand.shape is None for operand in operands):
        return None
    shapes = [operand.shape or () for operand in operands]
    target = broadcast(*shapes)
    whole = [size for size in target if isinstance(size, int)]
    if len(whole) != len(target) or prod(whole) > FOLDED:
        return None
    rows = [_expanded(operand, whole) for operand in operands]
    return tuple(_applied(function, group) for group in zip(*rows, strict=True))


def _expanded(operand: Tensor, target: list[int]) -> list[Element]:
    value, shape = operand.value or (), [size if isinstance(size, int) else 1 for size in operand.shape or ()]
    if shape == target:
        return list(value)
    offset = len(target) - len(shape)
    strides = [0] * offset + [0 if n == 1 else step for n, step in zip(shape, strides_of(shape), strict=True)]
    return [
        value[sum(i * step for i, step in zip(index, strides, strict=True))]
        for index in cartesian(*(range(size) for size in target))
    ]


def _applied(function: Callable[..., Element], group: tuple[Element, ...]) -> Element:
    if any(element is None for element in group):
        return None
    try:
        return function(*group)
    except (ArithmeticError, TypeError, ValueError):
        # A division by zero or a comparison of free sizes: not known, rather than wrong.
        return None
