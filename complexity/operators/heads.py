"""Heads of attention operators: how many there are, what one holds, and sizes on which inputs must agree."""

from __future__ import annotations

from ..expressions import Size, divide_exactly
from .rule import Call

__all__ = ["agreed", "cache_length", "grouped", "head_count", "per_head", "scaling_of"]


def agreed(call: Call, left: Size, right: Size, what: str) -> Size:
    """The one size two inputs must have; the fixed one where the other is free."""
    if isinstance(left, int) and isinstance(right, int) and left != right:
        call.refuse("E-ATTENTION-SIZE", f"{what} is {left} in one input and {right} in another")
    return left if isinstance(left, int) else right


def head_count(call: Call, name: str, default: int | None = None) -> int:
    """A number of heads from an attribute: at least one."""
    heads = call.integer(name, default)
    if heads < 1:
        call.refuse("E-ATTENTION-HEADS", f"attribute '{name}' is {heads}, expected 1 or more")
    return heads


def per_head(call: Call, size: Size, heads: Size, what: str) -> Size:
    """The share of one head in a packed axis."""
    share = divide_exactly(size, heads)
    if share is not None:
        return share
    if isinstance(size, int) and isinstance(heads, int):
        call.refuse("E-ATTENTION-HEADS", f"{what} of {size} does not divide into {heads} equal parts")
    return size // heads


def grouped(call: Call, heads: Size, shared: Size) -> None:
    """Refuse query heads that do not share key and value heads evenly."""
    if isinstance(heads, int) and isinstance(shared, int) and (shared < 1 or heads % shared):
        call.refuse("E-ATTENTION-GROUPS", f"{heads} query heads do not share {shared} key and value heads evenly")


def scaling_of(call: Call, where: str, key_size: Size, *, zero_is_default: bool = False) -> str:
    """Where the scale is multiplied; "none" for a scale of one, which costs nothing."""
    scale = call.number("scale", 0.0)
    default = "scale" not in call.attributes or (zero_is_default and scale == 0)
    return "none" if (key_size == 1 if default else scale == 1) else where


def cache_length(call: Call, index: int, expected: tuple[Size, Size, Size]) -> Size | None:
    """Positions in a cached key or value [batch, heads, positions, size], None where the input is absent."""
    past = call.given(index)
    if past is None:
        return None
    batch, heads, positions, size = call.shape(index, 4)
    for found, wanted, what in zip(
        (batch, heads, size), expected, ("the batch", "heads", "the head size"), strict=True
    ):
        agreed(call, found, wanted, f"{what} of cached input {index}")
    return positions
