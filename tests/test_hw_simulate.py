"""The netlist interpreter against Python's integers: what Yosys made of a text, run cell by cell."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
from nncomplexity.errors import UsageError
from nncomplexity.hw import tools
from nncomplexity.hw.cells import Cell, Port
from nncomplexity.hw.census import census
from nncomplexity.hw.elaborate import Design, elaborate
from nncomplexity.hw.simulate import Simulation
from nncomplexity.hw.tools import NetlistError, ToolError
from nncomplexity.hw.words import packed, unpacked

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
COMPARISON: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
UNARY: dict[str, Callable[[int, int], int]] = {
    "-": lambda a, width: -a,
    "~": lambda a, width: ~a,
    "!": lambda a, width: a == 0,
    "&": lambda a, width: a % (1 << width) == (1 << width) - 1,
    "|": lambda a, width: a != 0,
    "^": lambda a, width: (a % (1 << width)).bit_count() % 2,
    "~^": lambda a, width: 1 - (a % (1 << width)).bit_count() % 2,
}
COUNTER = """
module nc_register(input clk, input rst, input [3:0] d, output reg [3:0] q);
  always @(posedge clk {edge}) if (rst) q <= 4'd3; else q <= d;
endmodule
module top(input clk, input rst, input [1:0] step, output [3:0] count);
  wire [3:0] following = count + step;
  nc_register r(.clk(clk), .rst(rst), .d(following), .q(count));
endmodule
"""


def reading(value: int, width: int, signed: bool) -> int:
    """The low bits of an integer as two's complement or as they are."""
    low = value % (1 << width)
    return low - (1 << width) if signed and low >> (width - 1) else low


def spread(rng: random.Random, width: int, signed: bool, samples: int) -> list[int]:
    """Random values of a port, the ends first."""
    values = [0, -1, 1 << (width - 1), (1 << (width - 1)) - 1]
    values += [rng.getrandbits(width) for _ in range(samples - len(values))]
    return [reading(value, width, signed) for value in values]


def declared(signed: bool, width: int) -> str:
    return f"{'signed ' if signed else ''}[{width - 1}:0]"


def single(body: str, ports: str, **inputs: object) -> dict[str, list[int]]:
    """The outputs of a module of one expression."""
    outputs = elaborate(f"module top({ports});\n{body}\nendmodule\n", "top").run(
        {name: np.asarray(values) for name, values in inputs.items()}
    )
    return {name: values.tolist() for name, values in outputs.items()}


@pytest.mark.parametrize("seed", range(4))
def test_operators_are_those_of_integers_at_any_width(seed: int) -> None:
    rng = random.Random(seed)
    ports, body, inputs, expected = [], [], {}, {}
    for at in range(60):
        symbol = rng.choice([*ARITHMETIC, *COMPARISON, "<<", ">>", ">>>", "?", "unary"])
        a_width, b_width, width = (rng.choice([1, 2, 7, 8, 31, 32, 33, 62, 63, 64, 65, 70]) for _ in range(3))
        a_signed, b_signed, signed = (rng.random() < 0.5 for _ in range(3))
        a, b = spread(rng, a_width, a_signed, 24), spread(rng, b_width, b_signed, 24)
        rng.shuffle(b)
        both = a_signed and b_signed
        across = max(a_width, b_width, width)
        pairs = [(reading(x, a_width, both), reading(y, b_width, both)) for x, y in zip(a, b, strict=True)]
        distance = rng.randrange(a_width + 2)
        text, exact = f"a{at} {symbol} b{at}", list[int]()
        if symbol in ARITHMETIC:
            exact = [ARITHMETIC[symbol](x, y) for x, y in pairs]
        elif symbol in COMPARISON:
            exact = [int(COMPARISON[symbol](x, y)) for x, y in pairs]
        elif symbol == "?":
            text = f"b{at}[0] ? a{at} : b{at}"
            exact = [x if y & 1 else y for x, y in pairs]
        elif symbol == "unary":
            unary = rng.choice([*UNARY])
            text, exact = f"{unary}a{at}", [int(UNARY[unary](x, a_width)) for x in a]
        else:
            text = f"a{at} {symbol} {distance}"
            logical = [x % (1 << across) if symbol == ">>" else x for x in a]
            across = max(a_width, width)
            logical = [x % (1 << across) if symbol == ">>" else x for x in a]
            exact = [x << distance if symbol == "<<" else x >> distance for x in logical]
        ports += [f"input {declared(a_signed, a_width)} a{at}", f"input {declared(b_signed, b_width)} b{at}"]
        ports += [f"output {declared(signed, width)} y{at}"]
        body.append(f"  assign y{at} = {text};")
        inputs |= {f"a{at}": a, f"b{at}": b}
        expected[f"y{at}"] = (text, [reading(value, width, signed) for value in exact])
    text = f"module top({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"
    design = elaborate(text, "top")
    found = design.run({name: np.array(values, dtype=object) for name, values in inputs.items()})
    assert {name: (text, found[name].tolist()) for name, (text, _) in expected.items()} == expected


