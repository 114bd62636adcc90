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

from nncomplexity.accounting.counter import Signal
from nncomplexity.accounting.exact import ExactCounter
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.layer import Layer
from nncomplexity.layers.recurrent import Recurrent
from nncomplexity.ops import PRODUCTS, Op, Role

from .activity import Activity
from .building import Kernel
from .cells import packed, unpacked
from .census import census
from .declared import Declared, declared
from .elaborate import Design, elaborate
from .folded import Folded, fold
from .folded_verilog import ACTIVE, DONE, START, bits_for, emit_folded
from .kernels import whole
from .nodes import operators
from .proof import ROWS, Verdict, adders, difference, plain, unequal
from .simulate import VALUES
from .styles import counted_by

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Run", "folded_verdict", "run_folded"]

# Cycles that are waited for beyond those the unit should need.
PATIENCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """outputs: y0 of every step, as far as the kernel came; cycles: of the unit in every one of them, [samples].

    early: whether it worked or was done before it was started.
    """

    outputs: list[Array]
    cycles: list[Array]
    early: bool


class DotCounter(ExactCounter):
    """A kernel of real multipliers, the operations of its dots apart from the others."""

    def __init__(self) -> None:
        super().__init__()
        self.dots: dict[Op, Any] = {}

    def dot(self, x: Signal, weight: Signal, **said: Any) -> Signal:
        others, self.counts = self.counts, self.dots
        found = super().dot(x, weight, **said)
        self.counts = others
        return found


def folded_verdict(
    name: str,
    layer: Layer,
    kernel: Kernel,
    known: Mapping[str, Sequence[int]],
    moving: Mapping[str, Sequence[Array]],
    ports: Mapping[str, Array],
) -> Verdict:
    """What is proved of the folded kernel of a layer.

    kernel: the unrolled one, weights on ports; known: the weights by name; moving, ports: the numbers on its ports.
    """
    folded = fold(layer, known)
    design = elaborate(emit_folded(folded), "nc_kernel")
    counts = _counts(layer, folded, design)
    steps, vectors = len(next(iter(moving.values()))), len(next(iter(moving.values()))[0])
    wanted = kernel.run(moving, {port: values[None].repeat(vectors, 0) for port, values in ports.items()})
    fixed = {port: values for port, values in ports.items() if port in folded.graph.inputs}
    run = run_folded(folded, design, moving, fixed)
    values = ["netlist and simulation: it works before it is started"] if run.early else []
    for step, (one, other) in enumerate(zip(wanted, run.outputs, strict=False)):
        values += unequal(f"netlist and simulation, step {step}", one, other)
    if len(run.outputs) < steps:
        waited = folded.cycles + PATIENCE
        values.append(f"netlist and simulation, step {len(run.outputs)}: not done after {waited} cycles")
    if isinstance(layer, Dense):
        for x, sums in zip(moving["x0"], wanted, strict=True):
            values += unequal("equation and netlist", plain(layer, known, x, whole(layer.input.fraction)), sums)
    for step, cycles in enumerate(run.cycles):
        if (cycles != folded.cycles).any():
            counts.append(f"products and cycles, step {step}: {folded.cycles} and {cycles.max()} of the unit")
    return Verdict(
        name=name,
        style="mac",
        schedule="folded",
        simulator=design.tool,
        vectors=vectors,
        steps=steps,
        values_equal=not values,
        counts_equal=not counts,
        first_difference=(values + counts + [""])[0],
        operations=sum(folded.graph.inventory().values()) + 2,
        cycles=max((int(cycles.max()) for cycles in run.cycles), default=0),
        counted_by=counted_by("mac"),
        adders=adders(folded.graph.inventory()) + 1,
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
        outputs=[np.concatenate(found) for found in zip(*(run.outputs for run in runs), strict=False)],
        cycles=[np.concatenate(found) for found in zip(*(run.cycles for run in runs), strict=False)],
        early=any(run.early for run in runs),
    )


def _batch(folded: Folded, design: Design, words: Mapping[str, Sequence[Array]], held: Mapping[str, Array]) -> Run:
    """The same for so many samples as are run at once."""
    import numpy as np

    graph, (idle, pulse) = folded.graph, (np.array([0]), np.array([1]))
    first = graph.nodes[graph.outputs["y0"][0]]
    steps, samples = (len(each := next(iter(words.values()))), len(each[0])) if words else (1, 1)
    activity = Activity(design.simulation, {**held, **{port: each[0] for port, each in words.items()}, START: idle})
    outputs: list[Array] = []
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
        word = np.broadcast_to(activity.output("y0"), samples)
        outputs.append(unpacked(word, len(graph.outputs["y0"]), first.width, signed=not first.unsigned))
    return Run(outputs=outputs, cycles=counted, early=early)


def _counts(layer: Layer, folded: Folded, design: Design) -> list[str]:
    """Where inventory, netlist and census differ."""
    once = replace(layer, steps=1) if isinstance(layer, Recurrent) else layer
    counter, times = DotCounter(), whole(once.executions)
    once.equations(counter)
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
    seen, wanted = census(design), _wanted(folded)
    for row in ROWS:
        one, other = Counter(dict(getattr(wanted, row))), Counter(dict(getattr(seen, row)))
        if one != other:
            found.append(difference(f"netlist and census of {row}", one, other))
    return found + _enabled(design)


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
