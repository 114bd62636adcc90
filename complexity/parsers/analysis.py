"""What all graphs of one model share while it is walked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ModelError, quoted
from ..expressions import Size, is_expression, names, substitute
from ..formats import FLOATS
from ..operators.rule import Attribute
from ..quantization import Quantization
from ..shapes import Element, Tensor
from .attributes import text
from .numbers import Stored
from .overrides import Overrides
from .rows import Answer
from .scope import Body
from .source import Source
from .stored import StoredTensor
from .values import values

if TYPE_CHECKING:
    from onnx import FunctionProto, TensorProto

    from .dialects.annotated import Annotation

__all__ = ["Analysis", "FunctionName"]

FunctionName = tuple[str, str, str]
# Shape chains are integers; of floats only scales, bounds and steps are ever needed before the run.
FLOATS_FOLDED, INTEGERS_FOLDED = 64, 10_000
AGAIN = 100_000


@dataclass(slots=True, kw_only=True)
class Analysis:
    """The model, the user's bindings and formats, and everything worth remembering between nodes.

    attributes, answers, bodies: attributes as plain values, rules' answers and function bodies, by signature.
    stored: size of every trained tensor. remarks: warnings in order. unknown_attributes: named once each.
    size_names: which node a free size is called after; inventions: how many were asked for. float_edges: nodes that
    multiply quantized weights by floats, by cause. spent: nodes walked in the bodies of nodes. overrides: what the user
    says of single nodes, None where that is nothing. annotations: what the file says of tensors of its graph by name.
    weightless: weights that cannot be read are not missed.
    """

    source: Source
    quantization: Quantization
    dims: Mapping[str, int]
    weightless: bool = False
    functions: Mapping[FunctionName, FunctionProto] = field(default_factory=dict)
    attributes: dict[tuple[bytes, ...], Mapping[str, Attribute]] = field(default_factory=dict)
    answers: dict[object, Answer] = field(default_factory=dict)
    bodies: dict[object, Body] = field(default_factory=dict)
    stored: dict[str, Size] = field(default_factory=dict)
    remarks: dict[str, None] = field(default_factory=dict)
    unknown_attributes: dict[str, None] = field(default_factory=dict)
    used_dims: set[str] = field(default_factory=set)
    size_names: dict[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Annotation] = field(default_factory=dict)
    float_edges: dict[str, list[str]] = field(default_factory=dict)
    inventions: int = 0
    spent: int = 0
    overrides: Overrides | None = None

    def size_name(self, path: str, place: str) -> str:
        """What the free sizes of a node are called after: its path, made unlike that of another node."""
        while self.size_names.setdefault(path, place) != place:
            path = f"{path}#{place.rpartition('#')[2]}"
        return path

    def is_trip_count(self, name: str) -> bool:
        """Whether a free size is the trip count of a loop that only the data decide."""
        return name.endswith(".trips") and name.removesuffix(".trips") in self.size_names

    @property
    def float_warnings(self) -> list[str]:
        """Quantized weights that meet floats: which node first, why, and what to do."""
        found = []
        for cause, paths in self.float_edges.items():
            more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
            why = f"made float by {cause}" if cause else "whose width nothing says; --input-bits N says that of inputs"
            found.append(f"'{quoted(paths[0])}'{more} multiplies quantized weights by float numbers, {why}")
        return found

    @property
    def exhausted(self) -> bool:
        """Whether graphs were walked so often that no walk may be repeated: loops in loops multiply without end."""
        return self.spent > AGAIN

    def bound(self, size: Size) -> Size:
        """A size with the user's bindings of the names in it."""
        if not is_expression(size):
            return size
        found = names(size) & self.dims.keys()
        self.used_dims |= found
        return substitute(size, self.dims) if found else size

    def tensor(self, proto: TensorProto, identity: str = "") -> Tensor:
        """A stored tensor: its type and shape, and its values where they are few.

        One with an identity is a trained tensor, unless it is a scalar: those steer operators.
        """
        stored = self.source.stored(proto)
        floating = stored.dtype in FLOATS
        trained = bool(identity) and bool(stored.shape)
        if trained:
            self.stored[identity] = stored.elements
        return Tensor(
            dtype=stored.dtype,
            shape=stored.shape,
            value=self._few(stored, trained),
            constant=True,
            format=self.quantization.weight if floating else None,
            known=None if stored.dtype == "string" else Stored(stored),
            stored=frozenset({identity}) if trained else frozenset(),
        )

    def _few(self, stored: StoredTensor, trained: bool) -> tuple[Element, ...] | None:
        """The values of a stored tensor that has few of them."""
        try:
            return _elements(values(stored, FLOATS_FOLDED if stored.dtype in FLOATS else INTEGERS_FOLDED))
        except ModelError:
            if trained and self.weightless:
                return None
            raise


def _elements(found: list[int | float | bool | bytes | complex] | None) -> tuple[Element, ...] | None:
    if found is None or any(isinstance(element, complex) for element in found):
        return None
    return tuple(
        text(element) if isinstance(element, bytes) else element
        for element in found
        if not isinstance(element, complex)
    )
