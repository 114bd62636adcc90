"""The equations of a layer as a circuit: an interpreter whose values are bundles of wires.

Style `mac` has a real multiplier for every product by a number that is neither 0 nor +-2**k; `shiftadd` shifts and adds
the canonical signed digits of known weights, `binary` the bits of their magnitudes; `shared` and `da` add once what
several sums need. Weights whose values are not known enter on ports and are multiplied in all. Every result of a verb
is brought to one interval, that of all its elements together: one kind of operator serves them, as the exact convention
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from nncomplexity.arithmetic import Places
from nncomplexity.errors import UsageError
from nncomplexity.expressions import Size
from nncomplexity.formats import Accumulation, Binary, Format, Mixed
from nncomplexity.ops import Role
from nncomplexity.requantization import Requantization

from .bundles import Bundle, UnsupportedLayer, Weight, aligned, paired
from .fixed import FixedPoint, Overflow, Rounding
from .lookups import TABLE_OPERAND, check_activation, looked_up, narrowed
from .netlist import Graph, Operand, Port
from .nodes import width_of
from .selecting import arranged, extremes, nearest, taken
from .selecting import chosen as choice
from .signs import magnitude, moved, rectified, signed
from .stated import integer, interval, point, whole
from .styles import STYLES
from .sums import check_values, known_sums, product_interval, sums
from .trees import tree

__all__ = ["Netlist", "check_values", "whole"]


class Netlist:
    """Builds `graph` from equations.

    weights: known integers by the name the equations give them, in index order, a bias in units of the sum it joins.
    rectifies: a comparison is a ReLU. activation: how a function of more bits than a table has is computed, "piecewise"
    where there are such pieces, or "table". table_operand: what the operand of a table is brought to where it has more
    bits. rounding, overflow: of what is stored between verbs.
    Raises: UnsupportedLayer wherever the vocabulary leaves open which element meets which.
    """

    def __init__(
        self,
        style: str = "shiftadd",
        weights: Mapping[str, Sequence[int]] | None = None,
        *,
        rectifies: bool = False,
        activation: str = "piecewise",
        table_operand: FixedPoint = TABLE_OPERAND,
        rounding: Rounding = Rounding.TRN,
        overflow: Overflow = Overflow.WRAP,
    ) -> None:
        if style not in STYLES:
            raise UsageError("E-KERNEL-STYLE", f"there is no style '{style}'; choose {', '.join(STYLES)}")
        check_activation(activation)
        self.graph = Graph()
        self.names: dict[str, str] = {}
        self.weights: dict[str, Weight] = {}
        self.unread: dict[int, Bundle] = {}
        self.states: dict[int, tuple[Bundle, Format]] = {}
        self.kept: dict[int, Bundle] = {}
        # Inputs that no verb has read, with their ports.
        self.untouched: dict[int, tuple[Bundle, str]] = {}
        self._style, self._weights, self._rectifies = style, dict(weights or {}), rectifies
        self._activation = activation
        self._table_operand, self.rounding, self.overflow = table_operand, rounding, overflow
        self.tabled: list[FixedPoint | None] = []
        self._variables, self._constants, self._used = 0, 0, set[str]()

    def variable(self, elements: Size, format: Format, name: str = "") -> Bundle:
        port = f"x{self._variables}"
        found = self._moving("x", elements, format, name)
        self.untouched[id(found)] = found, port
        return found

    def state(self, elements: Size, format: Format, name: str = "") -> Bundle:
        found = self._moving("s", elements, format, name, register=True)
        self.states[id(found)] = found, format
        return found

    def keep(self, state: Bundle, value: Bundle) -> None:
        if id(state) not in self.states or id(state) in self.kept or state.elements != value.elements:
            raise UnsupportedLayer("what is kept is no state, is kept twice, or has another number of elements")
        self._read(value)
        self.kept[id(state)] = value

    def constant(self, elements: Size, format: Format, name: str = "", *, value: Fraction | None = None) -> Bundle:
        known = self._weights.get(name) if name else None
        if name:
            if name in self.weights:
                raise UnsupportedLayer(f"several tensors are called {name}: known values cannot tell them apart")
            self.weights[name] = Weight(format, whole(elements), 0)
        elif value is not None:
            return self._mathematical(whole(elements), format, value)
        if known is None:
            port = f"w{self._constants}"
            self._constants += 1
            return replace(self._entered(port, whole(elements), format, name), constant=True, name=name)
        self._used.add(name)
        low, high = interval(format)
        values = tuple(integer(name, value) for value in known)
        if len(values) != whole(elements):
            raise UsageError(
                "E-KERNEL-WEIGHTS", f"{name} has {len(values)} values, expected {elements}; give one for each weight"
            )
        return Bundle(
            low=low,
            high=high,
            fraction=point(format),
            constant=True,
            values=values,
            width=format.width,
            unsigned=not format.signed,
            format=format,
            name=name,
        )

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Bundle:
        ends = [a * b for a in interval(sum.left) for b in interval(sum.right)]
        low, high = min(ends) * whole(sum.terms), max(ends) * whole(sum.terms)
        left, right = (point(each) for each in (sum.left, sum.right))
        fraction = left + right
        port = Port(f"x{self._variables}", whole(elements), width_of(low, high), False, low, high, fraction)
        self._variables += 1
        return Bundle(nodes=tuple(self.graph.port(port)), low=low, high=high, fraction=fraction)

    def accumulator(self, terms: Size, left: Format, right: Format) -> None:
        return None

    def dot(
        self,
        x: Bundle,
        weight: Bundle,
        *,
        terms: Size,
        outputs: Size,
        role: Role,
        products: Size | None = None,
        additions: Size | None = None,
        row: Size | None = None,
    ) -> Bundle:
        if row is None and (products is not None or additions is not None):
            raise UnsupportedLayer("a sparse product names how many terms a row has, not which; give the rows in full")
        columns, rows = whole(terms if row is None else row), whole(outputs)
        if x.elements not in (columns, columns * rows) or weight.elements != columns * rows:
            raise UnsupportedLayer(
                f"{rows} sums of {columns} products are made of {x.elements} and {weight.elements} numbers: the "
                "equations do not say which belong together"
            )
        self._read(x, weight)
        if weight.name in self.weights:
            self.weights[weight.name] = self.weights[weight.name]._replace(rows=rows)
        if x.constant and x.values is not None:
            x = self._placed(x)
        inputs = [x.nodes if x.elements == columns else x.nodes[at * columns :][:columns] for at in range(rows)]
        if weight.values is not None and not x.constant:
            numbers = [weight.values[at * columns :][:columns] for at in range(rows)]
            return self._result(known_sums(self.graph, self._style, inputs, numbers, (x, weight), role))
        placed = self._placed(weight)
        each = [
            [self.graph.multiply(a, b, role) for a, b in zip(wires, placed.nodes[at * columns :], strict=False)]
            for at, wires in enumerate(inputs)
        ]
        fraction = x.fraction + placed.fraction
        return self._result(sums(self.graph, each, product_interval(x, placed), fraction, role))

    def sum(self, x: Bundle, *, terms: Size, outputs: Size, role: Role) -> Bundle:
        columns, rows = whole(terms), whole(outputs)
        if x.elements != columns * rows:
            raise UnsupportedLayer(f"{rows} sums of {columns} terms are made of {x.elements} numbers")
        self._read(x)
        each = [list(x.nodes[row * columns :][:columns]) for row in range(rows)]
        return self._result(sums(self.graph, each, x.interval, x.fraction, role))

    def add(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        return self._combined(left, right, role, 1)

    def subtract(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        return self._combined(left, right, role, -1)

    def multiply(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        if left.constant and not right.constant:
            left, right = right, left
        self._read(left, right)
        if right.values is not None and not left.constant:
            values = paired(right.values, left.elements)
            inputs = [(node,) for node in left.nodes]
            numbers = [(value,) for value in values]
            return self._result(known_sums(self.graph, self._style, inputs, numbers, (left, right), role))
        left, right = self._placed(left), self._placed(right)
        others = paired(right.nodes, left.elements)
        nodes = tuple(self.graph.multiply(a, b, role) for a, b in zip(left.nodes, others, strict=True))
        low, high = product_interval(left, right)
        return self._result(Bundle(nodes=nodes, low=low, high=high, fraction=left.fraction + right.fraction))

    def compare(
        self, left: Bundle, right: Bundle, *, role: Role, kept: str = "", chosen: tuple[Bundle, Bundle] | None = None
    ) -> Bundle:
        if left.signs and kept == "greater" and right.number == 0:
            self._taken(left)
            self._read(right)
            return self._result(replace(left, nodes=rectified(self.graph, left, role)))
        self._read(left, right, *(chosen or ()))
        left = self._placed(left)
        if chosen is not None:
            values = self._placed(chosen[0]), self._placed(chosen[1])
            return self._result(choice(self.graph, left, self._placed(right), values, role))
        if kept:
            return self._result(extremes(self.graph, left, self._placed(right), kept, role))
        if not self._rectifies or not right.constant:
            raise UnsupportedLayer("a comparison keeps one of its operands: the equations do not say which")
        nodes = tuple(self.graph.rectify(node, role) for node in left.nodes)
        return self._result(replace(left, nodes=nodes, constant=False))

    def greatest(self, x: Bundle, *, terms: Size, outputs: Size, role: Role, kept: str = "greater") -> Bundle:
        columns, rows = whole(terms), whole(outputs)
        if x.elements != columns * rows or not columns:
            raise UnsupportedLayer(f"{rows} extremes of {columns} terms are taken of {x.elements} numbers")
        self._read(x)
        x = self._placed(x)
        each = [x.nodes[row * columns :][:columns] for row in range(rows)]
        make = self.graph.greater if kept == "greater" else self.graph.lesser
        nodes = tuple(tree(row, lambda a, b: make(a, b, role)) for row in each)
        return self._result(replace(x, nodes=nodes, constant=False))

    def lookup(
        self,
        x: Bundle,
        function: str,
        *,
        result: Format | None = None,
        role: Role = Role.ACTIVATION,
        members: Callable[[], Sequence[tuple[int, ...]]] | None = None,
    ) -> Bundle:
        stored = result or x.format
        if stored is None:
            raise UnsupportedLayer(f"the equations do not say in which format {function} is stored")
        self._read(x)
        found, seen = looked_up(
            self.graph,
            self._placed(x),
            function,
            self._fixed(stored),
            interval(stored),
            role=role,
            operand=self._table_operand,
            activation=self._activation,
            members=members() if members else (),
        )
        self.tabled.append(seen)
        return self._result(replace(found, format=stored))

    def arrange(self, parts: Sequence[Bundle], elements: Size, places: Places) -> Bundle:
        self._read(*parts)
        kept = parts if len(parts) == 1 else [self._placed(each) for each in parts]
        return self._result(arranged(self.graph, kept, whole(elements), places()))

    def piece(self, memory: Bundle, x: Bundle, elements: Size, *, pieces: Size) -> Bundle:
        self._read(memory, x)
        seen, format = narrowed(self.graph, self._placed(x))
        self.tabled.append(format)
        return self._result(taken(self.graph, self._placed(memory), seen, whole(elements), whole(pieces)))

    def broadcast(self, x: Bundle, elements: Size) -> Bundle:
        self._read(x)
        return self._result(replace(self._placed(x), nodes=tuple(paired(self._placed(x).nodes, whole(elements)))))

    def requantize(self, x: Bundle, format: Format, change: Requantization | None = None) -> Bundle:
        if change is not None and not change.nothing:
            raise UnsupportedLayer("it changes the scale of integers by a multiplier that the netlist does not know")
        self._read(x)
        return self._result(self.quantised(x, format))

    def magnitude(self, x: Bundle) -> Bundle:
        self._read(x)
        return self._result(magnitude(self.graph, self._placed(x)))

    def signed(self, x: Bundle, like: Bundle) -> Bundle:
        self._taken(x)
        self._read(like)
        return self._result(signed(self.graph, x, like))

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        raise UnsupportedLayer("its zero points are taken off outside the equations; fold them into the bias")

    def quantised(self, x: Bundle, format: Format) -> Bundle:
        """A bundle stored in a format, by the rounding and overflow of this netlist."""
        fixed, (low, high) = self._fixed(format), interval(format)
        held = [self.graph.nodes[node] for node in x.nodes]
        if held and all((node.format, node.low, node.high) == (fixed, low, high) for node in held):
            return x
        nodes = tuple(self.graph.quantise(node, fixed, (low, high)) for node in self._placed(x).nodes)
        return Bundle(nodes=nodes, low=low, high=high, fraction=fixed.fraction, format=format)

    @property
    def unused(self) -> list[str]:
        """Known weights that no verb asked for."""
        return sorted(set(self._weights) - self._used)

    def _fixed(self, format: Format) -> FixedPoint:
        return FixedPoint.of(format, self.rounding, self.overflow)

    def _moving(self, letter: str, elements: Size, format: Format, name: str, *, register: bool = False) -> Bundle:
        port = f"{letter}{self._variables}"
        self._variables += 1
        return self._entered(port, whole(elements), format, name, register)

    def _mathematical(self, elements: int, format: Format, value: Fraction) -> Bundle:
        """A number that mathematics says, as near as the format holds it."""
        low, high = ends = interval(format)
        fraction = point(format)
        node = self.graph.constant(nearest(value, fraction, ends), fraction, ends, format.width, not format.signed)
        nodes = (node,) * elements
        return Bundle(nodes=nodes, low=low, high=high, fraction=fraction, constant=True, number=value, format=format)

    def _entered(self, port: str, elements: int, format: Format, name: str, register: bool = False) -> Bundle:
        low, high = interval(format)
        if isinstance(format, Binary | Mixed):
            raise UnsupportedLayer(f"a number on a port is {format}: its one encoding is not known; give its values")
        if name:
            self.names[name] = port
        fraction = point(format)
        nodes = self.graph.port(Port(port, elements, format.width, not format.signed, low, high, fraction, register))
        return Bundle(nodes=tuple(nodes), low=low, high=high, fraction=fraction, format=format)

    def _placed(self, bundle: Bundle) -> Bundle:
        """A bundle whose numbers are wires, known ones too."""
        if bundle.values is None:
            return bundle
        nodes = tuple(
            self.graph.constant(value, bundle.fraction, bundle.interval, bundle.width, bundle.unsigned)
            for value in bundle.values
        )
        return replace(bundle, nodes=nodes, values=None)

    def _combined(self, left: Bundle, right: Bundle, role: Role, sign: int) -> Bundle:
        self._taken(left)
        self._read(right)
        right = self._biases(left, right) if role is Role.BIAS and right.values is not None else right
        left, right = self._placed(left), self._placed(right)
        fraction = max(left.fraction, right.fraction)
        if left.signs and sign < 0:
            raise UnsupportedLayer("from a magnitude nothing is subtracted")
        left = moved(self.graph, left, fraction)
        ones = aligned(self.graph, left, fraction)
        others = paired(aligned(self.graph, right, fraction), len(ones))
        make = self.graph.add if sign > 0 else self.graph.subtract
        nodes = tuple(make(Operand(a), Operand(b), role) for a, b in zip(ones, others, strict=True))
        a = left.low << fraction - left.fraction, left.high << fraction - left.fraction
        b = right.low << fraction - right.fraction, right.high << fraction - right.fraction
        low, high = (a[0] + b[0], a[1] + b[1]) if sign > 0 else (a[0] - b[1], a[1] - b[0])
        return self._result(Bundle(nodes=nodes, low=low, high=high, fraction=fraction, signs=left.signs))

    @staticmethod
    def _biases(left: Bundle, right: Bundle) -> Bundle:
        """Known biases stand in units of the sum they join."""
        values = right.values or (0,)
        low, high = min(values), max(values)
        width = max(-low - 1, high, 0).bit_length() + 1
        return replace(right, low=low, high=high, fraction=left.fraction, width=width, unsigned=False)

    def _read(self, *operands: Bundle) -> None:
        """What is read is no output of the kernel."""
        for operand in operands:
            if operand.signs:
                raise UnsupportedLayer("a magnitude is only added to, compared with 0 and given its sign again")
            self._taken(operand)

    def _taken(self, operand: Bundle) -> None:
        self.unread.pop(id(operand), None)
        self.untouched.pop(id(operand), None)

    def _result(self, bundle: Bundle) -> Bundle:
        self.unread[id(bundle)] = bundle
        return bundle
