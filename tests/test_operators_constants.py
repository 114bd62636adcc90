"""Constants, filled tensors, ranges and sizes; sequences and strings beside them."""

from __future__ import annotations

import numpy as np
import pytest
from nncomplexity.accounting import count
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators import text
from nncomplexity.ops import Kind
from nncomplexity.shapes import FOLDED, Tensor
from reference.calls import caller, known, refusals

S = symbol("S")
run = caller("constants", "sequence", "text")
refusal = refusals(run)


def one(name, *inputs, **attributes) -> Tensor:
    return run(name, *inputs, **attributes).outputs[0]


def scalar(value, dtype="int64") -> Tensor:
    return known(value, shape=(), dtype=dtype)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"value_int": 3}, ("int64", (), (3,))),
        ({"value_ints": (3, 4)}, ("int64", (2,), (3, 4))),
        ({"value_ints": ()}, ("int64", (0,), ())),
        ({"value_float": 0.5}, ("float32", (), (0.5,))),
        ({"value_floats": (0.5,)}, ("float32", (1,), (0.5,))),
        ({"value_string": "a"}, ("string", (), ("a",))),
        ({"value_strings": ("a", "b")}, ("string", (2,), ("a", "b"))),
        ({"value": Tensor(dtype="int8", shape=(2, 2))}, ("int8", (2, 2), None)),
        ({"sparse_value": Tensor(dtype="float32", shape=(9,))}, ("float32", (9,), None)),
    ],
)
def test_constants_in_every_form(attributes, expected):
    found = one("Constant", **attributes)
    assert (found.dtype, found.shape, found.value, found.constant) == (*expected, True)


def test_constants_are_refused_without_one_value():
    assert refusal("Constant") == "exactly one value attribute is expected, found none [E-CONSTANT-VALUE]"
    assert refusal("Constant", value_int=1, value_float=1.0) == (
        "exactly one value attribute is expected, found value_int, value_float [E-CONSTANT-VALUE]"
    )
    assert refusal("Constant", value=1) == "attribute 'value' is of another kind than its name says [E-ATTRIBUTE-TYPE]"


def test_filled_tensors_fold_up_to_a_limit():
    fill = known(7, dtype="int32")
    assert one("ConstantOfShape", known(2, 2), value=fill).value == (7,) * 4
    assert one("ConstantOfShape", known()).value == (0.0,)
    assert one("ConstantOfShape", known(FOLDED + 1), value=fill).value is None
    assert one("ConstantOfShape", known(S, 2), value=fill).shape == (S, 2)
    assert [str(size) for size in one("ConstantOfShape", known(None, 2)).shape] == ["n.size0", "2"]
    assert one("ConstantOfShape", Tensor(dtype="int64")).shape is None
    assert refusal("ConstantOfShape", known(-1)) == "input 0 asks for size -1, expected 0 or more [E-SIZE]"


@pytest.mark.parametrize("bounds", [(0, 9, 2), (3, 3, 1), (5, 0, 1), (10, 4, -3), (0.0, 1.0, 0.25), (1.5, -1.0, -0.5)])
def test_ranges_agree_with_numpy(bounds):
    expected = np.arange(*bounds).tolist()
    found = one("Range", *(scalar(b, "float64") for b in bounds))
    assert (found.shape, list(found.value)) == ((len(expected),), expected)


def test_ranges_of_free_sizes():
    length = one("Range", scalar(1), scalar(S), scalar(2)).shape[0]
    back = one("Range", scalar(S), scalar(-1), scalar(-3)).shape[0]
    for size in range(1, 9):
        assert substitute(length, {"S": size}) == len(range(1, size, 2))
        assert substitute(back, {"S": size}) == len(range(size, -1, -3))
    assert one("Range", scalar(0), scalar(S), scalar(1)).shape == (S,)
    assert one("Range", scalar(0.0, "float32"), scalar(S, "float32"), scalar(1.0, "float32")).shape == (S,)
    assert one("Range", scalar(S), scalar(S + 2), scalar(1)).value == (S, S + 1)
    assert str(one("Range", scalar(0), Tensor(dtype="int64", shape=()), scalar(1)).shape[0]) == "n.count"
    assert refusal("Range", scalar(0), scalar(3), scalar(0)) == (
        "delta is 0, expected a step forwards or backwards [E-RANGE-DELTA]"
    )
    assert one("Range", scalar(0), scalar(10**30), scalar(1)).shape == (10**30,)


