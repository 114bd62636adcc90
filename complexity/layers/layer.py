"""What every layer of the catalogue shares: number formats with the paper's defaults, and how often it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from ..expressions import Size, product, symbol
from ..formats import Format, Lettered, format_of_dtype

__all__ = ["Layer"]

FORMATS = {"weight": "w", "input": "i", "activation": "a", "recurrent": "w"}
FLOAT32 = format_of_dtype("float32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Equations with sizes and formats: b_w is `weight`, b_i is `input`, b_a is `activation`.

    letters: what the literature calls each size; a product is written as several letters.
    """

    kind: ClassVar[str] = ""
    letters: ClassVar[Mapping[str, str]] = {}
    weight: Format = FLOAT32
    input: Format = FLOAT32

    @property
    def executions(self) -> Size:
        """How often the equations run for one inference."""
        return 1

    @property
    def formats(self) -> dict[str, Format]:
        """The named formats a report shows."""
        return {"weight": self.weight, "input": self.input}

    def lettered(self) -> Self:
        """The layer with every size and format replaced by its letters: counting it gives the closed form."""
        sizes = {name: product([symbol(letter) for letter in text.split()]) for name, text in self.letters.items()}
        formats = {
            field.name: Lettered(bits=symbol(f"b_{FORMATS[field.name]}"), letter=FORMATS[field.name])
            for field in fields(self)
            if field.name in FORMATS
        }
        return replace(self, **sizes, **formats)  # type: ignore[arg-type]
