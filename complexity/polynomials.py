"""What expressions are made of: atoms, monomials over them, their order, their text, and what they are at least.

A polynomial is a dictionary from monomials to coefficients; the empty monomial holds the constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from .errors import ModelError

if TYPE_CHECKING:
    from .expressions import Size

__all__ = [
    "Atom",
    "Monomial",
    "Number",
    "cancelled",
    "extent",
    "joined",
    "joined_text",
    "leading",
    "lower_bound",
    "print_order",
    "term_text",
]

# Functions nest as deep as layers follow one another; Python's stack ends somewhere behind a hundred of them.
DEPTH, TEXT = 60, 100_000
Number = int | Fraction
Monomial = tuple[tuple["Atom", int], ...]


class Atom:
    """An indivisible factor: a name, or a function of expressions; equal when written equal."""

    __slots__ = ("arguments", "depth", "function", "key")
    depth: int

    def __init__(self, function: str, arguments: tuple[Size, ...], key: str) -> None:
        inner = [atom.depth for size in arguments for monomial in _terms(size) for atom, _ in monomial]
        self.depth = 1 + max(inner, default=0)
        if self.depth > DEPTH or len(key) > TEXT:
            fact = f"an expression of {len(key)} characters, {self.depth} functions deep, is too long to be useful"
            raise ModelError("E-LIMIT-TERMS", f"{fact}; bind some dims with --dim")
        self.function = function
        self.arguments = arguments
        self.key = key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key and self.function == other.function


def _terms(size: Size) -> Mapping[Monomial, Number]:
    return {(): size} if isinstance(size, int) else size.terms


def joined(left: Monomial, right: Monomial) -> Monomial:
    """The product of two monomials."""
    if not left:
        return right
    if not right:
        return left
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda factor: factor[0].key))


def cancelled(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The quotient of two monomials, None if it is none."""
    powers = dict(monomial)
    for atom, power in divisor:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return tuple((atom, power) for atom, power in powers.items() if power)


def leading(monomial: Monomial) -> tuple[tuple[str, int], ...]:
    """Lexicographic order of exponent vectors: compatible with multiplication, so long division terminates."""
    return tuple((_reversed_key(atom.key), power) for atom, power in monomial)


def _reversed_key(key: str) -> str:
    return "".join(chr(0x10FFFF - ord(character)) for character in key) + "\U0010ffff"


def extent(size: Size) -> int:
    """How many terms a size has, those inside its functions included."""
    if isinstance(size, int):
        return 1
    inner = sum(extent(each) for monomial in size.terms for atom, _ in monomial for each in atom.arguments)
    return len(size.terms) + inner


def lower_bound(size: Size) -> Number | None:
    """What a size is at least while every name is at least one, None if that is not known."""
    total: Number = 0
    for monomial, coefficient in _terms(size).items():
        if not monomial:
            total += coefficient
        elif coefficient < 0:
            return None
        else:
            bound = coefficient
            for atom, power in monomial:
                low = _atom_bound(atom)
                if low is None or low < 0:
                    return None
                bound = bound * low**power
            total += bound
    return total


def _atom_bound(atom: Atom) -> Number | None:
    if atom.function == "name":
        return 1
    if atom.function == "clog2":
        return 0
    bounds = [lower_bound(argument) for argument in atom.arguments]
    if atom.function == "floor":
        numerator, denominator = bounds[0], atom.arguments[1]
        if numerator is None:
            return None
        return numerator // denominator if isinstance(denominator, int) else (0 if numerator >= 0 else None)
    known = [bound for bound in bounds if bound is not None]
    if atom.function == "Max":
        return max(known, default=None)
    return min(known) if len(known) == len(bounds) else None


def print_order(term: tuple[Monomial, Number]) -> tuple[int, bool, tuple[tuple[str, int], ...]]:
    """Terms of high degree first, then by name."""
    monomial, coefficient = term
    return (
        -sum(power for _, power in monomial),
        coefficient < 0,
        tuple((atom.key, -power) for atom, power in monomial),
    )


def term_text(monomial: Monomial, coefficient: Number) -> str:
    """A term in Python's operators."""
    factors = [atom.key if power == 1 else f"{atom.key}**{power}" for atom, power in monomial]
    if abs(coefficient) != 1 or not factors:
        factors.insert(0, str(abs(coefficient)))
    return ("-" if coefficient < 0 else "") + "*".join(factors)


def joined_text(parts: list[str]) -> str:
    """A sum of terms in Python's operators."""
    text = parts[0]
    for part in parts[1:]:
        text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return text
