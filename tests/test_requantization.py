"""What bringing integers to another step costs, and that it is charged once, where it happens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import Any

import nncomplexity as nc
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.metrics import BY_KEY
from nncomplexity.ops import Kind, Op, Role
from nncomplexity.report import Entry
from nncomplexity.requantization import Requantization, between
from onnx import TensorProto
from reference.quantized_files import GENERAL, INT8, MICROSOFT, UINT8, File

QUICK = settings(derandomize=True, max_examples=60, deadline=None)
SIGNED, UNSIGNED = (-128, 127), (0, 255)
ONE = Fraction(1)
CONVENTIONS = ("paper", "exact")
CHARGED = (Role.REQUANTIZATION, Role.ZERO_POINT)
ROWS, TERMS, COLUMNS = 2, 5, 3
ELEMENTS = ROWS * COLUMNS
WEIGHTS = [[3, -7, 127], [-128, 0, 64], [9, 1, -5], [77, -2, 33], [0, 11, -100]]


def operations(entry: Entry) -> dict[tuple[Kind, Role], list[tuple[Op, Any]]]:
    """What a row is charged for requantizing, by kind and role."""
    found: dict[tuple[Kind, Role], list[tuple[Op, Any]]] = {}
    for op, times in entry.operations:
        if op.role in CHARGED:
            found.setdefault((op.kind, op.role), []).append((op, times))
    return found


def charges(report: nc.Report, name: str = "q") -> tuple[int, int, int, int, int]:
    """Products, shifts, rounding additions, zero points and comparisons of one row."""
    found = operations(report[name])
    kinds = (
        (Kind.MULTIPLY, Role.REQUANTIZATION),
        (Kind.SHIFT, Role.REQUANTIZATION),
        (Kind.ADD, Role.REQUANTIZATION),
        (Kind.ADD, Role.ZERO_POINT),
        (Kind.COMPARE, Role.REQUANTIZATION),
    )
    assert set(found) <= set(kinds)
    return tuple(sum(times for _, times in found.get(kind, ())) for kind in kinds)  # type: ignore[return-value]


def exact(model: onnx.ModelProto, **more: Any) -> nc.Report:
    return nc.analyze(model, convention="exact", **more)


def one_quantizer(output: float, zero: int = 0, type: int = INT8, *, relu: bool = False, op: str = "MatMul") -> File:
    """2x5 of step 1/4 by 5x3 of step 1/2, then a quantizer called q."""
    file = File()
    x = file.both(file.input(ROWS, TERMS), 0.25, name="first")
    x = file.node(op, x, file.weight(WEIGHTS, 0.5), name="layer")
    if relu:
        x = file.node("Relu", x)
    file.both(x, output, zero, type, "q")
    return file


# The rule itself.


@pytest.mark.parametrize(("up", "down"), [(1, 2), (1, 8), (3, 12), (5, 640)])
def test_a_power_of_two_is_a_shift(up: int, down: int) -> None:
    """Down with a rounding addition, up without one; ratios are reduced first."""
    wide = (-(1 << 30), (1 << 30) - 1)
    assert between(Fraction(up, down), ONE, SIGNED, wide) == Requantization(shift=True, rounds=True)
    assert between(Fraction(down, up), ONE, SIGNED, wide) == Requantization(shift=True)
    assert between(Fraction(up, down), ONE, SIGNED, wide, truncates=True) == Requantization(shift=True)


def test_equal_steps_are_nothing() -> None:
    step = Fraction(0.3)
    assert between(step, step, SIGNED, SIGNED).nothing
    assert between(step, step, (0, 127), SIGNED) == Requantization()
    assert between(step, step, (-129, 128), SIGNED) == Requantization(limits=2)
    assert between(step, step, SIGNED, UNSIGNED) == Requantization(limits=1)
    assert between(step, step, UNSIGNED, SIGNED) == Requantization(limits=1)
    assert between(step, step, (-128, 256), UNSIGNED) == Requantization(limits=2)


@pytest.mark.parametrize(("before", "after"), [(None, ONE), (ONE, None), (None, None)])
def test_unknown_steps_are_charged_in_full(before: Fraction | None, after: Fraction | None) -> None:
    full = Requantization(multiplier=True, shift=True, rounds=True, limits=2)
    assert between(before, after, (0, 1), SIGNED) == full
    assert full.factor is None and not full.nothing
    found = between(before, after, (0, 1), SIGNED, zero_point=True, truncates=True)
    assert found == Requantization(multiplier=True, shift=True, zero_point=True, limits=2)


def test_a_zero_point_is_something() -> None:
    found = between(ONE, ONE, SIGNED, SIGNED, zero_point=True)
    assert found == Requantization(zero_point=True) and not found.nothing


@pytest.mark.parametrize(
    ("ratio", "high", "passes"),
    [
        # An addition of one half, then the floor.
        (Fraction(1, 2), 254, False),
        (Fraction(1, 2), 255, True),
        (Fraction(1, 3), 382, False),
        (Fraction(1, 3), 383, True),
        (Fraction(5, 7), 178, False),
        (Fraction(5, 7), 179, True),
    ],
)
def test_an_end_is_compared_where_it_can_be_passed(ratio: Fraction, high: int, passes: bool) -> None:
    assert (floor(high * ratio + Fraction(1, 2)) > 127) is passes
    assert between(ratio, ONE, (0, high), SIGNED).limits == passes
    # As far below -127 as above 127, but for the half itself, which is rounded up.
    assert between(ratio, ONE, (-high - 1, 0), (-127, 127)).limits == (
        floor(Fraction(1, 2) - (high + 1) * ratio) < -127
    )


@QUICK
@given(
    up=st.integers(1, 10**6),
    down=st.integers(1, 10**6),
    span=st.tuples(st.integers(-4000, 0), st.integers(0, 4000)),
    room=st.sampled_from([SIGNED, UNSIGNED, (-127, 127), (-8, 7), (0, 1), (-5, 250)]),
)
def test_limits_and_factors_by_fractions(up: int, down: int, span: tuple[int, int], room: tuple[int, int]) -> None:
    """Every number of the span rounded, in exact arithmetic: do some lie below, do some lie above."""
    ratio = Fraction(up, down)
    found = between(Fraction(up), Fraction(down), span, room)
    ends = [floor(end * ratio + Fraction(1, 2)) for end in span]
    assert found.limits == (ends[0] < room[0]) + (ends[1] > room[1])
    power = any(ratio == Fraction(2) ** exponent for exponent in range(-21, 22))
    assert found.multiplier is (not power) is (found.factor is not None)
    assert found.shift is (ratio != 1)
    assert found.rounds is (not power or ratio < 1)
    if found.factor is not None:
        assert 1 << 30 <= found.factor < 1 << 31
        # It is the ratio times a power of two, to the nearest integer: no other is closer by more than a half.
        exponent = 0
        while ratio * Fraction(2) ** exponent < 1 << 30:
            exponent += 1
        while ratio * Fraction(2) ** exponent >= 1 << 31:
            exponent -= 1
        assert abs(found.factor - ratio * Fraction(2) ** exponent) <= Fraction(1, 2)


def test_the_largest_factor_is_no_wider_than_the_others() -> None:
    """Just below a power of two it would be rounded to 2**31."""
    assert between(Fraction((1 << 40) - 1), Fraction(1 << 40), SIGNED, SIGNED).factor == (1 << 31) - 1
    assert between(Fraction((1 << 40) + 1), Fraction(1 << 40), SIGNED, SIGNED).factor == 1 << 30


# Little nets.


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        # The product has steps of 1/8.
        (2.0, (0, 6, 6, 0, 12)),
        (0.125, (0, 0, 0, 0, 12)),
        (0.0625, (0, 6, 0, 0, 12)),
        (1024.0, (0, 6, 6, 0, 0)),
        (0.3, (6, 6, 6, 0, 12)),
        (700.0, (6, 6, 6, 0, 0)),
    ],
)
def test_a_matrix_product(output: float, expected: tuple[int, ...]) -> None:
    report = exact(one_quantizer(output).model())
    assert charges(report) == expected
    assert report["q"].status.value == ("counted" if any(expected) else "free")
    assert report["q"].cmp == expected[-1]


@pytest.mark.parametrize(
    ("output", "type", "zero", "expected"),
    [
        # After the rectifier nothing lies below 0.
        (2.0, INT8, 0, (0, 6, 6, 0, 6)),
        (2.0, UINT8, 0, (0, 6, 6, 0, 6)),
        (0.3, INT8, -128, (6, 6, 6, 6, 6)),
        (0.3, UINT8, 3, (6, 6, 6, 6, 6)),
        (4096.0, UINT8, 0, (0, 6, 6, 0, 0)),
    ],
)
def test_a_rectified_product(output: float, type: int, zero: int, expected: tuple[int, ...]) -> None:
    assert charges(exact(one_quantizer(output, zero, type, relu=True).model())) == expected


def test_the_multiplier_is_a_constant_of_32_bits() -> None:
    """The operand is the sum: as wide as the largest and the smallest one that these weights reach."""
    columns = np.array(WEIGHTS).T
    low = min(int(np.where(row > 0, row * -128, row * 127).sum()) for row in columns)
    high = max(int(np.where(row > 0, row * 127, row * -128).sum()) for row in columns)
    width = max((-low - 1).bit_length(), high.bit_length()) + 1
    report = exact(one_quantizer(0.3).model())
    ((op, times),) = operations(report["q"])[Kind.MULTIPLY, Role.REQUANTIZATION]
    assert (times, op.left.bits, op.right.bits, op.constant) == (6, width, 32, True)
    ratio = Fraction(0.125) / Fraction(float(np.float32(0.3)))
    factor = round(ratio * Fraction(2) ** 32)
    assert 1 << 30 <= factor < 1 << 31
    wide = max((-low * factor - 1).bit_length(), (high * factor).bit_length()) + 1
    assert op.result.bits == wide
    ((rounding, times),) = operations(report["q"])[Kind.ADD, Role.REQUANTIZATION]
    assert (times, rounding.right.bits, rounding.result.bits) == (6, 1, wide)
    assert report["q"].rm == 6
    assert report["q"].add == 6
    assert report["q"].bop == 6 * (width * 32 + wide)


def test_the_digits_of_a_known_factor_are_its_adders() -> None:
    """0.125 / 0.3 in the file's floats; one adder less than digits for each number."""
    factor = round(Fraction(0.125) / Fraction(float(np.float32(0.3))) * Fraction(2) ** 32)
    digits = 0
    while factor:
        if factor & 1:
            digits += 1
            factor -= 2 - (factor & 3)
        factor >>= 1
    assert exact(one_quantizer(0.3).model())["q"].metrics["adders"] == 6 * (digits - 1) + 6


