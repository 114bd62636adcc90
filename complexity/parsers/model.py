"""From an ONNX model to a network: open it, bind its inputs, walk its graph, gather the rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..encoding import Encoding
from ..errors import BindingError, ComplexityError, ModelError, did_you_mean, quoted
from ..expressions import is_expression, names
from ..network import Network, Row, Stored, merge
from ..quantization import Quantization
from ..shapes import Tensor
from .analysis import Analysis
from .attributes import text
from .dialects.annotated import annotations_of
from .functions import functions_by_name
from .graph import Walker
from .inputs import Bindings, bind_inputs, declared_shape
from .overrides import Overrides
from .scope import Scope
from .source import Source, read_model
from .versions import opset_contradictions, opsets_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

__all__ = ["read_network"]


def read_network(
    source: str | os.PathLike[str] | bytes | ModelProto, bindings: Bindings, quantization: Quantization
) -> Network:
    """The network of an ONNX model. Raises ModelError (the file) or BindingError (the user's bindings)."""
    opened = read_model(source)
    try:
        return _network(opened, bindings, quantization)
    except ComplexityError as error:
        raise error.at(quoted(opened.path)) from None
    except RecursionError:
        raise ModelError("E-LIMIT-DEPTH", "the model nests too deeply to be read").at(quoted(opened.path)) from None


def _network(source: Source, bindings: Bindings, quantization: Quantization) -> Network:
    proto, graph = source.proto, source.proto.graph
    stored = {initializer.name for initializer in graph.initializer}
    given, dims, declared = bind_inputs([value for value in graph.input if value.name not in stored], bindings)
    analysis = Analysis(
        source=source,
        quantization=quantization,
        dims=dims,
        weightless=bindings.weightless,
        functions=functions_by_name(proto.functions),
        overrides=Overrides.of(quantization),
        annotations=annotations_of(graph),
    )
    walker = Walker(analysis=analysis, opsets=opsets_of(proto.opset_import), place="graph")
    scope = Scope({})
    for value in graph.input:
        if value.name not in stored:
            scope.tensors[value.name] = walker.annotated(value.name, _formatted(given[text(value.name)], quantization))
    walker.enter_initializers(graph, scope)
    body = walker.nodes(graph.node, scope, [value.name for value in graph.output])
    rows = _claimed(merge(body.rows))
    invented = _free_names(rows) - declared
    _check_dims(dims, declared, analysis.used_dims, invented, bindings)
    free = [name for name in (*_in_order(given), *sorted(invented)) if name not in dims]
    return Network(
        path=source.path,
        rows=rows,
        ir_version=proto.ir_version,
        opsets={domain or "ai.onnx": version for domain, version in walker.opsets.items()},
        dims={name: size for name, size in dims.items() if name in declared or name in analysis.used_dims},
        free=tuple(dict.fromkeys(free)),
        quantization=quantization.text,
        accumulator=quantization.everywhere,
        input_bits=quantization.input.width if quantization.asked and quantization.input else None,
        warnings=(
            *analysis.remarks,
            *analysis.float_warnings,
            *analysis.unknown_attributes,
            *(analysis.overrides.remarks(rows) if analysis.overrides else ()),
        ),
        contradictions=(
            *opset_contradictions(proto.opset_import),
            *_contradictions(graph, scope),
            *analysis.unknown_attributes,
        ),
        digest=source.sha256,
    )


def _formatted(tensor: Tensor, quantization: Quantization) -> Tensor:
    if tensor.dtype is None or not tensor.number.floating:
        return tensor
    asked = quantization.input or quantization.activation
    said = quantization.asked and asked is not None and quantization.activation is None
    # Behind a width that is asked for alone the numbers of the file go on by their own arithmetic.
    step = Fraction(1, 2) ** asked.fraction if said and asked and isinstance(asked.fraction, int) else None
    encoding = Encoding(source="--input-bits", step=step) if said else None
    return replace(tensor, format=asked, encoding=encoding)


def _claimed(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Each trained tensor left to the first row that uses it."""
    seen: set[str] = set()
    claimed: list[Row] = []
    for row in rows:
        if row.trained:
            kept: list[Stored] = []
            for stored in row.trained:
                if stored.identity not in seen:
                    seen.add(stored.identity)
                    kept.append(stored)
            if len(kept) != len(row.trained):
                row = replace(row, trained=tuple(kept))
        claimed.append(row)
    return tuple(claimed)


def _free_names(rows: Sequence[Row]) -> set[str]:
    found: set[str] = set()
    for row in rows:
        found |= names(row.repeat)
        for shape in row.outputs:
            for size in shape or ():
                if is_expression(size):
                    found |= names(size)
    return found


def _in_order(inputs: dict[str, Tensor]) -> list[str]:
    found: dict[str, None] = {}
    for tensor in inputs.values():
        for size in tensor.shape or ():
            found.update(dict.fromkeys(sorted(names(size))))
    return list(found)


def _check_dims(
    dims: dict[str, int], declared: set[str], used: set[str], invented: set[str], bindings: Bindings
) -> None:
    for name in bindings.dims:
        if name not in declared and name not in used:
            hint = did_you_mean(name, sorted(declared | invented))
            raise BindingError("E-BIND-DIM", f"--dim: the model has no dim '{quoted(name)}'; {hint}")


def _contradictions(graph: GraphProto, scope: Scope) -> list[str]:
    """Declared shapes that the operators contradict; the operators are believed."""
    found: list[str] = []
    for value in (*graph.value_info, *graph.output):
        tensor = scope.tensors.get(value.name)
        shape = declared_shape(value) if tensor is not None and tensor.shape is not None else None
        if tensor is None or tensor.shape is None or shape is None:
            continue
        pairs = list(zip(shape, tensor.shape, strict=False))
        differ = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)
        if len(shape) != len(tensor.shape) or differ:
            shown = " and computed as ".join("[" + ",".join(map(str, each)) + "]" for each in (shape, tensor.shape))
            found.append(f"'{quoted(text(value.name))}' is declared as {shown}")
    return found
