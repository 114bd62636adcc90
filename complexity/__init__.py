"""What a neural network costs in multiplications, bits, adders and gates: as numbers and as formulas.

Public names are loaded when they are first used, so that `nncomplexity --version` loads neither onnx nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import hw
    from .api import analyze
    from .catalogue import Network, symbols
    from .errors import BindingError, ComplexityError, ModelError, QuantizationError, SpecError, UsageError
    from .layers.attention import Attention
    from .layers.conv1d import Conv1D
    from .layers.conv2d import Conv2D
    from .layers.dense import Dense
    from .layers.echo_state import EchoState
    from .layers.echo_state_reduced import EchoStateDEIM, EchoStatePOD
    from .layers.gatel0rd import GateL0RD
    from .layers.gru import GRU
    from .layers.kan import KAN
    from .layers.lstm import LSTM
    from .layers.lstm1997 import LSTM1997
    from .layers.nc_gru import NCGRU
    from .layers.organism import Organism
    from .layers.qrnn import QRNNGRU, QRNNLSTM, QRNNRNN
    from .layers.rnn import RNN
    from .layers.state_regularized import SRGRU, SRLSTM
    from .layers.stpn import STPN
    from .report import Report
    from .solving import Match, equal, solve
    from .sweeps import sweep
    from .version import VERSION as __version__

__all__ = [
    "GRU",
    "KAN",
    "LSTM",
    "LSTM1997",
    "NCGRU",
    "QRNNGRU",
    "QRNNLSTM",
    "QRNNRNN",
    "RNN",
    "SRGRU",
    "SRLSTM",
    "STPN",
    "Attention",
    "BindingError",
    "ComplexityError",
    "Conv1D",
    "Conv2D",
    "Dense",
    "EchoState",
    "EchoStateDEIM",
    "EchoStatePOD",
    "GateL0RD",
    "Match",
    "ModelError",
    "Network",
    "Organism",
    "QuantizationError",
    "Report",
    "SpecError",
    "UsageError",
    "__version__",
    "analyze",
    "equal",
    "hw",
    "solve",
    "sweep",
    "symbols",
]

_HOMES = {
    "analyze": "api",
    "Network": "catalogue",
    "symbols": "catalogue",
    "BindingError": "errors",
    "ComplexityError": "errors",
    "ModelError": "errors",
    "QuantizationError": "errors",
    "SpecError": "errors",
    "UsageError": "errors",
    "Report": "report",
    "Match": "solving",
    "equal": "solving",
    "solve": "solving",
    "sweep": "sweeps",
    "Attention": "layers.attention",
    "Conv1D": "layers.conv1d",
    "Conv2D": "layers.conv2d",
    "Dense": "layers.dense",
    "EchoState": "layers.echo_state",
    "EchoStateDEIM": "layers.echo_state_reduced",
    "EchoStatePOD": "layers.echo_state_reduced",
    "GRU": "layers.gru",
    "GateL0RD": "layers.gatel0rd",
    "KAN": "layers.kan",
    "LSTM": "layers.lstm",
    "LSTM1997": "layers.lstm1997",
    "NCGRU": "layers.nc_gru",
    "Organism": "layers.organism",
    "QRNNGRU": "layers.qrnn",
    "QRNNLSTM": "layers.qrnn",
    "QRNNRNN": "layers.qrnn",
    "RNN": "layers.rnn",
    "SRGRU": "layers.state_regularized",
    "SRLSTM": "layers.state_regularized",
    "STPN": "layers.stpn",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from .version import VERSION

        return VERSION
    if name == "hw":
        return import_module(".hw", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module 'nncomplexity' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
