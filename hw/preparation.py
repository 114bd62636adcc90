"""The kernel of a layer with the numbers it is proved on: weights given or drawn, inputs that reach its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nncomplexity.accounting import count
from nncomplexity.catalogue import Part
from nncomplexity.errors import UsageError, quoted
from nncomplexity.expressions import is_expression
from nncomplexity.formats import AdditivePowerOfTwo, PowerOfTwo
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Kind

from .building import SUPPORTED, Kernel, build
from .bundles import UnsupportedLayer
from .constants import built_in_of, constants_of
from .fixed import Overflow, Rounding
from .sequences import drawn_sequences
from .stated import interval, whole
from .styles import STYLES
from .trial import FOLDED, SCHEDULES, UNROLLED, Trial
from .vectors import drawn_inputs, drawn_weights

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["check_supported", "once", "prepared"]

STEPS = 20
# A folded kernel with states runs for fewer where they would take more cycles than that, but never for less.
CYCLES, FEWEST = 20_000, 3
# Operations of one execution, about 20 kB of the elaborator each, and bits of a binary point: the most of a kernel.
MOST, FRACTION = 200_000, 256


def prepared(
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
) -> Trial:
    """The kernel of a layer whose formats are filled in, with the numbers it is proved on. Arguments: as `prove`.

    Raises: UnsupportedLayer for a layer without a kernel, UsageError E-KERNEL-FORMAT, E-KERNEL-WEIGHTS.
    """
    import numpy as np

    layer, random = part.layer, np.random.default_rng(seed)
    check_supported(part)
    powers = isinstance(layer.weight, PowerOfTwo | AdditivePowerOfTwo)
    chosen = style or ("shiftadd" if powers and schedule == UNROLLED else "mac")
    _check_schedule(schedule, chosen)
    known = _weights(layer, weights or {}, random)
    built_in = built_in_of(known, chosen, weights if own else None)
    kernel = build(layer, chosen, built_in, activation=activation, rounding=modes[0], overflow=modes[1])
    ports = _ports(kernel, known)
    moving = _inputs(kernel, vectors, _steps(kernel, schedule), random, known)
    if not moving or not all(kernel.graph.outputs.values()):
        raise UnsupportedLayer("it reads or makes no numbers, so there is nothing to run")
    return Trial(
        name=part.name,
        layer=layer,
        style=chosen,
        schedule=schedule,
        activation=activation,
        kernel=kernel,
        known=known,
        built_in=built_in,
        drawn=[name for name in known if name not in (weights or {})],
        ports=ports,
        moving=moving,
    )


def once(layer: Layer) -> Layer:
    """A layer of one step: the kernel of every step is the same."""
    return replace(layer, steps=1) if "steps" in layer.spec else layer  # type: ignore[call-arg]


def check_supported(part: Part) -> None:
    """Refuse what no kernel is made of."""
    layer = part.layer
    if type(layer) not in SUPPORTED:
        raise UnsupportedLayer(f"there is no kernel of {layer.kind}")
    if part.accumulator is not None:
        raise UnsupportedLayer(f"its accumulators have {part.accumulator} bits; kernels have those that sums need")
    formats = {name: format for name, format in layer.formats.items() if name != "accumulator"}
    for name, format in formats.items():
        if format.floating or is_expression(format.bits):
            fact = f"{name} is {quoted(format)}, a kernel needs fixed point; give formats with quant='w8a8'"
            raise UsageError("E-KERNEL-FORMAT", fact)
        if isinstance(format.fraction, int) and abs(format.fraction) > FRACTION:
            fact = f"{name} is {quoted(format)}, its binary point is over {FRACTION} bits away"
            raise UsageError("E-KERNEL-FORMAT", fact)
    single = once(layer)
    operations = sum(whole(n) for _, n in count(single, "exact")) // max(whole(single.executions), 1)
    if operations > MOST:
        raise UnsupportedLayer(f"one execution is {operations} operations; a kernel is unrolled up to {MOST}")


def _check_schedule(schedule: str, style: str) -> None:
    """Refuse a schedule there is none of, or that a style has none of."""
    if schedule not in SCHEDULES:
        fact = f"there is no schedule '{quoted(schedule)}'; choose {' or '.join(SCHEDULES)}"
        raise UsageError("E-KERNEL-SCHEDULE", fact)
    if schedule == FOLDED and style in STYLES and style != "mac":
        fact = f"a folded kernel has one real multiplier, so no style '{style}'; choose mac, or schedule unrolled"
        raise UsageError("E-KERNEL-STYLE", fact)


def _steps(kernel: Kernel, schedule: str) -> int:
    """Steps to run a kernel for: fewer of one with states where its unit takes many cycles."""
    if not kernel.graph.feeds:
        # A state machine has to find back to where it began.
        return 1 if schedule == UNROLLED else 2
    cycles = sum(count for operator, count in kernel.graph.inventory().items() if operator.kind is Kind.MULTIPLY)
    return STEPS if schedule == UNROLLED else max(FEWEST, min(STEPS, CYCLES // max(cycles, 1)))


def _weights(layer: Layer, given: Mapping[str, Sequence[int]], random: np.random.Generator) -> dict[str, Sequence[int]]:
    """The weights by name: those given, and drawn ones for the rest. Refuses floats."""
    found = dict(given)
    for name, (format, elements) in constants_of(layer).items():
        interval(format)
        if name not in found:
            found[name] = drawn_weights(random, format, elements)
    return found


def _ports(kernel: Kernel, known: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """What stands on the ports of weights."""
    import numpy as np

    names = {port: name for name, port in kernel.names.items()}
    found = {}
    for port in kernel.graph.inputs.values():
        if not port.name.startswith("w") or not port.elements:
            continue
        name = names.get(port.name)
        if name is None:
            raise UnsupportedLayer("its equations have a constant without a name or a value")
        values = known[name]
        wrong = [value for value in values if not port.low <= value <= port.high]
        if wrong or len(values) != port.elements:
            what = f"{len(values)} values" if len(values) != port.elements else str(wrong[0])
            fact = f"{name} holds {what}, expected {port.elements} numbers of {port.low}..{port.high}"
            raise UsageError("E-KERNEL-WEIGHTS", f"{fact}; quantize the weights to their format first")
        found[port.name] = np.array(values, object)
    return found


def _inputs(
    kernel: Kernel, vectors: int, steps: int, random: np.random.Generator, known: Mapping[str, Sequence[int]]
) -> dict[str, list[Array]]:
    """The numbers on every port that moves, step by step."""
    ports = [port for port in kernel.graph.inputs.values() if port.name.startswith("x") and port.elements]
    if steps > 1:
        return {port.name: drawn_sequences(random, port, vectors, steps, known) for port in ports}
    return {port.name: [drawn_inputs(random, (port.low, port.high), vectors, port.elements)] for port in ports}
