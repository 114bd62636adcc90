"""The constants of a kernel with names: which of them it holds, which stand on its ports, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from nncomplexity.accounting import Countable, Signal
from nncomplexity.accounting.exact import ExactCounter
from nncomplexity.expressions import Size
from nncomplexity.formats import Format

from .stated import whole

__all__ = ["built_in_of", "constants_of", "whose"]

Known = Mapping[str, Sequence[int]]


class _Named(ExactCounter):
    """Counts, and remembers the constants that have a name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[Format, int]] = {}

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Signal:
        if name:
            self.found[name] = format, whole(elements)
        return super().constant(elements, format, name, value=value)


def constants_of(layer: Countable) -> dict[str, tuple[Format, int]]:
    """The format and the number of elements of every constant that the equations give a name."""
    counter = _Named()
    layer.equations(counter)
    return counter.found


def built_in_of(known: Known, style: str, own: Known | None) -> Known:
    """The constants that are no ports: all that a style shifts and adds; of a file's `own` those it has, and biases."""
    if own is None:
        return {} if style == "mac" else known
    return {name: values for name, values in own.items() if style != "mac" or name.startswith("bias")}


def whose(known: Known, given: Known | None) -> str:
    """Where constants are from: drawn, given, or which of them were not given."""
    if not given:
        return "drawn"
    drawn = [name for name in known if name not in given]
    return f"given, {', '.join(drawn)} drawn" if drawn else "given"
