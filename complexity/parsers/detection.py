"""Schemes found in the values of weights, on request: powers of two, sums of two, few distinct numbers.

The scheme of a format is never guessed from its scale: two quantizers may share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..accounting import Matrix, statistics_of
from ..formats import AdditivePowerOfTwo, Fixed, Format, PowerOfTwo
from ..shapes import Tensor
from ..weights.histogram import Statistics

if TYPE_CHECKING:
    from .rows import Answer

__all__ = ["detected"]

# Sums of more signed powers of two are what canonical digits of any number are.
TERMS = 2


def detected(
    answer: Answer, operands: Mapping[str, Matrix], inputs: Sequence[Tensor | None]
) -> tuple[tuple[Tensor | None, ...], str]:
    """The inputs with the schemes that their values have, and what was found, in words; "" without known weights."""
    matrices: dict[int, list[Matrix]] = {}
    for name, layout in answer.layouts.items():
        if name in operands and name.startswith(("weight", "recurrent")) and operands[name].whole:
            matrices.setdefault(layout.input, []).append(operands[name])
    given, words = list(inputs), []
    for index, found in matrices.items():
        tensor, figures = given[index], statistics_of(found)
        if tensor is None or not isinstance(figures, Statistics):
            continue
        format, scheme = _scheme(tensor.number, figures)
        given[index] = replace(tensor, format=format)
        words.append(f"{scheme}, {figures.distinct:,} distinct of {figures.numbers:,}")
    return tuple(given), "; ".join(words)


def _scheme(format: Format, figures: Statistics) -> tuple[Format, str]:
    if not isinstance(format, Fixed) or figures.numbers == figures.zeros:
        return format, str(format)
    if figures.most_digits == 1:
        found = PowerOfTwo(bits=format.bits, integer=format.integer, signed=format.signed)
        return found, "powers of two"
    if figures.most_digits <= TERMS:
        sums = AdditivePowerOfTwo(bits=format.bits, integer=format.integer, signed=format.signed, terms=TERMS)
        return sums, f"sums of {TERMS} powers of two"
    return format, f"uniform, up to {figures.most_digits} signed digits"
