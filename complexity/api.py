"""From anything that describes a network to its report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Union

from .catalogue import SUFFIXES, Network, network_of
from .errors import BindingError, did_you_mean, quoted
from .layers.layer import Layer
from .network import Network as Rows
from .parsers.inputs import Bindings
from .parsers.quantization_file import read_quantization
from .quantization import Quantization
from .report import Report, check_convention

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Source", "analyze", "report_on"]

Source = Union[str, "os.PathLike[str]", bytes, "ModelProto", Network, Layer, Sequence[Layer], Mapping[str, object]]


def analyze(
    source: Source,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    values: Mapping[str, int | bool | Sequence[int | bool]] | None = None,
    quant: str = "model",
    input_bits: int | None = None,
    convention: str = "paper",
    detect: bool = False,
) -> Report:
    """What a model costs: one execution of its graph at its bound shapes, batch included.

    source: path of an ONNX file, its bytes, `-` for standard input, a ModelProto; path of a layer specification (.toml,
    .json) or its dictionary; a layer, layers in order, or a Network of them.
    dims, shapes, values: sizes of named dimensions, shapes of inputs, values of integer inputs.
    quant: number formats as in `--quant`: "w8a8", or a file of formats by layer; "model" keeps what the file says.
    input_bits: width of the graph's float inputs, where it is not that of other activations.
    convention: "paper" (published closed forms) or "exact" (a kernel of real multipliers and balanced adder trees).
    detect: read the weights and give them the scheme that their values have: powers of two, or sums of two.
    Raises ModelError (the file), SpecError (the layers), BindingError, QuantizationError or UsageError (the arguments).
    """
    check_convention(convention)
    given = {name: (value,) if isinstance(value, int) else tuple(value) for name, value in (values or {}).items()}
    bindings = Bindings(dims=dims or {}, shapes=shapes or {}, values=given)
    quantization = replace(read_quantization(quant).with_input_bits(input_bits), detect=detect)
    return report_on(source, bindings, quantization, convention)


def report_on(source: Source, bindings: Bindings, quantization: Quantization, convention: str) -> Report:
    """`analyze` for options already read."""
    layers = _layers(source)
    if layers is not None:
        return Report(network=_rows(layers, bindings, quantization), convention=convention)
    from .parsers.model import read_network

    return Report(network=read_network(source, bindings, quantization), convention=convention)  # type: ignore[arg-type]


def _layers(source: Source) -> Network | None:
    """The network of layers a source says, None for a model."""
    if isinstance(source, str | os.PathLike):
        if not os.fspath(source).lower().endswith(SUFFIXES):
            return None
        from .parsers.spec import read_spec

        return read_spec(source)
    if isinstance(source, Network | Layer):
        return network_of(source)
    if not isinstance(source, Mapping | list | tuple):
        return None
    if source and all(isinstance(each, Layer) for each in (source.values() if isinstance(source, Mapping) else source)):
        return Network(source)  # type: ignore[arg-type]
    from .parsers.spec import network_from

    return network_from(source)


def _rows(network: Network, bindings: Bindings, quantization: Quantization) -> Rows:
    place = quoted(network.path)
    if bindings.shapes or bindings.values:
        name = next(iter({**bindings.shapes, **bindings.values}))
        raise BindingError("E-BIND-SPEC", f"'{quoted(name)}': layers have no inputs to bind; bind sizes with --dim").at(
            place
        )
    for name in bindings.dims:
        if name not in network.free:
            fact = f"--dim: no size is called '{quoted(name)}'; {did_you_mean(name, network.free)}"
            raise BindingError("E-BIND-DIM", fact).at(place)
    rows = network.bound(bindings.dims).rows(quantization)
    return replace(rows, dims=dict(bindings.dims))
