"""What every layer of the catalogue shares: number formats with the paper's defaults, and how often it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Self, TypeVar

from ..arithmetic import Arithmetic
from ..dimensions import adopted
from ..errors import SpecError, quoted
from ..expressions import Size, is_expression, product, symbol
from ..formats import Format, Lettered, accumulator, format_of_dtype

__all__ = ["FLOAT32", "Layer"]

FORMATS = {"weight": "w", "input": "i", "activation": "a", "recurrent": "w", "key": "i", "value": "i"}
FLOAT32 = format_of_dtype("float32")
WIDEST = 64
# Sizes may come as sympy's symbols or numpy's integers.
FOREIGN = ("sympy.", "numpy")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Equations with sizes and formats: b_w is `weight`, b_i is `input`, b_a is `activation`.

    kind: the name in a specification. letters: what the literature calls each size; a product is written as several
    letters. spec: the fields a specification may set beside name and formats. FLOAT32 itself, the default of every
    format, means "not said". empty: sizes of 0 are allowed, as tensors of a file may be empty.
    Raises SpecError E-SPEC-SIZE for a size or a width that breaks its rule.
    """

    kind: ClassVar[str] = ""
    letters: ClassVar[Mapping[str, str]] = {}
    spec: ClassVar[tuple[str, ...]] = ()
    name: str = field(default="", compare=False)
    weight: Format = FLOAT32
    input: Format = FLOAT32
    activation: Format = FLOAT32
    empty: bool = False

    def __post_init__(self) -> None:
        self._check_formats()
        self._check(*self.letters)

    def _check_formats(self) -> None:
        for each in fields(self):
            format = getattr(self, each.name)
            if type(format).__module__.startswith(FOREIGN):
                object.__setattr__(self, each.name, adopted(format))
            if isinstance(format, Format) and not is_expression(format.bits) and not 1 <= format.width <= WIDEST:
                raise self._refusal(f"{each.name}.bits", format.bits, f"an integer from 1 to {WIDEST}")

    @property
    def executions(self) -> Size:
        """How often the equations run for one inference."""
        return 1

    @property
    def states(self) -> tuple[tuple[Size, Format], ...]:
        """What is kept from one execution to the next: how many numbers, in which format."""
        return ()

    @property
    def formats(self) -> dict[str, Format]:
        """The named formats a report shows."""
        return {"weight": self.weight, "input": self.input}

    def _summing(self, terms: Size) -> dict[str, Format]:
        """The formats of a layer that is one kind of dot product: its factors, and what their sum is kept in."""
        total = accumulator(terms, self.weight, self.input)
        return {"weight": self.weight, "input": self.input, "accumulator": total}

    def resources(self) -> dict[str, Size]:
        """What one inference needs beside arithmetic, by the metric that counts it: quantum circuits and gates."""
        return {}

    def parameters(self) -> dict[str, Size]:
        """How many trained numbers the layer stores, by tensor; see `stored_in` for their formats."""
        return {}

    def stored_in(self, parameter: str) -> Format:
        """The format of a trained tensor: `recurrent` where the tensor is called so, else `weight`."""
        found = getattr(self, parameter, None)
        return found if isinstance(found, Format) else self.weight

    def equations(self, m: Arithmetic[V]) -> None:
        """The layer in the vocabulary of `arithmetic`."""
        raise NotImplementedError(f"{type(self).__name__} has no equations")

    def lettered(self) -> Self:
        """The layer with every size and format replaced by its letters: counting it gives the closed form."""
        sizes = {
            name: product([symbol(letter) for letter in text.split()])
            for name, text in self.letters.items()
            if getattr(self, name) is not None
        }
        formats = {
            field.name: Lettered(bits=symbol(f"b_{FORMATS[field.name]}"), letter=FORMATS[field.name])
            for field in fields(self)
            if field.name in FORMATS
        }
        return replace(self, **sizes, **formats)  # type: ignore[arg-type]

    def _check(self, *names: str, least: int = 1) -> None:
        """Refuse sizes that are no integers of at least `least`; a free size passes, and one not said."""
        least = 0 if self.empty else least
        for name in names:
            value = getattr(self, name)
            if value is None or is_expression(value):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise self._refusal(name, value, f"an integer of at least {least}")

    def _refusal(self, field: str, value: object, rule: str) -> Exception:
        """E-SPEC-SIZE: the field, the value found and the rule it breaks."""
        return SpecError("E-SPEC-SIZE", f"{field} is {quoted(value)}, expected {rule}").at(self.kind)
