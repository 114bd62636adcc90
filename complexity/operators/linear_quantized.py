"""Quantized matrix products: the same products as their float twins, between narrower numbers.

Scales and zero points say what the integers mean: they are statements of format, charged with the quantizers and not
here.
"""

from __future__ import annotations

from dataclasses import replace

from ..expressions import Size, ceil_divide, product
from ..formats import FLOATS, Fixed, Float
from ..shapes import Tensor
from .layouts import unpacked
from .linear import check_bias, contraction_result, gemm_shape, matrix_product, with_epilogue
from .rule import MICROSOFT, Call, Layout, Operator, Result

__all__ = ["OPERATORS"]

# Where the zero points of both factors stand.
ZEROS = {
    "MatMulInteger": {0: 2, 1: 3},
    "QLinearMatMul": {0: 2, 3: 5},
    "MatMulIntegerToFloat": {0: 4, 1: 5},
}
FP4 = Float(bits=4, label="float4e2m1")
# A dynamic quantizer makes unsigned bytes whatever the element type of its input.
DYNAMIC = Fixed(bits=8, integer=8, signed=False)


def matmul_integer(call: Call) -> Result:
    """Y = (A - a_zero_point) (B - b_zero_point), in 32 bits."""
    return _product(call, 0, 1, "int32")


def qlinear_matmul(call: Call) -> Result:
    """y = requantized (a - a_zero_point) (b - b_zero_point); y is typed as its zero point."""
    plain = _product(call, 0, 3, call.input(7).dtype)
    output = replace(plain.outputs[0], accumulator=None, format=None, encoding=None)
    return replace(plain, outputs=(output,))


def _product(call: Call, left: int, right: int, dtype: str | None) -> Result:
    shape, outputs, terms = matrix_product(call, call.shape(left), call.shape(right))
    places = left, right
    plain = contraction_result(call.input(left), call.input(right), shape, outputs, terms, dtype, places=places)
    zeros = ZEROS.get(call.op, {})
    layouts = {
        name: replace(layout, zero=zeros.get(layout.input), axis=-1 if layout.input == right else -2)
        for name, layout in plain.layouts.items()
    }
    return replace(plain, layouts=layouts)


def matmul_integer_to_float(call: Call) -> Result:
    """Y = A B scaled back to float, plus bias."""
    plain = _product(call, 0, 1, call.input(2).dtype)
    check_bias(call, call.given(6), plain.outputs[0].shape or ())
    return with_epilogue(plain, bias=call.given(6), bias_at=6)


def dynamic_quantize_matmul(call: Call) -> Result:
    """Y = quantized(A) B scaled back to float, plus bias: A becomes unsigned bytes for the product."""
    left, right, bias = call.input(0), call.input(1), call.given(4)
    shape, outputs, terms = matrix_product(call, call.shape(0), call.shape(1))
    check_bias(call, bias, shape)
    bytes = replace(left, format=left.format or DYNAMIC)
    plain = contraction_result(bytes, right, shape, outputs, terms, left.dtype)
    layouts = {name: replace(layout, zero=3, axis=-1) for name, layout in plain.layouts.items() if name == "weight"}
    return with_epilogue(replace(plain, layouts=layouts), bias=bias, bias_at=4)


def qgemm(call: Call) -> Result:
    """Y = alpha A' B' + C; requantized where a scale of y is given, else float. alpha is part of the scale."""
    shape, outputs, terms = gemm_shape(call, 0, 3)
    bias, zero = call.given(6), call.given(8)
    check_bias(call, bias, shape)
    dtype = "float32" if zero is None else zero.dtype
    by_row = bool(call.integer("transB", 0))
    transposed = bool(call.integer("transA", 0)), by_row
    plain = contraction_result(
        call.input(0), call.input(3), shape, outputs, terms, dtype, places=(0, 3), transposed=transposed
    )
    layouts = {
        name: replace(layout, zero=5, axis=0 if by_row else 1) if layout.input == 3 else layout
        for name, layout in plain.layouts.items()
    }
    result = with_epilogue(replace(plain, layouts=layouts), bias=bias, bias_at=6)
    output = replace(result.outputs[0], accumulator=None, format=None, encoding=None)
    return replace(result, outputs=(output,)) if zero is not None else result


