"""What the dialects have in common: a call's statement, and numbers that must make sense before they are believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ...encoding import Encoding, Granularity
from ...errors import ModelError
from ...formats import WIDEST, Binary, Fixed, Format, integers
from ...operators.rule import Call
from ...shapes import Tensor
from ..numbers import Stored
from ..values import values

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = [
    "Reader",
    "Statement",
    "applied",
    "as_array",
    "checked_scale",
    "checked_zeros",
    "fixed",
    "known_numbers",
    "on_steps",
    "read_scales",
    "read_zeros",
    "step_of",
    "widths_of",
]

# Scales beyond this many are not looked at before the weights themselves are.
LOOKED_AT = 10_000
# No zero point is as far as this.
FAR = 2.0**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The outputs of a call with their numbers said; free: why the call costs nothing, where only that is so."""

    outputs: tuple[Tensor, ...]
    free: str | None = None


# A call whose inputs know their numbers, its outputs as the rule shaped them, and what the node is called.
Reader = Callable[[Call, tuple[Tensor, ...], str], Statement | None]


def known_numbers(tensor: Tensor | None) -> list[float | int] | None:
    """The numbers of a small constant, None where there is none, or it is not known before the run."""
    if tensor is None:
        return None
    found: Sequence[object] | None = tensor.value
    if found is None or None in found:
        if tensor.known is None or not isinstance(tensor.size, int) or tensor.size > LOOKED_AT:
            return None
        stored = tensor.known.tensor if isinstance(tensor.known, Stored) else None
        found = values(stored, LOOKED_AT) if stored is not None else tensor.known.reals().ravel().tolist()
    plain = [number for number in found or () if isinstance(number, int | float)]
    return plain if found is not None and len(plain) == len(found) else None


def checked_scale(call: Call, index: int, name: str = "scale", *, signed: bool = False) -> list[float | int] | None:
    """The scales of a quantizer. Refuses what is no positive finite number; signed: a negative one is allowed."""
    found = known_numbers(call.given(index))
    for number in found or ():
        if not math.isfinite(number) or number == 0 or (number < 0 and not signed):
            call.refuse("E-QUANT-SCALE", _no_scale(name, number, signed))
    return found


def _no_scale(name: str, number: float, signed: bool) -> str:
    wanted = "a finite number other than 0" if signed else "a positive finite number"
    return f"{name} is {number}, expected {wanted}"


def checked_zeros(call: Call, index: int, low: int, high: int) -> list[float | int] | None:
    """The zero points of a quantizer. Refuses what is no integer from low to high."""
    found = known_numbers(call.given(index))
    for zero in found or ():
        if not math.isfinite(zero) or zero != int(zero):
            call.refuse("E-QUANT-ZERO", f"zero point is {zero:g}, expected an integer")
        if not low <= zero <= high and zero != 0:
            call.refuse("E-QUANT-ZERO", f"zero point is {zero:g}, expected an integer from {low} to {high}")
    return found


def read_scales(tensor: Tensor | None, *, signed: bool = False) -> Array:
    """All scales, however many, when the numbers they belong to are read. Raises ModelError as `checked_scale`."""
    import numpy as np

    found = as_array(tensor)
    if found is None:
        return np.ones(())
    scales = np.asarray(found, np.float64)
    bad = ~np.isfinite(scales) | (scales == 0) | (False if signed else scales < 0)
    if bad.any():
        raise ModelError("E-QUANT-SCALE", _no_scale("scale", float(scales[bad][0]), signed))
    return scales


def read_zeros(tensor: Tensor | None) -> Array:
    """All zero points, however many. Raises ModelError for one that is no integer."""
    import numpy as np

    found = as_array(tensor)
    if found is None:
        return np.zeros(())
    zeros = np.asarray(found, np.float64)
    bad = ~np.isfinite(zeros) | (zeros != np.rint(zeros)) | (np.abs(zeros) >= FAR)
    if bad.any():
        raise ModelError("E-QUANT-ZERO", f"zero point is {zeros[bad][0]:g}, expected an integer")
    return zeros.astype(np.int64)


def step_of(scales: Sequence[float | int] | None) -> Fraction | None:
    """The one step of all numbers, exactly; None where there are several, or it is not known."""
    distinct = set(scales or ())
    return abs(Fraction(distinct.pop())) if len(distinct) == 1 else None


def fixed(low: int, high: int, bits: int, step: Fraction | None, signed: bool | None = None) -> Fixed:
    """Integers of `bits` bits of which those from low to high occur, their binary point where a step 2**k puts it."""
    shift = Encoding(source="", step=step).shift
    narrow = integers(low, high)
    signed = narrow.signed if signed is None else signed
    whole = Fixed(bits=bits, integer=bits if shift is None else bits + shift, signed=signed)
    return whole if whole.full == (low, high) else replace(whole, reachable=(low, high))


def on_steps(tensor: Tensor, format: Format, encoding: Encoding) -> Tensor:
    """The tensor with its numbers said."""
    return replace(tensor, format=format, encoding=encoding, value=None)


def applied(array: Array, tensor: Tensor, axis: int | None, block: int = 0) -> Array:
    """Scales or zero points as they apply to the numbers of a tensor of known shape."""
    from ..numbers import zero_points

    shape = tuple(size for size in tensor.shape or () if isinstance(size, int))
    return zero_points(array, shape, 1 if axis is None else axis, block)


def as_array(tensor: Tensor | None) -> Array | None:
    """A constant's numbers as an array."""
    if tensor is None:
        return None
    import numpy as np

    if tensor.known is not None and (tensor.value is None or None in tensor.value):
        return np.asarray(tensor.known.reals())
    found = known_numbers(tensor)
    shape = tuple(size for size in tensor.shape or () if isinstance(size, int))
    return None if found is None else np.asarray(found).reshape(shape)


def granularity(tensor: Tensor | None, block: int = 0) -> Granularity:
    """What one scale holds for."""
    if tensor is None or not tensor.constant:
        return Granularity.RUN
    if tensor.size == 1:
        return Granularity.TENSOR
    return Granularity.BLOCK if block or len(tensor.shape or ()) > 1 else Granularity.CHANNEL


def widths_of(call: Call, index: int, least: int = 1) -> list[int] | None:
    """Bit widths that arrive as data, None where only the run decides. Refuses what is no width."""
    found = known_numbers(call.given(index))
    for number in found or ():
        if not math.isfinite(number) or number != int(number) or not least <= number <= WIDEST:
            shown = f"{number:g}" if isinstance(number, float) else str(number)
            call.refuse(
                "E-BITS", f"input {index} asks for {shown} bits; a width is an integer from {least} to {WIDEST}"
            )
    return None if found is None else [int(number) for number in found]


def binary(bits: int, signed: bool) -> Binary | None:
    """One signed bit is -1 or +1."""
    return Binary() if bits == 1 and signed else None
