"""QONNX: floats that are said to hold few bits. Quant, IntQuant, BipolarQuant, FloatQuant, Trunc, MultiThreshold.

Source: the QONNX operator definitions (Pappalardo et al. 2022, arXiv 2206.07527); Trunc in both versions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ...encoding import Encoding
from ...formats import Binary, Fixed, Float, Format, Mixed
from ...operators.rule import Call
from ...shapes import Known, Tensor
from ..numbers import Integers, Varied
from .statement import (
    Statement,
    applied,
    as_array,
    binary,
    checked_scale,
    fixed,
    granularity,
    known_numbers,
    on_steps,
    step_of,
    widths_of,
)

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["read"]


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """What the call says of its output."""
    tensor, source = outputs[0], f"QONNX: {call.op} {place}"
    if call.op == "FloatQuant":
        return _float(call, tensor, source)
    if call.op == "MultiThreshold":
        return _thresholds(call, tensor, source)
    step = step_of(checked_scale(call, 1))
    if call.op == "BipolarQuant":
        encoding = Encoding(source=source, carrier=tensor.dtype, step=step, scheme="bipolar")
        return Statement(outputs=(replace(on_steps(tensor, Binary(), encoding), known=_signs(call)),))
    if call.op == "Trunc":
        return _truncated(call, tensor, step, source)
    return _quantized(call, tensor, step, source)


def limits(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """The integers of a Quant: two's complement or unsigned; narrow leaves one out at the far end."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _quantized(call: Call, tensor: Tensor, step: Fraction | None, source: str) -> Statement | None:
    """y = scale (clip(round(x / scale + zero_point)) - zero_point), integers of bit_width bits."""
    signed, narrow = bool(call.integer("signed", 1)), bool(call.integer("narrow", 0))
    widths = widths_of(call, 3)
    zeros = known_numbers(call.given(2))
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
        return _many(call, tensor, encoding, signed)
    bits = max(widths)
    low, high = limits(bits, signed, narrow and bits > 1)
    _check_zero(call, zeros, low, high)
    format: Format = binary(bits, signed) or fixed(low, high, bits, step, signed)
    if len(set(widths)) > 1:
        format = _mixed(widths, signed)
    known = _known(call, tensor, encoding, signed)
    return Statement(outputs=(replace(on_steps(tensor, format, encoding), known=known),))


def _mixed(widths: list[int], signed: bool) -> Mixed:
    shares = tuple((bits, widths.count(bits)) for bits in sorted(set(widths)))
    return Mixed(bits=max(widths), integer=max(widths), signed=signed, shares=shares)


def _many(call: Call, tensor: Tensor, encoding: Encoding, signed: bool) -> Statement | None:
    """Widths too many to be looked at one by one; without a width that is known before the run nothing is said."""
    given = call.input(3)
    if given.known is None:
        return None
    import numpy as np

    found = np.asarray(given.known.reals(), np.float64)
    bad = ~np.isfinite(found) | (found != np.floor(found)) | (found < 1) | (found > 64)
    if bad.any():
        call.refuse("E-BITS", f"input 3 asks for {found[bad][0]:g} bits; a width is an integer from 1 to 64")
    values, counts = np.unique(found.astype(np.int64), return_counts=True)
    shares = tuple(zip(values.tolist(), counts.tolist(), strict=True))
    format = Mixed(bits=max(values.tolist()), integer=max(values.tolist()), signed=signed, shares=shares)
    known = _known(call, tensor, encoding, signed)
    return Statement(outputs=(replace(on_steps(tensor, format, encoding), known=known),))


def _zero(zeros: list[float | int] | None) -> int | None:
    distinct = set(zeros) if zeros is not None else set()
    return int(distinct.pop()) if len(distinct) == 1 and all(each % 1 == 0 for each in distinct) else None


def _check_zero(call: Call, zeros: list[float | int] | None, low: int, high: int) -> None:
    for zero in zeros or ():
        if not math.isfinite(zero) or zero != int(zero):
            call.refuse("E-QUANT-ZERO", f"zero point is {zero:g}, expected an integer")
        if not low <= zero <= high and zero != 0:
            call.refuse("E-QUANT-ZERO", f"zero point is {zero:g}, expected an integer from {low} to {high}")


def _settled(call: Call, *indices: int) -> bool:
    return all((tensor := call.given(index)) is None or tensor.constant for index in indices)


