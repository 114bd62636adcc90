"""A kernel synthesised: what an open synthesis tool makes of its text for a family of devices.

The numbers are the tool's, before placement, and go with its version and the passes that were run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from nncomplexity.errors import quoted

from .cache import Cache, digest
from .elaborate import IDENTIFIER
from .targets import TARGETS, Target, target_of
from .tools import NetlistError, ToolError, run_yosys, yosys_version
from .verilog_modules import OPAQUE

__all__ = ["TARGETS", "Synthesis", "synthesise", "transparent"]

NUMBERS = ("lut", "ff", "dsp", "carry", "gates", "inverters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """What a kernel takes on a target. lut, ff, dsp, carry, gates, inverters: cells; None where the target has none.

    tool: name and version. flags: the passes. cells: by the tool's names. remark: what the totals hold.
    """

    target: str
    tool: str
    flags: tuple[str, ...]
    lut: int | None
    ff: int | None
    dsp: int | None
    carry: int | None
    gates: int | None
    inverters: int | None
    cells: Mapping[str, int]
    remark: str

    def to_dict(self) -> dict[str, object]:
        """The numbers as plain data."""
        return asdict(self)


def transparent(verilog: str) -> str:
    """The text of a kernel without the attribute that keeps wires opaque: optimisation sees through them."""
    return verilog.replace(f"{OPAQUE} ", "")


def synthesise(
    verilog: str, target: str = "xilinx", *, top: str = "nc_kernel", seconds: float = 600.0, cache: Cache | None = None
) -> Synthesis:
    """Map a Verilog-2001 text to a target, its opaque wires opened.

    cache: where a result is looked for first, by text, target, passes and the tool's version.
    Units: seconds of wall time.
    Raises: UsageError E-SYNTH-TARGET; NetlistError E-HDL-TEXT for a text the tool refuses; ToolError where it is
    missing, hangs, breaks down or leaves a netlist that is not counted (E-SYNTH-NETLIST).
    """
    mapped, text, tool = target_of(target), transparent(verilog), yosys_version()
    if not IDENTIFIER.fullmatch(top):
        raise NetlistError("E-HDL-TEXT", f"'{quoted(top)}' is no name of a module")
    flags = tuple(command.format(top=top) for command in mapped.commands)
    key = digest(text, target, top, *flags, tool)
    known = cache.get(key) if cache is not None else None
    cells = _cells(known) if known is not None else None
    if cells is None:
        commands = ("read_verilog kernel.v", *flags, "tee -q -o found.json stat -json -width")
        found = run_yosys(commands, files={"kernel.v": text}, results=["found.json"], seconds=seconds)["found.json"]
        cells = _counted(found)
        if cache is not None:
            cache.put(key, {"tool": tool, "target": target, "cells": cells})
    return _synthesis(target, mapped, tool, flags, cells)


def _counted(text: str) -> dict[str, int]:
    try:
        cells = _cells({"cells": json.loads(text)["design"]["num_cells_by_type"]})
    except (KeyError, TypeError, ValueError) as problem:
        raise ToolError("E-SYNTH-NETLIST", f"the cell list of the tool cannot be read: {problem!r}") from problem
    if cells is None:
        raise ToolError("E-SYNTH-NETLIST", "the cell list of the tool holds what is no count of cells")
    return {name: number for name, number in cells.items() if not name.startswith("$scopeinfo")}


def _cells(found: Mapping[str, object]) -> dict[str, int] | None:
    cells = found.get("cells")
    if not isinstance(cells, dict) or not all(type(number) is int and number >= 0 for number in cells.values()):
        return None
    return dict(sorted(cells.items()))


def _synthesis(name: str, target: Target, tool: str, flags: tuple[str, ...], cells: Mapping[str, int]) -> Synthesis:
    numbers: dict[str, int | None] = {}
    for row in NUMBERS:
        wanted: tuple[str, ...] = getattr(target, row)
        found = {cell: count for cell, count in cells.items() if cell.startswith(wanted)} if wanted else {}
        if row != "inverters":
            found = {cell: count for cell, count in found.items() if not _inverter(target, cell)}
        inside = sum(count * cells.get(cell, 0) for cell, count in target.wide.items()) if row == "lut" else 0
        numbers[row] = sum(found.values()) + inside if wanted else None
    return Synthesis(target=name, tool=tool, flags=flags, cells=cells, remark=target.remark, **numbers)


def _inverter(target: Target, cell: str) -> bool:
    return bool(target.inverters) and cell.startswith(target.inverters)
