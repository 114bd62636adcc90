"""The modules a kernel is made of: one operator each, every width a parameter.

A unary plus is no operator of the circuit, but a cell of the netlist, and one that is kept: the bits behind it are no
constants any more. Whoever optimises the text takes the attribute off first.
"""

from __future__ import annotations

from collections.abc import Sequence

from .tables import Table

__all__ = ["MODULES", "lookup_module", "table_module"]


def _module(name: str, parameters: str, ports: str, body: str) -> str:
    lines = "".join(f"  {line}\n" for line in body.splitlines())
    return f"module {name} #({parameters}) (\n  {ports}\n);\n{lines}endmodule\n"


def _parameters(*names: str) -> str:
    return ", ".join(f"parameter {name} = 1" for name in names)


A, B, Y = "input wire signed [A-1:0] a", "input wire signed [B-1:0] b", "output wire signed [Y-1:0] y"
UNARY, BINARY = f"{A}, {Y}", f"{A}, {B}, {Y}"
EXTENDED = "wire signed [E-1:0] e;\nassign e = a;\n"
# A rounding needs at least one bit before the point.
ROUNDED = _parameters("A", "D", "Y") + ", parameter E = (A > D) ? A : D + 1"
END = f"{_parameters('A')}, parameter [A-1:0] END = 0"
LIMIT = "wire signed [A-1:0] limit;\nassign limit = END;\n"
OPAQUE = "+ (* keep *)"

MODULES = {
    "nc_constant": _module(
        "nc_constant", _parameters("Y"), f"input wire [Y-1:0] a, {Y}", f"assign y = {OPAQUE} $signed(a);"
    ),
    "nc_register": _module(
        "nc_register",
        _parameters("Y"),
        "input wire clk, input wire rst, input wire [Y-1:0] d, output reg [Y-1:0] q",
        "always @(posedge clk)\n  if (rst) q <= {Y{1'b0}};\n  else q <= d;",
    ),
    "nc_register_enabled": _module(
        "nc_register_enabled",
        _parameters("Y"),
        "input wire clk, input wire rst, input wire enable, input wire [Y-1:0] d, output reg [Y-1:0] q",
        "always @(posedge clk)\n  if (rst) q <= {Y{1'b0}};\n  else if (enable) q <= d;",
    ),
    "nc_wire": _module("nc_wire", _parameters("A", "Y"), UNARY, f"assign y = {OPAQUE} a;"),
    "nc_add": _module("nc_add", _parameters("A", "B", "Y"), BINARY, "assign y = a + b;"),
    "nc_sub": _module("nc_sub", _parameters("A", "B", "Y"), BINARY, "assign y = a - b;"),
    "nc_neg": _module("nc_neg", _parameters("A", "Y"), UNARY, "assign y = -a;"),
    "nc_mul": _module("nc_mul", _parameters("A", "B", "Y"), BINARY, "assign y = a * b;"),
    "nc_max": _module(
        "nc_max", _parameters("A", "B", "Y"), BINARY, "wire less;\nassign less = a < b;\nassign y = less ? b : a;"
    ),
    "nc_min": _module(
        "nc_min", _parameters("A", "B", "Y"), BINARY, "wire less;\nassign less = a < b;\nassign y = less ? a : b;"
    ),
    "nc_less": _module(
        "nc_less",
        _parameters("A", "B", "Y"),
        "input wire signed [A-1:0] a, input wire signed [B-1:0] b, output wire [Y-1:0] y",
        "assign y = a < b;",
    ),
    "nc_mux": _module("nc_mux", _parameters("A", "B", "Y"), f"input wire s, {BINARY}", "assign y = s ? a : b;"),
    "nc_relu": _module(
        "nc_relu",
        _parameters("A", "Y"),
        UNARY,
        "wire signed [A-1:0] zero;\nwire negative;\nassign zero = {A{1'b0}};\nassign negative = a < zero;\n"
        "assign y = negative ? zero : a;",
    ),
    "nc_sign": _module("nc_sign", _parameters("A", "Y"), UNARY, "assign y = a[A-1];"),
    "nc_turn": _module("nc_turn", _parameters("A", "B", "Y"), BINARY, "assign y = a ^ b;"),
    "nc_truncate": _module("nc_truncate", ROUNDED, UNARY, f"{EXTENDED}assign y = $signed(e[E-1:D]);"),
    "nc_round": _module(
        "nc_round", ROUNDED, UNARY, f"{EXTENDED}assign y = $signed(e[E-1:D]) + $signed({{1'b0, e[D-1]}});"
    ),
    "nc_round_even": _module(
        "nc_round_even",
        ROUNDED,
        UNARY,
        f"{EXTENDED}wire [E:0] f;\nwire tail;\nwire up;\nassign f = {{e, 1'b0}};\nassign tail = |f[D-1:0];\n"
        "assign up = e[D-1] & (e[D] | tail);\nassign y = $signed(e[E-1:D]) + $signed({1'b0, up});",
    ),
    "nc_floor": _module(
        "nc_floor",
        END,
        f"{A}, output wire signed [A-1:0] y",
        f"{LIMIT}wire under;\nassign under = a < limit;\nassign y = under ? limit : a;",
    ),
    "nc_ceiling": _module(
        "nc_ceiling",
        END,
        f"{A}, output wire signed [A-1:0] y",
        f"{LIMIT}wire over;\nassign over = a > limit;\nassign y = over ? limit : a;",
    ),
}


def table_module(name: str, table: Table) -> str:
    """A table as a case statement, an entry for every bit pattern of its operand."""
    function = " ".join(map(str, (table.function, *table.member)))
    what = f"{function} of {table.operand} as {table.result}, entries sha256 {table.digest}"
    return lookup_module(name, table.entries, table.operand.bits, table.result.bits, what)


def lookup_module(name: str, words: Sequence[int], address: int, width: int, what: str) -> str:
    """Words of so many bits in two's complement, by an address of so many bits; places behind the last one hold 0."""
    every = [*words, *[0] * ((1 << address) - len(words))]
    entries = "".join(
        f"      {address}'h{place:x}: y = {width}'h{word % (1 << width):x};\n" for place, word in enumerate(every)
    )
    return (
        f"// {what}\n"
        f"module {name} (\n  input wire [{address - 1}:0] a, output reg [{width - 1}:0] y\n);\n"
        f"  always @*\n    case (a)\n{entries}    endcase\nendmodule\n"
    )
