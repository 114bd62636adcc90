"""What a kernel with all multipliers real does.

Sums are balanced trees over terms in index order, adjacent pairs, the odd last one passed up; every result is as wide
as the smallest two's complement that holds its exact interval. Operands have the full range of their formats, or that
which is reachable; where the values of a constant are known, its zeros are no products and no terms, its +-2**k are
shifts, and every interval is the true one. Sizes are ints.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..expressions import Size, is_expression
from ..formats import Accumulation, Fixed, Format, widest
from ..ops import Kind, Op, Role
from ..requantization import MULTIPLIER_BITS, Requantization
from .counter import Counter, Signal, lone_product, on_accumulator, share, whole
from .matrix import Matrix
from .mixed import mixed_widths

if TYPE_CHECKING:
    from ..weights.trees import Trees

__all__ = ["ExactCounter"]

Interval = tuple[int, int]
Times = int | Fraction


class ExactCounter(Counter):
    """A kernel of real multipliers and balanced adder trees, every wire as narrow as its interval allows."""

    def variable(self, elements: Size, format: Format, name: str = "") -> Signal:
        if is_expression(elements):
            raise UsageError(
                "E-EXACT-SYMBOL", f"the exact convention needs integers, found {elements}; bind free dims with --dim"
            )
        signal = Counter.variable(self, elements, format, name)
        if format.floating:
            return signal
        fraction = format.fraction
        return signal._replace(interval=format.interval, fraction=fraction if isinstance(fraction, int) else 0)

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Signal:
        x, weight = self.variable(elements, sum.left), self.variable(elements, sum.right)
        found = self._operands.get(name)
        each = self._product(x, weight if found is None else _on_point(weight, found))
        low, high = each.interval
        terms = whole(sum.terms)
        if found is not None and found.whole and not each.format.floating:
            return self._held(elements, each, found.hull(x.interval), each.fraction)
        return self._held(elements, each, (low * terms, high * terms), each.fraction)

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
        if row is not None:
            # A sum of so many terms, whatever the mean field of the published forms charges.
            terms, products, additions = row, None, None
        if weight.matrix is not None and weight.matrix.valued and weight.constant and not x.constant:
            if products is not None:
                return self._scattered(x, weight, weight.matrix, (whole(products), whole(outputs)), role)
            return self._known_dot(x, weight, weight.matrix, whole(outputs), role)
        each = self._product(x, weight)
        multiplied = outputs * terms if products is None else products
        constant = x.constant or weight.constant
        mixed = mixed_widths(x.matrix, weight.matrix, x.format, weight.format)
        if mixed is None:
            self._charge(multiplied, Op(Kind.MULTIPLY, role, x.format, weight.format, each.format, constant))
        else:
            for (one, other, _), found in mixed.products.items():
                times = share(multiplied, mixed.numbers)
                self._charge(found * times, Op(Kind.MULTIPLY, role, one, other, each.format, constant))
        if additions is None:
            return self.sum(each, terms=terms, outputs=outputs, role=role)
        for rows_terms, rows in _rows(multiplied, outputs):
            total = self.sum(each, terms=rows_terms, outputs=rows, role=role)
        return total._replace(elements=outputs)

    def _known_dot(self, x: Signal, weight: Signal, matrix: Matrix, outputs: int, role: Role) -> Signal:
        """Dot products with weights whose values are known."""
        weight = _on_point(weight, matrix)
        times, each = share(outputs, matrix.outputs), self._product(x, weight)
        if each.format.floating or not matrix.whole:
            self._products(x, weight, matrix, times, role)
            self._charge(matrix.joins * times, Op(Kind.ADD, role, each.format, each.format, each.format))
            return each._replace(elements=outputs, constant=False, matrix=None)
        return self._summed(x, weight, matrix, times, role)._replace(elements=outputs)

    def _scattered(self, x: Signal, weight: Signal, matrix: Matrix, sizes: tuple[int, int], role: Role) -> Signal:
        """Products that are spread over sums of their own number: every weight is used equally often.

        Sums are taken as even as whole numbers allow, over the products that are not zero.
        """
        products, outputs = sizes
        times, found = share(products, matrix.numbers), matrix.statistics
        each = self.multiply(x._replace(elements=products), weight._replace(elements=products), role=role)
        total = each._replace(elements=outputs, constant=False, matrix=None)
        for terms, rows in _rows(int((found.numbers - found.zeros) * times), outputs):
            total = self.sum(each._replace(matrix=None), terms=terms, outputs=rows, role=role)
        return total._replace(elements=outputs)

    def _products(self, x: Signal, weight: Signal, matrix: Matrix, times: Times, role: Role) -> None:
        """The products by known numbers: real ones, shifts, and those that fall away."""
        each = self._product(x, weight)
        for left, right, kinds in matrix.products(x.matrix, x.format, weight.format, x.interval):
            for (kind, width), found in kinds.items():
                held = each.format if width is None else self._sized(width, each.fraction)
                self._charge(found * times, Op(kind, role, left, right, held, True))

    def _summed(self, x: Signal, weight: Signal, matrix: Matrix, times: Times, role: Role) -> Signal:
        """The products of every output, and the tree that adds them."""
        self._products(x, weight, matrix, times, role)
        trees = matrix.trees("products", x.matrix, x.interval)
        fraction = x.fraction + weight.fraction
        for (_, width, _), found in trees.additions.items():
            held = self._sized(width, fraction)
            self._charge(found * times, Op(Kind.ADD, role, held, held, held))
        return self._spanned(x, matrix, trees, fraction)

    def _scaled(self, x: Signal, weight: Signal, matrix: Matrix, times: Times, role: Role) -> None:
        """Lone products by known numbers."""
        self._products(x, weight, matrix, times, role)

    def _spanned(self, x: Signal, matrix: Matrix, trees: Trees, fraction: int) -> Signal:
        """The sums: all digits of a weight move together, so that they reach no further than its products."""
        varied = x.matrix is not None and x.matrix.varied
        hull = (trees.low, trees.high) if varied else matrix.hull(x.interval)
        return self._held(x.elements, x._replace(constant=False), hull, fraction)

    def _sized(self, width: int, fraction: int) -> Format:
        """Two's complement of so many bits, no more than a declared accumulator has."""
        bits = width if self._width is None else min(width, self._width)
        return Fixed(bits=bits, integer=bits - fraction)

    def sum(self, x: Signal, *, terms: Size, outputs: Size, role: Role) -> Signal:
        total = x._replace(elements=outputs, constant=False, matrix=None)
        if terms == 0:
            total = self._held(outputs, x, (0, 0), x.fraction)
        for left, right, nodes in _tree(whole(terms)):
            low, high = x.interval
            total = self._held(outputs, x, (low * (left + right), high * (left + right)), x.fraction)
            one = self._held(outputs, x, (low * left, high * left), x.fraction).format
            other = self._held(outputs, x, (low * right, high * right), x.fraction).format
            self._charge(nodes * outputs, Op(Kind.ADD, role, one, other, total.format))
        return total

    def add(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.ADD, left, right, role, 1)

    def subtract(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        return self._combine(Kind.SUBTRACT, left, right, role, -1)

    def _combine(self, kind: Kind, left: Signal, right: Signal, role: Role, sign: int) -> Signal:
        right = self._valued(left, on_accumulator(right, left.format, role), role)
        fraction = max(left.fraction, right.fraction)
        a = tuple(bound << (fraction - left.fraction) for bound in left.interval)
        b = tuple(sign * bound << (fraction - right.fraction) for bound in right.interval)
        total = self._held(left.elements, left, (a[0] + min(b), a[1] + max(b)), fraction, right)
        self._charge(
            left.elements, Op(kind, role, left.format, right.format, total.format, left.constant or right.constant)
        )
        return total

    @staticmethod
    def _valued(left: Signal, right: Signal, role: Role) -> Signal:
        """A bias on the grid of its accumulator, with the range of its values where they are known."""
        if role is not Role.BIAS or not right.constant or right.format.floating:
            return right
        found = right.matrix.range(left.fraction) if right.matrix is not None else None
        if found is None and right.format == left.format:
            return right._replace(interval=left.interval, fraction=left.fraction)
        return right if found is None else right._replace(interval=found, fraction=left.fraction)

    def multiply(self, left: Signal, right: Signal, *, role: Role) -> Signal:
        if left.constant and not right.constant:
            left, right = right, left
        right = right if right.matrix is None else _on_point(right, right.matrix)
        total = self._product(left, right)
        if right.matrix is None or left.constant:
            self._charge(left.elements, lone_product(left, right, role, total.format))
            return total
        times = share(left.elements, right.matrix.numbers)
        if total.format.floating or not right.matrix.whole:
            self._products(left, right, right.matrix, times, role)
            return total
        self._scaled(left, right, right.matrix, times, role)
        return self._held(left.elements, left, right.matrix.hull(left.interval, single=True), total.fraction, right)

    def requantize(self, x: Signal, format: Format, change: Requantization | None = None) -> Signal:
        stored = self.variable(x.elements, format)
        if change is not None and not x.format.floating:
            self._requantized(x._replace(constant=False, matrix=None), stored, change)
        return stored

    def _requantized(self, x: Signal, stored: Signal, change: Requantization) -> None:
        """Multiplier, shift, rounding, zero point, limits, in this order."""
        value, role = x, Role.REQUANTIZATION
        if change.multiplier:
            known = Matrix.of([change.factor]) if change.factor is not None else None
            factor = self.constant(x.elements, Fixed(bits=MULTIPLIER_BITS, integer=MULTIPLIER_BITS))
            value = self.multiply(value, factor._replace(matrix=known), role=role)
        if change.shift:
            self._charge(x.elements, Op(Kind.SHIFT, role, value.format, stored.format, value.format, True))
        if change.rounds:
            half = self.constant(x.elements, Fixed(bits=1, integer=1, signed=False))._replace(fraction=value.fraction)
            value = self.add(value, half, role=role)
        if change.zero_point:
            self.add(stored, self.constant(x.elements, stored.format), role=Role.ZERO_POINT)
        ends = x.elements * change.limits
        self._charge(ends, Op(Kind.COMPARE, role, value.format, stored.format, stored.format, True))

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        role = Role.ZERO_POINT
        self._charge(products, Op(Kind.MULTIPLY, role, format, format, format, True))
        self._charge(subtractions, Op(Kind.SUBTRACT, role, format, format, format))

    def _product(self, left: Signal, right: Signal) -> Signal:
        corners = [a * b for a in left.interval for b in right.interval]
        return self._held(left.elements, left, (min(corners), max(corners)), left.fraction + right.fraction, right)

    def magnitude(self, x: Signal) -> Signal:
        # A kernel turns over the bits of a negative number: -v - 1, which `signed` turns back.
        low, high = x.interval
        return x._replace(interval=(low, max(high, -low - 1)))

    def signed(self, x: Signal, like: Signal) -> Signal:
        reach = max(x.interval[1], -x.interval[0] - 1)
        return x._replace(interval=(-reach - 1, reach))

    def _held(
        self, elements: Size, like: Signal, interval: Interval, fraction: int, other: Signal | None = None
    ) -> Signal:
        wide = widest(like.format, other.format) if other else like.format
        if wide.floating:
            return Signal(elements, wide)
        width = max(-interval[0] - 1, interval[1], 0).bit_length() + 1
        if self._width is not None and width > self._width:
            # A declared accumulator wraps: nothing in it is wider.
            width, interval = self._width, (-(1 << (self._width - 1)), (1 << (self._width - 1)) - 1)
        return Signal(elements, Fixed(bits=width, integer=width - fraction), interval=interval, fraction=fraction)


def _on_point(weight: Signal, matrix: Matrix) -> Signal:
    """A constant with the binary point its numbers have, where they were rounded to a format."""
    return weight if matrix.fraction is None else weight._replace(fraction=matrix.fraction)


def _rows(products: Size, outputs: Size) -> Iterator[tuple[int, int]]:
    """Products spread over rows as evenly as whole numbers allow: (terms of a row, rows)."""
    total, rows = whole(products), whole(outputs)
    each, longer = divmod(total, rows)
    yield each, rows - longer
    if longer:
        yield each + 1, longer


def _tree(terms: int) -> Iterator[tuple[int, int, int]]:
    """The additions of a balanced tree over equal terms: (terms on the left, on the right, how many such nodes)."""
    full, size, last = terms, 1, 0
    while full + bool(last) > 1:
        pairs, odd = divmod(full, 2)
        if pairs:
            yield size, size, pairs
        if odd and last:
            yield size, last, 1
            last += size
        elif odd:
            last = size
        full, size = pairs, 2 * size
