"""From anything that describes a network to its report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .parsers.inputs import Bindings
from .parsers.model import read_network
from .quantization import Quantization, parse_quantization
from .report import Report, check_convention

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["analyze", "report_on"]


def analyze(
    source: str | os.PathLike[str] | bytes | ModelProto,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    values: Mapping[str, int | bool | Sequence[int | bool]] | None = None,
    quant: str = "model",
    input_bits: int | None = None,
    convention: str = "paper",
) -> Report:
    """What a model costs: one execution of its graph at its bound shapes, batch included.

    source: path of an ONNX file, its bytes, `-` for standard input, or a ModelProto.
    dims, shapes, values: sizes of named dimensions, shapes of inputs, values of integer inputs.
    quant: formats of float tensors, as in `--quant` ("w8a8"); "model" keeps what the file says.
    input_bits: width of the graph's float inputs, where it is not that of other activations.
    convention: "paper" (published closed forms) or "exact" (a kernel of real multipliers and balanced adder trees).
    Raises ModelError (the file), BindingError, QuantizationError or UsageError (the arguments).
    """
    check_convention(convention)
    given = {name: (value,) if isinstance(value, int) else tuple(value) for name, value in (values or {}).items()}
    bindings = Bindings(dims=dims or {}, shapes=shapes or {}, values=given)
    return report_on(source, bindings, parse_quantization(quant).with_input_bits(input_bits), convention)


def report_on(
    source: str | os.PathLike[str] | bytes | ModelProto, bindings: Bindings, quantization: Quantization, convention: str
) -> Report:
    """`analyze` for options already read."""
    return Report(network=read_network(source, bindings, quantization), convention=convention)
