"""The census: the operators really there in an elaborated netlist, by kind and width.

What counts is the cell, never the name of the module around it: a subtraction in a module named as an addition is a
subtraction. Two kinds of module count as a whole, because one thing of the text is several cells there: a table, and a
register with its reset.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nncomplexity.errors import quoted

from .cells import MEMORIES, REGISTERS, Bit, Cell
from .elaborate import Design
from .tools import NetlistError

__all__ = ["Census", "census", "grouped", "passed_bits"]

PREFIX = "nc_"
TABLE, REGISTER = "nc_table", "nc_register"
REWRITTEN = frozenset({"$alu", "$macc", "$macc_v2", "$fa", "$lcu", "$lut", "$bweqx"})
COMPARISONS = frozenset({"$eq", "$ne", "$eqx", "$nex", "$lt", "$le", "$gt", "$ge"})
SHIFTS = frozenset({"$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx"})
WIRES = frozenset({"$pos", "$buf", "$scopeinfo"})
# The cells a table or a register's reset and enable may consist of; any other in such a module counts as itself.
CHOOSING = COMPARISONS | frozenset({"$mux", "$pmux", "$logic_not", "$reduce_or", "$reduce_bool", "$not", "$and", "$or"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How many operators of each kind and width a netlist holds; widths of results unless said otherwise.

    additions: (subtraction, width, passed), where `passed` low bits need no full adder. multiplications: widths of
    both operands and of the result. comparisons: width of the wider operand. tables: bits of the address and of the
    entry. muxes: two-way choices; of n+1 ways n. shifts: of a variable or constant distance, as cells. logic: bits of
    bitwise and reducing cells by type. control: cells outside the tagged modules, by type.
    """

    tool: str
    optimised: bool
    additions: Mapping[tuple[bool, int, int], int] = field(default_factory=dict)
    negations: Mapping[int, int] = field(default_factory=dict)
    multiplications: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    comparisons: Mapping[int, int] = field(default_factory=dict)
    muxes: Mapping[int, int] = field(default_factory=dict)
    shifts: Mapping[int, int] = field(default_factory=dict)
    tables: Mapping[tuple[int, int], int] = field(default_factory=dict)
    registers: Mapping[int, int] = field(default_factory=dict)
    logic: Mapping[str, int] = field(default_factory=dict)
    control: Mapping[str, int] = field(default_factory=dict)

    @property
    def adders(self) -> int:
        """Additions and subtractions, negations apart."""
        return sum(self.additions.values())

    @property
    def full_adders(self) -> int:
        """Full-adder bits of the additions and subtractions: width less passed bits."""
        return sum(count * (width - passed) for (_, width, passed), count in self.additions.items())

    @property
    def multipliers(self) -> int:
        """Multiplications of any width."""
        return sum(self.multiplications.values())

    @property
    def products(self) -> Mapping[int, int]:
        """Width of a product to how many."""
        found: Counter[int] = Counter()
        for (_, _, width), count in self.multiplications.items():
            found[width] += count
        return dict(sorted(found.items()))

    @property
    def register_bits(self) -> int:
        """Flip-flops."""
        return sum(width * count for width, count in self.registers.items())


def census(design: Design, *, prefix: str = PREFIX) -> Census:
    """Count the cells of the modules whose name starts with the prefix, the top excepted; the others are control.

    Of an optimised design, whose modules are dissolved, every cell counts and tables are what is left as a memory.
    Raises: NetlistError E-CENSUS-CELL for a cell that another pass made of several operators, or of unknown kind.
    """
    found = grouped(design, lambda path, module: "", prefix=prefix)
    return found.get("", Census(tool=design.tool, optimised=design.optimised))


def grouped(design: Design, group: Callable[[str, str], str], *, prefix: str = PREFIX) -> dict[str, Census]:
    """The census of each group of cells. group: its name from the path of an instance and the name of its module.

    The path of a cell that is in no instance is empty. Raises: as `census`.
    """
    counts: dict[str, dict[str, Counter[object]]] = defaultdict(lambda: defaultdict(Counter))
    for instance in design.instances:
        if instance.module.startswith(TABLE) and not design.optimised:
            counts[group(instance.path, instance.module)]["tables"][instance.inputs, instance.outputs] += 1
    for cell in design.cells:
        if cell.kind in REWRITTEN:
            fact = f"'{quoted(cell.place)}' is a cell {cell.kind}, which no longer shows the operators it was made of"
            raise NetlistError("E-CENSUS-CELL", fact)
        if cell.kind not in WIRES:
            row, key, count = _entry(cell, design, prefix)
            if row:
                counts[group(cell.path, cell.module)][row][key] += count
    return {name: _census(design, found) for name, found in counts.items()}


def passed_bits(cell: Cell) -> int:
    """Low bits of an addition or subtraction where an operand is the constant 0, at most the width of the result."""
    return min(max(_zeros(cell.pins("A")), _zeros(cell.pins("B"))), len(cell.pins("Y")))


def _zeros(bits: tuple[Bit, ...]) -> int:
    return next((at for at, bit in enumerate(bits) if bit != "0"), len(bits))


def _entry(cell: Cell, design: Design, prefix: str) -> tuple[str, object, int]:
    if not design.optimised:
        if cell.module == design.top or not cell.module.startswith(prefix):
            return "control", cell.kind, 1
        if cell.module.startswith(TABLE) and (cell.kind in CHOOSING or cell.kind in MEMORIES):
            return "", None, 0
        if cell.module.startswith(REGISTER) and cell.kind in CHOOSING:
            return "", None, 0
    return _counted(cell)


def _census(design: Design, counts: Mapping[str, Counter[object]]) -> Census:
    rows: dict[str, Any] = {row: dict(sorted(found.items(), key=repr)) for row, found in counts.items()}
    return Census(tool=design.tool, optimised=design.optimised, **rows)


def _counted(cell: Cell) -> tuple[str, object, int]:
    """The row of the census a cell belongs to, the key in it, and how many it counts for."""
    if cell.kind in REGISTERS:
        return "registers", len(cell.pins("Q")), 1
    if cell.kind in MEMORIES:
        return "tables", (cell.number("ABITS"), cell.number("WIDTH")), cell.number("RD_PORTS")
    if "Y" not in cell.connections:
        raise NetlistError("E-CENSUS-CELL", f"'{quoted(cell.place)}' is a cell {quoted(cell.kind)} of no known kind")
    width = len(cell.pins("Y"))
    match cell.kind:
        case "$add" | "$sub":
            return "additions", (cell.kind == "$sub", width, passed_bits(cell)), 1
        case "$neg":
            return "negations", width, 1
        case "$mul":
            return "multiplications", (len(cell.pins("A")), len(cell.pins("B")), width), 1
        case "$mux" | "$pmux":
            return "muxes", width, len(cell.pins("S"))
        case kind if kind in COMPARISONS:
            return "comparisons", max(len(cell.pins("A")), len(cell.pins("B"))), 1
        case kind if kind in SHIFTS:
            return "shifts", width, 1
        case "$not" | "$and" | "$or" | "$xor" | "$xnor":
            return "logic", cell.kind, width
        case kind if kind.startswith(("$reduce_", "$logic_")):
            return "logic", kind, 1
    raise NetlistError("E-CENSUS-CELL", f"'{quoted(cell.place)}' is a cell {quoted(cell.kind)} of no known kind")