def matmul_nbits(call: Call) -> Result:
    """Y = A dequantized(B) + bias, B packed in blocks of K. An empty B is an omitted projection: only the bias."""
    bits, prepacked = call.integer("bits", 4), call.integer("weight_prepacked", 0)
    inputs, units, block = _packed_sizes(call)
    if not 2 <= bits <= 8:
        call.refuse("E-NBITS-BITS", f"attribute 'bits' is {bits}, expected 2 to 8")
    packed = call.shape(1)
    omitted = prepacked == 0 and 0 in packed
    expected = units * ceil_divide(inputs, block) * (block * bits // 8)
    found = call.input(1).size
    if prepacked == 0 and not omitted and isinstance(found, int) and found != expected:
        call.refuse("E-NBITS-SIZE", f"B holds {found} bytes, expected {expected} (K={inputs}, N={units}, {bits} bits)")
    if not omitted:
        _check_blocks(call, units, -(-inputs // block), bits)
    weight = replace(call.input(1), format=call.input(1).format or Fixed(bits=bits, integer=bits))
    result = _packed(call, weight, (0 if omitted else inputs, units), inputs, call.given(5))
    if prepacked or omitted:
        return replace(result, layouts={})
    return replace(result, layouts={"weight": Layout(1, unpacked(inputs, units, bits, block), beside=(3,))})


def _check_blocks(call: Call, units: int, blocks: int, bits: int) -> None:
    """Refuse scales and zero points that are not one for each block; zero points may be packed like the weights."""
    for index, name in ((2, "scales"), (3, "zero points")):
        given = call.given(index)
        if given is None or not isinstance(given.size, int):
            continue
        packed = index == 3 and given.dtype not in FLOATS
        expected = units * (-(-blocks * bits // 8) if packed else blocks)
        if given.size != expected:
            held = f"{blocks} blocks for each of {units} columns" + (f", {bits} bits each" if packed else "")
            call.refuse("E-NBITS-SIZE", f"the {name} are {given.size}, expected {expected} ({held})")


def matmul_bnb4(call: Call) -> Result:
    """Y = A dequantized(B'), weights of four bits: FP4 (quant_type 0) or NF4, a table of 16 levels.

    Counting: an NF4 level is taken as a float of four storage bits, for its levels are no integers.
    """
    inputs, units, _ = _packed_sizes(call)
    weight = replace(call.input(1), format=call.input(1).format or FP4)
    sizes = (inputs, units) if call.integer("transB", 1) else (units, inputs)
    return _packed(call, weight, sizes, sizes[0], None)


def _packed_sizes(call: Call) -> tuple[int, int, int]:
    """K, N and the block size."""
    inputs, units, block = call.integer("K"), call.integer("N"), call.integer("block_size")
    if inputs < 1 or units < 1 or block < 1:
        call.refuse("E-NBITS-SIZE", f"K={inputs}, N={units} and block_size={block} must be positive")
    return inputs, units, block


def matmul_fpq4(call: Call) -> Result:
    """Y = A dequantized(B), B a blob of four-bit numbers whose shape is input 2."""
    known, kind = call.sizes(2), call.integer("blk_quant_type", 1)
    if not 0 <= kind <= 2:
        call.refuse("E-FPQ4-TYPE", f"attribute 'blk_quant_type' is {kind}, expected 0 to 2")
    if known is None:
        call.unknown("the shape of the packed matrix (input 2) is unknown")
    if len(known) != 2:
        call.refuse("E-FPQ4-SHAPE", f"input 2 holds {len(known)} sizes, expected 2")
    weight = replace(call.input(1), format=call.input(1).format or Fixed(bits=4, integer=4))
    return _packed(call, weight, (known[0], known[1]), known[0], None)


def _packed(call: Call, weight: Tensor, sizes: tuple[Size, Size], inputs: Size, bias: Tensor | None) -> Result:
    """A times a matrix of `sizes` (terms charged, columns) that input 1 stores packed; A must end in `inputs`."""
    left, a = call.input(0), call.shape(0)
    shape, outputs, _ = matrix_product(call, a, (inputs, sizes[1]))
    check_bias(call, bias, shape)
    stored = replace(weight, dtype=left.dtype, shape=sizes, value=None)
    plain = replace(contraction_result(left, stored, shape, outputs, sizes[0]), layouts={})
    result = with_epilogue(plain, bias=bias)
    return replace(result, packed={1: (product(sizes), stored.number)})


NBITS = "K N accuracy_level bits block_size weight_prepacked"
BNB4 = "K N block_size quant_type training_mode transB"

OPERATORS = (
    Operator(name="MatMulInteger", rule=matmul_integer, inputs=(2, 4), weights=(0, 1), settings=(2, 3)),
    Operator(name="QLinearMatMul", rule=qlinear_matmul, inputs=(8, 8), weights=(0, 3), settings=(1, 2, 4, 5, 6, 7)),
    Operator(
        name="MatMulIntegerToFloat",
        rule=matmul_integer_to_float,
        inputs=(4, 7),
        weights=(0, 1),
        settings=(2, 3, 4, 5),
        domain=MICROSOFT,
    ),
    Operator(
        name="DynamicQuantizeMatMul",
        rule=dynamic_quantize_matmul,
        inputs=(3, 5),
        weights=(1,),
        settings=(2, 3),
        domain=MICROSOFT,
    ),
    Operator(name="MatMulInteger16", rule=matmul_integer, inputs=(2, 2), weights=(0, 1), domain=MICROSOFT),
    Operator(
        name="QGemm",
        rule=qgemm,
        inputs=(6, 9),
        attributes="alpha transA transB",
        weights=(0, 3, 6),
        settings=(1, 2, 4, 5, 7, 8),
        domain=MICROSOFT,
    ),
    Operator(
        name="MatMulNBits",
        rule=matmul_nbits,
        inputs=(3, 6),
        attributes=NBITS,
        weights=(1,),
        settings=(2, 3, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="MatMulBnb4",
        rule=matmul_bnb4,
        inputs=(3, 3),
        attributes=BNB4,
        weights=(1,),
        settings=(2,),
        domain=MICROSOFT,
    ),
    Operator(
        name="MatMulFpQ4",
        rule=matmul_fpq4,
        inputs=(3, 3),
        attributes="blk_quant_type",
        weights=(1,),
        settings=(2,),
        domain=MICROSOFT,
    ),
)
