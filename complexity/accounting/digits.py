"""The paper's closed forms with the signed digits of known weights in place of their bound X.

A dot product of n weights with d canonical signed digits takes d - 1 additions as wide as its accumulator, none where
all weights are zero.
"""

from __future__ import annotations

from ..expressions import Size
from ..formats import accumulator
from ..ops import Kind, Op, Role
from .counter import Signal, share, whole
from .matrix import Matrix
from .paper import PaperCounter

__all__ = ["DigitsCounter"]


class DigitsCounter(PaperCounter):
    """Digits of the weights, accumulators of the paper. Constants whose values are not known keep their bound."""

    def dot(
        self,
        x: Signal,
        weight: Signal,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
        row: Size | None = None,
    ) -> Signal:
        matrix = weight.matrix
        if not self._known(x, weight, matrix):
            return PaperCounter.dot(
                self,
                x,
                weight,
                terms=terms,
                outputs=outputs,
                role=role,
                products=products,
                additions=additions,
            )
        assert matrix is not None
        total = self._accumulator(terms, x.format.operand, weight.format.operand)
        if products is None:
            added = matrix.digit_joins * share(outputs, matrix.outputs)
        else:
            added = matrix.single.digit_joins * share(products, matrix.numbers) + whole(additions or 0)
        self._charge(added, Op(Kind.ADD, role, total, total, total))
        return Signal(outputs, total, accumulated=True)

    def multiply(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        if left.constant and not right.constant:
            left, right = right, left
        matrix = right.matrix
        if not self._known(left, right, matrix):
            return PaperCounter.multiply(self, left, right, role=role)
        assert matrix is not None
        total = accumulator(1, left.format.operand, right.format.operand)
        added = matrix.single.digit_joins * share(left.elements, matrix.numbers)
        self._charge(added, Op(Kind.ADD, role, total, total, total))
        return Signal(left.elements, total, accumulated=True)

    @staticmethod
    def _known(x: Signal, weight: Signal, matrix: Matrix | None) -> bool:
        known = matrix is not None and weight.constant and not x.constant and matrix.whole
        return known and not x.format.floating and not weight.format.floating
