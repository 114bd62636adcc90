"""Matrix products: MatMul, Gemm and the fused forms of both."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..encoding import Encoding
from ..expressions import Size, divide_exactly, product
from ..formats import Accumulation
from ..layers.contraction import Contraction
from ..layers.dense import Dense
from ..layers.fused_activation import ACTIVATIONS, activated
from ..ops import Role
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .element_types import element_type
from .layouts import columns, flat, matrices, rows
from .rule import MICROSOFT, Call, Layout, Operator, Result, Steps

__all__ = [
    "OPERATORS",
    "check_bias",
    "contraction_of",
    "contraction_result",
    "fused_function",
    "gemm_shape",
    "matrix_product",
    "summed",
    "with_epilogue",
]


def matrix_product(call: Call, left: Shape, right: Shape) -> tuple[Shape, Size, Size]:
    """Shape, number of results and terms of numpy's matmul: 1-D operands and batches broadcast on both sides."""
    if not left or not right:
        call.refuse("E-MATMUL-RANK", "a matrix product needs operands of rank 1 or more, found a scalar")
    rows, columns = left[-2:-1], right[-1:] if len(right) > 1 else ()
    terms, other = left[-1], right[-2] if len(right) > 1 else right[0]
    if isinstance(terms, int) and isinstance(other, int) and terms != other:
        call.refuse("E-MATMUL-INNER", f"inner sizes {terms} and {other} differ")
    try:
        batch = broadcast(left[:-2], right[:-2])
    except ShapeConflict as conflict:
        call.refuse("E-MATMUL-BATCH", f"batch {conflict}")
    shape = (*batch, *rows, *columns)
    return shape, product(shape), terms if isinstance(terms, int) else other


def contraction_of(x: Tensor, weight: Tensor, terms: Size, outputs: Size, vectors: Size = 1) -> Contraction:
    """Dot products of an input with a weight, or with another input."""
    return Contraction(
        terms=terms,
        outputs=outputs,
        vectors=vectors,
        input=x.number,
        weight=weight.number,
        constant=weight.constant,
        role=Role.INPUT if weight.constant else Role.CONTRACTION,
    )


def contraction_result(
    left: Tensor,
    right: Tensor,
    shape: Shape,
    outputs: Size,
    terms: Size,
    dtype: str | None = None,
    *,
    places: tuple[int, int] = (0, 1),
    transposed: tuple[bool, bool] = (False, False),
    sides: tuple[Size, Size] | None = None,
) -> Result:
    """The result of dot products between two tensors, the constant one of them playing the weight.

    places: the inputs the tensors are. transposed: whose last two axes are swapped before the product. sides: results
    that the left and the right tensor alone tell apart; not said, rows and columns of a matrix product.
    """
    constant_left = left.constant and not right.constant
    x, weight = (right, left) if constant_left else (left, right)
    each = (sides or _sides(left.shape or (), right.shape or (), shape))[0 if constant_left else 1]
    vectors = _vectors(outputs, each)
    work = contraction_of(x, weight, terms, *((outputs, 1) if vectors is None else (each, vectors)))
    sum = Accumulation(terms, x.number, weight.number)
    tensor = summed(Tensor(dtype=dtype or left.dtype, shape=shape), sum, x, weight)
    layouts = matrices(*places, constant_left=constant_left, transposed=transposed) if weight.constant else {}
    return Result(outputs=(tensor,), work=work, kind="dense", formats=work.formats, layouts=layouts, sum=sum)


def _vectors(outputs: Size, each: Size) -> Size | None:
    """How often so many of all outputs are made; None where that is no size."""
    return divide_exactly(outputs, each) if outputs != 0 and each != 0 else None


def _sides(left: Shape, right: Shape, shape: Shape) -> tuple[Size, Size]:
    """Rows that only the left operand of a matrix product has, columns that only the right one has."""
    columns = len(right) > 1
    return shape[-1 - columns] if len(left) > 1 else 1, shape[-1] if columns else 1


