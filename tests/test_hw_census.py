"""The census of hand-written and generated Verilog: each operator of the text counted once, as what it is."""

from __future__ import annotations

import random
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from nncomplexity.hw.cells import Cell
from nncomplexity.hw.census import Census, census, grouped, passed_bits
from nncomplexity.hw.elaborate import Design, elaborate
from nncomplexity.hw.tools import NetlistError
from nncomplexity.weights.digits import signed_digits
from nncomplexity.weights.trees import digit_trees

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

PORTS = "input signed [A-1:0] a, input signed [B-1:0] b, output signed [Y-1:0] y"
TWO = "module {} #(parameter A = 1, parameter B = 1, parameter Y = 1) ({});\n  assign y = {};\nendmodule\n"
ONE = "module nc_neg #(parameter A = 1, parameter Y = 1) (input signed [A-1:0] a, output signed [Y-1:0] y);\n"
OPERATORS = (
    TWO.format("nc_add", PORTS, "a + b")
    + TWO.format("nc_sub", PORTS, "a - b")
    + TWO.format("nc_mul", PORTS, "a * b")
    + f"{ONE}  assign y = -a;\nendmodule\n"
)
KERNEL = (
    OPERATORS
    + """
module nc_register #(parameter W = 1) (input clk, input rst, input signed [W-1:0] d, output reg signed [W-1:0] q);
  always @(posedge clk) if (rst) q <= 0; else q <= d;
endmodule
module nc_relu #(parameter A = 1) (input signed [A-1:0] a, output signed [A-1:0] y);
  assign y = a[A-1] ? {A{1'b0}} : a;
endmodule
module nc_limit #(parameter A = 1) (input signed [A-1:0] a, output signed [A-1:0] y);
  wire over;
  assign over = a > 10'sd100;
  assign y = over ? 10'sd100 : a;
endmodule
module nc_table_0 (input [1:0] a, output reg signed [4:0] y);
  always @*
    case (a) 2'h0: y = 5'h01; 2'h1: y = 5'h1f; 2'h2: y = 5'h02; default: y = 5'h00; endcase
endmodule
module kernel (input clk, input rst, input signed [3:0] x, input signed [5:0] z, output signed [9:0] y,
               output signed [4:0] t, output signed [10:0] p, output reg [2:0] count, output signed [6:0] m);
  wire signed [6:0] n0;
  wire signed [8:0] n1;
  wire signed [9:0] n2, n3, n4;
  nc_add #(.A(6), .B(6), .Y(7)) bias_0 (.a({x, 2'h0}), .b(z), .y(n0));
  nc_sub #(.A(8), .B(9), .Y(9)) input_1 (.a({n0[6:1], 2'h0}), .b({z, 3'h0}), .y(n1));
  nc_neg #(.A(9), .Y(10)) input_2 (.a(n1), .y(n2));
  nc_register #(.W(10)) state_3 (.clk(clk), .rst(rst), .d(n2), .q(n3));
  nc_limit #(.A(10)) output_4 (.a(n3), .y(n4));
  nc_relu #(.A(10)) output_5 (.a(n4), .y(y));
  nc_table_0 activation_6 (.a(x[1:0]), .y(t));
  nc_mul #(.A(4), .B(6), .Y(10)) gate_7 (.a(x), .b(z), .y(p[9:0]));
  nc_mul #(.A(4), .B(4), .Y(7)) gate_8 (.a(x), .b(x), .y(m));
  assign p[10] = p[9];
  always @(posedge clk) if (rst) count <= 0; else count <= count + 1;
endmodule
"""
)


class Dense:
    """The shift-add text of a constant matrix, written here a second time: trees of signed digits, exact widths."""

    def __init__(self, weights: list[list[int]], low: int, high: int) -> None:
        self.lines: list[str] = []
        self.names = 0
        self.ends, bits = (low, high), self.width(low, high)
        ports = [f"input signed [{bits - 1}:0] x{at}" for at in range(len(weights[0]))]
        for at, row in enumerate(weights):
            name, width = self.row(row, bits)
            ports.append(f"output signed [{width - 1}:0] y{at}")
            self.lines.append(f"assign y{at} = {name};")
        self.text = f"{OPERATORS}module top({', '.join(ports)});\n" + "\n".join(self.lines) + "\nendmodule\n"

    @staticmethod
    def width(low: int, high: int) -> int:
        return max((end if end >= 0 else ~end).bit_length() for end in (low, high)) + 1

    def node(self, kind: str, width: int, settings: str, pins: str) -> str:
        name = f"n{self.names}"
        self.names += 1
        self.lines.append(f"wire signed [{width - 1}:0] {name};")
        self.lines.append(f"{kind} #({settings}, .Y({width})) u_{name} ({pins}, .y({name}));")
        return name

    def row(self, row: list[int], bits: int) -> tuple[str, int]:
        # Of each term: text, bits, ends of what stands there, low zeros, whether it is to be subtracted.
        terms = [
            (
                f"{{x{at}, {shift}'h0}}" if shift else f"x{at}",
                bits + shift,
                [e << shift for e in self.ends],
                shift,
                sign < 0,
            )
            for at, weight in enumerate(row)
            for shift, sign in signed_digits(weight)
        ]
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            terms = [self.joined(a, b) for a, b in pairs] + terms[len(terms) & ~1 :]
        if not terms:
            return "1'h0", 1
        text, width, (low, high), _, negative = terms[0]
        if negative:
            wide = max(self.width(low, high), self.width(-high, -low))
            return self.node("nc_neg", wide, f".A({width})", f".a({text})"), wide
        return text, width

    def joined(
        self, left: tuple[str, int, list[int], int, bool], right: tuple[str, int, list[int], int, bool]
    ) -> tuple[str, int, list[int], int, bool]:
        both, differ = left[4] and right[4], left[4] != right[4]
        a, b = (right, left) if differ and left[4] else (left, right)
        low, high = (a[2][0] - b[2][1], a[2][1] - b[2][0]) if differ else (a[2][0] + b[2][0], a[2][1] + b[2][1])
        width = self.width(low, high)
        if both:
            width = max(width, self.width(-high, -low))
        zeros = min(left[3], right[3])
        pins = f".a({a[0]}), .b({b[0]})"
        name = self.node("nc_sub" if differ else "nc_add", width, f".A({a[1]}), .B({b[1]})", pins)
        text = f"{{{name}[{width - 1}:{zeros}], {zeros}'h0}}" if zeros else name
        return text, width, [low, high], zeros, both


