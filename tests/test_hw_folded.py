"""Folded kernels: one multiplier and one adder make every sum of products, a product a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from nncomplexity.catalogue import Network, Part
from nncomplexity.errors import UsageError
from nncomplexity.formats import Fixed
from nncomplexity.hw import folded_proof, verify
from nncomplexity.hw.activity import Activity
from nncomplexity.hw.building import build
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.hw.census import census
from nncomplexity.hw.elaborate import elaborate
from nncomplexity.hw.folded import Folded, FoldedNetlist, fold
from nncomplexity.hw.folded_verilog import emit_folded
from nncomplexity.hw.preparation import prepared
from nncomplexity.hw.tools import find_program, run_command
from nncomplexity.hw.words import packed, unpacked
from nncomplexity.layers.contraction import Contraction
from nncomplexity.ops import LINEAR_ROLES, PRODUCTS, Role
from nncomplexity.quantization import parse_quantization

embedded = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

LAYERS: dict[str, Any] = {
    "dense": nc.Dense(inputs=5, units=3),
    "dense without bias": nc.Dense(inputs=7, units=2, bias=False),
    "one product": nc.Dense(inputs=1, units=1),
    "one sum": nc.Dense(inputs=9, units=1),
    "conv1d": nc.Conv1D(length=9, channels=2, filters=3, kernel_size=3),
    "conv2d": nc.Conv2D(height=5, width=4, channels=2, filters=3, kernel_size=(3, 2)),
    "rnn": nc.RNN(steps=4, inputs=2, hidden=3),
    "relu": nc.RNN(steps=4, inputs=3, hidden=2, function="relu"),
    "gru": nc.GRU(steps=4, inputs=3, hidden=2),
    "gru, linear before reset": nc.GRU(steps=4, inputs=3, hidden=2, linear_before_reset=True),
    "lstm": nc.LSTM(steps=4, inputs=2, hidden=3),
    "lstm with peepholes": nc.LSTM(steps=4, inputs=3, hidden=2, peepholes=True, bidirectional=True),
    "lstm1997": nc.LSTM1997(steps=4, inputs=2, hidden=2),
}


def filled(layer: Any, quant: str) -> Any:
    """The layer with its formats."""
    (part,) = Network([layer]).parts(parse_quantization(quant))
    return part.layer


def drawn(layer: Any, seed: int = 0) -> dict[str, Any]:
    """Weights by the names the equations give them."""
    return dict(prepared(Part(name="", layer=layer), style="mac", vectors=1, seed=seed).known)


@embedded
@pytest.mark.parametrize("name", LAYERS)
def test_cycles_are_the_products_that_are_counted(name: str) -> None:
    verdict = verify(LAYERS[name], quant="w6a5", schedule="folded", vectors=40)
    assert verdict, verdict.first_difference
    assert (verdict.style, verdict.schedule) == ("mac", "folded")
    assert verdict.steps == (2 if name.startswith(("dense", "one", "conv")) else 20)
    report = nc.analyze(nc.Network([LAYERS[name]]), quant="w6a5")
    executions = LAYERS[name].executions
    assert verdict.cycles * executions == report.totals.mac


@embedded
@pytest.mark.parametrize(
    "quant", ["w:pot4,a8", "w:apot6x2,a8", "w3a2", "w:fixed<8,3>,a:fixed<7,2>", "w:ufixed<5,2>,a6"]
)
def test_formats(quant: str) -> None:
    verdict = verify(nc.GRU(steps=3, inputs=2, hidden=3), quant=quant, schedule="folded", vectors=40)
    assert verdict, verdict.first_difference


@embedded
def test_the_unit_is_as_wide_as_its_widest_dot() -> None:
    # Inputs of 9 bits against weights of 4, a state of 3 bits against recurrent weights of 7.
    weights = {"weight": [7, -8, 0] * 5, "recurrent": [-64, 63, 1, 0, -2] * 5, "bias": [1, -8, 7, 0, 2]}
    plain = filled(nc.RNN(steps=2, inputs=3, hidden=5), "w:fixed<4,4>,a:fixed<3,1>")
    one = replace(plain, input=Fixed(bits=9, integer=9), recurrent=Fixed(bits=7, integer=7))
    folded = fold(one, weights, activation="table")
    assert (folded.left_bits, folded.right_bits, folded.cycles) == (9, 7, 40)
    assert folded.products == {Role.INPUT: 15, Role.RECURRENT: 25}
    # 256*8 and 4*64; three and five of them.
    assert (folded.product_bits, folded.sum_bits) == (13, 14)
    found = census(elaborate(emit_folded(folded), "nc_kernel"))
    assert found.multiplications == {(9, 7, 13): 1}
    assert found.tables[6, 7] == 1
    # The accumulator, five sums of each dot, five states.
    assert found.registers == {14: 1 + 5, 12: 5, 3: 5}
    assert set(found.control) <= {"$add", "$and", "$dff", "$eq", "$mux", "$pmux", "$logic_not", "$mem_v2", "$or"}
    assert found.adders == 1 + 10


@embedded
def test_a_later_dot_reads_what_an_earlier_one_gave() -> None:
    folded = fold(filled(LAYERS["gru"], "w4a4"), drawn(filled(LAYERS["gru"], "w4a4")))
    last = folded.dots[-1]
    # h' needs r*h, which needs the sums of the reset gate.
    read = {folded.graph.nodes[node].operation.value for node in folded.graph.outputs[last.left]}
    assert [dot.role for dot in folded.dots] == [Role.INPUT, Role.RECURRENT] * 3
    assert read == {"quantise"}


def test_factors_that_are_no_weights_are_chosen_by_counters() -> None:
    """Both factors variable, as in an attention score; every sum with operands of its own."""
    layer = filled(Contraction(terms=3, outputs=4, constant=False), "w5a4")
    folded = fold(layer)
    assert [(dot.left, dot.right, dot.products) for dot in folded.dots] == [("o0", "o1", 12)]
    assert not any(folded.words)


@embedded
def test_two_variable_factors() -> None:
    layer = filled(Contraction(terms=3, outputs=4, constant=False), "w5a4")
    random, folded = np.random.default_rng(3), fold(layer)
    moving = {
        name: [random.integers(port.low, port.high + 1, (30, port.elements)) for _ in range(2)]
        for name, port in folded.graph.inputs.items()
        if name.startswith("x")
    }
    design = elaborate(emit_folded(folded), "nc_kernel")
    run = folded_proof.run_folded(folded, design, moving, {})
    for step in range(2):
        x, y = moving["x0"][step], moving["x1"][step].reshape(30, 4, 3)
        assert (run.outputs[step]["y0"] == (x[:, None] * y).sum(axis=2)).all()
    assert [cycles.tolist() for cycles in run.cycles] == [[12] * 30] * 2


def changed(written: str, instead: str) -> Callable[[Folded], str]:
    def altered(folded: Folded) -> str:
        text = emit_folded(folded)
        assert written in text
        return text.replace(written, instead)

    return altered


@embedded
@pytest.mark.parametrize(
    ("written", "instead", "difference"),
    [
        ("assign y = a * b;", "assign y = a + b;", "netlist and simulation, step 0: vector "),
        ("assign first = column == 0;", "assign first = column == 1;", "netlist and simulation, step 0: vector "),
        ("done <= all_ends;", "done <= 1'b0;", "netlist and simulation, step 0: not done after 23 cycles"),
        ("if (all_ends) active <= 0;", "if (all_ends) active <= 1;", "netlist and simulation, step 1: vector "),
        ("dot <= all_ends ? 0 : dot + 1;", "dot <= all_ends ? 1 : dot + 1;", "netlist and simulation, step 1: "),
        ("done <= all_ends;", "done <= dot_ends;", "netlist and simulation, step 1: vector "),
        (".enable(active), .d(sum)", ".enable(start), .d(sum)", "netlist and simulation, step 0: vector "),
        ("active <= 0;\n", "active <= 1;\n", "netlist and simulation: it works before it is started"),
        ("else if (enable) q <= d;", "else q <= d;", "netlist and simulation, step 0: vector "),
    ],
)
def test_an_altered_kernel_is_found_out(
    monkeypatch: pytest.MonkeyPatch, written: str, instead: str, difference: str
) -> None:
    monkeypatch.setattr(folded_proof, "emit_folded", changed(written, instead))
    verdict = verify(LAYERS["rnn"], quant="w5a4", schedule="folded", vectors=30)
    assert not verdict
    assert difference in verdict.first_difference


@embedded
def test_every_weight_in_the_memory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, weights = nc.Dense(inputs=3, units=2), {"weight": [3, -7, 0, 7, -8, 5], "bias": [1, -2]}
    words = ["3", "9", "0", "7", "8", "5"]
    for place, word in enumerate(words):
        line = f"3'h{place}: y = 4'h{word};"
        other = changed(line, f"3'h{place}: y = 4'h{int(word, 16) ^ 1:x};")
        monkeypatch.setattr(folded_proof, "emit_folded", other)
        assert not verify(layer, weights=weights, quant="w4a4", schedule="folded", vectors=20).values_equal


@embedded
def test_a_cycle_more_is_a_wrong_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit stops when it is done, one cycle too late."""
    monkeypatch.setattr(folded_proof, "emit_folded", changed("if (all_ends) active <= 0;", "if (done) active <= 0;"))
    verdict = verify(nc.Dense(inputs=3, units=2), quant="w4a4", schedule="folded", vectors=20)
    assert verdict.cycles == 7
    assert not verdict.counts_equal


