"""A layer's count and values, proved on the kernel that is emitted for it.

Values: the simulated Verilog, the netlist's own numbers and, where the layer is one sum of products, its plain equation
in integers. Counts: the layer's inventory, the netlist's operators and the cells that an independent tool finds in the
text. Every comparison is equality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from nncomplexity.accounting import Matrix, count
from nncomplexity.catalogue import Network, Part
from nncomplexity.errors import UsageError, quoted
from nncomplexity.expressions import is_expression
from nncomplexity.formats import AdditivePowerOfTwo, PowerOfTwo
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.layer import Layer
from nncomplexity.layers.recurrent import Recurrent
from nncomplexity.ops import Role
from nncomplexity.quantization import parse_quantization

from .building import SUPPORTED, Kernel, build
from .bundles import UnsupportedLayer
from .cells import packed, unpacked
from .census import census
from .declared import declared
from .elaborate import Design, elaborate
from .kernels import whole
from .nodes import Operator, operators
from .outline import port_differences, wire_differences
from .package import KERNEL, files_of
from .simulators import BUILTIN, SECONDS, Run, check_simulator, run_bench
from .table_census import table_differences
from .tools import NetlistError
from .trial import SCHEDULE, TOP, Trial
from .vectors import drawn_inputs, drawn_weights
from .verilog import emit
from .words import layout

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Differences", "Verdict", "check_supported", "judged", "prepared", "prove", "verify"]

STEPS = 20
# Operations of one execution, and bits of a binary point, beyond which no kernel is built.
MOST, FRACTION = 1_000_000, 256
COUNTERS = {"mac": "exact", "shiftadd": "shiftadd"}
ROWS = ("additions", "negations", "multiplications", "comparisons", "muxes", "tables", "registers")


class Differences(NamedTuple):
    """What was found to differ before a kernel was looked at."""

    values: Sequence[str] = ()
    counts: Sequence[str] = ()


NONE = Differences()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was proved. simulator: the tool that ran and its version; elaborator: that whose netlist was counted.
    vectors: samples, of so many steps for a cell.

    changed: files of a bundle that are not as they were emitted.
    operations: operators of one execution. first_difference: "" where there is none. True where all is equal.
    """

    name: str
    style: str
    schedule: str
    simulator: str
    vectors: int
    steps: int
    values_equal: bool
    counts_equal: bool
    first_difference: str
    operations: int
    elaborator: str = ""
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.values_equal and self.counts_equal

    def to_dict(self) -> dict[str, object]:
        """The verdict as plain data."""
        return asdict(self)


def verify(
    layer: Layer,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    quant: str = "model",
    style: str | None = None,
    vectors: int = 1000,
    seed: int = 0,
    simulator: str = BUILTIN,
    seconds: float = SECONDS,
) -> Verdict:
    """Emit the kernel of one execution of a layer, run it on vectors, count it, and compare.

    weights: integers by the names the equations give them ("weight", "bias", "recurrent.f" …), row by row, drawn from
    `seed` where missing; a bias on a port in its own format, in a shift-add kernel in units of the sum it joins.
    style: "mac", real multipliers and weights on ports, or "shiftadd", the default where weights are powers of two or
    sums of such. simulator: "builtin", or "verilator" or "iverilog", which run the test bench of a bundle.
    Units: seconds of wall time for each run of another program.
    Raises: UnsupportedLayer for a layer without a kernel, UsageError E-KERNEL-FORMAT for float or free formats,
    ToolError where no tool elaborates Verilog, or the simulator is missing, hangs or breaks down.
    """
    network, said = Network([layer]), parse_quantization(quant)
    (part,) = network.parts(said)
    part = replace(part, accumulator=part.accumulator or network.accumulator(said))
    return prove(part, weights=weights, style=style, vectors=vectors, seed=seed, simulator=simulator, seconds=seconds)


def prove(
    part: Part,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    style: str | None = None,
    vectors: int = 1000,
    seed: int = 0,
    simulator: str = BUILTIN,
    seconds: float = SECONDS,
) -> Verdict:
    """`verify` for a layer whose formats are filled in."""
    check_simulator(simulator)
    trial = prepared(part, weights=weights, style=style, vectors=vectors, seed=seed)
    text = emit(trial.kernel.graph)
    design = elaborate(text, TOP)
    if simulator == BUILTIN:
        return judged(trial, design)
    return judged(trial, design, run_bench(trial, {**files_of(trial, seed), KERNEL: text}, simulator, seconds))


