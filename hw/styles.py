"""The styles of a kernel: how products by known numbers are made, and which inventory counts them.

`mac` multiplies; `shiftadd` adds the canonical signed digits of the weights, `binary` the bits of their magnitudes;
`shared` and `da` compute once what several sums need, by the project's own search or by the solver da4ml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nncomplexity.accounting.counter import Countable, Signal, whole
from nncomplexity.accounting.exact import ExactCounter, Times
from nncomplexity.accounting.matrix import Matrix as Numbers
from nncomplexity.accounting.shift_add import BinaryCounter, ShiftAddCounter
from nncomplexity.ops import Inventory, Role
from nncomplexity.weights.sharing import Shared, shared_trees

from .bundles import UnsupportedLayer
from .da import Listed, da_plan, listed, solver_version
from .plans import Matrix, Plan, shared_plan
from .trees import Digits, binary_digits, signed_digits

__all__ = ["DIGITS", "PLANS", "STYLES", "counted_by", "inventory"]

STYLES = ("mac", "shiftadd", "binary", "shared", "da")
# The digits a known number is made of, and the searches for what rows of them share.
DIGITS: Mapping[str, Digits] = {"shiftadd": signed_digits, "binary": binary_digits}
PLANS: Mapping[str, Callable[[Matrix, tuple[int, int]], Plan]] = {"shared": shared_plan, "da": da_plan}


class SearchedCounter(ShiftAddCounter):
    """The additions that a search leaves of a matrix; sums with inputs of their own share nothing."""

    def _summed(self, x: Signal, weight: Signal, matrix: Numbers, times: Times, role: Role) -> Signal:
        rows: list[list[int]] = matrix.array.tolist()
        alone = len(rows) > 1 and whole(x.elements) == matrix.numbers
        fraction = x.fraction + weight.fraction
        for block in [[row] for row in rows] if alone else [rows]:
            if block and block[0]:
                found = self._searched(tuple(map(tuple, block)), x.interval)
                self._grown(found, fraction, times, role)  # type: ignore[arg-type]
        hull = matrix.hull(x.interval)
        return self._held(x.elements, x._replace(constant=False, matrix=None), hull, fraction)

    def _searched(self, weights: Matrix, interval: tuple[int, int]) -> Shared | Listed:
        """Additions and negations for a matrix [outputs, terms]."""
        raise NotImplementedError


class SharedCounter(SearchedCounter):
    """Of the project's own search."""

    def _searched(self, weights: Matrix, interval: tuple[int, int]) -> Shared:
        import numpy as np

        found = shared_trees(np.array(weights, np.int64).T, *interval)
        if found is None:
            raise UnsupportedLayer("its weights have more digits than are searched for what they share")
        return found


class SolverCounter(SearchedCounter):
    """Of the solver da4ml, from its own list of operations."""

    def _searched(self, weights: Matrix, interval: tuple[int, int]) -> Listed:
        return listed(weights, interval)


COUNTERS: Mapping[str, type[ExactCounter]] = {
    "mac": ExactCounter,
    "shiftadd": ShiftAddCounter,
    "binary": BinaryCounter,
    "shared": SharedCounter,
    "da": SolverCounter,
}


def inventory(layer: Countable, style: str, operands: Mapping[str, Numbers], *, once: bool = False) -> Inventory:
    """What a kernel of a style is counted to hold, times the executions of the layer unless `once`."""
    counter = COUNTERS[style](None, operands)
    layer.equations(counter)
    return counter.inventory(1 if once else layer.executions)


def counted_by(style: str) -> str:
    """The inventory that a kernel of a style is compared with, in words."""
    return f"operations listed by {solver_version()}" if style == "da" else f"exact convention, {style}"