@embedded
def test_a_counted_port_that_enables_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(folded: Folded) -> str:
        text = emit_folded(folded)
        return (
            text.replace(".active(active), .done", ".active(works), .done", 1)
            .replace(".enable(active)", ".enable(works)")
            .replace("wire first;", "wire works;\n  assign active = works & works;\n  wire first;", 1)
        )

    monkeypatch.setattr(folded_proof, "emit_folded", altered)
    verdict = verify(LAYERS["dense"], quant="w4a4", schedule="folded", vectors=20)
    assert verdict.values_equal
    assert verdict.first_difference == "the port active is not what enables the accumulator"


MOVING = """module moving (input wire clk, input wire rst, input wire clear, input wire [69:0] a, output wire [70:0] y,
  output reg [3:0] kept, output reg [2:0] counted);
  reg [69:0] last;
  always @(posedge clk) if (rst) last <= 0; else last <= a;
  always @(posedge clk or posedge clear) if (clear) counted <= 0; else counted <= counted + 1;
  always @(posedge clk) if (rst) kept <= 5; else if (a[3]) kept <= last[67:64] ^ a[3:0];
  assign y = last + (counted[1] ? a : {a[0], 69'd7});
endmodule
"""


@embedded
def test_only_what_changes_is_evaluated_with_the_same_result() -> None:
    """Registers with an enable, a reset of either kind, words of more than 64 bits: as cycle by cycle."""
    design, random = elaborate(MOVING, "moving"), np.random.default_rng(4)
    words = random.integers(0, 1 << 60, (25, 6)).astype(object) << random.integers(0, 10, (25, 6)).astype(object)
    # Some cycles change nothing.
    words[5:9], clear = words[4], (np.arange(25)[:, None] % np.array([9, 4, 7, 5, 6, 11]) == 0).astype(np.int64)
    wanted = design.run_clocked({"a": words, "clear": clear}, 25, signed=())
    activity = Activity(design.simulation, {"a": words[0], "clear": clear[0]})
    for cycle in range(25):
        for name, values in wanted.items():
            assert (activity.output(name) == values[cycle]).all(), (cycle, name)
        if cycle < 24:
            activity.edge({"a": words[cycle + 1], "clear": clear[cycle + 1]})
    with pytest.raises(UsageError) as found:
        Activity(design.simulation, {"a": words[0]})
    assert str(found.value) == "the port 'clear' is missing or too many [E-SIMULATE-INPUT]"


