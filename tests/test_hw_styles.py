"""Styles of shift-add kernels: binary and canonical digits, and sums that share partial sums."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import nncomplexity as nc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import UsageError
from nncomplexity.formats import Fixed
from nncomplexity.hw import da, verify
from nncomplexity.hw.bundles import UnsupportedLayer
from nncomplexity.hw.evaluation import evaluate
from nncomplexity.hw.kernels import Netlist
from nncomplexity.hw.netlist import Graph, Operand, Operation, Port
from nncomplexity.hw.plans import Output, Plan, Step, planned, rows_of, shared_plan
from nncomplexity.hw.proof import adders
from nncomplexity.hw.styles import STYLES
from nncomplexity.hw.tools import ToolError
from nncomplexity.hw.trees import binary_digits
from nncomplexity.ops import Kind, Role
from nncomplexity.weights.digits import binary_digits as counted_digits
from nncomplexity.weights.trees import binary_trees, digit_trees

embedded = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")
solver = pytest.mark.skipif(find_spec("da4ml") is None, reason="da4ml is not installed")

LAYERS: dict[str, Any] = {
    "dense": nc.Dense(inputs=5, units=3),
    "conv2d": nc.Conv2D(height=5, width=4, channels=2, filters=3, kernel_size=(3, 2)),
    "gru": nc.GRU(steps=4, inputs=3, hidden=2),
    "lstm with peepholes": nc.LSTM(steps=4, inputs=2, hidden=2, peepholes=True),
}
SEARCHES = ["shared", pytest.param("da", marks=solver)]


@embedded
@pytest.mark.parametrize("quant", ["w8a6", "w:pot4,a5", "w:apot6x2,a5", "w:ufixed<5,2>,a4"])
@pytest.mark.parametrize("style", ["binary", *SEARCHES])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_counts_are_equal(name: str, style: str, quant: str) -> None:
    verdict = verify(LAYERS[name], quant=quant, style=style, vectors=20)
    assert verdict, verdict.first_difference
    assert verdict.style == style
    if style == "binary":
        assert verdict.adders_alone is None
    else:
        assert verdict.adders_alone is not None and verdict.adders <= verdict.adders_alone


@embedded
@solver
def test_the_verdict_names_the_inventory_it_was_compared_with() -> None:
    said = {style: verify(LAYERS["dense"], quant="w4a4", style=style, vectors=5).counted_by for style in STYLES}
    listed = said.pop("da")
    assert listed.startswith("operations listed by da4ml ")
    assert said == {style: f"exact convention, {style}" for style in STYLES if style != "da"}


@pytest.mark.parametrize("value", [0, 1, -1, 2, 7, -7, 12, -128, 127, 3 << 70])
def test_binary_digits_are_the_bits_of_the_magnitude(value: int) -> None:
    found = binary_digits(value)
    assert sum(sign << exponent for exponent, sign in found) == value
    assert len(found) == bin(value).count("1")
    assert len({sign for _, sign in found}) <= 1
    assert tuple(found) == counted_digits(value)


def test_binary_trees_by_hand() -> None:
    """3x and -5x of one input: 2 + 2 digits, one addition of the positive and one of the negated sum."""
    one = binary_trees([np.array([[3], [-5]])], -8, 7)
    # 3x is in -24..21, 5x in -40..35; the lower digit's exponents 0 leave no low zero but those of the higher one.
    assert one.additions == {(False, 6, 1): 1, (False, 7, 2): 1}
    assert one.negations == {7: 1}
    # 7x - 1y: x + 2x, then 4x - y, then both.
    other = binary_trees([np.array([[7, -1]])], 0, 1)
    assert other.additions == {(False, 3, 1): 1, (True, 4, 2): 1, (False, 4, 0): 1}


def test_weights_beyond_64_bits() -> None:
    matrix = np.array([[3 << 70, -5], [1, 1 << 66]], object)
    assert binary_trees([matrix], -8, 7).adders == 3 + 1


def drawn_matrices() -> st.SearchStrategy[tuple[int, list[list[int]]]]:
    """Bits, and a matrix [outputs, terms] of weights of so many."""

    def rows(bits: int, terms: int) -> st.SearchStrategy[tuple[int, list[list[int]]]]:
        weight = st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
        matrix = st.lists(st.lists(weight, min_size=terms, max_size=terms), min_size=1, max_size=6)
        return st.tuples(st.just(bits), matrix)

    return st.tuples(st.integers(2, 9), st.integers(1, 7)).flatmap(lambda sizes: rows(*sizes))


def counts_of(style: str, matrix: list[list[int]], interval: tuple[int, int]) -> int:
    """Additions of a kernel W x of a style."""
    return adders(kernel(style, matrix, interval).inventory())


def kernel(style: str, matrix: list[list[int]], interval: tuple[int, int]) -> Graph:
    """The netlist of W x, no bias."""
    bits = 12
    netlist = Netlist(style, {"weight": [weight for row in matrix for weight in row]})
    terms = len(matrix[0])
    width = interval[1].bit_length() + 1
    x = netlist.variable(terms, Fixed(bits=width, integer=width))
    weight = netlist.constant(len(matrix) * terms, Fixed(bits=bits, integer=bits), "weight")
    netlist.graph.output("y0", netlist.dot(x, weight, terms=terms, outputs=len(matrix), role=Role.INPUT).nodes)
    return netlist.graph


@settings(max_examples=150, deadline=None, derandomize=True)
@given(drawn_matrices())
def test_bound_binary_canonical_shared(drawn: tuple[int, list[list[int]]]) -> None:
    """Every step down the list leaves no more additions, whatever the weights."""
    bits, matrix = drawn
    bound = len(matrix) * len(matrix[0]) * bits - len(matrix)
    found = [counts_of(style, matrix, (-8, 7)) for style in ("binary", "shiftadd", "shared")]
    assert [bound, *found] == sorted([bound, *found], reverse=True)
    trees = [grow([np.array(matrix)], -8, 7).adders for grow in (binary_trees, digit_trees)]
    assert found[:2] == trees


@solver
@settings(max_examples=60, deadline=None, derandomize=True)
@given(drawn_matrices())
def test_the_solver_never_takes_more_than_canonical_digits(drawn: tuple[int, list[list[int]]]) -> None:
    _, matrix = drawn
    assert counts_of("da", matrix, (-8, 7)) <= counts_of("shiftadd", matrix, (-8, 7))


@pytest.mark.parametrize("style", SEARCHES)
@pytest.mark.parametrize("matrix", [[[0, 0], [0, 0]], [[4, 0], [0, 0]], [[0, -8]], [[-1], [1], [-1]], [[5, 5], [5, 5]]])
def test_rows_and_columns_of_zeros(style: str, matrix: list[list[int]]) -> None:
    graph, x = kernel(style, matrix, (-8, 7)), np.array([[-8, 7][: len(matrix[0])], [3, -5][: len(matrix[0])]])
    assert (evaluate(graph, {"x0": x})["y0"] == x @ np.array(matrix).T).all()


@pytest.mark.parametrize("style", SEARCHES)
def test_a_plan_is_the_matrix_it_was_made_for(style: str) -> None:
    random = np.random.default_rng(11)
    search = shared_plan if style == "shared" else da.da_plan
    for bits in range(2, 12):
        shape = random.integers(1, 9, 2)
        rows = random.integers(-(1 << bits - 1), 1 << bits - 1, shape).tolist()
        matrix = tuple(map(tuple, rows))
        assert rows_of(search(matrix, (-128, 127))) == matrix


def test_a_plan_of_another_matrix_is_refused() -> None:
    def wrong(weights: Any, interval: tuple[int, int]) -> Plan:
        step = Step(Kind.SUBTRACT, Operand(0), Operand(1, 1))
        return Plan(inputs=2, steps=(step,), outputs=(Output(Operand(2)),))

    graph = Graph()
    wires = graph.port(Port("x0", 2, 4, False, -8, 7, 0))
    (root,) = planned(graph, wrong, [wires], [(1, -2)], (-8, 7), Role.INPUT)
    assert root is not None and graph.nodes[root.node].operation is Operation.SUBTRACT
    with pytest.raises(ToolError) as found:
        planned(graph, wrong, [wires], [(1, 2)], (-8, 7), Role.INPUT)
    assert str(found.value) == (
        "the search for shared sums gave a graph of another matrix; choose shiftadd [E-DA-KERNEL]"
    )


def test_without_the_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(da, "find_spec", lambda name: None)
    da.da_plan.cache_clear()
    da._solved.cache_clear()
    with pytest.raises(ToolError) as found:
        verify(LAYERS["dense"], quant="w4a4", style="da", vectors=5)
    assert str(found.value) == "style da needs the solver da4ml: pip install nncomplexity[da] [E-TOOL-MISSING]"
    assert found.value.exit_code == 5


@solver
def test_limits_of_the_solver() -> None:
    with pytest.raises(UnsupportedLayer) as found:
        da.da_plan(((1 << 24, 1),), (0, 1))
    assert str(found.value) == (
        "the solver da4ml takes up to 16384 weights of up to 24 bits; choose style shiftadd or shared [E-KERNEL-LAYER]"
    )


def test_limits_of_the_search() -> None:
    weights = tuple(tuple(int(value) for value in row) for row in np.full((150, 150), 0x5555))
    with pytest.raises(UnsupportedLayer) as found:
        shared_plan(weights, (0, 1))
    assert str(found.value) == (
        "its weights have more digits than are searched for what they share; choose shiftadd [E-KERNEL-LAYER]"
    )


def test_an_unknown_style() -> None:
    with pytest.raises(UsageError) as found:
        Netlist("csd")
    assert str(found.value) == ("there is no style 'csd'; choose mac, shiftadd, binary, shared, da [E-KERNEL-STYLE]")
