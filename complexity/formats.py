"""Number formats: how many bits a number has, what it can hold, and what a product by such a constant costs in adders.

Every format has a name that parses back to an equal format: `fixed<8,4>`, `ufixed<8,8>`, `pot<4>`, `apot<6,2>`,
`binary`, `ternary`, `float32`. `fixed<W,I>` is ap_fixed's: W bits in all, I integer bits, the sign included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from .errors import QuantizationError, quoted
from .expressions import Size, at_least, clog2, divide_exactly, maximum, symbol

__all__ = [
    "Accumulation",
    "AdditivePowerOfTwo",
    "Binary",
    "Fixed",
    "Float",
    "Format",
    "Lettered",
    "Mixed",
    "PowerOfTwo",
    "Ternary",
    "accumulator",
    "format_of_dtype",
    "grown",
    "integers",
    "parse_format",
    "parts",
    "widest",
]

WIDEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A set of numbers a wire or a memory cell can hold.

    bits: storage width. integer: integer bits, the sign included. signed: negative numbers exist.
    floating: an exponent per number, so no additions-and-shifts cost is defined.
    """

    bits: Size
    integer: Size = 1
    signed: bool = True
    floating: bool = False

    @property
    def adders(self) -> Size:
        """X: adders needed at most to multiply a variable by one constant of this format (uniform: bits - 1).

        Source: Freire et al., arXiv 2206.12191 (reconstructed); X = b - 1 for uniform quantization.
        """
        return maximum(self.bits - 1, 0)

    @property
    def operand(self) -> Format:
        """The format as a factor of a further product: a float out of an accumulator is stored again first."""
        return self

    @property
    def fraction(self) -> Size:
        """Bits behind the binary point."""
        return self.bits - self.integer

    @property
    def plain(self) -> Format:
        """The format as its name says it: all that its bits can hold."""
        return self

    @property
    def interval(self) -> tuple[int, int]:
        """Smallest and largest integer that occurs, in units of 2**-fraction."""
        return self.full

    @property
    def full(self) -> tuple[int, int]:
        """Smallest and largest integer of `bits` bits: two's complement, or unsigned."""
        width = self.width
        return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if self.signed else (0, (1 << width) - 1)

    @property
    def width(self) -> int:
        """bits as an int; widths are symbols only in the `paper` convention, which never asks for this."""
        if not isinstance(self.bits, int):
            raise QuantizationError("E-WIDTH-SYMBOL", f"the exact convention needs integer widths, found {self.bits}")
        return self.bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(Format):
    """Fixed point: an integer of `bits` bits times 2**-(bits - integer).

    reachable: smallest and greatest integer that occurs, where that is less than `bits` bits can hold.
    """

    reachable: tuple[int, int] | None = None

    @property
    def interval(self) -> tuple[int, int]:
        return self.reachable or self.full

    @property
    def plain(self) -> Format:
        return self if self.reachable is None else replace(self, reachable=None)

    def __str__(self) -> str:
        return f"{'' if self.signed else 'u'}fixed<{self.bits},{self.integer}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed(Fixed):
    """Integers of several widths in one tensor: `bits` is the widest, `shares` how many numbers have each width."""

    shares: tuple[tuple[int, int], ...]

    @property
    def plain(self) -> Format:
        return self

    def parts(self, elements: Size) -> Iterator[tuple[Format, Size]]:
        """The formats of so many numbers of the tensor, each with how many have it."""
        whole = sum(count for _, count in self.shares)
        for bits, count in self.shares:
            part = divide_exactly(elements * count, whole)
            assert part is not None
            yield Fixed(bits=bits, integer=bits, signed=self.signed), part


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfTwo(Format):
    """An integer of `bits` bits that is 0 or +-2**k: a product by it is one shift (X = 0)."""

    @property
    def adders(self) -> Size:
        return 0

    def __str__(self) -> str:
        return f"pot<{self.bits}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditivePowerOfTwo(Format):
    """An integer of `bits` bits that is a sum of at most `terms` signed powers of two (X = terms - 1).

    Source: Li, Dong, Wang (2020), arXiv 1909.13144.
    """

    terms: int = 2

    @property
    def adders(self) -> Size:
        return self.terms - 1

    def __str__(self) -> str:
        return f"apot<{self.bits},{self.terms}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Format):
    """-1 or +1, stored in one bit; a product by it is a sign (X = 0)."""

    bits: Size = 1

    @property
    def interval(self) -> tuple[int, int]:
        return (-1, 1)

    @property
    def fraction(self) -> Size:
        return 0

    def __str__(self) -> str:
        return "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ternary(Format):
    """-1, 0 or +1, stored in two bits; a product by it is a sign or nothing (X = 0)."""

    bits: Size = 2

    @property
    def adders(self) -> Size:
        return 0

    @property
    def interval(self) -> tuple[int, int]:
        return (-1, 1)

    @property
    def fraction(self) -> Size:
        return 0

    def __str__(self) -> str:
        return "ternary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Float(Format):
    """Floating point of `bits` storage bits; `label` tells formats of one width apart (float16, bfloat16).

    stored: for an accumulator, the storage bits of what it sums.
    """

    label: str = ""
    stored: Size = 0
    floating: bool = True

    @property
    def operand(self) -> Format:
        return Float(bits=self.stored) if self.stored != 0 else self

    def __str__(self) -> str:
        return self.label or f"float<{self.bits}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettered(Format):
    """A format in a formula: b bits and X adders per multiplication, both letters of the literature."""

    letter: str

    @property
    def adders(self) -> Size:
        return symbol(f"X_{self.letter}")

    def __str__(self) -> str:
        return f"fixed<{self.bits}>"


