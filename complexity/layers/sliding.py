"""How a window slides: output positions, padding and the rules of its sizes."""

from __future__ import annotations

from ..errors import SpecError, quoted
from ..expressions import Size, ceil_divide, floor_divide

__all__ = ["check_channels", "check_fit", "output_positions", "padded", "pair"]

SAME = "same"


def output_positions(length: Size, kernel: Size, padding: int | str, stride: int, dilation: int) -> Size:
    """Output positions along one axis; `padding` is that of both ends together, or "same"."""
    if isinstance(padding, str):
        return ceil_divide(length, stride)
    return floor_divide(length + padding - dilation * (kernel - 1) - 1, stride) + 1


def padded(kind: str, padding: object) -> tuple[int, int] | str:
    """Padding as two numbers, or "same". Raises SpecError E-SPEC-SIZE for anything else."""
    if padding == SAME:
        return SAME
    return pair(kind, "padding", padding, least=0, rule=f', two of them or "{SAME}"')


def pair(kind: str, field: str, value: object, *, least: int = 1, rule: str = ", or two of them") -> tuple[int, int]:
    """Two numbers, or one that stands for both. Raises SpecError E-SPEC-SIZE for anything else."""
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(both) == 2 and all(type(each) is int and each >= least for each in both):
        return both
    fact = f"{field} is {quoted(value)}, expected an integer of at least {least}{rule}"
    raise SpecError("E-SPEC-SIZE", fact).at(kind)


def check_channels(kind: str, channels: Size, filters: Size, groups: int) -> None:
    """Refuse groups that do not divide channels and filters."""
    for field, size in (("channels", channels), ("filters", filters)):
        if isinstance(size, int) and size % groups:
            raise SpecError("E-SPEC-SIZE", f"groups is {groups}, expected a divisor of {size} {field}").at(kind)


def check_fit(kind: str, field: str, kernel: object, positions: Size) -> None:
    """Refuse a window that has no position."""
    if isinstance(positions, int) and positions < 1:
        raise SpecError("E-SPEC-SIZE", f"{field} is {quoted(kernel)}, expected one that fits the padded input").at(kind)