def test_a_factor_for_each_channel_is_bounded() -> None:
    """Steps that differ by column: 31 adders at most for 32 bits."""
    file = File()
    x = file.both(file.input(ROWS, TERMS), 0.25)
    x = file.node("MatMul", x, file.weight(WEIGHTS, [0.5, 0.25, 0.7], axis=1))
    file.both(x, 0.3, name="q")
    report = exact(file.model())
    assert charges(report) == (6, 6, 6, 0, 12)
    assert report["q"].metrics["adders"] == 6 * 31 + 6


def convolution(operator: bool, output: float, zero: int, bias: Sequence[int] | None) -> onnx.ModelProto:
    """3 filters of 2x2x3 on 1x2x4x6, integers of step 1/4 and 1/2: QLinearConv, or Conv between quantizers."""
    weights = np.random.default_rng(11).integers(-128, 128, (3, 2, 2, 3))
    file = File()
    x = file.input(1, 2, 4, 6)
    if operator:
        numbers = [(0.25, 0, INT8), (0.5, 0, INT8), (output, zero, UINT8)]
        parts = [(file.constant(scale), file.constant(point, type)) for scale, point, type in numbers]
        held = file.quantize(x, 0.25)
        more = [file.constant(bias, TensorProto.INT32)] if bias else []
        file.node("QLinearConv", held, *parts[0], file.constant(weights, INT8), *parts[1], *parts[2], *more, name="q")
        return file.model()
    more = [file.weight(bias, 0.125, TensorProto.INT32)] if bias else []
    x = file.node("Conv", file.both(x, 0.25), file.weight(weights, 0.5), *more, name="layer")
    file.both(x, output, zero, UINT8, "q")
    return file.model()


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize("bias", [None, (100, -7, 3)])
@pytest.mark.parametrize(
    ("output", "zero", "expected"),
    [(2.0, 0, (0, 36, 36, 0, 72)), (0.3, 131, (36, 36, 36, 36, 72)), (0.125, 0, (0, 0, 0, 0, 72))],
)
def test_a_convolution(
    operator: bool, bias: Sequence[int] | None, output: float, zero: int, expected: tuple[int, ...]
) -> None:
    """3 filters at 3x4 places."""
    report = exact(convolution(operator, output, zero, bias))
    assert charges(report) == expected
    assert sum(entry.row.requantization is not None for entry in report.entries) == 1
    bare = report["q" if operator else "layer"].operations.filter(lambda op: op.role is Role.INPUT)
    assert bare.total(BY_KEY["mac"].weight) == 36 * 12


