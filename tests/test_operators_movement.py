"""Operators that move, choose or repeat numbers: shapes and known elements against ONNX's own node tests and numpy."""

from __future__ import annotations

from fractions import Fraction
from itertools import product as cartesian

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.expressions import Expression, substitute, symbol
from nncomplexity.formats import Accumulation, Fixed, format_of_dtype
from nncomplexity.shapes import Tensor
from reference.calls import caller, known, operators_of, refusals
from reference.calls import tensor as floats
from reference.node_cases import array_of, calls_of, cases_of, element_name
from reference.one_node import by_runtime

FAMILIES = (
    "casting",
    "constants",
    "folding",
    "gathering",
    "quantizers",
    "repeating",
    "reshaping",
    "scattering",
    "selection",
    "sequence",
    "slicing",
    "text",
)
RULES = operators_of(*FAMILIES)
# Sizes that only the data decide, even where the inputs are known here.
DECIDED_BY_DATA = {"Unique", "NonMaxSuppression", "ImageDecoder", "StringSplit", "StringNormalizer"}
B, S = symbol("B"), symbol("S")
run = caller(*FAMILIES)
refusal = refusals(run)


def check(found: Tensor, array, kind, exact: bool) -> None:
    if kind.WhichOneof("value") == "sequence_type":
        assert found.length == len(array)
        for item in array:
            check(found.item, item, kind.sequence_type.elem_type, False)
        return
    if kind.WhichOneof("value") == "optional_type":
        return
    array = array_of(array)
    assert found.dtype == element_name(kind.tensor_type.elem_type)
    if found.shape is None:
        assert not exact
        return
    assert len(found.shape) == array.ndim
    for size, true in zip(found.shape, array.shape, strict=True):
        assert size == true or (not exact and isinstance(size, Expression))
    for element, true in zip(found.value or (), array.reshape(-1), strict=False):
        if element is not None:
            assert element == true or (element != element and true != true)
    assert found.value is None or len(found.value) == array.size


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("folded", [True, False], ids=["all known", "settings known"])
def test_shapes_types_and_values_of_onnx_node_tests(folded):
    seen = set()
    for case in cases_of(RULES):
        (node,) = case.model.graph.node
        operator = RULES[node.domain, node.op_type]
        seen.add(node.op_type)
        for call, expected in calls_of(case, lambda place, tensor: folded or place in operator.settings):  # noqa: B023
            assert call.attributes.keys() <= set(operator.attributes.split()), case.name
            result = operator.rule(call)
            exact = call.op not in DECIDED_BY_DATA and (folded or call.op != "NonZero")
            for place, kind, array in expected:
                check(result.outputs[place], array, kind, exact)
    assert len(seen) > 40


def test_bounds_and_attributes_agree_with_the_registry():
    for (domain, name), operator in RULES.items():
        if domain:
            continue
        versions = sorted(
            (s for s in onnx.defs.get_all_schemas_with_history() if s.name == name and s.domain == ""),
            key=lambda schema: schema.since_version,
        )
        later = [s.since_version for s in versions[1:]] + [99]
        used = [schema for schema, until in zip(versions, later, strict=True) if until > 7]
        many = 2**31 - 1
        attributes = {attribute for schema in used for attribute in schema.attributes}
        least, most = min(s.min_input for s in used), max(s.max_input for s in used)
        assert (operator.inputs[0], operator.inputs[1] or (many if operator.inputs[1] is None else 0)) == (
            least,
            most,
        ), name
        low, high = min(s.min_output for s in used), max(s.max_output for s in used)
        assert (operator.outputs[0], operator.outputs[1] or many) == (low, high), name
        assert set(operator.attributes.split()) == attributes, name


def test_the_reshape_of_an_attention_head_keeps_batch_and_length():
    x = floats(B, S, 768)
    assert run("Reshape", x, known(0, -1, 12, 64)).outputs[0].shape == (B, S, 12, 64)
    assert run("Reshape", x, known(B, S, 12, 64)).outputs[0].shape == (B, S, 12, 64)
    assert run("Reshape", x, known(-1, 768)).outputs[0].shape == (B * S, 768)
    assert run("Reshape", x, known(B, None, 12, 64)).outputs[0].shape == (B, S, 12, 64)
    assert [str(s) for s in run("Reshape", x, known(None, None, 768)).outputs[0].shape] == ["n.size0", "n.size1", "768"]
    assert run("Reshape", floats(4 * B, 6), known(-1, 8)).outputs[0].shape == (3 * B, 8)


