"""Number formats from outside in place of a model's own: operands and outputs of the nodes that tables match.

A table speaks of layers: nodes that compute, and look-ups in trained tables. Quantizers and data movement are none;
what a table says of a tensor goes through them unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..expressions import Size
from ..formats import FLOATS, Format, Mixed
from ..globs import normalised
from ..network import Status
from ..quantization import Quantization, Said
from ..shapes import Known, Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..network import Row
    from ..operators.rule import Call, Operator
    from .rows import Answer

__all__ = ["Override", "Overrides", "output_format"]

# Operand 2 holds the recurrent weights.
RECURRENT = frozenset({"RNN", "GRU", "LSTM", "DynamicQuantizeLSTM"})
RECURRENT_OPERAND = 2
# A bias joins the sum that such a node finds in its operand: no number is read there.
JOINING = frozenset({"Add", "Sub"})
# Integers of these types index, count and select; narrower ones are numbers of a quantized tensor.
INDICES = frozenset({"int32", "int64", "uint32", "uint64", "bool", "string", None})
QUANTIZER = "quantizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What is said of one node from outside. said.table: None where no table matches and only the model's apply.

    matched, replaced: as in Overrides.
    """

    said: Said
    quantization: Quantization
    name: str
    matched: set[int]
    replaced: dict[int, str]

    def applies(self, answer: Answer, operator: Operator, inputs: Sequence[Tensor | None]) -> bool:
        """Whether the node is a layer: it computes, or it looks up what is trained."""
        if answer.kind == QUANTIZER:
            return False
        return answer.status is not Status.FREE or (
            self.said.table is not None
            and answer.claims
            and any(_is_trained(operator, *each) for each in enumerate(inputs))
        )

    def call(self, operator: Operator, call: Call, answer: Answer) -> Call:
        """The call with the formats that are said of its operands and of what it writes.

        answer: the node's own, for its output channels. Raises QuantizationError E-QUANT-CHANNELS.
        """
        inputs = call.inputs
        if self.said.widths and any(_is_matrix(operator, *each) for each in enumerate(inputs)):
            self.quantization.check_channels(self.said, self.name, channels(operator, inputs, answer))
        given = tuple([self._operand(operator, position, tensor) for position, tensor in enumerate(inputs)])
        if self.said.widths:
            given = tuple([_widened(call, *each, self.said.widths) for each in enumerate(given)])
        self._note(inputs, given)
        return replace(call, inputs=given, activation=self.said.activation, fallback=self.said.fallback)

    def _note(self, before: Sequence[Tensor | None], after: Sequence[Tensor | None]) -> None:
        """Remember the table of a layer, and whether it replaced what the file's quantizers say."""
        index = self.said.table
        if index is None:
            return
        self.matched.add(index)
        for old, new in zip(before, after, strict=True):
            if old is None or new is old or self.quantization.states(old.format):
                continue
            if old.encoding is not None or old.format is not None:
                self.replaced.setdefault(index, self.name)

    def _operand(self, operator: Operator, position: int, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or position in operator.settings or not _is_number(operator, position, tensor):
            return tensor
        format = self._of_constant(operator, position, tensor) if tensor.constant else self._of_variable(tensor)
        if not tensor.constant and tensor.accumulator is not None and operator.name in JOINING:
            return tensor
        if format is None or format is tensor.format:
            return tensor
        return replace(tensor, format=format, encoding=None)

    def _of_constant(self, operator: Operator, position: int, tensor: Tensor) -> Format | None:
        if operator.name in RECURRENT and position == RECURRENT_OPERAND:
            return self.said.recurrent
        # A scalar steers: a bound, a slope, an exponent.
        return self.said.weight if tensor.stored or tensor.shape != () else None

    def _of_variable(self, tensor: Tensor) -> Format | None:
        # The width that --input-bits asks for is above every table.
        asked = self.quantization.asked and tensor.format is self.quantization.input
        return None if asked else self.said.input


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a quantization says of the nodes of one model.

    matched: tables that found a layer so far. replaced: those above formats of the file, with the first such layer.
    """

    quantization: Quantization
    matched: set[int] = field(default_factory=set)
    replaced: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, quantization: Quantization) -> Overrides | None:
        """The overrides of a quantization, None where it can say nothing of single nodes."""
        return cls(quantization=quantization) if quantization.tables or quantization.stated else None

    def find(self, operator: Operator, name: str, path: str) -> Override | None:
        """What is said of a node: by a table, or by the model's formats where these mean more than float tensors."""
        quantization = self.quantization
        if quantization.tables:
            said = quantization.said(_names(name, path))
        elif operator.weights or operator.name in RECURRENT:
            said = quantization.general
        else:
            return None
        return Override(said=said, quantization=quantization, name=path, matched=self.matched, replaced=self.replaced)

    def identities(self, tensors: Iterable[Tensor | None]) -> tuple[int, ...]:
        """Which operands have a format that is said from outside: an equal one of the file's is another thing."""
        stated = self.quantization.stated
        return tuple([id(each.format) if each and id(each.format) in stated else 0 for each in tensors])

    def told_apart(self, prefix: str) -> int:
        """A number that is the same for two prefixes of paths if no table can tell what follows them apart."""
        globs = self.quantization.globs
        return globs.after(normalised(prefix)) if self.quantization.tables else 0

    def remarks(self, rows: Iterable[Row]) -> list[str]:
        """Warnings: tables that match nothing or only what is no layer, and formats of the file that are replaced."""
        quantization = self.quantization
        if not quantization.tables:
            return []
        names = [_names(row.name, path) for row in rows for path in row.paths]
        text, tables = quantization.text, quantization.tables
        found = quantization.unmatched(names)
        idle = {index for each in names for index in quantization.globs.found(each)} - self.matched
        first = {index for each in names if (index := quantization.globs.first(each)) is not None}
        for index in sorted(idle):
            why = "only quantizers and data movement" if index in first else "only layers of tables before it"
            found.append(f"{text}: layer[{index}] '{tables[index].match}' matches {why}")
        for index, name in sorted(self.replaced.items()):
            what = "replaces formats that the model states"
            found.append(f"{text}: layer[{index}] '{tables[index].match}' {what}, first at '{name}'")
        return found


def output_format(quantization: Quantization, call: Call, tensor: Tensor, constant: bool, kind: str) -> Format | None:
    """The format of an output: said from outside of it, else kept where the numbers only moved, else the file's.

    Command line and tables are above what quantizer nodes state; integers that no quantizer made stay what they are.
    """
    if any(given is not None and given.format is not None and given.format is tensor.format for given in call.inputs):
        return tensor.format if constant or call.activation is None else call.activation
    if kind == QUANTIZER and call.inputs and call.inputs[0] is not None and quantization.states(call.inputs[0].format):
        return call.inputs[0].format
    if tensor.dtype not in FLOATS and tensor.encoding is None:
        narrow = not constant and tensor.dtype not in INDICES
        return (call.activation if narrow else None) or tensor.format
    if constant:
        return quantization.weight or tensor.format
    return call.activation or quantization.activation or tensor.format or call.fallback


def restated(quantization: Quantization, call: Call, tensor: Tensor, quantizer: bool) -> Tensor:
    """What a dialect says of an output, unless something above the file says another format of it."""
    first = call.inputs[0] if call.inputs else None
    if tensor.constant:
        asked = quantization.weight
    elif quantizer and first is not None and quantization.states(first.format):
        asked = first.format
    else:
        asked = call.activation or quantization.activation
    return tensor if asked is None else replace(tensor, format=asked, encoding=None)


def channels(operator: Operator, inputs: Sequence[Tensor | None], answer: Answer) -> Size | None:
    """The output channels of a node: its units, filters or hidden units; None where they are not known."""
    shape = answer.shapes[0] if answer.shapes else None
    if not shape:
        return None
    if "Conv" in operator.name and not operator.name.startswith("Nhwc"):
        return shape[1] if len(shape) > 1 else None
    if operator.name in RECURRENT:
        recurrent = inputs[RECURRENT_OPERAND]
        hidden = None if recurrent is None or recurrent.shape is None else recurrent.shape
        return None if hidden is None else hidden[1 if operator.name == "DynamicQuantizeLSTM" else -1]
    first = inputs[0] if inputs else None
    # A matrix from the left makes rows.
    left = first is not None and first.constant and len(shape) > 1
    return shape[-2] if left else shape[-1]


def _names(name: str, path: str) -> tuple[str, ...]:
    """What a glob may match: the node's whole path, its name, and the path of the module it stands in."""
    module = path.rpartition("/")[0]
    return (path, name, module) if module else (path, name)


def _is_number(operator: Operator, position: int, tensor: Tensor) -> bool:
    """Whether an operand holds numbers that are computed with, not indices or sizes."""
    return (
        tensor.dtype in FLOATS
        or tensor.encoding is not None
        or tensor.format is not None
        or (position in operator.weights or tensor.dtype not in INDICES)
    )


def _is_trained(operator: Operator, position: int, tensor: Tensor | None) -> bool:
    return (
        tensor is not None
        and tensor.constant
        and bool(tensor.stored)
        and position not in operator.settings
        and _is_number(operator, position, tensor)
    )


def _is_matrix(operator: Operator, position: int, tensor: Tensor | None) -> bool:
    return _is_trained(operator, position, tensor) and (tensor is not None and (tensor.rank or 0) > 1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Widened:
    """Known numbers whose bits are said from outside, by their channels along an axis of the tensor."""

    source: Known
    shape: tuple[int, ...]
    axis: int
    channels: tuple[int, ...]

    @property
    def varied(self) -> bool:
        return True

    @property
    def whole(self) -> bool:
        """Whether they are stored as integers."""
        return self.source.whole

    def integers(self) -> NDArray[np.integer]:
        """The stored integers less their zero point."""
        return self.source.integers()

    def reals(self) -> NDArray[np.generic]:
        """What the numbers stand for."""
        return self.source.reals()

    def widths(self) -> NDArray[np.integer]:
        """Bits of every number; the gates of a recurrent layer repeat the widths of its units."""
        import numpy as np

        bits = np.tile(np.array(self.channels, np.int64), self.shape[self.axis] // len(self.channels))
        column = [1] * len(self.shape)
        column[self.axis] = -1
        return np.broadcast_to(bits.reshape(column), self.shape)


def _widened(call: Call, position: int, tensor: Tensor | None, channels: tuple[int, ...]) -> Tensor | None:
    """A matrix of weights whose numbers know their widths, where the axis of its channels is known."""
    if tensor is None or tensor.known is None or not tensor.constant or not isinstance(tensor.format, Mixed):
        return tensor
    shape = tuple(size for size in tensor.shape or () if isinstance(size, int))
    axis = _channel_axis(call, position, len(shape))
    if axis is None or len(shape) < 2 or len(shape) != tensor.rank or shape[axis] % len(channels):
        return tensor
    return replace(tensor, known=Widened(source=tensor.known, shape=shape, axis=axis, channels=channels))


def _channel_axis(call: Call, position: int, rank: int) -> int | None:
    """Where the output channels lie in a matrix of weights."""
    if call.op in RECURRENT:
        return 2 if call.op == "DynamicQuantizeLSTM" else 1
    if "ConvTranspose" in call.op:
        return 1 if call.attributes.get("group", 1) == 1 else None
    if "Conv" in call.op:
        return 0
    if call.op in ("Gemm", "FusedGemm", "QGemm"):
        return None if position == 0 else rank - 1 - bool(call.attributes.get("transB", 0))
    return (rank - 2 if position == 0 else rank - 1) if "MatMul" in call.op else None