@pytest.mark.parametrize("output", [2.0, 0.125, 0.3, 1024.0])
def test_a_product_and_its_quantizers_in_one_operator(output: float) -> None:
    """QLinearMatMul does the products of MatMul and the requantization of the quantizer behind it."""
    file = File()
    held = file.quantize(file.input(ROWS, TERMS), 0.25)
    parts = [(file.constant(scale), file.constant(0, INT8)) for scale in (0.25, 0.5, output)]
    file.node("QLinearMatMul", held, *parts[0], file.constant(WEIGHTS, INT8), *parts[1], *parts[2], name="q")
    one, two = exact(file.model()), exact(one_quantizer(output).model())
    assert charges(one) == charges(two)
    assert one.grouped("role")["input"] == two.grouped("role")["input"]


def added(
    operator: bool, op: str, steps: tuple[float, float, float], zeros: tuple[int, int, int] = (0, 0, 0)
) -> onnx.ModelProto:
    file = File()
    x = file.input(4, 5)
    if operator:
        parts = [(file.constant(scale), file.constant(zero, INT8)) for scale, zero in zip(steps, zeros, strict=True)]
        left, right = (file.quantize(x, *each) for each in list(zip(steps, zeros, strict=True))[:2])
        file.node(f"QLinear{op}", left, *parts[0], right, *parts[1], *parts[2], name="q", domain=MICROSOFT)
    else:
        left, right = (file.both(x, *each) for each in list(zip(steps, zeros, strict=True))[:2])
        file.both(file.node(op, left, right, name="layer"), steps[2], zeros[2], name="q")
    return file.model()


