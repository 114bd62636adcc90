"""From a Verilog text to its elaborated netlist: what the independent tool made of the text, before any optimisation.

The tool keeps the modules apart; the instances are unfolded here, so each cell knows the path and the module of the
source it comes from. The passes only turn processes into multiplexers, tables and registers and drop what drives
nothing: one operator of the text, one cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from nncomplexity.errors import quoted

from .cells import Bit, Cell, Instance, Port, collected_later
from .simulate import Simulation
from .tools import NetlistError, run_yosys, yosys_version
from .words import Array

__all__ = ["Design", "elaborate"]

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
READ = ("proc -noopt", "memory_collect")
# What is declared stays, even where nothing reads it: a state that all weights of are 0.
DECLARED = (*READ, "setattr -set keep 1 t:*nc_*", "opt_clean")
# Of a flattened design: operators are shared between modules as a synthesis tool would.
OPTIMISED = (*READ, "opt_clean", "flatten -noscopeinfo", "opt -full", "wreduce", "opt_clean")
Json = Mapping[str, Any]
# A few lines of nested modules make more cells than there is memory for.
MOST = 1_000_000
DEEPEST = 100
BINARY = re.compile(r"[01]+")
# Their length matters, or they are no number.
TEXTS = frozenset({"INIT", "INIT_VALUE", "ARST_VALUE", "SRST_VALUE", "MEMID"})
CONSTANTS: Mapping[Bit, Bit] = {"0": "0", "1": "1", "x": "x", "z": "x"}


@dataclass(frozen=True, kw_only=True)
class Design:
    """An elaborated netlist. tool: what elaborated it. optimised: after sharing operators.

    initial: nets whose register starts with a known bit. same: nets that are another net or a constant, because a
    module only passes that through; connections do not look through the module, evaluation does. modules: as read,
    by the key that an instance names.
    """

    top: str
    tool: str
    optimised: bool
    ports: tuple[Port, ...]
    cells: tuple[Cell, ...]
    instances: tuple[Instance, ...]
    initial: Mapping[int, str] = field(default_factory=dict)
    same: Mapping[Bit, Bit] = field(default_factory=dict)
    modules: Mapping[str, _Module] = field(default_factory=dict, repr=False)

    @property
    def wires(self) -> Mapping[str, int]:
        """Bits of the wires that the text of the top module names."""
        return self.modules[self.top].wires

    def alone(self, key: str) -> Design:
        """A module of the design as a design of its own."""
        return _design(self.modules, key, self.tool, self.optimised)

    @cached_property
    def simulation(self) -> Simulation:
        """The evaluation order, made once. Raises: NetlistError for a cell without a meaning here, or a loop."""
        with collected_later():
            return Simulation(self.ports, self.cells, self.initial, self.same)

    def run(self, inputs: Mapping[str, Array], *, signed: Collection[str] | None = None) -> dict[str, Array]:
        """The outputs of a design without registers, as `Simulation.run` says."""
        return self.simulation.run(inputs, signed=signed)

    def run_clocked(
        self, inputs: Mapping[str, Array], cycles: int, *, signed: Collection[str] | None = None
    ) -> dict[str, Array]:
        """The outputs of a design with registers in each cycle, as `Simulation.run_clocked` says."""
        return self.simulation.run_clocked(inputs, cycles, signed=signed)


def elaborate(verilog: str, top: str, *, optimised: bool = False, seconds: float = 120.0) -> Design:
    """Elaborate a Verilog-2001 text.

    optimised: of the netlist after sharing and narrowing operators, a second figure beside the declared one.
    Units: seconds of wall time.
    Raises: NetlistError E-HDL-TEXT (a syntax error, a missing module), E-HDL-NETLIST (what this does not read);
    ToolError where the tool is missing, hangs or breaks down.
    """
    if not IDENTIFIER.fullmatch(top):
        raise NetlistError("E-HDL-TEXT", f"'{quoted(top)}' is no name of a module")
    passes = OPTIMISED if optimised else DECLARED
    # Places in the source would be a third of the netlist's text.
    ending = ("attrmap -remove src", "write_json netlist.json")
    commands = ("read_verilog kernel.v", f"hierarchy -check -top {top}", *passes, *ending)
    text = run_yosys(commands, files={"kernel.v": verilog}, results=["netlist.json"], seconds=seconds)["netlist.json"]
    try:
        with collected_later():
            read = json.loads(text)["modules"]
            modules = {name: _module(name, found, read) for name, found in read.items()}
            return _design(modules, top, yosys_version(), optimised)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise NetlistError("E-HDL-NETLIST", f"the netlist of the tool cannot be read: {problem!r}") from problem


def _design(modules: Mapping[str, _Module], top: str, tool: str, optimised: bool) -> Design:
    """Ports of the top module, cells of all instances in one numbering of nets."""
    found = _Unfolding(modules)
    found.unfold(top)
    return Design(
        top=top,
        tool=tool,
        optimised=optimised,
        ports=found.ports,
        cells=tuple(found.cells),
        instances=tuple(found.instances),
        initial=found.initial,
        same=found.same,
        modules=modules,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """A module read once, in its own numbering of nets."""

    name: str
    ports: tuple[Port, ...]
    cells: tuple[Cell, ...]
    uses: tuple[tuple[str, str, Mapping[str, tuple[Bit, ...]]], ...]
    initial: Mapping[Bit, str]
    wires: Mapping[str, int]


def _module(key: str, read: Json, modules: Json) -> _Module:
    # A module made for given parameters has another key, and keeps the name of the source here.
    name = str(read["attributes"].get("hdlname", key)).removeprefix("\\")
    ports = tuple(_port(port, found) for port, found in read["ports"].items())
    cells, uses = [], []
    for label, cell in read["cells"].items():
        pins = {pin: tuple(bits) for pin, bits in cell["connections"].items()}
        if cell["type"] in modules:
            uses.append((label, cell["type"], pins))
        elif cell["type"] != "$scopeinfo":
            parameters = {word: _parameter(word, value) for word, value in cell["parameters"].items()}
            cells.append(
                Cell(kind=cell["type"], name=label, path="", module=name, parameters=parameters, connections=pins)
            )
    initial: dict[Bit, str] = {}
    for net in read["netnames"].values():
        if "init" in net["attributes"]:
            initial.update(zip(net["bits"], reversed(net["attributes"]["init"]), strict=False))
    wires = {label: len(net["bits"]) for label, net in read["netnames"].items() if not net["hide_name"]}
    return _Module(name=name, ports=ports, cells=tuple(cells), uses=tuple(uses), initial=initial, wires=wires)


def _port(name: str, found: Json) -> Port:
    if found["direction"] not in ("input", "output"):
        raise NetlistError("E-HDL-NETLIST", f"port '{quoted(name)}' has direction {quoted(found['direction'])}")
    output = found["direction"] == "output"
    return Port(name=name, output=output, signed=bool(found.get("signed")), bits=tuple(found["bits"]))


def _parameter(name: str, value: object) -> int | str:
    if isinstance(value, int):
        return value
    text = str(value)
    return int(text, 2) if name not in TEXTS and BINARY.fullmatch(text) else text


class _Unfolding:
    """The one numbering of nets that grows instance by instance."""

    def __init__(self, modules: Mapping[str, _Module]) -> None:
        self.modules = modules
        self.nets = 0
        self.ports: tuple[Port, ...] = ()
        self.cells: list[Cell] = []
        self.instances: list[Instance] = []
        self.initial: dict[int, str] = {}
        self.same: dict[Bit, Bit] = {}

    def unfold(self, top: str) -> None:
        """Number the nets of the top module and of all below it."""
        module = self.modules[top]
        inside = self.place(module, "", {}, 0)
        self.ports = tuple(replace(port, bits=tuple(inside(bit) for bit in port.bits)) for port in module.ports)

    def place(
        self, module: _Module, path: str, outside: Mapping[str, tuple[Bit, ...]], depth: int
    ) -> Callable[[Bit], Bit]:
        """Add the cells of an instance connected to the given nets; the numbering of the nets inside."""
        if depth > DEEPEST or len(self.cells) + len(self.instances) > MOST:
            raise NetlistError("E-HDL-SIZE", f"over {MOST} cells or {DEEPEST} nested modules at '{quoted(path)}'")
        nets = self.connected(module, path, outside)

        def inside(bit: Bit) -> Bit:
            found = nets.get(bit)
            if found is None:
                self.nets += 1
                found = nets[bit] = self.nets
            return found

        for cell in module.cells:
            connections = {pin: tuple([inside(bit) for bit in bits]) for pin, bits in cell.connections.items()}
            self.cells.append(
                Cell(
                    kind=cell.kind,
                    name=cell.name,
                    path=path,
                    module=cell.module,
                    parameters=cell.parameters,
                    connections=connections,
                )
            )
        for bit, value in module.initial.items():
            known = inside(bit)
            if isinstance(known, int) and value in "01":
                self.initial[known] = value
        for label, key, pins in module.uses:
            use, below = self.modules[key], f"{path}.{label}" if path else label
            widths = [sum(len(port.bits) for port in use.ports if port.output is output) for output in (False, True)]
            self.instances.append(Instance(path=below, module=use.name, key=key, inputs=widths[0], outputs=widths[1]))
            beyond = {pin: tuple([inside(bit) for bit in bits]) for pin, bits in pins.items()}
            self.place(use, below, beyond, depth + 1)
        return inside

    def connected(self, module: _Module, path: str, outside: Mapping[str, tuple[Bit, ...]]) -> dict[Bit, Bit]:
        """The nets inside an instance that are nets of the outside: inputs first, as an output may be one of them."""
        nets = dict(CONSTANTS)
        if not path:
            return nets
        for port in sorted(module.ports, key=lambda port: port.output):
            # An output left open needs no net; an input left open is undefined.
            beyond = outside.get(port.name) or (() if port.output else ("x",) * len(port.bits))
            if beyond and len(beyond) != len(port.bits):
                raise NetlistError("E-HDL-NETLIST", f"port '{quoted(port.name)}' of '{quoted(path)}' has another width")
            for bit, net in zip(port.bits, beyond, strict=False):
                if bit not in nets:
                    nets[bit] = net
                elif port.output and self.same.setdefault(net, nets[bit]) != nets[bit]:
                    raise NetlistError("E-HDL-NETLIST", f"'{quoted(path)}' drives a net that is driven already")
        return nets