def summed(tensor: Tensor, sum: Accumulation, x: Tensor, weight: Tensor, *, open: bool = True) -> Tensor:
    """The result of dot products: fixed point as wide as its accumulator between fixed operands, else a float.

    open: a bias can still join the sum.
    """
    tensor = replace(tensor, accumulator=sum if open else None)
    if sum.format.floating or (x.encoding is None and weight.encoding is None):
        return tensor
    steps = [each.encoding.step if each.encoding is not None else Fraction(1) for each in (x, weight)]
    step = None if None in steps else steps[0] * steps[1]  # type: ignore[operator]
    return replace(tensor, format=sum.format, encoding=Encoding(source="accumulator", step=step, derived=True))


def check_bias(call: Call, bias: Tensor | None, shape: Shape) -> None:
    """Refuse a bias that does not broadcast to the result in one direction."""
    if bias is None or bias.shape is None:
        return
    target = (*(1,) * max(0, len(bias.shape) - len(shape)), *shape)[-len(bias.shape) :] if bias.shape else ()
    pairs = zip(bias.shape, target, strict=True)
    if len(bias.shape) > len(shape) or any(
        isinstance(size, int) and isinstance(wanted, int) and size not in (1, wanted) for size, wanted in pairs
    ):
        found, expected = ("[" + ",".join(map(str, sizes)) + "]" for sizes in (bias.shape, shape))
        call.refuse("E-GEMM-BIAS", f"a bias of shape {found} does not broadcast to {expected}")


def with_epilogue(
    plain: Result,
    *,
    alpha: float = 1,
    bias: Tensor | None = None,
    bias_at: int | None = None,
    beta: float = 1,
    function: str = "",
) -> Result:
    """A matrix product followed by function(alpha y + beta bias), where each part may be missing.

    bias_at: the input the bias is.
    """
    if alpha == 1 and bias is None and not function:
        return plain
    output, work = plain.outputs[0], plain.work
    shape, sum = output.shape, output.accumulator
    assert isinstance(work, Contraction) and shape is not None and sum is not None
    outputs, stored = work.outputs, Tensor(dtype=output.dtype).number
    output = replace(output, accumulator=None)
    if alpha != 1 or beta != 1 or function:
        output = replace(output, format=None, encoding=None)
    if alpha == beta == 1 and not function and work.constant and shape:
        count, units = product(shape[:-1]), shape[-1]
        dense = Dense(empty=True, inputs=work.terms, units=units, steps=count, weight=work.weight, input=work.input)
        layouts = plain.layouts if bias_at is None else {**plain.layouts, "bias": Layout(bias_at, flat)}
        return replace(plain, outputs=(output,), work=dense, formats=dense.formats, layouts=layouts)

    def text(m: Arithmetic[Signal]) -> None:
        work.equations(m)
        y = m.partial(outputs, sum, "weight")
        if alpha != 1:
            y = m.multiply(y, m.constant(outputs, sum.right), role=Role.SCALE)
        if bias is not None and beta != 0:
            c = m.constant(outputs, sum.right)
            y = m.add(y, m.multiply(c, c, role=Role.SCALE) if beta != 1 else c, role=Role.BIAS)
        if function:
            activated(m, y, function, outputs, stored)

    return replace(plain, outputs=(output,), work=Steps(text=text, executions=work.executions))


def fused_function(call: Call, default: str = "") -> str:
    """The activation a fused operator names, in lower case, "" for none; uncounted where it is not elementwise."""
    name = call.text("activation", default).lower()
    if name in ("", "none"):
        return ""
    if name not in ACTIVATIONS:
        call.unknown(f"no rule for the fused activation '{name}'")
    return name


def matmul(call: Call) -> Result:
    """Y = A B."""
    left, right = call.input(0), call.input(1)
    shape, outputs, terms = matrix_product(call, call.shape(0), call.shape(1))
    return contraction_result(left, right, shape, outputs, terms)


def gemm_shape(call: Call, left: int, right: int) -> tuple[Shape, Size, Size]:
    """Shape, number of results and terms of A' B' after the transpositions transA and transB."""
    a, b = call.shape(left, 2), call.shape(right, 2)
    a = a[::-1] if call.integer("transA", 0) else a
    b = b[::-1] if call.integer("transB", 0) else b
    return matrix_product(call, a, b)


