"""What bringing the outputs of a node to their integers takes, beside the node's own work: charged in `exact`.

Charged are fixed-point numbers that become other fixed-point numbers, once for each quantized tensor. Constants are
quantized before the run, a float input of the graph arrives quantized, and a special function is stored as its table
says: those cost nothing. A dynamic quantizer also searches the range of its floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from ..accounting import Countable, Matrix, Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..formats import Accumulation, Format, integers
from ..grids import Grid, added, grown_together, multiplied
from ..operators.rule import Call, Steps
from ..ops import Role
from ..requantization import Requantization, between
from ..shapes import Tensor
from .dialects.statement import known_numbers, step_of
from .rows import Answer
from .sums import own_sum

__all__ = ["requantized_sum", "requantizing"]

QUANTIZERS = frozenset(("QuantizeLinear", "Quant", "IntQuant", "BipolarQuant", "Trunc"))
# Inputs that hold the scales of both factors of a sum of products.
PRODUCTS = {"QLinearConv": (1, 4), "QLinearMatMul": (1, 4), "QGemm": (1, 4)}
ELEMENTWISE = {"QLinearAdd": added, "QLinearMul": multiplied}
UNARY = frozenset(
    ("QLinearLeakyRelu", "QLinearReduceMean", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConcat")
)
# Where the zero point of the left operand stands in products that leave it to the run, and the weights.
CORRECTED = {"MatMulInteger": (2, 1), "MatMulIntegerToFloat": (4, 1), "ConvInteger": (2, 1)}
REQUANTIZING = frozenset((*QUANTIZERS, *PRODUCTS, *ELEMENTWISE, *UNARY, *CORRECTED, "DynamicQuantizeLinear"))
TRUNCATING = frozenset(("FLOOR", "DOWN", "ROUND_TO_ZERO"))


def requantizing(call: Call, answer: Answer, outputs: tuple[Tensor, ...]) -> Countable | None:
    """The requantization of a node's first output, None where there is none."""
    if call.op not in REQUANTIZING or not outputs or outputs[0].constant or outputs[0].size is None:
        return None
    y, x = outputs[0], call.inputs[0] if call.inputs else None
    size = y.size
    if x is None or x.constant:
        return None
    if call.op == "DynamicQuantizeLinear":
        return _searched(x, x.size)
    if call.op in CORRECTED:
        return None if size is None else _corrected(call, answer.formats.get("accumulator"), size)
    if y.encoding is None or y.number.floating:
        return None
    if call.op in QUANTIZERS:
        return None if x.number.floating else _stored(x, y, _change(call, x, y))
    if call.op in ELEMENTWISE:
        return _elementwise(call, y)
    total = answer.formats.get("accumulator")
    if call.op in PRODUCTS and total is not None:
        scales = [step_of(known_numbers(call.given(index))) for index in PRODUCTS[call.op]]
        before = None if None in scales else scales[0] * scales[1]  # type: ignore[operator]
        return _stored(replace(y, format=total, accumulator=answer.sum), y, _to(y, before, total.interval))
    if call.op in UNARY:
        return _stored(replace(y, accumulator=None), y, _to(y, None, y.number.interval))
    return None


def _elementwise(call: Call, y: Tensor) -> Countable | None:
    """The sum or product of two tensors of integers, in the step it has."""
    grids = []
    for data, scale, zero in ((0, 1, 2), (3, 4, 5)):
        x, point = call.input(data), known_numbers(call.given(zero))
        step, offset = step_of(known_numbers(call.given(scale))), 0 if point is None else int(point[0])
        low, high = x.number.interval
        grids.append(Grid(step, low - offset, high - offset))
    made = ELEMENTWISE[call.op](*grids) or grown_together(*grids)
    span = made.low, made.high
    return _stored(replace(y, format=integers(*span), accumulator=None), y, _to(y, made.step, span))


def _change(call: Call, x: Tensor, y: Tensor) -> Requantization:
    """What a quantizer does to numbers that are fixed point already."""
    if call.op == "BipolarQuant":
        return Requantization(limits=1)
    said, fraction = x.encoding, x.number.fraction
    point = Fraction(1, 2) ** fraction if isinstance(fraction, int) else None
    step = point if said is None else said.step
    zero = (said.zero_point if said is not None else 0) or 0
    low, high = x.number.interval
    if call.op == "Trunc" and len(call.inputs) == 5 and step is not None:
        # The lowest bits fall away and the scale stays.
        return Requantization(shift=y.number.interval != x.number.interval)
    found, after = _to(y, step, (low - zero, high - zero)), y.encoding
    if after is None or step is None or step != after.step:
        return found
    # On the same steps only a change of the zero point moves the integers.
    return replace(found, zero_point=(0 if said is None else said.zero_point) != after.zero_point)


def _to(y: Tensor, before: Fraction | None, span: tuple[int, int]) -> Requantization:
    assert y.encoding is not None
    zero = y.encoding.zero_point or 0
    low, high = y.number.interval
    return between(
        before,
        y.encoding.step,
        span,
        (low - zero, high - zero),
        zero_point=y.encoding.zero_point != 0,
        truncates=y.encoding.rounding.upper() in TRUNCATING,
    )


def requantized_sum(call: Call, answer: Answer, operands: Mapping[str, Matrix]) -> tuple[Accumulation, Matrix] | None:
    """The sum of products that a node requantizes: a quantizer that of its input, another operator its own."""
    if call.op not in QUANTIZERS:
        return own_sum(answer, operands)
    tensor = call.inputs[0]
    return None if tensor is None else tensor.summed


def _stored(x: Tensor, y: Tensor, change: Requantization) -> Countable | None:
    size, sum = y.size, x.summed[0] if x.summed is not None else x.accumulator
    if change.nothing or size is None:
        return None

    def text(m: Arithmetic[Signal]) -> None:
        value = m.partial(size, sum, "partial") if sum is not None else m.variable(size, x.number)
        m.requantize(value, y.number, change)

    return Steps(text=text)


def _corrected(call: Call, total: Format | None, outputs: Size) -> Countable | None:
    """A zero point that only the run knows, taken off afterwards: times the sum of each output's weights.

    Where no operand is constant it is taken off both before.
    """
    at, weights = CORRECTED[call.op]
    zero, weight = call.given(at), call.input(weights)
    if zero is None or zero.constant or total is None:
        return None
    if weight.constant and weight.shape is not None:
        columns = weight.shape[0] if call.op == "ConvInteger" else product(weight.shape[-1:])
        return _off(columns, outputs, total)
    sizes = [tensor.size for tensor in (call.input(0), weight)]
    known = [size for size in sizes if size is not None]
    return _off(0, known[0] + known[1], call.input(0).number) if len(known) == len(sizes) else None


def _off(products: Size, subtractions: Size, format: Format) -> Countable:
    def text(m: Arithmetic[Signal]) -> None:
        m.correct(products=products, subtractions=subtractions, format=format)

    return Steps(text=text)


def _searched(x: Tensor, size: Size | None) -> Countable | None:
    """Smallest and greatest number of the tensor, then a product, the zero point and two limits each."""
    if size is None or not x.number.floating:
        return None
    role = Role.REQUANTIZATION

    def text(m: Arithmetic[Signal]) -> None:
        value = m.variable(size, x.number)
        for _ in range(2):
            m.greatest(value, terms=size, outputs=1, role=role)
        scaled = m.multiply(value, m.variable(size, x.number), role=role)
        scaled = m.add(scaled, m.variable(size, x.number), role=Role.ZERO_POINT)
        m.compare(m.compare(scaled, scaled, role=role), scaled, role=role)

    return Steps(text=text)
