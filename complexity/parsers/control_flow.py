"""Control flow: the operators that run graphs stored in them. The index page of their families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..network import Row
from ..shapes import Tensor
from .branches import run_if
from .loops import run_loop, run_scan, run_sequence_map
from .scope import Body, Scope

if TYPE_CHECKING:
    from onnx import NodeProto

    from .graph import Walker

__all__ = ["CONTROL_FLOW", "Runner", "find"]

Runner = Callable[["Walker", "NodeProto", Row, Sequence[Tensor | None], Scope], Body]

CONTROL_FLOW: dict[str, Runner] = {
    "If": run_if,
    "Loop": run_loop,
    "Scan": run_scan,
    "SequenceMap": run_sequence_map,
}


def find(domain: str, op: str) -> Runner | None:
    """What runs a control-flow operator of ONNX itself, None for every other operator."""
    return CONTROL_FLOW.get(op) if domain == "" else None