def weights(outputs: int, terms: int, seed: int) -> list[list[int]]:
    rng = random.Random(seed)
    return [[rng.randint(-128, 127) for _ in range(terms)] for _ in range(outputs)]


@pytest.fixture(scope="module")
def kernel() -> Design:
    return elaborate(KERNEL, "kernel")


def test_every_operator_of_a_text_is_counted_once_with_its_widths(kernel: Design) -> None:
    assert census(kernel) == Census(
        tool=kernel.tool,
        optimised=False,
        additions={(False, 7, 2): 1, (True, 9, 3): 1},
        negations={10: 1},
        multiplications={(4, 4, 7): 1, (4, 6, 10): 1},
        comparisons={10: 1},
        muxes={10: 2},
        tables={(2, 5): 1},
        registers={10: 1},
        control={"$add": 1, "$dff": 1, "$mux": 1},
    )


def test_the_figures_of_a_census(kernel: Design) -> None:
    found = census(kernel)
    assert (found.adders, found.full_adders, found.multipliers) == (2, 7 - 2 + 9 - 3, 2)
    assert (found.register_bits, dict(found.products)) == (10, {7: 1, 10: 1})


def test_groups_are_named_by_the_instance_or_the_module(kernel: Design) -> None:
    by_role = grouped(kernel, lambda path, module: path.rpartition("_")[0])
    assert set(by_role) == {"bias", "input", "state", "output", "activation", "gate", ""}
    assert by_role["gate"].multiplications == {(4, 4, 7): 1, (4, 6, 10): 1}
    assert by_role["output"].muxes == {10: 2}
    assert by_role[""].control == {"$add": 1, "$dff": 1, "$mux": 1}
    by_module = grouped(kernel, lambda path, module: module)
    assert by_module["nc_relu"].muxes == {10: 1}
    assert sum(each.full_adders for each in by_module.values()) == census(kernel).full_adders


def test_a_wrong_module_name_does_not_hide_what_a_cell_is() -> None:
    text = KERNEL.replace("assign y = a + b", "assign y = a - b")
    assert census(elaborate(text, "kernel")).additions == {(True, 7, 2): 1, (True, 9, 3): 1}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (".a({x, 2'h0})", ".a({x, 1'h0})"),
        ("nc_add #(.A(6), .B(6), .Y(7))", "nc_add #(.A(6), .B(6), .Y(8))"),
        ("nc_mul #(.A(4), .B(6), .Y(10))", "nc_mul #(.A(5), .B(6), .Y(10))"),
        ("nc_register #(.W(10))", "nc_register #(.W(11))"),
        ("nc_relu #(.A(10)) output_5 (.a(n4), .y(y))", "assign y = n4"),
    ],
)
def test_a_changed_text_has_another_census(kernel: Design, before: str, after: str) -> None:
    assert before in KERNEL
    assert census(elaborate(KERNEL.replace(before, after), "kernel")) != census(kernel)


def test_what_nothing_reads_is_counted(kernel: Design) -> None:
    text = KERNEL.replace("input_2 (.a(n1), .y(n2))", "input_2 (.a(n1), .y())")
    assert text != KERNEL and census(elaborate(text, "kernel")).additions == census(kernel).additions


def test_a_register_with_an_asynchronous_reset_is_a_register_alone() -> None:
    text = KERNEL.replace(
        "always @(posedge clk) if (rst) q <= 0;", "always @(posedge clk or posedge rst) if (rst) q <= 0;"
    )
    found = census(elaborate(text, "kernel"))
    assert (found.registers, found.logic, found.muxes) == ({10: 1}, {}, {10: 2})


