"""Tensors whose QONNX data type stands beside the graph: quantization annotations with the key finn_datatype.

Such files keep integers in floats: a tensor of INT2 holds -2, -1, 0 and 1 as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ...encoding import Encoding
from ...errors import ModelError, quoted
from ...formats import FLOATS, Format
from ...operators.qonnx import data_type
from ...shapes import Known, Tensor

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from onnx import GraphProto

    Array = np.ndarray[Any, Any]

__all__ = ["Annotation", "annotations_of"]

KEY = "finn_datatype"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a file says of a tensor by name."""

    name: str
    format: Format

    def applied(self, tensor: Tensor) -> Tensor:
        """The tensor with its numbers said, unless a quantizer or the user said them already."""
        if tensor.dtype not in FLOATS or tensor.encoding is not None or tensor.format is not None:
            return tensor
        if self.format.floating:
            return replace(tensor, format=self.format)
        fraction = self.format.fraction
        step = Fraction(1, 2) ** fraction if isinstance(fraction, int) else None
        encoding = Encoding(source=f"QONNX: annotation of '{self.name}'", carrier=tensor.dtype, step=step)
        known = tensor.known if tensor.known is None or step != 1 else Whole(tensor.known)
        return replace(tensor, format=self.format, encoding=encoding, known=known)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """Integers that are stored as floats."""

    source: Known

    @property
    def whole(self) -> bool:
        return True

    @property
    def varied(self) -> bool:
        return False

    def integers(self) -> Array:
        import numpy as np

        return np.rint(np.asarray(self.source.reals(), np.float64)).astype(np.int64)

    def reals(self) -> Array:
        return self.source.reals()

    def widths(self) -> None:
        return None


def annotations_of(graph: GraphProto) -> dict[str, Annotation]:
    """The annotations of a graph by tensor. Raises ModelError E-QUANT-TYPE for a name that is no data type."""
    found: dict[str, Annotation] = {}
    for each in graph.quantization_annotation:
        for entry in each.quant_parameter_tensor_names:
            if entry.key != KEY:
                continue
            format = data_type(entry.value)
            if format is None:
                fact = f"the annotation of tensor '{quoted(each.tensor_name)}' is no data type: '{quoted(entry.value)}'"
                raise ModelError("E-QUANT-TYPE", fact)
            found[each.tensor_name] = Annotation(quoted(each.tensor_name), format)
    return found
