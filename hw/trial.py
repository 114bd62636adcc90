"""A kernel with the numbers it is run on: what is proved, written to a bundle, and read back from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nncomplexity.layers.layer import Layer

from .building import Kernel
from .verilog import emit

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["SCHEDULE", "TOP", "Trial"]

TOP, SCHEDULE = "nc_kernel", "unrolled"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """name, layer, style: what the kernel is of. known: every weight by the name the equations give it; drawn: names
    of those that were drawn. ports: the numbers held on ports of weights. moving: those on the others, step by step.

    Shapes: ports [elements]; moving [vectors, elements] for each step.
    """

    name: str
    layer: Layer
    style: str
    kernel: Kernel
    known: Mapping[str, Sequence[int]]
    drawn: Sequence[str]
    ports: Mapping[str, Array]
    moving: Mapping[str, Sequence[Array]]

    @property
    def built_in(self) -> Mapping[str, Sequence[int]]:
        """The weights inside the kernel, by name."""
        return self.known if self.style == "shiftadd" else {}

    @property
    def steps(self) -> int:
        """Executions of one vector, its states 0 before the first."""
        return len(next(iter(self.moving.values())))

    @property
    def vectors(self) -> int:
        """Samples."""
        return len(next(iter(self.moving.values()))[0])

    @cached_property
    def text(self) -> str:
        """The kernel as Verilog."""
        return emit(self.kernel.graph, TOP)

    @cached_property
    def outputs(self) -> Sequence[Mapping[str, Array]]:
        """The netlist's own numbers on every output port: [vectors, elements] for each step."""
        return self.kernel.outputs(self.moving, self.ports)
