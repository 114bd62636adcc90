"""A kernel with the numbers it is run on: what is proved, written to a bundle, and read back from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nncomplexity.layers.layer import Layer

from .building import Kernel
from .saturation import watched
from .verilog import emit

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["FOLDED", "SCHEDULES", "TOP", "UNROLLED", "Trial"]

TOP = "nc_kernel"
SCHEDULES = UNROLLED, FOLDED = "unrolled", "folded"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """name, layer, style, schedule, activation: what the kernel is of; of a folded one `kernel` is the unrolled kernel
    that it must agree with. known: every weight by the name the equations give it;
    built_in: those inside the kernel; drawn: names of those that were drawn. ports: the numbers held on ports of
    weights. moving: those on the others, step by step.

    Shapes: ports [elements]; moving [vectors, elements] for each step.
    """

    name: str
    layer: Layer
    style: str
    schedule: str = UNROLLED
    activation: str
    kernel: Kernel
    known: Mapping[str, Sequence[int]]
    built_in: Mapping[str, Sequence[int]]
    drawn: Sequence[str]
    ports: Mapping[str, Array]
    moving: Mapping[str, Sequence[Array]]

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

    @property
    def outputs(self) -> Sequence[Mapping[str, Array]]:
        """The netlist's own numbers on every output port: [vectors, elements] for each step."""
        return self._run[0]

    @property
    def saturated(self) -> bool | None:
        """Whether the run reached the ends of what is stored; None for a kernel without states."""
        return self._run[1]

    @cached_property
    def _run(self) -> tuple[Sequence[Mapping[str, Array]], bool | None]:
        return watched(self.kernel, self.moving, self.ports)
