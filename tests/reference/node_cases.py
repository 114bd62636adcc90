"""onnx's own node tests, read as calls of one operator and what it must answer."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from nncomplexity.element_types import ELEMENT_TYPES
from nncomplexity.operators.rule import Call, Operator, Uncounted
from nncomplexity.shapes import Tensor
from onnx import TensorProto, helper, numpy_helper

__all__ = ["agreeing_shapes", "array_of", "calls_of", "cases_of", "element_name", "single_nodes"]


@cache
def single_nodes() -> tuple[Any, ...]:
    """The node tests of one node; collecting them imports and runs every one, which takes seconds: once a process."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    return tuple(case for case in cases if case.model is not None and len(case.model.graph.node) == 1)


def cases_of(operators: Iterable[tuple[str, str]]) -> Iterator[Any]:
    """The node tests of the operators of these domains and names."""
    wanted = set(operators)
    for case in single_nodes():
        (node,) = case.model.graph.node
        if (node.domain, node.op_type) in wanted:
            yield case


def calls_of(case: Any, known: Callable[[int, Tensor], bool]) -> Iterator[tuple[Call, list[tuple[int, Any, Any]]]]:
    """Every data set as a call, and of every output asked for: its place, its declared type, its array.

    known(place, tensor) says whether the call knows the elements of an input.
    """
    (node,), graph = case.model.graph.node, case.model.graph
    version = next(opset.version for opset in case.model.opset_import if opset.domain == node.domain)
    for given, expected in case.data_sets:
        tensors = {info.name: observed(array, info.type) for info, array in zip(graph.input, given, strict=True)}
        inputs = [
            tensor if tensor is None or known(place, tensor) else shaped(tensor)
            for place, tensor in enumerate(tensors.get(name) for name in node.input)
        ]
        answers = {info.name: (info.type, array) for info, array in zip(graph.output, expected, strict=True)}
        call = Call(
            op=node.op_type,
            domain=node.domain,
            version=version,
            inputs=tuple(inputs),
            attributes={attribute.name: attribute_of(attribute) for attribute in node.attribute},
            wanted=tuple(bool(name) for name in node.output),
        )
        yield call, [(place, *answers[name]) for place, name in enumerate(node.output) if name]


def agreeing_shapes(operators: Mapping[tuple[str, str], Operator]) -> Counter[str]:
    """Calls every node test with shapes alone, compares types and shapes of the answers, and counts the calls."""
    seen: Counter[str] = Counter()
    for case in cases_of(operators):
        for call, expected in calls_of(case, known=lambda place, tensor: False):
            try:
                found = operators[call.domain, call.op].rule(call).outputs
            except Uncounted as uncounted:
                found = uncounted.outputs
            for place, kind, array in expected:
                shown = (case.name, found[place].dtype, found[place].shape)
                assert shown == (case.name, element_name(kind.tensor_type.elem_type), array.shape)
            seen[call.op] += 1
    return seen


def observed(value: Any, kind: Any) -> Tensor:
    """A node test's input as a tensor of known elements."""
    if kind.WhichOneof("value") == "sequence_type":
        items = [observed(item, kind.sequence_type.elem_type) for item in value]
        shapes = {item.shape for item in items}
        return Tensor(
            item=Tensor(dtype=items[0].dtype, shape=shapes.pop() if len(shapes) == 1 else None), length=len(items)
        )
    if kind.WhichOneof("value") == "optional_type":
        return Tensor(length=0) if value is None else observed(value, kind.optional_type.elem_type)
    return tensor_of(array_of(value), kind.tensor_type.elem_type)


def shaped(tensor: Tensor) -> Tensor:
    """What is known of a tensor before the run."""
    return Tensor(dtype=tensor.dtype, shape=tensor.shape, item=tensor.item, length=tensor.length)


def tensor_of(array: Any, element_type: int) -> Tensor:
    """A known array of an ONNX element type."""
    flat = tuple(element.decode() if isinstance(element, bytes) else element for element in array.ravel().tolist())
    return Tensor(dtype=element_name(element_type), shape=array.shape, value=flat)


def element_name(element_type: int) -> str:
    """The name of an ONNX element type."""
    return ELEMENT_TYPES[element_type].name


def array_of(value: Any) -> Any:
    """An array of a data set, stored or not."""
    return np.asarray(numpy_helper.to_array(value) if isinstance(value, TensorProto) else value)


def attribute_of(attribute: Any) -> Any:
    """An attribute as a Call holds it."""
    value = helper.get_attribute_value(attribute)
    if isinstance(value, TensorProto):
        return tensor_of(numpy_helper.to_array(value), value.data_type)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Iterable):
        return tuple(item.decode() if isinstance(item, bytes) else item for item in value)
    return value
