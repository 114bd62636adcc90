"""A kernel's results beside those of real numbers: the greatest deviation, and the bound that is derived for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nncomplexity.layers.layer import Layer
from nncomplexity.layers.recurrent import Recurrent
from nncomplexity.layers.rnn import RNN

from .building import SUPPORTED, Kernel
from .bundles import UnsupportedLayer
from .deviation import EXACT, SLACK, Enclosed, Enclosures
from .fixed import Overflow, Rounding

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
    """greatest: the largest distance from the reference. bound: the largest of the bounds, one for each result.

    within: every result keeps its own. reference: who computed the real numbers.
    """

    greatest: float
    bound: float
    within: bool
    reference: str


def deviation_of(
    layer: Layer,
    kernel: Kernel,
    run: tuple[Mapping[str, Sequence[Array]], Sequence[Array]],
    known: Mapping[str, Sequence[int]],
    modes: tuple[Rounding, Overflow],
    reference: Reference | None = None,
) -> Deviation | None:
    """Compare results with real numbers made of the same integers; None where the equations do not say all of them.

    run: integers of inputs by port, and of the output, [samples, elements] step by step. known: integers of constants
    by name. modes: of what is stored.
    """
    import numpy as np

    inputs, outputs = run
    if len(kernel.graph.outputs) != 1:
        return None
    try:
        found, reals = _enclosed(layer, kernel, inputs, known, modes)
    except UnsupportedLayer:
        return None
    made = reference(layer, reals, _reals(kernel, inputs)) if reference is not None and len(inputs) == 1 else None
    floats, name = made or ([each.value for each in found], EQUATIONS)
    first = kernel.graph.nodes[kernel.graph.outputs["y0"][0]]
    stored = any(node.table or node.format for node in kernel.graph.nodes)
    exact = not stored and max(-first.low, first.high) < EXACT
    greatest, most, within = 0.0, 0.0, True
    for one, real, integers in zip(found, floats, outputs, strict=True):
        distance = np.abs(np.asarray(integers, np.float64) * 2.0**-first.fraction - real)
        bound = one.bound + (0.0 if exact else SLACK * (1 + np.abs(one.value)))
        greatest, most = max(greatest, float(distance.max(initial=0))), max(most, float(bound.max(initial=0)))
        within = within and bool((distance <= bound).all())
    return Deviation(greatest=greatest, bound=most, within=within, reference=name)


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
    modes: tuple[Rounding, Overflow],
) -> tuple[list[Enclosed], dict[str, Array]]:
    """The results of every step, and the constants as real numbers."""
    import numpy as np

    states = SUPPORTED[type(layer)]
    variables = {int(name[1:]): port for name, port in kernel.graph.inputs.items() if name[0] in "xs"}
    steps = len(next(iter(inputs.values())))
    kept = {place: Enclosed.of(np.zeros((1, variables[place].elements)), variables[place].fraction) for place in states}
    found: list[Enclosed] = []
    reals: dict[str, Array] = {}
    for step in range(steps):
        now = [
            kept[place] if place in kept else Enclosed.of(inputs[port.name][step], port.fraction)
            for place, port in sorted(variables.items())
        ]
        rectifies = isinstance(layer, RNN) and layer.function == "relu"
        m = Enclosures(now, known, ports=kernel.names, rectifies=rectifies, rounding=modes[0], overflow=modes[1])
        layer.equations(m)
        assert m.last is not None
        found.append(m.last)
        reals |= m.reals
        if isinstance(layer, Recurrent):
            kept = dict(zip(states, (m.kept(m.last, layer.activation), *m.stored[-1:]), strict=False))
    return found, reals
