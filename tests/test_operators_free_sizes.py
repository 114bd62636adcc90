"""Operators on numbers with free sizes, at odd arguments, and what they refuse: no traceback, no wrong number."""

from __future__ import annotations

import random as chance

import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ComplexityError, ModelError
from nncomplexity.expressions import Expression, product, substitute, symbol
from nncomplexity.operators.rule import Call, Uncounted
from nncomplexity.shapes import Tensor
from reference.calls import by_name, caller
from reference.calls import known as ints
from reference.calls import tensor as T
from reference.totals import totals

FAMILIES = (
    "activation",
    "comparison",
    "elementwise",
    "interpolation",
    "normalization",
    "pooling",
    "quantized",
    "random",
    "reduction",
    "softmax",
)
OPERATORS = by_name(*FAMILIES)
N, C, H = symbol("N"), symbol("C"), symbol("H")
run = caller(*FAMILIES, version=28)


def floats(*value):
    return T(len(value), value=value)


V = floats
FREE = [
    ("Add", lambda n, c, h: [T(n, c, h), T(c, 1)], {}),
    ("Mean", lambda n, c, h: [T(n, c, h), T(h), T(1)], {}),
    ("CumSum", lambda n, c, h: [T(n, h), T(dtype="int64", value=(1,))], {"exclusive": 1}),
    ("CumProd", lambda n, c, h: [T(n, h), T(dtype="int64", value=(0,))], {}),
    ("Gelu", lambda n, c, h: [T(n, c, h)], {"approximate": "tanh"}),
    ("Softmax", lambda n, c, h: [T(n, c, h)], {"axis": 1}),
    ("LogSoftmax", lambda n, c, h: [T(n, c, h)], {"version": 11}),
    ("ReduceLogSumExp", lambda n, c, h: [T(n, c, h), ints(0, 2)], {}),
    ("ReduceProd", lambda n, c, h: [T(n, c, h), ints(1)], {}),
    ("ReduceL2", lambda n, c, h: [T(n, c, h)], {}),
    ("ArgMax", lambda n, c, h: [T(n, c, h)], {"axis": -1, "keepdims": 0}),
    ("TopK", lambda n, c, h: [T(n, 3 * h), ints(h)], {}),
    ("Det", lambda n, c, h: [T(n, h, h)], {}),
    (
        "MaxPool",
        lambda n, c, h: [T(n, c, 5 + h)],
        {"kernel_shape": (3,), "strides": (2,), "ceil_mode": 1, "pads": (1, 1)},
    ),
    (
        "AveragePool",
        lambda n, c, h: [T(n, c, 5 + h, h)],
        {"kernel_shape": (3, 2), "auto_pad": "SAME_LOWER", "strides": (2, 3)},
    ),
    ("LpPool", lambda n, c, h: [T(n, c, 5 + h)], {"kernel_shape": (3,), "dilations": (2,), "p": 3}),
    ("GlobalAveragePool", lambda n, c, h: [T(n, c, h, h + 1)], {}),
    (
        "RoiAlign",
        lambda n, c, h: [T(n, c, 9, 9), T(h, 4), T(h, dtype="int64")],
        {"sampling_ratio": 3, "output_height": 2},
    ),
    ("BatchNormalization", lambda n, c, h: [T(n, c, h), *[T(c)] * 4], {"training_mode": 1}),
    ("LayerNormalization", lambda n, c, h: [T(n, c, h), T(c, h), T(h)], {"axis": 1}),
    ("GroupNormalization", lambda n, c, h: [T(n, 6, h), T(6), T(6)], {"num_groups": 3}),
    ("LRN", lambda n, c, h: [T(n, c, h, h)], {"size": 5}),
    ("LpNormalization", lambda n, c, h: [T(n, c, h)], {"p": 1}),
    ("Resize", lambda n, c, h: [T(n, c, h), None, V(1.0, 1.0, 2.5)], {"mode": "linear"}),
    ("Resize", lambda n, c, h: [T(n, c, 2 * h), None, None, ints(n, c, 7 * h)], {"mode": "cubic"}),
    ("Resize", lambda n, c, h: [T(n, c, 9 * h), None, None, ints(n, c, h)], {"mode": "linear", "antialias": 1}),
    ("GridSample", lambda n, c, h: [T(n, c, h, h), T(n, 5, h, 2)], {"mode": "cubic"}),
    ("AffineGrid", lambda n, c, h: [T(n, 2, 3), ints(n, c, h, 4)], {}),
    ("Multinomial", lambda n, c, h: [T(n, c)], {"sample_size": 3}),
    ("QLinearAdd", lambda n, c, h: [T(n, c, dtype="int8"), V(1.0), None, T(c, dtype="int8"), V(1.0), None, V(1.0)], {}),
]


