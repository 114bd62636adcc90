"""Matrix products, float and quantized, against loops that count what they do."""

from __future__ import annotations

from itertools import product as cartesian

import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.formats import Accumulation, parse_format
from nncomplexity.operators.rule import Uncounted
from nncomplexity.ops import PRODUCTS, Kind, Role
from nncomplexity.shapes import Tensor
from reference.calls import caller
from reference.calls import tensor as T
from reference.totals import totals

MS = "com.microsoft"


run = caller("linear", "linear_quantized")


def looped(left, right):
    """numpy's matmul by loops: the shape, products and additions."""
    a = (1, *left) if len(left) == 1 else left
    b = (*right, 1) if len(right) == 1 else right
    rank = max(len(a), len(b))
    a_batch, b_batch = ((1,) * (rank - len(s)) + tuple(s[:-2]) for s in (a, b))
    batch = [max(x, y) if 0 not in (x, y) else 0 for x, y in zip(a_batch, b_batch, strict=True)]
    products = additions = 0
    for _ in cartesian(*map(range, (*batch, a[-2], b[-1]))):
        terms = 0
        for _ in range(a[-1]):
            products += 1
            terms += 1
        additions += max(0, terms - 1)
    shape = (*batch, *a[-2:-1][: len(left) > 1], *b[-1:][: len(right) > 1])
    return shape, products, additions


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 5), (5, 7)),
        ((5,), (5,)),
        ((5,), (5, 7)),
        ((3, 5), (5,)),
        ((6, 1, 3, 4), (5, 4, 7)),
        ((4,), (2, 4, 7)),
        ((2, 3, 4), (4,)),
        ((3, 0), (0, 2)),
        ((0, 3, 2), (2, 5)),
        ((3, 1), (1, 2)),
    ],
)
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_matmul_counts_what_loops_do(left, right, convention):
    result = run("MatMul", T(*left), T(*right, constant=True))
    shape, products, additions = looped(left, right)
    assert result.outputs[0].shape == shape
    found = totals(result, convention)
    assert (found["rm"], found["mac"], found["add"]) == (products, products, additions)


def test_broadcast_matmuls_and_a_gemm_of_the_literature():
    assert totals(run("MatMul", T(6, 1, 3, 4), T(5, 4, 7)))["mac"] == 2520
    gemm = run("Gemm", T(11, 2), T(9, 11), T(9), transA=1, transB=1, alpha=0.5, beta=2.0)
    assert gemm.outputs[0].shape == (2, 9)
    assert totals(gemm) == {"rm": 198 + 2 * 18, "mac": 198, "add": 18 * 10 + 18, "cmp": 0, "act": 0}


def test_gemm_bias_absent_or_of_beta_zero_adds_nothing():
    assert totals(run("Gemm", T(2, 3), T(3, 5)))["add"] == 10 * 2
    assert totals(run("Gemm", T(2, 3), T(3, 5), T(5), beta=0.0))["add"] == 10 * 2
    assert run("Gemm", T(2, 3), T(3, 5)).outputs[0].accumulator == Accumulation(3, T().number, T().number)
    assert run("Gemm", T(2, 3), T(3, 5), T(5)).outputs[0].accumulator is None


def test_dense_oracle_through_gemm():
    """BOP of a dense layer 64 -> 16 at 8 bits with bias: 88064."""
    eight = parse_format("fixed<8,1>")
    gemm = run("Gemm", T(1, 64, format=eight), T(64, 16, constant=True, format=eight), T(16, constant=True))
    bop = count(gemm.work).total(
        lambda op: op.left.bits * op.right.bits if op.kind in PRODUCTS else op.result.bits if op.kind is Kind.ADD else 0
    )
    assert bop == 88064


def test_constant_operand_is_the_weight_on_either_side():
    left = run("MatMul", T(3, 5, constant=True, dtype="int8"), T(5, 2))
    assert str(left.formats["weight"]) == "fixed<8,8>"
    assert {op.role for op, _ in count(left.work)} == {Role.INPUT}
    assert {op.role for op, _ in count(run("MatMul", T(3, 5), T(5, 2)).work)} == {Role.CONTRACTION}


