"""Predictions of hardware: their prices, the data behind them, what they are of, and where they appear."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from statistics import median_high

import nncomplexity as nc
import numpy as np
import pytest
from conftest import Run
from nncomplexity.catalogue import Network
from nncomplexity.formats import AdditivePowerOfTwo, Binary, Fixed, Format, PowerOfTwo
from nncomplexity.hw import KERNELS, build
from nncomplexity.hw.schedule import products
from nncomplexity.hw.tables import TABLE_BITS as LONGEST
from nncomplexity.kinds import fields_of, required
from nncomplexity.layers import layer_class
from nncomplexity.metrics import BY_KEY, METRICS
from nncomplexity.metrics.prediction import DATA, TABLE_BITS, Calibration, calibration, priced, structure, tiles
from nncomplexity.network import Row, Status
from nncomplexity.ops import Inventory, Kind, Op, Role
from nncomplexity.quantization import parse_quantization
from reference.quantized_files import File

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import calibrate  # noqa: E402
import layers_drawn  # noqa: E402

HARDWARE = ("nlg", "lut", "ff", "dsp")
CYCLES = ("cycles", "cycles_folded")
# Sizes of a layer of any kind, all different where that matters.
SIZES = {
    **{"inputs": 3, "units": 2, "hidden": 2, "steps": 4, "outputs": 2, "channels": 2, "filters": 3, "kernel_size": 2},
    **{"length": 9, "height": 5, "width": 4, "reservoir": 5, "rank": 3, "samples": 4, "centroids": 2},
    **{"heads": 2, "queries": 3, "keys": 2, "key_size": 2, "value_size": 3},
}
CHOSEN = {"esn": {"nonzeros_per_row": 2}}
FLOAT = nc.formats.format_of_dtype("float32")


def fixed(bits: int, fraction: int = 0, *, signed: bool = True) -> Fixed:
    return Fixed(bits=bits, integer=bits - fraction, signed=signed)


def op(kind: Kind, left: Format, right: Format, result: Format, **more: object) -> Op:
    return Op(kind, Role.INPUT, left, right, result, **more)  # type: ignore[arg-type]


def sum_of(bits: int, passed: int = 0, *, constant: bool = False) -> Op:
    return op(Kind.ADD, fixed(bits), fixed(bits), fixed(bits), passed=passed, constant=constant)


def values(layer: nc.Layer, quant: str = "w6a5", keys: tuple[str, ...] = (*HARDWARE, *CYCLES)) -> dict[str, object]:
    report = nc.analyze(layer, quant=quant)
    return {key: report.totals[key] for key in keys}


# Prices.


def test_structures() -> None:
    assert structure(sum_of(9, 2)) == {"adder_bits": 7, "adders": 1}
    assert structure(sum_of(9, constant=True)) == {"constant_adder_bits": 9, "constant_adders": 1}
    product = op(Kind.MULTIPLY, fixed(5), fixed(4, signed=False), fixed(9))
    assert structure(product) == {"product_bits": 25, "factor_bits": 10}
    assert structure(op(Kind.COMPARE, fixed(6), fixed(6), fixed(6))) == {"compared_bits": 6}
    assert structure(op(Kind.COMPARE, fixed(6), fixed(6), fixed(6), constant=True)) == {"rectified_bits": 6}
    # 2**6 entries of 4 bits, of which those within 6 units of zero move: 2**3 a unit.
    assert structure(op(Kind.LOOKUP, fixed(6, 3), fixed(6, 3), fixed(4))) == {
        "table_entry_bits": 48 * 4,
        "table_bits": 4,
    }
    # Longer ones: of ten bits, six behind the point; straight pieces of a sigmoid.
    assert structure(op(Kind.LOOKUP, fixed(11), fixed(11), fixed(4))) == {"table_entry_bits": 384 * 4, "table_bits": 4}
    long = op(Kind.LOOKUP, fixed(11), fixed(11), fixed(4))._replace(function="sigmoid")
    assert structure(long) == {"sigmoid_bits": 11, "sigmoids": 1}
    for kind in (Kind.SHIFT, Kind.SHIFT_PRODUCT, Kind.NO_PRODUCT, Kind.STORE, Kind.NEGATE, Kind.EXECUTION):
        assert structure(op(kind, fixed(6), fixed(6), fixed(6))) == {}
    assert TABLE_BITS == LONGEST


def test_weights_whose_values_are_not_known() -> None:
    """A uniform one stands on a port; powers of two are shifts, sums of two such an adder more."""
    uniform, power, sums = fixed(6), PowerOfTwo(bits=6), AdditivePowerOfTwo(bits=6, terms=2)
    made = [
        op(Kind.MULTIPLY, fixed(5), each, fixed(11), constant=True) for each in (uniform, power, sums, Binary(bits=1))
    ]
    assert [structure(each) for each in made] == [
        {"product_bits": 30, "factor_bits": 11},
        {},
        {"adder_bits": 11, "adders": 1},
        {},
    ]
    # Between variables the format is no help.
    assert structure(made[1]._replace(constant=False)) == {"product_bits": 30, "factor_bits": 11}
    assert [BY_KEY["dsp"].weight(each) for each in made] == [1, 0, 0, 0]


@pytest.mark.parametrize("key", HARDWARE)
def test_a_float_has_no_price_and_no_price_is_zero_silently(key: str) -> None:
    weight = BY_KEY[key].weight
    kind, role = (Kind.STORE, Role.STATE) if key == "ff" else (Kind.MULTIPLY, Role.INPUT)
    assert weight(Op(kind, role, FLOAT, FLOAT, FLOAT)) is None
    assert weight(op(Kind.UNKNOWN, fixed(1), fixed(1), fixed(1))) is None
    report = nc.analyze(nc.GRU(steps=3, inputs=2, hidden=4))
    assert report.totals[key] is None


def test_no_table_holds_a_function_of_two_operands() -> None:
    for function in ("division", "modulo", "pow"):
        divided = op(Kind.LOOKUP, fixed(6), fixed(6), fixed(6), function=function)
        assert priced(divided) is None and BY_KEY["nlg"].weight(divided) is None


def test_a_device_with_blocks_leaves_what_stands_behind_them_open() -> None:
    short, long = (op(Kind.MULTIPLY, fixed(bits), fixed(4), fixed(bits + 4)) for bits in (4, 8))
    assert (tiles(short), tiles(long)) == (0, 1)
    assert priced(long, "xilinx") is None and isinstance(priced(short, "xilinx"), int)
    assert isinstance(priced(sum_of(9), "xilinx"), int) and isinstance(priced(long), int)


def test_gates_by_the_declared_convention() -> None:
    """Counted by hand: 5 a full adder, 2 a half adder, an AND and a full adder a bit of an array, 3 a choice."""
    weight = BY_KEY["nlg"].weight
    assert weight(sum_of(9, 2)) == 35 and weight(sum_of(9, constant=True)) == 45
    assert weight(op(Kind.NEGATE, fixed(4), fixed(4), fixed(4))) == 8
    # 4 x 3 bits: 12 AND, two rows of 4 full adders.
    assert weight(op(Kind.MULTIPLY, fixed(3), fixed(4), fixed(7))) == 12 + 40
    assert weight(op(Kind.COMPARE, fixed(6), fixed(6), fixed(6))) == 48
    assert weight(op(Kind.COMPARE, fixed(6), fixed(6), fixed(6), constant=True)) == 6
    # 8 entries: a first level of 4 choices between constants, then 2 and 1, each of 5 bits.
    assert weight(op(Kind.LOOKUP, fixed(3), fixed(3), fixed(5))) == 3 * 3 * 5


@pytest.mark.parametrize(
    ("one", "other", "blocks"),
    [
        *((3, 3, 0), (4, 4, 0), (5, 4, 1), (18, 18, 1), (25, 18, 1), (26, 18, 2), (20, 20, 2), (42, 18, 2)),
        *((43, 18, 3), (26, 26, 4), (35, 35, 4), (48, 34, 6), (52, 36, 9), (1, 30, 0)),
    ],
)
def test_blocks(one: int, other: int, blocks: int) -> None:
    made = op(Kind.MULTIPLY, fixed(one), fixed(other), fixed(one + other))
    assert tiles(made) == tiles(made._replace(left=made.right, right=made.left)) == blocks
    # A factor without a sign has one in front.
    if one > 1:
        assert tiles(made._replace(left=fixed(one - 1, signed=False))) == blocks


# The data.


def test_the_data_are_part_of_the_package() -> None:
    assert files("nncomplexity.metrics").joinpath(DATA).is_file()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    assert declared["nncomplexity.metrics"] == [DATA]


@pytest.mark.parametrize("target", calibrate.SEEDS)
def test_the_coefficients_are_the_fit_of_the_stored_results(target: str) -> None:
    rows, before = calibrate.read_rows(), calibrate.stored()
    known = [row for row in rows if getattr(row, target)]
    found = calibrate.fitted(known, target, calibrate.tool_of(before, measured=False))
    numbers = ("coefficients", "band", "single_band", "single")
    stored = before[target]
    assert {key: found[key] for key in found if key not in numbers} == {
        key: stored[key] for key in stored if key not in numbers
    }
    # Least squares of another library's rounding may differ in a last digit.
    for key in numbers:
        assert found[key] == pytest.approx(stored[key], abs=0.005), key


def test_the_band_is_what_the_tested_layers_say() -> None:
    """Recomputed from the stored results, layer by layer; no tested layer was fitted."""
    fit: Calibration = calibration()
    rows = calibrate.read_rows()
    tested = [row for row in rows if row.seed % 5 in (3, 4)]
    found = sorted(abs(row.predicted(fit.coefficients) / row.lut6 - 1) for row in tested)
    assert len(tested) == fit.tested >= 100 and len(rows) - len(tested) == fit.fitted
    assert median_high(found) == pytest.approx(fit.band.median, abs=1e-4) and fit.band.median <= 0.1
    assert sum(error <= fit.band.ninety + 1e-4 for error in found) >= 0.9 * len(found)
    assert fit.tool and fit.flags and {"adder_bits", "product_bits"} <= set(fit.coefficients)


def test_stored_layers_are_those_that_are_drawn() -> None:
    """The first results of each kind, built again: the same words, the same operators."""
    rows = calibrate.read_rows()
    for kind in layers_drawn.KINDS:
        row = next(row for row in rows if row.kind == kind)
        case = layers_drawn.drawn_case(row.seed)
        assert (case.kind, case.fields, case.quant, case.style) == (row.kind, row.fields, row.quant, row.style)
        assert calibrate.decoded(calibrate.encoded(layers_drawn.made(case).inventory)) == row.structures


def test_a_report_follows_from_the_coefficients() -> None:
    """Six products of 4 and 3 bits; 2 sums of 3 products; a bias each: interval arithmetic by hand."""
    c = calibration().coefficients
    product = max(round(c["product_bits"] * 12 + c["factor_bits"] * 7), 0)
    # A product is at most 8 * 4 = 32, which takes 7 bits; two take 8, three 8; the bias is within the width.
    one = max(round(c["adder_bits"] * 8 + c["adders"]), 0)
    bias = max(round(c["constant_adder_bits"] * 8 + c["constant_adders"]), 0)
    assert values(nc.Dense(inputs=3, units=2), "w4a3", ("lut",)) == {"lut": 6 * product + 4 * one + 2 * bias}


# What they are of.


@pytest.mark.parametrize("key", HARDWARE)
def test_steps_and_windows_share_one_kernel(key: str) -> None:
    one, many, both = (
        values(nc.LSTM(steps=steps, inputs=3, hidden=2, bidirectional=both), "w6a5", (key,))[key]
        for steps, both in ((1, False), (41, False), (41, True))
    )
    assert one == many and isinstance(one, int) and both == 2 * one
    short, long = (
        values(nc.Conv1D(length=length, channels=2, filters=3, kernel_size=3), "w6a5", (key,))[key]
        for length in (5, 50)
    )
    assert short == long


def test_repeats_of_a_row_share_its_hardware_and_take_their_cycles() -> None:
    layer = nc.GRU(steps=5, inputs=3, hidden=2, weight=fixed(4), input=fixed(4), activation=fixed(4))
    layer = replace(layer, recurrent=fixed(4))
    one, many = (Row(name="g", op="GRU", domain="", status=Status.COUNTED, work=layer, repeat=n) for n in (1, 7))
    assert one.operations("kernel") == many.operations("kernel")
    assert many.operations("schedule") == one.operations("schedule") * 7
    assert many.operations("schedule").total(BY_KEY["cycles"].weight) == 35
    # A row that only brings numbers to their integers runs as often as it does that.
    alone = Row(name="q", op="Q", domain="", status=Status.COUNTED, requantization=nc.Dense(inputs=1, units=1, steps=3))
    assert alone.operations("schedule").total(BY_KEY["cycles"].weight) == 3
    assert Row(name="r", op="Reshape", domain="", status=Status.FREE).operations("schedule") == Inventory()


@pytest.mark.parametrize("kind", KERNELS)
def test_flip_flops_are_the_registers_of_the_kernel(kind: str) -> None:
    needed = [name for name, field in fields_of(kind).items() if required(kind, field)]
    layer = layer_class(kind)(**{name: SIZES[name] for name in needed}, **CHOSEN.get(kind, {}))
    (part,) = Network([layer]).parts(parse_quantization("w4a5"))
    assert values(part.layer, keys=("ff",)) == {"ff": build(part.layer, "mac").graph.registers}


def test_known_weights_are_shifted_and_added() -> None:
    """A file's weights are read: 3 = 4 - 1 is a subtraction, 0 and -2 are none."""
    file = File()
    x = file.both(file.input(1, 3), 0.1)
    file.both(file.node("MatMul", x, file.weight([[3, 0], [0, -2], [0, 0]]), name="layer"), 0.1)
    report = nc.analyze(file.model())
    operations = list(report["layer"].operations_of(BY_KEY["nlg"]))
    subtracted = [each.result.bits - each.passed for each, _ in operations if each.kind is Kind.SUBTRACT]
    negated = [each.result.bits for each, _ in operations if each.kind is Kind.NEGATE]
    assert len(subtracted) == len(negated) == 1
    found = report["layer"].metrics
    assert found["dsp"] == 0 and found["nlg"] == 5 * subtracted[0] + 2 * negated[0]