def test_where_numbers_are_not_zero():
    array = np.array([[0, 2, 0], [5, 0, 1]])
    found = one("NonZero", known(*array.reshape(-1).tolist(), shape=(2, 3)))
    expected = np.array(np.nonzero(array))
    assert (found.shape, list(found.value)) == (expected.shape, expected.reshape(-1).tolist())
    result = run("NonZero", Tensor(dtype="float32", shape=(S, 3)))
    assert str(result.outputs[0].shape) == "(2, n.count)"
    assert [(op.kind, times) for op, times in count(result.work)] == [(Kind.COMPARE, 3 * S)]
    assert run("NonZero", Tensor(dtype="bool", shape=(S, 3))).free == "data movement"


def test_one_hot_depth_may_be_a_number_or_a_free_size():
    off_on = Tensor(dtype="float32", shape=(2,))
    indices = Tensor(dtype="int64", shape=(S, 3))
    assert one("OneHot", indices, scalar(5), off_on, axis=1).shape == (S, 5, 3)
    assert one("OneHot", indices, known(5.0, dtype="float32"), off_on).shape == (S, 3, 5)
    assert str(one("OneHot", indices, Tensor(dtype="int64", shape=()), off_on).shape[-1]) == "n.depth"
    assert refusal("OneHot", indices, scalar(-1), off_on) == "depth is -1, expected 0 or more [E-ONE-HOT]"


def test_the_shape_of_an_unknown_shape_has_a_rank_of_its_own():
    found = one("Shape", Tensor(dtype="float32"))
    assert (str(found.shape), found.value, found.dtype) == ("(n.rank,)", None, "int64")


def test_sequences_know_their_length_and_what_they_hold():
    x = Tensor(dtype="float32", shape=(2, S))
    three = one("SequenceConstruct", x, x, x)
    assert (three.length, three.item.shape) == (3, (2, S))
    assert one("SequenceLength", three).value == (3,)
    assert one("SequenceAt", three, scalar(1)).shape == (2, S)
    assert one("ConcatFromSequence", three, axis=-1).shape == (2, 3 * S)
    assert one("ConcatFromSequence", three, axis=0, new_axis=1).shape == (3, 2, S)
    assert one("SequenceErase", three).length == 2
    grown = one("SequenceInsert", one("SequenceEmpty", dtype=1), x)
    assert (grown.length, grown.item.shape) == (1, (2, S))
    parts = one("SplitToSequence", Tensor(dtype="float32", shape=(4, 6 * S)), scalar(2), axis=1)
    assert (parts.length, parts.item.shape) == (3 * S, (4, 2))
    rows = one("SplitToSequence", Tensor(dtype="float32", shape=(S, 6)), keepdims=0)
    assert (rows.length, rows.item.shape) == (S, (6,))
    assert refusal("SequenceAt", three, scalar(3)) == "position 3 is outside a sequence of 3 [E-SEQUENCE-POSITION]"


def test_optionals():
    x = Tensor(dtype="float32", shape=(2,))
    empty, maybe = one("Optional"), Tensor(dtype="optional", item=x)
    assert one("OptionalGetElement", one("Optional", x)) == x
    assert one("OptionalGetElement", maybe) == x
    asked = [one("OptionalHasElement", *given).value for given in ((), (empty,), (x,), (maybe,))]
    assert asked == [(False,), (False,), (True,), None]
    assert refusal("OptionalGetElement", empty) == "the optional holds nothing [E-OPTIONAL-EMPTY]"


def test_text_is_shaped():
    words = Tensor(dtype="string", shape=(S, 4))
    assert str(one("StringSplit", words).shape) == "(S, 4, n.parts)"
    assert one("StringConcat", words, Tensor(dtype="string", shape=(1, 4))).shape == (S, 4)
    assert one("TfIdfVectorizer", Tensor(dtype="int32", shape=(S, 9)), ngram_indexes=(3, 0, 6)).shape == (S, 7)
    assert refusal("StringNormalizer", words) == "input 0 has shape [S,4], expected [C] or [1,C] [E-TEXT-SHAPE]"
    for operator in text.OPERATORS:
        assert (operator.free is None) != (operator.uncountable is None)
