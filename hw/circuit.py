"""An elaborated netlist as words and steps that make one of others, in an order in which they can be evaluated.

Nothing here knows a layer, a weight or a format: only cells and the nets between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from nncomplexity.errors import quoted

from .cells import (
    BINARY,
    MEMORIES,
    REGISTERS,
    UNARY,
    Bit,
    Cell,
    Evaluate,
    Operand,
    Part,
    Port,
    Register,
    Step,
    ordered,
    resolved,
    results,
)
from .tools import NetlistError
from .words import NARROW, Array, Slice, stored, wrap

__all__ = ["CLOCK", "Circuit"]

CLOCK = "clk"
SHIFTS = frozenset({"$shl", "$sshl", "$shr", "$sshr"})


class Circuit:
    """The cells of a design in an order in which they can be evaluated."""

    def __init__(
        self,
        ports: Sequence[Port],
        cells: Sequence[Cell],
        initial: Mapping[int, str],
        same: Mapping[Bit, Bit] | None = None,
    ) -> None:
        self.inputs = {port.name: port for port in ports if not port.output}
        self.outputs = {port.name: port for port in ports if port.output}
        self.widths: list[int] = []
        self.drivers: dict[Bit, tuple[int, int]] = {}
        self.slices: dict[tuple[int, int, int], Step] = {}
        # Of a wide input: the words cut out of it, by what is taken.
        self.cuts: dict[int, dict[Slice, int]] = {}
        self.same = resolved(same or {})
        # Registers without an asynchronous reset are known before any cell; the others' state is a word of its own.
        self.registers: list[Register] = []
        self.words = {name: self.driven(port.bits, name) for name, port in self.inputs.items()}
        self.entering = frozenset(self.words.values())
        placed = [(cell, [self.driven(bits, cell.place) for bits in results(cell)]) for cell in cells]
        if twice := self.same.keys() & self.drivers.keys():
            raise NetlistError("E-SIMULATE-DRIVERS", f"{len(twice)} nets are driven by a cell and by a module's input")
        steps = [step for cell, words in placed for step in self.steps(cell, words, initial)]
        self.order = ordered([*steps, *self.slices.values()])

    def driven(self, bits: Sequence[Bit], place: str) -> int:
        """The number of a new word that drives these nets."""
        word = len(self.widths)
        self.widths.append(len(bits))
        for low, bit in enumerate(bits):
            if isinstance(bit, str) or bit in self.drivers:
                raise NetlistError("E-SIMULATE-DRIVERS", f"'{quoted(place)}' drives a net that is driven already")
            self.drivers[bit] = (word, low)
        return word

    def operand(self, bits: Sequence[Bit], signed: bool, place: str) -> Operand:
        """How bits are read as a number."""
        if self.same:
            bits = [self.same.get(bit, bit) for bit in bits]
        operand = Operand(bits, signed, self.drivers, place)
        if len(bits) == 1 or any(self.widths[part[0]] > NARROW >= part[2] for part in operand.parts):
            operand.parts = tuple(self.sliced(part, place) for part in operand.parts)
        return operand

    def sliced(self, part: Part, place: str) -> Part:
        """The same part, of a word that is no wider: a wide one is slow, and an element of it is read many times.

        So is a bit that chooses; and as a word of its own it does not change whenever another bit does.
        """
        word, low, take, length, position = part
        if self.widths[word] == take or take > NARROW or (self.widths[word] <= NARROW and take > 1):
            return part
        if word in self.entering and self.widths[word] > NARROW:
            cuts = self.cuts.setdefault(word, {})
            if (low, take) not in cuts:
                cuts[low, take] = len(self.widths)
                self.widths.append(take)
            return (cuts[low, take], 0, take, length, position)
        if (word, low, take) not in self.slices:
            narrow = len(self.widths)
            self.widths.append(take)
            step = Step(narrow, frozenset((word,)), lambda words: wrap(words[word] >> low, take), place)
            self.slices[word, low, take] = step
        return (self.slices[word, low, take].word, 0, take, length, position)

    def reader(self, cell: Cell, bits: Sequence[Bit], signed: bool, wide: bool) -> tuple[Evaluate, set[int]]:
        """The function that reads bits as a number, and the words they come from."""
        operand, widths = self.operand(bits, signed, cell.place), self.widths
        return (lambda words: operand.read(words, widths, wide)), operand.words

    def steps(self, cell: Cell, words: Sequence[int], initial: Mapping[int, str]) -> list[Step]:
        """What a cell computes. Raises: NetlistError E-SIMULATE-CELL for one of unknown meaning."""
        if cell.kind in BINARY:
            return [self.binary(cell, words[0])]
        if cell.kind in UNARY:
            return [self.unary(cell, words[0])]
        if cell.kind in REGISTERS:
            return self.register(cell, words[0], initial)
        if cell.kind in MEMORIES:
            return self.memory(cell, words)
        match cell.kind:
            case "$mux" | "$pmux":
                return [self.chosen(cell, words[0])]
            case "$lut":
                bits = f"{cell.number('LUT'):0{1 << cell.number('WIDTH')}b}"
                return [self.looked_up(cell, words[0], cell.pins("A"), [int(bit) for bit in reversed(bits)], 1)]
            case "$scopeinfo":
                return []
        raise NetlistError("E-SIMULATE-CELL", f"'{quoted(cell.place)}' is a cell {quoted(cell.kind)}, not simulated")

    def binary(self, cell: Cell, word: int) -> Step:
        a_bits, b_bits, width = cell.pins("A"), cell.pins("B"), self.widths[word]
        a_signed, b_signed = bool(cell.number("A_SIGNED")), bool(cell.number("B_SIGNED"))
        across = max(len(a_bits), width)
        if cell.kind in SHIFTS:
            if cell.kind == "$shr" and a_signed:
                a_bits, a_signed = (*a_bits, *[a_bits[-1]] * (across - len(a_bits))), False
            b_signed = False
        else:
            a_signed = b_signed = a_signed and b_signed
            across = max(across, len(b_bits))
        wide = max(across, len(b_bits)) > NARROW
        (a, a_needs), (b, b_needs) = (
            self.reader(cell, a_bits, a_signed, wide),
            self.reader(cell, b_bits, b_signed, wide),
        )
        operation = BINARY[cell.kind]
        reach = width if cell.kind in ("$shl", "$sshl") else across

        def evaluate(words: Sequence[Array]) -> Array:
            return stored(operation(a(words), b(words), reach), width)

        return Step(word, frozenset(a_needs | b_needs), evaluate, cell.place)

    def unary(self, cell: Cell, word: int) -> Step:
        bits, width, operation = cell.pins("A"), self.widths[word], UNARY[cell.kind]
        signed = bool(cell.parameters.get("A_SIGNED")) and not cell.kind.startswith(("$reduce", "$logic"))
        a, needs = self.reader(cell, bits, signed, max(len(bits), width) > NARROW)
        across = len(bits)
        return Step(word, frozenset(needs), lambda words: stored(operation(a(words), across), width), cell.place)

    def chosen(self, cell: Cell, word: int) -> Step:
        """One of several words, by at most one bit that is set."""
        width, selecting = self.widths[word], cell.pins("S")
        wide = width > NARROW
        # A choice among all there is leaves the other word undefined, and it must then never be taken.
        open_ended = "x" not in cell.pins("A")
        other, needs = self.reader(cell, cell.pins("A") if open_ended else ("0",) * width, True, wide)
        words_b = [cell.pins("B")[at : at + width] for at in range(0, len(selecting) * width, width)]
        bits = [self.reader(cell, (bit,), False, False) for bit in selecting]
        values = [self.reader(cell, word_b, True, wide) for word_b in words_b]
        all_needs = needs.union(*(found for _, found in (*bits, *values)))
        if open_ended and len(bits) == 1:
            (chooses, _), (one, _) = bits[0], values[0]
            either: Evaluate = lambda words: np.where(chooses(words) != 0, one(words), other(words))  # noqa: E731
            return Step(word, frozenset(all_needs), either, cell.place)

        def evaluate(words: Sequence[Array]) -> Array:
            result, chosen = other(words), np.zeros(1, dtype=np.int64)
            for (bit, _), (value, _) in zip(bits, values, strict=True):
                selected = bit(words)
                chosen = chosen + selected
                result = np.where(selected != 0, value(words), result)
            if np.any(chosen > 1) or not (open_ended or np.all(chosen == 1)):
                raise NetlistError("E-SIMULATE-UNDEFINED", f"'{quoted(cell.place)}' chooses no word or several at once")
            return result

        return Step(word, frozenset(all_needs), evaluate, cell.place)

    def memory(self, cell: Cell, words: Sequence[int]) -> list[Step]:
        """A table that is only read, and without a clock; each port is a step."""
        width, size, clocked = cell.number("WIDTH"), cell.number("SIZE"), cell.number("RD_CLK_ENABLE")
        content = cell.parameters.get("INIT", "")
        text = content if isinstance(content, str) else f"{content:b}"
        if cell.number("WR_PORTS") or clocked or cell.number("OFFSET", 0) or "1" not in (cell.pins("RD_EN") or "1"):
            raise NetlistError("E-SIMULATE-MEMORY", f"'{quoted(cell.place)}' is a memory that is written or clocked")
        if len(text) != width * size or set(text) - set("01"):
            raise NetlistError("E-SIMULATE-UNDEFINED", f"'{quoted(cell.place)}' is a table with undefined entries")
        entries = [int(text[at - width : at], 2) for at in range(len(text), 0, -width)]
        bits, across = cell.pins("RD_ADDR"), cell.number("ABITS")
        return [
            self.looked_up(cell, word, bits[port * across : (port + 1) * across], entries, width)
            for port, word in enumerate(words)
        ]

    def looked_up(self, cell: Cell, word: int, bits: Sequence[Bit], entries: Sequence[int], width: int) -> Step:
        a, needs = self.reader(cell, bits, False, False)
        table = wrap(np.array(entries, dtype=np.int64 if width <= NARROW else object), width)

        def evaluate(words: Sequence[Array]) -> Array:
            address = a(words)
            if np.any(address >= len(entries)):
                raise NetlistError("E-SIMULATE-UNDEFINED", f"'{quoted(cell.place)}' reads past the end of a table")
            return np.asarray(table[address])

        return Step(word, frozenset(needs), evaluate, cell.place)

    def register(self, cell: Cell, word: int, initial: Mapping[int, str]) -> list[Step]:
        """Enter a register; a step where an asynchronous reset shows at its output."""
        clock = tuple(self.same.get(bit, bit) for bit in cell.pins("CLK"))
        if clock != self.clock or not cell.number("CLK_POLARITY"):
            fact = f"the register '{quoted(cell.place)}' is not clocked by the rising edge of {CLOCK}"
            raise NetlistError("E-SIMULATE-CLOCK", fact)
        width = self.widths[word]
        wide, steps = width > NARROW, list[Step]()
        data, _ = self.reader(cell, cell.pins("D"), True, wide)
        held: Evaluate = lambda words: words[word]  # noqa: E731
        following = self.gated(cell, "EN", data, held) if "EN" in cell.connections else data
        if "SRST" in cell.connections:
            following = self.gated(cell, "SRST", self.constant(cell, "SRST_VALUE", wide), following)
        if "ARST" in cell.connections:
            value = self.constant(cell, "ARST_VALUE", wide)
            following, state = self.gated(cell, "ARST", value, following), len(self.widths)
            self.widths.append(width)
            needs = frozenset((state, *self.operand(cell.pins("ARST"), False, cell.place).words))
            shown = self.gated(cell, "ARST", value, lambda words: words[state])
            steps.append(Step(word, needs, shown, cell.place))
            word_of_state = state
        else:
            word_of_state = word
        given = [initial.get(bit) if isinstance(bit, int) else None for bit in cell.pins("Q")]
        read = [cell.connections.get(pin, ()) for pin in ("D", "EN", "SRST", "ARST")]
        self.registers.append(
            Register(
                word=word_of_state,
                width=width,
                place=cell.place,
                known=sum(1 << at for at, bit in enumerate(given) if bit is not None),
                start=sum(1 << at for at, bit in enumerate(given) if bit == "1"),
                next=following,
                needs=frozenset().union(*(self.operand(bits, False, cell.place).words for bits in read)),
            )
        )
        return steps

    @property
    def clock(self) -> tuple[Bit, ...]:
        return self.inputs[CLOCK].bits if CLOCK in self.inputs else ()

    def constant(self, cell: Cell, parameter: str, wide: bool) -> Evaluate:
        text = str(cell.parameters.get(parameter, "x"))
        return self.reader(cell, tuple(reversed(text)), True, wide)[0]

    def gated(self, cell: Cell, pin: str, then: Evaluate, otherwise: Evaluate) -> Evaluate:
        control, _ = self.reader(cell, cell.pins(pin), False, False)
        active = cell.number(f"{pin}_POLARITY")
        return lambda words: np.where(control(words) == active, then(words), otherwise(words))
