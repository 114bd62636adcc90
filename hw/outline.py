"""What an elaborated text shows at its surface: the ports of the kernel and the widths of its wires."""

from __future__ import annotations

import re

from nncomplexity.errors import quoted

from .elaborate import Design
from .lines import layout
from .netlist import Graph

__all__ = ["port_differences", "wire_differences"]

WIRE = re.compile(r"^  wire (?:signed )?\[(\d+):0\] (n\w+);$", re.MULTILINE)


def port_differences(design: Design, graph: Graph) -> list[str]:
    """Where the ports of an elaborated kernel are not those of the netlist."""
    fields = layout(graph)
    wanted = {(each.port, False): each.width for each in (*fields.given, *fields.held)}
    wanted |= {(each.port, True): each.width for each in fields.made}
    wanted |= {("clk", False): 1, ("rst", False): 1} if graph.feeds else {}
    found = {(port.name, port.output): len(port.bits) for port in design.ports}
    return [
        f"netlist and text: {'output' if output else 'input'} {quoted(name)} of {wanted.get((name, output), 0)} and "
        f"{found.get((name, output), 0)} bits"
        for name, output in {**wanted, **found}
        if wanted.get((name, output)) != found.get((name, output))
    ]


def wire_differences(design: Design, emitted: str) -> list[str]:
    """Where a wire has another width than the emitted text gives it; wires of other names are nobody's business."""
    widths = {name: int(high) + 1 for high, name in WIRE.findall(emitted)}
    return [
        f"netlist and text: wire {name} of {width} and {design.wires[name]} bits"
        for name, width in widths.items()
        if design.wires.get(name, width) != width
    ]
