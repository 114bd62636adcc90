"""Reading a dimension's text: names and the expressions exporters write, by a small parser that evaluates nothing.

    sum     = product {("+" | "-") product}
    product = factor {("*" | "//" | "/" | "%") factor}
    factor  = "-" factor | power
    power   = (integer | name | function "(" sum {"," sum} ")" | "(" sum ")") ["**" integer]

Functions are floor, ceil, Max, Min. A quotient by "/" is only meant inside floor or ceil. Whatever does not fit
(longer than 256 characters, deeper than 16, another sign, a negative number) is one opaque name: the text itself.
"""

from __future__ import annotations

import re
from hashlib import sha256
from operator import index
from typing import SupportsIndex

from .expressions import Size, ceil_divide, extent, floor_divide, maximum, minimum, symbol

__all__ = ["adopted", "is_integer_expression", "parse_dimension"]

LENGTH, DEPTH, INTEGER, POWER = 256, 16, 1 << 63, 8
# Terms of two factors multiplied; what exporters write has a handful.
TERMS = 256
TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][A-Za-z0-9_.:]*)|(//|\*\*|[-+*/%(),]))")


class NotAnExpression(Exception):
    """The text is no expression of this grammar."""


def parse_dimension(text: str) -> Size:
    """The size a dimension's text stands for; an opaque name where it is no expression.

    A blank around a name makes another name: the file says so.
    """
    if len(text) <= LENGTH and not text.isidentifier() and text == text.strip():
        try:
            size = _Parser(text).parse()
            if not isinstance(size, int) or 0 <= size < INTEGER:
                return size
        except (NotAnExpression, ZeroDivisionError):
            pass
    return symbol(_opaque(text))


def adopted(size: object) -> object:
    """A size of another library made our own: sympy's expressions by their text, numpy's integers by value.

    What is neither is given back as it is.
    """
    if type(size).__module__.startswith("sympy."):
        text = str(size)
        return parse_dimension(text) if is_integer_expression(text) else size
    return index(size) if isinstance(size, SupportsIndex) else size


def is_integer_expression(text: str) -> bool:
    """Whether a text is a name or an expression of this grammar, no opaque text."""
    if text.isidentifier():
        return True
    if len(text) > LENGTH or text != text.strip():
        return False
    try:
        size = _Parser(text).parse()
    except (NotAnExpression, ZeroDivisionError):
        return False
    return not isinstance(size, int) or 0 <= size < INTEGER


def _opaque(text: str) -> str:
    # Names of our own hold a NUL, and a name is repeated in every formula it is part of.
    name = text.replace("\0", "\\x00")
    if len(name) <= LENGTH:
        return name
    return f"{name[: LENGTH // 2]}…{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


class _Quotient:
    """A quotient that floor or ceil has yet to round."""

    def __init__(self, numerator: Size, denominator: Size) -> None:
        self.numerator, self.denominator = numerator, denominator


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            match = TOKEN.match(text, position)
            if not match:
                raise NotAnExpression
            self.tokens.append((match[1] or "", match[2] or "", match[3] or ""))
            position = match.end()
        self.position = 0
        self.depth = 0

    def parse(self) -> Size:
        result = self.whole(self.sum())
        if self.position != len(self.tokens):
            raise NotAnExpression
        return result

    def sign(self) -> str:
        return self.tokens[self.position][2] if self.position < len(self.tokens) else ""

    def take(self, sign: str) -> None:
        if self.sign() != sign:
            raise NotAnExpression
        self.position += 1

    @staticmethod
    def whole(value: Size | _Quotient) -> Size:
        if isinstance(value, _Quotient):
            raise NotAnExpression
        return value

    def sum(self) -> Size | _Quotient:
        self.depth += 1
        if self.depth > DEPTH:
            raise NotAnExpression
        result = self.product()
        while self.sign() in ("+", "-"):
            sign = self.sign()
            self.position += 1
            result = self.combine(sign, result, self.product())
        self.depth -= 1
        return result

    def product(self) -> Size | _Quotient:
        result = self.factor()
        while self.sign() in ("*", "//", "/", "%"):
            sign = self.sign()
            self.position += 1
            result = self.combine(sign, result, self.factor())
        return result

    def combine(self, sign: str, left: Size | _Quotient, right: Size | _Quotient) -> Size | _Quotient:
        if sign not in "+-" and _terms(left) * _terms(right) > TERMS:
            raise NotAnExpression
        if sign == "/" or isinstance(left, _Quotient) or isinstance(right, _Quotient):
            return _rational(sign, left, right)
        if sign == "//":
            return floor_divide(left, right)
        if sign == "%":
            return left - floor_divide(left, right) * right
        return left + right if sign == "+" else left - right if sign == "-" else left * right

    def factor(self) -> Size | _Quotient:
        if self.sign() == "-":
            self.position += 1
            return self.combine("*", self.factor(), -1)
        base = self.base()
        if self.sign() != "**":
            return base
        self.position += 1
        exponent, result = self.base(), self.whole(base)
        if not isinstance(exponent, int) or exponent > POWER or _terms(result) ** exponent > TERMS:
            raise NotAnExpression
        power: Size = 1
        for _ in range(exponent):
            power = power * result
        return power

    def base(self) -> Size | _Quotient:
        if self.position >= len(self.tokens):
            raise NotAnExpression
        digits, name, sign = self.tokens[self.position]
        self.position += 1
        if digits:
            if len(digits) > 19 or int(digits) >= INTEGER:
                raise NotAnExpression
            return int(digits)
        if name:
            return self.call(name) if self.sign() == "(" else symbol(name)
        if sign != "(":
            raise NotAnExpression
        result = self.sum()
        self.take(")")
        return result

    def call(self, name: str) -> Size:
        self.take("(")
        arguments = [self.sum()]
        while self.sign() == ",":
            self.position += 1
            arguments.append(self.sum())
        self.take(")")
        if name in ("floor", "ceil") and len(arguments) == 1:
            inner = arguments[0]
            if not isinstance(inner, _Quotient):
                return inner
            divide = floor_divide if name == "floor" else ceil_divide
            return divide(inner.numerator, inner.denominator)
        if name in ("Max", "Min"):
            sizes = [self.whole(argument) for argument in arguments]
            return maximum(*sizes) if name == "Max" else minimum(*sizes)
        raise NotAnExpression


def _terms(value: Size | _Quotient) -> int:
    return extent(value.numerator) * extent(value.denominator) if isinstance(value, _Quotient) else extent(value)


def _rational(sign: str, left: Size | _Quotient, right: Size | _Quotient) -> _Quotient:
    """Arithmetic of quotients: a/b + c/d = (a*d + c*b)/(b*d)."""
    (a, b), (c, d) = (
        (each.numerator, each.denominator) if isinstance(each, _Quotient) else (each, 1) for each in (left, right)
    )
    if sign == "*":
        return _Quotient(a * c, b * d)
    if sign == "/":
        return _Quotient(a * d, b * c)
    if sign not in "+-":
        raise NotAnExpression
    return _Quotient(a * d + c * b if sign == "+" else a * d - c * b, b * d)
