"""A layer proved on its folded kernel: one multiplier and one accumulating adder make all its sums of products.

Values: the simulated Verilog and the unrolled netlist's own numbers. Counts: the cycles in which the unit works, seen
in the simulation, are the products of the layer's inventory; what is no dot is counted operator by operator, in the
inventory, the netlist and the elaborated text. Every comparison is equality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nncomplexity.accounting import Matrix
from nncomplexity.accounting.counter import Signal
from nncomplexity.accounting.exact import ExactCounter
from nncomplexity.ops import PRODUCTS, Op, Role

from .activity import Activity
from .census import census
from .counts import adders, cell_differences, difference, known_matrices
from .declared import Declared, declared
from .elaborate import Design, elaborate
from .folded import Folded, fold
from .folded_verilog import ACTIVE, DONE, REST, START, bits_for, emit_folded
from .idealised import idealised
from .nodes import operators
from .outline import wire_differences
from .preparation import once
from .simulate import VALUES
from .stated import whole
from .styles import counted_by
from .table_census import Content, table_differences
from .trial import FOLDED, TOP, Trial
from .values import equation_differences, unequal
from .verdict import Verdict
from .words import packed, unpacked

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Run", "folded_verdict", "run_folded"]

# Cycles that are waited for beyond those the unit should need.
PATIENCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """outputs: by port for every step, as far as the kernel came; cycles: of the unit in every one of them, [samples].

    early: whether it worked or was done before it was started.
    """

    outputs: list[dict[str, Array]]
    cycles: list[Array]
    early: bool


class DotCounter(ExactCounter):
    """A kernel of real multipliers, the operations of its dots apart from the others."""

    def __init__(self, operands: Mapping[str, Matrix]) -> None:
        super().__init__(None, operands)
        self.dots: dict[Op, Any] = {}

    def dot(self, x: Signal, weight: Signal, **said: Any) -> Signal:
        others, self.counts = self.counts, self.dots
        found = super().dot(x, weight, **said)
        self.counts = others
        return found


def folded_verdict(trial: Trial) -> Verdict:
    """What is proved of the folded kernel of a layer; the trial's own is the unrolled one."""
    kernel = trial.kernel
    modes = {"rounding": kernel.rounding, "overflow": kernel.overflow, "activation": trial.activation}
    folded = fold(trial.layer, trial.known, joining=bool(trial.built_in), **modes)
    text = emit_folded(folded)
    design = elaborate(text, TOP)
    counts = _counts(trial, folded, design) + wire_differences(design.alone(REST), text)
    fixed = {port: values for port, values in trial.ports.items() if port in folded.graph.inputs}
    run = run_folded(folded, design, trial.moving, fixed)
    values = ["netlist and simulation: it works before it is started"] if run.early else []
    for step, (wanted, found) in enumerate(zip(trial.outputs, run.outputs, strict=False)):
        for name, numbers in found.items():
            values += unequal(f"netlist and simulation, {name}, step {step}", wanted[name], numbers)
    if len(run.outputs) < trial.steps:
        waited = folded.cycles + PATIENCE
        values.append(f"netlist and simulation, step {len(run.outputs)}: not done after {waited} cycles")
    values += table_differences(design, folded.graph, _memory(folded)) + equation_differences(trial)
    for step, cycles in enumerate(run.cycles):
        if (cycles != folded.cycles).any():
            counts.append(f"products and cycles, step {step}: {folded.cycles} and {cycles.max()} of the unit")
    return Verdict(
        name=trial.name,
        style="mac",
        schedule=FOLDED,
        simulator=design.tool,
        elaborator=design.tool,
        vectors=trial.vectors,
        steps=trial.steps,
        values_equal=not values,
        counts_equal=not counts,
        first_difference=(values + counts + [""])[0],
        operations=sum(folded.graph.inventory().values()) + 2,
        inner_operations=sum(folded.graph.insides().values()),
        cycles=max((int(cycles.max()) for cycles in run.cycles), default=0),
        counted_by=counted_by("mac"),
        adders=adders(folded.graph.inventory()) + 1,
        idealised=idealised(once(trial.layer)),
        rounding=kernel.rounding.value,
        overflow=kernel.overflow.value,
        saturated=trial.saturated,
    )