def prepared(
    part: Part,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    style: str | None = None,
    vectors: int = 1000,
    seed: int = 0,
) -> Trial:
    """The kernel of a layer whose formats are filled in, with the numbers it is proved on. Raises: as `verify`."""
    import numpy as np

    filled, random = part.layer, np.random.default_rng(seed)
    check_supported(part)
    powers = isinstance(filled.weight, PowerOfTwo | AdditivePowerOfTwo)
    chosen = style or ("shiftadd" if powers else "mac")
    open_kernel = build(filled, "mac")
    known = _weights(filled, open_kernel, weights or {}, random)
    kernel = open_kernel if chosen == "mac" else build(filled, chosen, known)
    ports = _ports(kernel, known, random)
    moving = _inputs(kernel, vectors, STEPS if kernel.graph.feeds else 1, random)
    if not moving or not all(kernel.graph.outputs.values()):
        raise UnsupportedLayer("it reads or makes no numbers, so there is nothing to run")
    drawn = [name for name in known if name not in (weights or {})]
    return Trial(
        name=part.name, layer=filled, style=chosen, kernel=kernel, known=known, drawn=drawn, ports=ports, moving=moving
    )


def judged(trial: Trial, design: Design, run: Run | None = None, before: Differences = NONE) -> Verdict:
    """The verdict on an elaborated kernel. run: of another simulator than the built-in one; before: what differs
    already."""
    graph = trial.kernel.graph
    ports = port_differences(design, graph)
    counts = [*before.counts, *_told(lambda: _counts(trial, design)), *wire_differences(design, trial.text)]
    simulated = ports or _told(lambda: _values(trial, design, run) + table_differences(design, graph))
    values = [*before.values, *simulated]
    return Verdict(
        name=trial.name,
        style=trial.style,
        schedule=SCHEDULE,
        simulator=run.tool if run else "none" if ports else design.tool,
        vectors=trial.vectors,
        steps=trial.steps,
        values_equal=not values,
        counts_equal=not counts,
        first_difference=(values + counts + [""])[0],
        operations=sum(graph.inventory().values()),
        elaborator=design.tool,
    )


def _told(differences: Callable[[], list[str]]) -> list[str]:
    """Differences; that a text elaborates and yet cannot be run or counted is one."""
    try:
        return differences()
    except NetlistError as error:
        return [error.fact]


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
        if abs(whole(format.fraction)) > FRACTION:
            raise UsageError(
                "E-KERNEL-FORMAT", f"{name} is {quoted(format)}, its binary point is over {FRACTION} bits away"
            )
    once = replace(layer, steps=1) if isinstance(layer, Recurrent) else layer
    operations = sum(whole(n) for _, n in count(once, "exact")) // max(whole(once.executions), 1)
    if operations > MOST:
        raise UnsupportedLayer(f"one execution is {operations} operations; a kernel is unrolled up to {MOST}")


def _weights(
    layer: Layer, kernel: Kernel, given: Mapping[str, Sequence[int]], random: np.random.Generator
) -> dict[str, Sequence[int]]:
    """The weights by name: those given, and drawn ones for the rest. kernel: with all of them on ports."""
    found = dict(given)
    for name, port in kernel.names.items():
        if port.startswith("w") and name not in found:
            recurs = isinstance(layer, Recurrent) and name.startswith(("recurrent", "peephole"))
            held = layer.formats["recurrent"] if recurs else layer.weight
            found[name] = drawn_weights(random, held, kernel.graph.inputs[port].elements)
    return found


def _ports(kernel: Kernel, known: Mapping[str, Sequence[int]], random: np.random.Generator) -> dict[str, Array]:
    """What stands on the ports of weights, those without a name at any number of theirs."""
    import numpy as np

    names = {port: name for name, port in kernel.names.items()}
    found = {}
    for port in kernel.graph.inputs.values():
        if not port.name.startswith("w") or not port.elements:
            continue
        values = known.get(names.get(port.name, ""))
        if values is None:
            values = random.integers(port.low, port.high + 1, port.elements).tolist()
        wrong = [value for value in values if not port.low <= value <= port.high]
        if wrong or len(values) != port.elements:
            what = f"{len(values)} values" if len(values) != port.elements else str(wrong[0])
            fact = f"{names[port.name]} holds {what}, expected {port.elements} numbers of {port.low}..{port.high}"
            raise UsageError("E-KERNEL-WEIGHTS", f"{fact}; quantize the weights to their format first")
        found[port.name] = np.array(values, object)
    return found