def test_constants_behind_a_module_or_a_plus_are_not_seen() -> None:
    hidden = "module nc_wire(input signed [3:0] a, output signed [3:0] y); assign y = {}a; endmodule\n"
    body = "module top(input signed [3:0] x, output signed [4:0] y); wire signed [3:0] c;\n"
    body += "nc_wire w(.a(4'h4), .y(c)); nc_add #(.A(4), .B(4), .Y(5)) s(.a(x), .b(c), .y(y)); endmodule\n"
    for plus in ("", "+"):
        design = elaborate(OPERATORS + hidden.format(plus) + body, "top")
        assert census(design).additions == {(False, 5, 0): 1}
        assert design.run({"x": np.array([-8, 7])})["y"].tolist() == [-4, 11]
    seen = OPERATORS + body.replace("nc_wire w(.a(4'h4), .y(c));", "assign c = 4'h4;")
    assert census(elaborate(seen, "top")).additions == {(False, 5, 2): 1}


def test_an_operand_wider_than_the_result_widens_the_operator() -> None:
    body = "module top(input signed [8:0] x, input signed [3:0] z, output signed [5:0] y);\n"
    body += "nc_add #(.A({}), .B(4), .Y(6)) a(.a({}), .b(z), .y(y)); endmodule\n"
    for bits, operand, width in ((9, "x", 9), (6, "x[5:0]", 6)):
        assert census(elaborate(OPERATORS + body.format(bits, operand), "top")).additions == {(False, width, 0): 1}


def test_passed_bits_are_those_of_the_operand_with_more_zeros_and_at_most_all() -> None:
    def passed(a: str, b: str, width: int) -> int:
        pins = {"A": tuple(a), "B": tuple(b), "Y": tuple(range(2, 2 + width))}
        return passed_bits(Cell(kind="$add", name="", path="", module="nc_add", connections=pins))

    assert passed("001", "01", 4) == 2
    assert passed("1", "1", 4) == 0
    assert passed("000001", "1", 4) == 4


def test_the_optimised_netlist_is_a_second_figure() -> None:
    text = (
        OPERATORS
        + "module top(input signed [3:0] x, input signed [3:0] z, output signed [4:0] p, output signed [4:0] q);\n"
    )
    text += (
        "nc_add #(.A(4), .B(4), .Y(5)) a(.a(x), .b(z), .y(p)); nc_add #(.A(4), .B(4), .Y(5)) b(.a(x), .b(z), .y(q));\n"
    )
    declared, optimised = (census(elaborate(text + "endmodule", "top", optimised=flag)) for flag in (False, True))
    assert (declared.adders, declared.optimised) == (2, False)
    assert (optimised.adders, optimised.optimised) == (1, True)


@pytest.mark.parametrize("kind", ["$alu", "$macc", "$macc_v2", "$fa", "$lcu"])
def test_rewritten_cells_are_refused_by_name(kernel: Design, kind: str) -> None:
    changed = replace(kernel, cells=tuple(replace(cell, kind=kind) for cell in kernel.cells))
    with pytest.raises(NetlistError, match=rf"is a cell \{kind}, which no longer shows .* \[E-CENSUS-CELL\]"):
        census(changed)


def test_an_unknown_operator_in_a_tagged_module_is_refused_by_name() -> None:
    text = KERNEL.replace("assign y = a * b", "assign y = a / b")
    with pytest.raises(NetlistError, match=r"is a cell \$div of no known kind"):
        census(elaborate(text, "kernel"))


@pytest.mark.parametrize("seed", range(6))
def test_a_shift_add_kernel_holds_exactly_the_adders_of_its_trees(seed: int) -> None:
    rng = random.Random(seed)
    matrix = weights(rng.randint(1, 7), rng.randint(1, 9), seed)
    matrix.append([0] * len(matrix[0]))
    matrix.append([-1] + [0] * (len(matrix[0]) - 1))
    low, high = rng.choice([(-128, 127), (-8, 7), (-2, 1), (-100, 3)])
    design = elaborate(Dense(matrix, low, high).text, "top")
    trees, found = digit_trees([np.array(matrix)], low, high), census(design)
    assert found.additions == trees.additions
    assert found.negations == trees.negations
    assert (found.full_adders, found.control) == (trees.full_adders, {})
    inputs = np.random.default_rng(seed).integers(low, high + 1, (len(matrix[0]), 200))
    outputs = design.run({f"x{at}": row for at, row in enumerate(inputs)})
    assert all((outputs[f"y{at}"] == np.array(row) @ inputs).all() for at, row in enumerate(matrix))


def test_a_dense_layer_of_64_by_64() -> None:
    matrix = weights(64, 64, 64)
    text, trees = Dense(matrix, -128, 127).text, digit_trees([np.array(matrix)], -128, 127)
    inputs = np.random.default_rng(64).integers(-128, 128, (64, 1000))
    design = elaborate(text, "top")
    outputs = design.run({f"x{at}": row for at, row in enumerate(inputs)})
    found = census(design)
    assert found.adders > 10_000
    assert (found.additions, found.negations) == (trees.additions, trees.negations)
    assert all((outputs[f"y{at}"] == np.array(row) @ inputs).all() for at, row in enumerate(matrix))
