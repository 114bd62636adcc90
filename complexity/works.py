"""Equations of an operator of a file as a layer, so that a kernel can be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from .accounting import Countable
from .arithmetic import Arithmetic
from .expressions import Size
from .formats import Format
from .layers.layer import Layer

__all__ = ["Work", "layer_of"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Layer):
    """What a node of a file computes (`Row.work`): its formats are in its equations."""

    kind: ClassVar[str] = "operator"
    work: Countable

    @property
    def executions(self) -> Size:
        return self.work.executions

    @property
    def formats(self) -> dict[str, Format]:
        """None beside those of the equations."""
        return {}

    @property
    def wired(self) -> bool:
        """Whether the equations say which element meets which; those for counting alone do not."""
        return bool(getattr(self.work, "wired", False))

    def equations(self, m: Arithmetic[V]) -> None:
        """One execution."""
        self.work.equations(m)  # type: ignore[arg-type]


def layer_of(work: Countable, name: str = "") -> Layer:
    """The work of a row as a layer: itself, where it is one."""
    return work if isinstance(work, Layer) else Work(work=work, name=name)