def test_a_shape_chain_folds_with_free_sizes():
    """Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as exporters write it."""
    x = floats(B, S, 96)
    shape = run("Shape", x).outputs[0]
    assert shape.value == (B, S, 96)
    batch = run("Gather", shape, known(0, shape=()), axis=0).outputs[0]
    length = run("Gather", shape, known(-2, shape=())).outputs[0]
    assert (batch.value, batch.shape, length.value) == ((B,), (), (S,))
    parts = [run("Unsqueeze", part, known(0)).outputs[0] for part in (batch, length)]
    target = run("Concat", *parts, known(3, 32), axis=0).outputs[0]
    assert target.value == (B, S, 3, 32)
    y = run("Reshape", x, target).outputs[0]
    assert run("Transpose", y, perm=(0, 2, 1, 3)).outputs[0].shape == (B, 3, S, 32)
    assert run("Shape", x, start=-2).outputs[0].value == (S, 96)
    assert run("Size", x).outputs[0].value == (96 * B * S,)
    assert run("Slice", shape, known(1), known(2**63 - 1)).outputs[0].value == (S, 96)


def test_partly_known_elements_stay_partly_known():
    mixed = known(2, None, 5)
    assert run("Concat", mixed, known(S), Tensor(dtype="int64", shape=(2,)), axis=0).outputs[0].value == (
        *(2, None, 5, S),
        *(None, None),
    )
    assert run("Slice", mixed, known(-1), known(-(2**63)), known(0), known(-1)).outputs[0].value == (5, None, 2)
    assert run("Gather", mixed, known(2, None, 0)).outputs[0].value == (5, None, 2)
    assert run("Tile", mixed, known(2)).outputs[0].value == (2, None, 5, 2, None, 5)
    assert run("Pad", mixed, known(1, 0), known(7, shape=())).outputs[0].value == (7, 2, None, 5)
    assert [t.value for t in run("Split", mixed, known(1, 2), wanted=2).outputs] == [(2,), (None, 5)]
    assert run("Expand", known(S, shape=(1, 1)), known(2, 1)).outputs[0].value == (S, S)


def test_casts_are_exact_on_sizes_and_numbers():
    assert run("Cast", known(1.9, -1.9, 3, True, None, dtype="float32"), to=7).outputs[0].value == (1, -1, 3, 1, None)
    assert run("Cast", known(200, -1, shape=(2,)), to=3).outputs[0].value == (-56, -1)
    assert run("Cast", known(S), to=1).outputs[0].value == (S,)
    assert run("Cast", known(0.1, dtype="float64"), to=1).outputs[0].value == (0.10000000149011612,)
    fraction = S * Fraction(1, 2)
    cast = run("Cast", known(fraction, dtype="float32"), to=7).outputs[0].value[0]
    assert str(cast) == "(S//2)"
    lower = run("Cast", known(fraction - 1, dtype="float32"), to=7).outputs[0].value[0]
    assert [substitute(lower, {"S": n}) for n in (1, 2, 3, 5, 8)] == [0, 0, 0, 1, 3]
    assert run("Cast", known(S, S - 1), to=9).outputs[0].value == (True, None)


