"""Reading a dimension's text: names and the expressions exporters write, by a small parser that evaluates nothing.

    sum     = product {("+" | "-") product}
    product = factor {("*" | "//" | "/" | "%") factor}
    factor  = ["-"] (integer | name | function "(" sum {"," sum} ")" | "(" sum ")")

Functions are floor, ceil, Max, Min. A quotient by "/" is only meant inside floor or ceil. Whatever does not fit
(longer than 256 characters, deeper than 16, another sign) is one opaque name: the text itself.
"""

from __future__ import annotations

import re

from .expressions import (
    Size,
    ceil_divide,
    floor_divide,
    maximum,
    minimum,
    symbol,
)

__all__ = ["parse_dimension"]

LENGTH, DEPTH, INTEGER = 256, 16, 1 << 63
TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][A-Za-z0-9_.:]*)|(//|[-+*/%(),]))")


class NotAnExpression(Exception):
    """The text is no expression of this grammar."""


def parse_dimension(text: str) -> Size:
    """The size a dimension's text stands for; an opaque name where it is no expression."""
    if len(text) <= LENGTH and not text.isidentifier():
        try:
            return _Parser(text).parse()
        except (NotAnExpression, ZeroDivisionError):
            pass
    return symbol(text)


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
        b = self.whole(right)
        if isinstance(left, _Quotient):
            if sign in ("+", "-"):
                shifted = b * left.denominator
                return _Quotient(left.numerator + (shifted if sign == "+" else -shifted), left.denominator)
            raise NotAnExpression
        if sign == "/":
            return _Quotient(left, b)
        if sign == "//":
            return floor_divide(left, b)
        if sign == "%":
            return left % b
        return left + b if sign == "+" else left - b if sign == "-" else left * b

    def factor(self) -> Size | _Quotient:
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
        if sign == "-":
            return self.combine("*", self.whole(self.factor()), -1)
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
