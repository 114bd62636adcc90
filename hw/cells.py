"""The cells of an elaborated netlist, and what each computes: the meaning Yosys' own simulation library gives it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from nncomplexity.errors import quoted

from .tools import NetlistError
from .words import Array, wrap

__all__ = [
    "BINARY",
    "MEMORIES",
    "REGISTERS",
    "UNARY",
    "Bit",
    "Cell",
    "Evaluate",
    "Instance",
    "Operand",
    "Part",
    "Port",
    "Register",
    "Step",
    "collected_later",
    "ordered",
    "resolved",
    "results",
]

Bit = int | str
# Of a word: its number, the lowest bit taken, how many are, how many they become by repeating the last, their place.
Part = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of the top module. bits: nets, least significant first, or the constants '0', '1' and 'x'."""

    name: str
    output: bool
    signed: bool
    bits: tuple[Bit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the netlist. kind: its type, as '$add'. path: of the instance holding it, '' at the top.

    module: name in the source of the module that instance is of. Connections as the bits of a port.
    """

    kind: str
    name: str
    path: str
    module: str
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    connections: Mapping[str, tuple[Bit, ...]] = field(default_factory=dict)

    def number(self, parameter: str, default: int | None = None) -> int:
        """A parameter that is an integer. Raises: NetlistError E-HDL-NETLIST."""
        found = self.parameters.get(parameter, default)
        if isinstance(found, int):
            return found
        raise NetlistError("E-HDL-NETLIST", f"the {self.kind} cell {self.place} has no number {parameter}")

    def pins(self, port: str) -> tuple[Bit, ...]:
        """The bits connected to a port. Raises: NetlistError E-HDL-NETLIST."""
        try:
            return self.connections[port]
        except KeyError:
            raise NetlistError("E-HDL-NETLIST", f"the {self.kind} cell {self.place} has no port {port}") from None

    @property
    def place(self) -> str:
        """Where the cell stands, for a message."""
        return self.path or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One use of a module. inputs, outputs: bits of its ports. key: the module with the parameters it has here."""

    path: str
    module: str
    key: str
    inputs: int
    outputs: int


@contextlib.contextmanager
def collected_later() -> Iterator[None]:
    """Suspend the collector of cyclic garbage, whose walks over a million new objects double the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Operand:
    """Bits as one number, gathered from the words that drive them."""

    __slots__ = ("constant", "parts", "signed", "width")

    def __init__(self, bits: Sequence[Bit], signed: bool, drivers: Mapping[Bit, tuple[int, int]], place: str) -> None:
        self.signed = signed
        self.width = len(bits)
        self.constant = 0
        parts: list[Part] = []
        last: Bit | None = None
        for position, bit in enumerate(bits):
            found = drivers.get(bit)
            if found is None:
                if bit not in ("0", "1"):
                    raise NetlistError("E-SIMULATE-UNDEFINED", f"'{quoted(place)}' reads a bit that nothing drives")
                self.constant |= (bit == "1") << position
            elif parts and bit == last and last is not None:
                word, low, take, length, at = parts[-1]
                parts[-1] = (word, low, take, length + 1, at)
            elif parts and parts[-1][2] == parts[-1][3] and found == _following(parts[-1], position):
                word, low, take, length, at = parts[-1]
                parts[-1] = (word, low, take + 1, length + 1, at)
            else:
                parts.append((*found, 1, 1, position))
            last = bit
        if signed and bits and bits[-1] == "1":
            self.constant -= 1 << self.width
        self.parts: tuple[Part, ...] = tuple(parts)

    @property
    def words(self) -> set[int]:
        """The words that must be known first."""
        return {part[0] for part in self.parts}

    def read(self, words: Sequence[Array], widths: Sequence[int], wide: bool) -> Array:
        """The number, of each sample or of one where it is constant; wide: as Python integers."""
        total: Array | None = None
        for word, low, take, length, position in self.parts:
            value = words[word] >> low if low else words[word]
            top = position + length == self.width
            if (top and self.signed) or length > take:
                value = value if low + take == widths[word] else wrap(value, take)
            if wide and value.dtype != object:
                value = value.astype(object)
            if not (top and self.signed):
                value = value & ((1 << length) - 1)
            if not wide and value.dtype == object:
                value = value.astype(np.int64)
            value = value << position if position else value
            total = value if total is None else total | value
        if total is None:
            return np.array([self.constant], dtype=object if wide else np.int64)
        return total | self.constant if self.constant else total


def _following(part: Part, position: int) -> tuple[int, int] | None:
    word, low, take, length, at = part
    return (word, low + take) if at + length == position else None


def _left(a: Array, b: Array, width: int) -> Array:
    return np.where(b < width, a << np.minimum(b, width), 0)


def _right(a: Array, b: Array, width: int) -> Array:
    return a >> np.minimum(b, width)


def _odd(a: Array) -> Array:
    rest = a.copy()
    parity = a & 0
    while np.any(rest != 0):
        parity = parity ^ (rest & 1)
        rest = rest >> 1
    return parity


# Of the values of A and B, each read as its parameters say, and the width the operation is done in.
BINARY: Mapping[str, Callable[[Array, Array, int], Array]] = {
    "$add": lambda a, b, _: a + b,
    "$sub": lambda a, b, _: a - b,
    "$mul": lambda a, b, _: a * b,
    "$and": lambda a, b, _: a & b,
    "$or": lambda a, b, _: a | b,
    "$xor": lambda a, b, _: a ^ b,
    "$xnor": lambda a, b, _: ~(a ^ b),
    "$eq": lambda a, b, _: a == b,
    "$ne": lambda a, b, _: a != b,
    "$eqx": lambda a, b, _: a == b,
    "$nex": lambda a, b, _: a != b,
    "$lt": lambda a, b, _: a < b,
    "$le": lambda a, b, _: a <= b,
    "$gt": lambda a, b, _: a > b,
    "$ge": lambda a, b, _: a >= b,
    "$logic_and": lambda a, b, _: (a != 0) & (b != 0),
    "$logic_or": lambda a, b, _: (a != 0) | (b != 0),
    "$shl": _left,
    "$sshl": _left,
    "$shr": _right,
    "$sshr": _right,
}
# The same of one operand; the width is that of A, which a reduction reads unsigned.
UNARY: Mapping[str, Callable[[Array, int], Array]] = {
    "$pos": lambda a, _: a,
    "$buf": lambda a, _: a,
    "$neg": lambda a, _: -a,
    "$not": lambda a, _: ~a,
    "$logic_not": lambda a, _: a == 0,
    "$reduce_or": lambda a, _: a != 0,
    "$reduce_bool": lambda a, _: a != 0,
    "$reduce_and": lambda a, width: a == (1 << width) - 1,
    "$reduce_xor": lambda a, _: _odd(a),
    "$reduce_xnor": lambda a, _: _odd(a) ^ 1,
}
# One whose reset needs an enable, or that loads asynchronously, is not among them.
REGISTERS = frozenset({"$dff", "$dffe", "$adff", "$adffe", "$sdff", "$sdffe"})
MEMORIES = frozenset({"$mem", "$mem_v2"})


def results(cell: Cell) -> list[tuple[Bit, ...]]:
    """The nets a cell drives, each word apart."""
    if cell.kind in REGISTERS:
        return [cell.pins("Q")]
    if cell.kind in MEMORIES:
        data, width = cell.pins("RD_DATA"), cell.number("WIDTH")
        return [data[at : at + width] for at in range(0, len(data), width)]
    return [cell.pins("Y")] if "Y" in cell.connections else []


def resolved(same: Mapping[Bit, Bit]) -> dict[Bit, Bit]:
    """What each net in the end is, where several modules pass something on."""
    found: dict[Bit, Bit] = {}
    for bit, other in same.items():
        for _ in range(len(same)):
            if other not in same:
                break
            other = same[other]
        found[bit] = other
    return found


Evaluate = Callable[[Sequence[Array]], Array]


@dataclass(frozen=True, slots=True)
class Step:
    """How one word is made of others. place: where, for a message."""

    word: int
    needs: frozenset[int]
    evaluate: Evaluate
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """next: its value after the clock edge, made of the words it needs and, where it may be held, of its own. known,
    start: bits it starts with, where they are given."""

    word: int
    width: int
    place: str
    known: int
    start: int
    next: Evaluate
    needs: frozenset[int]


def ordered(steps: Sequence[Step]) -> list[Step]:
    """The steps, each after those it needs. Raises: NetlistError E-SIMULATE-LOOP."""
    made = {step.word: step for step in steps}
    waiting = {step.word: sum(need in made for need in step.needs) for step in steps}
    users: dict[int, list[int]] = {}
    for step in steps:
        for need in step.needs:
            users.setdefault(need, []).append(step.word)
    ready, order = [word for word, count in waiting.items() if not count], []
    while ready:
        word = ready.pop()
        order.append(made[word])
        for user in users.get(word, ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if len(order) < len(steps):
        stuck = next(made[word] for word, count in waiting.items() if count)
        raise NetlistError("E-SIMULATE-LOOP", f"'{quoted(stuck.place)}' is part of a loop without a register")
    return order
