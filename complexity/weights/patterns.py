"""Two-term patterns common to many sums, found and replaced one after the other, the most frequent first.

Source: R. Pasko et al., A new algorithm for elimination of common subexpressions, IEEE Trans. CAD 18 (1999)
(reconstructed): the greedy elimination of two-term patterns over signed digits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush

__all__ = ["Elimination", "Pattern"]

# (a, b, shift, sign): the value of node a plus sign times that of node b, b's exponent `shift` above a's.
Pattern = tuple[int, int, int, int]
Term = tuple[int, int]
Sum = dict[int, dict[int, int]]


class Elimination:
    """Sums of signed, shifted nodes; `run` replaces every pattern that occurs twice by a node of its own.

    sums: node to exponent to sign, one mapping a sum. patterns: what the new nodes compute; the first of them has the
    number `nodes`.
    """

    def __init__(self, sums: Iterable[Sum], nodes: int) -> None:
        self.sums = [{node: dict(digits) for node, digits in each.items()} for each in sums]
        self.nodes = nodes
        self.patterns: list[Pattern] = []
        self._holders: defaultdict[int, set[int]] = defaultdict(set)
        self._frequency: Counter[Pattern] = Counter()
        for place, each in enumerate(self.sums):
            for node, digits in each.items():
                self._holders[node].add(place)
                for exponent in digits:
                    # Every pair is met from both its ends.
                    self._frequency.update(self._pairs(place, (node, exponent)))
        for pattern in self._frequency:
            self._frequency[pattern] //= 2

    def run(self) -> None:
        """Replace until no pattern occurs twice; of equally frequent ones the smallest goes first."""
        queue = [(-count, pattern) for pattern, count in self._frequency.items() if count > 1]
        heapify(queue)
        while queue:
            count, pattern = heappop(queue)
            # It may have grown rarer since it was queued, and it may overlap itself.
            found = list(self._occurrences(pattern)) if self._frequency[pattern] >= -count else []
            frequency = len(found) or self._frequency[pattern]
            if frequency < -count:
                if frequency > 1:
                    heappush(queue, (-frequency, pattern))
                continue
            for raised in self._replace(pattern, found):
                if self._frequency[raised] > 1:
                    heappush(queue, (-self._frequency[raised], raised))

    def _occurrences(self, pattern: Pattern) -> Iterator[tuple[int, int]]:
        """Where a pattern stands, no term used twice: the sum, and the exponent of the pattern's first node."""
        a, b, shift, sign = pattern
        for place in sorted(self._holders[a] & self._holders[b]):
            first, second = self.sums[place][a], self.sums[place][b]
            taken: set[int] = set()
            for exponent in sorted(first):
                if second.get(exponent + shift) == sign * first[exponent] and exponent not in taken:
                    if a == b:
                        taken.add(exponent + shift)
                    yield place, exponent

    def _replace(self, pattern: Pattern, found: list[tuple[int, int]]) -> set[Pattern]:
        """Put a new node in a pattern's places; returns the patterns it has part in."""
        a, b, shift, _ = pattern
        new = self.nodes + len(self.patterns)
        self.patterns.append(pattern)
        raised: set[Pattern] = set()
        for place, exponent in found:
            each = self.sums[place]
            sign = each[a][exponent]
            for node, at in ((a, exponent), (b, exponent + shift)):
                self._frequency.subtract(self._pairs(place, (node, at)))
                del each[node][at]
                if not each[node]:
                    del each[node]
                    self._holders[node].discard(place)
            at = exponent + min(shift, 0)
            each.setdefault(new, {})[at] = sign
            self._holders[new].add(place)
            pairs = self._pairs(place, (new, at))
            self._frequency.update(pairs)
            raised.update(pairs)
        return raised

    def _pairs(self, place: int, term: Term) -> list[Pattern]:
        """The patterns that a term forms with all others of its sum."""
        found: list[Pattern] = []
        node, at = term
        sign = self.sums[place][node][at]
        for other, digits in self.sums[place].items():
            if other < node:
                found += [(other, node, at - exponent, sign * each) for exponent, each in digits.items()]
            elif other > node:
                found += [(node, other, exponent - at, sign * each) for exponent, each in digits.items()]
            else:
                found += [(node, node, abs(exponent - at), sign * each) for exponent, each in digits.items()]
                found.remove((node, node, 0, 1))
        return found
