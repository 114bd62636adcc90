"""Stored integers behind Cast and Mul: weights whose scale is an ordinary product (Cast, Sub a zero point, Mul)."""

from __future__ import annotations

from dataclasses import replace

from ...encoding import Encoding
from ...formats import FLOATS, Fixed, integers
from ...operators.rule import Call
from ...shapes import Tensor
from .statement import Statement, fixed, granularity, known_numbers, on_steps, step_of

__all__ = ["read"]

CARRIERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16))


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """The integers of a constant, still there behind its scale."""
    x, tensor = call.input(0), outputs[0]
    if not tensor.constant or tensor.known is None or not tensor.known.whole:
        return None
    if call.op == "Cast":
        if x.dtype not in CARRIERS or tensor.dtype not in FLOATS:
            return None
        return Statement(outputs=(on_steps(tensor, x.number, _encoding(call, place, x)),))
    other = call.input(1)
    if call.op == "Sub":
        return _shifted(call, tensor, x, other, place)
    held, scale = (x, other) if _integral(x) else (other, x)
    if not _integral(held) or scale.dtype not in FLOATS or not isinstance(held.format, Fixed):
        return None
    steps = known_numbers(scale)
    if steps is not None and any(step == 0 or step - step != 0 for step in steps):
        return None
    step = step_of(steps)
    if step is not None:
        step = abs(1 / step if call.op == "Div" else step)
    low, high = held.format.interval
    encoding = replace(_encoding(call, place, held), step=step, granularity=granularity(scale))
    return Statement(outputs=(on_steps(tensor, fixed(low, high, held.format.width, step), encoding),))


def _integral(tensor: Tensor) -> bool:
    return tensor.encoding is not None and tensor.known is not None and tensor.known.whole


def _encoding(call: Call, place: str, x: Tensor) -> Encoding:
    carrier = x.encoding.carrier if x.encoding is not None else x.dtype
    return Encoding(source=f"scaled: {call.op} {place}", carrier=carrier)


def _shifted(call: Call, tensor: Tensor, x: Tensor, zero: Tensor, place: str) -> Statement | None:
    """A zero point taken off: the integers keep their stored width."""
    zeros = known_numbers(zero)
    if not _integral(x) or not isinstance(x.format, Fixed) or not zeros or any(each % 1 for each in zeros):
        return None
    low, high = x.format.interval
    narrow = integers(int(low - max(zeros)), int(high - min(zeros)))
    format = Fixed(bits=x.format.width, integer=x.format.width, signed=narrow.signed, reachable=narrow.interval)
    return Statement(outputs=(on_steps(tensor, format, _encoding(call, place, x)),))
