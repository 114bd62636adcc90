"""The alphabets in use for a matrix: its weights as symbols, what each symbol spells, how often each was seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .alphabet import WORDS
from .levels import Tally, Terms

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from .inputs import Inputs

    Array = np.ndarray[Any, Any]

__all__ = ["Page", "Pages"]

# The most entries of a table over symbols or groups of terms.
TABLE = 1 << 17


class Page:
    """An alphabet in use. A symbol is a weight at an input of one interval; terms stand in groups of equal size, each
    group one number, which a table turns into its partial sum."""

    def __init__(
        self,
        values: NDArray[np.int64],
        classes: NDArray[np.int64],
        intervals: NDArray[np.int64],
        *,
        structure: str,
    ) -> None:
        import numpy as np

        self.values = values
        self.alphabet = WORDS[structure](values, classes, intervals)
        self.seen = np.zeros(values.size, np.int64)
        self._groups: dict[tuple[int, str], tuple[Terms, NDArray[np.int64]]] = {}

    def group(self, terms: int) -> int:
        """How many adjacent terms make a group: the table of all groups must be small, also beside the terms."""
        size = 1
        while self.alphabet.kinds.low.size ** (2 * size) <= min(TABLE, terms // 2):
            size *= 2
        return size

    def partial_sums(self, codes: Array, size: int, whole: str) -> Terms:
        """The sums of groups of terms, as integers of the type `whole`; additions inside groups are only counted."""
        import numpy as np

        kinds = self.alphabet.kinds
        scale = kinds.low.size
        while scale < kinds.low.size**size:
            codes = np.multiply(codes[:, 1::2], scale, dtype=np.min_scalar_type(scale * scale - 1)) + codes[:, ::2]
            scale *= scale
        if (size, whole) not in self._groups:
            sums = self._leaves(size)
            while sums.low.shape[1] > 1:
                sums = Tally().joined(sums)
            sums = sums.at(np.s_[:, 0])
            sums = sums._replace(low=sums.low.astype(whole), high=sums.high.astype(whole))
            self._groups[size, whole] = sums, np.zeros(scale, np.int64)
        table, counts = self._groups[size, whole]
        places = codes.astype(np.int64)
        if size > 1:
            found = np.bincount(places.ravel())
            counts[: found.size] += found
        return table.at(places)

    def charge(self, tally: Tally) -> None:
        """Charge the additions inside all groups counted."""
        for (size, _), (_, counts) in self._groups.items():
            present = counts.nonzero()[0]
            sums = self._leaves(size).at(present)
            while sums.low.shape[1] > 1:
                sums = tally.joined(sums, counts[present])

    def _leaves(self, size: int) -> Terms:
        """Every group of terms there can be, one a row, in the order of its number."""
        import numpy as np

        kinds = self.alphabet.kinds
        scale = kinds.low.size
        number = np.arange(scale**size)[:, None]
        return kinds.at((0, number // scale ** np.arange(size) % scale))


class Pages:
    """The pages of one matrix: few where the range of its weights is small, else one for each part of it."""

    def __init__(self, inputs: Inputs, *, structure: str) -> None:
        self._inputs, self._structure = inputs, structure
        self._kept: dict[tuple[int, int], Page] = {}

    def spelled(self, slab: Array, ends: tuple[int, int]) -> tuple[Page, Array]:
        """The page for weights between two ends, and the weights as its symbols, now seen."""
        import numpy as np

        classes, index = len(self._inputs.classes), self._inputs.index
        reach = 1 << max((-ends[0] - 1).bit_length() if ends[0] < 0 else 0, max(ends[1], 0).bit_length())
        first = -reach if ends[0] < 0 else 0
        if (reach - first) * classes <= TABLE:
            small = np.min_scalar_type(reach - first - 1)
            # Both wrap; the difference is right.
            symbols = slab.astype(small) - np.array(first).astype(small)
            if index is not None:
                symbols = symbols.astype(np.int64) * classes + index
            if (first, reach) not in self._kept:
                values = np.arange(first, reach)
                self._kept[first, reach] = self._page(values.repeat(classes), np.tile(np.arange(classes), values.size))
            page = self._kept[first, reach]
        else:
            values, symbols = np.unique(slab, return_inverse=True)
            symbols = symbols.reshape(slab.shape) * classes + (0 if index is None else index)
            used, symbols = np.unique(symbols, return_inverse=True)
            page, symbols = (
                self._page(values.astype(np.int64)[used // classes], used % classes),
                symbols.reshape(slab.shape),
            )
        page.seen += np.bincount(symbols.ravel(), minlength=page.seen.size)
        return page, symbols

    def kept(self, page: Page) -> bool:
        """Whether a page may serve other weights too."""
        return page in self._kept.values()

    def __iter__(self) -> Iterator[Page]:
        return iter(self._kept.values())

    def _page(self, values: NDArray[np.int64], classes: NDArray[np.int64]) -> Page:
        import numpy as np

        return Page(values, classes, np.array(self._inputs.classes, np.int64), structure=self._structure)
