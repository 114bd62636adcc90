"""How far a kernel may be from real numbers: an interpreter that encloses what every wire can hold.

Beside the real value of each number of the equations stand the least and the greatest that the kernel can have there,
from the same inputs and the same integers as weights.

Equation: a sum or product of enclosed numbers lies between the ends of its enclosures (interval arithmetic, Moore 1966,
chapter 2). What is stored is rounded and limited, both monotone: the ends become those of the stored number; one that
may wrap is anywhere in its format. A table holds f of its operand, itself rounded to the operand's format and held
between its ends, to the nearest step of the result: f increases, so f at the ends of the operand and half a step more
enclose it. The bound of a result is the greater distance of its ends from its real value. Without tables and
quantisers, and below 2**53, the ends are the value: the bound is 0. Elsewhere 2**-40 is added for the rounding of the
floats that are compared, a thousand times what sums of some thousand terms lose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from nncomplexity.arithmetic import Places
from nncomplexity.expressions import Size
from nncomplexity.formats import Accumulation, Format
from nncomplexity.ops import Role
from nncomplexity.requantization import Requantization

from .bundles import UnsupportedLayer
from .fixed import FixedPoint, Overflow, Rounding
from .kernels import whole

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["EXACT", "SLACK", "Enclosed", "Enclosures"]

SLACK = 2.0**-40
EXACT = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enclosed:
    """Real values [samples, elements], or [1, elements] for all samples, and the ends of what the kernel has.

    fraction: bits behind the kernel's binary point. constant: known before the run. name, integers: those of a constant
    that the kernel holds; a bias counts steps of the sum it joins.
    """

    value: Array
    low: Array
    high: Array
    fraction: int
    constant: bool = False
    name: str = ""
    integers: Array | None = None

    @classmethod
    def of(cls, integers: Array, fraction: int, **more: Any) -> Enclosed:
        """Numbers that the kernel has exactly."""
        import numpy as np

        real = np.atleast_2d(np.asarray(integers, np.float64)) * 2.0**-fraction
        return cls(value=real, low=real, high=real, fraction=fraction, **more)

    @property
    def elements(self) -> int:
        """How many numbers a sample has."""
        return int(self.value.shape[1])

    @property
    def bound(self) -> Array:
        """How far the kernel's numbers may be from the real ones."""
        import numpy as np

        found: Array = np.maximum(self.high - self.value, self.value - self.low)
        return found


