"""Exact integer expressions in named sizes: what a dimension or a count is while some size is still free.

An `Expression` is a polynomial with rational coefficients over *atoms*: names, floor quotients, maxima, minima and
rounded-up binary logarithms. A result without an atom is returned as a plain int, so the same arithmetic text serves
concrete and free sizes, and a concrete model never meets this module's classes. The normal form is unique enough for
equality of shapes, and it is built by addition of dictionaries: no algebra system is loaded to count.

A name stands for a size of at least one; that is what maxima and slices may assume of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import TypeGuard, Union

from .errors import ModelError
from .polynomials import (
    Atom,
    Monomial,
    Number,
    cancelled,
    extent,
    joined,
    joined_text,
    leading,
    lower_bound,
    print_order,
    term_text,
)

__all__ = [
    "Expression",
    "Size",
    "at_least",
    "ceil_divide",
    "clog2",
    "divide_exactly",
    "extent",
    "factored",
    "floor_divide",
    "is_expression",
    "maximum",
    "minimum",
    "names",
    "peak",
    "product",
    "rounded_down",
    "substitute",
    "symbol",
    "total",
]

TERMS = 10_000
# Terms of a greatest value that a reader can still make something of, those inside its functions included.
READABLE = 100
Size = Union[int, "Expression"]


class Expression:
    """A polynomial over atoms, never constant; immutable, hashable, printed in Python's own operators."""

    __slots__ = ("_hash", "_text", "terms")

    def __init__(self, terms: dict[Monomial, Number]) -> None:
        if len(terms) > TERMS:
            raise _too_long(len(terms))
        self.terms = terms
        self._hash: int | None = None
        self._text: str | None = None

    def __add__(self, other: Size) -> Size:
        if not isinstance(other, int | Expression):
            return NotImplemented
        terms = dict(self.terms)
        _add_terms(terms, other)
        return _normal(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return _normal({monomial: -coefficient for monomial, coefficient in self.terms.items()})

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, int | Expression):
            return NotImplemented
        return self + -other

    def __rsub__(self, other: Size) -> Size:
        return -self + other

    def __mul__(self, other: Size) -> Size:
        if not isinstance(other, int | Fraction | Expression):
            return NotImplemented
        if len(self.terms) * len(_terms(other)) > 100 * TERMS:
            raise _too_long(len(self.terms) * len(_terms(other)))
        terms: dict[Monomial, Number] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                monomial = joined(left, right)
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _normal(terms)

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Size:
        result: Size = 1
        for _ in range(exponent):
            result = result * self
        return result

    def __floordiv__(self, other: Size) -> Size:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return floor_divide(other, self)

    def __mod__(self, other: Size) -> Size:
        return self - floor_divide(self, other) * other

    def __rmod__(self, other: int) -> Size:
        return other - floor_divide(other, self) * self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __bool__(self) -> bool:
        raise TypeError(f"the truth of {self} is not known while a size is free")

    def __str__(self) -> str:
        if self._text is None:
            ordered = sorted(self.terms.items(), key=print_order)
            self._text = joined_text([term_text(monomial, coefficient) for monomial, coefficient in ordered])
        return self._text

    __repr__ = __str__


def symbol(name: str) -> Expression:
    """The size called `name`, at least one."""
    return Expression({((Atom("name", (), name), 1),): 1})


def is_expression(size: object) -> TypeGuard[Expression]:
    """True while the size still holds a free name."""
    return isinstance(size, Expression)


def names(size: Size) -> set[str]:
    """The free names of a size."""
    if isinstance(size, int):
        return set()
    found: set[str] = set()
    for monomial in size.terms:
        for atom, _ in monomial:
            if atom.function == "name":
                found.add(atom.key)
            for argument in atom.arguments:
                found |= names(argument)
    return found


def total(sizes: Iterable[Size]) -> Size:
    """The sum of sizes, 0 for none; linear in their terms where repeated addition is not."""
    whole = 0
    terms: dict[Monomial, Number] = {}
    for size in sizes:
        if isinstance(size, int):
            whole += size
        else:
            _add_terms(terms, size)
    return _normal(terms) + whole