@pytest.mark.parametrize(("op", "inputs", "attributes"), FREE, ids=[case[0] for case in FREE])
def test_free_sizes_give_the_numbers_of_every_size(op, inputs, attributes):
    free = run(op, *inputs(N, C, H), **attributes)
    for sizes in ({"N": 1, "C": 1, "H": 1}, {"N": 2, "C": 3, "H": 5}, {"N": 7, "C": 4, "H": 9}):
        bound = run(op, *inputs(*sizes.values()), **attributes)
        for left, right in zip(free.outputs, bound.outputs, strict=True):
            assert tuple(substitute(size, sizes) for size in left.shape) == right.shape
        found = {metric: substitute(size, sizes) for metric, size in totals(free).items()}
        assert found == (totals(bound) if bound.work else dict.fromkeys(found, 0))
        assert found["mac"] == 0


REFUSED = [
    ("Add", [T(2, 3), T(4)], {}, "shapes [2,3] and [4] do not broadcast [E-BROADCAST]"),
    ("Clip", [T(2), T(2)], {}, "a bound has shape [2], expected a scalar [E-CLIP-BOUND]"),
    ("BitShift", [T(2), T(2)], {"direction": "UP"}, "direction is 'UP', expected LEFT or RIGHT [E-SHIFT-DIRECTION]"),
    ("PRelu", [T(3), T(2, 3)], {}, "slope of shape [2, 3] does not broadcast to [3] [E-PRELU-SLOPE]"),
    ("SwiGLU", [T(3, 1), T(3, 4)], {}, "A of shape [3, 1] and B of shape [3, 4] differ [E-SWIGLU-SHAPE]"),
    ("Gelu", [T(3)], {"approximate": "x"}, "approximate is 'x', expected none or tanh [E-GELU-FORM]"),
    ("Softmax", [T(3)], {"axis": 2}, "axis 2 is outside -1..0 [E-AXIS]"),
    ("ReduceSum", [T(3, 4), ints(1, -1)], {}, "axes [1,-1] name an axis twice [E-AXES-REPEATED]"),
    ("ArgMax", [T(0, 3)], {}, "axis 0 of shape [0,3] has no element to choose [E-REDUCTION-EMPTY]"),
    ("TopK", [T(3), ints(4)], {}, "k is 4, axis 0 has 3 elements [E-TOPK-COUNT]"),
    ("Det", [T(3, 4)], {}, "a determinant needs square matrices, found 3 x 4 [E-DET-SQUARE]"),
    ("MaxPool", [T(1, 1, 5)], {}, "attribute 'kernel_shape' is required and absent [E-ATTRIBUTE-MISSING]"),
    (
        "MaxPool",
        [T(1, 1, 5)],
        {"kernel_shape": (2,), "strides": (0,)},
        "attribute 'strides' holds 0, expected 1 or more [E-POOL-ATTRIBUTE]",
    ),
    (
        "MaxPool",
        [T(1, 1, 5)],
        {"kernel_shape": (4,), "dilations": (2,)},
        "a window of 7 along axis 0 does not fit a padded input of 5 [E-POOL-SIZE]",
    ),
    ("LpPool", [T(1, 1, 5)], {"kernel_shape": (2,), "p": 0}, "attribute 'p' is 0, expected 1 or more [E-POOL-NORM]"),
    (
        "GroupNormalization",
        [T(1, 5, 2), T(5), T(5)],
        {"num_groups": 2},
        "5 channels do not divide into 2 groups [E-NORMALIZATION-GROUPS]",
    ),
    (
        "BatchNormalization",
        [T(1, 5, 2), T(4), T(5), T(5), T(5)],
        {},
        "the scale has shape [4], expected [5] [E-NORMALIZATION-SIZE]",
    ),
    (
        "Resize",
        [T(1, 2)],
        {},
        "a resized shape needs either scales or sizes, found neither [E-RESIZE-SIZE]",
    ),
    (
        "Resize",
        [T(4), None, floats(-1.0)],
        {},
        "the scale of axis 0 is -1.0, expected a number above 0 [E-RESIZE-SCALE]",
    ),
    (
        "GridSample",
        [T(1, 1, 4, 4), T(1, 2, 2, 3)],
        {},
        "the grid names 3 coordinates, the image has 2 axes [E-GRID-RANK]",
    ),
    ("RandomNormal", [], {"shape": (-1,)}, "attribute 'shape' is [-1], expected sizes of 0 or more [E-SIZE]"),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "text"), REFUSED, ids=[f"{c[0]}-{c[3][:12]}" for c in REFUSED])
def test_contradictions_are_refused(op, inputs, attributes, text):
    with pytest.raises(ModelError) as caught:
        run(op, *inputs, **attributes)
    assert str(caught.value) == text


