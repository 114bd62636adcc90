"""The vocabulary in which layers are written.

A value is a bundle of equal numbers: so many elements of one format. A layer's `equations` combine values with the
verbs below and say nothing of costs, widths of wires or kernels; interpreters of the same text do. The first operand
of a two-operand verb sets the number of elements; the second is broadcast onto it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol, TypeVar

from .expressions import Size
from .formats import Accumulation, Format
from .ops import Role
from .requantization import Requantization

__all__ = ["Arithmetic", "Places"]

Value = TypeVar("Value")
# Made when it is asked for: only then need sizes be integers.
Places = Callable[[], Sequence[int]]


class Arithmetic(Protocol[Value]):
    """What an interpreter of layer equations offers."""

    def variable(self, elements: Size, format: Format, name: str = "") -> Value:
        """Numbers that change with the input; one with a name may have widths of its own."""

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Value:
        """Numbers known before the run: weights, biases, scales. The values of one with a name may be known.

        value: what all of them are where mathematics says it (0 of a ReLU, 1/n of a mean); a kernel holds the nearest
        number of the format, no convention looks at it.
        """

    def state(self, elements: Size, format: Format, name: str = "") -> Value:
        """Numbers kept from one step to the next, zero before the first; `keep` says what they become."""

    def keep(self, state: Value, value: Value) -> None:
        """What a state becomes at the end of the step, brought to its format; no arithmetic."""

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Value:
        """Dot products made elsewhere and still in their accumulator, so that a bias may join them."""

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        """Declare the accumulator a recurrent layer keeps: `paper` charges its width for every later addition."""

    def dot(
        self,
        x: Value,
        weight: Value,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
        row: Size | None = None,
    ) -> Value:
        """`outputs` sums of `terms` products x*weight; sparse rows name their products and additions.

        row: how many of its terms a sum really has, where all have as many; x and weight then lie row by row.
        """

    def sum(self, x: Value, *, terms: Size, outputs: Size, role: Role) -> Value:
        """`outputs` sums of `terms` elements of x."""

    def add(self, left: Value, right: Value, *, role: Role) -> Value:
        """Elementwise left + right."""

    def subtract(self, left: Value, right: Value, *, role: Role) -> Value:
        """Elementwise left - right."""

    def multiply(self, left: Value, right: Value, *, role: Role) -> Value:
        """Elementwise left * right: lone products, no accumulator."""

    def compare(
        self, left: Value, right: Value, *, role: Role, kept: str = "", chosen: tuple[Value, Value] | None = None
    ) -> Value:
        """Elementwise comparison; the value is the operand selected (a maximum, a clip, a ReLU).

        kept: which operand, "greater" or "lesser", where that is said. chosen: two other values; the first of them is
        selected where left >= right.
        """

    def greatest(self, x: Value, *, terms: Size, outputs: Size, role: Role, kept: str = "greater") -> Value:
        """`outputs` maxima (or, with kept "lesser", minima) of `terms` elements of x."""

    def lookup(
        self,
        x: Value,
        function: str,
        *,
        result: Format | None = None,
        role: Role = Role.ACTIVATION,
        members: Callable[[], Sequence[tuple[int, ...]]] | None = None,
    ) -> Value:
        """Elementwise special function; `result` is the format it is stored in (that of x if not said).

        members: of a family of functions, which each element in turn is put through; they repeat.
        """

    def broadcast(self, x: Value, elements: Size) -> Value:
        """x seen as so many elements: repeated, selected or regrouped; no arithmetic."""

    def arrange(self, parts: Sequence[Value], elements: Size, places: Places) -> Value:
        """The numbers of values laid end to end, in the order of `places`; no arithmetic. The first sets the format."""

    def magnitude(self, x: Value) -> Value:
        """Elementwise |x|, of which `signed` takes the sign again: wires, no arithmetic."""

    def signed(self, x: Value, like: Value) -> Value:
        """x with the sign of another number, that of 0 being positive: wires, no arithmetic."""

    def piece(self, memory: Value, x: Value, elements: Size, *, pieces: Size) -> Value:
        """Of each row of a memory as many numbers, from the piece on that its x lies in; selection, no arithmetic.

        The range of x is cut into equal pieces. Rows that are a multiple of x meet it over and over.
        """

    def requantize(self, x: Value, format: Format, change: Requantization | None = None) -> Value:
        """x brought to a format, as it is stored between layers or steps; `exact` charges what the change takes."""

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        """Zero points taken off: products of one by sums of weights, and subtractions in a format; `exact` only."""
