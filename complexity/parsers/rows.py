"""What a rule's result means for a node: its outputs, and its row once parameters and storage are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from ..accounting import Arrangement, Countable, Matrix
from ..encoding import Encoding
from ..errors import ModelError
from ..expressions import Size, is_expression, product
from ..formats import FLOATS, Accumulation, Format, parts
from ..network import Status, Stored
from ..operators.rule import Call, Layout, Operator, Result, Uncounted
from ..ops import Inventory, Kind, Op, Role
from ..shapes import RANK, Known, Shape, Tensor
from .naming import place_of
from .numbers import Shifted, located
from .overrides import output_format

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

    from .analysis import Analysis

__all__ = ["Answer", "answer_of", "encodings_of", "formats_from", "freed", "operands_of", "trained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A rule's result as a report shows it: the same for all equal calls, so it is made once for them.

    outputs: the tensors given. claims: the node is the user of the trained tensors among its operands. packed: operands
    stored several numbers to an element. The rest are the fields of its row.
    """

    outputs: tuple[Tensor, ...]
    shapes: tuple[Shape | None, ...]
    status: Status = Status.FREE
    reason: str | None = None
    kind: str = ""
    work: Countable | None = None
    formats: Mapping[str, Format] = field(default_factory=dict)
    formats_from: str = ""
    written: Inventory | None = field(default_factory=Inventory)
    claims: bool = True
    packed: Mapping[int, tuple[Size, Format]] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    partial: int | None = None
    accumulator: int | None = None
    sum: Accumulation | None = None
    padding: Size | None = 0


def answer_of(analysis: Analysis, operator: Operator, call: Call, result: Result | Uncounted) -> Answer:
    """The answer to a call: status, work and what is written."""
    made = bool(call.inputs) or (isinstance(result, Result) and result.work is None)
    constant = made and not operator.random and all(tensor is None or tensor.constant for tensor in call.inputs)
    kind = result.kind if isinstance(result, Result) else ""
    outputs = tuple(_finished(analysis, call, kind, tensor, constant) for tensor in result.outputs)
    wanted = [tensor for tensor, named in zip(outputs, call.wanted, strict=False) if named]
    shapes = tuple(tensor.shape for tensor in wanted)
    if any(len(shape or ()) > RANK for shape in shapes):
        raise ModelError("E-TENSOR-RANK", f"makes a tensor of more than {RANK} dimensions")
    if isinstance(result, Uncounted) or operator.uncountable:
        reason = result.reason if isinstance(result, Uncounted) else operator.uncountable
        return Answer(outputs=outputs, shapes=shapes, status=Status.UNCOUNTED, reason=reason, written=None)
    free = result.free or operator.free
    if free is None and wanted and all(_known(tensor) for tensor in wanted):
        free = "known before the run"
    if free is not None:
        # Constants that are only moved stay with whoever computes with them.
        moved = bool(wanted) and all(tensor.constant for tensor in wanted)
        return Answer(
            outputs=outputs, shapes=shapes, reason=free, kind=result.kind, claims=not moved, packed=result.packed
        )
    quantization = analysis.quantization
    return Answer(
        outputs=outputs,
        shapes=shapes,
        status=Status.COUNTED,
        kind=result.kind or operator.name.lower(),
        work=result.work,
        formats=dict(result.formats),
        formats_from=quantization.general.source or "model",
        written=_written(wanted),
        packed=result.packed,
        layouts=result.layouts,
        partial=result.partial,
        accumulator=result.accumulator,
        sum=result.sum,
        padding=result.padding,
    )


def freed(answer: Answer, reason: str) -> Answer:
    """The answer of a node that costs nothing after all; what it passes on stays with whoever computes with it."""
    return Answer(
        outputs=answer.outputs, shapes=answer.shapes, reason=reason, kind="quantizer", written=Inventory(), claims=False
    )


def operands_of(answer: Answer, inputs: Sequence[Tensor | None], path: str, op: str) -> dict[str, Matrix]:
    """The constants of a node's equations whose values can be read, arranged as the equations use them.

    path, op: the node, for messages.
    """
    if not answer.layouts and answer.partial is None:
        return {}
    place = place_of(path, op)
    found: dict[str, Matrix] = {}
    for name, layout in answer.layouts.items():
        tensor = inputs[layout.input] if layout.input < len(inputs) else None
        if tensor is None or tensor.known is None:
            continue
        numbers = tensor.known
        if layout.zero is not None and layout.zero < len(inputs) and (zero := inputs[layout.zero]) is not None:
            if zero.known is None:
                continue
            numbers = Shifted(numbers, zero.known, layout.axis)
        others = [inputs[index] if index < len(inputs) else None for index in layout.beside]
        if any(other is not None and other.known is None for other in others):
            continue
        arrange = _beside(layout, [other.known if other is not None else None for other in others], place)
        # What the file says goes as it is; real numbers are rounded to the format asked for.
        format = tensor.format if tensor.encoding is None and tensor.dtype in FLOATS else None
        unit = _unit(answer, tensor, inputs) if name.startswith("bias") else Fraction(1)
        found[name] = Matrix(numbers_of=numbers, arrange=arrange, format=format, unit=unit)
    if answer.partial is not None and (open := inputs[answer.partial]) is not None and open.summed is not None:
        found["partial"] = open.summed[1]
    return found


