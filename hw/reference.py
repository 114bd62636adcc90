"""A kernel's results beside those of real numbers: the greatest deviation, and the bound that is derived for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from nncomplexity.layers.layer import Layer

from .building import Kernel
from .bundles import UnsupportedLayer
from .deviation import EXACT, SLACK, Enclosed, Enclosures
from .nodes import Port

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Deviation", "Reference", "deviation_of"]

# A layer, its constants as real numbers by name and its inputs step by step; the outputs step by step and who made
# them, None where it knows no such layer.
Reference = Callable[[Layer, Mapping[str, "Array"], Sequence["Array"]], tuple[Sequence["Array"], str] | None]
EQUATIONS = "equations in floats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """greatest: the largest distance of a result from the reference. bound: the largest of their bounds.

    within: every number that leaves the kernel, states too, keeps its own bound. reference: who computed real numbers.
    """

    greatest: float
    bound: float
    within: bool
    reference: str


def deviation_of(
    layer: Layer,
    kernel: Kernel,
    run: tuple[Mapping[str, Sequence[Array]], Sequence[Mapping[str, Array]]],
    known: Mapping[str, Sequence[int]],
    reference: Reference | None = None,
) -> Deviation | None:
    """Compare results with real numbers made of the same integers; None where the equations do not say all of them.

    run: integers of inputs by port, and of outputs, [samples, elements] step by step. known: integers of constants
    by name.
    """
    import numpy as np

    inputs, outputs = run
    try:
        found, reals = _enclosed(layer, kernel, inputs, known)
    except UnsupportedLayer:
        return None
    made = reference(layer, reals, _reals(kernel, inputs)) if reference is not None and len(inputs) == 1 else None
    stored = any(node.table or node.format for node in kernel.graph.nodes)
    greatest, most, within = 0.0, 0.0, True
    for (name, nodes), step in product(kernel.graph.outputs.items(), range(len(outputs))):
        if not nodes:
            continue
        first, one = kernel.graph.nodes[nodes[0]], found[step][name]
        real = made[0][step] if made is not None and name == "y0" else one.value
        exact = not stored and max(-first.low, first.high) < EXACT
        distance = np.abs(np.asarray(outputs[step][name], np.float64) * 2.0**-first.fraction - real)
        bound = one.bound + (0.0 if exact else SLACK * (1 + np.abs(one.value)))
        if name == "y0":
            greatest = max(greatest, float(distance.max(initial=0)))
            most = max(most, float(bound.max(initial=0)))
        within = within and bool((distance <= bound).all())
    return Deviation(greatest=greatest, bound=most, within=within, reference=made[1] if made else EQUATIONS)


def _reals(kernel: Kernel, inputs: Mapping[str, Sequence[Array]]) -> list[Array]:
    """The numbers on the one port that moves, step by step."""
    import numpy as np

    ((name, steps),) = inputs.items()
    unit = 2.0 ** -kernel.graph.inputs[name].fraction
    return [np.asarray(values, np.float64) * unit for values in steps]


def _enclosed(
    layer: Layer,
    kernel: Kernel,
    inputs: Mapping[str, Sequence[Array]],
    known: Mapping[str, Sequence[int]],
) -> tuple[list[dict[str, Enclosed]], dict[str, Array]]:
    """The outputs of every step, and the constants as real numbers."""
    import numpy as np

    moving = sorted((int(name[1:]), port) for name, port in kernel.graph.inputs.items() if name[0] in "xs")
    states = [Enclosed.of(np.zeros((1, port.elements)), port.fraction) for _, port in moving if port.register]
    found: list[dict[str, Enclosed]] = []
    reals: dict[str, Array] = {}
    for step in range(len(next(iter(inputs.values())))):
        kept = iter(states)
        now = [next(kept) if port.register else _entered(inputs, port, step) for _, port in moving]
        m = Enclosures(now, known, ports=kernel.names, operands=kernel.tabled, modes=(kernel.rounding, kernel.overflow))
        layer.equations(m)
        found.append({f"y{place}": each for place, each in enumerate(m.outputs)})
        if found[-1].keys() != kernel.graph.outputs.keys():
            raise UnsupportedLayer("the kernel has other outputs than the equations")
        reals |= m.reals
        states = m.following
    return found, reals


def _entered(inputs: Mapping[str, Sequence[Array]], port: Port, step: int) -> Enclosed:
    """The numbers of a port; one without elements has none."""
    import numpy as np

    return Enclosed.of(inputs[port.name][step] if port.name in inputs else np.zeros((1, 0)), port.fraction)
