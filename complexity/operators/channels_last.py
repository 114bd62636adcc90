"""Rules of batch, channels, axes on tensors whose channels are the last axis, and the QONNX operators that are such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..encoding import Encoding
from ..shapes import Tensor
from .normalization import batch_normalization
from .pooling import OPERATORS as POOLINGS
from .rule import Call, Operator, Result, Rule

__all__ = ["CHANNELS_LAST", "OPERATORS", "channels_behind", "channels_first", "turned"]

CHANNELS_LAST = "qonnx.custom_op.channels_last"
POOLED = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
# Their definitions are those of the standard of this version.
VERSION = 13


def channels_first(rule: Rule) -> Rule:
    """A rule of batch, channels, axes for tensors whose channels may come last (channels_last=1)."""

    def either(call: Call) -> Result:
        return turned(rule)(call) if call.integer("channels_last", 0) else rule(call)

    return either


def turned(rule: Rule) -> Rule:
    """A rule of batch, channels, axes for tensors whose channels come last."""

    def last(call: Call) -> Result:
        x = call.input(0)
        if x.shape is None or len(x.shape) < 3:
            return rule(call)
        rank = len(x.shape)
        shape = (x.shape[0], x.shape[-1], *x.shape[1:-1])
        first = replace(x, shape=shape, value=None, encoding=_moved(x.encoding, rank, (0, *range(2, rank), 1)))
        result = rule(replace(call, inputs=(first, *call.inputs[1:])))
        return replace(result, outputs=tuple(channels_behind(output) for output in result.outputs))

    return last


def channels_behind(tensor: Tensor) -> Tensor:
    """The tensor with its channels as the last axis; vectors stay as they are."""
    shape = tensor.shape
    if shape is None or len(shape) < 3:
        return tensor
    rank = len(shape)
    encoding = _moved(tensor.encoding, rank, (0, rank - 1, *range(1, rank - 1)))
    return replace(tensor, shape=(shape[0], *shape[2:], shape[1]), encoding=encoding)


def _moved(encoding: Encoding | None, rank: int, places: Sequence[int]) -> Encoding | None:
    """What is said of steps along an axis, where that axis has gone."""
    if encoding is None or encoding.axis is None or not -rank <= encoding.axis < rank:
        return encoding
    return replace(encoding, axis=places[encoding.axis % rank])


def _standard(rule: Rule) -> Rule:
    return turned(lambda call: rule(replace(call, version=VERSION)))


OPERATORS = (
    *(
        replace(operator, rule=_standard(operator.rule), domain=CHANNELS_LAST)
        for operator in POOLINGS
        if operator.name in POOLED and not operator.domain
    ),
    Operator(
        name="BatchNormalization",
        rule=_standard(batch_normalization),
        inputs=(5, 5),
        outputs=(1, 5),
        attributes="epsilon momentum spatial training_mode",
        domain=CHANNELS_LAST,
    ),
)