def _unit(answer: Answer, bias: Tensor, inputs: Sequence[Tensor | None]) -> Fraction:
    """One step of a bias in steps of its sum; 1 where a step is not one known number: biases are made to fit."""
    places = (
        [answer.partial]
        if answer.partial is not None
        else [answer.layouts[n].input for n in ("input", "weight") if n in answer.layouts]
    )
    encodings = [
        bias.encoding,
        *(tensor.encoding if (tensor := inputs[place]) is not None else None for place in places),
    ]
    own, *steps = [encoding.step if encoding is not None else None for encoding in encodings]
    known = [step for step in steps if step is not None]
    if own is None or len(known) < len(steps) or not known:
        return Fraction(1)
    return own / prod(known)


def formats_from(answer: Answer, encodings: Mapping[str, Encoding]) -> str:
    """Who says the formats of a node: what comes from outside the file, else the dialects of its operands."""
    dialects = dict.fromkeys(each.dialect for each in encodings.values() if each.dialect)
    return ", ".join(dialects) if answer.formats_from == "model" and dialects else answer.formats_from


def encodings_of(answer: Answer, inputs: Sequence[Tensor | None]) -> dict[str, Encoding]:
    """What the integers of a counted node's operands mean, by the names its formats have, else by their place."""
    if answer.status is not Status.COUNTED:
        return {}
    named = {layout.input: name for name, layout in reversed(list(answer.layouts.items()))}
    return {
        named.get(index, f"input {index}"): tensor.encoding
        for index, tensor in enumerate(inputs)
        if tensor is not None and tensor.encoding is not None
    }


def _beside(layout: Layout, others: Sequence[Known | None], place: str) -> Arrangement:
    def arranged(array: Array) -> Array:
        with located(place):
            found: Array = layout.arrange(array, *(None if other is None else other.reals() for other in others))
            return found

    return arranged


def trained(
    analysis: Analysis, operator: Operator, answer: Answer, inputs: Sequence[Tensor | None]
) -> tuple[Stored, ...]:
    """The stored tensors among a node's operands; integers only where the operator multiplies by them."""
    found: dict[str, Stored] = {}
    for position, tensor in enumerate(inputs):
        if tensor is None or not tensor.stored or position in operator.settings:
            continue
        if position in answer.packed:
            found.update((identity, Stored(identity, *answer.packed[position])) for identity in tensor.stored)
        elif tensor.dtype in FLOATS or position in operator.weights:
            for identity in sorted(tensor.stored):
                found[identity] = Stored(identity, analysis.stored[identity], tensor.number)
    return tuple(found.values())


def _finished(analysis: Analysis, call: Call, kind: str, tensor: Tensor, constant: bool) -> Tensor:
    """An output with constness, the format the user asks for, and bound sizes."""
    constant = constant or tensor.constant
    format, shape = output_format(analysis.quantization, call, tensor, constant, kind), tensor.shape
    encoding = tensor.encoding if format is tensor.format else None
    if shape is not None and any(is_expression(size) for size in shape):
        shape = tuple(analysis.bound(size) for size in shape)
    if constant == tensor.constant and format is tensor.format and shape is tensor.shape:
        return tensor
    return replace(tensor, constant=constant, format=format, encoding=encoding, shape=shape)


def _known(tensor: Tensor) -> bool:
    return tensor.value is not None and None not in tensor.value


def _written(outputs: Sequence[Tensor]) -> Inventory | None:
    """The numbers a node writes, None if a size is unknown."""
    counts: dict[Op, Size] = {}
    for tensor in outputs:
        if tensor.constant:
            continue
        if tensor.shape is None:
            return None
        for format, elements in parts(tensor.number, product(tensor.shape)):
            op = Op(Kind.STORE, Role.OUTPUT, format, format, format)
            counts[op] = counts.get(op, 0) + elements
    return Inventory(counts)
