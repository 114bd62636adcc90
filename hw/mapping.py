"""A layer of a specification mapped to a target: its kernel drawn, counted, synthesised, and when it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nncomplexity.accounting import count, states_of
from nncomplexity.catalogue import Part
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Inventory, Kind

from .cache import Cache
from .census import Census, census
from .counts import known_matrices
from .elaborate import elaborate
from .preparation import prepared
from .schedule import Schedule, folded, unrolled
from .stated import whole
from .styles import inventory
from .synth import Synthesis, synthesise, transparent
from .tools import NetlistError
from .trial import TOP, Trial

__all__ = ["Mapped", "made_of", "mapped", "schedules"]


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
    weights: Mapping[str, Sequence[int]] | None = None,
    own: bool = False,
    style: str | None = None,
    seed: int = 0,
    seconds: float = 600.0,
    cache: Cache | None = None,
) -> Mapped:
    """Synthesise the kernel of one execution of a layer whose formats are filled in.

    weights, own: as `prove`; those that are not given are drawn from `seed`.
    Units: seconds of wall time for each run of the tool. Raises: as `verify` and `synthesise`.
    """
    found = prepared(part, weights=weights, own=own, style=style, vectors=1, seed=seed)
    verilog = found.text
    synthesis = synthesise(verilog, target, top=TOP, seconds=seconds, cache=cache)
    return Mapped(
        name=part.name,
        style=found.style,
        synthesis=synthesis,
        inventory=made_of(found) + states_of(_one_direction(part.layer)),
        declared=census(elaborate(verilog, TOP, seconds=seconds)),
        optimised=_optimised(verilog, seconds),
        schedules=schedules(part.layer),
    )


def made_of(found: Trial) -> Inventory:
    """What one execution of a kernel is charged. Weights on ports are no constants of the circuit; 0 of a ReLU is."""
    charged = inventory(_one_direction(found.layer), found.style, known_matrices(found), once=True)
    if found.style != "mac":
        return charged
    return Inventory({op if op.kind is Kind.COMPARE else op._replace(constant=False): n for op, n in charged})


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
