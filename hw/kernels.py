"""The equations of a layer as a circuit: an interpreter whose values are bundles of wires.

Style `mac` has a real multiplier for every product by a number that is neither 0 nor +-2**k; `shiftadd` shifts and adds
the canonical signed digits of known weights, `binary` the bits of their magnitudes; `shared` and `da` add once what
several sums need. Weights whose values are not known enter on ports and are multiplied in
both. Every result of a verb is brought to one interval, that of all its elements together: one kind of operator serves
them, as the exact convention counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from operator import index

from nncomplexity.errors import UsageError
from nncomplexity.expressions import Size
from nncomplexity.formats import Accumulation, Binary, Format, Mixed
from nncomplexity.ops import Role
from nncomplexity.requantization import Requantization

from .bundles import Bundle, UnsupportedLayer, aligned, paired
from .fixed import FixedPoint, Overflow, Rounding
from .netlist import Graph, Operand, Port
from .plans import planned
from .styles import DIGITS, PLANS, STYLES
from .tables import TABLE_BITS, Table
from .trees import digit_sum, known_product, product_sum, tree

__all__ = ["Netlist", "check_values", "whole"]

# What an activation function longer than a table sees: eight on either side of zero.
TABLE_OPERAND = FixedPoint(bits=TABLE_BITS, integer=4, overflow=Overflow.SAT)


class Netlist:
    """Builds `graph` from equations.

    weights: known integers by the name the equations give them, in index order, a bias in units of the sum it joins.
    rectifies: a comparison is a ReLU. states: the variables, by their order, that are registers. table_operand: what
    the operand of a table is brought to where it has more bits. rounding, overflow: of what is stored between verbs.
    Raises: UnsupportedLayer wherever the vocabulary leaves open which element meets which.
    """

    def __init__(
        self,
        style: str = "shiftadd",
        weights: Mapping[str, Sequence[int]] | None = None,
        *,
        rectifies: bool = False,
        states: Collection[int] = (),
        table_operand: FixedPoint = TABLE_OPERAND,
        rounding: Rounding = Rounding.TRN,
        overflow: Overflow = Overflow.WRAP,
    ) -> None:
        if style not in STYLES:
            raise UsageError("E-KERNEL-STYLE", f"there is no style '{style}'; choose {', '.join(STYLES)}")
        self.graph = Graph()
        self.names: dict[str, str] = {}
        self.variables: list[Bundle] = []
        self.stored: list[Bundle] = []
        self.unread: dict[int, Bundle] = {}
        self._style, self._weights, self._rectifies = style, dict(weights or {}), rectifies
        self._table_operand, self._rounding, self._overflow = table_operand, rounding, overflow
        self._states, self._constants, self._used = frozenset(states), 0, set[str]()

    def variable(self, elements: Size, format: Format, name: str = "") -> Bundle:
        place = len(self.variables)
        state = place in self._states
        found = self._entered(f"{'s' if state else 'x'}{place}", whole(elements), format, name, state)
        self.variables.append(found)
        return found

    def constant(self, elements: Size, format: Format, name: str = "") -> Bundle:
        known = self._weights.get(name) if name else None
        if known is None:
            port = f"w{self._constants}"
            self._constants += 1
            return replace(self._entered(port, whole(elements), format, name), constant=True)
        if name in self._used:
            raise UnsupportedLayer(f"several tensors are called {name}: known values cannot tell them apart")
        self._used.add(name)
        low, high = _interval(format)
        values = tuple(_integer(name, value) for value in known)
        if len(values) != whole(elements):
            raise UsageError(
                "E-KERNEL-WEIGHTS", f"{name} has {len(values)} values, expected {elements}; give one for each weight"
            )
        fraction = format.fraction
        return Bundle(
            low=low,
            high=high,
            fraction=fraction if isinstance(fraction, int) else 0,
            constant=True,
            values=values,
            width=format.width,
            unsigned=not format.signed,
        )

    def partial(self, elements: Size, sum: Accumulation, name: str = "") -> Bundle:
        raise UnsupportedLayer("its sums are made elsewhere: the equations do not say of which products")

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
    ) -> Bundle:
        if products is not None or additions is not None:
            raise UnsupportedLayer("a sparse product names how many terms a row has, not which; give the rows in full")
        columns, rows = whole(terms), whole(outputs)
        if x.elements not in (columns, columns * rows) or weight.elements != columns * rows:
            raise UnsupportedLayer(
                f"{rows} sums of {columns} products are made of {x.elements} and {weight.elements} numbers: the "
                "equations do not say which belong together"
            )
        self._read(x, weight)
        if x.constant and x.values is not None:
            x = self._placed(x)
        inputs = [x.nodes if x.elements == columns else x.nodes[row * columns :][:columns] for row in range(rows)]
        if weight.values is not None and not x.constant:
            numbers = [weight.values[row * columns :][:columns] for row in range(rows)]
            return self._result(self._known_sums(inputs, numbers, x, weight, role))
        placed = self._placed(weight)
        each = [
            [self.graph.multiply(a, b, role) for a, b in zip(inputs[row], placed.nodes[row * columns :], strict=False)]
            for row in range(rows)
        ]
        return self._result(self._sums(each, _product(x, placed), x.fraction + placed.fraction, role))

    def sum(self, x: Bundle, *, terms: Size, outputs: Size, role: Role) -> Bundle:
        columns, rows = whole(terms), whole(outputs)
        if x.elements != columns * rows:
            raise UnsupportedLayer(f"{rows} sums of {columns} terms are made of {x.elements} numbers")
        self._read(x)
        each = [list(x.nodes[row * columns :][:columns]) for row in range(rows)]
        return self._result(self._sums(each, x.interval, x.fraction, role))

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
            return self._result(self._known_sums(inputs, numbers, left, right, role))
        left, right = self._placed(left), self._placed(right)
        others = paired(right.nodes, left.elements)
        nodes = tuple(self.graph.multiply(a, b, role) for a, b in zip(left.nodes, others, strict=True))
        low, high = _product(left, right)
        return self._result(Bundle(nodes=nodes, low=low, high=high, fraction=left.fraction + right.fraction))

    def compare(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        if not self._rectifies or not right.constant:
            raise UnsupportedLayer("a comparison keeps one of its operands: the equations do not say which")
        self._read(left, right)
        nodes = tuple(self.graph.rectify(node, role) for node in left.nodes)
        return self._result(replace(left, nodes=nodes, constant=False))

    def greatest(self, x: Bundle, *, terms: Size, outputs: Size, role: Role) -> Bundle:
        columns, rows = whole(terms), whole(outputs)
        if x.elements != columns * rows or not columns:
            raise UnsupportedLayer(f"{rows} maxima of {columns} terms are taken of {x.elements} numbers")
        self._read(x)
        each = [x.nodes[row * columns :][:columns] for row in range(rows)]
        nodes = tuple(tree(row, lambda a, b: self.graph.greater(a, b, role)) for row in each)
        return self._result(replace(x, nodes=nodes))

    def lookup(self, x: Bundle, function: str, *, result: Format | None = None, role: Role = Role.ACTIVATION) -> Bundle:
        if result is None:
            raise UnsupportedLayer(f"the equations do not say in which format {function} is stored")
        self._read(x)
        operand, nodes = self._table_operand, x.nodes
        widest = max((self.graph.nodes[node].width for node in nodes), default=0)
        if widest <= operand.bits:
            signed = not all(self.graph.nodes[node].unsigned for node in nodes)
            operand = FixedPoint(bits=widest, integer=widest - x.fraction, signed=signed)
        else:
            nodes = tuple(self.graph.quantise(node, operand) for node in nodes)
        table = Table(function=function, operand=operand, result=self._fixed(result))
        low, high = ends = _interval(result)
        found = tuple(self.graph.table(node, table, role, ends) for node in nodes)
        return self._result(Bundle(nodes=found, low=low, high=high, fraction=table.result.fraction))

    def broadcast(self, x: Bundle, elements: Size) -> Bundle:
        self._read(x)
        return self._result(replace(self._placed(x), nodes=tuple(paired(self._placed(x).nodes, whole(elements)))))

    def requantize(self, x: Bundle, format: Format, change: Requantization | None = None) -> Bundle:
        if change is not None and not change.nothing:
            raise UnsupportedLayer("it changes the scale of integers by a multiplier that the netlist does not know")
        self._read(x)
        found = self.quantised(x, format)
        self.stored.append(found)
        return self._result(found)

    def correct(self, *, products: Size, subtractions: Size, format: Format) -> None:
        raise UnsupportedLayer("its zero points are taken off outside the equations; fold them into the bias")

    def quantised(self, x: Bundle, format: Format) -> Bundle:
        """A bundle stored in a format, by the rounding and overflow of this netlist."""
        fixed, (low, high) = self._fixed(format), _interval(format)
        nodes = tuple(self.graph.quantise(node, fixed, (low, high)) for node in self._placed(x).nodes)
        return Bundle(nodes=nodes, low=low, high=high, fraction=fixed.fraction)

    @property
    def unused(self) -> list[str]:
        """Known weights that no verb asked for."""
        return sorted(set(self._weights) - self._used)

    def _fixed(self, format: Format) -> FixedPoint:
        return FixedPoint.of(format, self._rounding, self._overflow)

    def _entered(self, port: str, elements: int, format: Format, name: str, register: bool = False) -> Bundle:
        low, high = _interval(format)
        if isinstance(format, Binary | Mixed):
            raise UnsupportedLayer(f"a number on a port is {format}: its one encoding is not known; give its values")
        if name:
            self.names[name] = port
        fraction = format.fraction if isinstance(format.fraction, int) else 0
        nodes = self.graph.port(Port(port, elements, format.width, not format.signed, low, high, fraction, register))
        return Bundle(nodes=tuple(nodes), low=low, high=high, fraction=fraction)

    def _placed(self, bundle: Bundle) -> Bundle:
        """A bundle whose numbers are wires, known ones too."""
        if bundle.values is None:
            return bundle
        nodes = tuple(
            self.graph.constant(value, bundle.fraction, bundle.interval, bundle.width, bundle.unsigned)
            for value in bundle.values
        )
        return replace(bundle, nodes=nodes, values=None)

    def _known_sums(
        self,
        inputs: Sequence[Sequence[int]],
        weights: Sequence[Sequence[int]],
        x: Bundle,
        weight: Bundle,
        role: Role,
    ) -> Bundle:
        """Sums of products by known numbers, all of the interval that the widest of them needs."""
        graph, fraction = self.graph, x.fraction + weight.fraction
        check_values(weight)
        low = min((sum(min(w * x.low, w * x.high) for w in row) for row in weights), default=0)
        high = max((sum(max(w * x.low, w * x.high) for w in row) for row in weights), default=0)
        nodes = []
        search = PLANS.get(self._style)
        roots = planned(graph, search, inputs, weights, x.interval, role) if search else []
        for number, (wires, row) in enumerate(zip(inputs, weights, strict=True)):
            if not any(row):
                root = Operand(graph.constant(0, fraction, (0, 0), 1))
            elif search:
                root = roots[number] or Operand(0)
            elif self._style in DIGITS:
                root = digit_sum(graph, wires, row, role, DIGITS[self._style]) or Operand(0)
            else:
                each = [
                    known_product(graph, wire, value, (weight.width, weight.unsigned), weight.fraction, role)
                    for wire, value in zip(wires, row, strict=True)
                    if value
                ]
                root = Operand(product_sum(graph, each, role))
            nodes.append(graph.wire(root, (low, high), fraction))
        return Bundle(nodes=tuple(nodes), low=low, high=high, fraction=fraction)

    def _sums(self, rows: Sequence[Sequence[int]], each: tuple[int, int], fraction: int, role: Role) -> Bundle:
        """Sums of equally many wires of one interval."""
        terms = len(rows[0]) if rows else 0
        low, high = each[0] * terms, each[1] * terms
        zero = [self.graph.constant(0, fraction, (0, 0), 1)] if not terms else []
        nodes = tuple(product_sum(self.graph, row or zero, role) for row in rows)
        return Bundle(nodes=nodes, low=low, high=high, fraction=fraction)

    def _combined(self, left: Bundle, right: Bundle, role: Role, sign: int) -> Bundle:
        self._read(left, right)
        right = self._biases(left, right) if role is Role.BIAS and right.values is not None else right
        left, right = self._placed(left), self._placed(right)
        fraction = max(left.fraction, right.fraction)
        ones = aligned(self.graph, left, fraction)
        others = paired(aligned(self.graph, right, fraction), len(ones))
        make = self.graph.add if sign > 0 else self.graph.subtract
        nodes = tuple(make(Operand(a), Operand(b), role) for a, b in zip(ones, others, strict=True))
        a = left.low << fraction - left.fraction, left.high << fraction - left.fraction
        b = right.low << fraction - right.fraction, right.high << fraction - right.fraction
        low, high = (a[0] + b[0], a[1] + b[1]) if sign > 0 else (a[0] - b[1], a[1] - b[0])
        return self._result(Bundle(nodes=nodes, low=low, high=high, fraction=fraction))

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
            self.unread.pop(id(operand), None)

    def _result(self, bundle: Bundle) -> Bundle:
        self.unread[id(bundle)] = bundle
        return bundle


def whole(size: Size) -> int:
    """A size as an int. Raises UsageError E-EXACT-SYMBOL for a free one."""
    if isinstance(size, int):
        return size
    raise UsageError("E-EXACT-SYMBOL", f"a kernel needs integers, found {size}; bind free dims with --dim")


def _integer(name: str, value: object) -> int:
    if hasattr(value, "__index__"):
        return index(value)
    raise UsageError("E-KERNEL-WEIGHTS", f"{name} holds {value!r}, expected integers; quantize the weights first")


def _interval(format: Format) -> tuple[int, int]:
    if format.floating:
        raise UnsupportedLayer(f"a number of it is {format}: only fixed point has a kernel; give its bits")
    return format.interval


def check_values(weight: Bundle) -> None:
    """Refuse known numbers outside their format."""
    wrong = [value for value in weight.values or () if not weight.low <= value <= weight.high]
    if wrong:
        raise UsageError(
            "E-KERNEL-WEIGHTS", f"a weight is {wrong[0]}, its format holds {weight.low}..{weight.high}; widen it"
        )


def _product(left: Bundle, right: Bundle) -> tuple[int, int]:
    corners = [a * b for a in left.interval for b in right.interval]
    return min(corners), max(corners)
