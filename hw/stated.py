"""What sizes, formats and given numbers say to a circuit: integers, or a refusal."""

from __future__ import annotations

from operator import index

from nncomplexity.errors import UsageError
from nncomplexity.expressions import Size
from nncomplexity.formats import Format

from .bundles import UnsupportedLayer

__all__ = ["integer", "interval", "point", "whole"]


def whole(size: Size) -> int:
    """A size as an int. Raises UsageError E-EXACT-SYMBOL for a free one."""
    if isinstance(size, int):
        return size
    raise UsageError("E-EXACT-SYMBOL", f"a kernel needs integers, found {size}; bind free dims with --dim")


def integer(name: str, value: object) -> int:
    """A number that was given, as an int. Raises UsageError E-KERNEL-WEIGHTS for one that is none."""
    if hasattr(value, "__index__"):
        return index(value)
    raise UsageError("E-KERNEL-WEIGHTS", f"{name} holds {value!r}, expected integers; quantize the weights first")


def point(format: Format) -> int:
    """Bits behind the binary point."""
    return format.fraction if isinstance(format.fraction, int) else 0


def interval(format: Format) -> tuple[int, int]:
    """The integers of a format. Raises UnsupportedLayer for floats."""
    if format.floating:
        raise UnsupportedLayer(f"a number of it is {format}: only fixed point has a kernel; give its bits")
    return format.interval