def test_cycles_are_executions_and_folded_ones_products() -> None:
    lstm = nc.LSTM(steps=41, inputs=3, hidden=2, bidirectional=True)
    assert values(lstm, keys=CYCLES) == {"cycles": 41, "cycles_folded": 41 * 2 * 4 * 2 * 5}
    conv = nc.Conv2D(height=5, width=4, channels=2, filters=3, kernel_size=2)
    assert values(conv, keys=CYCLES) == {"cycles": 12, "cycles_folded": 12 * 3 * 8}
    report = nc.analyze(nc.Network([lstm, conv]))
    assert report.totals["cycles"] == 53 and report.totals["cycles_folded"] == report.totals["mac"]
    # The same rule as the schedule of a folded kernel.
    assert products(report.entries[1].operations_of(BY_KEY["mac"])) == 12 * 3 * 8


def test_open_sizes_leave_cycles_and_no_prediction() -> None:
    n = nc.symbols("n")
    report = nc.analyze(nc.Network([nc.GRU(steps=n, inputs=3, hidden=2)], quant="w4a4"))
    assert str(report.totals["cycles"]) == "n" and report.totals["lut"] is not None
    wide = nc.analyze(nc.Network([nc.GRU(steps=2, inputs=n, hidden=2)], quant="w4a4"))
    assert [wide.totals[key] for key in HARDWARE] == [None] * 4


