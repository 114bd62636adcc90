"""The layers: the index page. A layer is its equations, one set a file; the file is loaded when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SpecError, did_you_mean, quoted

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["LAYERS", "layer_class"]

# The kinds a specification may name, each with the place of its class.
LAYERS: dict[str, str] = {
    "attention": "attention:Attention",
    "conv1d": "conv1d:Conv1D",
    "conv2d": "conv2d:Conv2D",
    "dense": "dense:Dense",
    "esn": "echo_state:EchoState",
    "esn_deim": "echo_state_reduced:EchoStateDEIM",
    "esn_pod": "echo_state_reduced:EchoStatePOD",
    "gatel0rd": "gatel0rd:GateL0RD",
    "gru": "gru:GRU",
    "kan": "kan:KAN",
    "lstm": "lstm:LSTM",
    "lstm1997": "lstm1997:LSTM1997",
    "nc_gru": "nc_gru:NCGRU",
    "organism": "organism:Organism",
    "qrnn_gru": "qrnn:QRNNGRU",
    "qrnn_lstm": "qrnn:QRNNLSTM",
    "qrnn_rnn": "qrnn:QRNNRNN",
    "rnn": "rnn:RNN",
    "sr_gru": "state_regularized:SRGRU",
    "sr_lstm": "state_regularized:SRLSTM",
    "stpn": "stpn:STPN",
}


def layer_class(kind: str) -> type[Layer]:
    """The class of a kind; loads its file alone. Raises SpecError E-SPEC-KIND for a kind that does not exist."""
    if kind not in LAYERS:
        raise SpecError("E-SPEC-KIND", f"layer kind '{quoted(kind)}' is unknown; {did_you_mean(kind, LAYERS)}")
    from importlib import import_module

    module, _, name = LAYERS[kind].partition(":")
    found: type[Layer] = getattr(import_module(f".{module}", __package__), name)
    return found
