"""A folded kernel as Verilog: one multiplier, one accumulator, a weight memory, and what is no dot around them.

A state machine counts: `address` words of the memory, `place` products of a dot, `column` terms of a sum, `dot` dots.
The unit has begun and works while `active` is 1, a product a cycle; the sums of a dot move through a chain of result
registers, so that the first to come ends up in element 0. `done` is 1 for one cycle, in which the outputs are valid
and after which the states have their new value. Inputs are held from the cycle after `start` until `done`; a `start`
while the unit works is not heard. Counters and the choice of operands are no modules nc_*: they are control.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .folded import Dot, Folded
from .netlist import Graph, Operation
from .verilog import emit, hexadecimal
from .verilog_modules import MODULES, lookup_module

__all__ = ["ACTIVE", "DONE", "REST", "START", "emit_folded"]

START, DONE, ACTIVE = "start", "done", "active"
REST = "outside"
SHARED = ("nc_mul", "nc_add", "nc_register_enabled")


def emit_folded(folded: Folded, name: str = "nc_kernel") -> str:
    """The text of a folded kernel and of the modules it uses; ports as `emit` writes them, besides start and done.

    `active` leaves the kernel so that its cycles can be counted: it is the enable of the accumulator.
    """
    rest = without_registers(folded.graph)
    text = emit(rest, REST)
    modules = [MODULES[cell] for cell in SHARED if f"module {cell} " not in text]
    weights = [dot for dot in folded.dots if not dot.right]
    if weights:
        words = folded.words
        modules.append(
            lookup_module("nc_table_weights", words, bits_for(len(words)), folded.right_bits, "the known weights")
        )
    modules += [_control(folded), _operands(folded, rest)]
    return "\n".join([*modules, text, _kernel(folded, rest, name)])


def bits_for(count: int) -> int:
    """Bits of a counter of so many places."""
    return max((count - 1).bit_length(), 1)


def without_registers(graph: Graph) -> Graph:
    """The same netlist with its states as inputs, what they become as outputs: state s1 becomes next_s1."""
    found = Graph()
    found.nodes = [
        replace(node, operation=Operation.INPUT) if node.operation is Operation.REGISTER else node
        for node in graph.nodes
    ]
    found.inputs = {name: port._replace(register=False) for name, port in graph.inputs.items()}
    found.outputs = dict(graph.outputs)
    for port in graph.inputs.values():
        if port.register:
            places = [place for place, node in enumerate(graph.nodes) if node.port == port.name]
            found.output(f"next_{port.name}", [graph.feeds.get(place, place) for place in places])
    return found


def _control(folded: Folded) -> str:
    """The state machine: what the unit does in this cycle, and which dot has a sum complete at its end."""
    dots = folded.dots
    widths = counters(folded)
    last = len(dots) - 1
    lines = [
        *_of_dots("last_column", [dot.columns - 1 for dot in dots], widths),
        *_of_dots("last_place", [dot.products - 1 for dot in dots], widths),
        "wire row_ends;",
        "wire dot_ends;",
        "wire all_ends;",
        "assign first = column == 0;",
        "assign row_ends = active & (column == last_column);",
        "assign dot_ends = active & (place == last_place);",
        f"assign all_ends = dot_ends & (dot == {last});",
        *[f"assign store[{number}] = row_ends & (dot == {number});" for number in range(len(dots))],
        "always @(posedge clk)",
        "  if (rst) begin",
        *[f"    {register} <= 0;" for register in (ACTIVE, DONE, *widths)],
        "  end else begin",
        "    done <= all_ends;",
        "    if (all_ends) active <= 0;",
        "    else if (start) active <= 1;",
        "    if (active) begin",
        "      address <= all_ends ? 0 : address + 1;",
        "      place <= dot_ends ? 0 : place + 1;",
        "      column <= row_ends ? 0 : column + 1;",
        "      if (dot_ends) dot <= all_ends ? 0 : dot + 1;",
        "    end",
        "  end",
    ]
    ports = [f"input wire {port}" for port in ("clk", "rst", START)]
    ports += [f"output reg {port}" for port in (ACTIVE, DONE)]
    ports += [f"output reg [{width - 1}:0] {counter}" for counter, width in widths.items()]
    ports += ["output wire first", f"output wire [{last}:0] store"]
    return _module("control", ports, lines)


def counters(folded: Folded) -> dict[str, int]:
    """The counters of the state machine and their bits."""
    return {
        "address": bits_for(folded.cycles),
        "place": bits_for(max(dot.products for dot in folded.dots)),
        "column": bits_for(max(dot.columns for dot in folded.dots)),
        "dot": bits_for(len(folded.dots)),
    }


def _of_dots(name: str, values: list[int], widths: dict[str, int]) -> Iterator[str]:
    """A number that each dot has one of."""
    width = widths[name.removeprefix("last_")]
    if len(set(values)) == 1:
        yield f"wire [{width - 1}:0] {name};"
        yield f"assign {name} = {width}'d{values[0]};"
        return
    yield f"reg [{width - 1}:0] {name};"
    yield "always @*"
    yield "  case (dot)"
    for number, value in enumerate(values[:-1]):
        yield f"    {widths['dot']}'d{number}: {name} = {width}'d{value};"
    yield f"    default: {name} = {width}'d{values[-1]};"
    yield "  endcase"


def _operands(folded: Folded, rest: Graph) -> str:
    """The factors of this cycle, chosen by the counters, and where a sum begins."""
    widths, sums = counters(folded), folded.sum_bits
    read = list(dict.fromkeys(name for dot in folded.dots for name in (dot.left, dot.right) if name))
    ports = [f"input wire [{widths[counter] - 1}:0] {counter}" for counter in ("place", "column", "dot")]
    ports += [f"input wire [{port_bits(rest, name) - 1}:0] {name}" for name in read]
    ports += [f"input wire signed [{folded.right_bits - 1}:0] weight", "input wire first"]
    ports += [f"input wire signed [{sums - 1}:0] kept", f"output wire signed [{sums - 1}:0] begun"]
    lines = [f"assign begun = first ? {hexadecimal(0, sums)} : kept;"]
    for side, width in (("left", folded.left_bits), ("right", folded.right_bits)):
        choice = _Choice(rest, side, width)
        chosen = [choice.factor(dot) for dot in folded.dots]
        root = choice.among(chosen, "dot")
        ports.append(f"output wire signed [{width - 1}:0] {side}")
        lines += [*choice.lines, f"assign {side} = {root};"]
    return _module("operands", ports, lines)


def port_bits(graph: Graph, name: str) -> int:
    """Bits of an output of a netlist."""
    return sum(graph.nodes[node].width for node in graph.outputs[name])


class _Choice:
    """Trees of two-way choices for one factor; the lowest bit of a counter chooses last, so that little changes."""

    def __init__(self, rest: Graph, side: str, width: int) -> None:
        self.rest, self.side, self.width = rest, side, width
        self.lines: list[str] = []
        self.trees: dict[tuple[str, str], str] = {}

    def factor(self, dot: Dot) -> str:
        """The wire with the factor of one dot."""
        name = dot.left if self.side == "left" else dot.right
        if not name:
            return "weight"
        counter = "column" if len(self.rest.outputs[name]) == dot.columns else "place"
        if (name, counter) not in self.trees:
            self.trees[name, counter] = self.among(self.elements(name, counter), counter)
        return self.trees[name, counter]

    def elements(self, name: str, counter: str) -> list[str]:
        """The elements of a port as wide as the factor."""
        found, low = list[str](), 0
        for number, place in enumerate(self.rest.outputs[name]):
            node = self.rest.nodes[place]
            bits = f"{name}[{low + node.width - 1}:{low}]"
            found.append(f"{self.side}_{counter}_{name}_{number}")
            self.wire(found[-1], bits if node.unsigned else f"$signed({bits})")
            low += node.width
        return found

    def among(self, sources: list[str], counter: str, bit: int = 0) -> str:
        """The wire with the source whose number a counter holds."""
        if len(set(sources)) == 1:
            return sources[0]
        even, odd = self.among(sources[::2], counter, bit + 1), self.among(sources[1::2], counter, bit + 1)
        if even == odd:
            return even
        chosen = f"{self.side}_{len(self.lines)}"
        self.wire(chosen, f"{counter}[{bit}] ? {odd} : {even}")
        return chosen

    def wire(self, name: str, value: str) -> None:
        self.lines += [f"wire signed [{self.width - 1}:0] {name};", f"assign {name} = {value};"]


def _module(name: str, ports: list[str], lines: list[str]) -> str:
    listed, body = ",\n  ".join(ports), "".join(f"  {line}\n" for line in lines)
    return f"module {name} (\n  {listed}\n);\n{body}endmodule\n"


def _kernel(folded: Folded, rest: Graph, name: str) -> str:
    """The top: ports, the unit, its registers, and the instances of what surrounds it."""
    states = {port.name for port in folded.graph.inputs.values() if port.register}
    results = {dot.result for dot in folded.dots}
    ports = [f"input wire {port}" for port in ("clk", "rst", START)] + [f"output wire {p}" for p in (ACTIVE, DONE)]
    lines = []
    inside = [port for port in rest.inputs.values() if port.elements]
    for port in inside:
        kind = "" if port.name in states | results else "input "
        text = f"{kind}wire [{port.elements * port.width - 1}:0] {port.name}"
        if kind:
            ports.append(text)
        else:
            lines.append(f"{text};")
    leaving = [output for output, nodes in rest.outputs.items() if nodes]
    for output in leaving:
        text = f"wire [{port_bits(rest, output) - 1}:0] {output}"
        if output in folded.graph.outputs and output.startswith("y"):
            ports.append(f"output {text}")
        else:
            lines.append(f"{text};")
    joined = ", ".join(f".{port}({port})" for port in (*(each.name for each in inside), *leaving))
    lines.append(f"{REST} {REST}_0 ({joined});")
    return _module(name, ports, [*lines, *_unit(folded), *_registers(folded)])


def _unit(folded: Folded) -> Iterator[str]:
    """Multiplier, adder and accumulator, the memory and the state machine."""
    widths = counters(folded)
    left, right, product, total = folded.left_bits, folded.right_bits, folded.product_bits, folded.sum_bits
    for counter, width in widths.items():
        yield f"wire [{width - 1}:0] {counter};"
    yield f"wire first;\n  wire [{len(folded.dots) - 1}:0] store;"
    for wire, width in (("left", left), ("right", right), ("weight", right), ("product", product)):
        yield f"wire signed [{width - 1}:0] {wire};"
    for wire in ("begun", "sum", "kept"):
        yield f"wire signed [{total - 1}:0] {wire};"
    known = any(not dot.right for dot in folded.dots)
    yield "nc_table_weights weights (.a(address), .y(weight));" if known else f"assign weight = {right}'h0;"
    read = dict.fromkeys(name for dot in folded.dots for name in (dot.left, dot.right) if name)
    told = ("clk", "rst", START, ACTIVE, DONE, *widths, "first", "store")
    chosen = ("place", "column", "dot", *read, "weight", "first", "kept", "begun", "left", "right")
    yield f"control control_0 ({', '.join(f'.{port}({port})' for port in told)});"
    yield f"operands operands_0 ({', '.join(f'.{port}({port})' for port in chosen)});"
    yield f"nc_mul #(.A({left}), .B({right}), .Y({product})) shared_product (.a(left), .b(right), .y(product));"
    yield f"nc_add #(.A({total}), .B({product}), .Y({total})) shared_sum (.a(begun), .b(product), .y(sum));"
    yield _register("accumulator", total, ACTIVE, "sum", "kept")


def _registers(folded: Folded) -> Iterator[str]:
    """The results of every dot as a chain that a new sum enters at the last element; the states."""
    graph = folded.graph
    for number, dot in enumerate(folded.dots):
        width = graph.inputs[dot.result].width
        for row in range(dot.rows):
            low = (row + 1) * width
            entering = f"sum[{width - 1}:0]" if row == dot.rows - 1 else f"{dot.result}[{low + width - 1}:{low}]"
            held = f"{dot.result}[{low - 1}:{low - width}]"
            yield _register(f"{dot.result}_{row}", width, f"store[{number}]", entering, held)
    for port in graph.inputs.values():
        for element in range(port.elements if port.register else 0):
            bits = f"[{(element + 1) * port.width - 1}:{element * port.width}]"
            entering = f"next_{port.name}{bits}"
            yield _register(f"state_{port.name}_{element}", port.width, DONE, entering, f"{port.name}{bits}")


def _register(label: str, width: int, enable: str, entering: str, held: str) -> str:
    ports = f".clk(clk), .rst(rst), .enable({enable}), .d({entering}), .q({held})"
    return f"nc_register_enabled #(.Y({width})) {label} ({ports});"
