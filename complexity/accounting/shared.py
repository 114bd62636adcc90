"""The shift-add kernel after subexpressions that occur twice are computed once."""

from __future__ import annotations

from ..ops import Kind, Op, Role
from .counter import Signal, whole
from .exact import Times
from .matrix import Matrix
from .shift_add import ShiftAddCounter

__all__ = ["SharedCounter"]


class SharedCounter(ShiftAddCounter):
    """Two-term elimination over the digits of every matrix; one too large to search is charged as unknown.

    Sums with inputs of their own, as those of peepholes and of grouped convolutions, share nothing.
    """

    def _summed(self, x: Signal, weight: Signal, matrix: Matrix, times: Times, role: Role) -> Signal:
        fraction = x.fraction + weight.fraction
        alone = len(matrix.array) > 1 and whole(x.elements) == matrix.numbers
        found = matrix.shared(x.matrix, x.interval, alone=alone)
        low, high = matrix.hull(x.interval)
        total = self._held(x.elements, x._replace(constant=False), (low, high), fraction)
        if found is None:
            self._charge(times, Op(Kind.UNKNOWN, role, x.format, weight.format, total.format))
            return total
        for each in found:
            self._grown(each, fraction, times, role)
        return total
