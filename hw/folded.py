"""The equations of a layer as a circuit with one multiply-accumulate unit: its sums of products one after the other.

Every `dot` leaves its products to the unit, in the order of the equations; its results are numbers that the rest of
the circuit reads. What is no dot stays as it is unrolled: gates, tables, additions and lone products between the
dots, so that a dot may depend on what an earlier one gave. Known weights stand in one memory with the range of their
format, as they would on ports: the circuit is the same whatever they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nncomplexity.expressions import Size
from nncomplexity.formats import Format
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Role

from .building import Kernel, build
from .bundles import Bundle, UnsupportedLayer
from .kernels import Netlist, check_values, whole
from .netlist import Graph, Port, width_of

__all__ = ["Dot", "Folded", "FoldedNetlist", "fold"]

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """`rows` sums of `columns` products, as the unit makes them, row by row and term by term.

    left, right: outputs of the graph that hold the factors, shared by all rows where there are `columns`; `right` is
    "" where the factors are the known `weights`. result: the input of the graph where the sums come back.
    product, sum: the integers of a product and of a sum. weight_bits: of the format the weights stand in, with a sign.
    """

    result: str
    left: str
    right: str = ""
    weights: tuple[int, ...] = ()
    weight_bits: int = 0
    rows: int
    columns: int
    role: Role
    product: Interval
    sum: Interval

    @property
    def products(self) -> int:
        """Cycles of the unit."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """kernel: all that is no dot, a netlist of one execution; dots: what the unit does, in order."""

    kernel: Kernel
    dots: tuple[Dot, ...]

    @property
    def graph(self) -> Graph:
        """The netlist of what is no dot."""
        return self.kernel.graph

    @property
    def products(self) -> Counter[Role]:
        """Products of one execution, each a cycle of the unit, by what they are for."""
        found: Counter[Role] = Counter()
        for dot in self.dots:
            found[dot.role] += dot.products
        return found

    @property
    def cycles(self) -> int:
        """Cycles of the unit in one execution."""
        return self.products.total()

    @property
    def latency(self) -> int:
        """Clock cycles from a start to the outputs; as many at least are between two starts, the next one with done."""
        return self.cycles + 1

    @property
    def left_bits(self) -> int:
        """Bits of the multiplier's first factor: those of the widest."""
        return max(self._bits(dot.left) for dot in self.dots)

    @property
    def right_bits(self) -> int:
        """Bits of the multiplier's second factor: those of the widest."""
        return max(self._bits(dot.right) if dot.right else dot.weight_bits for dot in self.dots)

    @property
    def product_bits(self) -> int:
        """Bits of a product."""
        return max(width_of(*dot.product) for dot in self.dots)

    @property
    def sum_bits(self) -> int:
        """Bits of the accumulator: it begins with 0, and between two sums reaches no further than their interval."""
        return max(width_of(min(dot.sum[0], 0), max(dot.sum[1], 0)) for dot in self.dots)

    @property
    def words(self) -> list[int]:
        """The weight memory: a word for every cycle of the unit, 0 where both factors are no known weights."""
        return [word for dot in self.dots for word in dot.weights or (0,) * dot.products]

    def _bits(self, name: str) -> int:
        nodes = [self.graph.nodes[node] for node in self.graph.outputs[name]]
        return max(node.width + int(node.unsigned) for node in nodes)


class FoldedNetlist(Netlist):
    """A netlist whose dots are collected: their factors leave the graph, their results enter it.

    joining: known biases are in units of the sums they join.
    """

    def __init__(
        self,
        style: str = "mac",
        weights: Mapping[str, Sequence[int]] | None = None,
        *,
        joining: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(style, weights, **settings)
        self._joining = joining
        self.dots: list[Dot] = []
        self._factors: dict[tuple[int, ...], str] = {}
        # The bundles themselves are kept, so that no other gets the identity of one.
        self._known: dict[int, Bundle] = {}

    def constant(self, elements: Size, format: Format, name: str = "", **said: Any) -> Bundle:
        found = super().constant(elements, format, name, **said)
        if name and found.values is not None:
            # Ports keep the numbers they have where no weight is known.
            self._constants += 1
            self._known[id(found)] = found
        return found

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
        columns, rows = whole(terms if row is None else row), whole(outputs)
        if row is None and (products is not None or additions is not None):
            raise UnsupportedLayer("a sparse product names how many terms a row has, not which; give the rows in full")
        if not columns * rows:
            return super().dot(x, weight, terms=terms, outputs=outputs, role=role, row=row)
        if x.elements not in (columns, columns * rows) or weight.elements != columns * rows:
            raise UnsupportedLayer(
                f"{rows} sums of {columns} products of {x.elements} and {weight.elements} numbers are not folded: the "
                "equations do not say which belong together"
            )
        self._read(x, weight)
        check_values(weight)
        corners = [a * b for a in x.interval for b in weight.interval]
        ends = min(corners) * columns, max(corners) * columns
        known, result, fraction = weight.values, f"d{len(self.dots)}", x.fraction + weight.fraction
        self.dots.append(
            Dot(
                result=result,
                left=self._factor(self._placed(x)),
                right="" if known else self._factor(weight),
                weights=known or (),
                weight_bits=max(weight.width + int(weight.unsigned), width_of(*weight.interval)) if known else 0,
                rows=rows,
                columns=columns,
                role=role,
                product=(min(corners), max(corners)),
                sum=ends,
            )
        )
        nodes = self.graph.port(Port(result, rows, width_of(*ends), False, *ends, fraction))
        return self._result(Bundle(nodes=tuple(nodes), low=ends[0], high=ends[1], fraction=fraction))

    def add(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        if role is Role.BIAS and self._joining:
            return super().add(self._wired(left), right, role=role)
        return super().add(self._wired(left), self._wired(right), role=role)

    def subtract(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        return super().subtract(self._wired(left), self._wired(right), role=role)

    def multiply(self, left: Bundle, right: Bundle, *, role: Role) -> Bundle:
        return super().multiply(self._wired(left), self._wired(right), role=role)

    def _wired(self, bundle: Bundle) -> Bundle:
        """Known weights outside a dot as wires that may carry any number of their format."""
        return self._placed(bundle) if id(bundle) in self._known else bundle

    def _factor(self, bundle: Bundle) -> str:
        """The output of the graph where the unit finds these factors."""
        name = self._factors.setdefault(bundle.nodes, f"o{len(self._factors)}")
        self.graph.output(name, bundle.nodes)
        return name


def fold(
    layer: Layer, weights: Mapping[str, Sequence[int]] | None = None, *, joining: bool = False, **modes: Any
) -> Folded:
    """The folded kernel of one execution of a layer. weights, modes: as of `build`; weights not given are on ports.

    joining: known biases are in units of the sums they join, not of their format.
    Raises: UnsupportedLayer for a layer without a kernel, or without a sum of products.
    """
    made: list[FoldedNetlist] = []

    def interpreter(*arguments: Any, **settings: Any) -> FoldedNetlist:
        made.append(FoldedNetlist(*arguments, joining=joining, **settings))
        return made[-1]

    kernel = build(layer, "mac", weights, interpreter=interpreter, **modes)
    if not made[-1].dots:
        raise UnsupportedLayer(f"{layer.kind} has no sum of products to fold; choose schedule unrolled")
    return Folded(kernel=kernel, dots=tuple(made[-1].dots))
