"""A constant operand whose numbers are known, arranged as the rows of weights of its outputs.

Everything is read when it is asked for. Integers of the file are used where they lie; those that had to be computed
are kept in the smallest type that holds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from ..formats import Format
from ..ops import Kind
from .mixed import intervals, mixed_widths, rows_alike
from .rounding import placed, rounded

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    from ..weights.histogram import FloatStatistics, Statistics
    from ..weights.sharing import Shared
    from ..weights.trees import Trees

    Array = np.ndarray[Any, Any]

__all__ = ["Arrangement", "Biased", "Matrix", "Numbers", "Widths", "statistics_of"]

Arrangement = Callable[["Array"], "Array"]
Products = dict[tuple[Kind, int | None], int]


class Numbers(Protocol):
    """The numbers of a constant tensor, as `shapes.Known` reads them."""

    @property
    def whole(self) -> bool: ...

    @property
    def varied(self) -> bool: ...

    def integers(self) -> Array: ...

    def reals(self) -> Array: ...

    def widths(self) -> Array | None: ...


@dataclass(frozen=True, slots=True)
class Plain:
    """Integers that are no tensor."""

    values: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return True

    @property
    def varied(self) -> bool:
        return False

    def integers(self) -> Array:
        import numpy as np

        return np.array(self.values, np.int64)

    def reals(self) -> Array:
        return self.integers()

    def widths(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Widths:
    """Numbers of which only the bits are known, one width for each output."""

    bits: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return False

    @property
    def varied(self) -> bool:
        return True

    def integers(self) -> Array:
        raise NotImplementedError("only the widths of these numbers are known")

    def reals(self) -> Array:
        raise NotImplementedError("only the widths of these numbers are known")

    def widths(self) -> Array:
        import numpy as np

        return np.array(self.bits, np.int64).reshape(-1, 1)


@dataclass(eq=False, kw_only=True)
class Matrix:
    """numbers: where they come from. arrange: from the tensor's shape to [outputs, terms]. format: what real numbers
    are rounded to, None where they stay as they are. unit: one step of a bias in steps of the sum it is added to."""

    numbers_of: Numbers
    arrange: Arrangement
    format: Format | None = None
    unit: Fraction = Fraction(1)
    _trees: dict[object, Trees] = field(default_factory=dict)

    @classmethod
    def of_widths(cls, bits: Sequence[int]) -> Matrix:
        """Weights of so many bits, output by output, whose values are not known."""
        return cls(numbers_of=Widths(tuple(bits)), arrange=lambda array: array)

    @property
    def valued(self) -> bool:
        """Whether the values are known."""
        return not isinstance(self.numbers_of, Widths)

    @classmethod
    def of(cls, values: Sequence[int]) -> Matrix:
        """Lone integer constants."""
        return cls(numbers_of=Plain(tuple(values)), arrange=lambda array: array.reshape(-1, 1))

    @property
    def varied(self) -> bool:
        """Whether the widths of the numbers may differ."""
        return self.numbers_of.varied

    @property
    def whole(self) -> bool:
        """Whether the numbers are integers, or are rounded to integers of a format."""
        return self.numbers_of.whole if self.format is None else not self.format.floating

    @cached_property
    def array(self) -> Array:
        """[outputs, terms], integers if `whole`: of the file where they lie, else in the smallest type."""
        if self.numbers_of.whole and self.format is None:
            return self.arrange(self.numbers_of.integers())
        reals = self.numbers_of.reals()
        if self.format is None or self.format.floating or self.fraction is None:
            return self.arrange(reals)
        return self.arrange(rounded(reals, self.format, self.fraction))

    @cached_property
    def fraction(self) -> int | None:
        """Bits behind the binary point of numbers that are rounded to a format, else None."""
        if self.format is None or self.format.floating:
            return None
        return placed(self.numbers_of.reals(), self.format)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        rows, columns = self.array.shape
        return rows, columns

    @property
    def outputs(self) -> int:
        """How many outputs have weights of their own."""
        return self._shape[0]

    @property
    def numbers(self) -> int:
        """How many numbers there are."""
        return self._shape[0] * self._shape[1]

    @property
    def single(self) -> Matrix:
        """The same numbers as lone factors: one term an output."""
        return replace(self, arrange=lambda array: self.arrange(array).reshape(-1, 1), _trees={})

    @cached_property
    def statistics(self) -> Statistics | FloatStatistics:
        """Zeros, powers of two, digits … of all numbers."""
        from ..weights.histogram import float_statistics, statistics

        return statistics(self.histogram) if self.whole else float_statistics([self.array])

    @cached_property
    def histogram(self) -> dict[int, int]:
        """How often each integer occurs."""
        from ..weights.histogram import histogram

        return histogram([self.array])

    @cached_property
    def _empty(self) -> int:
        """Outputs all of whose weights are zero."""
        import numpy as np

        array = self.array
        if not array.size:
            return len(array)
        used = np.bitwise_or.reduce(array, axis=1) != 0 if array.dtype.kind in "iu" else (array != 0).any(axis=1)
        return len(array) - int(np.count_nonzero(used))

    @property
    def joins(self) -> int:
        """Additions of the products by numbers that are not zero."""
        found = self.statistics
        return found.numbers - found.zeros - (self.outputs - self._empty)

    @property
    def digit_joins(self) -> int:
        """Additions of the canonical signed digits; the numbers are integers."""
        digits: int = getattr(self.statistics, "csd_digits")  # noqa: B009
        return digits - (self.outputs - self._empty)

    def trees(self, structure: str, x: Matrix | None, interval: tuple[int, int]) -> Trees:
        """The adder tree of every output, of `products`, `digits` or `binary` ones; `interval` is the inputs'."""
        from ..weights.trees import binary_trees, digit_trees, joined, product_trees

        widths = x.widths() if x is not None and x.varied else None
        key = structure, interval, None if widths is None else widths.tobytes()
        if key not in self._trees:
            grown = {"products": product_trees, "digits": digit_trees, "binary": binary_trees}[structure]
            # Outputs that see other inputs than others do (groups) have trees of their own.
            found = [
                grown([self.array[rows]], *intervals(own, interval, self._shape[1]))
                for own, rows in rows_alike(widths, self._shape[0])
            ]
            self._trees[key] = found[0] if len(found) == 1 else joined(found)
        return self._trees[key]

    def shared(self, x: Matrix | None, interval: tuple[int, int], *, alone: bool = False) -> list[Shared] | None:
        """The additions left when subexpressions that occur twice are computed once; None where that is too much.

        alone: every row has inputs of its own, and shares nothing with the others.
        """
        from ..weights.sharing import shared_trees

        low, high = intervals(x.widths() if x else None, interval, self._shape[1])
        array = self.array
        blocks = [array[row : row + 1] for row in range(len(array))] if alone else [array]
        found = [shared_trees(block.T, low, high) for block in blocks]
        known = [each for each in found if each is not None]
        return known if len(known) == len(found) else None

    @property
    def distinct_products(self) -> int:
        """Multipliers needed where products of one input are shared up to sign and shift."""
        from ..weights.sharing import distinct_products

        return distinct_products(self.array.T)

    def hull(self, interval: tuple[int, int], *, single: bool = False) -> tuple[int, int]:
        """Smallest and largest sum of products over all outputs, or lone product."""
        low, high = interval
        if single:
            ends = [value * end for value in self.histogram for end in interval] or [0]
            return min(ends), max(ends)
        import numpy as np

        array = self.array
        if not array.size:
            return 0, 0
        reach = max(map(abs, (*interval, *self.histogram)), default=0)
        kind = np.int64 if reach * reach * array.shape[1] < 1 << 62 else object
        positive = np.maximum(array, 0).sum(axis=1, dtype=kind)
        negative = np.minimum(array, 0).sum(axis=1, dtype=kind)
        return int((positive * low + negative * high).min()), int((positive * high + negative * low).max())

    def range(self, fraction: int) -> tuple[int, int] | None:
        """Smallest and largest number in units of 2**-fraction; None where they are no integers.

        Integers of a file count `unit`s of what they are added to; real numbers are rounded to them.
        """
        if self.whole and self.format is None:
            low, high = min(self.histogram, default=0), max(self.histogram, default=0)
            return round(low * self.unit), round(high * self.unit)
        found = self.steps(fraction)
        return None if found is None else (min(found, default=0), max(found, default=0))

    def steps(self, fraction: int) -> list[int] | None:
        """The numbers as a bias holds them, in units of 2**-fraction; None where they are no integers."""
        if self.whole and self.format is None:
            return [round(value * self.unit) for value in self.array.reshape(-1).tolist()]
        if self.format is None or self.format.floating:
            return None
        import numpy as np

        reals = self.arrange(np.nan_to_num(np.asarray(self.numbers_of.reals(), np.float64)))
        return [int(value) for value in np.rint(reals * 2.0**fraction).reshape(-1).tolist()]

    def widths(self) -> Array | None:
        """Bits of every number where they differ, [outputs, terms]."""
        found = self.numbers_of.widths() if self.varied else None
        return None if found is None else self.arrange(found)

    def products(
        self, x: Matrix | None, left: Format, right: Format, interval: tuple[int, int]
    ) -> Iterator[tuple[Format, Format, Products]]:
        """Products by these numbers, by operand formats: kind and result width (None of floats) to how many."""
        mixed = mixed_widths(x, self, left, right)
        if mixed is None:
            yield left, right, self._products(self.histogram if self.whole else None, left, interval)
            return
        import numpy as np

        from ..weights.histogram import histogram

        array = self.array
        for one, other, chosen, ends in mixed.classes(interval):
            chosen = np.broadcast_to(chosen, array.shape)
            yield one, other, self._products(histogram([array[chosen]]) if self.whole else None, one, ends)

    def _products(self, counts: dict[int, int] | None, left: Format, interval: tuple[int, int]) -> Products:
        found: Products = {}
        if counts is None or left.floating:
            every = self.statistics
            kinds = (Kind.MULTIPLY, every.general), (Kind.SHIFT_PRODUCT, every.powers), (Kind.NO_PRODUCT, every.zeros)
            return {(kind, None): count for kind, count in kinds}
        for value, count in counts.items():
            ends = value * interval[0], value * interval[1]
            bits = max(max(end.bit_length() if end >= 0 else (-end - 1).bit_length() for end in ends) + 1, 1)
            power = abs(value).bit_count() == 1
            kind = Kind.NO_PRODUCT if value == 0 else Kind.SHIFT_PRODUCT if power else Kind.MULTIPLY
            found[kind, bits] = found.get((kind, bits), 0) + count
        return found


