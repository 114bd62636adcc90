"""One adder tree in Python integers: for the few matrices whose intervals do not fit 64 bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from .digits import binary_digits, signed_digits

__all__ = ["TERMS", "Term", "added", "held", "joined", "product_terms"]

Digits = Callable[[int], tuple[tuple[int, int], ...]]


class Term(NamedTuple):
    """A term or a partial sum: exact interval, constant low zero bits, whether all its digits are negative."""

    low: int
    high: int
    zeros: int = 0
    negative: bool = False


def product_terms(weights: list[int], inputs: list[tuple[int, int]]) -> list[Term]:
    """The product of every nonzero weight, in index order."""
    return [_scaled(weight, each) for weight, each in zip(weights, inputs, strict=True) if weight]


def digit_terms(weights: list[int], inputs: list[tuple[int, int]], digits: Digits = signed_digits) -> list[Term]:
    """The canonical signed digits of every weight, or others, exponents ascending."""
    return [
        _scaled(sign << exponent, each)._replace(zeros=exponent, negative=sign < 0)
        for weight, each in zip(weights, inputs, strict=True)
        for exponent, sign in digits(weight)
    ]


TERMS: Mapping[str, Callable[[list[int], list[tuple[int, int]]], list[Term]]] = {
    "products": product_terms,
    "digits": digit_terms,
    "binary": partial(digit_terms, digits=binary_digits),
}


def added(terms: list[Term], additions: Counter[tuple[bool, int, int]]) -> Term:
    """The root of the balanced tree over at least one term; its additions are charged."""
    while len(terms) > 1:
        sums = [joined(left, right, additions) for left, right in zip(terms[::2], terms[1::2], strict=False)]
        terms = sums + terms[len(terms) & ~1 :]
    return terms[0]


def joined(left: Term, right: Term, additions: Counter[tuple[bool, int, int]]) -> Term:
    """The sum of two terms, charged as (subtraction, width, passed)."""
    total = Term(
        left.low + right.low,
        left.high + right.high,
        min(left.zeros, right.zeros),
        left.negative and right.negative,
    )
    width = held(total)
    additions[left.negative != right.negative, width, min(max(left.zeros, right.zeros), width)] += 1
    return total


def held(term: Term) -> int:
    """Bits of the smallest two's complement holding the interval, and its negation where it is negated later."""
    ends = [term.low, term.high] + ([-term.low, -term.high] if term.negative else [])
    return max((end if end >= 0 else -end - 1).bit_length() for end in ends) + 1


def _scaled(factor: int, interval: tuple[int, int]) -> Term:
    ends = sorted(factor * end for end in interval)
    return Term(ends[0], ends[1])
