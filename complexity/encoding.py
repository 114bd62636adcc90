"""How the numbers of a tensor are stored: carrier, step, zero point, rounding, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

__all__ = ["Encoding", "Granularity"]


class Granularity(Enum):
    """For which numbers one step holds. RUN: found anew in every run (dynamic quantization)."""

    TENSOR = "tensor"
    CHANNEL = "channel"
    BLOCK = "block"
    ELEMENT = "element"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """real = step * (stored - zero_point), stored an integer of the tensor's number format.

    carrier: the element type the integers are stored in. step: the exact value of one, None where it is not one known
    number for the whole tensor. granularity, axis, block: what one step holds for. zero_point: the integer that means
    0, None where it is not one known number for the whole tensor. narrow: the most negative integer is left out.
    rounding: as ONNX and QONNX name the modes. scheme: uniform, bipolar, float. source: what says all this, for the
    reader: a dialect and a node, or the operator whose exact arithmetic made it (then it is derived).
    """

    source: str
    carrier: str | None = None
    step: Fraction | None = None
    zero_point: int | None = 0
    granularity: Granularity = Granularity.TENSOR
    axis: int | None = None
    block: int = 0
    narrow: bool = False
    rounding: str = "ROUND"
    scheme: str = "uniform"
    derived: bool = False

    @property
    def dialect(self) -> str:
        """The dialect that says it, "" where an operator's arithmetic made it."""
        return "" if self.derived else self.source.partition(":")[0]

    def __str__(self) -> str:
        """Carrier, step, zero point and source for a reader."""
        step = "step of the run" if self.granularity is Granularity.RUN else f"steps per {self.granularity.value}"
        if self.shift is not None:
            step = f"step 2^{self.shift}"
        elif self.step is not None:
            step = f"step {float(self.step):.6g}"
        if self.axis is not None:
            step += f" along axis {self.axis}" + (f" in blocks of {self.block}" if self.block else "")
        zero = "several" if self.zero_point is None else str(self.zero_point)
        parts = [self.carrier or "float", step, *([] if zero == "0" else [f"zero point {zero}"])]
        parts += ["narrow"] if self.narrow else []
        return f"{', '.join(parts)} ({self.source})"

    @property
    def shift(self) -> int | None:
        """k where the step is 2**k exactly, else None: fixed point then has -k bits behind the binary point."""
        if self.step is None or self.step <= 0:
            return None
        above, below = self.step.numerator, self.step.denominator
        return above.bit_length() - below.bit_length() if above & (above - 1) == 0 == below & (below - 1) else None
