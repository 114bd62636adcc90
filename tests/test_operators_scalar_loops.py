"""Elementwise, reducing, pooling, normalising and interpolating operators against scalar loops.

Each loop computes the operator on numbers that count what is done to them. Its values are compared with ONNX's own
reference implementation, so that what is counted is the operator; its counts with the inventory of the rule.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import product as cartesian

import numpy as np
import onnx
import onnx.reference
import pytest
from nncomplexity.accounting import count
from nncomplexity.operators.rule import Call
from nncomplexity.ops import LINEAR_ROLES, PRODUCTS, Kind
from nncomplexity.shapes import Tensor
from reference.calls import by_name
from reference.counting import Number, act, greatest, numbers, total
from reference.counting import larger as top
from reference.one_node import by_onnx

FAMILIES = (
    "activation",
    "comparison",
    "elementwise",
    "interpolation",
    "normalization",
    "pooling",
    "reduction",
    "softmax",
)


OPERATORS = by_name(*FAMILIES)


def above(a, b):
    return a > b


def low(a, b):
    return b if above(a, b) else a


def size_of(a):
    """|a|: one comparison; the sign itself is no arithmetic."""
    return a if above(a, C(0)) else Number(-a.value)


C = Number


def exp(x):
    return act("exp", math.exp, x)


def sigmoid(x):
    return act("sigmoid", lambda v: 1 / (1 + math.exp(-v)), x)


def softplus(x):
    return act("softplus", lambda v: math.log1p(math.exp(v)), x)


def sqrt(x):
    return act("sqrt", math.sqrt, x)


def inverse(x):
    return act("reciprocal", lambda v: 1 / v, x)


def lowest(numbers):
    result = numbers[0]
    for number in numbers[1:]:
        result = low(result, number)
    return result


def multiplied(numbers):
    result = numbers[0]
    for number in numbers[1:]:
        result = result * number
    return result


def hard_sigmoid(x, alpha, beta):
    return top(C(0), low(C(1), x * C(alpha) + C(beta)))


def leaky(x, slope):
    product = x * slope
    return product if above(C(0), x) else x


def elu(x, alpha):
    negative = exp(x) - C(1)
    negative = negative if alpha == 1 else negative * C(alpha)
    return x if above(x, C(0)) else negative


def selu(x):
    negative = exp(x) * C(1.5) - C(1.5)
    return (x if above(x, C(0)) else negative) * C(1.25)


def shrink(x):
    # Which side it is decides the sign of the one addition.
    left, right = above(C(-0.5), x), above(x, C(0.5))
    moved = x + C(0.25 if left else -0.25)
    return moved if left or right else C(0)


def gelu_tanh(x):
    cube = x * x * x
    inner = (x + cube * C(0.044715)) * C(math.sqrt(2 / math.pi))
    return x * C(0.5) * (act("tanh", math.tanh, inner) + C(1))


def lookup(name, function):
    return lambda x: act(name, function, x)


LOOKUPS = {
    "Sqrt": ("sqrt", math.sqrt),
    "Exp": ("exp", math.exp),
    "Log": ("log", math.log),
    "Erf": ("erf", math.erf),
    "Reciprocal": ("reciprocal", lambda v: 1 / v),
    "Floor": ("round", math.floor),
    "Ceil": ("round", math.ceil),
    "Round": ("round", round),
    "Tanh": ("tanh", math.tanh),
    "Sigmoid": ("sigmoid", lambda v: 1 / (1 + math.exp(-v))),
    "Softplus": ("softplus", lambda v: math.log1p(math.exp(v))),
    **{
        name: (name.lower(), getattr(math, name.lower()))
        for name in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Atanh")
    },
}
EACH = [
    *((name, {}, lookup(*entry)) for name, entry in LOOKUPS.items()),
    ("Add", {}, lambda x, y: x + y),
    ("Sub", {}, lambda x, y: x - y),
    ("Mul", {}, lambda x, y: x * y),
    ("Div", {}, lambda x, y: act("division", lambda a, b: a / b, x, y)),
    ("Mod", {"fmod": 1}, lambda x, y: act("modulo", math.fmod, x, y)),
    ("Pow", {}, lambda x, y: act("pow", math.pow, x, y)),
    ("Neg", {}, lambda x: C(0) - x),
    ("Abs", {}, size_of),
    ("Sign", {}, lambda x: C(1) if above(x, C(0)) else C(-1)),
    ("Max", {}, lambda x, y, z: greatest([x, y, z])),
    ("Min", {}, lambda x, y, z: low(low(x, y), z)),
    ("Sum", {}, lambda x, y, z: total([x, y, z])),
    ("Mean", {}, lambda x, y, z: total([x, y, z]) * C(1 / 3)),
    ("Greater", {}, lambda x, y: C(above(x, y))),
    ("LessOrEqual", {}, lambda x, y: C(not above(x, y))),
    ("Relu", {}, lambda x: top(x, C(0))),
    ("LeakyRelu", {"alpha": 0.2}, lambda x: leaky(x, C(0.2))),
    ("PRelu", {}, leaky),
    ("ThresholdedRelu", {"alpha": 0.3}, lambda x: x if above(x, C(0.3)) else C(0)),
    ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, lambda x: hard_sigmoid(x, 0.3, 0.4)),
    ("HardSwish", {}, lambda x: x * hard_sigmoid(x, 1 / 6, 0.5)),
    ("Elu", {"alpha": 0.7}, lambda x: elu(x, 0.7)),
    ("Elu", {}, lambda x: elu(x, 1)),
    (
        "Celu",
        {"alpha": 2.0},
        lambda x: top(C(0), x) + low(C(0), (exp(x * C(0.5)) - C(1)) * C(2)),
    ),
    ("Selu", {"alpha": 1.5, "gamma": 1.25}, selu),
    ("Gelu", {}, lambda x: x * C(0.5) * (act("erf", math.erf, x * C(math.sqrt(0.5))) + C(1))),
    ("Gelu", {"approximate": "tanh"}, gelu_tanh),
    ("Mish", {}, lambda x: x * act("tanh", math.tanh, softplus(x))),
    ("Softsign", {}, lambda x: act("division", lambda a, b: a / b, x, size_of(x) + C(1))),
    ("Swish", {}, lambda x: x * sigmoid(x)),
    ("Swish", {"alpha": 1.5}, lambda x: x * sigmoid(x * C(1.5))),
    ("SwiGLU", {}, lambda x, y: x * sigmoid(x) * y),
    ("Shrink", {"lambd": 0.5, "bias": 0.25}, shrink),
]


def check(op, arrays, attributes, loop, version=28):
    """Values of the loop as ONNX has them, counts of the loop as the rule has them."""
    schema = onnx.defs.get_schema(op, version)
    steering = OPERATORS[op].settings
    inputs = tuple(
        None
        if array is None
        else Tensor(
            dtype=str(array.dtype),
            shape=array.shape,
            value=tuple(array.ravel().tolist()) if place in steering else None,
        )
        for place, array in enumerate(arrays)
    )
    plain = {name: tuple(v) if isinstance(v, list) else v for name, v in attributes.items()}
    result = OPERATORS[op].rule(Call(op=op, version=schema.since_version, inputs=inputs, attributes=plain))
    Number.counts.clear()
    values = loop(*arrays)
    expected = by_onnx(op, arrays, version=version, **attributes)[0]
    assert result.outputs[0].shape == expected.shape
    flat = [number.value for number in np.asarray(values, dtype=object).ravel()]
    assert np.allclose(flat, np.asarray(expected, dtype=float).ravel(), rtol=1e-4, atol=1e-5)
    for convention in ("paper", "exact"):
        found: Counter[str] = Counter()
        for operation, times in count(result.work, convention) if result.work else ():
            kind = operation.kind
            name = "rm" if kind in PRODUCTS else operation.function or {Kind.COMPARE: "cmp"}.get(kind, "add")
            found[name] += times
            assert operation.role not in LINEAR_ROLES
        assert found == +Number.counts


def data(*shape, seed=3, start=0.05, stop=0.95):
    return np.random.default_rng(seed).uniform(start, stop, shape).astype("float32")


@pytest.mark.parametrize(("op", "attributes", "function"), EACH, ids=lambda case: case if isinstance(case, str) else "")
def test_pointwise(op, attributes, function):
    operands = function.__code__.co_argcount
    start = -0.9 if op not in ("Sqrt", "Log", "Pow", "Reciprocal", "Div", "Mod") else 0.05
    shapes = (
        [(3, 7, 5), (7, 1), (3, 1, 5)][:operands]
        if op not in ("SwiGLU", "PRelu")
        else [(3, 7), (3, 7) if op == "SwiGLU" else (7,)]
    )
    arrays = [data(*shape, seed=seed, start=start) for seed, shape in enumerate(shapes)]

    def loop(*given):
        return np.vectorize(function, otypes=[object])(*(numbers(array) for array in given))

    check(op, arrays, attributes, loop)


@pytest.mark.parametrize("exponent", [2, 3, 4, 0.5, -0.5, -1, 2.5])
def test_powers_by_a_known_number(exponent):
    x, y = data(3, 5), np.array(exponent, "float32")

    def power(number):
        if exponent in (2, 3):
            return multiplied([number] * exponent)
        if exponent == 4:
            square = number * number
            return square * square
        if exponent == -1:
            return inverse(number)
        if exponent in (0.5, -0.5):
            return sqrt(number) if exponent > 0 else inverse(sqrt(number))
        return act("pow", lambda v: v**exponent, number)

    schema = Call(
        op="Pow",
        version=15,
        inputs=(Tensor(dtype="float32", shape=(3, 5)), Tensor(dtype="float32", shape=(), value=(exponent,))),
    )
    result = OPERATORS["Pow"].rule(schema)
    Number.counts.clear()
    values = [power(Number(v)).value for v in x.ravel()]
    assert np.allclose(values, x.ravel() ** y, rtol=1e-4)
    inventory = count(result.work)
    assert inventory.total(lambda op: 1 if op.kind in PRODUCTS else 0) == Number.counts["rm"]
    assert (
        inventory.total(lambda op: 1 if op.kind is Kind.LOOKUP else 0)
        == sum(Number.counts.values()) - Number.counts["rm"]
    )


def rows_of(x, axis):
    moved = np.moveaxis(numbers(x), axis, -1)
    return moved.reshape(-1, moved.shape[-1]), moved.shape


def along(axis, function):
    def loop(x, *_):
        rows, shape = rows_of(x, axis)
        done = np.array([function(list(row)) for row in rows], dtype=object)
        return np.moveaxis(done.reshape(*shape[:-1], -1), -1, axis)

    return loop


def soft(row):
    high = greatest(row)
    powers = [exp(number - high) for number in row]
    scale = inverse(total(powers))
    return [power * scale for power in powers]


def log_soft(row):
    high = greatest(row)
    less = [number - high for number in row]
    log = act("log", math.log, total([exp(number) for number in less]))
    return [number - log for number in less]


def hard(row):
    high = greatest(row)
    return [C(number is high) for number in row]


@pytest.mark.parametrize(("op", "function"), [("Softmax", soft), ("LogSoftmax", log_soft), ("Hardmax", hard)])
@pytest.mark.parametrize("version", [11, 13])
def test_softmax(op, function, version):
    x = data(3, 5, 7)
    if version == 13:
        check(op, [x], {"axis": 1}, along(1, function), 13)
        check(op, [x], {}, along(2, function), 13)
        return
    # Before version 13 the axes from 1 on are one row; the reference implementation has only the later meaning.
    result = OPERATORS[op].rule(Call(op=op, version=11, inputs=(Tensor(dtype="float32", shape=(3, 5, 7)),)))
    flat = OPERATORS[op].rule(Call(op=op, version=13, inputs=(Tensor(dtype="float32", shape=(3, 35)),)))
    assert count(result.work) == count(flat.work) and result.outputs[0].shape == (3, 5, 7)


def running(row):
    sums = [row[0]]
    for number in row[1:]:
        sums.append(sums[-1] + number)
    return sums


def running_before(row):
    return [C(0), *running(row[:-1])]


def products(row):
    found = [row[0]]
    for number in row[1:]:
        found.append(found[-1] * number)
    return found


def test_running_sums_and_products():
    axis = np.array(1)
    check("CumSum", [data(3, 5, 2), axis], {}, along(1, running))
    check("CumSum", [data(3, 5, 2), axis], {"exclusive": 1}, along(1, running_before))
    check("CumProd", [data(3, 5, 2), axis], {}, along(1, products))


def log_sum_exp(row):
    high = greatest(row)
    return act("log", math.log, total([exp(number - high) for number in row])) + high


REDUCED = {
    "ReduceSum": total,
    "ReduceMean": lambda row: total(row) * C(1 / len(row)),
    "ReduceMax": greatest,
    "ReduceMin": lowest,
    "ReduceProd": multiplied,
    "ReduceL1": lambda row: total([size_of(number) for number in row]),
    "ReduceL2": lambda row: sqrt(total([number * number for number in row])),
    "ReduceSumSquare": lambda row: total([number * number for number in row]),
    "ReduceLogSum": lambda row: act("log", math.log, total(row)),
    "ReduceLogSumExp": log_sum_exp,
}


@pytest.mark.parametrize("op", REDUCED)
@pytest.mark.parametrize(("axes", "keepdims"), [([1], 1), ([0, 2], 0), ([-1], 0), (None, 1)])
def test_reductions(op, axes, keepdims):
    x, known = data(3, 5, 7), None if axes is None else np.array(axes)

    def loop(array, *_):
        kept = [axis for axis in range(3) if axes is not None and axis not in [a % 3 for a in axes]]
        rows = np.transpose(numbers(array), [*kept, *(a for a in range(3) if a not in kept)])
        return [REDUCED[op](list(row)) for row in rows.reshape(math.prod(array.shape[a] for a in kept), -1)]

    check(op, [x] if known is None else [x, known], {"keepdims": keepdims}, loop)


def test_places_of_extremes():
    def place(row):
        high = greatest(row)
        return C(next(i for i, number in enumerate(row) if number is high))

    check("ArgMax", [data(3, 5, 2)], {"axis": 1}, along(1, lambda row: [place(row)]))


def window_loop(kernel, stride, pad, dilation, function):
    """One axis of windows on the last axis; taps outside are there with the neutral value `pad`."""

    def loop(x):
        found = []
        for row in numbers(x).reshape(-1, x.shape[-1]):
            start = -stride[1]
            while start + (kernel - 1) * dilation < len(row) + stride[2]:
                taps = [start + tap * dilation for tap in range(kernel)]
                found.append(function([row[tap] if 0 <= tap < len(row) else C(pad) for tap in taps], taps, len(row)))
                start += stride[0]
        return found

    return loop


def inside_mean(numbers_in, taps, length):
    return total(numbers_in) * C(1 / sum(0 <= tap < length for tap in taps))


@pytest.mark.parametrize(
    ("stride", "begin", "end", "dilation"), [(1, 0, 0, 1), (2, 1, 2, 1), (3, 2, 0, 2), (2, 0, 1, 3)]
)
def test_pooling(stride, begin, end, dilation):
    x, steps = data(2, 3, 11), (stride, begin, end)
    attributes = {"kernel_shape": [3], "strides": [stride], "pads": [begin, end], "dilations": [dilation]}
    check("MaxPool", [x], attributes, window_loop(3, steps, -1e9, dilation, lambda row, *_: greatest(row)))
    check("AveragePool", [x], attributes, window_loop(3, steps, 0, dilation, inside_mean))

    def norm(row, *_):
        return sqrt(total([number * number for number in row]))

    check("LpPool", [x], attributes, window_loop(3, steps, 0, dilation, norm))


@pytest.mark.parametrize(
    ("op", "function"), [("GlobalMaxPool", greatest), ("GlobalAveragePool", REDUCED["ReduceMean"])]
)
def test_global_pooling(op, function):
    check(op, [data(2, 3, 5, 7)], {}, lambda x: [function(list(row)) for row in numbers(x).reshape(6, -1)])


def normalize(row, scale=None, bias=None, centred=True):
    n = len(row)
    if centred:
        mean = total(row) * C(1 / n)
        row = [number - mean for number in row]
    deviation = sqrt(total([number * number for number in row]) * C(1 / n) + C(1e-5))
    factor = inverse(deviation)
    row = [number * factor for number in row]
    row = row if scale is None else [number * C(s) for number, s in zip(row, scale, strict=True)]
    return row if bias is None else [number + C(b) for number, b in zip(row, bias, strict=True)]


def test_layer_normalization():
    x, scale, bias = data(3, 5, 7), data(5, 7, seed=1), data(5, 7, seed=2)

    def loop(array, *trained):
        rows = numbers(array).reshape(3, 35)
        return [normalize(list(row), *(vector.ravel() for vector in trained)) for row in rows]

    check("LayerNormalization", [x, scale, bias], {"axis": 1}, loop)
    check("LayerNormalization", [x, scale], {"axis": -2}, loop)
    check(
        "RMSNormalization",
        [x, scale],
        {"axis": 1},
        lambda a, s: [normalize(list(row), s.ravel(), centred=False) for row in numbers(a).reshape(3, 35)],
    )


def test_normalization_by_channel_and_group():
    x, scale, bias = data(2, 6, 5), data(6, seed=1), data(6, seed=2)

    def loop(groups):
        def normalized(array, s, b):
            each = 6 // groups
            rows = numbers(array).reshape(2 * groups, -1)
            trained = [np.repeat(v, 5).reshape(groups, each * 5) for v in (s, b)]
            return [normalize(list(row), *(v[place % groups] for v in trained)) for place, row in enumerate(rows)]

        return normalized

    check("InstanceNormalization", [x, scale, bias], {}, loop(6))
    check("GroupNormalization", [x, scale, bias], {"num_groups": 3}, loop(3))


def test_batch_normalization():
    x, vectors = data(2, 3, 5), [data(3, seed=seed) for seed in range(1, 5)]

    def folded(array, scale, bias, mean, variance):
        a = scale / np.sqrt(variance + 1e-5)
        b = bias - a * mean
        return [
            number * C(a[channel]) + C(b[channel])
            for place, row in enumerate(numbers(array).reshape(6, 5))
            for number in row
            for channel in [place % 3]
        ]

    check("BatchNormalization", [x, *vectors], {}, folded)

    def trained(array, scale, bias, mean, variance):
        rows = np.swapaxes(numbers(array), 0, 1).reshape(3, 10)
        done = [normalize(list(row), [s] * 10, [b] * 10) for row, s, b in zip(rows, scale, bias, strict=True)]
        for running in (*mean, *variance):
            _ = C(running) * C(0.9) + C(1) * C(0.1)
        return np.swapaxes(np.array(done, dtype=object).reshape(3, 2, 5), 0, 1)

    check("BatchNormalization", [x, *vectors], {"training_mode": 1}, trained, 15)


def test_norms_and_neighbours():
    def euclidean(row):
        factor = inverse(sqrt(total([number * number for number in row])))
        return [number * factor for number in row]

    def manhattan(row):
        factor = inverse(total([size_of(number) for number in row]))
        return [number * factor for number in row]

    check("LpNormalization", [data(3, 5, 2)], {"axis": 1}, along(1, euclidean))
    check("LpNormalization", [data(3, 5, 2)], {"axis": 1, "p": 1}, along(1, manhattan))

    def neighbours(row):
        squares = [number * number for number in row]
        result = []
        for place, number in enumerate(row):
            # Windows at the first and last channels are computed in full.
            window = [squares[i] if 0 <= i < len(row) else C(0) for i in range(place - 1, place + 2)]
            base = total(window) * C(0.25 / 3) + C(1.5)
            result.append(act("division", lambda a, b: a / b, number, act("pow", lambda v: v**0.75, base)))
        return result

    # As many samples as channels: the reference implementation counts its channels by the batch.
    check("LRN", [data(5, 5, 3, 2)], {"size": 3, "alpha": 0.25, "bias": 1.5}, along(1, neighbours))
    check(
        "MeanVarianceNormalization",
        [10 * data(2, 3, 2, 2)],
        {},
        lambda x: np.moveaxis(
            np.array([normalize(list(row)) for row in np.moveaxis(numbers(x), 1, 0).reshape(3, 8)]).reshape(3, 2, 2, 2),
            0,
            1,
        ),
    )


@pytest.mark.parametrize(("shape", "scales"), [((1, 2, 5), [1, 1, 3.0]), ((1, 1, 3, 5), [1, 1, 2.0, 1.5])])
def test_linear_interpolation(shape, scales):
    def loop(x, *_):
        sizes = [int(n * s) for n, s in zip(shape, scales, strict=True)]
        resized = [axis for axis, s in enumerate(scales) if s != 1]
        values, found = numbers(x), []
        for place in cartesian(*map(range, sizes)):
            where = [(p + 0.5) / s - 0.5 for p, s in zip(place, scales, strict=True)]
            terms = []
            for corner in cartesian((0, 1), repeat=len(resized)):
                index, weight = list(place), 1.0
                for axis, side in zip(resized, corner, strict=True):
                    below = math.floor(where[axis])
                    weight *= where[axis] - below if side else 1 - (where[axis] - below)
                    index[axis] = min(max(below + side, 0), shape[axis] - 1)
                terms.append(values[tuple(index)] * C(weight))
            found.append(total(terms))
        return found

    check("Resize", [data(*shape), None, np.array(scales, "float32")], {"mode": "linear"}, loop)


def test_determinants():
    def eliminate(matrix):
        rows = [list(row) for row in numbers(matrix)]
        for pivot, row in enumerate(rows):
            for other in rows[pivot + 1 :]:
                factor = act("division", lambda a, b: a / b, other[pivot], row[pivot])
                for column in range(pivot + 1, len(row)):
                    other[column] = other[column] - factor * row[column]
        return multiplied([row[place] for place, row in enumerate(rows)])

    check("Det", [data(3, 5, 5) + 2 * np.eye(5, dtype="float32")], {}, lambda x: [eliminate(matrix) for matrix in x])


def test_affine_grids():
    def loop(theta, size):
        height, width = size[2:]
        values, found = numbers(theta), []
        for matrix, row, column in cartesian(values, range(height), range(width)):
            x, y = C((2 * column + 1) / width - 1), C((2 * row + 1) / height - 1)
            found += [line[0] * x + line[1] * y + line[2] for line in matrix]
        return found

    check("AffineGrid", [data(2, 2, 3), np.array([2, 1, 3, 5])], {}, loop)


def test_grid_sampling():
    """Bilinear, two channels: coefficients once per place, products and sums once per channel."""

    def loop(image, grid):
        values, (height, width) = numbers(image), image.shape[2:]
        found = np.empty((1, 2, 3, 4), dtype=object)
        for row, column in cartesian(range(3), range(4)):
            sides = []
            for place, size in zip(grid[0, row, column], (width, height), strict=True):
                pixel = C(place) * C(size / 2) + C((size - 1) / 2)
                below = act("round", math.floor, pixel)
                fraction = pixel - below
                sides.append([(int(below.value), C(1) - fraction), (int(below.value) + 1, fraction)])
            corners = [(y, x, b * a) for (y, b), (x, a) in cartesian(sides[1], sides[0])]
            for channel in range(2):
                inside = [
                    values[0, channel, y, x] if 0 <= y < height and 0 <= x < width else C(0) for y, x, _ in corners
                ]
                terms = [value * weight for value, (*_, weight) in zip(inside, corners, strict=True)]
                found[0, channel, row, column] = total(terms)
        return found

    check("GridSample", [data(1, 2, 5, 7), data(1, 3, 4, 2, seed=1, start=-0.9)], {"mode": "linear"}, loop)