def test_a_sum_of_different_scales() -> None:
    assert charges(exact(added(True, "Add", (0.3, 0.7, 0.9)))) == (20, 20, 20, 0, 40)
    assert charges(exact(added(True, "Add", (0.3, 0.7, 0.9), (0, 0, 4)))) == (20, 20, 20, 20, 40)
    assert charges(exact(added(False, "Add", (0.3, 0.7, 0.9)))) == (20, 20, 20, 0, 40)


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_elementwise_quantizers_of_known_steps(op: str) -> None:
    """Steps 1/4 and 1/2: a sum counts in quarters, 3 * 128 = 384 of them fit 1 * 128; a product in eighths."""
    expected = (0, 20, 20, 0, 0) if op == "Add" else (0, 20, 20, 0, 40)
    assert charges(exact(added(False, op, (0.25, 0.5, 1.0)))) == expected


@pytest.mark.parametrize("steps", [(0.25, 0.5, 1.0), (0.25, 0.5, 0.3)])
def test_a_product_of_known_steps_in_one_operator(steps: tuple[float, float, float]) -> None:
    one, two = exact(added(True, "Mul", steps)), exact(added(False, "Mul", steps))
    assert charges(one) == charges(two)
    ours, theirs = (report.grouped("role")["requantization"] for report in (one, two))
    assert (ours["bop"], ours["nabs"]) == (theirs["bop"], theirs["nabs"])


@pytest.mark.parametrize("output", [2.0, 0.3])
def test_one_operator_is_as_wide_as_two(output: float) -> None:
    file = File()
    held = file.quantize(file.input(ROWS, TERMS), 0.25)
    parts = [(file.constant(scale), file.constant(0, INT8)) for scale in (0.25, 0.5, output)]
    file.node("QLinearMatMul", held, *parts[0], file.constant(WEIGHTS, INT8), *parts[1], *parts[2], name="q")
    one, two = exact(file.model()), exact(one_quantizer(output).model())
    assert one.grouped("role")["requantization"]["bop"] == two.grouped("role")["requantization"]["bop"]


