"""Packed vectors as text: one line of hexadecimal digits for all ports that are given, held or made together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nncomplexity.errors import ModelError, quoted

from .bundles import UnsupportedLayer
from .netlist import Graph
from .words import packed, unpacked

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Field", "Layout", "layout", "numbers_of", "read_words", "width_of", "words_of", "written"]

WORD = re.compile(r"[0-9a-fA-F]+", re.ASCII)


class Field(NamedTuple):
    """A port in its line: element 0 in the lowest of its bits, the port itself `low` bits up in the line."""

    port: str
    low: int
    elements: int
    bits: int
    signed: bool
    fraction: int

    @property
    def width(self) -> int:
        """Bits of the port."""
        return self.elements * self.bits


class Layout(NamedTuple):
    """Which ports share a line: those that change, those held for the whole run, those made by the kernel."""

    given: tuple[Field, ...]
    held: tuple[Field, ...]
    made: tuple[Field, ...]


def layout(graph: Graph) -> Layout:
    """The lines of a kernel. Raises UnsupportedLayer for an output whose elements are of several widths."""
    inputs = [port for port in graph.inputs.values() if not port.register and port.elements]
    moving = [port for port in inputs if not port.name.startswith("w")]
    held = [port for port in inputs if port.name.startswith("w")]
    outputs = []
    for name, places in graph.outputs.items():
        kinds = {(graph.nodes[place].width, not graph.nodes[place].unsigned) for place in places}
        if len(kinds) > 1:
            raise UnsupportedLayer(f"the elements of its output {name} have several widths")
        for (bits, signed), first in zip(kinds, places, strict=False):
            outputs.append((name, len(places), bits, signed, graph.nodes[first].fraction))
    entered = [
        [(each.name, each.elements, each.width, not each.unsigned, each.fraction) for each in ports]
        for ports in (moving, held)
    ]
    return Layout(*(tuple(_placed(ports)) for ports in (*entered, outputs)))


def width_of(fields: Sequence[Field]) -> int:
    """Bits of a line."""
    return sum(field.width for field in fields)


def words_of(fields: Sequence[Field], numbers: Mapping[str, Array]) -> list[int]:
    """A line's number for each sample. Shapes: numbers [samples, elements] by port."""
    each = [packed(numbers[field.port], field.bits) << field.low for field in fields]
    return list(map(int, sum(each[1:], each[0]).tolist())) if each else []


def numbers_of(fields: Sequence[Field], words: Sequence[int]) -> dict[str, Array]:
    """The integers on every port, [samples, elements]."""
    import numpy as np

    line = np.array(words, object)
    return {
        field.port: unpacked(line >> field.low, field.elements, field.bits, signed=field.signed) for field in fields
    }


def written(words: Sequence[int], width: int) -> str:
    """One word a line, all of as many digits as the bits need."""
    digits = -(-width // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)


def read_words(text: str, place: str, width: int, lines: int) -> list[int]:
    """The words of a text, blank lines and comments left out.

    Raises: ModelError E-BUNDLE-WORDS for what is no such word, for one too wide, for another number of lines.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.partition("//")[0].strip()
        if not word:
            continue
        if not WORD.fullmatch(word):
            raise _wrong(place, f"line {number} is '{quoted(word, 40)}', expected hexadecimal digits")
        value = int(word, 16)
        if value >> width:
            raise _wrong(place, f"line {number} holds {value.bit_length()} bits, expected at most {width}")
        found.append(value)
    if len(found) != lines:
        raise _wrong(place, f"{len(found)} words, expected {lines}")
    return found


def _wrong(place: str, fact: str) -> ModelError:
    error = ModelError("E-BUNDLE-WORDS", f"{fact}; emit the bundle again")
    error.at(place)
    return error


def _placed(ports: Sequence[tuple[str, int, int, bool, int]]) -> Iterator[Field]:
    low = 0
    for name, elements, bits, signed, fraction in ports:
        yield Field(name, low, elements, bits, signed, fraction)
        low += elements * bits