@dataclass(eq=False, kw_only=True)
class Biased(Matrix):
    """Weights of sums that a bias joined, and of which perhaps only the positive ones go on."""

    bias: Matrix | None = None
    positive: bool = False

    def hull(self, interval: tuple[int, int], *, single: bool = False) -> tuple[int, int]:
        """As of the weights; a bias of numbers that are no integers is taken to reach as far as the sums."""
        low, high = Matrix.hull(self, interval, single=single)
        if self.bias is not None:
            least, most = self.bias.range(self.fraction or 0) or (min(low, 0), max(high, 0))
            low, high = low + least, high + most
        return (max(low, 0), max(high, 0)) if self.positive else (low, high)

    @classmethod
    def over(cls, weights: Matrix, bias: Matrix | None = None, *, positive: bool = False) -> Biased:
        """The same weights with a bias, or less their negative sums."""
        own = weights if isinstance(weights, Biased) else None
        return cls(
            numbers_of=weights.numbers_of,
            arrange=weights.arrange,
            format=weights.format,
            bias=bias or (own.bias if own else None),
            positive=positive or bool(own and own.positive),
        )


def statistics_of(matrices: Sequence[Matrix]) -> Statistics | FloatStatistics | None:
    """Zeros, powers of two … of all numbers of several matrices whose values are known; None of none."""
    from ..weights.histogram import float_statistics, statistics

    found = [matrix for matrix in matrices if matrix.valued]
    if not found:
        return None
    if not all(matrix.whole for matrix in found):
        return float_statistics(matrix.array for matrix in found)
    every: Counter[int] = Counter()
    for matrix in found:
        every.update(matrix.histogram)
    return statistics(every)
