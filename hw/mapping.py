"""A layer of a specification mapped to a target: its kernel drawn, counted, synthesised, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nncomplexity.accounting import count, states_of
from nncomplexity.catalogue import Part
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Inventory, Kind

from .cache import Cache
from .census import Census, census
from .elaborate import elaborate
from .kernels import whole
from .proof import Drawn, counted, drawn
from .schedule import Schedule, folded, unrolled
from .synth import Synthesis, synthesise, transparent
from .tools import NetlistError
from .verilog import emit

__all__ = ["Mapped", "made_of", "mapped", "schedules"]

TOP = "nc_kernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What was made of a layer. inventory: what one execution of the kernel is charged, its states among it.

    declared, optimised: the operators in the text, and after the tool shared and narrowed them; None where it made of
    them what no census counts. schedules: of the emitted kernel, and of one folded onto a multiply-accumulate unit.
    """

    name: str
    style: str
    synthesis: Synthesis
    inventory: Inventory
    declared: Census
    optimised: Census | None
    schedules: tuple[Schedule, ...]


def mapped(
    part: Part,
    target: str = "xilinx",
    *,
    style: str | None = None,
    seed: int = 0,
    seconds: float = 600.0,
    cache: Cache | None = None,
) -> Mapped:
    """Synthesise the kernel of one execution of a layer whose formats are filled in, its weights drawn from `seed`.

    Units: seconds of wall time for each run of the tool. Raises: as `verify` and `synthesise`.
    """
    import numpy as np

    found = drawn(part, np.random.default_rng(seed), style=style)
    verilog = emit(found.kernel.graph, TOP)
    synthesis = synthesise(verilog, target, top=TOP, seconds=seconds, cache=cache)
    return Mapped(
        name=part.name,
        style=found.style,
        synthesis=synthesis,
        inventory=made_of(part.layer, found) + states_of(_one_direction(part.layer)),
        declared=census(elaborate(verilog, TOP, seconds=seconds)),
        optimised=_optimised(verilog, seconds),
        schedules=schedules(part.layer),
    )


def made_of(layer: Layer, found: Drawn) -> Inventory:
    """What one execution of a kernel is charged. Weights on ports are no constants of the circuit; 0 of a ReLU is."""
    inventory = counted(_one_direction(layer), found.style, found.built_in, once=True)
    if found.built_in:
        return inventory
    return Inventory({op if op.kind is Kind.COMPARE else op._replace(constant=False): n for op, n in inventory})


def schedules(layer: Layer) -> tuple[Schedule, ...]:
    """The emitted kernel's, and that of a kernel folded onto one multiply-accumulate unit."""
    executions = whole(_one_direction(layer).executions)
    dense = count(_one_direction(layer), "paper", once=True)
    return unrolled(executions), folded(dense, executions)


def _one_direction(layer: Layer) -> Layer:
    # A kernel is one cell; the other direction is a second kernel, which runs at the same time.
    return replace(layer, bidirectional=False) if getattr(layer, "bidirectional", False) else layer  # type: ignore[call-arg]


def _optimised(verilog: str, seconds: float) -> Census | None:
    design = elaborate(transparent(verilog), TOP, optimised=True, seconds=seconds)
    try:
        return census(design)
    except NetlistError:
        return None
