"""Options of the form NAME=VALUE, split at the last `=`."""

from __future__ import annotations

from collections.abc import Sequence

from nncomplexity.errors import BindingError, quoted

__all__ = ["parse_dims", "parse_shapes", "parse_values"]

DIGITS = 19


def _pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name:
            raise BindingError("E-BIND-PAIR", f"{option} '{quoted(text)}' is not NAME=VALUE")
        found.append((name, value))
    return found


def _integer(option: str, text: str, *, signed: bool = False) -> int:
    digits = text[1:] if signed and text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS):
        raise BindingError("E-BIND-NUMBER", f"{option}: '{quoted(text)}' is not an integer of at most {DIGITS} digits")
    return int(text)


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """`--dim NAME=INT`; one name bound to two sizes is refused."""
    dims: dict[str, int] = {}
    for name, value in _pairs("--dim", texts):
        size = _integer("--dim", value)
        if dims.setdefault(name, size) != size:
            raise BindingError("E-BIND-TWICE", f"--dim: '{quoted(name)}' is bound to {dims[name]} and to {size}")
    return dims


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int | str, ...]]:
    """`--shape INPUT=1x3x224`; each size an integer or a name, `scalar` for rank 0."""
    shapes: dict[str, tuple[int | str, ...]] = {}
    for name, value in _pairs("--shape", texts):
        sizes: list[int | str] = []
        for size in [] if value == "scalar" else value.split("x"):
            if size.isidentifier():
                sizes.append(size)
            else:
                sizes.append(_integer("--shape", size))
        if shapes.setdefault(name, tuple(sizes)) != tuple(sizes):
            raise BindingError("E-BIND-TWICE", f"--shape: '{quoted(name)}' is given twice with different shapes")
    return shapes


def parse_values(texts: Sequence[str]) -> dict[str, tuple[int | bool, ...]]:
    """`--value INPUT=16000`, `true`, `1,2,3`."""
    words = {"true": True, "false": False}
    values: dict[str, tuple[int | bool, ...]] = {}
    for name, value in _pairs("--value", texts):
        parts = [words.get(part.lower()) for part in value.split(",")]
        values[name] = tuple(
            known if known is not None else _integer("--value", part, signed=True)
            for known, part in zip(parts, value.split(","), strict=True)
        )
    return values