def test_symbolic_is_integer_at_every_size():
    batch, rows, terms = symbol("batch"), symbol("rows"), symbol("terms")
    free = run("Gemm", T(rows, terms), T(7, terms), T(7), transB=1)
    many = run("MatMul", T(batch, 1, rows, terms), T(3, terms, 2))
    for b, r, t in ((1, 1, 1), (2, 3, 5), (4, 1, 9)):
        values = {"batch": b, "rows": r, "terms": t}
        ints = run("Gemm", T(r, t), T(7, t), T(7), transB=1), run("MatMul", T(b, 1, r, t), T(3, t, 2))
        for symbolic, concrete in zip((free, many), ints, strict=True):
            assert {k: substitute(v, values) for k, v in totals(symbolic).items()} == totals(concrete)
            assert tuple(substitute(s, values) for s in symbolic.outputs[0].shape) == concrete.outputs[0].shape


def test_quantized_twins_have_the_products_of_the_float_one():
    a, b, scale, zero = T(3, 5, dtype="uint8"), T(5, 7, dtype="int8", constant=True), T(), T(dtype="int8")
    calls = {
        "int32": run("MatMulInteger", a, b),
        "int8": run("QLinearMatMul", a, scale, zero, b, scale, zero, scale, zero),
        "float32": run("MatMulIntegerToFloat", a, b, scale, scale, domain=MS),
    }
    for dtype, result in calls.items():
        assert (result.outputs[0].dtype, result.outputs[0].shape) == (dtype, (3, 7))
        assert totals(result) == {"rm": 105, "mac": 105, "add": 84, "cmp": 0, "act": 0}
        assert str(result.formats["weight"]) == "fixed<8,8>" and str(result.formats["input"]) == "ufixed<8,8>"
    dynamic = run("DynamicQuantizeMatMul", T(3, 5), b, scale, None, T(7), domain=MS)
    assert dynamic.outputs[0].dtype == "float32" and str(dynamic.formats["input"]) == "ufixed<8,8>"
    assert totals(dynamic)["add"] == 84 + 21


def test_qgemm_is_typed_by_its_zero_point():
    a, b, scale, zero = T(5, 3, dtype="uint8"), T(7, 5, dtype="int8"), T(), T(dtype="uint8")
    bare = run("QGemm", a, scale, zero, b, scale, zero, domain=MS, transA=1, transB=1, alpha=0.25)
    full = run("QGemm", a, scale, zero, b, scale, zero, T(7, dtype="int32"), scale, zero, domain=MS, transA=1, transB=1)
    assert (bare.outputs[0].dtype, full.outputs[0].dtype) == ("float32", "uint8")
    assert totals(bare) == {"rm": 105, "mac": 105, "add": 84, "cmp": 0, "act": 0}
    assert totals(full)["add"] == 105


def test_packed_weights():
    a, packed = T(2, 3, 33), T(7, 3, 8, dtype="uint8", constant=True)
    sizes = {"K": 33, "N": 7, "bits": 4, "block_size": 16}
    plain = run("MatMulNBits", a, packed, T(7, 3), domain=MS, **sizes)
    assert plain.outputs[0].shape == (2, 3, 7) and str(plain.formats["weight"]) == "fixed<4,4>"
    assert totals(plain)["mac"] == 6 * 33 * 7
    omitted = run("MatMulNBits", a, T(0, 3, 8, dtype="uint8"), T(0), None, None, T(7), domain=MS, **sizes)
    assert totals(omitted) == {"rm": 0, "mac": 0, "add": 42, "cmp": 0, "act": 0}
    bnb = run("MatMulBnb4", a, T(116, 1, dtype="uint8"), T(8), domain=MS, K=33, N=7, block_size=16, quant_type=1)
    assert bnb.outputs[0].shape == (2, 3, 7) and totals(bnb)["mac"] == 6 * 33 * 7
    shape = T(2, dtype="int64", value=(33, 7))
    fp4 = run("MatMulFpQ4", a, T(900, dtype="uint8"), shape, domain=MS)
    assert totals(fp4)["mac"] == 6 * 33 * 7
    for result, name in ((plain, "fixed<4,4>"), (bnb, "float4e2m1"), (fp4, "fixed<4,4>")):
        assert {place: (size, str(format)) for place, (size, format) in result.packed.items()} == {1: (33 * 7, name)}
    assert omitted.packed[1][0] == 0 and not run("MatMul", a, T(33, 7, constant=True)).packed


