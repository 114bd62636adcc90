"""Operands of several widths in one dot product: every product with its own bits, every sum as wide as it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ..formats import Fixed, Format, Mixed

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Mixture", "intervals", "mixed_widths", "rows_alike"]


class Wide(Protocol):
    """An operand whose numbers may have different bits."""

    def widths(self) -> Array | None: ...


@dataclass(frozen=True, slots=True)
class Mixture:
    """Bits of both factors of every product, each [outputs, terms] or broadcast to it."""

    left: Format
    right: Format
    left_bits: Array
    right_bits: Array

    @property
    def outputs(self) -> int:
        """Outputs whose widths are known apart."""
        return int(self.left_bits.shape[0])

    @property
    def numbers(self) -> int:
        """Products whose widths are known apart."""
        return int(self.left_bits.size)

    @property
    def products(self) -> dict[tuple[Format, Format, int], int]:
        """Formats of the factors and bits of the widest product of the output, to how many products."""
        import numpy as np

        widest = np.broadcast_to((self.left_bits + self.right_bits).max(axis=1, keepdims=True), self.left_bits.shape)
        every = np.stack([each.ravel() for each in (self.left_bits, self.right_bits, widest)])
        found, counts = np.unique(every, axis=1, return_counts=True)
        return {
            (_of(self.left, one), _of(self.right, other), width): count
            for one, other, width, count in zip(*found.tolist(), counts.tolist(), strict=True)
        }

    @property
    def sums(self) -> dict[int, int]:
        """Bits of the widest product of an output, to how many outputs."""
        import numpy as np

        found, counts = np.unique((self.left_bits + self.right_bits).max(axis=1), return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    def classes(self, interval: tuple[int, int]) -> Iterator[tuple[Format, Format, Array, tuple[int, int]]]:
        """Products of equal formats: these, where they are, and the interval of the left factor."""
        import numpy as np

        pairs = self.left_bits.astype(np.int64) << 8 | self.right_bits
        for pair in np.unique(pairs).tolist():
            one = _of(self.left, pair >> 8)
            ends = interval if one == self.left.plain else one.interval
            yield one, _of(self.right, pair & 255), pairs == pair, ends


def _of(format: Format, bits: int) -> Format:
    if not isinstance(format, Mixed):
        # A scheme stays what it is at every width.
        return format if format.bits == bits else replace(format.plain, bits=bits)
    return Fixed(bits=bits, integer=bits, signed=format.signed)


def mixed_widths(x: Wide | None, weight: Wide | None, left: Format, right: Format) -> Mixture | None:
    """The mixture of a dot product, None where all its products are alike."""
    one = x.widths() if x is not None else None
    other = weight.widths() if weight is not None else None
    if one is None and other is None:
        return None
    import numpy as np

    first = np.full((1, 1), left.width) if one is None else one
    second = np.full((1, 1), right.width) if other is None else other
    first, second = np.broadcast_arrays(np.atleast_2d(first), np.atleast_2d(second))
    return Mixture(left, right, first, second)


def intervals(widths: Array | None, interval: tuple[int, int], terms: int) -> tuple[int, int] | tuple[Array, Array]:
    """The interval of every input: one for all, or arrays where the inputs' bits differ and no output sees others."""
    import numpy as np

    if widths is None or np.atleast_2d(widths).shape[0] != 1 or widths.size != terms:
        return interval
    bits = widths.ravel().astype(np.int64)
    if interval[0] < 0:
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return np.zeros_like(bits), (1 << bits) - 1


def rows_alike(widths: Array | None, outputs: int) -> Iterator[tuple[Array | None, slice | Array]]:
    """The outputs whose inputs have the same bits: the bits, and which outputs."""
    import numpy as np

    if widths is None or np.atleast_2d(widths).shape[0] != outputs:
        yield widths, slice(None)
        return
    found, place = np.unique(widths, axis=0, return_inverse=True)
    for index, bits in enumerate(found):
        yield bits[None], np.flatnonzero(place.reshape(-1) == index)