def test_parts_sum_to_the_total() -> None:
    report = nc.analyze(nc.Network([nc.GRU(steps=9, inputs=3, hidden=2), nc.Dense(inputs=2, units=3)], quant="w4a4"))
    for key in (*HARDWARE, *CYCLES):
        report = replace(report, asked=(key,))
        for by in ("role", "dtype", "op", "layer"):
            parts = [totals[key] for totals in report.grouped(by).values()]
            assert all(isinstance(part, int) for part in parts) and sum(parts) == report.totals[key], (key, by)  # type: ignore[arg-type]


# Where they appear.


def test_they_are_listed_only_where_they_are_asked_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.toml").write_text('[[layer]]\nkind = "dense"\ninputs = 3\nunits = 2\n')
    for convention in ("paper", "exact"):
        report = nc.analyze(nc.Dense(inputs=3, units=2), quant="w4a4", convention=convention)
        assert not set(report.listed) & {metric.key for metric in METRICS if metric.unlisted}
    plain = run("report", "m.toml", "--quant", "w4a4", "-f", "json").out
    assert '"lut"' not in plain and '"cycles"' not in plain and "prediction" not in plain
    asked = run("report", "m.toml", "--quant", "w4a4", "--metric", "lut,ff")
    assert "LUT (predicted)" in asked.out and "predictions, no counts: lut, ff: of one kernel a row" in " ".join(
        asked.out.split()
    )
    found = run("report", "m.toml", "--quant", "w4a4", "--metric", "lut,dsp", "-f", "json").out
    fit = calibration()
    band = f"half are within {fit.band.median:.0%}, nine in ten within {fit.band.ninety:.0%}"
    assert f"lut: fitted to {fit.tool} on {fit.fitted} small random layers; on {fit.tested} others {band}" in found
    assert "dsp: multipliers cut to blocks of 25 x 18 bits" in found and "nlg:" not in found


