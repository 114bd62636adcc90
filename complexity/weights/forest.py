"""The adder trees of many outputs grown together: weights spelled, packed into rectangles, added level by level.

The lowest levels cost nothing each: with few kinds of term a group of two, four or eight adjacent terms is one number,
groups are only counted, and the additions inside a group are charged once for each group there can be.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .levels import ABSENT, Tally, Terms, widths
from .packing import columns, packed, slabs
from .pages import Page, Pages
from .unbounded import TERMS, added, held

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    from .inputs import Inputs

    Array = np.ndarray[Any, Any]

__all__ = ["Forest"]


class Forest:
    """Accumulates the trees of block after block; `close` ends it, then its fields hold the figures of `Trees`."""

    def __init__(self, inputs: Inputs, *, structure: str) -> None:
        self._inputs, self._structure, self._tally = inputs, structure, Tally()
        self._pages = Pages(inputs, structure=structure)
        self.additions: Counter[tuple[bool, int, int]] = Counter()
        self.negations: Counter[int] = Counter()
        self.products: Counter[int] = Counter()
        self.powers: Counter[int] = Counter()
        self.outputs = self.empty = self.terms = self.shifts = self.zeros = 0
        self.low: int | None = None
        self.high: int | None = None

    def grow(self, block: Array) -> None:
        """Add the trees of a block [outputs, terms]."""
        outputs, terms = block.shape
        self._inputs.check(terms)
        self.outputs += outputs
        if not block.size:
            self.empty += outputs
            if outputs:
                self._hull(0, 0)
            return
        for slab in slabs(block):
            ends = int(slab.min()), int(slab.max())
            # The digits of a weight sum up to less than twice its magnitude.
            bound = 2 * terms * self._inputs.reach * max(1, -ends[0], ends[1])
            if bound < 1 << 62:
                self._slab(slab, ends, "int32" if bound < 1 << 31 else "int64")
            else:
                self._unbounded(slab)

    def close(self) -> None:
        """Charge what was only counted so far."""
        for page in self._pages:
            self._charge(page)
        self.additions.update(self._tally.additions())

    def _hull(self, low: int, high: int) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def _slab(self, slab: Array, ends: tuple[int, int], whole: str) -> None:
        import numpy as np

        page, symbols = self._pages.spelled(slab, ends)
        codes = page.alphabet.words.take(symbols, axis=0).reshape(len(slab), -1)
        used = codes != 0
        lengths = np.count_nonzero(used, axis=1)
        size = page.group(int(lengths.sum()))
        longest = columns(lengths, size)
        for count in np.unique(longest).tolist():
            rows = (longest == count).nonzero()[0]
            if not count:
                self.empty += len(rows)
                self._hull(0, 0)
                continue
            chosen = slice(None) if len(rows) == len(slab) else rows
            together = packed(codes[chosen], used[chosen], count - lengths[chosen])
            self._added(page.partial_sums(together, size, whole))
        if not self._pages.kept(page):
            self._charge(page)

    def _added(self, terms: Terms) -> None:
        """Grow the trees of equally many terms to their roots."""
        import numpy as np

        while terms.low.shape[1] > 1:
            terms = self._tally.joined(terms)
        self._hull(int(terms.low.min()), int(terms.high.max()))
        negated = terms.at(terms.negative)
        found = np.bincount(widths(negated)).tolist()
        self.negations.update({width: count for width, count in enumerate(found) if count})

    def _charge(self, page: Page) -> None:
        """What follows from how often symbols and groups of terms were seen."""
        import numpy as np

        kinds, words = page.alphabet.kinds, page.alphabet.words
        page.charge(self._tally)
        self.terms += int(page.seen @ (words != 0).sum(axis=1))
        shifted = (kinds.zeros[0] > 0) & (kinds.zeros[0] < ABSENT)
        self.shifts += int(page.seen @ shifted[words].sum(axis=1))
        self.zeros += int(page.seen[page.values == 0].sum())
        if self._structure == "products":
            each = widths(kinds)[0]
            used = (page.values != 0) & (page.seen != 0)
            power = (np.abs(page.values) & (np.abs(page.values) - 1)) == 0
            for target, chosen in ((self.products, used & ~power), (self.powers, used & power)):
                for width, count in zip(each[words[chosen, 0]].tolist(), page.seen[chosen].tolist(), strict=True):
                    target[width] += count

    def _unbounded(self, slab: Array) -> None:
        """The same for intervals beyond 64 bits, in Python integers."""
        intervals = self._inputs.intervals(slab.shape[1])
        for weights in slab.tolist():
            terms = TERMS[self._structure](weights, intervals)
            self.zeros += weights.count(0)
            self.terms += len(terms)
            self.shifts += sum(term.zeros > 0 for term in terms)
            if self._structure == "products":
                for weight, term in zip(filter(None, weights), terms, strict=True):
                    (self.powers if abs(weight).bit_count() == 1 else self.products)[held(term)] += 1
            if not terms:
                self.empty += 1
                self._hull(0, 0)
                continue
            root = added(terms, self.additions)
            self._hull(root.low, root.high)
            self.negations.update([held(root)] if root.negative else [])
