"""What is left to add when terms that several outputs need are computed once: an upper bound on the best circuit.

Every weight is its canonical signed digits. The most frequent pair of terms (two inputs, their relative shift and sign)
becomes a node of its own wherever it stands, within and across outputs, until no pair stands twice; what is left of
every output is added by a balanced tree. Never more additions than the trees without sharing: a node costs one and
saves at least two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .digits import digit_count, signed_digits
from .inputs import inputs_between
from .packing import slabs
from .patterns import Elimination
from .unbounded import Term, held, joined

if TYPE_CHECKING:
    from typing import Any

    from numpy import ndarray

    Array = ndarray[Any, Any]

__all__ = ["Node", "Output", "Shared", "distinct_products", "shared_trees"]

# Beyond either the search takes more than a few seconds.
DIGITS = 20_000
PAIRS = 1_500_000


class Node(NamedTuple):
    """One addition: (left << left_shift) + (right << right_shift), or the difference of the two.

    negative: the sum is kept for its negation, because it will be subtracted.
    """

    left: int
    left_shift: int
    right: int
    right_shift: int
    subtract: bool
    negative: bool = False


class Output(NamedTuple):
    """Where an output is taken: node << shift, negated last where `negative`."""

    node: int
    shift: int
    negative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A graph of additions that computes all outputs, and what it costs.

    inputs: how many; they are the nodes before the first of `nodes`. outputs: None where an output has no term.
    additions: (subtraction, width, passed) to how many; negations: width to how many outputs are negated.
    """

    inputs: int
    nodes: tuple[Node, ...]
    outputs: tuple[Output | None, ...]
    additions: Mapping[tuple[bool, int, int], int]
    negations: Mapping[int, int]

    @property
    def adders(self) -> int:
        """Additions and subtractions, negations apart."""
        return len(self.nodes)

    @property
    def full_adders(self) -> int:
        """Full-adder bits of the additions: width less passed bits."""
        return sum(count * (width - passed) for (_, width, passed), count in self.additions.items())


class Operand(NamedTuple):
    """A node as a term: shifted, negated later or not, with its interval as it enters the sum."""

    node: int
    shift: int
    term: Term


class Graph:
    """The additions built so far, and the interval of every node."""

    def __init__(self, inputs: list[tuple[int, int]]) -> None:
        self.nodes: list[Node] = []
        self.values = [Term(low, high) for low, high in inputs]
        self.additions: Counter[tuple[bool, int, int]] = Counter()

    def operand(self, node: int, shift: int, sign: int) -> Operand:
        """A node times +-2**shift."""
        value = self.values[node]
        ends = sorted(sign * end << shift for end in (value.low, value.high))
        return Operand(node, shift, Term(ends[0], ends[1], value.zeros + shift, sign < 0))

    def join(self, left: Operand, right: Operand) -> Operand:
        """A new node; of two negative operands it is the positive sum, negated later."""
        term = joined(left.term, right.term, self.additions)
        subtract = left.term.negative != right.term.negative
        if subtract and left.term.negative:
            left, right = right, left
        self.nodes.append(Node(left.node, left.shift, right.node, right.shift, subtract, term.negative))
        self.values.append(term)
        return Operand(len(self.values) - 1, 0, term)

    def tree(self, operands: list[Operand]) -> Operand:
        """The root of a balanced tree over adjacent pairs."""
        while len(operands) > 1:
            sums = [self.join(left, right) for left, right in zip(operands[::2], operands[1::2], strict=False)]
            operands = sums + operands[len(operands) & ~1 :]
        return operands[0]


def shared_trees(matrix: Array, low: int | Array, high: int | Array) -> Shared | None:
    """The shared additions of a matrix of integers [terms, outputs]; None where it has too many digits to search.

    Counting: as `digit_trees`, terms in the order of nodes, inputs first, and then exponents.
    Raises: UsageError E-WEIGHT-INPUTS where the intervals do not fit the matrix.
    """
    terms = len(matrix)
    inputs = inputs_between(low, high)
    inputs.check(terms)
    if not _searchable(matrix):
        return None
    columns = [
        {place: dict(signed_digits(weight)) for place, weight in enumerate(column) if weight}
        for column in matrix.T.tolist()
    ]
    search = Elimination(columns, terms)
    search.run()
    graph = Graph(inputs.intervals(terms))
    for a, b, shift, sign in search.patterns:
        graph.join(graph.operand(a, max(0, -shift), 1), graph.operand(b, max(0, shift), sign))
    negations: Counter[int] = Counter()
    taken: list[Output | None] = []
    for column in search.sums:
        operands = [graph.operand(node, *digit) for node in sorted(column) for digit in sorted(column[node].items())]
        if not operands:
            taken.append(None)
            continue
        root = graph.tree(operands)
        taken.append(Output(root.node, root.shift, root.term.negative))
        negations.update([held(root.term)] if root.term.negative else [])
    return Shared(
        inputs=terms,
        nodes=tuple(graph.nodes),
        outputs=tuple(taken),
        additions=dict(sorted(graph.additions.items())),
        negations=dict(sorted(negations.items())),
    )


def distinct_products(matrix: Array) -> int:
    """Multipliers needed where products of one input are shared up to sign and shift.

    Equation: summed over the inputs, the number of distinct odd parts above 1 of |w| in the input's row.
    Shapes: integers [terms, outputs].
    """
    import numpy as np

    total = 0
    for slab in slabs(matrix) if matrix.size else ():
        wrapped = slab.astype(np.uint64)
        # Modulo 2**64 the negative of the smallest integer is right, too.
        magnitudes = np.where(slab < 0, np.uint64(0) - wrapped, wrapped)
        lowest = magnitudes & (np.uint64(0) - magnitudes)
        odd = magnitudes // np.maximum(lowest, np.uint64(1))
        odd = np.sort(odd.astype(np.min_scalar_type(int(odd.max()))), axis=1)
        total += int(np.count_nonzero(odd[:, :1] > 1))
        total += int(np.count_nonzero((odd[:, 1:] != odd[:, :-1]) & (odd[:, 1:] > 1)))
    return total


def _searchable(matrix: Array) -> bool:
    import numpy as np

    # A nonzero weight has a digit at least: a large matrix is refused unread.
    if np.count_nonzero(matrix) > DIGITS:
        return False
    lengths = [sum(map(digit_count, column)) for column in matrix.T.tolist()]
    return sum(lengths) <= DIGITS and sum(length * (length - 1) // 2 for length in lengths) <= PAIRS
