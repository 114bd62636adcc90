"""Two-dimensional convolution by its geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size, floor_divide, is_expression, symbol
from ..formats import Format
from .convolution import window
from .layer import Layer
from .sliding import check_channels, check_fit, output_positions, padded, pair

__all__ = ["Conv2D"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D(Layer):
    """An image convolved with filters.

    Equation: y[p, q, f] = sum over c in the group of f, k, l: W[f, c, k, l] x[p s + k d - e, q s + l d - e, c] + b[f]
    Shapes: x is [height, width, channels], y is [positions, filters]. kernel_size, stride, dilation and padding are a
    number for both axes or one for each; padding is that of each side, or "same".
    Counting: positions*filters*channels/groups*taps products, as many additions less one per output value, plus one
    per output value for the bias. Taps that meet padding are counted: a kernel computes them.
    Source: Freire et al., arXiv 2206.12191 (reconstructed for one dimension; the same window in two).
    """

    kind: ClassVar[str] = "conv2d"
    letters: ClassVar[Mapping[str, str]] = {"height": "H", "width": "W", "channels": "n_i", "filters": "n_f"}
    spec: ClassVar[tuple[str, ...]] = (
        *("height", "width", "channels", "filters", "kernel_size"),
        *("padding", "stride", "dilation", "groups", "bias"),
    )
    height: Size
    width: Size
    channels: Size
    filters: Size
    kernel_size: Size | Sequence[Size]
    padding: int | Sequence[int] | str = 0
    stride: int | Sequence[int] = 1
    dilation: int | Sequence[int] = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        self._check("groups")
        check_channels(self.kind, self.channels, self.filters, self.groups)
        for field in ("stride", "dilation"):
            object.__setattr__(self, field, pair(self.kind, field, getattr(self, field)))
        object.__setattr__(self, "padding", padded(self.kind, self.padding))
        kernel = self.kernel_size
        both = tuple(kernel) if isinstance(kernel, list | tuple) else (kernel, kernel)
        pair(self.kind, "kernel_size", tuple(1 if is_expression(each) else each for each in both))
        object.__setattr__(self, "kernel_size", both)
        for axis in (0, 1):
            check_fit(self.kind, "kernel_size", kernel, self._along(axis))

    @property
    def kernel(self) -> tuple[Size, Size]:
        """Taps along height and width."""
        kernel = self.kernel_size
        return (kernel[0], kernel[1]) if isinstance(kernel, tuple) else (1, 1)

    @property
    def terms(self) -> Size:
        """Products per output value."""
        return floor_divide(self.channels, self.groups) * self.kernel[0] * self.kernel[1]

    @property
    def positions(self) -> Size:
        """Output positions."""
        return self._along(0) * self._along(1)

    def _along(self, axis: int) -> Size:
        stride, dilation = (each[axis] for each in (self.stride, self.dilation) if isinstance(each, tuple))
        padding = 2 * self.padding[axis] if isinstance(self.padding, tuple) else "same"
        return output_positions((self.height, self.width)[axis], self.kernel[axis], padding, stride, dilation)

    @property
    def executions(self) -> Size:
        return self.positions

    @property
    def formats(self) -> dict[str, Format]:
        return self._summing(self.terms)

    def parameters(self) -> dict[str, Size]:
        return {"weight": self.filters * self.terms} | ({"bias": self.filters} if self.bias else {})

    def lettered(self) -> Self:
        """A square kernel is n_k by n_k, another n_k1 by n_k2."""
        square = self.kernel[0] == self.kernel[1]
        kernel = (symbol("n_k"),) * 2 if square else (symbol("n_k1"), symbol("n_k2"))
        return replace(Layer.lettered(self), kernel_size=kernel)

    def equations(self, m: Arithmetic[V]) -> None:
        """One output position."""
        window(
            m,
            terms=self.terms,
            filters=self.filters,
            weight=self.weight,
            input=self.input,
            bias=self.bias,
            groups=self.groups,
        )
