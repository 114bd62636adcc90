"""Which element meets which: places of a value's numbers, made when a kernel asks for them."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from random import Random

from ..arithmetic import Places
from ..expressions import Size

__all__ = ["cycled", "in_turn", "inverse", "inverse_root", "regrouped", "repeated", "size_of", "sparse"]

# Bits behind the point of a root: far more than any format has.
PRECISION = 128


def size_of(size: Size) -> int:
    """A size that is known; kernels ask for no other."""
    if not isinstance(size, int):
        raise TypeError(f"places were asked for of a free size {size}")
    return size


def in_turn(elements: Size) -> Places:
    """Every number once, in order."""
    return lambda: range(size_of(elements))


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


def regrouped(groups: Size, terms: Size, times: Size) -> Places:
    """Groups of numbers, each group so many times before the next."""

    def places() -> list[int]:
        each = size_of(terms)
        starts = (group * each for group in range(size_of(groups)) for _ in range(size_of(times)))
        return [start + term for start in starts for term in range(each)]

    return places


def inverse(size: Size) -> Fraction | None:
    """1/n, None while n is free or 0."""
    return Fraction(1, size) if isinstance(size, int) and size else None


def inverse_root(size: Size) -> Fraction | None:
    """1/sqrt(n), cut off behind more bits than any format has; None while n is free or 0."""
    if not isinstance(size, int) or not size:
        return None
    return Fraction(isqrt((1 << 2 * PRECISION) // size), 1 << PRECISION)
