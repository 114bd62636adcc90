"""A layer's count and values, proved on the kernel that is emitted for it.

Values: the simulated Verilog, the netlist's own numbers and, where the layer is one sum of products, its plain equation
in integers. Counts: the layer's inventory, the netlist's operators and the cells that an independent tool finds in the
text. Every comparison is equality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

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
from .census import census
from .declared import declared
from .elaborate import Design, elaborate
from .fixed import Overflow, Rounding
from .kernels import whole
from .nodes import Operator, operators
from .reference import Deviation, Reference, deviation_of
from .saturation import Ends
from .sequences import drawn_sequences
from .vectors import drawn_inputs, drawn_weights
from .verilog import emit
from .words import packed, unpacked

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Verdict", "operands_of", "prove", "verify"]

STEPS = 20
# What equations call the constant of 1 - gate.
ONE = "one"
# Samples with weights of their own on the ports, for two steps.
WEIGHTS = 16
COUNTERS = {"mac": "exact", "shiftadd": "shiftadd"}
ROWS = (
    *("additions", "negations", "multiplications", "comparisons", "muxes", "tables", "registers"),
    *("logic", "shifts", "control"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was proved. simulator: the tool that ran and its version. vectors: samples, of so many steps for a cell.

    operations: operators of one execution. first_difference: "" where there is none. True where all is equal and within
    its bound. weights: "drawn", of the "file", or a mixture. saturated: whether a quantiser held a number back or a
    table was read at its end; None without states. deviation: the greatest distance from `reference`, results in real
    numbers; bound: the greatest that rounding, limits and tables allow; None where the equations leave numbers open.
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
    weights: str = "drawn"
    rounding: str = "TRN"
    overflow: str = "WRAP"
    saturated: bool | None = None
    deviation: float | None = None
    bound: float | None = None
    within: bool | None = None
    reference: str = ""

    def __bool__(self) -> bool:
        return self.values_equal and self.counts_equal and self.within is not False

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
) -> Verdict:
    """Emit the kernel of one execution of a layer, run it on vectors, count it, and compare.

    weights: integers by the names the equations give them ("weight", "bias", "recurrent.f" …), row by row, drawn from
    `seed` where missing; a bias on a port in its own format, in a shift-add kernel in units of the sum it joins.
    style: "mac", real multipliers and weights on ports, or "shiftadd", the default where weights are powers of two or
    sums of such.
    Raises: UnsupportedLayer for a layer without a kernel, UsageError E-KERNEL-FORMAT for float or free formats,
    ToolError where no tool elaborates Verilog.
    """
    network, said = Network([layer]), parse_quantization(quant)
    (part,) = network.parts(said)
    part = replace(part, accumulator=part.accumulator or network.accumulator(said))
    return prove(part, weights=weights, style=style, vectors=vectors, seed=seed)


def prove(
    part: Part,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    own: bool = False,
    style: str | None = None,
    vectors: int = 1000,
    seed: int = 0,
    modes: tuple[Rounding, Overflow] = (Rounding.TRN, Overflow.WRAP),
    reference: Reference | None = None,
) -> Verdict:
    """`verify` for a layer whose formats are filled in.

    own: biases that are given are constants in every style, in units of the sum they join; what is not given enters on a
    port in every style. modes: rounding and overflow of what is stored. reference: who computes the real numbers that results
    are compared with; the equations do where it knows no such layer.
    """
    import numpy as np

    filled, random = part.layer, np.random.default_rng(seed)
    _check(part)
    powers = isinstance(filled.weight, PowerOfTwo | AdditivePowerOfTwo)
    chosen = style or ("shiftadd" if powers else "mac")
    known = _weights(filled, weights or {}, random)
    built_in = _built_in(known, chosen, weights if own else None)
    kernel = build(filled, chosen, built_in, rounding=modes[0], overflow=modes[1])
    ports = _ports(kernel, known, random)
    design = elaborate(emit(kernel.graph), "nc_kernel")
    tables = _tables(kernel, design)
    counts = _counts(filled, kernel, chosen, built_in, design)
    steps = STEPS if kernel.graph.feeds else 1
    moving = _inputs(kernel, vectors, steps, random, known)
    wanted, saturated = _run(kernel, moving, ports)
    values = _values(kernel, design, moving, ports, (filled, known), wanted)
    values += _any_weights(kernel, design, moving, ports, random)
    real = deviation_of(filled, kernel, (moving, wanted), known, modes, reference)
    return Verdict(
        name=part.name,
        style=chosen,
        schedule="unrolled",
        simulator=design.tool,
        vectors=vectors,
        steps=steps,
        values_equal=not tables + values,
        counts_equal=not counts,
        first_difference=(tables + values + counts + _beyond(real) + [""])[0],
        operations=sum(kernel.graph.inventory().values()),
        weights=_whose(known, weights),
        rounding=modes[0].value,
        overflow=modes[1].value,
        saturated=saturated,
        deviation=real and real.greatest,
        bound=real and real.bound,
        within=real and real.within,
        reference=real.reference if real else "",
    )


def _built_in(
    known: Mapping[str, Sequence[int]], style: str, own: Mapping[str, Sequence[int]] | None
) -> Mapping[str, Sequence[int]]:
    """The constants that are no ports: in a shift-add kernel all, of a file's own those it says; else its biases."""
    if own is None:
        return known if style == "shiftadd" else {}
    kept = [name for name in known if name in own or name == ONE]
    return {name: known[name] for name in kept if style == "shiftadd" or name.startswith("bias")}