def test_a_bias_widens_a_sum_by_its_values() -> None:
    """Biases below 4 in steps of the sum: the operand of the multiplier has no 33 bits."""
    file = File()
    x = file.node("MatMul", file.both(file.input(ROWS, TERMS), 0.25), file.weight(WEIGHTS, 0.5))
    x = file.node("Add", x, file.weight([1, -2, 3], 0.125, TensorProto.INT32), name="bias")
    file.both(x, 0.3, name="q")
    report = exact(file.model())
    ((addition, _),) = [each for each in report["bias"].operations if each[0].role is Role.BIAS]
    ((op, _),) = operations(report["q"])[Kind.MULTIPLY, Role.REQUANTIZATION]
    assert op.left.bits == addition.result.bits


# What costs nothing.


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_inputs_and_weights_arrive_quantized(convention: str) -> None:
    """Quantizers of the graph's input and of constants cost nothing; nor do dequantizers."""
    file = File()
    x = file.both(file.input(ROWS, TERMS), 0.25, 5, name="of the input")
    real = np.random.default_rng(2).standard_normal((TERMS, COLUMNS))
    file.node("MatMul", x, file.both(file.constant(real), 0.02, name="of the weights"))
    report = nc.analyze(file.model(), convention=convention)
    assert [entry.status.value for entry in report.entries] == ["free"] * 4 + ["counted"]
    assert not operations(report["of the input"]) and not operations(report["of the weights"])
    assert report.coverage == nc.report.Coverage(nodes=5, counted=1, free=4, uncounted=0)


def test_a_declared_input_is_no_requantization() -> None:
    file = File()
    file.both(file.input(4, 5), 0.3, name="q")
    assert charges(exact(file.model(), input_bits=12)) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "Exp"])
def test_a_table_holds_what_is_wanted(function: str) -> None:
    file = File()
    file.both(file.node(function, file.both(file.input(4, 5), 0.3)), 0.1, name="q")
    assert charges(exact(file.model())) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("zero", [0, 7])
@pytest.mark.parametrize("between_them", ["MaxPool", "Reshape", "nothing"])
def test_an_equal_quantizer_changes_nothing(between_them: str, zero: int) -> None:
    file = File()
    x = file.both(file.input(1, 2, 6, 5), 0.3, zero, UINT8)
    if between_them == "MaxPool":
        x = file.node("MaxPool", x, kernel_shape=[2, 3])
    elif between_them == "Reshape":
        x = file.node("Reshape", x, file.constant([2, 30], TensorProto.INT64))
    file.both(x, 0.3, zero, UINT8, "q")
    report = exact(file.model())
    assert charges(report) == (0, 0, 0, 0, 0)
    assert report["q"].status.value == "free"


def test_a_new_zero_point_is_an_addition() -> None:
    """int8 to uint8: 128 is added, and nothing else."""
    file = File()
    file.both(file.both(file.input(3, 5), 0.3), 0.3, 128, UINT8, "q")
    assert charges(exact(file.model())) == (0, 0, 0, 15, 0)


def test_taking_a_zero_point_off_is_an_addition() -> None:
    """uint8 with 128 to int8 with 0."""
    file = File()
    file.both(file.both(file.input(3, 5), 0.3, 128, UINT8), 0.3, name="q")
    assert charges(exact(file.model())) == (0, 0, 0, 15, 0)


# Dynamic and QONNX.


def test_a_dynamic_quantizer_searches_a_range() -> None:
    """15 numbers: 14 comparisons for each end, a product, a zero point and two limits each."""
    file = File()
    file.node("DynamicQuantizeLinear", file.input(3, 5), name="q", outputs=3)
    report = exact(file.model())
    assert charges(report) == (15, 0, 0, 15, 2 * 14 + 2 * 15)
    assert nc.analyze(file.model())["q"].status.value == "free"