def _inputs(kernel: Kernel, vectors: int, steps: int, random: np.random.Generator) -> dict[str, list[Array]]:
    """The numbers on every port that moves, step by step."""
    ports = [port for port in kernel.graph.inputs.values() if port.name.startswith("x") and port.elements]
    return {
        port.name: [drawn_inputs(random, (port.low, port.high), vectors, port.elements) for _ in range(steps)]
        for port in ports
    }


def _counts(trial: Trial, design: Design) -> list[str]:
    """Where inventory, netlist and census differ."""
    layer, kernel, known = trial.layer, trial.kernel, trial.built_in
    rows = {name.partition(".")[2]: len(values) for name, values in known.items() if name.startswith("bias")}
    operands = {
        name: _matrix(values, rows.get(name.partition(".")[2], _outputs(layer))) for name, values in known.items()
    }
    once = replace(layer, steps=1) if isinstance(layer, Recurrent) else layer
    times = whole(once.executions)
    counted = operators(count(once, COUNTERS[trial.style], operands=operands))
    # The netlist is one execution; rounding and limiting what is stored is charged to no layer.
    made = {op: n * times for op, n in kernel.graph.inventory().items() if op.role is not Role.REQUANTIZATION}
    found = [_difference("inventory and netlist", counted, Counter(made))] if counted != Counter(made) else []
    seen, wanted = census(design), declared(kernel.graph)
    for row in ROWS:
        one, other = Counter(dict(getattr(wanted, row))), Counter(dict(getattr(seen, row)))
        if one != other:
            found.append(_difference(f"netlist and census of {row}", one, other))
    return found


def _matrix(values: Sequence[int], outputs: int) -> Matrix:
    return replace(Matrix.of(values), arrange=lambda array: array.reshape(outputs, -1), _trees={})


def _outputs(layer: Layer) -> int:
    named = (getattr(layer, name, None) for name in ("units", "filters", "hidden"))
    return next(size for size in named if isinstance(size, int))


def _difference(what: str, one: Counter[Any], other: Counter[Any]) -> str:
    key = next(iter((one - other) or (other - one)))
    shown = f"{key.role.value} {key.kind.value} of {key.width} bits" if isinstance(key, Operator) else str(key)
    return f"{what}: {one[key]} and {other[key]} of {shown}"


def _values(trial: Trial, design: Design, run: Run | None) -> list[str]:
    """Where the simulated Verilog, the netlist's own numbers and the plain equation of a layer differ."""
    found = [run.difference] if run and run.difference else _simulated(trial, design) if run is None else []
    if not isinstance(trial.layer, Dense):
        return found
    shift = whole(trial.layer.input.fraction) if trial.style == "mac" else 0
    plain = _plain(trial.layer, trial.known, trial.moving["x0"][0], shift)
    return found + _unequal("equation and netlist", plain, trial.outputs[0]["y0"])


def _simulated(trial: Trial, design: Design) -> list[str]:
    """Where the simulated Verilog and the netlist's own numbers differ."""
    import numpy as np

    graph, fields = trial.kernel.graph, layout(trial.kernel.graph).made
    held = {name: [values.reshape(1, -1)] * trial.steps for name, values in trial.ports.items()}
    words = {
        name: np.array([packed(numbers, graph.inputs[name].width) for numbers in values], object)
        for name, values in {**trial.moving, **held}.items()
    }
    if graph.feeds:
        made = design.run_clocked(words, trial.steps, signed=())
    else:
        once = design.run({name: values[0] for name, values in words.items()}, signed=())
        made = {name: values[np.newaxis] for name, values in once.items()}
    return [
        difference
        for step, wanted in enumerate(trial.outputs)
        for each in fields
        for difference in _unequal(
            f"netlist and simulation, step {step}",
            wanted[each.port],
            unpacked(made[each.port][step], each.elements, each.bits, signed=each.signed),
        )
    ]


def _plain(layer: Dense, known: Mapping[str, Sequence[int]], x: Array, shift: int) -> Array:
    """W x + b as it is written, a bias on a port so many bits above its sum."""
    import numpy as np

    matrix = np.array(known["weight"], object).reshape(_outputs(layer), -1)
    sums: Array = x.astype(object) @ matrix.T
    return (sums << max(-shift, 0)) + (np.array(known["bias"], object) << max(shift, 0)) if layer.bias else sums


def _unequal(what: str, one: Array, other: Array) -> list[str]:
    import numpy as np

    places = np.argwhere(np.asarray(one, object) != np.asarray(other, object))
    if not len(places):
        return []
    sample, element = places[0].tolist()
    return [f"{what}: vector {sample}, element {element}: {one[sample][element]} and {other[sample][element]}"]