class Enclosures:
    """One execution of equations. moving: variables and states, in the order in which the equations name them.

    known: integers of constants by name; those that are no `ports` are held by the kernel. operands: what the table of
    each look-up sees, in order, None of straight pieces. modes: rounding and overflow of what is stored. reals: what
    constants with a name were taken as. following: what the states become, in their order; outputs: what leaves the
    kernel.
    Raises: UnsupportedLayer where the equations leave open what a number is.
    """

    def __init__(
        self,
        moving: Sequence[Enclosed],
        known: Mapping[str, Sequence[int]],
        *,
        ports: Collection[str],
        operands: Sequence[FixedPoint | None],
        modes: tuple[Rounding, Overflow],
    ) -> None:
        self.reals: dict[str, Array] = {}
        self._moving, self._known, self._ports = list(moving), known, ports
        self._operands, self._modes = iter(operands), modes
        self._unread: dict[int, Enclosed] = {}
        self._states: dict[int, tuple[Enclosed, Format]] = {}
        self._kept: dict[int, Enclosed] = {}

    @property
    def outputs(self) -> list[Enclosed]:
        """What no verb read, then what the states become, before it is stored."""
        return [*self._unread.values(), *(self._kept[key] for key in self._states)]

    @property
    def following(self) -> list[Enclosed]:
        """The states of the next step, in the order of the equations."""
        formats = {key: FixedPoint.of(format, *self._modes) for key, (_, format) in self._states.items()}
        return [_stored(self._kept[key], format) for key, format in formats.items()]

    def variable(self, elements: Size, format: Format, name: str = "") -> Enclosed:
        return self._moving.pop(0)

    def state(self, elements: Size, format: Format, name: str = "") -> Enclosed:
        found = self._moving.pop(0)
        self._states[id(found)] = found, format
        return found

    def keep(self, state: Enclosed, value: Enclosed) -> None:
        self._read(value)
        self._kept[id(state)] = value

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Enclosed:
        import numpy as np

        point = format.fraction if isinstance(format.fraction, int) else 0
        if value is not None and not name:
            low, high = format.interval
            nearest = min(max(round(value * Fraction(2) ** point), low), high)
            found = Enclosed.of(np.full(whole(elements), nearest), point, constant=True)
            return replace(found, value=np.full_like(found.value, float(value)))
        if name not in self._known:
            raise UnsupportedLayer("the equations give a constant no name")
        integers = np.array(self._known[name], object)
        found = Enclosed.of(integers, point, constant=True, name=name)
        self.reals[name] = found.value
        return found if name in self._ports else replace(found, integers=integers)

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Enclosed:
        raise UnsupportedLayer("its sums are made elsewhere")

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        return None

    def dot(
        self,
        x: Enclosed,
        weight: Enclosed,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
        row: Size | None = None,
    ) -> Enclosed:
        import numpy as np

        columns, rows = whole(terms if row is None else row), whole(outputs)
        if row is None and (products is not None or additions is not None):
            raise UnsupportedLayer("a sparse product does not say which terms a row has")
        if weight.constant and x.value.shape[1] == columns:
            w = weight.value.reshape(rows, columns).T
            up, down = np.maximum(w, 0), np.minimum(w, 0)
            return self._made(
                Enclosed(
                    value=x.value @ w,
                    low=x.low @ up + x.high @ down,
                    high=x.high @ up + x.low @ down,
                    fraction=x.fraction + weight.fraction,
                ),
                x,
                weight,
            )
        every = x if x.value.shape[1] == weight.value.shape[1] else _mapped(x, lambda array: np.tile(array, (1, rows)))
        summed = _mapped(_product(every, weight), lambda array: array.reshape(-1, rows, columns).sum(axis=2))
        return self._made(summed, x, weight)

    def sum(self, x: Enclosed, *, terms: Size, outputs: Size, role: Role) -> Enclosed:
        shape = -1, whole(outputs), whole(terms)
        return self._made(_mapped(x, lambda array: array.reshape(shape).sum(axis=2)), x)

    def add(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        if role is Role.BIAS and right.integers is not None:
            self._read(right)
            right = replace(Enclosed.of(right.integers, left.fraction), name=right.name)
            self.reals[right.name] = right.value
        return self._made(
            Enclosed(
                value=left.value + right.value,
                low=left.low + right.low,
                high=left.high + right.high,
                fraction=max(left.fraction, right.fraction),
            ),
            left,
            right,
        )

    def subtract(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        return self._made(
            Enclosed(
                value=left.value - right.value,
                low=left.low - right.high,
                high=left.high - right.low,
                fraction=max(left.fraction, right.fraction),
            ),
            left,
            right,
        )

    def multiply(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        return self._made(_product(left, right), left, right)

    def compare(
        self,
        left: Enclosed,
        right: Enclosed,
        *,
        role: Role,
        kept: str = "",
        chosen: tuple[Enclosed, Enclosed] | None = None,
    ) -> Enclosed:
        import numpy as np

        if chosen is not None or kept not in ("greater", "lesser"):
            raise UnsupportedLayer("what is chosen is neither the greater nor the lesser of the operands")
        choose = np.maximum if kept == "greater" else np.minimum
        found = Enclosed(
            value=choose(left.value, right.value),
            low=choose(left.low, right.low),
            high=choose(left.high, right.high),
            fraction=left.fraction,
        )
        return self._made(found, left, right)

    def greatest(self, x: Enclosed, *, terms: Size, outputs: Size, role: Role, kept: str = "greater") -> Enclosed:
        import numpy as np

        shape, choose = (-1, whole(outputs), whole(terms)), np.max if kept == "greater" else np.min
        return self._made(_mapped(x, lambda array: choose(array.reshape(shape), axis=2)), x)

    def lookup(
        self,
        x: Enclosed,
        function: str,
        *,
        result: Format | None = None,
        role: Role = Role.ACTIVATION,
        members: Callable[[], Sequence[tuple[int, ...]]] | None = None,
    ) -> Enclosed:
        import numpy as np

        if result is None or function not in INCREASING:
            raise UnsupportedLayer(f"{function} is no increasing function of a known format")
        apply, kept, operand = INCREASING[function], FixedPoint.of(result), next(self._operands)
        seen = x if operand is None else _stored(x, operand)
        least, most = (each * 2.0**-kept.fraction for each in kept.interval)
        half = 2.0 ** -(kept.fraction + 1) + SLACK + (STRAIGHT[function] if operand is None else 0.0)
        return self._made(
            Enclosed(
                value=apply(x.value),
                low=np.clip(apply(seen.low) - half, least, most),
                high=np.clip(apply(seen.high) + half, least, most),
                fraction=kept.fraction,
            ),
            x,
        )

    def broadcast(self, x: Enclosed, elements: Size) -> Enclosed:
        import numpy as np

        times = whole(elements) // max(x.value.shape[1], 1)
        return self._made(_mapped(x, lambda array: np.tile(array, (1, times))), x)

    def arrange(self, parts: Sequence[Enclosed], elements: Size, places: Places) -> Enclosed:
        import numpy as np

        samples, chosen = max(len(part.value) for part in parts), list(places())

        def laid(arrays: Sequence[Array]) -> Array:
            wide = [np.broadcast_to(array, (samples, array.shape[1])) for array in arrays]
            found: Array = np.concatenate(wide, axis=1)[:, chosen]
            return found

        found = Enclosed(
            value=laid([part.value for part in parts]),
            low=laid([part.low for part in parts]),
            high=laid([part.high for part in parts]),
            fraction=parts[0].fraction,
        )
        return self._made(found, *parts)

    def piece(self, memory: Enclosed, x: Enclosed, elements: Size, *, pieces: Size) -> Enclosed:
        raise UnsupportedLayer("a piece of a memory is chosen by what may be on either side of its end")

    def magnitude(self, x: Enclosed) -> Enclosed:
        raise UnsupportedLayer("what becomes of a sign is not followed")

    def signed(self, x: Enclosed, like: Enclosed) -> Enclosed:
        raise UnsupportedLayer("what becomes of a sign is not followed")

    def requantize(self, x: Enclosed, format: Format, change: Requantization | None = None) -> Enclosed:
        if change is not None and not change.nothing:
            raise UnsupportedLayer("it changes the scale of integers")
        return self._made(_stored(x, FixedPoint.of(format, *self._modes)), x)

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        raise UnsupportedLayer("its zero points are taken off outside the equations")

    def _read(self, *operands: Enclosed) -> None:
        for operand in operands:
            self._unread.pop(id(operand), None)

    def _made(self, found: Enclosed, *read: Enclosed) -> Enclosed:
        """A result, and the operands it was made of."""
        self._read(*read)
        self._unread[id(found)] = found
        return found


def _product(left: Enclosed, right: Enclosed) -> Enclosed:
    import numpy as np

    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return Enclosed(
        value=left.value * right.value,
        low=np.minimum.reduce(corners),
        high=np.maximum.reduce(corners),
        fraction=left.fraction + right.fraction,
    )


def _mapped(x: Enclosed, change: Callable[[Array], Array]) -> Enclosed:
    return replace(x, value=change(x.value), low=change(x.low), high=change(x.high))


def _stored(x: Enclosed, format: FixedPoint) -> Enclosed:
    """The ends after rounding and overflow."""
    import numpy as np

    low, high = x.low, x.high
    step = 2.0**-format.fraction
    if x.fraction > format.fraction:
        # Ends are floats: one a hair off a step may fall to either side of it.
        low, high = (
            _rounded((low - SLACK) / step, format.rounding) * step,
            _rounded((high + SLACK) / step, format.rounding) * step,
        )
    least, most = (each * step for each in format.interval)
    if format.overflow is not Overflow.WRAP:
        return replace(x, low=np.clip(low, least, most), high=np.clip(high, least, most), fraction=format.fraction)
    wraps = (low < least) | (high > most)
    return replace(x, low=np.where(wraps, least, low), high=np.where(wraps, most, high), fraction=format.fraction)


def _rounded(steps: Array, rounding: Rounding) -> Array:
    import numpy as np

    if rounding is Rounding.RND_CONV:
        return np.rint(steps)
    return np.floor(steps if rounding is Rounding.TRN else steps + 0.5)


def _sigmoid(x: Array) -> Array:
    import numpy as np

    return np.exp(-np.logaddexp(0.0, -x))


def _softplus(x: Array) -> Array:
    import numpy as np

    return np.logaddexp(0.0, x)


def _tanh(x: Array) -> Array:
    import numpy as np

    return np.tanh(x)


# How far straight pieces are from the function, at most.
STRAIGHT = {"sigmoid": 0.0190, "tanh": 0.0380}
INCREASING: Mapping[str, Callable[[Array], Array]] = {"sigmoid": _sigmoid, "softplus": _softplus, "tanh": _tanh}