@given(
    st.integers(0, 7),
    st.sampled_from([-9, -3, -1, 0, 1, 2, 5, 9, 2**63 - 1, -(2**63)]),
    st.sampled_from([-9, -3, -1, 0, 1, 2, 5, 9, 2**63 - 1, -(2**63)]),
    st.sampled_from([1, 2, 3, -1, -2]),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_slices_select_what_onnx_defines(size, start, end, step):
    value = list(range(size))
    first, last = (bound + size if bound < 0 else bound for bound in (start, end))
    low, high = (0, size) if step > 0 else (0, size - 1)
    first, last = min(max(first, low), high), min(max(last, low if step > 0 else -1), high)
    expected = [value[place] for place in range(first, last, step)] if size else []
    cut = [known(start), known(end), known(0), known(step)]
    found = run("Slice", known(*value), *cut).outputs[0]
    assert (found.shape, list(found.value)) == ((len(expected),), expected)
    if size:
        free = run("Slice", floats(S), *cut).outputs[0].shape[0]
        assert substitute(free, {"S": size}) == len(expected)


@given(st.integers(1, 9), st.integers(-4, 4), st.integers(-4, 4), st.sampled_from([1, 2, -1]))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_slice_bounds_may_be_free(size, before, behind, step):
    free = run("Slice", floats(S), known(S + before), known(S - behind), known(0), known(step)).outputs[0].shape[0]
    ends = known(size + before), known(size - behind)
    assert (substitute(free, {"S": size}),) == run("Slice", floats(size), *ends, known(0), known(step)).outputs[0].shape


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_padding_agrees_with_numpy(mode):
    array = np.arange(1, 16).reshape(3, 5)
    pads = ((1, 2), (2, 1))
    expected = np.pad(array, pads, mode=mode)
    found = run("Pad", known(*array.reshape(-1).tolist(), shape=(3, 5)), known(1, 2, 2, 1), None, mode=mode).outputs[0]
    assert (found.shape, list(found.value)) == (expected.shape, expected.reshape(-1).tolist())


def test_movements_of_values_agree_with_numpy():
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    tensor = known(*array.reshape(-1).tolist(), shape=array.shape)
    for order in cartesian(range(3), repeat=3):
        if len(set(order)) == 3:
            found = run("Transpose", tensor, perm=order).outputs[0]
            assert list(found.value) == array.transpose(order).reshape(-1).tolist()
    indices = np.array([[2, 0], [1, -1]])
    found = run("Gather", tensor, known(2, 0, 1, -1, shape=(2, 2)), axis=1).outputs[0]
    expected = np.take(array, indices, axis=1)
    assert (found.shape, list(found.value)) == (expected.shape, expected.reshape(-1).tolist())


def test_what_a_movement_keeps():
    sum_ = Accumulation(8, format_of_dtype("int8"), format_of_dtype("int8"))
    fixed = Fixed(bits=4, integer=4)
    x = Tensor(dtype="float32", shape=(2, 6), constant=True, format=fixed, accumulator=sum_, stored=frozenset({"w"}))
    y = run("Reshape", x, known(3, 4)).outputs[0]
    assert (y.format, y.constant, y.stored, y.accumulator) == (fixed, True, {"w"}, sum_)
    chosen = run("Gather", x, Tensor(dtype="int64", shape=(S,))).outputs[0]
    assert (chosen.shape, chosen.format, chosen.constant, chosen.accumulator) == ((S, 6), fixed, False, None)
    cut = run("Slice", x, known(0), known(1)).outputs[0]
    assert (cut.constant, cut.stored, cut.accumulator) == (True, {"w"}, None)
    both = run("Concat", x, floats(2, 1), axis=1).outputs[0]
    assert (both.shape, both.format, both.stored) == ((2, 7), format_of_dtype("float32"), {"w"})
    assert run("Cast", x, to=10).outputs[0].format == fixed
    assert run("Cast", x, to=7).outputs[0].format is None


def test_unknown_shapes_stay_free_of_cost():
    for name, inputs in (("Transpose", ()), ("Slice", (known(0), known(1))), ("Gather", (known(0),)), ("Squeeze", ())):
        result = run(name, Tensor(dtype="float32"), *inputs)
        assert (result.outputs[0].shape, result.outputs[0].dtype, result.free) == (None, "float32", "data movement")


def test_contradictions_are_refused():
    x = floats(2, 3, 4)
    assert refusal("Reshape", x, known(5, -1)) == "[2,3,4] holds 24 elements, [5,-1] groups of 5 [E-RESHAPE-TOTAL]"
    assert refusal("Reshape", x, known(5, 5)) == "[2,3,4] holds 24 elements, [5,5] asks for 25 [E-RESHAPE-TOTAL]"
    assert refusal("Reshape", x, known(-1, -1)) == "shape [-1,-1] holds -1 more than once [E-RESHAPE-REST]"
    assert refusal("Reshape", x, known(-2)) == "input 1 asks for size -2, expected -1 or more [E-SIZE]"
    assert refusal("Transpose", x, perm=(0, 1)) == "perm [0,1] is no order of the 3 axes of [2,3,4] [E-TRANSPOSE-PERM]"
    assert refusal("Squeeze", x, known(1)) == "axis 1 of [2,3,4] has size 3, expected 1 [E-SQUEEZE-SIZE]"
    assert refusal("Unsqueeze", x, known(0, 0)) == "axes [0,0] name an axis twice [E-AXES-REPEATED]"
    assert refusal("Gather", x, known(2), axis=0) == "index 2 is outside an axis of size 2 [E-INDEX]"
    assert refusal("Gather", x, known(0), axis=3) == "axis 3 is outside -3..2 [E-AXIS]"
    assert refusal("Concat", x, floats(2, 3, 5), axis=1) == "shapes [2,3,4], [2,3,5] differ on axis 2 [E-CONCAT-SIZE]"
    assert refusal("Expand", x, known(3, 3, 4)) == "shapes [2,3,4] and [3,3,4] do not broadcast [E-EXPAND-SHAPE]"
    assert refusal("Tile", x, known(2)) == "1 repeats for the 3 axes of [2,3,4] [E-TILE-REPEATS]"
    assert (
        refusal("Pad", x, known(0, 0, 0, 0, -4, 0))
        == "pads [0,0,0,0,-4,0] cut axis 1 of [2,3,4] to size -1 [E-PAD-SIZE]"
    )
    assert refusal("Split", x, known(1, 2), axis=2) == "split [1,2] sums to 3, the axis has size 4 [E-SPLIT-TOTAL]"
    assert refusal("Slice", x, known(0), known(1), known(0), known(0)) == (
        "the step on axis 0 is 0, expected a step forwards or backwards [E-SLICE-STEP]"
    )
    assert refusal("DepthToSpace", floats(1, 6, 2, 2), blocksize=2) == "channels 6 are no multiple of 4 [E-BLOCK-SIZE]"


def test_split_of_a_free_axis():
    assert [t.shape for t in run("Split", floats(3 * S), wanted=3).outputs] == [(S,)] * 3
    halves = [t.shape[0] for t in run("Split", floats(S), num_outputs=2, wanted=2).outputs]
    assert [[substitute(part, {"S": n}) for part in halves] for n in (4, 7)] == [[2, 2], [4, 3]]


TWINS = [
    ("Pad", {"mode": "reflect"}, [[1, 2, 3], [1, 2]]),
    ("Pad", {}, [[[1, 2], [3, 4]], [0, 1, 1, 0], [7]]),
    ("Range", {}, [2, 9]),
    ("Range", {}, [9, 2, -3]),
    ("Trilu", {"upper": 0}, [[[1, 2], [3, 4]], -1]),
    ("GatherND", {}, [[[1, 2], [3, 4]], [[1], [0]]]),
    ("ExpandDims", {}, [[[1, 2], [3, 4]], -2]),
    ("ExpandDims", {}, [[[1, 2], [3, 4]], 0]),
    ("Unique", {}, [[2, 1, 1, 3]]),
]


@pytest.mark.parametrize(("op", "attributes", "given"), TWINS)
def test_the_twins_of_the_runtime_answer_like_it(op, attributes, given):
    kinds = {"Unique": ["float32"], "ExpandDims": ["int64", "int32"]}.get(op, ["int64"] * 3)
    kinds = ["float32", "int64", "float32"] if op == "Pad" else kinds
    arrays = [np.array(array, kind) for array, kind in zip(given, kinds, strict=False)]
    found = by_runtime(op, arrays, 3 if op == "Unique" else 1, **attributes)
    inputs = [known(*a.ravel().tolist(), shape=a.shape, dtype=str(a.dtype)) for a in arrays]
    outputs = run(op, *inputs, domain="com.microsoft", wanted=len(found), **attributes).outputs
    for output, array in zip(outputs, found, strict=True):
        assert tuple(substitute(size, {"n.count": 3}) for size in output.shape) == array.shape
        assert output.dtype == str(array.dtype)
        assert output.value is None or list(output.value) == array.ravel().tolist()
    assert op in ("Unique", "Trilu") or outputs[0].value is not None