def test_a_negative_decimal_constant_is_positive_where_it_is_wider() -> None:
    ports = "input signed [7:0] x, output signed [15:0] decimal, output signed [15:0] hexadecimal"
    body = "assign decimal = x - 8'sd128; assign hexadecimal = x - 8'sh80;"
    # The text says -128 in eight bits either way, and x + 128; a minus before it would negate it in sixteen.
    assert single(body, ports, x=[1, -1]) == {"decimal": [129, 127], "hexadecimal": [129, 127]}
    found = single("assign y = x + -8'sd128;", "input signed [7:0] x, output signed [15:0] y", x=[1, -1])
    assert found["y"] == [129, 127]


def test_one_unsigned_operand_makes_the_operation_unsigned() -> None:
    ports = "input signed [3:0] a, input [3:0] b, output signed [7:0] y"
    assert single("assign y = a + b;", ports, a=[-1, -8], b=[1, 15])["y"] == [16, 23]


def test_bits_of_many_words_make_one_operand() -> None:
    ports = "input [6:0] a, input signed [69:0] b, output signed [12:0] y, output [71:0] z"
    body = "assign y = {a[2:1], 2'b10, b[69:66], {3{a[6]}}, a[0], 1'b0} + 13'sd0; assign z = {b[3:0], b[69:2]};"
    a, b = 0b1000101, -(1 << 69) + 9
    low = 0b10_10_1000_111_1_0
    found = single(body, ports, a=[a], b=np.array([b], dtype=object))
    assert found["y"] == [low - (1 << 13)]
    assert found["z"] == [(9 << 68) | ((b % (1 << 70)) >> 2)]


@pytest.mark.parametrize("last", ["default", "entry"])
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 10])
def test_a_case_statement_is_a_table(bits: int, last: str) -> None:
    rng = random.Random(bits)
    entries = [rng.randrange(-128, 128) for _ in range(1 << bits)]
    lines = [f"      {bits}'d{at}: y = 8'h{value & 255:02x};" for at, value in enumerate(entries[:-1])]
    text = f"""
module nc_table(input [{bits - 1}:0] a, output reg signed [7:0] y);
  always @*
    case (a)
{chr(10).join(lines)}
      {"default" if last == "default" else f"{bits}'d{len(entries) - 1}"}: y = 8'h{entries[-1] & 255:02x};
    endcase
endmodule
module top(input [{bits - 1}:0] a, output signed [8:0] y);
  wire signed [7:0] found;
  nc_table table_of(.a(a), .y(found));
  assign y = found;
endmodule
"""
    design = elaborate(text, "top")
    assert design.run({"a": np.arange(1 << bits)})["y"].tolist() == entries
    assert dict(census(design).tables) == {(bits, 8): 1}


@pytest.mark.parametrize("edge", ["", "or posedge rst"])
def test_a_counter_starts_at_its_reset_and_takes_a_step_each_cycle(edge: str) -> None:
    design = elaborate(COUNTER.format(edge=edge), "top")
    found = design.run_clocked({"step": np.array([0, 1, 3])}, 6)["count"]
    assert found.T.tolist() == [[3] * 6, [3, 4, 5, 6, 7, 8], [3, 6, 9, 12, 15, 2]]


@pytest.mark.parametrize(("edge", "seen"), [("", [3, 4, 5, 3, 4]), ("or posedge rst", [3, 4, 3, 3, 4])])
def test_a_reset_in_the_middle_acts_at_the_edge_or_at_once(edge: str, seen: list[int]) -> None:
    reset = np.array([[0], [0], [1], [0], [0]])
    found = elaborate(COUNTER.format(edge=edge), "top").run_clocked({"step": np.array([1]), "rst": reset}, 5)
    assert found["count"][:, 0].tolist() == seen


def test_a_register_starts_with_its_initial_value_and_an_undefined_one_is_refused() -> None:
    text = "module top(input clk, input d, output reg q, output reg p);\n{}always @(posedge clk) q <= q ^ d;\n"
    text += "always @(posedge clk) p <= q;\nendmodule\n"
    found = elaborate(text.format("initial q = 1; initial p = 0;\n"), "top").run_clocked(
        {"d": np.ones(1, dtype=int)}, 4
    )
    assert (found["q"][:, 0].tolist(), found["p"][:, 0].tolist()) == ([1, 0, 1, 0], [0, 1, 0, 1])
    with pytest.raises(NetlistError, match=r"neither an initial value nor a reset \[E-SIMULATE-RESET\]"):
        elaborate(text.format("initial p = 0;\n"), "top").run_clocked({"d": np.ones(1, dtype=int)}, 4)