@pytest.mark.parametrize(
    ("mode", "bits", "step", "expected"),
    [
        ("ROUND", 8, 0.25, (0, 0, 0, 0, 0)),
        ("ROUND", 4, 0.25, (0, 0, 0, 0, 30)),
        # 127 / 16 and -128 / 16: only the upper end is rounded out.
        ("ROUND", 4, 4.0, (0, 15, 15, 0, 15)),
        ("ROUND", 5, 4.0, (0, 15, 15, 0, 0)),
        ("FLOOR", 5, 4.0, (0, 15, 0, 0, 0)),
        ("ROUND", 4, 0.7, (15, 15, 15, 0, 30)),
        ("FLOOR", 4, 0.7, (15, 15, 0, 0, 30)),
    ],
)
def test_a_quant_behind_a_quant(mode: str, bits: int, step: float, expected: tuple[int, ...]) -> None:
    file = File()
    file.quant(file.quant(file.input(3, 5), 8.0, 0.25), float(bits), step, "q", rounding_mode=mode)
    assert charges(exact(file.model())) == expected
    assert nc.analyze(file.model())["q"].status.value == "free"


def test_what_is_cut_off_passes_no_upper_end() -> None:
    """127 / 16 = 7.94, cut to 7."""
    file = File()
    file.quant(file.quant(file.input(3, 5), 8.0, 0.25), 4.0, 4.0, "q", rounding_mode="FLOOR")
    assert charges(exact(file.model())) == (0, 15, 0, 0, 0)


def test_what_is_cut_off_passes_a_lower_end() -> None:
    """-127 / 16 = -7.94, cut to -8, of which a narrow integer of four bits has none; 127 / 16 is cut to 7."""
    file = File()
    x = file.quant(file.input(3, 5), 8.0, 0.25, narrow=1)
    # -117 / 16 = -7.31 is within a half of -7.
    x = file.node("Clip", x, file.constant(-117 * 0.25), file.constant(117 * 0.25))
    file.quant(x, 4.0, 4.0, "q", rounding_mode="FLOOR", narrow=1)
    assert charges(exact(file.model()))[-1] == 15


def test_two_names_of_one_mode_cost_the_same() -> None:
    found = []
    for mode in ("DOWN", "ROUND_TO_ZERO"):
        file = File()
        file.quant(file.quant(file.input(3, 5), 8.0, 0.25), 5.0, 4.0, "q", rounding_mode=mode)
        found.append(charges(exact(file.model())))
    assert found[0] == found[1]


def truncated(*more: float, **attributes: int) -> File:
    file = File()
    x = file.quant(file.input(3, 5), 8.0, 0.25)
    numbers = [file.constant(number) for number in (0.25, 0.0, 8.0, *more)]
    file.node("Trunc", x, *numbers, name="q", domain=GENERAL, rounding_mode="FLOOR", **attributes)
    return file


def test_trunc_of_the_first_version_is_a_shift() -> None:
    """8 bits become 5: three bits are dropped, nothing is rounded and nothing clamped."""
    assert charges(exact(truncated(5.0).model())) == (0, 15, 0, 0, 0)


def test_trunc_of_the_second_version_is_a_shift() -> None:
    """Six bits hold 127 / 8 with room: no rounding addition, no comparison."""
    assert charges(exact(truncated(2.0, 6.0, signed=1, narrow=0).model())) == (0, 15, 0, 0, 0)


def test_a_sign_is_one_comparison() -> None:
    file = File()
    x = file.quant(file.input(3, 5), 8.0, 0.25)
    file.node("BipolarQuant", x, file.constant(0.5), name="q", domain=GENERAL)
    assert charges(exact(file.model())) == (0, 0, 0, 0, 15)
    first = File()
    first.node("BipolarQuant", first.input(3, 5), first.constant(0.5), name="q", domain=GENERAL)
    assert charges(exact(first.model())) == (0, 0, 0, 0, 0)


# Rows and roles.


