"""Small integer networks executed product by product in Python integers: what happens is counted as it happens.

A wire carries the values of several runs at once and knows what it may hold; every operation on wires is entered in
the tally of the machine that does it, and every value is checked against the width that was entered for it. Nothing
here is taken from the package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["Machine", "Wire", "accumulator", "bits_of", "convolved", "multiplied", "power", "signed_digits", "spread"]

Row = Sequence[int]


def bits_of(low: int, high: int) -> int:
    """Bits of the smallest two's complement that holds an interval, by trying."""
    bits = 1
    while low < -(2 ** (bits - 1)) or high > 2 ** (bits - 1) - 1:
        bits += 1
    return bits


def accumulator(terms: int, weight: int, x: int) -> int:
    """Bits of a sum of products in the published forms: b_w + b_i + ceil(log2 n), by trying."""
    grown = 0
    while 2**grown < terms:
        grown += 1
    return weight + x + grown


def power(weight: int) -> bool:
    """Whether a weight is +-2**k, by halving."""
    weight = abs(weight)
    while weight > 1 and weight % 2 == 0:
        weight //= 2
    return weight == 1


def signed_digits(weight: int) -> list[tuple[int, int]]:
    """(exponent, +1 or -1) of the canonical form: an odd rest takes the digit that leaves a multiple of 4."""
    found, exponent = [], 0
    while weight != 0:
        if weight % 2 == 1:
            digit = 1 if weight % 4 == 1 else -1
            found.append((exponent, digit))
            weight -= digit
        weight //= 2
        exponent += 1
    return found


@dataclass(frozen=True, slots=True)
class Wire:
    """What a bundle of wires carries in each run.

    low, high: the exact interval of what is held. zeros: how many low bits are constantly zero. opposite: it stands for
    the negation of what it holds.
    """

    values: tuple[int, ...]
    low: int
    high: int
    zeros: int = 0
    opposite: bool = False

    @property
    def width(self) -> int:
        """Bits; one that is negated later must hold both signs."""
        return bits_of(min(self.low, -self.high), max(self.high, -self.low)) if self.opposite else bits_of(*self.ends)

    @property
    def ends(self) -> tuple[int, int]:
        """The interval of what is held."""
        return self.low, self.high

    def checked(self) -> Wire:
        """Itself, if the values of all runs are what it may hold."""
        for value in self.values:
            assert self.low <= value <= self.high, (value, self)
            assert value % 2**self.zeros == 0, (value, self)
            for held in (value, -value) if self.opposite else (value,):
                assert -(2 ** (self.width - 1)) <= held < 2 ** (self.width - 1), (held, self)
        return self


@dataclass
class Machine:
    """Executes, and enters what it does.

    shifting: known weights are signed digits that are shifted and added, in place of products.
    products: real ones, shift products (+-2**k) and skipped ones (0). additions: (subtraction, width, passed low bits)
    to how many. biases: widths of bias adders. shifts: digits of exponent 1 or more. digits: all digits. used: outputs
    that have a term. outputs: all.
    """

    shifting: bool = False
    products: Counter[str] = field(default_factory=Counter)
    additions: Counter[tuple[bool, int, int]] = field(default_factory=Counter)
    negations: Counter[int] = field(default_factory=Counter)
    biases: Counter[int] = field(default_factory=Counter)
    shifts: int = 0
    digits: int = 0
    used: int = 0
    outputs: int = 0

    def scaled(self, x: Wire, weight: int) -> Iterator[Wire]:
        """The terms that a product gives: itself, its digits, or nothing."""
        if not self.shifting:
            kind = "skipped" if weight == 0 else "shift" if power(weight) else "real"
            self.products[kind] += 1
            if weight:
                ends = weight * x.low, weight * x.high
                yield Wire(tuple(weight * value for value in x.values), min(ends), max(ends)).checked()
            return
        for exponent, sign in signed_digits(weight):
            self.digits += 1
            self.shifts += exponent > 0
            factor = 2**exponent
            values = tuple(factor * value for value in x.values)
            yield Wire(values, factor * x.low, factor * x.high, exponent, sign < 0).checked()

    def added(self, a: Wire, b: Wire) -> Wire:
        """One adder, or subtractor where the two stand for opposite signs."""
        if a.opposite == b.opposite:
            values = tuple(x + y for x, y in zip(a.values, b.values, strict=True))
            found = Wire(values, a.low + b.low, a.high + b.high, min(a.zeros, b.zeros), a.opposite)
        else:
            plus, minus = (b, a) if a.opposite else (a, b)
            values = tuple(x - y for x, y in zip(plus.values, minus.values, strict=True))
            found = Wire(values, plus.low - minus.high, plus.high - minus.low, min(a.zeros, b.zeros))
        # Where one operand is constantly zero a bit needs no full adder.
        passed = min(max(a.zeros, b.zeros), found.width)
        self.additions[a.opposite != b.opposite, found.width, passed] += 1
        return found.checked()

    def summed(self, wires: Sequence[Wire], runs: int) -> Wire:
        """A balanced tree: adjacent pairs, the odd last one passed up, until one is left."""
        self.outputs += 1
        level = list(wires)
        self.used += bool(level)
        while len(level) > 1:
            above = []
            for place in range(0, len(level) - 1, 2):
                above.append(self.added(level[place], level[place + 1]))
            if len(level) % 2:
                above.append(level[-1])
            level = above
        root = level[0] if level else Wire((0,) * runs, 0, 0)
        if not root.opposite:
            return root
        self.negations[root.width] += 1
        return Wire(tuple(-value for value in root.values), -root.high, -root.low).checked()

    def dot(self, weights: Row, xs: Sequence[Wire]) -> Wire:
        """One output value."""
        terms = [term for weight, x in zip(weights, xs, strict=True) for term in self.scaled(x, weight)]
        root = self.summed(terms, len(xs[0].values))
        # The digits of a weight move together: the sum reaches no further than the products do.
        ends = [sorted((weight * x.low, weight * x.high)) for weight, x in zip(weights, xs, strict=True)]
        return replace(root, low=sum(low for low, _ in ends), high=sum(high for _, high in ends)).checked()

    def biased(self, roots: Sequence[Wire], biases: Row) -> list[Wire]:
        """A bias for every output, through one kind of adder that serves them all."""
        low = min(root.low for root in roots) + min(biases)
        high = max(root.high for root in roots) + max(biases)
        found = []
        for root, bias in zip(roots, biases, strict=True):
            self.biases[bits_of(low, high)] += 1
            found.append(Wire(tuple(value + bias for value in root.values), low, high).checked())
        return found

    @property
    def tree_additions(self) -> int:
        """Additions and subtractions between terms."""
        return sum(self.additions.values())

    @property
    def bias_additions(self) -> int:
        """Additions of biases."""
        return sum(self.biases.values())

    @property
    def result_bits(self) -> int:
        """Widths of all additions, biases among them."""
        return sum(width * times for (_, width, _), times in self.additions.items()) + self._bias_bits

    @property
    def full_adders(self) -> int:
        """Full-adder bits of all additions, biases among them."""
        return self._bias_bits + sum((width - passed) * times for (_, width, passed), times in self.additions.items())

    @property
    def _bias_bits(self) -> int:
        return sum(width * times for width, times in self.biases.items())


