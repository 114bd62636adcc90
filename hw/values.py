"""Where the values of a kernel differ: the simulated text, the netlist's own integers, the equations as matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from .elaborate import Design
from .numbers import execute
from .trial import Trial
from .vectors import drawn_inputs
from .words import packed, unpacked

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["equation_differences", "place", "simulation_differences", "unequal"]

# Samples with weights of their own on the ports, for two steps.
WEIGHTS, STEPS = 16, 2


def equation_differences(trial: Trial) -> list[str]:
    """Where the netlist's own integers and the plain matrices of the equations differ."""
    # A bias on a port is a number of its own format.
    joining = not any("bias" in name for name in trial.kernel.names)
    plain = execute(trial.layer, trial.kernel, trial.moving, trial.known, joining=joining)
    return [
        difference
        for step, (one, other) in enumerate(zip(plain, trial.outputs, strict=True))
        for name, values in one.items()
        for difference in unequal(f"equations and netlist, {place(name, step)}", values, other[name])
    ]


def simulation_differences(trial: Trial, design: Design, seed: int = 0) -> list[str]:
    """Where the simulated text and the netlist's own integers differ, on the trial's weights and on any others."""
    import numpy as np

    held = {name: [np.atleast_2d(values)] for name, values in trial.ports.items()}
    found = _simulated(trial, design, {**trial.moving, **held}, trial.outputs)
    if not held:
        return found
    few = {name: [values[-WEIGHTS:] for values in steps[:STEPS]] for name, steps in trial.moving.items()}
    random, samples, drawn = np.random.default_rng(seed), len(next(iter(few.values()))[0]), {}
    for name, numbers in trial.ports.items():
        port = trial.kernel.graph.inputs[name]
        drawn[name] = drawn_inputs(random, (port.low, port.high), samples, len(numbers))
    each = {**few, **{name: [values] for name, values in drawn.items()}}
    return found + _simulated(trial, design, each, trial.kernel.trace(few, drawn))


def unequal(what: str, one: Array, other: Array) -> list[str]:
    """The first element that differs; none where all are equal. Shapes: [samples, elements] or broadcast onto it."""
    import numpy as np

    if np.shape(one) != np.shape(other):
        one = np.broadcast_to(one, np.shape(other))
    if np.array_equal(one, other):
        return []
    places = np.argwhere(np.asarray(one, object) != np.asarray(other, object))
    sample, element = places[0].tolist()
    return [f"{what}: vector {sample}, element {element}: {one[sample][element]} and {other[sample][element]}"]


def _simulated(
    trial: Trial, design: Design, each: Mapping[str, Sequence[Array]], wanted: Sequence[Mapping[str, Array]]
) -> list[str]:
    import numpy as np

    graph, steps = trial.kernel.graph, len(wanted)
    words = {
        name: np.array([packed(numbers, graph.inputs[name].width) for numbers in values], object)
        for name, values in each.items()
    }
    # One row of numbers is held.
    words = {name: values[0] if len(values) == 1 else values for name, values in words.items()}
    if graph.feeds:
        found = design.run_clocked(words, steps, signed=())
    else:
        found = {name: values[None] for name, values in design.run(words, signed=()).items()}
    differences = list[str]()
    for step, (name, nodes) in product(range(steps), graph.outputs.items()):
        first = graph.nodes[nodes[0]]
        other = unpacked(found[name][step], len(nodes), first.width, signed=not first.unsigned)
        differences += unequal(f"netlist and simulation, {place(name, step)}", wanted[step][name], other)
    return differences


def place(name: str, step: int) -> str:
    """Where a difference is: the first output goes without saying."""
    return f"step {step}" if name == "y0" else f"{name}, step {step}"
