"""The naive arithmetic on plain floats that counts itself, MACs apart from other products."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["Scalars"]


class Scalars:
    """Scalar arithmetic that counts itself: products, those of dot products, additions, comparisons, functions."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    def nonzero(self) -> dict[str, int]:
        """What was done at all."""
        return {name: times for name, times in self.counts.items() if times}

    def product(self, a: float, b: float, *, mac: bool = False) -> float:
        """a b."""
        self.counts["rm"] += 1
        self.counts["mac"] += mac
        return a * b

    def sum(self, a: float, b: float) -> float:
        """a + b."""
        self.counts["add"] += 1
        return a + b

    def less(self, a: float, b: float) -> bool:
        """Whether a < b."""
        self.counts["cmp"] += 1
        return a < b

    def apply(self, name: str, value: float) -> float:
        """A value that a function gave."""
        self.counts[name] += 1
        return value

    def total(self, values: Iterable[float]) -> float:
        """The sum, from the left."""
        result, *rest = values
        for value in rest:
            result = self.sum(result, value)
        return result

    def dot(self, a: Iterable[float], b: Iterable[float]) -> float:
        """The sum of products: MACs."""
        return self.total([self.product(x, y, mac=True) for x, y in zip(a, b, strict=True)])

    def largest(self, values: Sequence[float]) -> int:
        """Where the first greatest stands."""
        best = 0
        for index in range(1, len(values)):
            if self.less(values[best], values[index]):
                best = index
        return best

    def softmax(self, row: Sequence[float]) -> list[float]:
        """exp(x - max x) divided by its sum."""
        top = row[self.largest(row)]
        powers = [self.apply("exp", math.exp(self.sum(x, -top))) for x in row]
        inverse = self.apply("reciprocal", 1 / self.total(powers))
        return [self.product(power, inverse) for power in powers]
