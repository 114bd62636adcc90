"""Which element meets which: places of a value's numbers, made when a kernel asks for them."""

from __future__ import annotations

from random import Random

from ..arithmetic import Places
from ..expressions import Size

__all__ = ["cycled", "repeated", "size_of", "sparse"]


def size_of(size: Size) -> int:
    """A size that is known; kernels ask for no other."""
    if not isinstance(size, int):
        raise TypeError(f"places were asked for of a free size {size}")
    return size


def repeated(elements: Size, times: Size) -> Places:
    """Every number so many times before the next: of rows of sums, what all terms of a row meet."""
    return lambda: [place for place in range(size_of(elements)) for _ in range(size_of(times))]


def cycled(elements: Size, times: Size) -> Places:
    """All numbers in order, so many times."""
    return lambda: list(range(size_of(elements))) * size_of(times)


def sparse(rows: Size, columns: Size, kept: Size, seed: int = 0) -> Places:
    """The columns that each row of a sparse matrix keeps, in order, so many in every row; the same at every run."""

    def places() -> list[int]:
        random, found = Random(seed), list[int]()
        for _ in range(size_of(rows)):
            drawn = sorted((random.random(), column) for column in range(size_of(columns)))
            found.extend(sorted(column for _, column in drawn[: size_of(kept)]))
        return found

    return places
