"""The constants of a kernel with names: which of them it holds, which stand on its ports, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["built_in_of", "whose"]

Known = Mapping[str, Sequence[int]]


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
