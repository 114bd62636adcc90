"""Stored integers behind Cast and Mul: weights whose scale is an ordinary product.

Cast, Sub a zero point, Mul a scale; or Cast, Mul a scale, Add what the zero point stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...encoding import Encoding
from ...formats import FLOATS, Fixed, integers
from ...operators.rule import Call
from ...shapes import Known, Tensor
from ..numbers import Dequantized, located
from .statement import Statement, as_array, fixed, granularity, known_numbers, on_steps, step_of

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["read"]

CARRIERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16))
# How far a constant added behind the scale may be from a whole number of steps: what float32 leaves of it.
NEAR = 1e-3


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """The integers of a constant, still there behind its scale."""
    x, tensor = call.input(0), outputs[0]
    if not tensor.constant or tensor.known is None:
        return None
    if call.op == "Cast":
        if x.dtype not in CARRIERS or tensor.dtype not in FLOATS or not tensor.known.whole:
            return None
        return Statement(outputs=(on_steps(tensor, x.number, _encoding(call, place, x)),))
    other = call.input(1)
    if call.op == "Add":
        return _moved(call, tensor, (x, other) if isinstance(x.known, Grid) else (other, x), place)
    if call.op == "Sub":
        return _shifted(call, tensor, x, other, place)
    held, scale = (x, other) if _integral(x) else (other, x)
    if call.op == "Div" and held is not x:
        return None
    return _scaled(call, tensor, held, scale, place)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grid:
    """Integers of a constant times, or by, the numbers of another; less a zero point."""

    source: Known
    scale: Tensor
    divided: bool
    shape: tuple[int, ...]
    place: str
    zero: Array | None = None

    @property
    def varied(self) -> bool:
        return False

    @property
    def whole(self) -> bool:
        return True

    def steps(self) -> Array:
        """What one of the integers is, as it broadcasts to them."""
        import numpy as np

        found = np.asarray(as_array(self.scale), np.float64)
        return 1 / found if self.divided else found

    def integers(self) -> Array:
        import numpy as np

        with located(self.place):
            stored: Array = np.broadcast_to(self.source.integers(), self.shape)
            return stored if self.zero is None else stored.astype(np.int64) - self.zero

    def reals(self) -> Array:
        import numpy as np

        with located(self.place):
            found: Array = (self.integers() * self.steps()).astype(np.float32)
            return found

    def widths(self) -> None:
        return None


def _integral(tensor: Tensor) -> bool:
    return tensor.encoding is not None and tensor.known is not None and tensor.known.whole


def _sizes(tensor: Tensor) -> tuple[int, ...] | None:
    found = tuple(size for size in tensor.shape or () if isinstance(size, int))
    return found if tensor.shape is not None and len(found) == len(tensor.shape) else None


def _encoding(call: Call, place: str, x: Tensor) -> Encoding:
    carrier = x.encoding.carrier if x.encoding is not None else x.dtype
    return Encoding(source=f"scaled: {call.op} {place}", carrier=carrier)


def _scaled(call: Call, tensor: Tensor, held: Tensor, scale: Tensor, place: str) -> Statement | None:
    """Integers times a constant."""
    shape = _sizes(tensor)
    if not _integral(held) or held.known is None or scale.dtype not in FLOATS or not isinstance(held.format, Fixed):
        return None
    if shape is None or scale.known is None or scale.known.whole:
        return None
    steps = known_numbers(scale)
    if steps is not None and any(step == 0 or step - step != 0 for step in steps):
        return None
    step = step_of(steps)
    if step is not None:
        step = abs(1 / step if call.op == "Div" else step)
    low, high = held.format.interval
    encoding = replace(_encoding(call, place, held), step=step, granularity=granularity(scale))
    known = Grid(source=held.known, scale=scale, divided=call.op == "Div", shape=shape, place=place)
    stated = on_steps(tensor, fixed(low, high, held.format.width, step), encoding)
    return Statement(outputs=(replace(stated, known=known),))


def _shifted(call: Call, tensor: Tensor, x: Tensor, zero: Tensor, place: str) -> Statement | None:
    """A zero point taken off: the integers keep their stored width."""
    zeros = known_numbers(zero)
    if not _integral(x) or x.known is None or not isinstance(x.format, Fixed) or tensor.shape != x.shape:
        return None
    if not zeros or any(each - each != 0 or each % 1 for each in zeros):
        return None
    array = as_array(zero)
    known = Dequantized(source=x.known, scale=None, zero_point=None if array is None else array.astype("int64"))
    held = _less(x.format, int(min(zeros)), int(max(zeros)))
    stated = on_steps(tensor, held, _encoding(call, place, x))
    return Statement(outputs=(replace(stated, known=known),))


def _less(held: Fixed, least: int, most: int) -> Fixed:
    """Integers less zero points from `least` to `most`, in as many bits as before."""
    low, high = held.interval
    narrow = integers(low - most, high - least)
    return Fixed(bits=held.width, integer=held.integer, signed=narrow.signed, reachable=narrow.interval)


def _moved(call: Call, tensor: Tensor, operands: tuple[Tensor, Tensor], place: str) -> Statement | None:
    """A constant added behind the scale: a zero point where it is a whole number of steps, else the grid is lost."""
    x, constant = operands
    if not isinstance(x.known, Grid) or not isinstance(x.format, Fixed) or x.encoding is None:
        return None
    zero = None if constant.known is None or tensor.shape != x.shape else _zero(x.known, constant)
    if zero is None:
        return Statement(outputs=(replace(tensor, format=None, encoding=None, cause=place),))
    known = replace(x.known, zero=zero if x.known.zero is None else x.known.zero + zero)
    held = _less(x.format, int(zero.min(initial=0)), int(zero.max(initial=0)))
    encoding = replace(x.encoding, source=f"scaled: Add {place}")
    return Statement(outputs=(replace(on_steps(tensor, held, encoding), known=known),))


def _zero(grid: Grid, constant: Tensor) -> Array | None:
    """The zero points that added constants stand for, as they broadcast to the integers; None where they are none."""
    import numpy as np

    added = as_array(constant)
    if added is None:
        return None
    exact = -np.asarray(added, np.float64) / grid.steps()
    nearest = np.rint(exact)
    if not np.isfinite(exact).all() or (np.abs(exact - nearest) > NEAR).any():
        return None
    return nearest.astype(np.int64)
