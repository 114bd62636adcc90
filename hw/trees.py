"""Balanced adder trees of wires: adjacent pairs in index order, the odd last one passed up.

The trees that the weights are counted by, grown once more, node by node: of real products, and of the signed digits of
known weights, canonical or binary, where a sum of negative digits only is kept positive and subtracted where it is
used. Nothing here is shared with the counting: digits are recoded one by one. Inside a digit tree binary points are
those of the inputs; the wire that leaves it has the sum's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from nncomplexity.ops import Role

from .netlist import Graph, Operand

__all__ = ["Digits", "Term", "binary_digits", "digit_sum", "known_product", "product_sum", "signed_digits", "tree"]

T = TypeVar("T")
Digits = Callable[[int], list[tuple[int, int]]]


class Term(NamedTuple):
    """A signed term: the operand's magnitude is on the wire, `negative` says that it is subtracted."""

    operand: Operand
    negative: bool = False


def tree(terms: Sequence[T], join: Callable[[T, T], T]) -> T:
    """The root of the balanced tree over at least one term."""
    level = list(terms)
    while len(level) > 1:
        sums = [join(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = sums + level[len(level) & ~1 :]
    return level[0]


def product_sum(graph: Graph, products: Sequence[int], role: Role) -> int:
    """The sum of at least one wire; every node is an addition."""
    return tree(products, lambda left, right: graph.add(Operand(left), Operand(right), role))


def known_product(graph: Graph, x: int, value: int, bits: tuple[int, bool], fraction: int, role: Role) -> int:
    """x times a known number that is not 0, a multiplier unless it is +-2**k: then a shift, and a negation for -2**k.

    bits: width of the number's format and whether that is unsigned; fraction: behind the number's binary point.
    """
    node = graph.nodes[x]
    ends = sorted((node.low * value, node.high * value))
    if abs(value).bit_count() != 1:
        known = graph.constant(value, fraction, (value, value), *bits)
        return graph.multiply(x, known, role, (ends[0], ends[1]))
    shifted = Operand(x, abs(value).bit_length() - 1)
    low, high = graph.reach(shifted)
    wire = graph.wire(shifted, (low, high), node.fraction + fraction)
    return wire if value > 0 else graph.negate(Operand(wire), role)


def signed_digits(value: int) -> list[tuple[int, int]]:
    """The non-adjacent form of an integer, bit by bit: (exponent, sign), exponents ascending."""
    found, exponent = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            found.append((exponent, digit))
            value -= digit
        value >>= 1
        exponent += 1
    return found


def binary_digits(value: int) -> list[tuple[int, int]]:
    """The bits set in the magnitude of an integer, all of its sign: (exponent, sign), exponents ascending."""
    bits = reversed(f"{abs(value):b}")
    return [(exponent, 1 if value > 0 else -1) for exponent, bit in enumerate(bits) if bit == "1"]


def digit_sum(
    graph: Graph, x: Sequence[int], weights: Sequence[int], role: Role, digits: Digits = signed_digits
) -> Operand | None:
    """The sum of products by known numbers, shifted and added; None where all of them are 0."""
    terms = [
        Term(Operand(node, exponent), sign < 0)
        for node, weight in zip(x, weights, strict=True)
        for exponent, sign in digits(weight)
    ]
    if not terms:
        return None

    def join(left: Term, right: Term) -> Term:
        if left.negative == right.negative:
            total = graph.add(left.operand, right.operand, role, both=left.negative)
            return Term(Operand(total), left.negative)
        plus, minus = (right, left) if left.negative else (left, right)
        return Term(Operand(graph.subtract(plus.operand, minus.operand, role)))

    root = tree(terms, join)
    return Operand(graph.negate(root.operand, role, both=True)) if root.negative else root.operand
