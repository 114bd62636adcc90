"""QONNX: floats that are said to hold few bits. Quant, IntQuant, BipolarQuant, FloatQuant, Trunc, MultiThreshold.

Source: the QONNX operator definitions (Pappalardo et al. 2022, arXiv 2206.07527); Trunc in both versions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ...encoding import Encoding
from ...errors import ModelError
from ...formats import Binary, Fixed, Float, Format, Mixed, integers
from ...operators.moved import listed
from ...operators.quantized_lstm import FIRST_STATEMENT
from ...operators.rule import Call
from ...shapes import Known, Tensor
from ..numbers import Integers, Varied, located
from .statement import (
    Statement,
    as_array,
    binary,
    checked_scale,
    checked_zeros,
    fixed,
    granularity,
    known_numbers,
    on_steps,
    read_scales,
    read_zeros,
    step_of,
    widths_of,
)

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["read"]

# Where version 2 of Trunc has the scale after; some writers put a zero point behind it.
OUT_SCALE = 4
# Further from 0 than this no zero point is.
FAR = 1 << 62


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """What the call says of its output."""
    if call.op == "QuantLSTMCell":
        _check_cell(call)
        return None
    tensor, source = outputs[0], f"QONNX: {call.op} {place}"
    if call.op == "FloatQuant":
        return _float(call, tensor, source, place)
    if call.op == "MultiThreshold":
        return _thresholds(call, tensor, source)
    step = step_of(checked_scale(call, 1))
    if call.op == "BipolarQuant":
        encoding = Encoding(source=source, carrier=tensor.dtype, step=step, scheme="bipolar")
        return Statement(outputs=(replace(on_steps(tensor, Binary(), encoding), known=_signs(call, place)),))
    stated = (_truncated if call.op == "Trunc" else _quantized)(call, tensor, step, source, place)
    return stated or unsaid(tensor, place)


def unsaid(tensor: Tensor, cause: str) -> Statement:
    """A float of which only the run says how many bits it has."""
    return Statement(outputs=(replace(tensor, format=None, encoding=None, cause=cause),))


def limits(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """The integers of a Quant: two's complement or unsigned; narrow leaves one out at the far end."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _quantized(call: Call, tensor: Tensor, step: Fraction | None, source: str, place: str) -> Statement | None:
    """y = scale (clip(round(x / scale + zero_point)) - zero_point), integers of bit_width bits."""
    signed, narrow = bool(call.integer("signed", 1)), bool(call.integer("narrow", 0))
    widths = widths_of(call, 3)
    low, high = limits(max(widths), signed, narrow and max(widths) > 1) if widths else (-FAR, FAR)
    zeros = checked_zeros(call, 2, low, high)
    encoding = Encoding(
        source=source,
        carrier=tensor.dtype,
        step=step,
        zero_point=_zero(zeros),
        granularity=granularity(call.given(1)),
        narrow=narrow,
        rounding=call.text("rounding_mode", "ROUND"),
    )
    if widths is None:
        return _many(call, tensor, encoding, signed, place)
    bits = max(widths)
    format: Format = binary(bits, signed) or fixed(low, high, bits, step, signed)
    if len(set(widths)) > 1:
        format = _mixed(widths, signed)
    known = _known(call, tensor, encoding, signed, place)
    return Statement(outputs=(replace(on_steps(tensor, format, encoding), known=known),))


def _mixed(widths: list[int], signed: bool) -> Mixed:
    shares = tuple((bits, widths.count(bits)) for bits in sorted(set(widths)))
    return Mixed(bits=max(widths), integer=max(widths), signed=signed, shares=shares)


def _many(call: Call, tensor: Tensor, encoding: Encoding, signed: bool, place: str) -> Statement | None:
    """Widths too many to be looked at one by one; without a width that is known before the run nothing is said."""
    given = call.input(3)
    if given.known is None or not given.constant:
        return None
    import numpy as np

    found = np.asarray(given.known.reals(), np.float64)
    bad = ~np.isfinite(found) | (found != np.floor(found)) | (found < 1) | (found > 64)
    if bad.any():
        call.refuse("E-BITS", f"input 3 asks for {found[bad][0]:g} bits; a width is an integer from 1 to 64")
    values, counts = np.unique(found.astype(np.int64), return_counts=True)
    shares = tuple(zip(values.tolist(), counts.tolist(), strict=True))
    format = Mixed(bits=max(values.tolist()), integer=max(values.tolist()), signed=signed, shares=shares)
    known = _known(call, tensor, encoding, signed, place)
    return Statement(outputs=(replace(on_steps(tensor, format, encoding), known=known),))


