"""The exact kernel where constants are shifted and added: the signed digits of known weights instead of products.

The terms of a sum are the canonical signed digits of its weights, by input, then by exponent. A sum of negative digits
only is kept positive and negated where it is used; a negation takes half adders, no full ones. Constants whose values
are not known stay multipliers, priced by the adders their format asks for at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..ops import Kind, Op, Role
from .counter import Signal
from .exact import ExactCounter, Times
from .matrix import Matrix

if TYPE_CHECKING:
    from ..weights.sharing import Shared
    from ..weights.trees import Trees

__all__ = ["BinaryCounter", "ShiftAddCounter"]


class ShiftAddCounter(ExactCounter):
    """A kernel of shifts and balanced adder trees."""

    structure: ClassVar[str] = "digits"

    def _summed(self, x: Signal, weight: Signal, matrix: Matrix, times: Times, role: Role) -> Signal:
        trees = matrix.trees(self.structure, x.matrix, x.interval)
        fraction = x.fraction + weight.fraction
        self._grown(trees, fraction, times, role)
        self._charge(trees.shifts * times, Op(Kind.SHIFT, role, x.format, weight.format, x.format, True))
        return self._spanned(x, matrix, trees, fraction)

    def _grown(self, trees: Trees | Shared, fraction: int, times: Times, role: Role) -> None:
        """The additions and negations of adder trees."""
        for (subtracts, width, passed), found in trees.additions.items():
            held = self._sized(width, fraction)
            kind = Kind.SUBTRACT if subtracts else Kind.ADD
            self._charge(found * times, Op(kind, role, held, held, held, passed=min(passed, held.width)))
        for width, found in trees.negations.items():
            held = self._sized(width, fraction)
            self._charge(found * times, Op(Kind.NEGATE, role, held, held, held))

    def _scaled(self, x: Signal, weight: Signal, matrix: Matrix, times: Times, role: Role) -> None:
        self._summed(x, weight, matrix.single, times, role)


class BinaryCounter(ShiftAddCounter):
    """The same kernel where the digits are the bits of every magnitude, with the weight's sign."""

    structure: ClassVar[str] = "binary"
