"""A value of a layer's equations as a netlist sees it: a bundle of wires of one interval and one binary point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from nncomplexity.errors import UsageError
from nncomplexity.formats import Format

from .netlist import Graph, Operand

__all__ = ["Bundle", "UnsupportedLayer", "Weight", "aligned", "paired"]


class UnsupportedLayer(UsageError):
    """No kernel can be made of a layer: its equations leave open what a circuit has to know (E-KERNEL-LAYER)."""

    def __init__(self, fact: str) -> None:
        super().__init__("E-KERNEL-LAYER", fact)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """nodes: a wire for each element, all between low and high in units of 2**-fraction; empty for a constant whose
    `values` are known. constant: known before the run. width, unsigned: how a known number is stored.
    number: what mathematics says that all of them are. format: what it is stored in; None of a sum or a product.
    name: as the equations say. signs: a wire for each element that is one greater where the wire is -1."""

    nodes: tuple[int, ...] = ()
    low: int
    high: int
    fraction: int
    constant: bool = False
    values: tuple[int, ...] | None = None
    width: int = 0
    unsigned: bool = False
    number: Fraction | None = None
    format: Format | None = None
    name: str = ""
    signs: tuple[int, ...] = ()

    @property
    def elements(self) -> int:
        """How many numbers there are."""
        return len(self.nodes) if self.values is None else len(self.values)

    @property
    def interval(self) -> tuple[int, int]:
        """The integers an element may be."""
        return self.low, self.high


class Weight(NamedTuple):
    """A constant of the equations. rows: the sums its numbers are factors of, row by row; itself a row each if none."""

    format: Format
    elements: int
    rows: int


def aligned(graph: Graph, bundle: Bundle, fraction: int) -> tuple[int, ...]:
    """The wires of a bundle with so many bits behind the point, no fewer than it has."""
    shift = fraction - bundle.fraction
    ends = bundle.low << shift, bundle.high << shift
    return tuple(graph.wire(Operand(node, shift), ends, fraction) for node in bundle.nodes)


def paired(right: Sequence[int], elements: int) -> Sequence[int]:
    """The second operand broadcast onto so many elements. Raises UnsupportedLayer unless it has one or as many."""
    if len(right) == elements:
        return right
    if len(right) == 1:
        return list(right) * elements
    raise UnsupportedLayer(
        f"an operand of {len(right)} elements meets one of {elements}: the equations do not say which element meets "
        "which; state them with equal sizes"
    )