def test_windows_that_start_in_the_end_padding_do_not_count():
    sizes = {
        (n, stride): run("AveragePool", T(1, 1, n), kernel_shape=(3,), strides=(stride,), pads=(0, 2), ceil_mode=1)
        .outputs[0]
        .shape[2]
        for n in (6, 7, 8)
        for stride in (2, 4)
    }
    # onnxruntime 1.32 answers the same.
    assert sizes == {(6, 2): 3, (6, 4): 2, (7, 2): 4, (7, 4): 2, (8, 2): 4, (8, 4): 2}


def test_sizes_of_a_resize_are_those_of_float32():
    for size, scale in ((10, 0.699999988079071), (13, 0.30000001192092896), (39, 2.299999952316284)):
        shape = run("Resize", T(1, 1, size), None, floats(1.0, 1.0, scale)).outputs[0].shape
        assert shape[2] == {10: 7, 13: 3, 39: 89}[size]
    kept = run("Resize", T(9, 13), None, None, ints(7, 5), keep_aspect_ratio_policy="not_larger").outputs[0]
    assert kept.shape == (3, 5)
    unknown = run("Resize", T(9, 13), None, T(2)).outputs[0]
    assert [str(size) for size in unknown.shape] == ["n.size0", "n.size1"]


def test_antialias_takes_the_values_left_out():
    wide = totals(run("Resize", T(30), None, floats(0.1), mode="linear", antialias=1))
    assert wide["rm"] == 3 * 20 and wide["add"] == 3 * 19
    assert totals(run("Resize", T(30), None, floats(0.1), mode="cubic"))["rm"] == 3 * 4


def test_uncountable_work_still_has_a_shape():
    region = run("MaxRoiPool", T(1, 3, 9, 9), T(5, 5), pooled_shape=(2, 3))
    assert region.work is None and region.outputs[0].shape == (5, 3, 2, 3) and OPERATORS["MaxRoiPool"].uncountable
    with pytest.raises(
        Uncounted, match=r"^sampling_ratio is 0: how many samples a region takes only its size decides$"
    ):
        run("RoiAlign", T(1, 3, 9, 9), T(5, 4), T(5))


def test_a_count_that_is_data_is_a_free_size():
    values, indices = run("TopK", T(4, 7), T(1, dtype="int64"), wanted=2).outputs
    assert [str(size) for size in values.shape] == ["4", "n.k"] and indices.dtype == "int64"
    small = run("TopK", T(4, 7), ints(3))
    assert totals(small)["cmp"] == 4 * (6 + 5 + 4)


def test_what_is_drawn_differs_at_every_run():
    drawn = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
    assert {name for name, operator in OPERATORS.items() if operator.random} == drawn


SCALE, ZERO = floats(0.1), T(1, dtype="uint8", value=(3,))
QUANTIZED = [
    (
        "QLinearAdd",
        [T(2, 3, 5, dtype="uint8"), SCALE, ZERO, T(5, dtype="uint8"), SCALE, ZERO, SCALE],
        {},
        (2, 3, 5),
        {"add": 30},
    ),
    (
        "QLinearMul",
        [T(2, 3, 5, dtype="uint8"), SCALE, ZERO, T(5, dtype="uint8"), SCALE, ZERO, SCALE],
        {},
        (2, 3, 5),
        {"rm": 30},
    ),
    ("QLinearSigmoid", [T(2, 3, dtype="uint8"), SCALE, ZERO, SCALE], {}, (2, 3), {"act": 6}),
    ("QLinearLeakyRelu", [T(2, 3, dtype="uint8"), SCALE, ZERO, SCALE], {}, (2, 3), {"rm": 6, "cmp": 6}),
    (
        "QLinearSoftmax",
        [T(2, 3, dtype="uint8"), SCALE, ZERO, SCALE, ZERO],
        {"opset": 13},
        (2, 3),
        {"rm": 6, "cmp": 4, "add": 10, "act": 8},
    ),
    (
        "QLinearReduceMean",
        [T(2, 3, dtype="uint8"), SCALE, ZERO, SCALE],
        {"axes": (1,), "keepdims": 0},
        (2,),
        {"rm": 2, "add": 4},
    ),
    (
        "QLinearAveragePool",
        [T(1, 6, 7, 3, dtype="uint8"), SCALE, ZERO, SCALE],
        {"kernel_shape": (2, 2), "strides": (2, 2), "channels_last": 1},
        (1, 3, 3, 3),
        {"rm": 27, "add": 81},
    ),
    (
        "QLinearGlobalAveragePool",
        [T(1, 6, 7, 3, dtype="uint8"), SCALE, ZERO, SCALE, ZERO],
        {"channels_last": 1},
        (1, 1, 1, 3),
        {"rm": 3, "add": 123},
    ),
    (
        "QLinearConcat",
        [SCALE, ZERO, T(2, 3, dtype="uint8"), SCALE, ZERO, T(2, 4, dtype="uint8"), SCALE, ZERO],
        {"axis": 1},
        (2, 7),
        {},
    ),
    (
        "QLinearWhere",
        [T(3, dtype="bool"), T(2, 3, dtype="uint8"), SCALE, ZERO, T(3, dtype="uint8"), SCALE, ZERO, SCALE, ZERO],
        {},
        (2, 3),
        {},
    ),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "shape", "expected"), QUANTIZED, ids=[c[0] for c in QUANTIZED])
