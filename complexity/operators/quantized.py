"""Microsoft's operators on quantized tensors: the float operator between a dequantizer and a quantizer.

Scales and zero points are part of the number format: bringing a number in or out of it is not charged, and the
operations in between are those of the float operator, on the stored integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..shapes import Shape, Tensor
from .activation import OPERATORS as ACTIVATIONS
from .channels_last import channels_first
from .elementwise import OPERATORS as ELEMENTWISE
from .moved import MOVEMENT, listed
from .pointwise import common_shape
from .pooling import average, global_pool, pool
from .reduction import OPERATORS as REDUCTIONS
from .rule import MICROSOFT, Call, Operator, Result, Rule
from .softmax import softmax, softmax_rule

__all__ = ["OPERATORS"]

TRIPLES = 3 * 1024
FLOAT = {operator.name: operator.rule for operator in (*ACTIVATIONS, *ELEMENTWISE, *REDUCTIONS)}


def stored(call: Call, index: int) -> Tensor:
    """A quantized input as a number on its own: what it stands for is not its stored integers."""
    return replace(call.input(index), value=None, accumulator=None)


def twin(rule: Rule, *data: int) -> Rule:
    """The float rule on the inputs that carry data, its result in the element type of the first of them.

    What its integers mean the output's own scale says, never those of the inputs.
    """

    def quantized(call: Call) -> Result:
        inputs = tuple(stored(call, index) for index in data)
        result = rule(replace(call, inputs=inputs, alone=()))
        outputs = tuple(
            replace(output, dtype=inputs[0].dtype, value=None, format=None, encoding=None) for output in result.outputs
        )
        return replace(result, outputs=outputs)

    return quantized


def concatenation(call: Call) -> Result:
    """Tensors of different scales in one: inputs are the result's scale and zero point, then a triple per tensor."""
    data = range(2, max(3, len(call.inputs)), 3)
    if len(call.inputs) % 3 != 2:
        call.refuse("E-NODE-INPUT", f"{len(call.inputs)} inputs are not a scale, a zero point and triples")
    shapes = [call.input(index).shape for index in data]
    output = Tensor(dtype=call.input(2).dtype)
    known = [shape for shape in shapes if shape is not None]
    if len(known) == len(shapes):
        output = replace(output, shape=concatenated(call, known))
    return Result(outputs=(output,), free=MOVEMENT)


def concatenated(call: Call, shapes: Sequence[Shape]) -> Shape:
    """The shape of tensors behind each other along the required axis."""
    first = shapes[0]
    axis = call.axis(call.integer("axis"), len(first))
    for shape in shapes[1:]:
        pairs = zip(first, shape, strict=False)
        clash = any(
            isinstance(a, int) and isinstance(b, int) and a != b and i != axis for i, (a, b) in enumerate(pairs)
        )
        if len(shape) != len(first) or clash:
            call.refuse("E-CONCAT-SHAPE", f"shapes {listed(first)} and {listed(shape)} differ outside axis {axis}")
    length = first[axis]
    for shape in shapes[1:]:
        length = length + shape[axis]
    return (*first[:axis], length, *first[axis + 1 :])


def selection(call: Call) -> Result:
    """z = x where the condition holds, else y, brought to one scale."""
    output = Tensor(dtype=call.input(1).dtype, shape=common_shape(call, 0, 1, 4))
    return Result(outputs=(output,), free=MOVEMENT)


def named_version(call: Call) -> int:
    """The version of Softmax whose axis a QLinearSoftmax means: its required attribute `opset`."""
    return call.integer("opset")


def steering(first: int, last: int, *data: int) -> tuple[int, ...]:
    """The inputs between two numbers that are no data: scales and zero points."""
    return tuple(index for index in range(first, last + 1) if index not in data)


WINDOW = "auto_pad ceil_mode channels_last count_include_pad kernel_shape pads strides"

OPERATORS = (
    *(
        Operator(
            name=f"QLinear{name}",
            rule=twin(FLOAT[name], 0, 3),
            inputs=(7, 8),
            weights=(0, 3),
            settings=steering(1, 7, 3),
            domain=MICROSOFT,
        )
        for name in ("Add", "Mul")
    ),
    Operator(
        name="QLinearSigmoid",
        rule=twin(FLOAT["Sigmoid"], 0),
        inputs=(4, 5),
        settings=steering(1, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearLeakyRelu",
        rule=twin(FLOAT["LeakyRelu"], 0),
        inputs=(4, 5),
        attributes="alpha",
        settings=steering(1, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearReduceMean",
        rule=twin(FLOAT["ReduceMean"], 0),
        inputs=(4, 5),
        attributes="axes keepdims",
        settings=steering(1, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearSoftmax",
        rule=twin(softmax_rule(softmax, named_version), 0),
        inputs=(5, 5),
        attributes="axis opset",
        settings=steering(1, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearAveragePool",
        rule=twin(channels_first(pool(average)), 0),
        inputs=(4, 5),
        attributes=WINDOW,
        settings=steering(1, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearGlobalAveragePool",
        rule=twin(channels_first(global_pool(average)), 0),
        inputs=(5, 5),
        attributes="channels_last",
        settings=steering(1, 4),
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearConcat",
        rule=concatenation,
        inputs=(3, None),
        attributes="axis",
        weights=tuple(range(2, TRIPLES, 3)),
        settings=tuple(index for index in range(TRIPLES) if index % 3 != 2),
        free=MOVEMENT,
        domain=MICROSOFT,
    ),
    Operator(
        name="QLinearWhere",
        rule=selection,
        inputs=(9, 9),
        weights=(1, 4),
        settings=steering(1, 8, 1, 4),
        free=MOVEMENT,
        domain=MICROSOFT,
    ),
)
