"""Einsum against a loop nest over all its indices."""

from __future__ import annotations

from itertools import product as cartesian

import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from reference import totals as by_name
from reference.calls import caller, tensor


def run(equation, *shapes):
    return caller("einsum")("Einsum", *(tensor(*shape) for shape in shapes), equation=equation)


def totals(result, convention="paper"):
    found = {} if result.work is None else by_name.totals(result, convention)
    return tuple(found.get(name, 0) for name in ("rm", "mac", "add"))


def nest(operands, result, sizes):
    """Products and additions of the loop nest; sizes per index letter."""
    labels = sorted(set("".join(operands)))
    sums: dict[tuple[int, ...], int] = {}
    products = additions = 0
    for point in cartesian(*(range(sizes[label]) for label in labels)):
        for _ in operands[1:]:
            products += 1
        key = tuple(point[labels.index(label)] for label in result)
        additions += key in sums
        sums[key] = 1
    return products, products, additions


# equation, shapes, the same with ellipses written out, sizes, shape of the result
CASES = [
    ("ij,jk->ik", [(3, 5), (5, 7)], ["ij", "jk"], "ik", {"i": 3, "j": 5, "k": 7}),
    ("ij,jk", [(3, 5), (5, 7)], ["ij", "jk"], "ik", {"i": 3, "j": 5, "k": 7}),
    ("bij, bjk -> bik", [(2, 3, 4), (2, 4, 5)], ["bij", "bjk"], "bik", {"b": 2, "i": 3, "j": 4, "k": 5}),
    ("...ij,...jk->...ik", [(6, 3, 4), (4, 5)], ["xij", "jk"], "xik", {"x": 6, "i": 3, "j": 4, "k": 5}),
    ("...i,...i", [(2, 3, 5), (3, 5)], ["xyi", "yi"], "xy", {"x": 2, "y": 3, "i": 5}),
    ("a,b,c->abc", [(2,), (3,), (5,)], ["a", "b", "c"], "abc", {"a": 2, "b": 3, "c": 5}),
    ("ab,bc,cd->ad", [(2, 3), (3, 5), (5, 4)], ["ab", "bc", "cd"], "ad", {"a": 2, "b": 3, "c": 5, "d": 4}),
    ("i,i", [(5,), (5,)], ["i", "i"], "", {"i": 5}),
    ("ii->i", [(4, 4)], ["i"], "i", {"i": 4}),
    ("ii", [(4, 4)], ["i"], "", {"i": 4}),
    ("ij->ji", [(3, 4)], ["ij"], "ji", {"i": 3, "j": 4}),
    ("...ij->...i", [(2, 3, 4)], ["xij"], "xi", {"x": 2, "i": 3, "j": 4}),
    ("ij,ij->i", [(3, 1), (3, 5)], ["ij", "ij"], "i", {"i": 3, "j": 5}),
    ("iij,j->i", [(3, 3, 5), (5,)], ["ij", "j"], "i", {"i": 3, "j": 5}),
    ("bA,Ab", [(2, 3), (3, 2)], ["bA", "Ab"], "", {"A": 3, "b": 2}),
    ("ba,Cb", [(2, 3), (4, 2)], ["ba", "Cb"], "Ca", {"a": 3, "b": 2, "C": 4}),
    ("ij,k->ik", [(3, 0), (2,)], ["ij", "k"], "ik", {"i": 3, "j": 0, "k": 2}),
    ("->", [()], [""], "", {}),
    ("...->", [(2, 3)], ["xy"], "", {"x": 2, "y": 3}),
    (",->", [(), ()], ["", ""], "", {}),
]


@pytest.mark.parametrize(("equation", "shapes", "operands", "result", "sizes"), CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_counts_what_the_loop_nest_does(equation, shapes, operands, result, sizes, convention):
    found = run(equation, *shapes)
    assert found.outputs[0].shape == tuple(sizes[label] for label in result)
    assert totals(found, convention) == nest(operands, result, sizes)


def test_movement_is_free():
    assert run("ij->ji", (3, 4)).free == "data movement"


def test_symbolic_is_integer_at_every_size():
    b, n, d = symbol("b"), symbol("n"), symbol("d")
    free = run("...nd,...md,dk->...nmk", (b, n, d), (b, 1, n, d), (d, 3))
    for values in ({"b": 1, "n": 1, "d": 1}, {"b": 3, "n": 5, "d": 7}):
        i, j, k = values.values()
        concrete = run("...nd,...md,dk->...nmk", (i, j, k), (i, 1, j, k), (k, 3))
        assert tuple(substitute(size, values) for size in free.outputs[0].shape) == concrete.outputs[0].shape
        assert tuple(substitute(total, values) for total in totals(free)) == totals(concrete)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("ij,jk", (3, 4)), "equation 'ij,jk' has 2 terms for 1 inputs [E-EINSUM-OPERANDS]"),
        (("ij,jk->ik", (3, 4), (5, 2)), "index 'j' has sizes 4 and 5 [E-EINSUM-SIZE]"),
        (("ii", (3, 4)), "index 'i' of input 0 has sizes 3 and 4 [E-EINSUM-SIZE]"),
        (("ijk", (3, 4)), "input 0 has rank 2, its term names 3 indices [E-EINSUM-RANK]"),
        (("i", (3, 4)), "input 0 has rank 2, its term names 1 indices [E-EINSUM-RANK]"),
        (("i->k", (3,)), "index 'k' of the result of 'i->k' is in no term [E-EINSUM-EQUATION]"),
        (("i->ii", (3,)), "equation 'i->ii' repeats an index in its result [E-EINSUM-EQUATION]"),
        (("i1", (3, 1)), "equation 'i1' has '1' where a letter is expected [E-EINSUM-EQUATION]"),
        (("......i", (3, 1)), "equation '......i' has '.' where a letter is expected [E-EINSUM-EQUATION]"),
        (("i->j->k", (3,)), "equation 'i->j->k' has '-' where a letter is expected [E-EINSUM-EQUATION]"),
        (("...i,...j", (2, 3), (4, 5)), "index '...' has sizes 2 and 4 [E-EINSUM-SIZE]"),
        (("i" * 10_001, (3,)), "an equation of 10001 characters exceeds 10000 [E-EINSUM-LENGTH]"),
    ],
)
def test_malformed_equations_are_refused(call, text):
    with pytest.raises(ModelError) as caught:
        run(*call)
    assert str(caught.value) == text


def test_a_crafted_equation_does_not_hang():
    equation = ",".join("abcdefghijklmnopqrstuvwxyz" for _ in range(300))
    huge = run(equation + "->", *[(2**60,) * 26] * 300)
    assert totals(huge)[0] == 299 * 2 ** (60 * 26)
