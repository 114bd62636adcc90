"""The waist: operations and how often each happens. Layers fill it, metrics weigh it, nothing else passes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from .expressions import Size
from .formats import Format

__all__ = ["LINEAR_ROLES", "PRODUCTS", "Inventory", "Kind", "Op", "Role", "Weight"]


class Kind(Enum):
    """What an operation does.

    SHIFT_PRODUCT is a product by a constant +-2**k and NO_PRODUCT one by a constant zero: dense counts still see them.
    NEGATE turns a sum's sign where that could not wait for a subtraction; it takes half adders, no full ones.
    PADDING is a product already counted whose input is padding. UNKNOWN is work that was not searched for: metrics of
    it are null.
    STORE is no computation: a number that is kept (a parameter, an activation, a state). EXECUTION is one run of a
    row's equations. QUANTUM is a unit of a resource that
    no classical metric speaks of; its function names it.
    """

    # A member is one object: its identity is a hash, and a much quicker one than that of its name.
    __hash__ = object.__hash__

    MULTIPLY = "multiply"
    ADD = "add"
    SUBTRACT = "subtract"
    NEGATE = "negate"
    SHIFT_PRODUCT = "shift product"
    NO_PRODUCT = "no product"
    SHIFT = "shift"
    COMPARE = "compare"
    LOOKUP = "lookup"
    STORE = "store"
    EXECUTION = "execution"
    QUANTUM = "quantum"
    PADDING = "padding"
    UNKNOWN = "unknown"


class Role(Enum):
    """Why an operation happens. The first four belong to linear operators: their products are MACs."""

    __hash__ = object.__hash__

    INPUT = "input"
    RECURRENT = "recurrent"
    CONTRACTION = "contraction"
    TRANSFORM = "transform"
    BIAS = "bias"
    JOIN = "join"
    GATE = "gate"
    STATE = "state"
    PEEPHOLE = "peephole"
    ACTIVATION = "activation"
    NORMALIZATION = "normalization"
    POOLING = "pooling"
    REDUCTION = "reduction"
    ELEMENTWISE = "elementwise"
    SCALE = "scale"
    INTERPOLATION = "interpolation"
    REQUANTIZATION = "requantization"
    ZERO_POINT = "zero point"
    PARAMETER = "parameter"
    OUTPUT = "output"
    LIVE = "live"
    SCHEDULE = "schedule"
    QUANTUM = "quantum"


PRODUCTS = frozenset({Kind.MULTIPLY, Kind.SHIFT_PRODUCT, Kind.NO_PRODUCT})
LINEAR_ROLES = frozenset({Role.INPUT, Role.RECURRENT, Role.CONTRACTION, Role.TRANSFORM})


class Op(NamedTuple):
    """One kind of operation with its operand formats and the format it feeds.

    result: the accumulator of a product or an addition, the format of a looked-up or stored number.
    constant: one operand is known before the run (a weight), so shifts and adds may replace a multiplier.
    function: what a LOOKUP evaluates ("tanh"), else "".
    passed: lowest bits of a sum where an operand is always zero: they need no full adder.
    """

    kind: Kind
    role: Role
    left: Format
    right: Format
    result: Format
    constant: bool = False
    function: str = ""
    passed: int = 0


Weight = Callable[[Op], Size | None]


class Inventory:
    """An immutable multiset of operations: `Op -> count`, counts exact ints or expressions in free sizes."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[Op, Size] | None = None) -> None:
        self._counts = {op: count for op, count in (counts or {}).items() if count != 0}

    def __add__(self, other: Inventory) -> Inventory:
        counts = dict(self._counts)
        for op, count in other._counts.items():
            counts[op] = counts.get(op, 0) + count
        return Inventory(counts)

    def __mul__(self, times: Size) -> Inventory:
        return self if times == 1 else Inventory({op: count * times for op, count in self._counts.items()})

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inventory) and self._counts == other._counts

    def __hash__(self) -> int:
        return hash(frozenset(self._counts.items()))

    def __iter__(self) -> Iterator[tuple[Op, Size]]:
        return iter(self._counts.items())

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"Inventory({self._counts!r})"

    def total(self, weight: Weight) -> Size | None:
        """sum(count * weight(op)); None as soon as an operation that is there has no weight."""
        total: Size = 0
        for op, count in self._counts.items():
            each = weight(op)
            if each is None:
                return None
            total = total + each * count
        return total

    def filter(self, wanted: Callable[[Op], bool]) -> Inventory:
        """The operations that satisfy a condition."""
        return Inventory({op: count for op, count in self._counts.items() if wanted(op)})

    def grouped(self, key: Callable[[Op], str]) -> dict[str, Inventory]:
        """Plain data: one inventory for each value of key, in order of first appearance."""
        groups: dict[str, dict[Op, Size]] = {}
        for op, count in self._counts.items():
            groups.setdefault(key(op), {})[op] = count
        return {name: Inventory(counts) for name, counts in groups.items()}