def run_folded(
    folded: Folded, design: Design, moving: Mapping[str, Sequence[Array]], fixed: Mapping[str, Array]
) -> Run:
    """Steps one after the other, each started by a pulse, its inputs held from the next cycle until it is done.

    moving: port to its integers [samples, elements] at each step; fixed: [elements] of ports that keep theirs.
    """
    import numpy as np

    graph = folded.graph
    samples = len(next(iter(moving.values()))[0])
    held = {port: packed(values[None], graph.inputs[port].width) for port, values in fixed.items()}
    words = {
        port: [packed(values, graph.inputs[port].width) for values in each]
        for port, each in moving.items()
        if port in graph.inputs
    }
    at_once = max(1, VALUES // len(design.simulation.widths))
    runs = [
        _batch(folded, design, {port: [word[at : at + at_once] for word in each] for port, each in words.items()}, held)
        for at in range(0, samples, at_once)
    ]
    return Run(
        outputs=[
            {name: np.concatenate([each[name] for each in found]) for name in found[0]}
            for found in zip(*(run.outputs for run in runs), strict=False)
        ],
        cycles=[np.concatenate(found) for found in zip(*(run.cycles for run in runs), strict=False)],
        early=any(run.early for run in runs),
    )


def _batch(folded: Folded, design: Design, words: Mapping[str, Sequence[Array]], held: Mapping[str, Array]) -> Run:
    """The same for so many samples as are run at once."""
    import numpy as np

    graph, (idle, pulse) = folded.graph, (np.array([0]), np.array([1]))
    made = {name: nodes for name, nodes in graph.outputs.items() if name.startswith("y")}
    steps, samples = (len(each := next(iter(words.values()))), len(each[0])) if words else (1, 1)
    activity = Activity(design.simulation, {**held, **{port: each[0] for port, each in words.items()}, START: idle})
    outputs: list[dict[str, Array]] = []
    counted: list[Array] = []
    early = bool(activity.output(ACTIVE).any() or activity.output(DONE).any())
    for step in range(steps):
        activity.edge({START: pulse})
        worked, left = np.zeros(samples, np.int64) + activity.output(ACTIVE), folded.cycles + PATIENCE
        activity.edge({**{port: each[step] for port, each in words.items()}, START: idle})
        while left and not activity.output(DONE).all():
            worked = worked + activity.output(ACTIVE)
            activity.edge({})
            left -= 1
        if not left:
            break
        counted.append(worked + activity.output(ACTIVE))
        found = {}
        for name, nodes in made.items():
            first, word = graph.nodes[nodes[0]], np.broadcast_to(activity.output(name), samples)
            found[name] = unpacked(word, len(nodes), first.width, signed=not first.unsigned)
        outputs.append(found)
    return Run(outputs=outputs, cycles=counted, early=early)


def _counts(trial: Trial, folded: Folded, design: Design) -> list[str]:
    """Where inventory, netlist and census differ."""
    single = once(trial.layer)
    counter, times = DotCounter(known_matrices(trial)), whole(single.executions)
    single.equations(counter)
    counted, made = operators(counter.inventory(times)), folded.graph.inventory()
    others = Counter({op: n * times for op, n in made.items() if op.role is not Role.REQUANTIZATION})
    found = [difference("inventory and netlist", counted, others)] if counted != others else []
    products: Counter[Role] = Counter()
    for op, count in counter.dots.items():
        products[op.role] += whole(count) * times if op.kind in PRODUCTS else 0
    for role in products | folded.products:
        if products[role] != folded.products[role] * times:
            cycles = folded.products[role] * times
            found.append(f"inventory and schedule: {products[role]} and {cycles} products of role {role.value}")
    # Counters and the choice of operands are control, and are not counted.
    wanted = replace(_wanted(folded), control=Counter(census(design).control))
    return found + cell_differences(wanted, design) + _enabled(design)


def _memory(folded: Folded) -> list[Content]:
    """The weight memory, 0 behind the last word."""
    if all(dot.right for dot in folded.dots):
        return []
    address, width = bits_for(folded.cycles), folded.right_bits
    words = [*folded.words, *[0] * ((1 << address) - len(folded.words))]
    return [(address, width, tuple(word % (1 << width) for word in words))]


def _wanted(folded: Folded) -> Declared:
    """The cells of what is no dot, of the unit, its memory and its registers."""
    found = declared(folded.graph)
    left, right = folded.left_bits, folded.right_bits
    found.multiplications[left, right, max(left, right, folded.product_bits)] += 1
    found.additions[False, folded.sum_bits, 0] += 1
    found.registers[folded.sum_bits] += 1
    for dot in folded.dots:
        found.registers[folded.graph.inputs[dot.result].width] += dot.rows
    if any(not dot.right for dot in folded.dots):
        found.tables[bits_for(folded.cycles), right] += 1
    return found


def _enabled(design: Design) -> list[str]:
    """Whether the cycles that are counted are those in which the accumulator takes a sum."""
    (port,) = (port for port in design.ports if port.name == ACTIVE)
    pins = {
        bit for cell in design.cells if cell.path == "accumulator" for bits in cell.connections.values() for bit in bits
    }
    return [] if set(port.bits) <= pins else [f"the port {ACTIVE} is not what enables the accumulator"]