def test_inputs_of_each_cycle_and_many_samples_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncomplexity.hw.simulate.VALUES", 64)
    steps = np.random.default_rng(5).integers(0, 4, (7, 50))
    found = elaborate(COUNTER.format(edge=""), "top").run_clocked({"step": steps}, 7)["count"]
    assert (found == (3 + np.cumsum(steps, axis=0) - steps) % 16).all()


def test_modules_that_only_pass_something_through() -> None:
    text = """
module inner(input signed [3:0] a, output signed [3:0] y, output [1:0] k, output signed [3:0] open);
  assign y = a; assign k = 2'd2; assign open = -a;
endmodule
module middle(input signed [3:0] a, output signed [3:0] y, output [1:0] k); inner i(.a(a), .y(y), .k(k)); endmodule
module top(input signed [3:0] a, output signed [3:0] y, output [1:0] k, output signed [5:0] sum);
  middle m(.a(a), .y(y), .k(k));
  assign sum = y + a;
endmodule
"""
    found = elaborate(text, "top").run({"a": np.array([-8, 3])})
    assert {name: values.tolist() for name, values in found.items()} == {"y": [-8, 3], "k": [2, 2], "sum": [-16, 6]}


def test_the_elements_of_a_port_are_packed_and_unpacked() -> None:
    text = "module top(input [79:0] x, output [89:0] y);\n"
    text += "\n".join(
        f"wire signed [7:0] n{at} = x[{8 * at + 7}:{8 * at}];\nassign y[{9 * at + 8}:{9 * at}] = {{n{at}[7], n{at}}};"
        for at in range(10)
    )
    values = np.random.default_rng(2).integers(-128, 128, (50, 10))
    found = elaborate(text + "\nendmodule\n", "top").run({"x": packed(values, 8)})
    assert (unpacked(found["y"], 10, 9, signed=True) == values).all()
    assert (unpacked(found["y"], 10, 9, signed=False) == values % 512).all()


def test_the_caller_may_say_which_ports_are_signed() -> None:
    design = elaborate("module top(input [3:0] a, output [3:0] y); assign y = a + 4'd1; endmodule", "top")
    assert design.run({"a": np.array([15])})["y"].tolist() == [0]
    assert design.run({"a": np.array([-2])}, signed=("a", "y"))["y"].tolist() == [-1]


def test_the_optimised_netlist_computes_the_same() -> None:
    text = "module top(input signed [3:0] a, input signed [3:0] b, output signed [11:0] y, output signed [11:0] z);\n"
    text += "assign y = a * b + (a + b); assign z = (b > a) ? (a + b) - 12'sh004 : {a, 3'b0};\nendmodule\n"
    inputs = {"a": np.repeat(np.arange(-8, 8), 16), "b": np.tile(np.arange(-8, 8), 16)}
    plain, shared = elaborate(text, "top").run(inputs), elaborate(text, "top", optimised=True).run(inputs)
    assert all((plain[name] == shared[name]).all() for name in ("y", "z"))
    assert (plain["y"] == inputs["a"] * inputs["b"] + inputs["a"] + inputs["b"]).all()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, r"the inputs are a; 'a' is missing or too many"),
        ({"a": [1], "b": [1]}, r"'b' is missing or too many"),
        ({"a": [8]}, r"'a' holds -8 to 7, and is given 8 to 8"),
        ({"a": [0.5]}, r"'a' is no array of integers"),
        ({"a": []}, r"'a' is no array of integers"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, list[float]], said: str) -> None:
    port = Port(name="a", output=False, signed=True, bits=(1, 2, 3, 4))
    simulation = Simulation([port], [], {})
    with pytest.raises(UsageError, match=said):
        simulation.run({name: np.array(values) for name, values in inputs.items()})


def test_a_cell_of_no_known_meaning_is_refused_by_name() -> None:
    design = elaborate("module top(input [3:0] a, input [3:0] b, output [3:0] y); assign y = a / b; endmodule", "top")
    with pytest.raises(NetlistError, match=r"is a cell \$div, not simulated \[E-SIMULATE-CELL\]"):
        design.run({"a": np.array([1]), "b": np.array([1])})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("assign y = 4'bxx00 + a;", "E-SIMULATE-UNDEFINED"),
        ("assign y = {1'b0, y[3:1] + a[2:0]};", "E-SIMULATE-LOOP"),
        ("assign y = a; assign y = ~a;", "E-SIMULATE-DRIVERS"),
        ("wire [3:0] nothing; assign y = a + nothing;", "E-SIMULATE-UNDEFINED"),
        ("reg [3:0] q; always @* if (a[0]) q = a; assign y = q;", "E-SIMULATE-CELL"),
    ],
)
def test_circuits_without_a_value_are_refused(body: str, said: str) -> None:
    with pytest.raises(NetlistError, match=said):
        elaborate(f"module top(input [3:0] a, output [3:0] y); {body} endmodule", "top").run({"a": np.array([1])})


