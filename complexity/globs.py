"""Globs over the paths of layers: many at once, and what a prefix of a path leaves possible.

`*` is any text, `?` any character, `[ab]` and `[!a-c]` classes; dots and slashes are the same separator, repeated ones
are one and leading ones are none. Upper and lower case differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Globs", "normalised"]

TOKEN = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def normalised(text: str) -> str:
    """A path or a glob with one way to write its separators."""
    return re.sub(r"[./]+", "/", text).lstrip("/")


@dataclass(slots=True)
class Globs:
    """One automaton of all patterns: a set of places in them is an integer with one bit a place.

    A text is read character by character in a few operations on that integer, however many patterns there are; two
    prefixes that lead to the same integer are told apart by nothing that follows.
    """

    patterns: Sequence[str]
    start: int = 0
    _stars: int = 0
    _any: int = 0
    _plain: dict[str, int] = field(default_factory=dict)
    _classes: list[tuple[int, frozenset[str], tuple[tuple[str, str], ...], bool]] = field(default_factory=list)
    _ends: dict[int, int] = field(default_factory=dict)
    _accepted: int = 0
    _moves: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place = 0
        for index, pattern in enumerate(self.patterns):
            self.start |= 1 << place
            for token in TOKEN.findall(normalised(pattern)):
                self._enter(token, 1 << place)
                place += 1
            self._ends[1 << place] = index
            self._accepted |= 1 << place
            place += 1
        self.start |= (self.start & self._stars) << 1

    def _enter(self, token: str, bit: int) -> None:
        if token.startswith("*"):
            self._stars |= bit
        elif token == "?":
            self._any |= bit
        elif len(token) == 1:
            self._plain[token] = self._plain.get(token, 0) | bit
        else:
            negated = token.startswith("[!")
            ranges, singles = _members(token[2 if negated else 1 : -1])
            self._classes.append((bit, singles, ranges, negated))

    def after(self, text: str, state: int | None = None) -> int:
        """The places reached when a text, already normalised, is read from `state`."""
        reached = self.start if state is None else state
        for character in text:
            move = self._moves.get(character)
            if move is None:
                move = self._moves[character] = self._move(character)
            reached = (reached & move) << 1 | reached & self._stars
            reached |= (reached & self._stars) << 1
        return reached

    def _move(self, character: str) -> int:
        move = self._any | self._plain.get(character, 0)
        for bit, singles, ranges, negated in self._classes:
            inside = character in singles or any(low <= character <= high for low, high in ranges)
            move |= bit if inside is not negated else 0
        return move

    def found(self, texts: Iterable[str]) -> Iterator[int]:
        """The patterns that match one of the texts, the first first."""
        reached = 0
        for text in texts:
            reached |= self.after(normalised(text))
        reached &= self._accepted
        while reached:
            lowest = reached & -reached
            yield self._ends[lowest]
            reached ^= lowest

    def first(self, texts: Iterable[str]) -> int | None:
        """The first pattern that matches one of the texts, None where none does."""
        return next(self.found(texts), None)


def _members(body: str) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
    """The ranges and the single characters of a class."""
    ranges: list[tuple[str, str]] = []
    singles: set[str] = set()
    while body:
        if len(body) > 2 and body[1] == "-":
            ranges.append((body[0], body[2]))
            body = body[3:]
        else:
            singles.add(body[0])
            body = body[1:]
    return tuple(ranges), frozenset(singles)