def test_they_are_explained_swept_and_have_no_closed_form(run: Run) -> None:
    assert "one kernel, which all steps, windows and repeats share" in run("explain", "lut").out
    swept = run(
        "sweep", "dense", "-P", "inputs=2:4", "-P", "units=3", "-Q", "w4a4", "--metric", "lut,cycles", "-f", "csv"
    )
    assert swept.code == 0 and swept.out.splitlines()[0] == "inputs,units,quant,lut,cycles"
    refused = run("formula", "dense", "--metric", "lut")
    fact = "lut is a prediction from integer widths and has no closed form"
    assert (refused.code, refused.err) == (2, f"nncomplexity: error: {fact} [E-FORMULA]\n")
    assert run("formula", "lstm", "--metric", "cycles").out.splitlines()[0] == "Cycles = n_s"


def test_a_plain_report_reads_no_coefficients() -> None:
    code = (
        "import sys, nncomplexity as nc; nc.analyze(nc.Dense(inputs=3, units=2), quant='w4a4').to_json();"
        "from nncomplexity.metrics.prediction import calibration;"
        "assert calibration.cache_info().currsize == 0;"
        "assert 'importlib.resources' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Figures.


def test_the_plot_is_small_and_the_same_twice() -> None:
    pytest.importorskip("matplotlib")
    rows = calibrate.read_rows()
    text = calibrate.figure(rows)
    assert text == calibrate.figure(rows) and len(text) < 100_000
    assert text.startswith("<?xml") and "Spearman" in text and "full-adder bits" in text


def test_ranks_share_what_is_equal() -> None:
    assert calibrate._ranked([1, 2, 2, 9], [10, 30, 30, 31]) == pytest.approx(1)
    assert calibrate._ranked([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert calibrate._ranked([3, 1, 2], [1, 2, 3]) == pytest.approx(np.corrcoef([3, 1, 2], [1, 2, 3])[0, 1])