def _whose(known: Mapping[str, Sequence[int]], given: Mapping[str, Sequence[int]] | None) -> str:
    drawn = [name for name in known if name not in (given or {}) and name != ONE]
    if not given:
        return "drawn"
    return f"given, {', '.join(drawn)} drawn" if drawn else "given"


def _run(
    kernel: Kernel, moving: Mapping[str, Sequence[Array]], ports: Mapping[str, Array]
) -> tuple[list[Array], bool | None]:
    """The netlist's numbers at every step, and whether a cell reached the ends of what it stores."""
    import numpy as np

    held = {name: np.atleast_2d(values) for name, values in ports.items()}
    if not kernel.graph.feeds:
        return kernel.run(moving, held), None
    ends = Ends.of(kernel)
    return ends.kernel.run(moving, held, watch=ends.seen), ends.reached


def _beyond(real: Deviation | None) -> list[str]:
    if real is None or real.within:
        return []
    return [f"kernel and {real.reference}: {real.greatest:.6g} apart, beyond the bound of some result"]


def _check(part: Part) -> None:
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


def _weights(layer: Layer, given: Mapping[str, Sequence[int]], random: np.random.Generator) -> dict[str, Sequence[int]]:
    """The weights by name: those given, and drawn ones for the rest."""
    probe, found = build(layer, "mac"), dict(given)
    for name, port in probe.names.items():
        if name == ONE and name not in found:
            # The nearest number to 1 that its format holds.
            entered = probe.graph.inputs[port]
            found[name] = [min(1 << max(entered.fraction, 0), entered.high)] * entered.elements
        if port.startswith("w") and name not in found:
            recurs = isinstance(layer, Recurrent) and name.startswith(("recurrent", "peephole"))
            held = layer.formats["recurrent"] if recurs else layer.weight
            found[name] = drawn_weights(random, held, probe.graph.inputs[port].elements)
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


def _inputs(
    kernel: Kernel, vectors: int, steps: int, random: np.random.Generator, known: Mapping[str, Sequence[int]]
) -> dict[str, list[Array]]:
    """The numbers on every port that moves, step by step."""
    ports = [port for port in kernel.graph.inputs.values() if port.name.startswith("x") and port.elements]
    if steps > 1:
        return {port.name: drawn_sequences(random, port, vectors, steps, known) for port in ports}
    return {port.name: [drawn_inputs(random, (port.low, port.high), vectors, port.elements)] for port in ports}


def _counts(layer: Layer, kernel: Kernel, style: str, known: Mapping[str, Sequence[int]], design: Design) -> list[str]:
    """Where inventory, netlist and census differ."""
    operands = operands_of(layer, known)
    once = replace(layer, steps=1) if isinstance(layer, Recurrent) else layer
    times = whole(once.executions)
    counted = operators(count(once, COUNTERS[style], operands=operands))
    # The netlist is one execution; rounding and limiting what is stored is charged to no layer.
    made = {op: n * times for op, n in kernel.graph.inventory().items() if op.role is not Role.REQUANTIZATION}
    found = [_difference("inventory and netlist", counted, Counter(made))] if counted != Counter(made) else []
    seen, wanted = census(design), declared(kernel.graph)
    for row in ROWS:
        one, other = Counter(dict(getattr(wanted, row))), Counter(dict(getattr(seen, row)))
        if one != other:
            found.append(_difference(f"netlist and census of {row}", one, other))
    return found


