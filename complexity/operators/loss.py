"""Losses on class labels: negative log likelihood, and cross entropy of a softmax."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size, product
from ..formats import Format
from ..ops import Role
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .rule import Call, Operator, Result, Steps, operand
from .softmax import log_softmax

__all__ = ["OPERATORS"]

REDUCTIONS = ("none", "sum", "mean")


def sizes(call: Call) -> tuple[Shape, Size, Size]:
    """Shape of one loss per sample, number of samples, number of classes; refuses labels or weights that do not fit."""
    scores, labels = call.shape(0), call.shape(1)
    if len(scores) < 2:
        call.refuse("E-RANK", f"input 0 has rank {len(scores)}, expected 2 or more")
    expected = (scores[0], *scores[2:])
    for found, wanted in zip(labels, expected, strict=False):
        if isinstance(found, int) and isinstance(wanted, int) and found != wanted:
            call.refuse("E-LOSS-SIZE", f"labels have shape {list(labels)}, expected {list(expected)}")
    if len(labels) != len(expected):
        call.refuse("E-LOSS-SIZE", f"labels have shape {list(labels)}, expected {list(expected)}")
    weight = call.given(2)
    if weight is not None and weight.shape is not None:
        try:
            fits = len(weight.shape) == 1 and broadcast(weight.shape, (scores[1],)) is not None
        except ShapeConflict:
            fits = False
        if not fits:
            call.refuse("E-LOSS-SIZE", f"weights have shape {list(weight.shape)}, expected [{scores[1]}]")
    return expected, product(expected), scores[1]


def likelihood(m: Arithmetic[Signal], call: Call, samples: Size, number: Format) -> None:
    """-x[label] * weight[label], then the reduction.

    Counting per sample: one subtraction from 0, one product by a weight, one comparison with ignore_index; a sum of
    samples - 1 additions; a mean divides once by the summed weights where there are any, else is one product by 1/n.
    """
    weighted, ignoring = call.given(2) is not None, "ignore_index" in call.attributes
    reduction = call.text("reduction", "mean")
    if ignoring:
        label = m.variable(samples, call.input(1).number)
        m.compare(label, m.constant(1, call.input(1).number), role=Role.ELEMENTWISE)
    zero, x = m.constant(samples, number), m.variable(samples, number)
    loss = m.requantize(m.subtract(zero, x, role=Role.ELEMENTWISE), number)
    if weighted:
        loss = m.requantize(m.multiply(loss, m.variable(samples, number), role=Role.SCALE), number)
    if reduction == "none" or samples == 0:
        return
    total = m.requantize(m.sum(loss, terms=samples, outputs=1, role=Role.REDUCTION), number)
    if reduction == "mean" and (weighted or ignoring):
        m.sum(m.variable(samples, number), terms=samples, outputs=1, role=Role.REDUCTION)
        m.lookup(total, "division")
    elif reduction == "mean":
        m.multiply(total, m.constant(1, number), role=Role.REDUCTION)


def checked_reduction(call: Call) -> str:
    """The attribute 'reduction', one of none, sum and mean."""
    reduction = call.text("reduction", "mean")
    if reduction not in REDUCTIONS:
        call.refuse("E-LOSS-REDUCTION", f"reduction '{quoted(reduction)}' is none of {', '.join(REDUCTIONS)}")
    return reduction


def negative_log_likelihood(call: Call) -> Result:
    """loss = reduction(-x[label] * weight[label])."""
    shape, samples, _ = sizes(call)
    reduction, x = checked_reduction(call), call.input(0)

    def text(m: Arithmetic[Signal]) -> None:
        likelihood(m, call, samples, x.number)

    output = Tensor(dtype=x.dtype, shape=shape if reduction == "none" else ())
    return Result(outputs=(output,), work=Steps(text=text), kind="loss")


def softmax_cross_entropy(call: Call) -> Result:
    """loss = reduction(-log(softmax(scores))[label] * weight[label])."""
    shape, samples, classes = sizes(call)
    reduction, x = checked_reduction(call), call.input(0)

    def text(m: Arithmetic[Signal]) -> None:
        if classes != 0:
            log_softmax(m, operand(m, x, samples * classes), samples, classes, x.number)
        likelihood(m, call, samples, x.number)

    outputs = (
        Tensor(dtype=x.dtype, shape=shape if reduction == "none" else ()),
        Tensor(dtype=x.dtype, shape=call.shape(0)),
    )
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=Steps(text=text), kind="loss")


OPERATORS = (
    Operator(
        name="NegativeLogLikelihoodLoss",
        rule=negative_log_likelihood,
        inputs=(2, 3),
        attributes="ignore_index reduction",
        settings=(1, 2),
    ),
    Operator(
        name="SoftmaxCrossEntropyLoss",
        rule=softmax_cross_entropy,
        inputs=(2, 3),
        outputs=(1, 2),
        attributes="ignore_index reduction",
        settings=(1, 2),
    ),
)
