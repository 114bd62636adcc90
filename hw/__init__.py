"""The witness: layers as fixed-point kernels, emitted, simulated, counted and compared with what was counted.

Public names are loaded when they are first used: listing the kernels loads neither numpy nor an elaborator.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .building import build
    from .proof import Verdict, verify
    from .synth import Synthesis, synthesise
    from .verilog import emit

__all__ = ["KERNELS", "Synthesis", "Verdict", "build", "emit", "synthesise", "verify"]

# Kinds of the catalogue that have a kernel.
KERNELS = ("dense", "conv1d", "conv2d", "rnn", "lstm", "gru", "lstm1997")

_HOMES = {
    "Synthesis": "synth",
    "Verdict": "proof",
    "build": "building",
    "emit": "verilog",
    "synthesise": "synth",
    "verify": "proof",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'nncomplexity.hw' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
