"""A netlist as Verilog-2001 with signed wires: one instance of a small tagged module for every node.

Datapath operators are modules called nc_*, control is none of them. Instances are named after the operation's role and
the node (`bias_12`; a constant is `constant_7`), wires n0, n1 … after the node: no name of a model gets into the text.
A shift is a concatenation with zeros, and the low bits of an adder's operand that are always zero stand as zeros at its
instance, so that they can be read there. nc_wire and nc_constant are opaque on purpose: one kind of operator serves all
elements of a value. An operator whose value goes nowhere, because the weights behind it are 0, is kept by an attribute:
what is counted is there. Constants are two's-complement hexadecimals: -8'sd128 would be +128 in a wider place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .fixed import Overflow, Rounding
from .netlist import Graph, Node, Operand, Operation, Port
from .verilog_modules import MODULES, table_module

__all__ = ["emit", "hexadecimal"]

CELLS = {
    Operation.WIRE: "nc_wire",
    Operation.ADD: "nc_add",
    Operation.SUBTRACT: "nc_sub",
    Operation.NEGATE: "nc_neg",
    Operation.MULTIPLY: "nc_mul",
    Operation.GREATER: "nc_max",
    Operation.LESSER: "nc_min",
    Operation.LESS: "nc_less",
    Operation.RECTIFY: "nc_relu",
    Operation.SIGN: "nc_sign",
    Operation.TURN: "nc_turn",
}
# Nodes that are no operators have no role.
UNCHARGED = {Operation.CONSTANT, Operation.REGISTER, Operation.WIRE}
# Where the always-zero low bits of an operand show at the instance.
SHOWN = {Operation.ADD, Operation.SUBTRACT, Operation.NEGATE}
ROUND = {Rounding.TRN: "nc_truncate", Rounding.RND: "nc_round", Rounding.RND_CONV: "nc_round_even"}


def emit(graph: Graph, name: str = "nc_kernel") -> str:
    """The text of a kernel and of the modules it uses; element 0 of a port is in its lowest bits.

    Registers take their new value at the rising edge of clk and are 0 after one with rst.
    """
    return _Text(graph, name).written()


def hexadecimal(value: int, width: int) -> str:
    """A constant of so many bits in two's complement: 8'h80."""
    return f"{width}'h{value % (1 << width):x}"


class _Text:
    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name
        self.cells: set[str] = set()
        self.tables = graph.tables

    def written(self) -> str:
        unread, lines = self.graph.unread, list[str]()
        for place, node in enumerate(self.graph.nodes):
            lines.extend(self._node(place, node))
            if place in unread and node.operation not in (Operation.INPUT, Operation.CONSTANT):
                lines[-1] = f"(* keep *) {lines[-1]}"
        for port, nodes in self.graph.outputs.items():
            lines.extend(self._output(port, nodes))
        modules = [MODULES[cell] for cell in MODULES if cell in self.cells]
        modules += [table_module(name, table) for table, name in self.tables.items()]
        body = "".join(f"  {line}\n" for line in lines)
        kernel = f"module {self.name} (\n  {f',{chr(10)}  '.join(self._ports())}\n);\n{body}endmodule\n"
        return "\n".join([*modules, kernel])

    def _ports(self) -> Iterator[str]:
        if self.graph.feeds:
            yield "input wire clk"
            yield "input wire rst"
        for port in self.graph.inputs.values():
            if not port.register and port.elements:
                yield f"input wire [{port.elements * port.width - 1}:0] {port.name}"
        for name, nodes in self.graph.outputs.items():
            if nodes:
                yield f"output wire [{sum(self.graph.nodes[node].width for node in nodes) - 1}:0] {name}"

    def _output(self, port: str, nodes: tuple[int, ...]) -> Iterator[str]:
        low = 0
        for node in nodes:
            high = low + self.graph.nodes[node].width
            yield f"assign {port}[{high - 1}:{low}] = n{node};"
            low = high

    def _node(self, place: int, node: Node) -> Iterator[str]:
        yield f"wire {'' if node.unsigned else 'signed '}[{node.width - 1}:0] n{place};"
        reason = node.operation.value if node.operation in UNCHARGED else node.role.value.replace(" ", "_")
        label = f"{reason}_{place}"
        match node.operation:
            case Operation.INPUT:
                port: Port = self.graph.inputs[node.port]
                low = node.index * port.width
                yield f"assign n{place} = {node.port}[{low + port.width - 1}:{low}];"
            case Operation.CONSTANT:
                value = hexadecimal(node.value, node.width)
                yield self._instance("nc_constant", {"Y": node.width}, label, a=value, y=f"n{place}")
            case Operation.REGISTER:
                fed = f"n{self.graph.feeds[place]}" if place in self.graph.feeds else f"n{place}"
                ports = {"clk": "clk", "rst": "rst", "d": fed, "q": f"n{place}"}
                yield self._instance("nc_register", {"Y": node.width}, label, **ports)
            case Operation.TABLE:
                assert node.table is not None
                yield f"{self.tables[node.table]} {label} (.a(n{node.operands[0].node}), .y(n{place}));"
            case Operation.SELECT:
                condition, *others = node.operands
                found = dict(zip("ab", (self._operand(each) for each in others), strict=True))
                widths = {letter.upper(): width for letter, (_, width) in found.items()}
                ports = {letter: text for letter, (text, _) in found.items()}
                ports = {"s": f"n{condition.node}", **ports, "y": f"n{place}"}
                yield self._instance("nc_mux", {**widths, "Y": node.width}, label, **ports)
            case Operation.QUANTISE:
                yield from self._quantised(place, node, label)
            case _:
                yield self._operator(place, node, label)

    def _operator(self, place: int, node: Node, label: str) -> str:
        shown = node.operation in SHOWN
        found = [self._operand(each, node.width if shown else None) for each in node.operands]
        widths = {letter: width for letter, (_, width) in zip("AB", found, strict=False)}
        ports = {letter: text for letter, (text, _) in zip("ab", found, strict=False)}
        return self._instance(CELLS[node.operation], {**widths, "Y": node.width}, label, **ports, y=f"n{place}")

    def _instance(self, cell: str, widths: Mapping[str, int | str], label: str, **ports: str) -> str:
        self.cells.add(cell)
        settings = ", ".join(f".{key}({value})" for key, value in widths.items())
        return f"{cell} #({settings}) {label} ({', '.join(f'.{key}({value})' for key, value in ports.items())});"

    def _operand(self, operand: Operand, shown: int | None = None) -> tuple[str, int]:
        """An operand as two's complement, shifted, and its bits.

        shown: the operand of an adder of so many bits: no wider than that, its low zeros as zeros.
        """
        node, name = self.graph.nodes[operand.node], f"n{operand.node}"
        zeros = node.zeros if shown is not None else 0
        whole = node.width + int(node.unsigned)
        kept = whole if shown is None else min(whole, shown - operand.shift)
        if kept <= zeros:
            width = min(whole + operand.shift, shown or 1)
            return hexadecimal(0, width), width
        high = min(kept, node.width)
        parts = ["1'h0"] if kept > node.width else []
        parts.append(name if (high, zeros) == (node.width, 0) else f"{name}[{high - 1}:{zeros}]")
        if zeros + operand.shift:
            parts.append(hexadecimal(0, zeros + operand.shift))
        return parts[0] if len(parts) == 1 else f"{{{', '.join(parts)}}}", kept + operand.shift

    def _quantised(self, place: int, node: Node, label: str) -> Iterator[str]:
        """Bits behind the point rounded away, then those before it; every step a wire of its own."""
        assert node.format is not None
        source = node.operands[0].node
        dropped = self.graph.nodes[source].fraction - node.fraction
        text, width = self._operand(Operand(source, max(-dropped, 0)))
        if dropped > 0:
            rounded = self.graph.rounding_width(node)
            widths = {"A": width, "D": dropped, "Y": rounded}
            yield f"wire signed [{rounded - 1}:0] n{place}_rounded;"
            cell = ROUND[node.format.rounding]
            yield self._instance(cell, widths, f"{label}_rounded", a=text, y=f"n{place}_rounded")
            text, width = f"n{place}_rounded", rounded
        if node.format.overflow is not Overflow.WRAP:
            ends = zip(("floor", "ceiling"), node.format.interval, self.graph.passed_ends(node), strict=True)
            for step, end, reached in ends:
                if reached:
                    yield f"wire signed [{width - 1}:0] n{place}_{step};"
                    settings: dict[str, int | str] = {"A": width, "END": hexadecimal(end, width)}
                    ports = {"a": text, "y": f"n{place}_{step}"}
                    yield self._instance(f"nc_{step}", settings, f"{label}_{step}", **ports)
                    text = f"n{place}_{step}"
        yield self._instance("nc_wire", {"A": width, "Y": node.width}, label, a=text, y=f"n{place}")