def test_a_register_of_another_clock_or_edge_and_a_run_without_cycles_are_refused() -> None:
    text = "module top(input clk, input d, output reg q); always @({}) q <= d; endmodule"
    for edge in ("negedge clk", "posedge d"):
        with pytest.raises(NetlistError, match="not clocked by the rising edge of clk"):
            elaborate(text.format(edge), "top").run_clocked({"d": np.array([1])}, 2)
    with pytest.raises(NetlistError, match=r"1 registers, and is to be run by clock cycles \[E-SIMULATE-CLOCK\]"):
        elaborate(text.format("posedge clk"), "top").run({"clk": np.array([1]), "d": np.array([1])})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("module top(input a;\nendmodule", r"kernel.v:1: syntax error"),
        ("module top(input a, output y); missing m(.a(a), .y(y)); endmodule", "missing"),
        ("module other(input a, output y); assign y = a; endmodule", "top"),
        ("", "top"),
    ],
)
def test_a_text_the_tool_refuses_is_one_line(text: str, said: str) -> None:
    with pytest.raises(ToolError, match=said) as caught:
        elaborate(text, "top")
    assert (caught.value.identifier, caught.value.exit_code) == ("E-HDL-TEXT", 3)
    assert "\n" not in str(caught.value)


def test_a_top_name_is_no_script() -> None:
    with pytest.raises(NetlistError, match="is no name of a module"):
        elaborate("module top; endmodule", "top; exec -- true")


def test_a_tool_that_hangs_is_stopped() -> None:
    text = "module top(output y); integer i; reg y;\n"
    text += "initial begin y = 0; for (i = 0; i < 100000000; i = i + 1) y = ~y; end endmodule"
    with pytest.raises(ToolError, match=r"pyosys did not end within 1 s and was stopped \[E-TOOL-TIME\]") as caught:
        elaborate(text, "top", seconds=1)
    assert caught.value.exit_code == 5


def test_a_missing_tool_is_exit_code_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pip install nncomplexity\[hw\] \[E-TOOL-MISSING\]") as caught:
        elaborate("module top; endmodule", "top")
    assert caught.value.exit_code == 5


def test_a_tool_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tools.CHILDREN, "pyosys", "import os; os.write(2, b'out of memory'); os.abort()")
    with pytest.raises(ToolError, match=r"pyosys broke down with code -6: out of memory \[E-TOOL-FAILED\]"):
        elaborate("module top; endmodule", "top")


def test_modules_that_double_over_and_over_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncomplexity.hw.elaborate.MOST", 1000)
    doubled = "module m{}(input a, output y); wire w; m{} p(a, w); m{} q(w, y); endmodule"
    levels = [doubled.format(at, at - 1, at - 1) for at in range(1, 25)]
    text = "\n".join(["module m0(input a, output y); assign y = ~a; endmodule", *levels])
    with pytest.raises(NetlistError, match="E-HDL-SIZE"):
        elaborate(text, "m24")


def test_a_design_says_what_made_it() -> None:
    design = elaborate("module top(input a, output y); assign y = ~a; endmodule", "top")
    assert isinstance(design, Design)
    assert design.tool.startswith("pyosys 0.")
    assert [(cell.kind, cell.module, cell.path) for cell in design.cells] == [("$not", "top", "")]
    assert isinstance(design.cells[0], Cell)


def test_an_input_of_one_sample_is_held_for_all() -> None:
    text = "module top(input [3:0] a, input [3:0] b, output [4:0] y); assign y = a + b; endmodule"
    design = elaborate(text, "top")
    values, held = np.arange(16), np.array([9])
    assert design.run({"a": values, "b": held})["y"].tolist() == list(range(9, 25))
    assert design.run({"a": held, "b": held})["y"].tolist() == [18]
    counted = elaborate(COUNTER.format(edge=""), "top")
    assert counted.run_clocked({"step": held % 4}, 3)["count"].tolist() == [[3], [4], [5]]
    with pytest.raises(
        UsageError, match=r"^the inputs have different numbers of samples: \[2, 16\] \[E-SIMULATE-INPUT\]$"
    ):
        design.run({"a": values, "b": values[:2]})
