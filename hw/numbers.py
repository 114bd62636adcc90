"""The equations of a layer as plain matrices of integers: no wires, no trees, no digits.

It shares the text of the equations with the kernel and nothing else: products are numpy's, activations are evaluated in
double precision and rounded once. A kernel whose wiring, widths or digits are wrong gives other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from math import ceil, floor

import numpy as np
from nncomplexity.arithmetic import Places
from nncomplexity.errors import quoted
from nncomplexity.expressions import Size
from nncomplexity.formats import Accumulation, Format
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Role
from nncomplexity.requantization import Requantization

from .building import Kernel
from .bundles import UnsupportedLayer
from .fixed import FixedPoint, Overflow, Rounding, quantise
from .kernels import whole
from .plain import FUNCTIONS, evaluated, member_values, straight
from .words import Array

__all__ = ["Numbers", "execute"]

# Sums of such products are exact in 64-bit words.
EXACT = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vector:
    """values: [samples, elements], one sample where it is that of all, in units of 2**-fraction. joining: a bias in
    units of the sum it joins. format: what they are stored in. number: what mathematics says all of them are."""

    values: Array
    fraction: int
    joining: bool = False
    format: Format | None = None
    number: Fraction | None = None

    @property
    def elements(self) -> int:
        """How many numbers a sample has."""
        return int(self.values.shape[1])


class Numbers:
    """One execution on integers.

    inputs: what moves, by port; what nothing reads has none. known: weights by name, `joining` where biases are in
    units of the sums they join. operands: what the table of each look-up sees, in order, None of straight pieces.
    states: by order, zeros at first; `following` is what they become. outputs: what no verb reads, and what the states
    become before it is stored.
    Raises: UnsupportedLayer for what no kernel has.
    """

    def __init__(
        self,
        inputs: Mapping[str, Array],
        known: Mapping[str, Sequence[int]],
        *,
        joining: bool,
        operands: Sequence[FixedPoint | None],
        states: Sequence[Array] = (),
        rounding: Rounding = Rounding.TRN,
        overflow: Overflow = Overflow.WRAP,
    ) -> None:
        self._inputs, self._known, self._joining, self._places = inputs, known, joining, count()
        self._operands, self._states = iter(operands), list(states)
        self._rounding, self._overflow = rounding, overflow
        self._begun: dict[int, tuple[int, Format]] = {}
        self._kept: dict[int, Vector] = {}
        self._unread: dict[int, Vector] = {}
        # An identity is told apart by its id as long as it lives.
        self._alive: list[Vector] = []

    @property
    def outputs(self) -> list[Array]:
        """What leaves the kernel, in order."""
        return [each.values for each in (*self._unread.values(), *(self._kept[place] for place in sorted(self._kept)))]

    @property
    def following(self) -> list[Array]:
        """What the states become, in order."""
        formats = dict(self._begun.values())
        return [self._stored(self._kept[place], formats[place]).values for place in sorted(self._kept)]

    def variable(self, elements: Size, format: Format, name: str = "") -> Vector:
        return Vector(values=self._entered(elements), fraction=_fraction(format), format=format)

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Vector:
        fraction, joining = _fraction(format), False
        if value is not None:
            low, high = format.interval
            nearest = min(max(floor(value * Fraction(2) ** fraction + Fraction(1, 2)), low), high)
            values = [nearest] * whole(elements)
        elif name in self._known or not whole(elements):
            values, joining = list(self._known.get(name, ())), self._joining
        else:
            raise UnsupportedLayer(f"a constant {quoted(name) or 'without a name'} has no numbers")
        held = _smallest(np.array([values], object))
        return Vector(values=held, fraction=fraction, joining=joining, format=format, number=value)

    def state(self, elements: Size, format: Format, name: str = "") -> Vector:
        place, _ = len(self._begun), next(self._places)
        values = self._states[place] if self._states else np.zeros((1, whole(elements)), np.int64)
        found = Vector(values=values, fraction=_fraction(format), format=format)
        self._begun[id(found)] = place, format
        self._alive.append(found)
        return found

    def keep(self, state: Vector, value: Vector) -> None:
        self._read(value)
        self._kept[self._begun[id(state)][0]] = value

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Vector:
        return Vector(values=self._entered(elements), fraction=_fraction(sum.left) + _fraction(sum.right))

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        return None

    def dot(
        self,
        x: Vector,
        weight: Vector,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
        row: Size | None = None,
    ) -> Vector:
        self._read(x, weight)
        columns, rows = whole(terms if row is None else row), whole(outputs)
        one, other = _small([x.values, weight.values], columns)
        matrix = other.reshape(len(other), rows, columns)
        if one.shape[1] == columns and len(matrix) == 1:
            values = one @ matrix[0].T
        else:
            vector = one[:, None, :] if one.shape[1] == columns else one.reshape(len(one), rows, columns)
            values = (vector * matrix).sum(axis=2)
        return self._result(Vector(values=_smallest(values), fraction=x.fraction + weight.fraction))

    def sum(self, x: Vector, *, terms: Size, outputs: Size, role: Role) -> Vector:
        self._read(x)
        (values,) = _small([x.values], whole(terms))
        values = values.reshape(len(values), whole(outputs), whole(terms)).sum(axis=2)
        return self._result(Vector(values=values, fraction=x.fraction))

    def add(self, left: Vector, right: Vector, *, role: Role) -> Vector:
        return self._combined(left, right, role, 1)

    def subtract(self, left: Vector, right: Vector, *, role: Role) -> Vector:
        return self._combined(left, right, role, -1)

    def multiply(self, left: Vector, right: Vector, *, role: Role) -> Vector:
        self._read(left, right)
        one, other = _small([left.values, right.values], 1)
        return self._result(Vector(values=one * other, fraction=left.fraction + right.fraction))

    def compare(
        self, left: Vector, right: Vector, *, role: Role, kept: str = "", chosen: tuple[Vector, Vector] | None = None
    ) -> Vector:
        self._read(left, right, *(chosen or ()))
        if chosen is not None:
            return self._result(_either(_reaches(left, right), *chosen))
        if right.number is not None and right.format is not None:
            bound = _bound(right.number, left.fraction, right.format)
            values = (np.minimum if kept == "lesser" else np.maximum)(left.values, bound)
            return self._result(replace(left, values=values))
        fraction = max(left.fraction, right.fraction)
        choose = np.minimum if kept == "lesser" else np.maximum
        values = choose(_at(left, fraction), _at(right, fraction))
        return self._result(replace(left, values=values, fraction=fraction, number=None))

    def greatest(self, x: Vector, *, terms: Size, outputs: Size, role: Role, kept: str = "greater") -> Vector:
        self._read(x)
        grouped = x.values.reshape(len(x.values), whole(outputs), whole(terms))
        return self._result(replace(x, values=grouped.max(axis=2) if kept == "greater" else grouped.min(axis=2)))

    def lookup(
        self,
        x: Vector,
        function: str,
        *,
        result: Format | None = None,
        role: Role = Role.ACTIVATION,
        members: Callable[[], Sequence[tuple[int, ...]]] | None = None,
    ) -> Vector:
        held = result or x.format
        if held is None or not (members or function in FUNCTIONS):
            raise UnsupportedLayer(f"{function} has no plain numbers")
        self._read(x)
        operand, stored = next(self._operands), FixedPoint.of(held, self._rounding, self._overflow)
        if operand is None:
            values = straight(function, x.values, x.fraction, stored)
        else:
            seen = quantise(x.values, x.fraction, operand)
            family = members() if members else ()
            values = (
                _through(function, family, seen, operand, stored)
                if family
                else evaluated(function, seen, operand, stored)
            )
        return self._result(Vector(values=_smallest(values), fraction=stored.fraction, format=held))

    def broadcast(self, x: Vector, elements: Size) -> Vector:
        self._read(x)
        repeated = whole(elements) // max(1, x.values.shape[1])
        return self._result(replace(x, values=np.repeat(x.values, repeated, axis=1)))

    def arrange(self, parts: Sequence[Vector], elements: Size, places: Places) -> Vector:
        self._read(*parts)
        samples = max(len(part.values) for part in parts)
        aligned = [_at(part, parts[0].fraction) for part in parts]
        together = np.concatenate([np.broadcast_to(each, (samples, each.shape[1])) for each in aligned], axis=1)
        first = parts[0]
        return self._result(Vector(values=together[:, list(places())], fraction=first.fraction, format=first.format))

    def piece(self, memory: Vector, x: Vector, elements: Size, *, pieces: Size) -> Vector:
        self._read(memory, x)
        operand, parts = next(self._operands), whole(pieces)
        assert operand is not None
        if parts == 1:
            return self._result(replace(memory))
        total, kept = memory.values.shape[1], whole(elements)
        rows = (total - kept) // (parts - 1)
        seen = quantise(x.values, x.fraction, operand)
        piece = (seen - operand.interval[0]) * parts >> operand.bits
        places = np.tile(piece, (1, rows // piece.shape[1]))[:, :, None] + np.arange(kept // rows)
        table = memory.values.reshape(len(memory.values), rows, total // rows)
        table = np.broadcast_to(table, (len(places), *table.shape[1:]))
        values = np.take_along_axis(table, places.astype(np.int64), axis=2).reshape(len(places), kept)
        return self._result(replace(memory, values=values, joining=False))

    def magnitude(self, x: Vector) -> Vector:
        self._read(x)
        return self._result(replace(x, values=np.abs(x.values)))

    def signed(self, x: Vector, like: Vector) -> Vector:
        self._read(x, like)
        return self._result(replace(x, values=np.where(like.values < 0, -x.values, x.values)))

    def requantize(self, x: Vector, format: Format, change: Requantization | None = None) -> Vector:
        self._read(x)
        return self._result(self._stored(x, format))

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        raise UnsupportedLayer("its zero points are taken off outside the equations")

    def _entered(self, elements: Size) -> Array:
        """What stands on the next port."""
        port = f"x{next(self._places)}"
        return self._inputs[port] if port in self._inputs else np.zeros((1, whole(elements)), np.int64)

    def _stored(self, x: Vector, format: Format) -> Vector:
        fixed = FixedPoint.of(format, self._rounding, self._overflow)
        return Vector(values=quantise(x.values, x.fraction, fixed), fraction=fixed.fraction, format=format)

    def _combined(self, left: Vector, right: Vector, role: Role, sign: int) -> Vector:
        self._read(left, right)
        if role is Role.BIAS and right.joining:
            right = replace(right, fraction=left.fraction)
        fraction = max(left.fraction, right.fraction)
        one, other = _at(left, fraction), _at(right, fraction)
        return self._result(Vector(values=one + other if sign > 0 else one - other, fraction=fraction))

    def _read(self, *operands: Vector) -> None:
        for operand in operands:
            self._unread.pop(id(operand), None)

    def _result(self, vector: Vector) -> Vector:
        self._unread[id(vector)] = vector
        self._alive.append(vector)
        return vector


def _either(condition: Array, above: Vector, below: Vector) -> Vector:
    """One of two values, of the finer binary point."""
    fraction = max(above.fraction, below.fraction)
    return Vector(values=np.where(condition, _at(above, fraction), _at(below, fraction)), fraction=fraction)


def _reaches(left: Vector, right: Vector) -> Array:
    """Whether left >= right, of a number that mathematics says exactly."""
    if right.number is not None:
        return np.asarray(left.values >= ceil(right.number * Fraction(2) ** left.fraction))
    fraction = max(left.fraction, right.fraction)
    return np.asarray(_at(left, fraction) >= _at(right, fraction))


def _bound(number: Fraction, fraction: int, format: Format) -> int:
    """A number in units of 2**-fraction, halves up, no further than its own format reaches."""
    low, high = (floor(end * Fraction(2) ** (fraction - _fraction(format))) for end in format.interval)
    return min(max(floor(number * Fraction(2) ** fraction + Fraction(1, 2)), low), high)


def _through(
    function: str, family: Sequence[tuple[int, ...]], seen: Array, operand: FixedPoint, result: FixedPoint
) -> Array:
    """Each element through its function of a family, at the nearest number of the result, halves up."""
    (low, high), unit, columns = result.interval, Fraction(2) ** result.fraction, []
    for at in range(seen.shape[1]):
        member = family[at % len(family)]
        numbers, places = np.unique(seen[:, at], return_inverse=True)
        exact = (Fraction(member_values(function, int(each), operand, member)) for each in numbers)
        found = [min(max(floor(each * unit + Fraction(1, 2)), low), high) for each in exact]
        columns.append(np.array(found, object)[places.reshape(-1)])
    return np.stack(columns, axis=1)


def _fraction(format: Format) -> int:
    return format.fraction if isinstance(format.fraction, int) else 0


def _at(vector: Vector, fraction: int) -> Array:
    """The numbers in units of 2**-fraction, no coarser than theirs."""
    shift = fraction - vector.fraction
    values = _small([vector.values], 1 << shift + 1)[0]
    return values * (1 << shift)


def _small(operands: Sequence[Array], terms: int) -> list[Array]:
    """Operands as Python integers where sums of so many of their products leave 64-bit words."""
    reach = max(terms, 1)
    for each in operands:
        reach *= max(1, *(abs(int(end)) for end in (each.min(), each.max()))) if each.size else 1
    return [each.astype(np.int64 if reach < EXACT else object) for each in operands]


def _smallest(values: Array) -> Array:
    return _small([values], 1)[0]


def execute(
    layer: Layer,
    kernel: Kernel,
    inputs: Mapping[str, Sequence[Array]],
    known: Mapping[str, Sequence[int]],
    *,
    joining: bool,
) -> list[dict[str, Array]]:
    """The outputs of every step, by the kernel's names, from zero states.

    inputs: of each port that moves its integers [samples, elements] at each step. The kernel says what its tables see
    and how it stores; all else is the layer's.
    """
    found, states = list[dict[str, Array]](), list[Array]()
    for step in range(len(next(iter(inputs.values())))):
        numbers = Numbers(
            {port: values[step] for port, values in inputs.items()},
            known,
            joining=joining,
            operands=kernel.tabled,
            states=states,
            rounding=kernel.rounding,
            overflow=kernel.overflow,
        )
        layer.equations(numbers)
        states = numbers.following
        found.append({f"y{number}": values for number, values in enumerate(numbers.outputs)})
    return found
