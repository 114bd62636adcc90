"""The self-checking test bench of a bundle: Verilog-2001, its vectors read from files beside it.

It gives a line of x.hex to the kernel, compares what the kernel makes with the line of y.hex by case equality, and
prints the first difference and one result line. A line counts as a vector only where both files really gave it, so
that a missing or short file is no pass. A kernel with states is reset before every vector.
"""

from __future__ import annotations

from collections.abc import Sequence

from .lines import Layout, width_of

__all__ = ["BENCH", "bench"]

BENCH = "tb"
FAILED = "the kernel differs from y.hex, or a file is incomplete"


def bench(ports: Layout, *, top: str, vectors: int, steps: int, clocked: bool) -> str:
    """The text of a bench of `vectors` samples of `steps` lines each."""
    given, held, made = (width_of(fields) for fields in ports)
    declarations = [
        f"localparam VECTORS = {vectors};",
        f"localparam STEPS = {steps};",
        "localparam LINES = VECTORS * STEPS;",
        *_memory("x", given, "LINES", "given"),
        *_memory("w", held, "1", "held"),
        *_memory("y", made, "LINES", "expected"),
        f"reg [{made - 1}:0] first_expected;",
        f"reg [{made - 1}:0] first_found;",
        f"wire [{made - 1}:0] found;",
        *(["reg clk;", "reg rst;"] if clocked else []),
        "integer line;",
        "integer errors;",
        "integer vectors;",
        "integer first;",
    ]
    connections = [".clk(clk)", ".rst(rst)"] if clocked else []
    for wire, fields in (("given", ports.given), ("held", ports.held), ("found", ports.made)):
        connections += [f".{each.port}({wire}[{each.low + each.width - 1}:{each.low}])" for each in fields]
    instance = f"{top} kernel ({', '.join(connections)});"
    # Counters that one process alone assigns are constants to an optimiser that overlooks loops (Verilator 5.006).
    start = ["errors = 0;", "vectors = 0;", *(["clk = 0;", "rst = 0;"] if clocked else [])]
    blocks = [
        line for block in (start, _run(bool(held), clocked)) for line in ("initial begin", *_indented(block), "end")
    ]
    lines = [*declarations, instance, *blocks]
    return "\n".join(["`timescale 1ns / 1ps", f"module {BENCH};", *_indented(lines), "endmodule", ""])


def _memory(name: str, width: int, lines: str, register: str) -> list[str]:
    return [f"reg [{width - 1}:0] {name} [0:{lines}-1];", f"reg [{width - 1}:0] {register};"] if width else []


def _run(held: bool, clocked: bool) -> list[str]:
    reset = ["if (line % STEPS == 0) begin", "  rst = 1;", "  #1 clk = 1;", "  #1 clk = 0;", "  rst = 0;", "end"]
    # A number compared with itself bit by bit is undefined where a bit of it is; a simulator of two states finds none.
    read = " && ".join(f"({each} ^ {each}) === 0" for each in ("given", "expected", *(["held"] if held else [])))
    return [
        "#1;",
        '$readmemh("x.hex", x, 0, LINES-1);',
        '$readmemh("y.hex", y, 0, LINES-1);',
        *(['$readmemh("w.hex", w, 0, 0);', "held = w[0];"] if held else []),
        "for (line = 0; line < LINES; line = line + 1) begin",
        *_indented(
            [
                "given = x[line];",
                "expected = y[line];",
                *(reset if clocked else []),
                "#1;",
                f"if ({read}) vectors = vectors + 1;",
                "if (found !== expected) begin",
                "  if (errors == 0) begin",
                "    first = line;",
                "    first_expected = expected;",
                "    first_found = found;",
                "  end",
                "  errors = errors + 1;",
                "end",
                *(["#1 clk = 1;", "#1 clk = 0;"] if clocked else []),
            ]
        ),
        "end",
        'if (errors != 0) $display("DIFFERENCE line=%0d expected=%h found=%h", first, first_expected, first_found);',
        '$display("RESULT errors=%0d vectors=%0d", errors, vectors);',
        f'if (errors != 0 || vectors != LINES) $fatal(1, "{FAILED}");',
        "$finish;",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
