"""Kernels mapped to devices: what is counted, what is kept between runs, what is refused; and two schedules."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import nncomplexity as nc
import pytest
from nncomplexity.catalogue import Network, Part
from nncomplexity.errors import UsageError
from nncomplexity.hw import cache, synth
from nncomplexity.hw.cache import Cache, cache_folder, digest
from nncomplexity.hw.mapping import mapped, schedules
from nncomplexity.hw.schedule import OVERHEAD, folded, unrolled
from nncomplexity.hw.synth import TARGETS, Synthesis, synthesise, transparent
from nncomplexity.hw.tools import NetlistError, ToolError
from nncomplexity.metrics.prediction import tiles
from nncomplexity.ops import Inventory, Kind, Op, Role
from nncomplexity.quantization import parse_quantization

needs_tool = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")

FULL_ADDER = """
module nc_kernel(input wire a, input wire b, input wire c, output wire s, output wire m, output wire n);
  assign s = a ^ b ^ c;
  assign m = (a & b) | (a & c) | (b & c);
  assign n = ~a;
endmodule
"""
REGISTER = """
module nc_kernel(input wire clk, input wire [6:0] d, output reg [6:0] q);
  always @(posedge clk) q <= d;
endmodule
"""


def part(layer: nc.Layer, quant: str = "w6a5") -> Part:
    return next(Network([layer]).parts(parse_quantization(quant)))


# Counting.


@needs_tool
def test_tables_exclude_inverters() -> None:
    """A sum bit and a carry bit are a table each; the inverter is no table."""
    found = synthesise(FULL_ADDER, "lut6")
    assert (found.lut, found.inverters, found.ff, found.dsp) == (2, 1, 0, None)
    assert found.cells == {"$lut_1": 1, "$lut_3": 2}
    assert found.tool.startswith("pyosys ") and found.flags == (
        "synth -flatten -noabc -top nc_kernel",
        "abc -lut 6 -script +strash;dch;if,-K,6;mfs2",
        "opt_clean",
    )


@needs_tool
def test_gates_exclude_inverters() -> None:
    """By convention a full adder is five gates; the tool may take another one or two."""
    found = synthesise(FULL_ADDER, "gates")
    assert found.gates in (5, 6, 7) and (found.inverters, found.lut) == (1, None)
    assert sum(found.cells.values()) == found.gates + 1


@needs_tool
@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"xilinx"}))
def test_registers_are_flip_flops_everywhere(target: str) -> None:
    found = synthesise(REGISTER, target)
    assert found.ff == 7 and (found.lut or 0) == 0 and found.target == target


@needs_tool
def test_a_carry_cell_of_ecp5_holds_two_tables() -> None:
    text = "module nc_kernel(input wire [8:0] a, input wire [8:0] b, output wire [8:0] y); assign y = a + b; endmodule"
    found = synthesise(text, "ecp5")
    assert found.carry and found.lut == found.cells.get("LUT4", 0) + 2 * found.carry


@needs_tool
def test_multipliers_are_cut_to_blocks_as_the_tool_cuts_them() -> None:
    """The rule that predicts DSP, against the tool; 4 x 4 bits stay outside. Beside them a register of 3 bits."""
    widths = [(4, 4), (5, 4), (20, 20), (18, 25), (43, 18), (26, 26)]
    ports = ", ".join(
        f"input wire signed [{a - 1}:0] a{i}, input wire signed [{b - 1}:0] b{i}, "
        f"output wire signed [{a + b - 1}:0] y{i}"
        for i, (a, b) in enumerate(widths)
    )
    lines = "".join(f"assign y{i} = a{i} * b{i};\n" for i in range(len(widths)))
    ports += ", input wire clk, input wire [2:0] d, output reg [2:0] q"
    found = synthesise(f"module nc_kernel({ports});\n{lines}always @(posedge clk) q <= d;\nendmodule\n", "xilinx")
    made = [_product(a, b) for a, b in widths]
    assert [tiles(op) for op in made] == [0, 1, 2, 1, 3, 4] and (found.dsp, found.ff) == (11, 3)


def _product(a: int, b: int) -> Op:
    one, other, result = (nc.formats.Fixed(bits=bits) for bits in (a, b, a + b))
    return Op(Kind.MULTIPLY, Role.INPUT, one, other, result)


@needs_tool
def test_a_layer_of_powers_of_two_has_no_multiplier() -> None:
    found = mapped(part(nc.Dense(inputs=5, units=3), "w:pot4,a6"), "ice40", seed=3)
    assert found.style == "shiftadd" and found.synthesis.dsp == 0
    assert found.declared.multipliers == 0 and found.declared.adders > 0
    assert found.optimised is not None and found.optimised.full_adders <= found.declared.full_adders


@needs_tool
def test_opaque_wires_are_opened() -> None:
    """A bias of zeros costs an addition in the text, and nothing in the circuit."""
    from nncomplexity.hw import build, emit

    layer = part(nc.Dense(inputs=1, units=2)).layer
    text = emit(build(layer, "shiftadd", {"weight": [4, -8], "bias": [0, 0]}).graph)
    assert "(* keep *)" in text and "(* keep *)" not in transparent(text)
    kept, opened = (synthesise(text, "lut6"), synthesise(transparent(text), "lut6"))
    assert kept == opened
    # y0 is wires; y1 is -x, negated as the carry of a longer and longer AND.
    assert opened.lut is not None and opened.lut <= 6


# Results kept.


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "nncomplexity"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder().is_absolute() and "relative" not in cache_folder().parts
    assert digest("ab", "c") != digest("a", "bc")


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[tuple[str, ...]]:
    """The tool answers with these cell lists, one after the other; its calls."""
    calls: list[tuple[str, ...]] = []

    def answer(commands: tuple[str, ...], **_: object) -> dict[str, str]:
        calls.append(commands)
        return {"found.json": answers[len(calls) - 1]}

    monkeypatch.setattr(synth, "run_yosys", answer)
    monkeypatch.setattr(synth, "yosys_version", lambda: "tool 1")
    return calls


def cells(**counts: int) -> str:
    return json.dumps({"design": {"num_cells_by_type": counts}})


def test_a_result_is_made_once_for_a_text_a_target_and_a_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = Cache(tmp_path / "made")
    calls = answering(monkeypatch, *[cells(LUT4=each, INV=9) for each in range(1, 6)])

    def lut(text: str, target: str = "xilinx") -> int | None:
        return synthesise(text, target, cache=kept).lut

    assert [lut("a"), lut("a"), lut("b"), lut("a", "ecp5"), lut("b")] == [1, 1, 2, 3, 2]
    monkeypatch.setattr(synth, "yosys_version", lambda: "tool 2")
    assert [lut("a"), synthesise("a", "xilinx").lut] == [4, 5] and len(calls) == 5
    assert not list((tmp_path / "made").glob(".entry-*"))


@pytest.mark.parametrize(
    "spoilt",
    ["", "{", "[]", '{"value": 1}', "\x00", "[" * 100_000],
    ids=["empty", "cut", "list", "short", "zero", "deep"],
)
def test_a_spoilt_entry_is_made_anew(spoilt: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    calls = answering(monkeypatch, cells(LUT2=5), cells(LUT2=6))
    assert synthesise("a", cache=kept).lut == 5
    (entry,) = tmp_path.iterdir()
    entry.write_text(spoilt)
    assert [synthesise("a", cache=kept).lut for _ in range(2)] == [6, 6] and len(calls) == 2


def test_an_entry_that_was_changed_is_none(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put("k", {"cells": {"LUT2": 5}})
    assert kept.get("k") == {"cells": {"LUT2": 5}} and kept.get("other") is None
    (entry,) = tmp_path.iterdir()
    entry.write_text(entry.read_text().replace("5", "4", 1).replace('"LUT2": 5', '"LUT2": 4'))
    assert kept.get("k") is None


def test_a_folder_that_cannot_be_written_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    calls = answering(monkeypatch, cells(LUT2=5), cells(LUT2=5))
    assert [synthesise("a", cache=Cache(tmp_path / "file")).lut for _ in range(2)] == [5, 5] and len(calls) == 2
    assert cache.SCHEMA


# Refusals.


def test_an_unknown_target() -> None:
    with pytest.raises(UsageError) as refusal:
        synthesise(FULL_ADDER, "xilink")
    assert str(refusal.value) == "target 'xilink' is unknown; did you mean 'xilinx'? [E-SYNTH-TARGET]"


@needs_tool
def test_a_text_the_tool_refuses_and_a_name_that_is_none() -> None:
    with pytest.raises(NetlistError, match=r"pyosys refuses the text: .*syntax error.* \[E-HDL-TEXT\]"):
        synthesise("module nc_kernel(; endmodule", "gates")
    with pytest.raises(NetlistError, match=r"^'a b' is no name of a module \[E-HDL-TEXT\]$"):
        synthesise(FULL_ADDER, "gates", top="a b")


@needs_tool
def test_a_tool_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ToolError, match=r"^pyosys did not end within 0.01 s and was stopped \[E-TOOL-TIME\]$"):
        synthesise(FULL_ADDER, "lut6", seconds=0.01)


@pytest.mark.parametrize(
    "answer", ["nonsense", "{}", '{"design": {}}', cells(LUT2=-1), '{"design": {"num_cells_by_type": {"LUT2": "3"}}}']
)
def test_a_list_of_cells_that_is_none(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(ToolError, match=r"the cell list of the tool .* \[E-SYNTH-NETLIST\]") as refusal:
        synthesise("a")
    assert refusal.value.exit_code == 5


def test_a_result_is_plain_data(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, json.dumps({"design": {"num_cells_by_type": {"LUT6": 2, "$scopeinfo": 4, "FDRE": 1}}}))
    found: Synthesis = synthesise("a")
    assert found.cells == {"FDRE": 1, "LUT6": 2}
    assert {key: found.to_dict()[key] for key in ("lut", "ff", "dsp", "gates")} == {
        "lut": 2,
        "ff": 1,
        "dsp": 0,
        "gates": None,
    }


# Schedules.


def test_an_unrolled_kernel_starts_an_execution_a_cycle() -> None:
    found = unrolled(41)
    assert (found.latency, found.interval, found.cycles) == (1, 1, 41)
    assert found.seconds(100) == 41 / 100e6 and found.per_second(100) == 100e6


def test_a_folded_kernel_takes_a_cycle_for_every_product() -> None:
    """4 gates of 3 sums of 2 + 3 products; the 3 Hadamard products of a unit have multipliers of their own."""
    layer = part(nc.LSTM(steps=7, inputs=2, hidden=3)).layer
    one, other = schedules(layer)
    assert (one.name, one.cycles, other.name, other.latency) == ("unrolled", 7, "folded", 60 + OVERHEAD)
    assert other.cycles == 7 * (60 + OVERHEAD)
    # Two kernels work at once.
    assert schedules(part(nc.LSTM(steps=7, inputs=2, hidden=3, bidirectional=True)).layer) == (one, other)


def test_windows_share_a_kernel() -> None:
    layer = part(nc.Conv1D(length=9, channels=2, filters=4, kernel_size=3)).layer
    one, other = schedules(layer)
    assert (one.executions, one.cycles, other.interval) == (7, 7, 24 + OVERHEAD)


@pytest.mark.parametrize("clock", [0.0, -1.0, float("nan"), 1e7])
def test_a_clock_out_of_range(clock: float) -> None:
    with pytest.raises(
        UsageError, match=r"a clock of .* MHz is out of range; choose above 0 to 1000000 \[E-SYNTH-CLOCK\]"
    ):
        unrolled().seconds(clock)


def test_a_schedule_needs_integers() -> None:
    op = _product(4, 4)
    with pytest.raises(
        UsageError, match=r"a schedule needs integer counts, found n; bind free dims \[E-EXACT-SYMBOL\]"
    ):
        folded(Inventory({op: nc.symbols("n")}))