def test_quantized_operators_count_like_their_float_twins(op, inputs, attributes, shape, expected):
    result = run(op, *inputs, version=1, **attributes)
    assert result.outputs[0].shape == shape and result.outputs[0].dtype == "uint8" and result.outputs[0].value is None
    found = totals(result) if result.work else {}
    assert {metric: number for metric, number in found.items() if number} == expected
    assert OPERATORS[op].domain == "com.microsoft"


RANDOM = [
    ("RandomNormal", [], {"shape": (3, 5)}, {"act": 15}),
    ("RandomUniform", [], {"shape": (3, 5), "high": 2.0}, {"act": 15, "rm": 15, "add": 15}),
    ("RandomNormalLike", [T(3, 5)], {"dtype": 11}, {"act": 15}),
    ("Bernoulli", [T(3, 5)], {}, {"act": 15, "cmp": 15}),
    ("Multinomial", [T(3, 5)], {"sample_size": 7}, {"act": 15 + 21, "add": 15 + 12, "rm": 21, "cmp": 12 + 84}),
    ("Dropout", [T(3, 5), None, T(dtype="bool", value=(True,))], {}, {"act": 15, "cmp": 15, "rm": 15}),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "expected"), RANDOM, ids=[c[0] for c in RANDOM])
def test_random_numbers(op, inputs, attributes, expected):
    found = totals(run(op, *inputs, **attributes))
    assert {metric: number for metric, number in found.items() if number} == expected


ODD_SIZES = [0, 1, 1, 2, 3, 4, 5, 6, N, C, 2 * H + 1]
ODD_VALUES = [0, 1, 2, -1, 3, 2**70, 0.5, -3.7, float("nan"), float("inf"), True, None, "a", N, 2 * H - 4]
ODD_ATTRIBUTES = [0, 1, -1, 3, 10**12, 0.5, float("nan"), "NOTSET", "SAME_UPPER", "VALID", "linear", "cubic", "x", ()]
ODD_ATTRIBUTES += [(1,), (2, 2), (0,), (-1, 3), (1, 1, 1, 1), (0.5, 2.0), ("a",)]


def odd_tensor(dice):
    if dice.random() < 0.1:
        return None if dice.random() < 0.5 else Tensor(dtype=dice.choice([None, "float32"]))
    shape = tuple(dice.choice(ODD_SIZES) for _ in range(dice.choice([0, 1, 1, 2, 3, 4, 5])))
    size, value = product(shape), None
    if isinstance(size, int) and dice.random() < 0.6:
        value = tuple(dice.choice(ODD_VALUES) if dice.random() < 0.4 else dice.choice([0, 1, 2]) for _ in range(size))
    return Tensor(dtype=dice.choice(["float32", "int64", "uint8", "bool", None]), shape=shape, value=value)


def test_odd_arguments_meet_an_answer_or_a_refusal():
    dice = chance.Random(20261123)
    for _ in range(12_000):
        operator = dice.choice(list(OPERATORS.values()))
        least, most = operator.inputs
        number = dice.randint(least, least + 3 if most is None else most)
        call = Call(
            op=operator.name,
            version=dice.choice([6, 7, 9, 10, 11, 13, 18, 22, 28]),
            inputs=tuple(odd_tensor(dice) for _ in range(number)),
            attributes={a: dice.choice(ODD_ATTRIBUTES) for a in operator.attributes.split() if dice.random() < 0.5},
            wanted=(True,) * dice.randint(1, 3),
            alone=(True,) * number,
        )
        try:
            result = operator.rule(call)
        except (ComplexityError, Uncounted):
            continue
        for output in result.outputs:
            assert all(isinstance(s, Expression) or (type(s) is int and s >= 0) for s in output.shape or ())
            assert output.value is None or len(output.value) == product(output.shape)
        assert result.work or result.free or operator.uncountable
        for _, times in count(result.work) if result.work else ():
            assert isinstance(times, Expression) or (type(times) is int and times > 0)