def gemm(call: Call) -> Result:
    """Y = alpha A' B' + beta C, in com.microsoft with an activation behind it.

    Counting: the dot products; alpha and beta are one product per output value each unless they are 1, C one addition
    per output value. The scales of GemmFloat8 belong to its number formats and are not charged.
    """
    shape, outputs, terms = gemm_shape(call, 0, 1)
    left, right, bias = call.input(0), call.input(1), call.given(2)
    check_bias(call, bias, shape)
    transposed = bool(call.integer("transA", 0)), bool(call.integer("transB", 0))
    dtype = element_type(call, "dtype")
    plain = contraction_result(left, right, shape, outputs, terms, dtype, transposed=transposed)
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    return with_epilogue(plain, alpha=alpha, bias=bias, bias_at=2, beta=beta, function=fused_function(call))


def _rearranged(call: Call, index: int, side: str) -> Shape:
    shape = call.shape(index)
    if len(shape) > 2 and call.integer(f"transBatch{side}", 0):
        shape = (*shape[1:-1], shape[0], shape[-1])
    if len(shape) > 1 and call.integer(f"trans{side}", 0):
        shape = (*shape[:-2], shape[-1], shape[-2])
    return shape


def fused_matmul(call: Call) -> Result:
    """Y = alpha A' B': the last two axes swapped by trans, the first moved behind the batch axes by transBatch."""
    left, right = call.input(0), call.input(1)
    shape, outputs, terms = matrix_product(call, _rearranged(call, 0, "A"), _rearranged(call, 1, "B"))
    plain = contraction_result(left, right, shape, outputs, terms)
    if any(call.integer(name, 0) for name in ("transA", "transB", "transBatchA", "transBatchB")):
        plain = replace(plain, layouts=_rearranged_layouts(call, plain))
    return with_epilogue(plain, alpha=call.number("alpha", 1.0), function=fused_function(call))


def _rearranged_layouts(call: Call, plain: Result) -> dict[str, Layout]:
    """The weight of a product whose operands are turned; batches in between change nothing in a row."""
    index = plain.layouts["weight"].input if plain.layouts else 0
    side = "AB"[index]
    if not plain.layouts or call.integer(f"transBatch{side}", 0):
        return {}
    by_row = bool(call.integer(f"trans{side}", 0)) == (index == 1)
    return {"weight": Layout(index, rows if by_row else columns)}


def gemm_fast_gelu(call: Call) -> Result:
    """Y = fastgelu(X W + bias)."""
    left, right, bias = call.input(0), call.input(1), call.given(2)
    shape, outputs, terms = matrix_product(call, call.shape(0), call.shape(1))
    check_bias(call, bias, shape)
    return with_epilogue(
        contraction_result(left, right, shape, outputs, terms), bias=bias, bias_at=2, function="fastgelu"
    )


GEMM = "alpha beta transA transB"
FUSED_GEMM = f"{GEMM} activation activation_alpha activation_beta activation_gamma"
FUSED_MATMUL = "alpha transA transB transBatchA transBatchB"
FUSED_ACTIVATION = f"{FUSED_MATMUL} activation activation_alpha activation_axis activation_beta activation_gamma"

OPERATORS = (
    Operator(name="MatMul", rule=matmul, inputs=(2, 2)),
    Operator(name="Gemm", rule=gemm, inputs=(2, 3), attributes=GEMM),
    Operator(name="FusedGemm", rule=gemm, inputs=(2, 3), attributes=FUSED_GEMM, domain=MICROSOFT),
    Operator(
        name="GemmFloat8",
        rule=gemm,
        inputs=(2, 6),
        attributes=f"{GEMM} activation dtype",
        settings=(3, 4, 5),
        domain=MICROSOFT,
    ),
    Operator(name="FusedMatMul", rule=fused_matmul, inputs=(2, 2), attributes=FUSED_MATMUL, domain=MICROSOFT),
    Operator(
        name="FusedMatMulActivation", rule=fused_matmul, inputs=(2, 2), attributes=FUSED_ACTIVATION, domain=MICROSOFT
    ),
    Operator(
        name="TransposeMatMul", rule=fused_matmul, inputs=(2, 2), attributes="alpha transA transB", domain=MICROSOFT
    ),
    Operator(name="GemmFastGelu", rule=gemm_fast_gelu, inputs=(2, 3), domain=MICROSOFT),
)