def deep() -> onnx.ModelProto:
    """Conv, bias, Relu, MaxPool, Add of two branches and a matrix product between quantizers."""
    random, file = np.random.default_rng(5), File()
    x = file.both(file.input(1, 2, 7, 6), 0.05, 3, UINT8, "input")
    bias = file.weight([4, -900, 31], 0.05 * 0.02, TensorProto.INT32)
    x = file.node("Conv", x, file.weight(random.integers(-127, 128, (3, 2, 3, 3)), 0.02), bias, name="conv")
    x = file.both(file.node("Relu", x), 0.1, 0, UINT8, "after conv")
    pooled = file.both(file.node("MaxPool", x, kernel_shape=[2, 2]), 0.1, 0, UINT8, "after pool")
    left = file.both(file.node("Sigmoid", pooled), 1 / 256, 0, UINT8, "after table")
    x = file.both(file.node("Add", pooled, left), 0.11, 9, INT8, "after add")
    x = file.node("Reshape", x, file.constant([1, 36], TensorProto.INT64))
    x = file.node("MatMul", x, file.weight(random.integers(-8, 8, (36, 5)), 0.25), name="last")
    file.both(x, 1.0, 0, INT8, "after last")
    return file.model()


def test_quantizers_are_counted_where_they_are_charged() -> None:
    model = deep()
    paper, found = nc.analyze(model), exact(model)
    named = ("input", "after conv", "after pool", "after table", "after add", "after last")
    assert [paper[name].status.value for name in named] == ["free"] * 6
    statuses = ["free", "counted", "free", "free", "counted", "counted"]
    assert [found[name].status.value for name in named] == statuses
    assert found.coverage.counted == paper.coverage.counted + 3
    assert found.coverage.free == paper.coverage.free - 3
    assert found.coverage.nodes == paper.coverage.nodes == paper.coverage.counted + paper.coverage.free
    for name in named:
        assert not operations(paper[name])
        values = {key: paper[name].metrics[key] for key in ("rm", "add", "cmp", "bop", "bop_mac", "nabs", "act")}
        assert not any(values.values())


def models() -> dict[str, onnx.ModelProto]:
    return {
        "deep": deep(),
        "product": one_quantizer(0.3, 5, UINT8).model(),
        "convolution": convolution(False, 0.3, 9, (1, 2, 3)),
        "QLinearConv": convolution(True, 0.3, 9, (1, 2, 3)),
        "sum": added(False, "Add", (0.3, 0.7, 0.9), (1, 2, 3)),
        "QLinearAdd": added(True, "Add", (0.3, 0.7, 0.9), (1, 2, 3)),
        "QLinearMul": added(True, "Mul", (0.3, 0.7, 0.9), (1, 2, 3)),
    }


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("key", ["role", "dtype", "op", "layer"])
@pytest.mark.parametrize("name", sorted(models()))
def test_groups_sum_to_the_totals(name: str, key: str, convention: str) -> None:
    report = nc.analyze(models()[name], convention=convention)
    groups = report.grouped(key)
    for metric, total in report.totals.items():
        if BY_KEY[metric].largest or BY_KEY[metric].asked:
            continue
        values = [group[metric] for group in groups.values()]
        assert total is None if None in values else sum(values) == total, metric
    if key == "role":
        assert ("requantization" in groups) == (convention == "exact")


@pytest.mark.parametrize("metric", ["adders", "nabs_full_adder"])
def test_groups_of_a_detail_sum_to_its_total(metric: str) -> None:
    report = replace(nc.analyze(one_quantizer(0.3, 5, UINT8).model()), asked=(metric,))
    assert sum(group[metric] for group in report.grouped("role").values()) == report.totals[metric]


def test_every_role_is_charged_once() -> None:
    """3 filters at 5x4 places, pooled to 4x3; the last product has 5 outputs."""
    groups = exact(deep()).grouped("role")
    conv, pool, outputs = 3 * 5 * 4, 3 * 4 * 3, 5
    assert groups["requantization"].rm == conv + pool + outputs
    assert groups["requantization"].add == conv + pool + outputs
    assert groups["zero point"].add == pool
    assert groups["input"].mac == conv * 18 + pool * outputs


def test_a_kernel_does_not_multiply_by_powers_of_two() -> None:
    """All pairs of steps that are powers of two: a multiplier never, a rounding only down."""
    for before, after in itertools.product((0.125, 0.5, 1.0, 4.0), repeat=2):
        file = File()
        file.both(file.both(file.input(3, 5), before), after, name="q")
        expected = (0, 15 * (before != after), 15 * (before < after), 0, 30 * (before > after))
        assert charges(exact(file.model())) == expected
