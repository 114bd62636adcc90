"""The layers: the index page. A layer is its equations, one set a file; the file is loaded when it is needed."""

from __future__ import annotations

__all__ = ["LAYERS"]

LAYERS = ("attention", "contraction", "convolution", "dense", "gru", "lstm", "rnn")
