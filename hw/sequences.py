"""Sequences that drive a recurrent kernel to its ends: extremes held for many steps, turned, aligned with weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .netlist import Port
from .vectors import drawn_inputs

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["drawn_sequences"]

# A quarter of the samples at most is aligned with rows of weights.
SHARE = 4


def drawn_sequences(
    random: np.random.Generator, port: Port, samples: int, steps: int, known: Mapping[str, Sequence[int]]
) -> list[Array]:
    """[samples, elements] at each step. known: the numbers of constants by the equations' names.

    The first samples keep the ends and patterns of `drawn_inputs` at every step. Behind them, while samples are left:
    all inputs at one end and then the other, turned every step and at half time; then for each row of an input's
    weights the inputs that make its sum greatest, held, the opposite, and one after the other at half time.
    """
    import numpy as np

    found = [drawn_inputs(random, (port.low, port.high), samples, port.elements) for _ in range(steps)]
    turns = [step % 2 for step in range(steps)], [int(2 * step >= steps) for step in range(steps)]
    patterns = [(np.ones(port.elements, bool), turn) for turn in turns]
    held = [0] * steps
    for row in _rows(known, port.elements, samples // SHARE // 3):
        greatest = np.array([value > 0 for value in row])
        patterns += [(greatest, held), (~greatest, held), (greatest, turns[1])]
    # Four patterns and the inputs one at a time stand first.
    first = min(4 + min(port.elements, samples // 2), samples)
    for sample, (high, turn) in zip(range(first, samples), patterns, strict=False):
        for step, turned in enumerate(turn):
            found[step][sample] = np.where(high != bool(turned), port.high, port.low)
    return found


def _rows(known: Mapping[str, Sequence[int]], elements: int, most: int) -> list[Sequence[int]]:
    """Rows of the weights of inputs, the first of every gate first."""
    matrices = [values for name, values in known.items() if name.startswith("weight")]
    rows = [
        values[at : at + elements]
        for at in range(0, max(map(len, matrices), default=0), elements)
        for values in matrices
    ]
    return [row for row in rows if len(row) == elements][:most]
