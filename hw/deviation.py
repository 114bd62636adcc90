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
from typing import TYPE_CHECKING

from nncomplexity.expressions import Size
from nncomplexity.formats import Accumulation, Format
from nncomplexity.ops import Role
from nncomplexity.requantization import Requantization

from .bundles import UnsupportedLayer
from .fixed import FixedPoint, Overflow, Rounding
from .kernels import TABLE_OPERAND, whole

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

    fraction: bits behind the kernel's binary point. units: a bias, in steps of the sum it will join.
    """

    value: Array
    low: Array
    high: Array
    fraction: int
    constant: bool = False
    name: str = ""
    units: bool = False

    @classmethod
    def of(cls, integers: Array, fraction: int, **more: Any) -> Enclosed:
        """Numbers that the kernel has exactly."""
        import numpy as np

        real = np.atleast_2d(np.asarray(integers, np.float64)) * 2.0**-fraction
        return cls(value=real, low=real, high=real, fraction=fraction, **more)

    @property
    def bound(self) -> Array:
        """How far the kernel's numbers may be from the real ones."""
        import numpy as np

        found: Array = np.maximum(self.high - self.value, self.value - self.low)
        return found


class Enclosures:
    """One execution of equations. variables: in the order in which the equations name them.

    known: integers of constants by name; those of a bias that is one of the `ports` are numbers of the weight's format,
    else steps of their sum. reals: what the constants were taken as, by name. stored: what was requantized, in order.
    Raises: UnsupportedLayer where the equations leave open what a number is.
    """

    def __init__(
        self,
        variables: Sequence[Enclosed],
        known: Mapping[str, Sequence[int]],
        *,
        ports: Collection[str],
        rectifies: bool,
        rounding: Rounding,
        overflow: Overflow,
    ) -> None:
        self.reals: dict[str, Array] = {}
        self.stored: list[Enclosed] = []
        self.last: Enclosed | None = None
        self._variables, self._known, self._ports = list(variables), known, ports
        self._rectifies, self._rounding, self._overflow = rectifies, rounding, overflow

    def variable(self, elements: Size, format: Format, name: str = "") -> Enclosed:
        return self._variables.pop(0)

    def constant(self, elements: Size, format: Format, name: str = "") -> Enclosed:
        import numpy as np

        values = self._known.get(name)
        if values is None:
            nothing = np.full((1, whole(elements)), np.nan)
            return Enclosed(value=nothing, low=nothing, high=nothing, fraction=0, constant=True, name=name)
        units = name.startswith("bias") and name not in self._ports
        found = Enclosed.of(np.array(values, object), 0 if units else _fraction(format), constant=True, name=name)
        found = replace(found, units=units)
        if name == "one":
            # The kernel has the nearest number that its format holds.
            found = replace(found, value=np.ones_like(found.value))
        self.reals[name] = found.value
        return found

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
    ) -> Enclosed:
        import numpy as np

        columns, rows = whole(terms), whole(outputs)
        if products is not None or additions is not None:
            raise UnsupportedLayer("a sparse product does not say which terms a row has")
        if weight.constant and x.value.shape[1] == columns:
            w = self._sure(weight).value.reshape(rows, columns).T
            up, down = np.maximum(w, 0), np.minimum(w, 0)
            return self._made(
                Enclosed(
                    value=x.value @ w,
                    low=x.low @ up + x.high @ down,
                    high=x.high @ up + x.low @ down,
                    fraction=x.fraction + weight.fraction,
                )
            )
        if x.value.shape[1] == columns:
            x = _mapped(x, lambda array: np.tile(array, (1, rows)))
        return self.sum(self._product(x, weight), terms=terms, outputs=outputs, role=role)

    def sum(self, x: Enclosed, *, terms: Size, outputs: Size, role: Role) -> Enclosed:
        shape = -1, whole(outputs), whole(terms)
        return self._made(_mapped(x, lambda array: array.reshape(shape).sum(axis=2)))

    def add(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        if right.units:
            right = _mapped(right, lambda array: array * 2.0**-left.fraction)
            right = replace(right, fraction=left.fraction)
            self.reals[right.name] = right.value
        left, right = self._sure(left), self._sure(right)
        return self._made(
            Enclosed(
                value=left.value + right.value,
                low=left.low + right.low,
                high=left.high + right.high,
                fraction=max(left.fraction, right.fraction),
            )
        )

    def subtract(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        left, right = self._sure(left), self._sure(right)
        return self._made(
            Enclosed(
                value=left.value - right.value,
                low=left.low - right.high,
                high=left.high - right.low,
                fraction=max(left.fraction, right.fraction),
            )
        )

    def multiply(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        return self._made(self._product(left, right))

    def compare(self, left: Enclosed, right: Enclosed, *, role: Role) -> Enclosed:
        import numpy as np

        if not self._rectifies:
            raise UnsupportedLayer("a comparison keeps one of its operands: the equations do not say which")
        return self._made(_mapped(left, lambda array: np.maximum(array, 0)))

    def greatest(self, x: Enclosed, *, terms: Size, outputs: Size, role: Role) -> Enclosed:
        shape = -1, whole(outputs), whole(terms)
        return self._made(_mapped(x, lambda array: array.reshape(shape).max(axis=2)))

    def lookup(
        self, x: Enclosed, function: str, *, result: Format | None = None, role: Role = Role.ACTIVATION
    ) -> Enclosed:
        import numpy as np

        if result is None or function not in INCREASING:
            raise UnsupportedLayer(f"{function} is no increasing function of a known format")
        apply, kept = INCREASING[function], FixedPoint.of(result)
        # A narrow operand is read as it is, a wide one rounded and limited: either may be.
        wide = _stored(x, TABLE_OPERAND)
        low, high = np.minimum(x.low, wide.low), np.maximum(x.high, wide.high)
        least, most = (each * 2.0**-kept.fraction for each in kept.interval)
        half = 2.0 ** -(kept.fraction + 1) + SLACK
        return self._made(
            Enclosed(
                value=apply(x.value),
                low=np.clip(apply(low) - half, least, most),
                high=np.clip(apply(high) + half, least, most),
                fraction=kept.fraction,
            )
        )

    def broadcast(self, x: Enclosed, elements: Size) -> Enclosed:
        import numpy as np

        times = whole(elements) // max(x.value.shape[1], 1)
        return self._made(_mapped(x, lambda array: np.tile(array, (1, times))))

    def requantize(self, x: Enclosed, format: Format, change: Requantization | None = None) -> Enclosed:
        if change is not None and not change.nothing:
            raise UnsupportedLayer("it changes the scale of integers")
        found = self.kept(x, format)
        self.stored.append(found)
        return self._made(found)

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        raise UnsupportedLayer("its zero points are taken off outside the equations")

    def kept(self, x: Enclosed, format: Format) -> Enclosed:
        """A number as it is stored, its real value as it was."""
        return _stored(self._sure(x), FixedPoint.of(format, self._rounding, self._overflow))

    def _product(self, left: Enclosed, right: Enclosed) -> Enclosed:
        import numpy as np

        left, right = self._sure(left), self._sure(right)
        corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return Enclosed(
            value=left.value * right.value,
            low=np.minimum.reduce(corners),
            high=np.maximum.reduce(corners),
            fraction=left.fraction + right.fraction,
        )

    def _made(self, found: Enclosed) -> Enclosed:
        self.last = found
        return found

    @staticmethod
    def _sure(number: Enclosed) -> Enclosed:
        import numpy as np

        if number.constant and np.isnan(number.value).any():
            raise UnsupportedLayer("the equations give a constant no name")
        return number


def _mapped(x: Enclosed, change: Callable[[Array], Array]) -> Enclosed:
    return replace(x, value=change(x.value), low=change(x.low), high=change(x.high))


def _fraction(format: Format) -> int:
    return format.fraction if isinstance(format.fraction, int) else 0


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


INCREASING: Mapping[str, Callable[[Array], Array]] = {"sigmoid": _sigmoid, "softplus": _softplus, "tanh": _tanh}
