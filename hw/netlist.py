"""A kernel as a list of wires: every node the exact integers it may carry, its binary point and its width.

Nodes stand in order of use (static single assignment). From the one list come the operators that are counted, the
numbers of a run, and the Verilog text. Intervals are propagated when a node is made; a run refuses a value outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from nncomplexity.errors import UsageError
from nncomplexity.ops import Kind, Role

from .fixed import FixedPoint, Overflow, Rounding
from .nodes import Node, Operand, Operation, Operator, Port, operators, width_of
from .tables import Table

__all__ = ["Graph", "Node", "Operand", "Operation", "Operator", "Port", "operators", "width_of"]


class Graph:
    """Builds and holds the nodes of a kernel. inputs: ports by name; outputs: nodes by port; feeds: the node whose
    value a register takes at the end of a step."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: dict[str, Port] = {}
        self.outputs: dict[str, tuple[int, ...]] = {}
        self.feeds: dict[int, int] = {}
        self._constants: dict[tuple[object, ...], int] = {}

    def port(self, port: Port) -> list[int]:
        """The nodes of a new input or register port, element 0 first."""
        self.inputs[port.name] = port
        kind = Operation.REGISTER if port.register else Operation.INPUT
        return [
            self._made(
                Node(
                    operation=kind,
                    low=port.low,
                    high=port.high,
                    fraction=port.fraction,
                    width=port.width,
                    unsigned=port.unsigned,
                    port=port.name,
                    index=index,
                )
            )
            for index in range(port.elements)
        ]

    def constant(self, value: int, fraction: int, interval: tuple[int, int], width: int, unsigned: bool = False) -> int:
        """A known number, as wide as its fellows."""
        key = value, fraction, interval, width, unsigned
        if key not in self._constants:
            low, high = interval
            if not low <= value <= high:
                raise UsageError("E-KERNEL-RANGE", f"the constant {value} is not in {low}..{high}; widen its format")
            self._constants[key] = self._made(
                Node(
                    operation=Operation.CONSTANT,
                    low=low,
                    high=high,
                    fraction=fraction,
                    width=width,
                    unsigned=unsigned,
                    value=value,
                )
            )
        return self._constants[key]

    def wire(self, operand: Operand, interval: tuple[int, int], fraction: int) -> int:
        """The operand, shifted, as a wire of the interval it is known to keep; itself where nothing changes."""
        node, width = self.nodes[operand.node], width_of(*interval)
        if (operand.shift, node.zeros, node.low, node.high, node.fraction) == (0, 0, *interval, fraction):
            return operand.node
        return self._plain(Operation.WIRE, (operand,), interval, fraction, width, Role.INPUT)

    def add(self, left: Operand, right: Operand, role: Role, *, both: bool = False) -> int:
        """left + right; `both`: wide enough for its negation, because it will be subtracted."""
        one, other = self.reach(left), self.reach(right)
        return self._sum(Operation.ADD, (left, right), (one[0] + other[0], one[1] + other[1]), role, both)

    def subtract(self, left: Operand, right: Operand, role: Role) -> int:
        """left - right."""
        one, other = self.reach(left), self.reach(right)
        return self._sum(Operation.SUBTRACT, (left, right), (one[0] - other[1], one[1] - other[0]), role, False)

    def negate(self, operand: Operand, role: Role, *, both: bool = False) -> int:
        """-operand; `both`: as wide as the operand, kept for both signs, is."""
        low, high = self.reach(operand)
        fraction = self.nodes[operand.node].fraction
        width = width_of(-high, -low, both=both)
        return self._plain(Operation.NEGATE, (operand,), (-high, -low), fraction, width, role)

    def multiply(self, left: int, right: int, role: Role, interval: tuple[int, int] | None = None) -> int:
        """left * right: a multiplier of both widths; `interval` where the factors are known to reach less far."""
        one, other = self.nodes[left], self.nodes[right]
        corners = [a * b for a in (one.low, one.high) for b in (other.low, other.high)]
        ends = interval or (min(corners), max(corners))
        fraction = one.fraction + other.fraction
        return self._plain(Operation.MULTIPLY, (Operand(left), Operand(right)), ends, fraction, width_of(*ends), role)

    def greater(self, left: int, right: int, role: Role) -> int:
        """The greater of two wires of one kind."""
        one, other = self.nodes[left], self.nodes[right]
        ends = max(one.low, other.low), max(one.high, other.high)
        return self._like(one, Operation.GREATER, (Operand(left), Operand(right)), ends, role)

    def rectify(self, operand: int, role: Role) -> int:
        """max(0, operand), on a wire like the operand's."""
        node = self.nodes[operand]
        return self._like(node, Operation.RECTIFY, (Operand(operand),), (node.low, max(node.high, 0)), role)

    def quantise(self, operand: int, format: FixedPoint, interval: tuple[int, int] | None = None) -> int:
        """The operand stored in a format; `interval` where it is known to hold less."""
        low, high = interval or format.interval
        return self._stored(Operation.QUANTISE, operand, format, (low, high), None, Role.REQUANTIZATION)

    def table(self, operand: int, table: Table, role: Role, interval: tuple[int, int] | None = None) -> int:
        """A function of the operand, looked up."""
        ends = interval or table.result.interval
        return self._stored(Operation.TABLE, operand, table.result, ends, table, role)

    def reach(self, operand: Operand) -> tuple[int, int]:
        """The integers an operand may carry."""
        node = self.nodes[operand.node]
        return node.low << operand.shift, node.high << operand.shift

    def output(self, name: str, nodes: Sequence[int]) -> None:
        """Let nodes leave the kernel as a port."""
        self.outputs[name] = tuple(nodes)

    def inventory(self) -> Counter[Operator]:
        """Every operator, one by one. Rounding and limits are of role requantization, which no layer counts."""
        found: Counter[Operator] = Counter()
        for node in self.nodes:
            for operator in self._operators(node):
                found[operator] += 1
        return found

    @property
    def registers(self) -> int:
        """Bits of state."""
        return sum(node.width for node in self.nodes if node.operation is Operation.REGISTER)

    def _operators(self, node: Node) -> list[Operator]:
        simple = {
            Operation.ADD: Kind.ADD,
            Operation.SUBTRACT: Kind.SUBTRACT,
            Operation.NEGATE: Kind.NEGATE,
            Operation.TABLE: Kind.LOOKUP,
        }
        if node.operation in simple:
            return [Operator(simple[node.operation], node.role, node.width, node.passed)]
        widths = [self.nodes[operand.node].width for operand in node.operands]
        if node.operation is Operation.MULTIPLY:
            return [Operator(Kind.MULTIPLY, node.role, node.width, 0, widths[0], widths[1])]
        if node.operation in (Operation.GREATER, Operation.RECTIFY):
            return [Operator(Kind.COMPARE, node.role, widths[0])]
        return self.quantiser(node) if node.operation is Operation.QUANTISE else []

    def quantiser(self, node: Node) -> list[Operator]:
        """An addition where bits are rounded away, comparisons with the ends that can be passed."""
        assert node.format is not None
        width, found = self.rounding_width(node), []
        if node.format.rounding is not Rounding.TRN and self.nodes[node.operands[0].node].fraction > node.fraction:
            found.append(Operator(Kind.ADD, node.role, width))
        if node.format.overflow is not Overflow.WRAP:
            found.extend([Operator(Kind.COMPARE, node.role, width)] * sum(self.passed_ends(node)))
        return found

    def rounding_width(self, node: Node) -> int:
        """Bits of a quantised node between its rounding and its overflow: an adder is as wide as its operands."""
        assert node.format is not None
        source = self.nodes[node.operands[0].node]
        width, dropped = source.width + int(source.unsigned), source.fraction - node.fraction
        if dropped <= 0:
            return width - dropped
        needed = width_of(*self.rounded(node))
        # The bits kept, at least one, and the bit that rounds, with a sign.
        return needed if node.format.rounding is Rounding.TRN else max(needed, width - dropped, 2)

    def rounded(self, node: Node) -> tuple[int, int]:
        """The interval of a quantised node between its rounding and its overflow."""
        assert node.format is not None
        source = self.nodes[node.operands[0].node]
        wide = FixedPoint(
            bits=source.width + abs(node.fraction) + abs(source.fraction) + 2,
            integer=source.width + abs(node.fraction) + abs(source.fraction) + 2 - node.fraction,
            rounding=node.format.rounding,
        )
        import numpy as np

        from .fixed import quantise

        low, high = quantise(np.array([source.low, source.high], object), source.fraction, wide).tolist()
        return int(low), int(high)

    def passed_ends(self, node: Node) -> tuple[bool, bool]:
        """Whether a quantised node may pass the lower and the upper end of its format after rounding."""
        assert node.format is not None
        (low, high), rounded = node.format.interval, self.rounded(node)
        return rounded[0] < low, rounded[1] > high

    def drop_unread(self, names: Collection[str]) -> None:
        """Leave out those of these input ports that nothing reads."""
        read = {operand.node for node in self.nodes for operand in node.operands} | set(self.feeds.values())
        read.update(node for nodes in self.outputs.values() for node in nodes)
        used = {node.port for place, node in enumerate(self.nodes) if place in read}
        dropped = {name for name in names if name not in used}
        if not dropped:
            return
        kept = [place for place, node in enumerate(self.nodes) if node.port not in dropped]
        moved = {old: new for new, old in enumerate(kept)}
        self.nodes = [
            replace(node, operands=tuple(each._replace(node=moved[each.node]) for each in node.operands))
            for node in (self.nodes[place] for place in kept)
        ]
        self.inputs = {name: port for name, port in self.inputs.items() if name not in dropped}
        self.outputs = {name: tuple(moved[node] for node in nodes) for name, nodes in self.outputs.items()}
        self.feeds = {moved[register]: moved[source] for register, source in self.feeds.items()}
        self._constants = {key: moved[node] for key, node in self._constants.items()}

    def _sum(
        self, operation: Operation, operands: tuple[Operand, Operand], ends: tuple[int, int], role: Role, both: bool
    ) -> int:
        zeros = [self.nodes[operand.node].zeros + operand.shift for operand in operands]
        width = width_of(*ends, both=both)
        return self._made(
            Node(
                operation=operation,
                operands=operands,
                low=ends[0],
                high=ends[1],
                fraction=self.nodes[operands[0].node].fraction,
                width=width,
                zeros=min(zeros),
                passed=min(max(zeros), width),
                role=role,
            )
        )

    def _plain(
        self,
        operation: Operation,
        operands: tuple[Operand, ...],
        ends: tuple[int, int],
        fraction: int,
        width: int,
        role: Role,
    ) -> int:
        low, high = ends
        return self._made(
            Node(operation=operation, operands=operands, low=low, high=high, fraction=fraction, width=width, role=role)
        )

    def _like(
        self, node: Node, operation: Operation, operands: tuple[Operand, ...], ends: tuple[int, int], role: Role
    ) -> int:
        return self._made(
            Node(
                operation=operation,
                operands=operands,
                low=ends[0],
                high=ends[1],
                fraction=node.fraction,
                width=node.width,
                unsigned=node.unsigned,
                role=role,
            )
        )

    def _stored(
        self,
        operation: Operation,
        operand: int,
        format: FixedPoint,
        ends: tuple[int, int],
        table: Table | None,
        role: Role,
    ) -> int:
        return self._made(
            Node(
                operation=operation,
                operands=(Operand(operand),),
                low=ends[0],
                high=ends[1],
                fraction=format.fraction,
                width=format.bits,
                unsigned=not format.signed,
                role=role,
                format=format,
                table=table,
            )
        )

    def _made(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1
