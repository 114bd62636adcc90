"""One-dimensional convolution by its geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from ..arithmetic import Arithmetic
from ..expressions import Size, floor_divide
from ..formats import Accumulation, Format
from ..ops import Role
from .convolution import window
from .layer import Layer
from .sliding import check_channels, check_fit, output_positions, padded

__all__ = ["BIAS_VARIANTS", "Conv1D"]

BIAS_VARIANTS = {
    "P0": "no bias",
    "P1": "one addition per output value",
    "P2": "v1-printed (unverified): one addition per filter and inference, as wide as a sum of kernel_size products",
}
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv1D(Layer):
    """A sequence convolved with filters.

    Equation: y[p, f] = sum over c in the group of f, k: W[f, c, k] x[p*stride + k*dilation - begin, c] + b[f]
    Shapes: x is [length, channels], y is [positions, filters]. `padding` is a number for both ends, [begin, end], or
    "same" (positions = length/stride, rounded up).
    Counting: positions*filters*channels/groups*kernel_size products, as many additions less one per output value, plus
    the bias. Taps that meet padding are counted: a kernel computes them.
    `bias_variant` is how the bias is counted: P1 adds it to every output value, in the accumulator, as a kernel does.
    P0 leaves it out, the same as `bias = false`. P2 is "v1-printed (unverified)": filters*Acc(kernel_size) once, which
    is no count of what a kernel does, for comparison with numbers made that way. Without `bias` P1 and P2 are P0.
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
        *("padding", "stride", "dilation", "groups", "bias", "bias_variant"),
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
    bias_variant: str = "P1"

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        self._check("stride", "dilation", "groups")
        if self.bias_variant not in tuple(BIAS_VARIANTS):
            raise self._refusal("bias_variant", self.bias_variant, f"one of {', '.join(BIAS_VARIANTS)}")
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
        return 1 if self._counted == "P2" else self.positions

    @property
    def _counted(self) -> str:
        """The variant in effect."""
        return self.bias_variant if self.bias else "P0"

    @property
    def formats(self) -> dict[str, Format]:
        return self._summing(self.terms)

    def parameters(self) -> dict[str, Size]:
        """The taps, and a bias per filter unless it is left out."""
        return {"weight": self.filters * self.terms} | ({} if self._counted == "P0" else {"bias": self.filters})

    def equations(self, m: Arithmetic[V]) -> None:
        """One output position; in P2 all of them, for its bias comes once."""
        if self._counted == "P2":
            self._printed(m)
            return
        bias = self._counted == "P1"
        window(
            m,
            terms=self.terms,
            filters=self.filters,
            weight=self.weight,
            input=self.input,
            bias=bias,
            groups=self.groups,
        )

    def _printed(self, m: Arithmetic[V]) -> None:
        # The printed form adds the biases to sums of kernel_size products, whatever the channels.
        x = m.variable(self.positions * self.terms, self.input)
        taps = m.constant(self.filters * self.terms, self.weight)
        m.dot(x, taps, terms=self.terms, outputs=self.positions * self.filters, role=Role.INPUT)
        sums = m.partial(self.filters, Accumulation(self.kernel_size, self.input, self.weight))
        m.add(sums, m.constant(self.filters, self.weight), role=Role.BIAS)
