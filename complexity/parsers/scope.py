"""Names in force in a graph, and what walking a graph gives."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ComplexityError
from ..expressions import Size
from ..network import Row
from ..shapes import Tensor

__all__ = ["ABSENT", "Body", "Scope"]

# What an optional input of a function is inside it when the call leaves it out.
ABSENT = Tensor(shape=(0,), constant=True)


@dataclass(slots=True)
class Scope:
    """The tensors of a graph by name, then those of the graphs around it."""

    tensors: dict[str, Tensor]
    around: Scope | None = None

    def find(self, name: str) -> Tensor | None:
        """The tensor of a name, None if nothing produced it."""
        scope: Scope | None = self
        while scope is not None:
            if (tensor := scope.tensors.get(name)) is not None:
                return tensor
            scope = scope.around
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A graph walked: what it gives, its rows, the most bits alive in it, and why a node does not fit its inputs."""

    outputs: tuple[Tensor, ...]
    rows: tuple[Row, ...]
    peak: Size | None
    problem: ComplexityError | None = None
