"""A layer's count and values, proved on the kernel that is emitted for it.

Values: the simulated Verilog, the netlist's own numbers and the equations as plain matrices. Counts: the layer's
inventory, the netlist's operators and the cells that an independent tool finds in the text. Every comparison is
equality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from nncomplexity.catalogue import Network, Part
from nncomplexity.errors import UsageError
from nncomplexity.layers.layer import Layer
from nncomplexity.quantization import parse_quantization

from .building import build
from .cells import collected_later
from .constants import whose
from .counts import adders, count_differences
from .elaborate import Design, elaborate
from .fixed import Overflow, Rounding
from .idealised import idealised
from .outline import port_differences, wire_differences
from .package import run_files
from .preparation import once, prepared
from .reference import Reference, deviation_of
from .simulators import BUILTIN, SECONDS, Run, check_simulator, run_bench
from .styles import PLANS, counted_by
from .table_census import table_differences
from .tools import NetlistError
from .trial import FOLDED, TOP, UNROLLED, Trial
from .values import equation_differences, simulation_differences
from .verdict import Verdict

__all__ = ["Differences", "Verdict", "judged", "prove", "verify"]


Elaborator = Callable[[str, str], Design]


class Differences(NamedTuple):
    """What was found to differ before a kernel was looked at."""

    values: Sequence[str] = ()
    counts: Sequence[str] = ()


NONE = Differences()


def verify(
    layer: Layer,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    quant: str = "model",
    style: str | None = None,
    schedule: str = UNROLLED,
    activation: str = "piecewise",
    vectors: int = 1000,
    seed: int = 0,
    simulator: str = BUILTIN,
    seconds: float = SECONDS,
) -> Verdict:
    """Emit the kernel of one execution of a layer, run it on vectors, count it, and compare.

    A bidirectional cell is proved as one of its directions, whose count is taken twice: both have the same equations,
    and where weights are built in, the other has a kernel of its own.
    weights: integers by the names the equations give them ("weight", "bias", "recurrent.f" …), row by row, drawn from
    `seed` where missing; a bias on a port in its own format, in a shift-add kernel in units of the sum it joins.
    style: "mac", real multipliers and weights on ports; "shiftadd", the default where weights are powers of two or sums
    of such; "binary", the bits of magnitudes; "shared" and "da", sums that share partial sums, the latter by da4ml.
    schedule: "unrolled", a step a cycle, or "folded", one multiply-accumulate unit whose cycles are the products.
    activation: how sigmoid and tanh of more than ten bits are computed, see `build`.
    simulator: "builtin", or "verilator" or "iverilog", which run the test bench of a bundle.
    Units: seconds of wall time for each run of another program.
    Raises: UnsupportedLayer for a layer without a kernel, UsageError E-KERNEL-FORMAT for float or free formats,
    ToolError where no tool elaborates Verilog, or the simulator is missing, hangs or breaks down.
    """
    network, said = Network([layer]), parse_quantization(quant)
    (part,) = network.parts(said)
    part = replace(part, accumulator=part.accumulator or network.accumulator(said))
    return prove(
        part,
        weights=weights,
        style=style,
        schedule=schedule,
        activation=activation,
        vectors=vectors,
        seed=seed,
        simulator=simulator,
        seconds=seconds,
    )


@collected_later()
def prove(
    part: Part,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    own: bool = False,
    style: str | None = None,
    schedule: str = UNROLLED,
    activation: str = "piecewise",
    vectors: int = 1000,
    seed: int = 0,
    modes: tuple[Rounding, Overflow] = (Rounding.TRN, Overflow.WRAP),
    reference: Reference | None = None,
    elaborator: Elaborator | None = None,
    simulator: str = BUILTIN,
    seconds: float = SECONDS,
) -> Verdict:
    """`verify` for a layer whose formats are filled in.

    own: biases that are given are constants in every style, in units of the sum they join; what is not given enters on
    a port in every style. modes: rounding and overflow of what is stored. reference: who computes the real numbers that
    results are compared with; the equations do where it knows no such layer. elaborator: what makes a design of a text
    and its top module, in place of `elaborate`.
    """
    check_simulator(simulator)
    trial = prepared(
        part,
        weights=weights,
        own=own,
        style=style,
        schedule=schedule,
        activation=activation,
        vectors=vectors,
        seed=seed,
        modes=modes,
    )
    run = _folded if schedule == FOLDED else _unrolled
    found = replace(run(trial, simulator, seconds, elaborator), weights=whose(trial.known, weights))
    run_on = trial.moving, trial.outputs
    return found.beside(deviation_of(trial.layer, trial.kernel, run_on, trial.known, reference))


def _unrolled(trial: Trial, simulator: str, seconds: float, elaborator: Elaborator | None) -> Verdict:
    design = (elaborator or elaborate)(trial.text, TOP)
    if simulator == BUILTIN:
        return judged(trial, design)
    return judged(trial, design, run_bench(trial, run_files(trial), simulator, seconds))


def _folded(trial: Trial, simulator: str, *_: object) -> Verdict:
    from .folded_proof import folded_verdict

    if simulator != BUILTIN:
        fact = f"a folded kernel has no test bench for {simulator}; choose builtin, or schedule unrolled"
        raise UsageError("E-SIMULATOR-NAME", fact)
    return folded_verdict(trial)


def judged(trial: Trial, design: Design, run: Run | None = None, before: Differences = NONE) -> Verdict:
    """The verdict on an elaborated kernel. run: of another simulator than the built-in one; before: what differs
    already."""
    graph, kernel = trial.kernel.graph, trial.kernel
    ports = port_differences(design, graph)
    counts = [*before.counts, *_told(lambda: count_differences(trial, design)), *wire_differences(design, trial.text)]
    simulated = ports or _told(lambda: _ran(trial, design, run))
    values = [*before.values, *simulated, *equation_differences(trial)]
    return Verdict(
        name=trial.name,
        style=trial.style,
        schedule=UNROLLED,
        simulator=run.tool if run else "none" if ports else design.tool,
        elaborator=design.tool,
        vectors=trial.vectors,
        steps=trial.steps,
        values_equal=not values,
        counts_equal=not counts,
        first_difference=(values + counts + [""])[0],
        operations=sum(graph.inventory().values()),
        inner_operations=sum(graph.insides().values()),
        idealised=idealised(once(trial.layer)),
        rounding=kernel.rounding.value,
        overflow=kernel.overflow.value,
        saturated=trial.saturated,
        counted_by=counted_by(trial.style),
        adders=adders(graph.inventory()),
        adders_alone=_adders_alone(trial),
    )


def _adders_alone(trial: Trial) -> int | None:
    """Adders of the kernel whose sums share nothing, beside one whose sums do."""
    if trial.style not in PLANS:
        return None
    alone = build(trial.layer, "shiftadd", trial.built_in, activation=trial.activation)
    return adders(alone.graph.inventory())


def _ran(trial: Trial, design: Design, run: Run | None) -> list[str]:
    """Differences of a run, and of tables, whose entries no vectors reach all."""
    found = simulation_differences(trial, design) if run is None else [run.difference] if run.difference else []
    return found + table_differences(design, trial.kernel.graph)


def _told(differences: Callable[[], list[str]]) -> list[str]:
    """Differences; that a text elaborates and yet cannot be run or counted is one."""
    try:
        return differences()
    except NetlistError as error:
        return [error.fact]