def test_a_dot_product_of_vectors_takes_a_bias():
    vectors = T(5, dtype="uint8"), T(5, dtype="int8", constant=True)
    result = run("MatMulIntegerToFloat", *vectors, T(), T(), None, None, T(), domain=MS)
    assert result.outputs[0].shape == () and totals(result)["add"] == 5


def test_fused_forms():
    moved = run("FusedMatMul", T(3, 4, 5, 6), T(4, 5, 3, 7), transBatchA=1, transA=1, domain=MS, alpha=0.5)
    assert moved.outputs[0].shape == (4, 5, 6, 7)
    assert totals(moved) == {"rm": 840 * 3 + 840, "mac": 840 * 3, "add": 840 * 2, "cmp": 0, "act": 0}
    assert totals(run("FusedMatMulActivation", T(3, 5), T(5, 2), domain=MS, activation="Relu"))["cmp"] == 6
    assert totals(run("FusedGemm", T(3, 5), T(5, 2), domain=MS, activation="Sigmoid"))["act"] == 6
    gelu = totals(run("GemmFastGelu", T(3, 5), T(5, 2), T(2), domain=MS))
    assert gelu == {"rm": 30 + 36, "mac": 30, "add": 24 + 6 + 12, "cmp": 0, "act": 6}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("MatMul", T(2, 3), T(4, 5)), "inner sizes 3 and 4 differ [E-MATMUL-INNER]"),
        (("MatMul", T(), T(4, 5)), "a matrix product needs operands of rank 1 or more, found a scalar [E-MATMUL-RANK]"),
        (("MatMul", T(2, 3, 4), T(3, 4, 5)), "batch shapes [2] and [3] do not broadcast [E-MATMUL-BATCH]"),
        (("MatMul", T(2, 3)), "input 1 is required and absent [E-NODE-INPUT]"),
        (("Gemm", T(2, 3, 4), T(4, 5)), "input 0 has rank 3, expected 2 [E-RANK]"),
        (
            ("Gemm", T(2, 3), T(3, 5), T(2, 2)),
            "a bias of shape [2,2] does not broadcast to [2,5] [E-GEMM-BIAS]",
        ),
        (("Gemm", T(1, 3), T(3, 5), T(2, 5)), "a bias of shape [2,5] does not broadcast to [1,5] [E-GEMM-BIAS]"),
        (("Gemm", T(1, 3), T(3, 5), T(1, 1, 5)), "a bias of shape [1,1,5] does not broadcast to [1,5] [E-GEMM-BIAS]"),
    ],
)
def test_contradictions_are_refused_with_what_was_found(call, text):
    with pytest.raises(ModelError) as caught:
        run(*call)
    assert str(caught.value) == text


def test_what_cannot_be_counted_says_why():
    with pytest.raises(Uncounted, match=r"^the shape of input 1 is unknown$"):
        run("MatMul", T(2, 3), Tensor(dtype="float32"))
    with pytest.raises(Uncounted, match=r"^no rule for the fused activation 'softmax'$"):
        run("FusedMatMulActivation", T(2, 3), T(3, 2), domain=MS, activation="Softmax")
    sizes = {"K": 33, "N": 7, "block_size": 16}
    with pytest.raises(ModelError) as caught:
        run("MatMulNBits", T(2, 33), T(7, 3, 7, dtype="uint8"), T(7, 3), domain=MS, **sizes)
    assert str(caught.value) == "B holds 147 bytes, expected 168 (K=33, N=7, 4 bits) [E-NBITS-SIZE]"
