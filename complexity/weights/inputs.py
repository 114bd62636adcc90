"""The exact intervals of a matrix's inputs, equal ones put into one class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Bound = int | np.ndarray[Any, Any]

__all__ = ["Inputs", "inputs_between"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """classes: the different intervals; index: the class of every input, None where all inputs are alike."""

    classes: tuple[tuple[int, int], ...]
    index: NDArray[np.int64] | None = None

    @property
    def reach(self) -> int:
        """The largest magnitude of a bound, at least 1."""
        return max(1, *(abs(end) for each in self.classes for end in each)) if self.classes else 1

    def intervals(self, terms: int) -> list[tuple[int, int]]:
        """The interval of every input of a matrix of so many terms."""
        if self.index is None:
            return [self.classes[0]] * terms
        return [self.classes[place] for place in self.index.tolist()]

    def check(self, terms: int) -> None:
        """Refuse a matrix of another number of terms than there are intervals; raises UsageError E-WEIGHT-INPUTS."""
        if self.index is not None and len(self.index) != terms:
            raise UsageError(
                "E-WEIGHT-INPUTS",
                f"a block has {terms} terms but {len(self.index)} input intervals are given; give one for each term",
            )


def inputs_between(low: Bound, high: Bound) -> Inputs:
    """The inputs between two bounds, each an int for all or an array of one per input.

    Raises: UsageError E-WEIGHT-INPUTS where bounds differ in length or a low one is above its high one.
    """
    if isinstance(low, int) and isinstance(high, int):
        return Inputs(_ordered([(low, high)]))
    import numpy as np

    lows = np.atleast_1d(np.asarray(low)).ravel().tolist()
    highs = np.atleast_1d(np.asarray(high)).ravel().tolist()
    count = len(highs) if isinstance(low, int) else len(lows)
    lows, highs = (each * count if isinstance(bound, int) else each for each, bound in ((lows, low), (highs, high)))
    if len(lows) != len(highs):
        raise UsageError(
            "E-WEIGHT-INPUTS", f"{len(lows)} low and {len(highs)} high bounds of inputs are given; give as many of each"
        )
    pairs = list(zip(lows, highs, strict=True))
    classes = _ordered(sorted(set(pairs)))
    place = {pair: number for number, pair in enumerate(classes)}
    return Inputs(classes, np.array([place[pair] for pair in pairs], np.int64))


def _ordered(pairs: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    classes = tuple(pairs)
    for low, high in classes:
        if low > high:
            raise UsageError(
                "E-WEIGHT-INPUTS", f"the interval of an input is {low}..{high}; write the lower bound first"
            )
    return classes
