"""Rows of unequal length made into few rectangles: blocks cut to what a cache holds, lengths rounded, gaps closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Array = np.ndarray[Any, Any]

__all__ = ["columns", "packed", "slabs"]

# Weights handled at a time: what is made of them stays in a cache.
SLAB = 1 << 17
# Weights copied at a time where rows are not contiguous: whole cache lines of a transposed matrix are used.
COPIED = 1 << 21


def slabs(block: Array) -> Iterator[Array]:
    """A block as contiguous groups of rows."""
    import numpy as np

    outputs, terms = block.shape
    some, many = (max(1, size // terms) for size in (SLAB, COPIED))
    for start in range(0, outputs, many):
        part = np.ascontiguousarray(block[start : start + many])
        for row in range(0, len(part), some):
            yield part[row : row + some]


def columns(lengths: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The lengths of rows rounded up by at most 1/16 beyond groups, so that few different ones are left; 0 stays."""
    import numpy as np

    steps: NDArray[np.int64] = np.maximum(1 << np.maximum(np.frexp(lengths)[1].astype(np.int64) - 5, 0), size)
    rounded: NDArray[np.int64] = (lengths + steps - 1) // steps * steps
    return rounded


def packed(codes: Array, used: NDArray[np.bool_], room: NDArray[np.int64]) -> Array:
    """The used codes of every row moved together, followed by as many absent ones as the row has room for."""
    import numpy as np

    spare = np.arange(int(room.max())) < room[:, None]
    filled = np.concatenate([codes, np.zeros(spare.shape, codes.dtype)], axis=1)
    together: Array = filled[np.concatenate([used, spare], axis=1)]
    return together.reshape(len(codes), -1)
