"""The constants of a kernel: which of them it holds, which stand on its ports, and how counting reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nncomplexity.accounting import Matrix
from nncomplexity.layers.layer import Layer

__all__ = ["ONE", "built_in_of", "operands_of", "outputs_of", "whose"]

Known = Mapping[str, Sequence[int]]
# What equations call the constant of 1 - gate.
ONE = "one"


def built_in_of(known: Known, style: str, own: Known | None) -> Known:
    """The constants that are no ports: in a shift-add kernel all, of a file's `own` those it says; else its biases."""
    if own is None:
        return known if style == "shiftadd" else {}
    kept = [name for name in known if name in own or name == ONE]
    return {name: known[name] for name in kept if style == "shiftadd" or name.startswith("bias")}


def whose(known: Known, given: Known | None) -> str:
    """Where weights are from: drawn, given, or which of them were not given."""
    if not given:
        return "drawn"
    drawn = [name for name in known if name not in given and name != ONE]
    return f"given, {', '.join(drawn)} drawn" if drawn else "given"


def operands_of(layer: Layer, known: Mapping[str, Sequence[int]]) -> dict[str, Matrix]:
    """Constants by name as counting reads them."""
    rows = {name.partition(".")[2]: len(values) for name, values in known.items() if name.startswith("bias")}
    return {
        name: _matrix(values, rows.get(name.partition(".")[2], outputs_of(layer))) for name, values in known.items()
    }


def _matrix(values: Sequence[int], outputs: int) -> Matrix:
    return replace(Matrix.of(values), arrange=lambda array: array.reshape(outputs, -1), _trees={})


def outputs_of(layer: Layer) -> int:
    """How many results an execution has."""
    named = (getattr(layer, name, None) for name in ("units", "filters", "hidden", "outputs"))
    return next(size for size in named if isinstance(size, int))
