"""Model-local functions: a body walked once for equal arguments, its rows placed under every call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import ModelError, quoted
from ..network import Row, merge
from ..shapes import Tensor
from .analysis import FunctionName
from .attributes import text
from .scope import ABSENT, Body, Scope
from .versions import opsets_of

if TYPE_CHECKING:
    from onnx import FunctionProto, NodeProto

    from .graph import Walker

__all__ = ["call_function", "functions_by_name"]

DEPTH, TOLD_APART = 100, 300


def functions_by_name(functions: Iterable[FunctionProto]) -> dict[FunctionName, FunctionProto]:
    """The functions of a model by domain, name and overload. Raises ModelError for two of one name."""
    found: dict[FunctionName, FunctionProto] = {}
    for function in functions:
        domain = text(function.domain)
        key = ("" if domain == "ai.onnx" else domain, text(function.name), text(function.overload))
        if key in found:
            raise ModelError(
                "E-FUNCTION-TWICE", f"function '{quoted(key[1])}' of domain '{quoted(domain)}' is stored twice"
            )
        found[key] = function
    return found


def call_function(
    walker: Walker, key: FunctionName, node: NodeProto, row: Row, inputs: tuple[Tensor | None, ...]
) -> Body:
    """The body of a call with its rows placed under the call, the call's own row last.

    Raises ModelError for a function that calls itself and for calls deeper than DEPTH.
    """
    if key in walker.functions:
        ring = " -> ".join(quoted(name) for _, name, _ in (*walker.functions[walker.functions.index(key) :], key))
        raise ModelError("E-FUNCTION-CYCLE", f"function calls itself: {ring}")
    if len(walker.functions) >= DEPTH:
        raise ModelError("E-LIMIT-CALLS", f"functions call each other deeper than {DEPTH}")
    analysis = walker.analysis
    signature = (
        key,
        walker.tolerant,
        inputs,
        tuple(tensor and tensor.stored for tensor in inputs),
        tuple(walker.serialized(attribute) for attribute in node.attribute),
        len(node.output),
        analysis.overrides
        and (analysis.overrides.identities(inputs), analysis.overrides.told_apart(f"{walker.prefix}{row.path}")),
    )
    body = analysis.bodies.get(signature)
    if body is None:
        before = analysis.inventions
        function = analysis.functions[key]
        body = _walked(_inner(walker, function, key, node, row), function, inputs, len(node.output))
        # Sizes that only the data decide differ from call to call, unless there are too many calls to tell apart.
        if analysis.inventions == before or analysis.inventions > TOLD_APART:
            analysis.bodies[signature] = body
    shapes = tuple(tensor.shape for tensor in body.outputs)
    own = replace(row, reason="counted as its body", kind="function", outputs=shapes)
    return replace(body, rows=(*(inner.within(row.path, 1) for inner in body.rows), own))


def _inner(walker: Walker, function: FunctionProto, key: FunctionName, node: NodeProto, row: Row) -> Walker:
    """The walker of a function body: its own opsets, its call's attributes over its defaults."""
    bound = {attribute.name: attribute for attribute in function.attribute_proto}
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            bound[attribute.name] = attribute
        elif attribute.ref_attr_name in walker.attributes:
            bound[attribute.name] = walker.attributes[attribute.ref_attr_name]
    return replace(
        walker,
        opsets=opsets_of(function.opset_import) or walker.opsets,
        place=f"function {key[0]}:{key[1]}:{key[2]}",
        prefix=f"{walker.prefix}{row.path}/",
        attributes=bound,
        functions=(*walker.functions, key),
    )


def _walked(walker: Walker, function: FunctionProto, inputs: Sequence[Tensor | None], outputs: int) -> Body:
    """The body walked once; equal rows of the functions it calls become one."""
    for what, found, most in (("inputs", len(inputs), len(function.input)), ("outputs", outputs, len(function.output))):
        if found > most:
            raise ModelError("E-NODE-ARITY", f"has {found} {what}, its function takes {most}")
    given = (*inputs, *[None] * (len(function.input) - len(inputs)))
    scope = Scope({name: tensor or ABSENT for name, tensor in zip(function.input, given, strict=True)})
    body = walker.nodes(function.node, scope, list(function.output))
    return replace(body, rows=tuple(merge(body.rows)))