def _zero(zeros: list[float | int] | None) -> int | None:
    distinct = set(zeros) if zeros is not None else set()
    return int(distinct.pop()) if len(distinct) == 1 and all(each % 1 == 0 for each in distinct) else None


def _settled(call: Call, *indices: int) -> bool:
    return all((tensor := call.given(index)) is None or tensor.constant for index in indices)


def _known(call: Call, output: Tensor, encoding: Encoding, signed: bool, place: str) -> Known | None:
    """The integers of a constant; of a tensor of the run only its widths, where they differ."""
    source = call.input(0)
    if source.known is not None and source.constant and _settled(call, 1, 2, 3):
        return Deferred(call=call, rounding=encoding.rounding, narrow=encoding.narrow, signed=signed, place=place)
    widths = call.given(3)
    several = widths is not None and widths.constant and widths.size != 1
    bits = as_array(widths) if several else None
    return None if bits is None else Varied(bits.astype("int64"))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Deferred:
    """A quantized constant whose scales and widths are read when its numbers are."""

    call: Call
    rounding: str
    narrow: bool
    signed: bool
    place: str

    @property
    def varied(self) -> bool:
        return self.call.input(3).size != 1

    @property
    def whole(self) -> bool:
        return True

    def _found(self) -> Integers:
        import numpy as np

        call, source = self.call, self.call.input(0)
        assert source.known is not None
        widths = np.asarray(as_array(call.input(3)), np.int64)
        # Floats: an integer of 64 bits cannot hold the limits of one.
        if self.signed:
            low, high = -np.exp2(widths - 1.0) + (self.narrow & (widths > 1)), np.exp2(widths - 1.0) - 1
        else:
            low, high = np.zeros(widths.shape), np.exp2(widths * 1.0) - 1 - self.narrow
        zeros = spread(read_zeros(call.given(2)), source)
        far = (zeros != 0) & ((zeros < low) | (zeros > high))
        if far.any():
            zero = np.broadcast_to(zeros, far.shape)[far][0]
            raise ModelError("E-QUANT-ZERO", f"zero point is {zero}, expected an integer of its width")
        return Integers(
            source=source.known,
            scale=spread(read_scales(call.given(1)), source),
            zero_point=zeros,
            low=low,
            high=high,
            rounding=self.rounding,
            bits=widths if widths.size > 1 else None,
        )

    def integers(self) -> Array:
        with located(self.place):
            found = self._found()
            if not self.signed or (found.bits is None and known_numbers(self.call.given(3)) != [1]):
                return found.integers()
            import numpy as np

            # One signed bit is a sign, wherever it stands among wider numbers.
            whole = found.integers()
            ones = True if found.bits is None else np.broadcast_to(found.bits, whole.shape) == 1
            return np.where(ones, _sign(self.call.input(0).known), whole)

    def reals(self) -> Array:
        with located(self.place):
            return self.integers() * spread(read_scales(self.call.given(1)), self.call.input(0))

    def widths(self) -> Array | None:
        with located(self.place):
            return self._found().widths()


def spread(array: Array, tensor: Tensor) -> Array:
    """Scales or zero points as they broadcast to a tensor: extra axes of 1 in front mean nothing."""
    extra = array.ndim - len(tensor.shape or ())
    return array.reshape(array.shape[extra:]) if extra > 0 else array


