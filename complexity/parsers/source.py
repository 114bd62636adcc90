"""Reading a model: open, identify, walk, parse what is left without the weights."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ComplexityError, ModelError, UsageError, quoted
from .external import check_external
from .files import Input, open_input, refuse_impostor, release
from .limits import Limits
from .messages import decode_error, is_model, parse_model
from .stored import StoredTensor, stored_tensor
from .wire import slim

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

__all__ = ["Source", "read_model"]

CHUNK = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model as read: its protobuf message without large payloads, and the way back to those.

    `path` is for display ("-" for standard input); `base` is the directory external data are relative to, None if
    the model did not come from a file. `cuts` payloads of `cut_bytes` bytes in all are not in `proto`.
    """

    path: str
    proto: ModelProto = field(repr=False)
    base: str | None = None
    token: bytes = field(default=b"", repr=False)
    view: memoryview | None = field(default=None, repr=False)
    roots: tuple[str, ...] = ()
    cuts: int = 0
    cut_bytes: int = 0

    def stored(self, tensor: TensorProto) -> StoredTensor:
        """Describe a tensor of this model. Raises ModelError."""
        return stored_tensor(tensor, view=self.view, token=self.token, roots=self.roots)

    def sha256(self) -> str:
        """The hash of the whole file, in hexadecimal; it costs seconds per gigabyte."""
        if self.view is None:
            return hashlib.sha256(self.proto.SerializeToString(deterministic=True)).hexdigest()
        digest = hashlib.sha256()
        for start in range(0, len(self.view), CHUNK):
            digest.update(self.view[start : start + CHUNK])
            release(self.view)
        return digest.hexdigest()


def read_model(source: str | os.PathLike[str] | bytes | ModelProto, *, limits: Limits | None = None) -> Source:
    """Read a model from a path, `-` (standard input), its bytes, or a ModelProto. Raises ModelError."""
    if isinstance(source, str | os.PathLike):
        place = os.fsdecode(source)
        shown = "standard input" if place == "-" else quoted(place)
    else:
        place, shown = "", "bytes" if isinstance(source, bytes) else "ModelProto"
    try:
        if isinstance(source, bytes):
            refuse_impostor(memoryview(source))
            return _parsed(Input(view=memoryview(source)), "bytes", limits)
        if isinstance(source, str | os.PathLike):
            return _parsed(open_input(place), place, limits)
        return _given(source)
    except ComplexityError as error:
        raise error.at(shown) from None


def _given(source: ModelProto) -> Source:
    if not is_model(source):
        raise UsageError("E-MODEL-KIND", f"expected a path, bytes or a ModelProto, found {type(source).__name__}")
    _refuse_empty(source)
    check_external(source, ())
    return Source(path="ModelProto", proto=source)


def _parsed(found: Input, shown: str, limits: Limits | None) -> Source:
    rest = slim(found.view, limits)
    release(found.view)
    try:
        proto = parse_model(rest.data)
    except decode_error() as error:
        raise ModelError("E-FILE-PROTOBUF", f"not an ONNX model, or damaged: {quoted(error)}") from None
    _refuse_empty(proto)
    roots = () if found.path is None else (os.path.dirname(found.path) or ".", _real_directory(found.path))
    if b"location" in rest.data:  # the key every tensor with external data must hold: spares a pass over all nodes
        check_external(proto, roots)
    return Source(
        path=shown,
        proto=proto,
        base=roots[0] if roots else None,
        token=rest.token,
        view=found.view,
        roots=roots,
        cuts=rest.cuts,
        cut_bytes=rest.cut_bytes,
    )


def _real_directory(path: str) -> str:
    return os.path.dirname(os.path.realpath(path))


def _refuse_empty(model: ModelProto) -> None:
    if not model.HasField("graph"):
        raise ModelError("E-MODEL-EMPTY", "the model holds no graph")
    if not model.graph.node and not model.graph.output:
        raise ModelError("E-MODEL-EMPTY", "the graph of the model is empty: no nodes and no outputs")
