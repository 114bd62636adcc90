"""The equations of a layer as plain matrices of integers: no wires, no trees, no digits.

It shares the text of the equations with the kernel and nothing else: products are numpy's, activations are evaluated in
double precision and rounded once. A kernel whose wiring, widths or digits are wrong gives other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

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
from .words import Array

__all__ = ["Numbers", "execute"]

# Sums of such products are exact in 64-bit words.
EXACT = 1 << 62
FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "tanh": np.tanh,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vector:
    """values: [samples, elements], one sample where it is that of all, in units of 2**-fraction. joining: a bias in
    units of the sum it joins."""

    values: Array
    fraction: int
    joining: bool = False


class Numbers:
    """One execution on integers.

    inputs: what moves, in the order of the equations. known: weights by name, `joining` where biases are in units of
    the sums they join. operands: what the tables of each look-up see, in order. states: by order, zeros at first;
    `following` is what they become. outputs: what no verb reads, and what the states become before it is stored.
    Raises: UnsupportedLayer for what no kernel has.
    """

    def __init__(
        self,
        inputs: Sequence[Array],
        known: Mapping[str, Sequence[int]],
        *,
        joining: bool,
        operands: Sequence[FixedPoint],
        states: Sequence[Array] = (),
        rounding: Rounding = Rounding.TRN,
        overflow: Overflow = Overflow.WRAP,
    ) -> None:
        self._inputs, self._known, self._joining = iter(inputs), known, joining
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
        values = next(self._inputs) if whole(elements) else np.zeros((1, 0), np.int64)
        return Vector(values=values, fraction=_fraction(format))

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Vector:
        fraction, joining = _fraction(format), False
        if value is not None:
            low, high = format.interval
            nearest = min(max(round(value * Fraction(2) ** fraction), low), high)
            values = [nearest] * whole(elements)
        elif name in self._known:
            values, joining = list(self._known[name]), self._joining
        else:
            raise UnsupportedLayer(f"a constant {quoted(name) or 'without a name'} has no numbers")
        return Vector(values=_smallest(np.array([values], object)), fraction=fraction, joining=joining)

    def state(self, elements: Size, format: Format, name: str = "") -> Vector:
        place = len(self._begun)
        values = self._states[place] if self._states else np.zeros((1, whole(elements)), np.int64)
        found = Vector(values=values, fraction=_fraction(format))
        self._begun[id(found)] = place, format
        self._alive.append(found)
        return found

    def keep(self, state: Vector, value: Vector) -> None:
        self._read(value)
        self._kept[self._begun[id(state)][0]] = value

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Vector:
        raise UnsupportedLayer("its sums are made elsewhere")

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
        return self._result(replace(x, values=values.reshape(len(values), whole(outputs), whole(terms)).sum(axis=2)))

    def add(self, left: Vector, right: Vector, *, role: Role) -> Vector:
        return self._combined(left, right, role, 1)

    def subtract(self, left: Vector, right: Vector, *, role: Role) -> Vector:
        return self._combined(left, right, role, -1)

    def multiply(self, left: Vector, right: Vector, *, role: Role) -> Vector:
        self._read(left, right)
        one, other = _small([left.values, right.values], 1)
        return self._result(Vector(values=one * other, fraction=left.fraction + right.fraction))

    def compare(self, left: Vector, right: Vector, *, role: Role, kept: str = "") -> Vector:
        self._read(left, right)
        fraction = max(left.fraction, right.fraction)
        choose = np.minimum if kept == "lesser" else np.maximum
        return self._result(Vector(values=choose(_at(left, fraction), _at(right, fraction)), fraction=fraction))

    def greatest(self, x: Vector, *, terms: Size, outputs: Size, role: Role) -> Vector:
        self._read(x)
        grouped = x.values.reshape(len(x.values), whole(outputs), whole(terms))
        return self._result(replace(x, values=grouped.max(axis=2)))

    def lookup(self, x: Vector, function: str, *, result: Format | None = None, role: Role = Role.ACTIVATION) -> Vector:
        if result is None or function not in FUNCTIONS:
            raise UnsupportedLayer(f"{function} has no plain numbers")
        self._read(x)
        operand, stored = next(self._operands), FixedPoint.of(result)
        seen = quantise(x.values, x.fraction, operand).astype(np.float64) * 2.0**-operand.fraction
        low, high = stored.interval
        nearest = np.floor(FUNCTIONS[function](seen) * 2.0**stored.fraction + 0.5)
        return self._result(Vector(values=np.clip(nearest, low, high).astype(np.int64), fraction=stored.fraction))

    def broadcast(self, x: Vector, elements: Size) -> Vector:
        self._read(x)
        repeated = whole(elements) // max(1, x.values.shape[1])
        return self._result(replace(x, values=np.repeat(x.values, repeated, axis=1)))

    def arrange(self, parts: Sequence[Vector], elements: Size, places: Places) -> Vector:
        self._read(*parts)
        samples = max(len(part.values) for part in parts)
        aligned = [_at(part, parts[0].fraction) for part in parts]
        together = np.concatenate([np.broadcast_to(each, (samples, each.shape[1])) for each in aligned], axis=1)
        return self._result(Vector(values=together[:, list(places())], fraction=parts[0].fraction))

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

    def _stored(self, x: Vector, format: Format) -> Vector:
        fixed = FixedPoint.of(format, self._rounding, self._overflow)
        return Vector(values=quantise(x.values, x.fraction, fixed), fraction=fixed.fraction)

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
            [values[step] for values in inputs.values()],
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
