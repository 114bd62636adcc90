"""A layer's count and values, proved on the kernel that is emitted for it.

Values: the simulated Verilog, the netlist's own numbers and, where the layer is one sum of products, its plain equation
in integers. Counts: the layer's inventory, the netlist's operators and the cells that an independent tool finds in the
text. Every comparison is equality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from nncomplexity.accounting import Matrix, count
from nncomplexity.catalogue import Network, Part
from nncomplexity.errors import UsageError, quoted
from nncomplexity.expressions import is_expression
from nncomplexity.formats import AdditivePowerOfTwo, PowerOfTwo
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Role
from nncomplexity.quantization import parse_quantization

from .building import SUPPORTED, Kernel, build
from .bundles import UnsupportedLayer
from .census import census
from .constants import built_in_of, whose
from .declared import declared
from .elaborate import Design, elaborate
from .fixed import Overflow, Rounding
from .idealised import idealised
from .kernels import whole
from .nodes import Operator, operators
from .numbers import execute
from .reference import Reference, deviation_of
from .saturation import watched
from .sequences import drawn_sequences
from .vectors import drawn_inputs, drawn_weights
from .verdict import Verdict
from .verilog import emit
from .words import packed, unpacked

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Verdict", "prove", "verify"]

STEPS = 20
# Samples with weights of their own on the ports, for two steps.
WEIGHTS = 16
COUNTERS = {"mac": "exact", "shiftadd": "shiftadd"}
ROWS = (
    *("additions", "negations", "multiplications", "comparisons", "muxes", "tables", "registers"),
    *("logic", "shifts", "control"),
)


def verify(
    layer: Layer,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    quant: str = "model",
    style: str | None = None,
    activation: str = "piecewise",
    vectors: int = 1000,
    seed: int = 0,
) -> Verdict:
    """Emit the kernel of one execution of a layer, run it on vectors, count it, and compare.

    A bidirectional cell is proved as one of its directions, whose count is taken twice: both have the same equations,
    and where weights are built in, the other has a kernel of its own.
    weights: integers by the names the equations give them ("weight", "bias", "recurrent.f" …), row by row, drawn from
    `seed` where missing; a bias on a port in its own format, in a shift-add kernel in units of the sum it joins.
    style: "mac", real multipliers and weights on ports, or "shiftadd", the default where weights are powers of two or
    sums of such. activation: how sigmoid and tanh of more than ten bits are computed, see `build`.
    Raises: UnsupportedLayer for a layer without a kernel, UsageError E-KERNEL-FORMAT for float or free formats,
    ToolError where no tool elaborates Verilog.
    """
    network, said = Network([layer]), parse_quantization(quant)
    (part,) = network.parts(said)
    part = replace(part, accumulator=part.accumulator or network.accumulator(said))
    return prove(part, weights=weights, style=style, activation=activation, vectors=vectors, seed=seed)


def prove(
    part: Part,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    own: bool = False,
    style: str | None = None,
    activation: str = "piecewise",
    vectors: int = 1000,
    seed: int = 0,
    modes: tuple[Rounding, Overflow] = (Rounding.TRN, Overflow.WRAP),
    reference: Reference | None = None,
) -> Verdict:
    """`verify` for a layer whose formats are filled in.

    own: biases that are given are constants in every style, in units of the sum they join; what is not given enters on
    a port in every style. modes: rounding and overflow of what is stored. reference: who computes the real numbers that
    results are compared with; the equations do where it knows no such layer.
    """
    import numpy as np

    filled, random = part.layer, np.random.default_rng(seed)
    chosen = _style(part, style)
    known = _weights(build(filled, "mac", activation=activation), weights or {}, random)
    built_in = built_in_of(known, chosen, weights if own else None)
    kernel = build(filled, chosen, built_in, activation=activation, rounding=modes[0], overflow=modes[1])
    ports = _ports(kernel, known, random)
    design = elaborate(emit(kernel.graph), "nc_kernel")
    counts = _counts(filled, kernel, chosen, built_in, design)
    moving = _inputs(kernel, vectors, random, known)
    wanted, saturated = watched(kernel, moving, ports)
    values = _tables(kernel, design) + _values(kernel, design, moving, ports, (filled, known), wanted)
    values += _any_weights(kernel, design, moving, ports, random)
    found = Verdict(
        name=part.name,
        style=chosen,
        simulator=design.tool,
        vectors=vectors,
        steps=len(wanted),
        values_equal=not values,
        counts_equal=not counts,
        first_difference=(values + counts + [""])[0],
        operations=sum(kernel.graph.inventory().values()),
        inner_operations=sum(kernel.graph.insides().values()),
        idealised=idealised(_once(filled)),
        weights=whose(known, weights),
        saturated=saturated,
    )
    return found.stored(*modes).beside(deviation_of(filled, kernel, (moving, wanted), known, reference))


def _style(part: Part, style: str | None) -> str:
    """The style of a kernel. Refuses what no kernel is made of."""
    _check(part)
    powers = isinstance(part.layer.weight, PowerOfTwo | AdditivePowerOfTwo)
    return style or ("shiftadd" if powers else "mac")


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


def _weights(
    probe: Kernel, given: Mapping[str, Sequence[int]], random: np.random.Generator
) -> dict[str, Sequence[int]]:
    """The weights by name: those given, and drawn ones for the rest."""
    found = dict(given)
    for name, weight in probe.weights.items():
        if name in probe.names and name not in found:
            found[name] = drawn_weights(random, weight.format, weight.elements)
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
    kernel: Kernel, vectors: int, random: np.random.Generator, known: Mapping[str, Sequence[int]]
) -> dict[str, list[Array]]:
    """The numbers on every port that moves, step by step."""
    ports = [port for port in kernel.graph.inputs.values() if port.name.startswith("x") and port.elements]
    if kernel.graph.feeds:
        return {port.name: drawn_sequences(random, port, vectors, STEPS, known) for port in ports}
    return {port.name: [drawn_inputs(random, (port.low, port.high), vectors, port.elements)] for port in ports}


def _counts(layer: Layer, kernel: Kernel, style: str, known: Mapping[str, Sequence[int]], design: Design) -> list[str]:
    """Where inventory, netlist and census differ."""
    operands = {name: _matrix(values, kernel.weights[name].rows or len(values)) for name, values in known.items()}
    once = _once(layer)
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


def _once(layer: Layer) -> Layer:
    """A layer of one step: the kernel of every step is the same."""
    return replace(layer, steps=1) if "steps" in layer.spec else layer  # type: ignore[call-arg]


def _matrix(values: Sequence[int], outputs: int) -> Matrix:
    return replace(Matrix.of(values), arrange=lambda array: array.reshape(outputs, -1), _trees={})


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
    wanted: Sequence[Mapping[str, Array]],
) -> list[str]:
    """Where the simulated Verilog, the netlist's own numbers and the plain equation of a layer differ."""
    import numpy as np

    held = {name: np.atleast_2d(values) for name, values in ports.items()}
    simulated = _simulated(kernel, design, {**moving, **{name: [each] for name, each in held.items()}}, wanted)
    layer, known = equation
    # A bias on a port is a number of its own format.
    joining = not any("bias" in name for name in kernel.names)
    plain = execute(layer, kernel, moving, known, joining=joining)
    for step, (one, other) in enumerate(zip(plain, wanted, strict=True)):
        for name, values in one.items():
            simulated += _unequal(f"equations and netlist, {name}, step {step}", values, other[name])
    return simulated


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
    return _simulated(kernel, design, each, kernel.trace(few, drawn))


def _simulated(
    kernel: Kernel, design: Design, each: Mapping[str, Sequence[Array]], wanted: Sequence[Mapping[str, Array]]
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
        found = design.run_clocked(words, steps, signed=())
    else:
        found = {name: values[None] for name, values in design.run(words, signed=()).items()}
    differences = list[str]()
    for step, (name, nodes) in product(range(steps), graph.outputs.items()):
        if nodes:
            first = graph.nodes[nodes[0]]
            other = unpacked(found[name][step], len(nodes), first.width, signed=not first.unsigned)
            place = f"step {step}" if name == "y0" else f"{name}, step {step}"
            differences += _unequal(f"netlist and simulation, {place}", wanted[step][name], other)
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


def _unequal(what: str, one: Array, other: Array) -> list[str]:
    import numpy as np

    if np.shape(one) != np.shape(other):
        one = np.broadcast_to(one, np.shape(other))
    if np.array_equal(one, other):
        return []
    places = np.argwhere(np.asarray(one, object) != np.asarray(other, object))
    sample, element = places[0].tolist()
    return [f"{what}: vector {sample}, element {element}: {one[sample][element]} and {other[sample][element]}"]