FLOATS = {
    "float64": 64,
    "float32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float8e4m3fn": 8,
    "float8e4m3fnuz": 8,
    "float8e5m2": 8,
    "float8e5m2fnuz": 8,
    "float8e8m0": 8,
    "float6e2m3": 6,
    "float6e3m2": 6,
    "float4e2m1": 4,
}
# A complex number is stored as two floats; the operators that compute on it count its real products themselves.
COMPLEX = {"complex64": 32, "complex128": 64}
NAMED = re.compile(r"(u?fixed|pot|apot|float)<(-?\d{1,9})(?:,(-?\d{1,9}))?>", re.ASCII)
# Formats whose name says their width and nothing else.
WIDTH_ONLY = ("pot", "float")


@cache
def format_of_dtype(dtype: str | None) -> Format:
    """The format of an ONNX element type: floats by their storage bits, integers as fixed point of no fraction."""
    if dtype in FLOATS:
        return Float(bits=FLOATS[dtype], label=dtype)
    if dtype in COMPLEX:
        return Float(bits=COMPLEX[dtype], label=f"float{COMPLEX[dtype]}")
    if dtype == "bool":
        return Fixed(bits=1, integer=1, signed=False)
    if dtype is not None and (match := re.fullmatch(r"(u?)int(\d+)", dtype)):
        bits = int(match[2])
        return Fixed(bits=bits, integer=bits, signed=not match[1])
    return Float(bits=32, label="float32")


def integers(low: int, high: int, fraction: int = 0) -> Fixed:
    """The narrowest format of the integers from low to high, in units of 2**-fraction; unsigned where none is negative.

    Two's complement: -2**(b-1) <= low and high < 2**(b-1); unsigned: high < 2**b. At least one bit.
    """
    signed = low < 0
    bits = max(1, max(-low - 1, high).bit_length() + 1 if signed else high.bit_length())
    found = Fixed(bits=bits, integer=bits - fraction, signed=signed)
    return found if found.interval == (low, high) else replace(found, reachable=(low, high))


def parse_format(text: str) -> Format:
    """The format a name stands for; raises QuantizationError E-FORMAT for any other text."""
    if text in FLOATS:
        return format_of_dtype(text)
    if text in ("binary", "ternary"):
        return Binary() if text == "binary" else Ternary()
    match = NAMED.fullmatch(text)
    if not match or (match[1] in WIDTH_ONLY and match[3]):
        raise QuantizationError(
            "E-FORMAT",
            f"'{quoted(text)}' is not a number format; write fixed<W,I>, ufixed<W,I>, pot<b>, apot<b,t>, binary, "
            "ternary or a float type",
        )
    kind, bits, second = match[1], int(match[2]), match[3]
    check_bits(bits, text)
    if kind == "pot":
        return PowerOfTwo(bits=bits)
    if kind == "apot":
        terms = int(second) if second else min(2, bits)
        if not 1 <= terms <= bits:
            raise QuantizationError("E-FORMAT", f"'{quoted(text)}' asks for {terms} terms of {bits} bits")
        return AdditivePowerOfTwo(bits=bits, terms=terms)
    if kind == "float":
        return Float(bits=bits)
    return Fixed(bits=bits, integer=int(second) if second is not None else 1, signed=kind == "fixed")


def check_bits(bits: int, text: str) -> None:
    """Refuse widths outside 1..64 by name."""
    if not 1 <= bits <= WIDEST:
        raise QuantizationError(
            "E-BITS", f"'{quoted(text)}' asks for {bits} bits; a width is an integer from 1 to {WIDEST}"
        )


def parts(format: Format, elements: Size) -> Iterator[tuple[Format, Size]]:
    """The formats of so many numbers of a tensor, each with how many have it."""
    if isinstance(format, Mixed):
        yield from format.parts(elements)
    else:
        yield format, elements


def accumulator(terms: Size, left: Format, right: Format) -> Format:
    """Acc(n, b, b') = b + b' + ceil(log2 n): what holds the sum of n products; also the cost of one addition in it."""
    growth = clog2(terms)
    if left.floating or right.floating:
        return Float(bits=left.bits + right.bits + growth, stored=maximum(left.bits, right.bits))
    return Fixed(
        bits=left.bits + right.bits + growth,
        integer=left.integer + right.integer + growth,
        signed=left.signed or right.signed,
    )


@dataclass(frozen=True, slots=True)
class Accumulation:
    """The sum of `terms` products of two formats, still in its accumulator."""

    terms: Size
    left: Format
    right: Format

    @property
    def format(self) -> Format:
        """Acc(terms, left, right)."""
        return accumulator(self.terms, self.left, self.right)


def grown(operand: Format, terms: Size) -> Format:
    """What holds the sum of n numbers of one format: b + ceil(log2 n) bits; a float stays as wide as it is."""
    if operand.floating:
        return operand
    growth = clog2(terms)
    return Fixed(bits=operand.bits + growth, integer=operand.integer + growth, signed=operand.signed)


def widest(left: Format, right: Format) -> Format:
    """The wider of two formats, a float before a fixed one; the first where they tie."""
    if left.floating != right.floating:
        return left if left.floating else right
    return left if at_least(left.bits, right.bits) is not False else right