def _sign(known: Known | None) -> Array:
    import numpy as np

    assert known is not None
    return np.where(np.asarray(known.reals()) >= 0, 1, -1).astype(np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """-1 and +1, times a scale."""

    call: Call
    place: str

    @property
    def varied(self) -> bool:
        return False

    @property
    def whole(self) -> bool:
        return True

    def integers(self) -> Array:
        with located(self.place):
            return _sign(self.call.input(0).known)

    def reals(self) -> Array:
        with located(self.place):
            return self.integers() * spread(read_scales(self.call.given(1)), self.call.input(0))

    def widths(self) -> None:
        return None


def _signs(call: Call, place: str) -> Known | None:
    return Signs(call, place) if call.input(0).known is not None and call.input(0).constant else None


def _float(call: Call, tensor: Tensor, source: str, place: str) -> Statement | None:
    """y = x rounded to a small float: a sign, so many exponent and so many mantissa bits."""
    step = step_of(checked_scale(call, 1))
    exponent, mantissa = widths_of(call, 2, 0), widths_of(call, 3, 0)
    for index, name in ((4, "exponent bias"), (5, "greatest value")):
        for number in known_numbers(call.given(index)) or ():
            if not math.isfinite(number) or (index == 5 and number <= 0):
                wanted = "a finite number" if index == 4 else "a positive finite number"
                call.refuse("E-QUANT-FLOAT", f"{name} is {number}, expected {wanted}")
    if not exponent or not mantissa:
        return unsaid(tensor, place)
    bits = max(exponent) + max(mantissa) + (1 if call.integer("signed", 1) else 0)
    encoding = Encoding(source=source, carrier=tensor.dtype, step=step, scheme="float")
    return Statement(outputs=(replace(on_steps(tensor, Float(bits=bits), encoding), known=call.input(0).known),))


def _truncated(call: Call, tensor: Tensor, step: Fraction | None, source: str, place: str) -> Statement | None:
    """y = x without its lowest bits.

    Version 1 gives the bits before and after: x loses the difference and nothing is clamped; the step stays.
    Version 2 gives the scale after, too: the shift is log2 of the two scales, and the bits after are clamped to.
    """
    before, last = widths_of(call, 3), 4 if len(call.inputs) < 6 else 5 if len(call.inputs) == 6 else 6
    after = widths_of(call, last)
    if not after or before is None:
        return None
    bits, held = max(after), call.input(0)
    shift, first = max(before, default=bits) - bits, len(call.inputs) == 5
    if first and shift < 0:
        call.refuse("E-BITS", f"Trunc makes {bits} bits of {max(before)}, expected no more than before")
    signed = bool(call.integer("signed", 1)) if "signed" in call.attributes or not held.format else held.format.signed
    narrow, mode = bool(call.integer("narrow", 0)), call.text("rounding_mode", "FLOOR").upper()
    zeros = checked_zeros(call, 2, -FAR, FAR)
    low, high = limits(bits, signed, narrow and bits > 1)
    if not first:
        step = step_of(checked_scale(call, OUT_SCALE, "out_scale"))
    elif _in_units(held, step) and zeros is not None and not any(zeros) and isinstance(held.format, Fixed):
        low, high = (shifted(end, shift, mode) for end in held.format.interval)
    bits = max(bits, integers(low, high).width if low < 0 or not signed else integers(-1, high).width)
    encoding = Encoding(
        source=source, carrier=tensor.dtype, step=step, zero_point=_zero(zeros), narrow=narrow, rounding=mode
    )
    return Statement(
        outputs=(on_steps(tensor, binary(bits, signed) or fixed(low, high, bits, step, signed), encoding),)
    )


def _in_units(tensor: Tensor, step: Fraction | None) -> bool:
    return tensor.encoding is not None and step is not None and tensor.encoding.step == step


def shifted(number: int, places: int, mode: str) -> int:
    """An integer without its lowest bits, rounded as QONNX names it."""
    exact = Fraction(number, 1 << places)
    away = math.floor if number < 0 else math.ceil
    nearest = math.floor(abs(exact) + Fraction(1, 2)), math.ceil(abs(exact) - Fraction(1, 2))
    sign = -1 if number < 0 else 1
    modes = {
        "FLOOR": math.floor(exact),
        "CEIL": math.ceil(exact),
        "UP": away(exact),
        "DOWN": math.trunc(exact),
        "ROUND_TO_ZERO": math.trunc(exact),
        "HALF_UP": sign * nearest[0],
        "HALF_DOWN": sign * nearest[1],
    }
    return modes.get(mode, round(exact))


def _thresholds(call: Call, tensor: Tensor, source: str) -> Statement | None:
    """The rule reads the named type; the step is out_scale where no bias moves the integers off it."""
    scale, bias = call.number("out_scale", 1.0), call.number("out_bias", 0.0)
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(bias)):
        call.refuse("E-QUANT-SCALE", f"out_scale {scale} and out_bias {bias} must be finite, out_scale positive")
    if not isinstance(tensor.format, Fixed):
        return None
    whole = Fraction(bias) % Fraction(scale) == 0
    encoding = Encoding(source=source, carrier=tensor.dtype, step=Fraction(scale) if whole else None)
    return Statement(outputs=(replace(tensor, encoding=encoding),))


def _check_cell(call: Call) -> None:
    """A QuantLSTMCell only has its statements and the sizes of its gates looked at: its rule reads the widths."""
    for first, name in ((3, "input weights"), (7, "recurrent weights"), (11, "biases")):
        shapes = [each.shape for index in range(first, first + 4) if (each := call.given(index)) is not None]
        for shape in shapes[1:]:
            if None not in (shape, shapes[0]) and shape != shapes[0]:
                fact = f"{name} of shapes {listed(shapes[0] or ())} and {listed(shape or ())}, expected the same"
                call.refuse("E-LSTM-WEIGHT", fact)
    for first in range(FIRST_STATEMENT, len(call.inputs) - 2, 3):
        checked_scale(call, first, f"the scale at input {first}")
        checked_zeros(call, first + 1, -FAR, FAR)
