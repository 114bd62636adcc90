"""The tables really there in an elaborated netlist: every entry of every one, whatever the vectors reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from nncomplexity.errors import quoted

from .census import TABLE
from .elaborate import Design
from .netlist import Graph

__all__ = ["Content", "table_differences"]

# Bits of an address that is still gone through; a table of the netlist has fewer.
WIDEST = 16
# Bits of the address and of an entry, and the entries without a sign.
Content = tuple[int, int, tuple[int, ...]]


def table_differences(design: Design, graph: Graph, more: Sequence[Content] = ()) -> list[str]:
    """Where the tables of the netlist and those of the text differ: by widths, entries and how many there are.

    more: tables beside those of the netlist, by bits of address and of entry.

    Raises: NetlistError for a module called a table that is none, or has undefined entries.
    """
    wanted: Counter[Content] = Counter(more)
    for node in graph.nodes:
        if node.table is not None:
            width = node.table.result.bits
            entries = tuple(entry % (1 << width) for entry in node.table.entries)
            wanted[node.table.operand.bits, width, entries] += 1

    @cache
    def content(key: str) -> Content | None:
        return _content(design.alone(key))

    found: Counter[Content] = Counter()
    for instance in design.instances:
        if not instance.module.startswith(TABLE):
            continue
        seen = content(instance.key)
        if seen is None:
            return [f"table {quoted(instance.module)}: expected one address of at most {WIDEST} bits and one entry"]
        if seen not in wanted:
            return [f"table {quoted(instance.module)}: {_first(seen, wanted)}"]
        found[seen] += 1
    return [
        f"netlist and tables: {count} and {found[table]} of {table[0]} and {table[1]} bits"
        for table, count in wanted.items()
        if found[table] != count
    ]


def _content(table: Design) -> Content | None:
    import numpy as np

    inputs = [port for port in table.ports if not port.output]
    outputs = [port for port in table.ports if port.output]
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].bits) > WIDEST:
        return None
    width = len(inputs[0].bits)
    entries = table.run({inputs[0].name: np.arange(1 << width)}, signed=())[outputs[0].name]
    return width, len(outputs[0].bits), tuple(map(int, entries.tolist()))


def _first(seen: Content, wanted: Counter[Content]) -> str:
    """What is wrong with a table that the netlist does not have."""
    alike = [table for table in wanted if table[:2] == seen[:2]]
    if not alike:
        return f"the netlist has none of {seen[0]} and {seen[1]} bits"

    def places(table: Content) -> list[int]:
        return [place for place, pair in enumerate(zip(table[2], seen[2], strict=True)) if pair[0] != pair[1]]

    nearest = min(alike, key=lambda table: len(places(table)))
    place = places(nearest)[0]
    return f"entry {place}: {nearest[2][place]} and {seen[2][place]}"