def multiplied(
    machine: Machine, weights: Sequence[Row], inputs: Sequence[Sequence[Wire]], biases: Row | None = None
) -> list[list[Wire]]:
    """weights [outputs][terms] by every vector of inputs [vectors][terms]: [vectors][outputs]."""
    found = []
    for vector in inputs:
        roots = [machine.dot(row, vector) for row in weights]
        found.append(roots if biases is None else machine.biased(roots, biases))
    return found


def convolved(
    machine: Machine,
    weights: Sequence[Sequence[Sequence[Row]]],
    image: Sequence[Sequence[Sequence[Wire]]],
    zero: Wire,
    *,
    groups: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    biases: Row | None = None,
) -> list[list[list[Wire]]]:
    """A convolution of an image [channels][height][width] with filters [filters][channels of a group][kh][kw].

    pads: top, left, bottom, right; a tap that meets padding is computed, its input is `zero`. Gives [y][x][filters].
    """
    height, width = len(image[0]), len(image[0][0])
    taps = len(weights[0][0]), len(weights[0][0][0])
    tall = height + pads[0] + pads[2] - dilation[0] * (taps[0] - 1)
    wide = width + pads[1] + pads[3] - dilation[1] * (taps[1] - 1)
    found = []
    for top in range(-pads[0], tall - pads[0], stride[0]):
        line = []
        for left in range(-pads[1], wide - pads[1], stride[1]):
            roots = []
            for number, filter in enumerate(weights):
                first = number // (len(weights) // groups) * len(filter)
                factors, window = [], []
                for offset, plane in enumerate(filter):
                    for i, row in enumerate(plane):
                        for j, weight in enumerate(row):
                            y, x = top + i * dilation[0], left + j * dilation[1]
                            inside = 0 <= y < height and 0 <= x < width
                            factors.append(weight)
                            window.append(image[first + offset][y][x] if inside else zero)
                roots.append(machine.dot(factors, window))
            line.append(roots if biases is None else machine.biased(roots, biases))
        found.append(line)
    return found


def spread(
    machine: Machine, weights: Sequence[Sequence[Row]], line: Sequence[Sequence[Wire]], *, groups: int, stride: int
) -> list[list[int]]:
    """A transposed convolution of a line [channels][length] by weights [channels][filters of a group][taps].

    Only products are entered: every input value by every tap, before anything is cropped. Gives the values of the first
    run, [filters][length].
    """
    length, each, taps = len(line[0]), len(weights[0]), len(weights[0][0])
    found = [[0] * ((length - 1) * stride + taps) for _ in range(each * groups)]
    for channel, (filters, signal) in enumerate(zip(weights, line, strict=True)):
        group = channel // (len(weights) // groups)
        for place, x in enumerate(signal):
            for offset, row in enumerate(filters):
                for tap, weight in enumerate(row):
                    for product in machine.scaled(x, weight):
                        found[group * each + offset][place * stride + tap] += product.values[0]
    return found