def operands_of(layer: Layer, known: Mapping[str, Sequence[int]]) -> dict[str, Matrix]:
    """Constants by name as counting reads them."""
    rows = {name.partition(".")[2]: len(values) for name, values in known.items() if name.startswith("bias")}
    return {name: _matrix(values, rows.get(name.partition(".")[2], _outputs(layer))) for name, values in known.items()}


def _matrix(values: Sequence[int], outputs: int) -> Matrix:
    return replace(Matrix.of(values), arrange=lambda array: array.reshape(outputs, -1), _trees={})


def _outputs(layer: Layer) -> int:
    named = (getattr(layer, name, None) for name in ("units", "filters", "hidden", "outputs"))
    return next(size for size in named if isinstance(size, int))


def _difference(what: str, one: Counter[Any], other: Counter[Any]) -> str:
    key = next(iter((one - other) or (other - one)))
    shown = f"{key.role.value} {key.kind.value} of {key.width} bits" if isinstance(key, Operator) else str(key)
    return f"{what}: {one[key]} and {other[key]} of {shown}"


def _values(
    kernel: Kernel,
    design: Design,
    moving: Mapping[str, Sequence[Array]],
    ports: Mapping[str, Array],
    equation: tuple[Layer, Mapping[str, Sequence[int]]],
    wanted: Sequence[Array],
) -> list[str]:
    """Where the simulated Verilog, the netlist's own numbers and the plain equation of a layer differ."""
    import numpy as np

    held = {name: np.atleast_2d(values) for name, values in ports.items()}
    simulated = _simulated(kernel, design, {**moving, **{name: [each] for name, each in held.items()}}, wanted)
    layer, known = equation
    if not isinstance(layer, Dense):
        return simulated
    shift = whole(layer.input.fraction) if "bias" in kernel.names else 0
    return simulated + _unequal("equation and netlist", _plain(layer, known, moving["x0"][0], shift), wanted[0])


def _any_weights(
    kernel: Kernel,
    design: Design,
    moving: Mapping[str, Sequence[Array]],
    ports: Mapping[str, Array],
    random: np.random.Generator,
) -> list[str]:
    """Where simulation and netlist differ when every sample has weights of its own on the ports."""
    if not ports:
        return []
    few = {name: [values[-WEIGHTS:] for values in steps[:2]] for name, steps in moving.items()}
    samples = len(next(iter(few.values()))[0])
    drawn = {}
    for name, numbers in ports.items():
        port = kernel.graph.inputs[name]
        drawn[name] = drawn_inputs(random, (port.low, port.high), samples, len(numbers))
    each = {**few, **{name: [values] for name, values in drawn.items()}}
    return _simulated(kernel, design, each, kernel.run(few, drawn))


def _simulated(
    kernel: Kernel, design: Design, each: Mapping[str, Sequence[Array]], wanted: Sequence[Array]
) -> list[str]:
    """Where the simulated Verilog and the netlist's own numbers differ."""
    import numpy as np

    graph, steps = kernel.graph, len(wanted)
    words = {
        name: np.array([packed(numbers, graph.inputs[name].width) for numbers in values], object)
        for name, values in each.items()
    }
    # One row of numbers is held.
    words = {name: values[0] if len(values) == 1 else values for name, values in words.items()}
    if graph.feeds:
        found = list(design.run_clocked(words, steps, signed=())["y0"])
    else:
        found = [design.run(words, signed=())["y0"]]
    first, differences = graph.nodes[graph.outputs["y0"][0]], list[str]()
    for step, (numbers, word) in enumerate(zip(wanted, found, strict=True)):
        other = unpacked(word, len(graph.outputs["y0"]), first.width, signed=not first.unsigned)
        differences += _unequal(f"netlist and simulation, step {step}", numbers, other)
    return differences


def _tables(kernel: Kernel, design: Design) -> list[str]:
    """Where the entries of a table in the text differ from its function: no vectors reach all of them."""
    import numpy as np

    found = []
    for table, name in kernel.graph.tables.items():
        entries = np.array(table.entries, object) % (1 << table.result.bits)
        read = design.module(name).run({"a": np.arange(len(entries))}, signed=())["y"]
        found += _unequal(f"{table.function} and {name}", entries[:, None], read[:, None])
    return found


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
