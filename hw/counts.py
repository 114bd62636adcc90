"""Where the three counts of a kernel differ: the layer's inventory, the netlist's operators, the census of the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nncomplexity.accounting import Matrix
from nncomplexity.ops import Kind, Role

from .census import census
from .declared import Declared, declared
from .elaborate import Design
from .nodes import Operator, operators
from .preparation import once
from .stated import whole
from .styles import inventory
from .trial import Trial

__all__ = ["adders", "cell_differences", "count_differences", "difference", "known_matrices"]

ROWS = (
    *("additions", "negations", "multiplications", "comparisons", "muxes", "tables", "registers"),
    *("logic", "shifts", "control"),
)


def count_differences(trial: Trial, design: Design) -> list[str]:
    """The first difference of every kind of operator; none where all counts are equal."""
    graph, single = trial.kernel.graph, once(trial.layer)
    counted = operators(inventory(single, trial.style, known_matrices(trial)))
    # The netlist is one execution; rounding and limiting what is stored is charged to no layer.
    times = whole(single.executions)
    made = {op: n * times for op, n in graph.inventory().items() if op.role is not Role.REQUANTIZATION}
    found = [difference("inventory and netlist", counted, Counter(made))] if counted != Counter(made) else []
    return found + cell_differences(declared(graph), design)


def cell_differences(wanted: Declared, design: Design) -> list[str]:
    """The first difference of every kind between the cells that a text should have and those that were found."""
    seen, found = census(design), []
    for row in ROWS:
        one, other = Counter(dict(getattr(wanted, row))), Counter(dict(getattr(seen, row)))
        if one != other:
            found.append(difference(f"netlist and census of {row}", one, other))
    return found


def known_matrices(trial: Trial) -> dict[str, Matrix]:
    """The weights inside a kernel as the inventory reads them."""
    rows = {name: trial.kernel.weights[name].rows or len(values) for name, values in trial.built_in.items()}
    return {name: _matrix(values, rows[name]) for name, values in trial.built_in.items()}


def adders(inventory: Counter[Operator]) -> int:
    """Additions and subtractions, negations and those that round apart."""
    kept = {Kind.ADD, Kind.SUBTRACT}
    return sum(n for each, n in inventory.items() if each.kind in kept and each.role is not Role.REQUANTIZATION)


def difference(what: str, one: Counter[Any], other: Counter[Any]) -> str:
    """The first kind of which two counts differ, with both."""
    key = next(iter((one - other) or (other - one)))
    shown = f"{key.role.value} {key.kind.value} of {key.width} bits" if isinstance(key, Operator) else str(key)
    return f"{what}: {one[key]} and {other[key]} of {shown}"


def _matrix(values: Sequence[int], outputs: int) -> Matrix:
    return replace(Matrix.of(values), arrange=lambda array: array.reshape(outputs, -1), _trees={})
