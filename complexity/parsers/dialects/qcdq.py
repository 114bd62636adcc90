"""Clip between a quantizer and its dequantizer: the integers are fewer than their carrier holds.

Brevitas writes narrow integers this way: QuantizeLinear, Clip, DequantizeLinear for activations, and stored integers,
Clip, DequantizeLinear for weights.
"""

from __future__ import annotations

from dataclasses import replace

from ...encoding import Encoding
from ...formats import Fixed, integers
from ...operators.quantizers import FORMAT_STATEMENT
from ...operators.rule import Call
from ...shapes import Tensor
from ..numbers import Dequantized
from .statement import Statement, known_numbers

__all__ = ["read"]

CARRIERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16))


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """The range that is left of quantized integers; nothing where the tensor is none."""
    x = call.input(0)
    quantized = x.encoding is not None or (x.constant and bool(x.stored))
    held = x.number
    if x.dtype not in CARRIERS or not quantized or not isinstance(held, Fixed):
        return None
    low, high = (_bound(call, index, default) for index, default in zip((1, 2), held.interval, strict=True))
    if low is None or high is None:
        return None
    if low > high:
        call.refuse("E-QUANT-RANGE", f"limits {low} and {high} leave no integer")
    limits = max(low, held.interval[0]), min(high, held.interval[1])
    if limits[0] > limits[1]:
        call.refuse("E-QUANT-RANGE", f"limits {low} and {high} leave no integer of {x.dtype}")
    source = f"QCDQ: Clip {place}"
    encoding = replace(x.encoding, source=source) if x.encoding else Encoding(source=source, carrier=x.dtype)
    known = None
    if x.known is not None:
        known = Dequantized(source=x.known, scale=None, zero_point=None, bounds=limits)
    tensor = replace(outputs[0], format=integers(*limits), encoding=encoding, stored=x.stored, known=known)
    return Statement(outputs=(tensor,), free=FORMAT_STATEMENT)


def _bound(call: Call, index: int, default: int) -> int | None:
    if call.given(index) is None:
        return default
    found = known_numbers(call.given(index))
    return int(found[0]) if found and len(found) == 1 else None