def _known(call: Call, output: Tensor, encoding: Encoding, signed: bool) -> Known | None:
    """The integers of a constant; of a tensor of the run only its widths, where they differ."""
    source = call.input(0)
    if source.known is not None and source.constant and _settled(call, 1, 2, 3):
        return Deferred(call=call, output=output, rounding=encoding.rounding, narrow=encoding.narrow, signed=signed)
    widths = call.given(3)
    several = widths is not None and widths.constant and widths.size != 1
    bits = as_array(widths) if several else None
    return None if bits is None else Varied(bits.astype("int64"))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Deferred:
    """A quantized constant whose scales and widths are read when its numbers are."""

    call: Call
    output: Tensor
    rounding: str
    narrow: bool
    signed: bool

    @property
    def whole(self) -> bool:
        return True

    def _found(self) -> Integers:
        import numpy as np

        call, source = self.call, self.call.input(0)
        assert source.known is not None
        scale, zero, bits = (as_array(call.given(index)) for index in (1, 2, 3))
        widths = np.asarray(bits, np.int64)
        if self.signed:
            low, high = -(1 << (widths - 1)) + self.narrow, (1 << (widths - 1)) - 1
        else:
            low, high = np.zeros_like(widths), (1 << widths) - 1 - self.narrow
        return Integers(
            source=source.known,
            scale=applied(np.asarray(scale, np.float64), source, None),
            zero_point=np.zeros(()) if zero is None else applied(zero, source, None),
            low=low,
            high=high,
            rounding=self.rounding,
            bits=widths if widths.size > 1 else None,
        )

    def integers(self) -> Array:
        if self._one_bit():
            return _sign(self.call.input(0).known)
        return self._found().integers()

    def _one_bit(self) -> bool:
        return self.signed and known_numbers(self.call.given(3)) == [1]

    def reals(self) -> Array:
        import numpy as np

        scale = as_array(self.call.given(1))
        return self.integers() * applied(np.asarray(scale, np.float64), self.call.input(0), None)

    def widths(self) -> Array | None:
        return self._found().widths()


def _sign(known: Known | None) -> Array:
    import numpy as np

    assert known is not None
    return np.where(np.asarray(known.reals()) >= 0, 1, -1).astype(np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """-1 and +1, times a scale."""

    call: Call

    @property
    def whole(self) -> bool:
        return True

    def integers(self) -> Array:
        return _sign(self.call.input(0).known)

    def reals(self) -> Array:
        import numpy as np

        scale = as_array(self.call.given(1))
        return self.integers() * (np.ones(()) if scale is None else applied(scale, self.call.input(0), None))

    def widths(self) -> None:
        return None


def _signs(call: Call) -> Known | None:
    return Signs(call) if call.input(0).known is not None and call.input(0).constant else None


def _float(call: Call, tensor: Tensor, source: str) -> Statement | None:
    """y = x rounded to a small float: a sign, so many exponent and so many mantissa bits."""
    step = step_of(checked_scale(call, 1))
    exponent, mantissa = widths_of(call, 2, 0), widths_of(call, 3, 0)
    if not exponent or not mantissa:
        return None
    bits = max(exponent) + max(mantissa) + (1 if call.integer("signed", 1) else 0)
    if bits < 1:
        call.refuse("E-BITS", "inputs 2 and 3 ask for a float of 0 bits")
    encoding = Encoding(source=source, carrier=tensor.dtype, step=step, scheme="float")
    return Statement(outputs=(replace(on_steps(tensor, Float(bits=bits), encoding), known=call.input(0).known),))


def _truncated(call: Call, tensor: Tensor, step: Fraction | None, source: str) -> Statement | None:
    """y = x without its lowest bits: version 1 gives the bits before and after, version 2 the scale after, too."""
    before, last = widths_of(call, 3), 4 if len(call.inputs) < 6 else 5 if len(call.inputs) == 6 else 6
    after = widths_of(call, last)
    if not after:
        return None
    bits, held = max(after), call.input(0).format
    if len(call.inputs) == 5 and before and max(before) < bits:
        call.refuse("E-BITS", f"Trunc makes {bits} bits of {max(before)}, expected no more than before")
    signed = bool(call.integer("signed", 1)) if "signed" in call.attributes or held is None else held.signed
    narrow = bool(call.integer("narrow", 0))
    if len(call.inputs) > 5:
        step = step_of(checked_scale(call, last - 1, "out_scale"))
    elif step is not None and before:
        step = step * (1 << (max(before) - bits))
    low, high = limits(bits, signed, narrow and bits > 1)
    encoding = Encoding(
        source=source,
        carrier=tensor.dtype,
        step=step,
        zero_point=_zero(known_numbers(call.given(2))),
        narrow=narrow,
        rounding=call.text("rounding_mode", "FLOOR"),
    )
    format = binary(bits, signed) or fixed(low, high, bits, step, signed)
    return Statement(outputs=(on_steps(tensor, format, encoding),))


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
