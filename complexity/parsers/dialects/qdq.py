"""QuantizeLinear and DequantizeLinear, of the standard and of com.microsoft.

The integers in between are those of the element type, or fewer where something between the two limited them. A constant
behind a DequantizeLinear, or behind both, stands for its integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ...element_types import BY_NAME
from ...encoding import Encoding
from ...formats import FLOATS, Fixed, Format, format_of_dtype
from ...operators.rule import Call
from ...shapes import Known, Tensor
from ..numbers import Dequantized, Integers, located
from .statement import (
    Statement,
    applied,
    checked_scale,
    fixed,
    granularity,
    known_numbers,
    on_steps,
    read_scales,
    read_zeros,
    step_of,
)

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["described", "read"]


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """What the call says of its output."""
    scales = checked_scale(call, 1, signed=_backwards(call))
    _check_zeros(call)
    tensor = outputs[0]
    if call.op == "QuantizeLinear":
        held: Format = format_of_dtype(tensor.dtype)
    else:
        held = call.input(0).number
    encoding = described(call, 1, 2, step_of(scales), f"QDQ: {call.op} {place}")
    encoding = replace(encoding, carrier=tensor.dtype if call.op == "QuantizeLinear" else call.input(0).dtype)
    if tensor.dtype is None or encoding.carrier is None:
        return None
    if isinstance(held, Fixed):
        low, high = held.interval
        held = fixed(low, high, held.width, encoding.step, held.signed)
    stated = on_steps(tensor, held, encoding)
    return Statement(outputs=(replace(stated, known=_known(call, tensor, place)),))


def _check_zeros(call: Call) -> None:
    """32-bit integers have no zero point, floats none but 0."""
    carrier = call.input(0).dtype if call.op == "DequantizeLinear" else None
    zeros = known_numbers(call.given(2))
    if zeros and any(zeros) and (carrier == "int32" or (carrier or "") in FLOATS):
        call.refuse("E-QUANT-ZERO", f"zero point of {carrier} is {next(filter(None, zeros))}, expected 0")


def _backwards(call: Call) -> bool:
    """Whether scales may be negative: symmetric quantizers of blocks write the sign of the largest weight into them."""
    return call.op == "DequantizeLinear" and len(call.input(1).shape or ()) > 1


def described(call: Call, scale: int, zero_point: int, step: Fraction | None, source: str) -> Encoding:
    """The encoding that a scale and a zero point at these inputs say."""
    block = call.integer("block_size", 0) if "block_size" in call.attributes else 0
    found = granularity(call.given(scale), block)
    zero = call.given(zero_point)
    zeros: list[float | int] | None = [0] if zero is None else known_numbers(zero)
    distinct = {int(number) for number in zeros} if zeros is not None and _whole(zeros) else set()
    return Encoding(
        source=source,
        step=step,
        zero_point=distinct.pop() if len(distinct) == 1 else None,
        granularity=found,
        axis=None if found.value in ("tensor", "run") else call.integer("axis", 1),
        block=block,
    )


def _whole(numbers: list[float | int]) -> bool:
    return all(number == number // 1 for number in numbers)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Deferred:
    """A quantized or dequantized constant whose scales are read when its numbers are."""

    call: Call
    output: Tensor
    place: str

    def _found(self) -> Known:
        call, source = self.call, self.call.input(0)
        assert source.known is not None
        axis, block = call.integer("axis", 1), call.integer("block_size", 0)
        scale = applied(read_scales(call.given(1), signed=_backwards(call)), source, axis, block)
        zero = applied(read_zeros(call.given(2)), source, axis, block)
        if call.op == "DequantizeLinear":
            return Dequantized(source=source.known, scale=scale, zero_point=zero)
        import numpy as np

        low, high = format_of_dtype(self.output.dtype).interval
        return Integers(
            source=source.known,
            scale=scale,
            zero_point=zero,
            low=np.array(low),
            high=np.array(high),
            centred=False,
        )

    @property
    def source(self) -> Known | None:
        """The stored integers of a dequantized constant."""
        return self.call.input(0).known if self.call.op == "DequantizeLinear" else None

    @property
    def varied(self) -> bool:
        known = self.call.input(0).known
        return known is not None and known.varied

    @property
    def whole(self) -> bool:
        if self.call.op == "QuantizeLinear":
            return self.output.dtype not in FLOATS
        known = self.call.input(0).known
        return known is not None and known.whole

    def integers(self) -> Array:
        with located(self.place):
            return self._found().integers()

    def reals(self) -> Array:
        with located(self.place):
            return self._found().reals()

    def widths(self) -> Array | None:
        with located(self.place):
            return self._found().widths()


def _known(call: Call, output: Tensor, place: str) -> Known | None:
    source, scale, zero = call.input(0), call.input(1), call.given(2)
    settled = scale.constant and (zero is None or zero.constant)
    if source.known is None or not settled or (source.dtype not in BY_NAME and source.dtype is not None):
        return None
    return Deferred(call=call, output=output, place=place)
