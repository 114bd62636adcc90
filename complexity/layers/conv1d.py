"""One-dimensional convolution by its geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size, floor_divide
from ..formats import Format, accumulator
from .convolution import window
from .layer import Layer
from .sliding import check_channels, check_fit, output_positions, padded

__all__ = ["Conv1D"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv1D(Layer):
    """A sequence convolved with filters.

    Equation: y[p, f] = sum over c in the group of f, k: W[f, c, k] x[p*stride + k*dilation - begin, c] + b[f]
    Shapes: x is [length, channels], y is [positions, filters]. `padding` is a number for both ends, [begin, end], or
    "same" (positions = length/stride, rounded up).
    Counting: positions*filters*channels/groups*kernel_size products, as many additions less one per output value, plus
    one per output value for the bias (variant P1). Taps that meet padding are counted: a kernel computes them.
    Source: Freire et al., arXiv 2206.12191 (reconstructed).
    """

    kind: ClassVar[str] = "conv1d"
    letters: ClassVar[Mapping[str, str]] = {
        "length": "n_s",
        "channels": "n_i",
        "filters": "n_f",
        "kernel_size": "n_k",
    }
    spec: ClassVar[tuple[str, ...]] = (
        *("length", "channels", "filters", "kernel_size"),
        *("padding", "stride", "dilation", "groups", "bias"),
    )
    length: Size
    channels: Size
    filters: Size
    kernel_size: Size
    padding: int | Sequence[int] | str = 0
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        self._check("stride", "dilation", "groups")
        check_channels(self.kind, self.channels, self.filters, self.groups)
        object.__setattr__(self, "padding", padded(self.kind, self.padding))
        check_fit(self.kind, "kernel_size", self.kernel_size, self.positions)

    @property
    def terms(self) -> Size:
        """Products per output value."""
        return floor_divide(self.channels, self.groups) * self.kernel_size

    @property
    def positions(self) -> Size:
        """Output positions."""
        padding = self.padding if isinstance(self.padding, str) else sum(self._ends)
        return output_positions(self.length, self.kernel_size, padding, self.stride, self.dilation)

    @property
    def _ends(self) -> Sequence[int]:
        return self.padding if isinstance(self.padding, tuple) else (0, 0)

    @property
    def executions(self) -> Size:
        return self.positions

    @property
    def formats(self) -> dict[str, Format]:
        return {
            "weight": self.weight,
            "input": self.input,
            "accumulator": accumulator(self.terms, self.weight, self.input),
        }

    def parameters(self) -> dict[str, Size]:
        return {"weight": self.filters * self.terms} | ({"bias": self.filters} if self.bias else {})

    def equations(self, m: Arithmetic[V]) -> None:
        """One output position."""
        window(m, terms=self.terms, filters=self.filters, weight=self.weight, input=self.input, bias=self.bias)
