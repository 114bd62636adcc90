"""Dynamic quantization: activations become unsigned bytes whose scale and zero point are found in every run."""

from __future__ import annotations

from ...encoding import Encoding, Granularity
from ...formats import Fixed
from ...operators.rule import Call
from ...shapes import Tensor
from .statement import Statement, on_steps

__all__ = ["read"]


def read(call: Call, outputs: tuple[Tensor, ...], place: str) -> Statement | None:
    """Bytes of an unknown step and an unknown zero point."""
    encoding = Encoding(
        source=f"dynamic: {call.op} {place}",
        carrier="uint8",
        zero_point=None,
        granularity=Granularity.RUN,
    )
    bytes = Fixed(bits=8, integer=8, signed=False)
    return Statement(outputs=(on_steps(outputs[0], bytes, encoding), *outputs[1:]))