@embedded
def test_a_start_may_come_with_done() -> None:
    """Started again and again without a pause: a step every `latency` cycles, each with the state before it."""
    layer = filled(LAYERS["rnn"], "w5a4")
    weights, random = drawn(layer, 2), np.random.default_rng(2)
    folded, unrolled = fold(layer, weights), build(layer, "mac")
    inputs = [random.integers(-8, 8, (5, 2)) for _ in range(6)]
    ports = {unrolled.names[name]: np.tile(values, (5, 1)) for name, values in weights.items()}
    wanted = unrolled.run({"x0": inputs}, ports)
    node = folded.graph.nodes[folded.graph.outputs["y0"][0]]
    design = elaborate(emit_folded(folded), "nc_kernel")
    words = [packed(values, 4) for values in inputs]
    activity = Activity(design.simulation, {"x0": words[0], "start": np.array([1])})
    for step, word in enumerate(words):
        for cycle in range(folded.latency):
            assert activity.output("done").all() == (step > 0 and cycle == 0), (step, cycle)
            activity.edge({"x0": word})
        assert activity.output("done").all()
        found = unpacked(np.asarray(activity.output("y0")), 3, node.width, signed=True)
        assert (found == wanted[step]).all()


BENCH = """module bench;
  reg clk = 0, rst = 1, start = 0;
  reg [{x}:0] x0 = 0;
  wire active, done;
  wire [{y}:0] y0;
  integer cycles = 0;
  always #5 clk = ~clk;
  always @(posedge clk) if (active) cycles = cycles + 1;
  nc_kernel kernel (.clk(clk), .rst(rst), .start(start), .active(active), .done(done), .x0(x0), .y0(y0));
  initial begin
    @(posedge clk); #1 rst = 0;
{steps}    $finish;
  end
endmodule
"""
STEP = """    start = 1; @(posedge clk); #1 start = 0; x0 = {value};
    while (!done) begin @(posedge clk); #1; end
    $display("RESULT %h %0d", y0, cycles); cycles = 0; @(posedge clk); #1;
"""


