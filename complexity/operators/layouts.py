"""How the constants of linear operators lie in their inputs: arrays turned into one row of weights an output."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from .rule import Layout

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = [
    "channels",
    "columns",
    "flat",
    "gate",
    "gate_bias",
    "inner",
    "matrices",
    "outer",
    "peephole",
    "rows",
    "turned",
    "unpacked",
]


def columns(array: Array) -> Array:
    """[..., terms, outputs] or [terms]: every column is an output."""
    return rows(array if array.ndim == 1 else array.swapaxes(-1, -2))


def rows(array: Array) -> Array:
    """[..., outputs, terms]: every row is an output."""
    return array.reshape(prod(array.shape[:-1]), array.shape[-1])


def turned(array: Array) -> Array:
    """[outputs, ...]: all numbers behind the first axis are one output's."""
    return array.reshape(len(array), prod(array.shape[1:]))


def flat(array: Array) -> Array:
    """Every number by itself."""
    return array.reshape(-1, 1)


def inner(array: Array) -> Array:
    """Bits that differ along the last axis, the terms of a matrix product; else the widest."""
    return array.reshape(1, -1) if array.size == array.shape[-1] else array.max().reshape(1, 1)


def outer(array: Array) -> Array:
    """Bits that differ along the last axis but one, the terms of a product from the right; else the widest."""
    terms = array.shape[-2] if array.ndim > 1 else array.size
    return array.reshape(1, -1) if array.size == terms else array.max().reshape(1, 1)


def channels(count: int, filters: int, groups: int, taps: int, *, last: bool) -> Callable[[Array], Array]:
    """Bits that differ by channel, as each filter's window meets them: channel by channel, or tap by tap."""

    def arranged(array: Array) -> Array:
        import numpy as np

        if array.size not in (1, count):
            return np.array([[array.max()]])
        bits = np.broadcast_to(array.reshape(-1), (count,)).reshape(groups, -1)
        window = np.tile(bits, taps) if last else np.repeat(bits, taps, axis=1)
        each: Array = window if groups == 1 else np.repeat(window, filters // groups, axis=0)
        return each

    return arranged


def matrices(
    left: int, right: int, *, constant_left: bool, transposed: tuple[bool, bool] = (False, False)
) -> dict[str, Layout]:
    """The weight of a matrix product of two inputs, one of them constant, and the bits of the other."""
    weight, input = (left, right) if constant_left else (right, left)
    by_row = not transposed[0] if constant_left else transposed[1]
    along = outer if constant_left != transposed[1 if constant_left else 0] else inner
    return {"weight": Layout(weight, rows if by_row else columns), "input": Layout(input, along)}


def gate(index: int, gates: int, *, transposed: bool = False) -> Callable[[Array], Array]:
    """The rows of one gate in [directions, gates * hidden, terms], or [directions, terms, gates * hidden]."""

    def arranged(array: Array) -> Array:
        whole = array.swapaxes(1, 2) if transposed else array
        hidden = whole.shape[1] // gates
        return rows(whole[:, index * hidden : (index + 1) * hidden])

    return arranged


def gate_bias(index: int, gates: int, *, parts: tuple[int, ...] = (0, 1)) -> Callable[[Array], Array]:
    """The biases of one gate in [directions, 2 * gates * hidden], its two vectors added up."""

    def arranged(array: Array) -> Array:
        hidden = array.shape[1] // (2 * gates)
        vectors = array.reshape(len(array), 2, gates, hidden)[:, :, index]
        summed: Array = vectors[:, list(parts)].sum(axis=1)
        return summed.reshape(-1, 1)

    return arranged


def peephole(index: int) -> Callable[[Array], Array]:
    """The peephole weights of one gate in [directions, 3 * hidden]."""

    def arranged(array: Array) -> Array:
        found: Array = array.reshape(len(array), 3, -1)[:, index]
        return found.reshape(-1, 1)

    return arranged


def unpacked(inputs: int, units: int, bits: int, block: int) -> Callable[..., Array]:
    """The integers of MatMulNBits, [units, inputs]: blocks of packed bits, lowest first, less their zero points.

    Zero points are packed like the weights, one for each block, or stored one by one; without them 2**(bits - 1).
    """
    blocks = -(-inputs // block)

    def codes(packed: Array, count: int) -> Array:
        import numpy as np

        each = np.unpackbits(packed.reshape(units, -1).astype(np.uint8), axis=1, bitorder="little")
        found: Array = each[:, : count * bits].reshape(units, count, bits) @ (1 << np.arange(bits))
        return found

    def arranged(array: Array, zero: Array | None = None) -> Array:
        import numpy as np

        found = codes(array, array.size * 8 // (units * bits)).reshape(units, blocks, -1)[:, :, :block]
        if zero is None:
            points: Array = np.full((1, 1), 1 << (bits - 1))
        elif zero.dtype.kind == "f":
            points = np.rint(zero.reshape(units, blocks).astype(np.float64)).astype(np.int64)
        else:
            points = codes(zero, blocks)
        whole = found.astype(np.int64) - points[:, :, None]
        return whole.reshape(units, -1)[:, :inputs].astype(np.int16)

    return arranged
