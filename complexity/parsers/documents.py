"""Small files of TOML or JSON: read up to a limit, decimal fractions kept exact."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Sequence
from decimal import Decimal

from ..errors import ModelError, quoted
from .files import open_regular

__all__ = ["parse_document", "read_document"]


def read_document(path: str, limit: int, what: str) -> bytes:
    """The bytes of a regular file. Raises ModelError where it cannot be read or holds more than `limit` bytes."""
    with os.fdopen(open_regular(path), "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ModelError("E-SPEC-LIMIT", f"{what} of more than {limit} bytes is not read")
    return data


def parse_document(data: bytes, *, toml: bool) -> object:
    """The document as plain data, fractions as Decimal. Raises ModelError E-SPEC-SYNTAX."""
    # Decimal fractions stay exact: a density of 0.1 is one tenth.
    try:
        text = data.decode("utf-8-sig")
        if toml:
            return tomllib.loads(text, parse_float=Decimal)
        return json.loads(text, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, RecursionError, ArithmeticError) as error:
        kind = "TOML" if toml else "JSON"
        raise ModelError("E-SPEC-SYNTAX", f"not valid {kind}: {quoted(error, 120)}") from None


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice}' is given twice")
    return found