@pytest.mark.skipif(find_program("iverilog") is None, reason="Icarus Verilog is not installed")
def test_another_simulator_agrees(tmp_path: Any) -> None:
    """Icarus on the text of a convolution's window, against the equation."""
    layer = filled(nc.Conv1D(length=9, channels=2, filters=3, kernel_size=2), "w5a4")
    weights, random = drawn(layer, 5), np.random.default_rng(5)
    folded = fold(layer, weights)
    x = random.integers(-8, 8, (6, 4))
    taps, shift = np.array(weights["weight"]).reshape(3, 4), layer.input.fraction
    wanted = x @ taps.T + (np.array(weights["bias"]) << shift)
    width = folded.graph.nodes[folded.graph.outputs["y0"][0]].width
    steps = "".join(STEP.format(value=f"16'h{sum((int(v) & 15) << 4 * at for at, v in enumerate(row)):x}") for row in x)
    (tmp_path / "bench.v").write_text(BENCH.format(x=15, y=3 * width - 1, steps=steps))
    (tmp_path / "kernel.v").write_text(emit_folded(folded))
    compiled = run_command(["iverilog", "-g2001", "-o", "bench", "bench.v", "kernel.v"], folder=tmp_path, seconds=60)
    assert compiled.code == 0, compiled.text
    lines = run_command(["vvp", "bench"], folder=tmp_path, seconds=60).text.split("\n")
    found = [line.split()[1:] for line in lines if line.startswith("RESULT")]
    word = [sum((int(v) & (1 << width) - 1) << width * at for at, v in enumerate(row)) for row in wanted]
    assert [int(each[0], 16) for each in found] == word
    assert [int(each[1]) for each in found] == [12] * 6


def test_the_inventory_is_parted_by_dots() -> None:
    layer = filled(LAYERS["lstm with peepholes"], "w6a5")
    counter = folded_proof.DotCounter({})
    layer.equations(counter)
    products = {op.role for op in counter.dots if op.kind in PRODUCTS}
    assert products <= LINEAR_ROLES
    assert {op.role for op in counter.counts if op.kind in PRODUCTS} == {Role.GATE, Role.PEEPHOLE}


def test_refusals() -> None:
    with pytest.raises(UsageError) as found:
        verify(LAYERS["dense"], quant="w4a4", style="shiftadd", schedule="folded")
    assert str(found.value) == (
        "a folded kernel has one real multiplier, so no style 'shiftadd'; choose mac, or schedule unrolled "
        "[E-KERNEL-STYLE]"
    )
    with pytest.raises(UsageError) as found:
        verify(LAYERS["dense"], quant="w4a4", schedule="pipelined")
    assert str(found.value) == ("there is no schedule 'pipelined'; choose unrolled or folded [E-KERNEL-SCHEDULE]")
    with pytest.raises(UsageError) as found:
        fold(filled(nc.Dense(inputs=3, units=1), "w4a4"), {"weight": [1, 2, 99], "bias": [0]})
    assert str(found.value) == "a weight is 99, its format holds -8..7; widen it [E-KERNEL-WEIGHTS]"
    netlist = FoldedNetlist()
    layer = filled(LAYERS["dense"], "w4a4")
    x, weight = netlist.variable(5, layer.input), netlist.constant(15, layer.weight)
    with pytest.raises(UnsupportedLayer) as refused:
        netlist.dot(x, weight, terms=5, outputs=3, role=Role.INPUT, products=7, additions=4)
    assert str(refused.value) == (
        "a sparse product names how many terms a row has, not which; give the rows in full [E-KERNEL-LAYER]"
    )
    with pytest.raises(UnsupportedLayer) as refused:
        netlist.dot(x, weight, terms=3, outputs=5, role=Role.INPUT)
    assert str(refused.value) == (
        "5 sums of 3 products of 5 and 15 numbers are not folded: the equations do not say which belong together "
        "[E-KERNEL-LAYER]"
    )
