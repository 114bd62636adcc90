"""The errors a user may meet, each with a stable identifier and one line of text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BindingError",
    "ComplexityError",
    "ModelError",
    "OutputError",
    "QuantizationError",
    "SpecError",
    "UsageError",
    "did_you_mean",
    "quoted",
]

SHOWN = 80
LINE = 300
WHERE = 120


def quoted(text: object, limit: int = SHOWN) -> str:
    """Text from a file made safe to print: unprintable characters escaped, long text shortened in the middle.

    Control, bidi, zero-width, separator and undecodable characters are exactly those `str.isprintable` refuses
    (the blank excepted), so each becomes its Python escape.
    """
    source = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else str(text)
    if len(source) <= limit and source.isprintable():
        return source
    if len(source) > 4 * limit:
        source = source[: 2 * limit] + "…" + source[-2 * limit :]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in source)
    if len(safe) > limit:
        keep = (limit - 1) // 2
        safe = safe[: limit - 1 - keep] + "…" + safe[-keep:]
    return safe


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a hint, or the list of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean '{quoted(near[0])}'?"
    listed = ", ".join(quoted(each, 40) for each in names[:20])
    return f"there are: {listed}" if listed else "there are none"


class ComplexityError(Exception):
    """Root of all refusals: a fact with the values found, what to do, a stable identifier, an exit code.

    `where` is filled in from the inside out (node, then file) by `at`.
    """

    exit_code = 3

    def __init__(self, identifier: str, fact: str) -> None:
        super().__init__(identifier, fact)
        self.identifier = identifier
        self.fact = fact
        self.where: tuple[str, ...] = ()

    def at(self, place: str) -> ComplexityError:
        """Prefix a place (a file, a node) to the message; the innermost place is added first."""
        self.where = (place, *self.where)
        return self

    def __reduce__(self) -> tuple[object, ...]:
        # The default would lose the places.
        return (type(self), (self.identifier, self.fact), {"where": self.where})

    def __str__(self) -> str:
        tail = f" [{self.identifier}]"
        room = LINE - len("nncomplexity: error: ") - len(tail)
        fact, where = quoted(self.fact, room), ": ".join(self.where)
        if self.where:
            # Where there is no room for both, the fact matters more than the whole path to it.
            left = max(room - len(fact) - len(": "), WHERE)
            line = f"{quoted(where, left)}: {fact}"
        else:
            line = fact
        return (line if len(line) <= room else line[: room - 1] + "…") + tail


class ModelError(ComplexityError):
    """The input is unreadable, not a model, malformed, unsafe or over a limit (exit 3)."""


class OutputError(ComplexityError):
    """An output could not be written (exit 4)."""

    exit_code = 4


class UsageError(ComplexityError):
    """The command line, a configuration or an argument is wrong (exit 2)."""

    exit_code = 2


class BindingError(UsageError):
    """A dimension, shape or value given by the user does not fit the model (exit 2)."""


class QuantizationError(UsageError):
    """A quantization specification cannot be read (exit 2)."""


class SpecError(UsageError):
    """A layer specification is wrong: names the field, the value and the rule (exit 2)."""
