"""What elementwise, comparing and reducing operators know before the run, free sizes included, and folded biases."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from nncomplexity.accounting import count
from nncomplexity.expressions import ceil_divide, floor_divide, maximum, minimum, substitute, symbol
from nncomplexity.formats import Accumulation, format_of_dtype, parse_format
from nncomplexity.operators.rule import Uncounted
from nncomplexity.ops import Kind, Role
from nncomplexity.shapes import Tensor
from reference.calls import caller, known

B, H, W = symbol("B"), symbol("H"), symbol("W")
run = caller("activation", "comparison", "elementwise", "reduction", version=28)


def value(op, *inputs, **attributes):
    return run(op, *inputs, **attributes).outputs[0].value


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        ("Div", (7, -7, 7, -7, 5), (2, 2, -2, -2, 0), (3, -3, -3, 3, None)),
        ("Mod", (7, -7, 7, -7, 5), (3, 3, -3, -3, 0), (1, 2, -2, -1, None)),
        ("Add", (B, 3, H), (1, W, H), (B + 1, W + 3, 2 * H)),
        ("Sub", (B, 3, H), (1, W, H), (B - 1, 3 - W, 0)),
        ("Mul", (B, 3, H), (2, W, W), (2 * B, 3 * W, H * W)),
        ("Div", (H, 4 * H, H * W, B), (2, 4, W, B), (floor_divide(H, 2), H, H, 1)),
        ("Mod", (H, 4 * H, -H), (3, 2, 3), (H % 3, 0, None)),
        ("Pow", (2, 3, B), (10, 0, 2), (1024, 1, B * B)),
        ("Pow", (2, 2), (-1, 10**12), (None, None)),
        ("Max", (B, H, 5), (1, W, 3), (B, maximum(H, W), 5)),
        ("Min", (B, H, 5), (1, W, 3), (1, minimum(H, W), 3)),
        ("Add", (2**63 - 1, None), (1, 1), (-(2**63), None)),
    ],
)
def test_integers_and_sizes(op, a, b, expected):
    assert value(op, known(*a), known(*b)) == expected


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        ("Equal", (B, B, B, B + 1, 2 * B, 3), (-1, 1, B, B, 1, 3), (False, None, True, False, False, True)),
        ("Less", (B, 0, B, H), (1, B, B + 1, W), (False, True, True, None)),
        ("Greater", (B, B, H), (0, 1, W), (True, None, None)),
        ("GreaterOrEqual", (B, B, H), (1, 2, H), (True, None, True)),
        ("LessOrEqual", (B, 1, H), (0, B, W), (False, True, None)),
    ],
)
def test_comparisons_of_free_sizes(op, a, b, expected):
    result = run(op, known(*a), known(*b)).outputs[0]
    assert result.value == expected and result.dtype == "bool"


def test_comparisons_with_not_a_number_are_false():
    nan, one = known(math.nan, dtype="float32"), known(1.0, dtype="float32")
    for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        assert value(op, nan, one) == (False,)


def test_floats_of_sizes_stay_exact():
    h = known(H, dtype="float32")
    half = run("Mul", h, known(0.5, dtype="float32")).outputs[0]
    assert value("Floor", half) == (floor_divide(H, 2),)
    assert value("Ceil", half) == (ceil_divide(H, 2),)
    assert value("Round", half) == (None,)
    third = run("Div", h, known(3.0, dtype="float32")).outputs[0]
    assert value("Mul", third, known(3.0, dtype="float32")) == (H,)
    shifted = run("Add", half, known(0.5, dtype="float32")).outputs[0]
    assert value("Floor", shifted) == (floor_divide(H + 1, 2),)
    assert value("Div", known(7.0, 1.0, dtype="float32"), known(2.0, 0.0, dtype="float32")) == (3.5, None)
    assert value("Sub", half, half) == (0,)
    assert substitute(H * Fraction(1, 2), {"H": 6}) == 3


def test_single_elements():
    assert value("Neg", known(B, -2)) == (-B, 2)
    assert value("Abs", known(B, -B, B - 5, -3)) == (B, B, None, 3)
    assert value("Sign", known(B, -B, 0, B - 5)) == (1, -1, 0, None)
    assert value("Not", known(True, None, dtype="bool")) == (False, None)
    assert value("Sqrt", known(16.0, -1.0, dtype="float32")) == (4.0, None)
    assert value("Reciprocal", known(4.0, 0.0, dtype="float32")) == (0.25, None)
    assert value("Relu", known(B, -3, 2)) == (B, 0, 2)
    assert value("Clip", known(B, 9, -4), known(0, shape=()), known(5, shape=())) == (minimum(5, B), 5, 0)
    assert value("Clip", known(9.0, -4.0, dtype="float32"), version=6, max=5.0) == (5.0, -4.0)


def test_logic_and_selection_look_past_what_is_unknown():
    unknown, true, false = (known(v, dtype="bool") for v in (None, True, False))
    assert value("And", unknown, false) == (False,) and value("And", unknown, true) == (None,)
    assert value("Or", unknown, true) == (True,) and value("Xor", true, false) == (True,)
    mask = known(True, False, None, None, dtype="bool")
    assert value("Where", mask, known(B, None, 7, 7), known(None, 3, 7, 8)) == (B, 3, 7, None)
    assert value("BitShift", known(3, 3), known(2, 70), direction="LEFT") == (12, 0)
    assert value("BitShift", known(3), known(70), direction="LEFT", version=11) == (None,)


def test_reductions_of_known_elements():
    x = known(B, 2, 3, 4, H, None, shape=(2, 3))
    axis = known(1)
    assert value("ReduceProd", x, axis) == (6 * B, None)
    assert value("ReduceSum", known(1, 2, 3, 4, shape=(2, 2)), known(0), keepdims=0) == (4, 6)
    assert value("ReduceMax", known(B, 1, 5, 7, shape=(2, 2)), axis) == (B, 7)
    assert value("ReduceMin", known(B, 1, 5, 7, shape=(2, 2)), axes=(-1,), version=13) == (1, 5)
    assert value("ReduceMean", known(1, 2, 4, 4, shape=(2, 2)), axis) == (None, 4)
    assert value("ReduceMean", known(1.0, 2.0, dtype="float32"), known(0)) == (1.5,)
    assert value("ReduceProd", known(shape=(0,)), known(0)) == (1,)
    assert value("CumSum", known(1, B, None, 4), known(0, shape=())) == (1, B + 1, None, None)
    assert value("CumSum", known(1, B, 2), known(0, shape=()), exclusive=1, reverse=1) == (B + 2, 2, 0)


def test_more_elements_than_are_folded_have_no_value():
    many = Tensor(dtype="int64", shape=(101, 1), value=(1,) * 101)
    assert value("Add", many, known(*(1,) * 100)) is None


EIGHT, FOUR = parse_format("fixed<8,8>"), parse_format("fixed<4,4>")


def biased(op="Add", alone=(True, True), constant=True, shape=(5,), swap=False, sums=(3, 5)):
    summed = Tensor(dtype="float32", shape=sums, accumulator=Accumulation(7, EIGHT, FOUR))
    vector = Tensor(dtype="float32", shape=shape, constant=constant, format=FOUR)
    result = run(op, *((vector, summed) if swap else (summed, vector)), alone=alone)
    ((operation, times),) = count(result.work)
    assert result.kind == "add" and result.outputs[0].accumulator is None
    return operation, times


@pytest.mark.parametrize(
    ("op", "kind", "swap"), [("Add", Kind.ADD, False), ("Add", Kind.ADD, True), ("Sub", Kind.SUBTRACT, False)]
)
def test_a_bias_is_added_in_the_accumulator(op, kind, swap):
    operation, times = biased(op, swap=swap)
    assert (operation.kind, operation.role, times, operation.result.bits) == (kind, Role.BIAS, 15, 8 + 4 + 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"alone": (False, True)},
        {"alone": ()},
        {"constant": False},
        {"shape": ()},
        {"shape": (1,)},
        {"shape": (2, 3, 5)},
        {"op": "Sub", "swap": True},
    ],
)
def test_what_is_no_bias(changed):
    operation, _ = biased(**changed)
    assert operation.role is Role.ELEMENTWISE and operation.result == format_of_dtype("float32")


def test_one_number_is_the_bias_of_one_channel():
    assert biased(shape=(1,), sums=(3, 1))[0].role is Role.BIAS


def test_a_bias_is_added_in_the_exact_accumulator():
    summed = Tensor(dtype="int32", shape=(3, 5), accumulator=Accumulation(7, EIGHT, FOUR))
    vector = Tensor(dtype="int32", shape=(5,), constant=True, format=FOUR)
    ((operation, times),) = count(run("Add", summed, vector, alone=(True, False)).work, "exact")
    # 7 products of at most 2**10: 7168 plus 8 is below 2**13, so 14 bits with the sign.
    assert (operation.role, times, operation.result.bits) == (Role.BIAS, 15, 14)


def test_a_constant_stands_second():
    x, c = Tensor(dtype="float32", shape=(3,)), Tensor(dtype="int8", shape=(3,), constant=True)
    ((operation, _),) = count(run("Mul", c, x).work)
    assert operation.constant and operation.right == format_of_dtype("int8")


def test_unknown_shapes_are_uncounted_rows():
    with pytest.raises(Uncounted, match=r"^the shape of input 1 is unknown$") as caught:
        run("Add", known(1.0, dtype="float32"), Tensor(dtype="float32"))
    assert caught.value.outputs == (Tensor(dtype="float32"),)
    with pytest.raises(Uncounted, match=r"^the axes \(input 1\) are not known before the run$"):
        run("ReduceSum", Tensor(dtype="float32", shape=(3, 5)), Tensor(dtype="int64", shape=(1,)))
    assert run("Not", Tensor(dtype="bool")).free and run("Where", *[Tensor(dtype="bool")] * 3).free
