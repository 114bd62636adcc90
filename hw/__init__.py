"""The witness: layers as fixed-point kernels, emitted, simulated, counted and compared with what was counted.

Public names are loaded when they are first used: listing the kernels loads neither numpy nor an elaborator.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .building import build
    from .delivery import emit_bundle
    from .inspection import verify_bundle
    from .proof import Verdict, verify
    from .synth import Synthesis, synthesise
    from .verilog import emit

__all__ = ["KERNELS", "Synthesis", "Verdict", "build", "emit", "emit_bundle", "synthesise", "verify", "verify_bundle"]

# Kinds of the catalogue that have a kernel.
KERNELS = (
    *("dense", "conv1d", "conv2d", "attention", "kan", "organism"),
    *("rnn", "lstm", "gru", "lstm1997", "nc_gru", "gatel0rd", "stpn", "sr_gru", "sr_lstm"),
    *("esn", "esn_pod", "esn_deim"),
)

_HOMES = {
    "Synthesis": "synth",
    "Verdict": "proof",
    "build": "building",
    "emit": "verilog",
    "emit_bundle": "delivery",
    "synthesise": "synth",
    "verify": "proof",
    "verify_bundle": "inspection",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'nncomplexity.hw' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
