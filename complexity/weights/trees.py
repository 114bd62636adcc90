"""The balanced adder tree of every output of a constant matrix: each addition's width, exactly, by the million.

Terms stand in index order; adjacent pairs are added, the odd last one passes up, until one is left. A node's interval
is the sum of its operands', its width that of the smallest two's complement holding it. `passed` low bits of a sum need
no full adder, because one operand is zero there: the larger of the operands' low zeros, at most the width.

Three structures: `product_trees`, of one real product for each nonzero weight; `digit_trees`, of the canonical signed
digits of the weights, by input and then exponent, where a term is shifted and not multiplied; `binary_trees`, of the
bits of their magnitudes in place of those digits. In the last two a node whose digits
are all negative is the sum of their positives, negated later: it holds its interval and the negation, and the node that
joins it with another subtracts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .forest import Forest
from .inputs import inputs_between

if TYPE_CHECKING:
    from numpy import ndarray

    Array = ndarray[Any, Any]

__all__ = ["Trees", "binary_trees", "digit_trees", "joined", "product_trees"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """What the adder trees of a matrix consist of; all figures are Python integers.

    additions: (subtraction, width, passed) to how many. negations: root width to how many outputs have only negative
    digits. low, high: hull of the outputs' intervals, an empty output's being 0..0. outputs: how many there are, empty
    those without a term. terms: of all trees. shifts: digits of exponent 1 or more. zeros: weights that are 0.
    products, powers: width of the product's interval to how many weights, general ones and +-2**k; for `product_trees`.
    """

    additions: Mapping[tuple[bool, int, int], int] = field(default_factory=dict)
    negations: Mapping[int, int] = field(default_factory=dict)
    low: int = 0
    high: int = 0
    outputs: int = 0
    empty: int = 0
    terms: int = 0
    shifts: int = 0
    zeros: int = 0
    products: Mapping[int, int] = field(default_factory=dict)
    powers: Mapping[int, int] = field(default_factory=dict)

    @property
    def adders(self) -> int:
        """Additions and subtractions, negations apart."""
        return sum(self.additions.values())

    @property
    def full_adders(self) -> int:
        """Full-adder bits of the additions: width less passed bits."""
        return sum(count * (width - passed) for (_, width, passed), count in self.additions.items())


def product_trees(blocks: Iterable[Array], low: int | Array, high: int | Array) -> Trees:
    """Trees of the products of all nonzero weights; every node is an addition, whatever the signs.

    Shapes: blocks of integers [outputs, terms]; low, high: the exact interval of the inputs, an int or one per term.
    Raises: UsageError E-WEIGHT-INPUTS where the intervals do not fit the blocks.
    """
    return _counted(Forest(inputs_between(low, high), structure="products"), blocks)


def digit_trees(blocks: Iterable[Array], low: int | Array, high: int | Array) -> Trees:
    """Trees of the canonical signed digits of all weights.

    Shapes: blocks of integers [outputs, terms]; low, high: the exact interval of the inputs, an int or one per term.
    Raises: UsageError E-WEIGHT-INPUTS where the intervals do not fit the blocks.
    """
    return _counted(Forest(inputs_between(low, high), structure="digits"), blocks)


def binary_trees(blocks: Iterable[Array], low: int | Array, high: int | Array) -> Trees:
    """Trees of the bits set in the magnitudes of all weights, each of its weight's sign.

    Shapes: blocks of integers [outputs, terms]; low, high: the exact interval of the inputs, an int or one per term.
    Raises: UsageError E-WEIGHT-INPUTS where the intervals do not fit the blocks.
    """
    return _counted(Forest(inputs_between(low, high), structure="binary"), blocks)


def _counted(forest: Forest, blocks: Iterable[Array]) -> Trees:
    for block in blocks:
        forest.grow(block)
    forest.close()
    return Trees(
        additions=dict(sorted(forest.additions.items())),
        negations=dict(sorted(forest.negations.items())),
        low=forest.low or 0,
        high=forest.high or 0,
        outputs=forest.outputs,
        empty=forest.empty,
        terms=forest.terms,
        shifts=forest.shifts,
        zeros=forest.zeros,
        products=dict(sorted(forest.products.items())),
        powers=dict(sorted(forest.powers.items())),
    )


def joined(parts: Sequence[Trees]) -> Trees:
    """The trees of several matrices together."""

    def counted(name: str) -> dict[Any, int]:
        found: Counter[Any] = Counter()
        for part in parts:
            found.update(getattr(part, name))
        return dict(sorted(found.items()))

    return Trees(
        additions=counted("additions"),
        negations=counted("negations"),
        low=min(part.low for part in parts),
        high=max(part.high for part in parts),
        outputs=sum(part.outputs for part in parts),
        empty=sum(part.empty for part in parts),
        terms=sum(part.terms for part in parts),
        shifts=sum(part.shifts for part in parts),
        zeros=sum(part.zeros for part in parts),
        products=counted("products"),
        powers=counted("powers"),
    )