def _add_terms(terms: dict[Monomial, Number], size: Size) -> None:
    for monomial, coefficient in _terms(size).items():
        terms[monomial] = terms.get(monomial, 0) + coefficient


def _too_long(found: int) -> ModelError:
    return ModelError("E-LIMIT-TERMS", f"an expression of {found} terms exceeds {TERMS}; bind some dims with --dim")


def product(sizes: tuple[Size, ...] | list[Size]) -> Size:
    """The product of sizes, 1 for none."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def clog2(size: Size) -> Size:
    """L(n) = ceil(log2 n), L(1) = 0, by integer arithmetic; 0 for n = 0, where no sum exists."""
    if isinstance(size, int):
        return (size - 1).bit_length() if size > 0 else 0
    return _atom("clog2", (size,), f"clog2({size})")


def floor_divide(numerator: Size, denominator: Size) -> Size:
    """floor(numerator / denominator); whole multiples are pulled out and nested quotients are joined."""
    if isinstance(numerator, int) and isinstance(denominator, int):
        return numerator // denominator
    if not isinstance(denominator, int):
        exact = divide_exactly(numerator, denominator)
        return exact if exact is not None else _quotient(numerator, denominator)
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    terms = _terms(numerator)
    common = lcm(*(c.denominator for c in terms.values()))
    terms, denominator = {m: c * common for m, c in terms.items()}, denominator * common
    whole = {m: Fraction(c, denominator) for m, c in terms.items() if c % denominator == 0}
    rest = {m: c for m, c in terms.items() if c % denominator != 0}
    return _normal(dict(whole)) + _reduced_quotient(rest, denominator)


def _reduced_quotient(rest: dict[Monomial, Number], denominator: int) -> Size:
    constant = int(rest.pop((), 0))
    constant_whole, constant = divmod(constant, denominator)
    if not rest:
        return constant_whole
    common = gcd(denominator, *(int(c) for c in rest.values()))
    rest, constant, denominator = (
        {m: int(c) // common for m, c in rest.items()},
        constant // common,
        denominator // common,
    )
    if denominator == 1:
        return _normal(dict(rest)) + constant + constant_whole
    if len(rest) == 1:
        ((monomial, coefficient),) = rest.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].function == "floor":
            inner, divisor = monomial[0][0].arguments
            if isinstance(divisor, int):
                return floor_divide(inner + constant * divisor, divisor * denominator) + constant_whole
    return _quotient(_normal({**rest, (): constant}), denominator) + constant_whole


def _quotient(numerator: Size, denominator: Size) -> Size:
    return _atom("floor", (numerator, denominator), f"({_wrapped(numerator)}//{_wrapped(denominator)})")


def rounded_down(size: Size | Fraction) -> Size:
    """floor of a size with rational coefficients."""
    return size.numerator // size.denominator if isinstance(size, Fraction) else floor_divide(size, 1)


def ceil_divide(numerator: Size, denominator: Size) -> Size:
    """ceil(numerator / denominator)."""
    return floor_divide(numerator + denominator - 1, denominator)


def divide_exactly(numerator: Size, denominator: Size) -> Size | None:
    """numerator / denominator where it leaves no remainder as polynomials, else None."""
    if isinstance(denominator, int):
        if denominator == 0:
            return None
        terms = _terms(numerator)
        if any(c % denominator for c in terms.values()):
            return None
        return _normal({m: Fraction(c, denominator) for m, c in terms.items()})
    lead = max(denominator.terms, key=leading)
    quotient: Size = 0
    for _ in range(len(_terms(numerator)) + len(denominator.terms)):
        if isinstance(numerator, int) and numerator == 0:
            return quotient
        terms = _terms(numerator)
        top = max(terms, key=leading)
        monomial = cancelled(top, lead)
        if monomial is None:
            return None
        step = _normal({monomial: Fraction(terms[top]) / denominator.terms[lead]})
        quotient, numerator = quotient + step, numerator - step * denominator
    return quotient if isinstance(numerator, int) and numerator == 0 else None


def at_least(left: Size, right: Size) -> bool | None:
    """Whether left >= right for all sizes of at least one: True, False, or None where it depends on them."""
    difference = left - right
    if isinstance(difference, int):
        return difference >= 0
    low = lower_bound(difference)
    if low is not None and low >= 0:
        return True
    high = lower_bound(-difference)
    return False if high is not None and high > 0 else None


def maximum(*sizes: Size) -> Size:
    """The largest of sizes; left as Max(...) where the free names decide."""
    return _extremum("Max", sizes, at_least)


def peak(*sizes: Size | None) -> Size | None:
    """The largest of sizes; None where one is unknown or free names make the answer too long to be read."""
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    largest = maximum(*known)
    return largest if isinstance(largest, int) or extent(largest) <= READABLE else None


def minimum(*sizes: Size) -> Size:
    """The smallest of sizes; left as Min(...) where the free names decide."""
    return _extremum("Min", sizes, lambda a, b: at_least(b, a))


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """The size with names replaced; all names replaced by ints gives an int."""
    if isinstance(size, int):
        return size
    result: Size = 0
    for monomial, coefficient in size.terms.items():
        term: Size = 1
        for atom, power in monomial:
            factor = _substituted(atom, values)
            for _ in range(power):
                term = term * factor
        result = result + _scaled(term, coefficient)
    return result


def _substituted(atom: Atom, values: Mapping[str, Size]) -> Size:
    if atom.function == "name":
        return values.get(atom.key, symbol(atom.key))
    arguments = tuple(substitute(argument, values) for argument in atom.arguments)
    functions: dict[str, Callable[..., Size]] = {"floor": floor_divide, "Max": maximum, "Min": minimum, "clog2": clog2}
    return functions[atom.function](*arguments)


def _scaled(size: Size, coefficient: Number) -> Size:
    return _normal({monomial: c * coefficient for monomial, c in _terms(size).items()})


def _extremum(function: str, sizes: tuple[Size, ...], wins: Callable[[Size, Size], bool | None]) -> Size:
    flat: list[Size] = []
    for size in sizes:
        parts = _arguments_of(function, size)
        for part in parts:
            if any(wins(kept, part) for kept in flat):
                continue
            flat = [kept for kept in flat if not wins(part, kept)] + [part]
    if len(flat) == 1:
        return flat[0]
    flat.sort(key=str)
    return _atom(function, tuple(flat), f"{function}({', '.join(str(part) for part in flat)})")


def _arguments_of(function: str, size: Size) -> tuple[Size, ...]:
    if isinstance(size, Expression) and len(size.terms) == 1:
        ((monomial, coefficient),) = size.terms.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].function == function:
            return monomial[0][0].arguments
    return (size,)


def _atom(function: str, arguments: tuple[Size, ...], key: str) -> Expression:
    return Expression({((Atom(function, arguments, key), 1),): 1})


def factored(size: Size) -> str:
    """The size as text with what all terms share pulled out: n_h*n_s*(4*n_h + 3) for 4*n_h**2*n_s + 3*n_h*n_s."""
    if not isinstance(size, Expression) or len(size.terms) < 2:
        return str(size)
    shared: dict[Atom, int] | None = None
    for monomial in size.terms:
        powers = dict(monomial)
        shared = powers if shared is None else {a: min(p, powers[a]) for a, p in shared.items() if a in powers}
    whole = [c for c in size.terms.values() if isinstance(c, int)]
    common = gcd(*whole) if len(whole) == len(size.terms) else 1
    monomial = tuple(sorted((shared or {}).items(), key=lambda factor: factor[0].key))
    if common == 1 and not monomial:
        return str(size)
    rest: dict[Monomial, Number] = {cancelled(m, monomial) or (): Fraction(c, common) for m, c in size.terms.items()}
    return f"{term_text(monomial, common)}*({_normal(rest)})"


def _terms(size: Size | Fraction) -> dict[Monomial, Number]:
    return size.terms if isinstance(size, Expression) else {(): size}


def _normal(terms: dict[Monomial, Number]) -> Size:
    kept = {m: (c.numerator if isinstance(c, Fraction) and c.denominator == 1 else c) for m, c in terms.items() if c}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept and isinstance(kept[()], int):
        return int(kept[()])
    return Expression(kept)


def _wrapped(size: Size) -> str:
    if isinstance(size, Expression) and (len(size.terms) > 1 or "*" in str(size) or str(size).startswith("-")):
        return f"({size})"
    return str(size)
