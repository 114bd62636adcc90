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
from nncomplexity.ops import Inventory, Role
from nncomplexity.quantization import parse_quantization

from .building import SUPPORTED, Kernel, build
from .bundles import UnsupportedLayer
from .cells import packed, unpacked
from .census import census
from .declared import declared
from .elaborate import Design, elaborate
from .kernels import whole
from .nodes import Operator, operators
from .vectors import drawn_inputs, drawn_weights
from .verilog import emit

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Drawn", "Verdict", "counted", "drawn", "operands_of", "prove", "verify"]

STEPS = 20
COUNTERS = {"mac": "exact", "shiftadd": "shiftadd"}
ROWS = ("additions", "negations", "multiplications", "comparisons", "muxes", "tables", "registers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was proved. simulator: the tool that ran and its version. vectors: samples, of so many steps for a cell.

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
    style: str | None = None,
    vectors: int = 1000,
    seed: int = 0,
) -> Verdict:
    """`verify` for a layer whose formats are filled in."""
    import numpy as np

    filled, random = part.layer, np.random.default_rng(seed)
    made = drawn(part, random, weights=weights, style=style)
    kernel, known, chosen, built_in = made.kernel, made.weights, made.style, made.built_in
    ports = _ports(kernel, known, random)
    design = elaborate(emit(kernel.graph), "nc_kernel")
    counts = _counts(filled, kernel, chosen, built_in, design)
    steps = STEPS if kernel.graph.feeds else 1
    moving = _inputs(kernel, vectors, steps, random)
    values = _values(kernel, design, moving, ports, (filled, known, chosen))
    return Verdict(
        name=part.name,
        style=chosen,
        schedule="unrolled",
        simulator=design.tool,
        vectors=vectors,
        steps=steps,
        values_equal=not values,
        counts_equal=not counts,
        first_difference=(values + counts + [""])[0],
        operations=sum(kernel.graph.inventory().values()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A layer's kernel in a style, and its weights by name: those given, and drawn ones for the rest."""

    kernel: Kernel
    style: str
    weights: Mapping[str, Sequence[int]]

    @property
    def built_in(self) -> Mapping[str, Sequence[int]]:
        """The weights that are part of the circuit; those of the others stand on its ports."""
        return self.weights if self.style == "shiftadd" else {}


def drawn(
    part: Part,
    random: np.random.Generator,
    *,
    weights: Mapping[str, Sequence[int]] | None = None,
    style: str | None = None,
) -> Drawn:
    """The kernel of a layer whose formats are filled in. Raises: as `verify`."""
    _check(part)
    powers = isinstance(part.layer.weight, PowerOfTwo | AdditivePowerOfTwo)
    chosen = style or ("shiftadd" if powers else "mac")
    known = _weights(part.layer, weights or {}, random)
    kernel = build(part.layer, chosen, known if chosen == "shiftadd" else {})
    return Drawn(kernel=kernel, style=chosen, weights=known)


def counted(layer: Layer, style: str, known: Mapping[str, Sequence[int]], *, once: bool = False) -> Inventory:
    """What an inference of a layer with known weights is charged, or one execution, as the counter of a style sees."""
    return count(layer, COUNTERS[style], operands=operands_of(layer, known), once=once)


def operands_of(layer: Layer, known: Mapping[str, Sequence[int]]) -> dict[str, Matrix]:
    """Weights by name as counting reads them."""
    rows = {name.partition(".")[2]: len(values) for name, values in known.items() if name.startswith("bias")}
    return {name: _matrix(values, rows.get(name.partition(".")[2], _outputs(layer))) for name, values in known.items()}


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


def _inputs(kernel: Kernel, vectors: int, steps: int, random: np.random.Generator) -> dict[str, list[Array]]:
    """The numbers on every port that moves, step by step."""
    ports = [port for port in kernel.graph.inputs.values() if port.name.startswith("x") and port.elements]
    return {
        port.name: [drawn_inputs(random, (port.low, port.high), vectors, port.elements) for _ in range(steps)]
        for port in ports
    }


def _counts(layer: Layer, kernel: Kernel, style: str, known: Mapping[str, Sequence[int]], design: Design) -> list[str]:
    """Where inventory, netlist and census differ."""
    once = replace(layer, steps=1) if isinstance(layer, Recurrent) else layer
    times = whole(once.executions)
    charged = operators(counted(once, style, known))
    # The netlist is one execution; rounding and limiting what is stored is charged to no layer.
    made = {op: n * times for op, n in kernel.graph.inventory().items() if op.role is not Role.REQUANTIZATION}
    found = [_difference("inventory and netlist", charged, Counter(made))] if charged != Counter(made) else []
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


def _values(
    kernel: Kernel,
    design: Design,
    moving: Mapping[str, Sequence[Array]],
    ports: Mapping[str, Array],
    equation: tuple[Layer, Mapping[str, Sequence[int]], str],
) -> list[str]:
    """Where the simulated Verilog, the netlist's own numbers and the plain equation of a layer differ."""
    import numpy as np

    first = next(iter(moving.values()))
    steps, vectors = len(first), len(first[0])
    fixed = {name: np.tile(values, (vectors, 1)) for name, values in ports.items()}
    wanted = kernel.run(moving, fixed)
    simulated = _simulated(kernel, design, {**moving, **{name: [each] * steps for name, each in fixed.items()}}, wanted)
    layer, known, style = equation
    if not isinstance(layer, Dense):
        return simulated
    shift = whole(layer.input.fraction) if style == "mac" else 0
    return simulated + _unequal("equation and netlist", _plain(layer, known, moving["x0"][0], shift), wanted[0])


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
    if graph.feeds:
        found = list(design.run_clocked(words, steps, signed=())["y0"])
    else:
        found = [design.run({name: values[0] for name, values in words.items()}, signed=())["y0"]]
    first, differences = graph.nodes[graph.outputs["y0"][0]], list[str]()
    for step, (numbers, word) in enumerate(zip(wanted, found, strict=True)):
        other = unpacked(word, len(graph.outputs["y0"]), first.width, signed=not first.unsigned)
        differences += _unequal(f"netlist and simulation, step {step}", numbers, other)
    return differences


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
