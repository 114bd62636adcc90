"""Shapes and element types equal those of ONNX's own node tests, operator tables those of its registry."""

from __future__ import annotations

import warnings

import numpy
import onnx
import pytest
from nncomplexity.accounting import count
from nncomplexity.element_types import ELEMENT_TYPES
from nncomplexity.operators import (
    convolution,
    convolution_deformable,
    convolution_transposed,
    einsum,
    linear,
    linear_quantized,
    recurrent,
    transform,
)
from nncomplexity.operators.rule import Call
from nncomplexity.shapes import Tensor
from onnx import defs, helper, numpy_helper

FAMILIES = (
    linear,
    linear_quantized,
    convolution,
    convolution_deformable,
    convolution_transposed,
    einsum,
    transform,
    recurrent,
)
RULES = {op.name: op for family in FAMILIES for op in family.OPERATORS if not op.domain}


def single_node_models():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Collecting imports every node test, which takes seconds: once, when a test asks.
        from onnx.backend.test.case.node import collect_testcases

        for case in collect_testcases(None):
            graph = case.model.graph if case.model is not None else None
            if graph and len(graph.node) == 1 and not graph.node[0].domain and graph.node[0].op_type in RULES:
                yield case


def plain(attribute):
    value = helper.get_attribute_value(attribute)
    if isinstance(value, list):
        return tuple(item.decode() if isinstance(item, bytes) else item for item in value)
    return value.decode() if isinstance(value, bytes) else value


def array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else numpy.asarray(value)


def call_of(model, given):
    node = model.graph.node[0]
    tensors = {}
    for info, value in zip(model.graph.input, map(array, given), strict=True):
        known = tuple(value.ravel().tolist()) if value.size <= 64 else None
        tensors[info.name] = Tensor(
            dtype=ELEMENT_TYPES[info.type.tensor_type.elem_type].name, shape=tuple(map(int, value.shape)), value=known
        )
    return Call(
        op=node.op_type,
        version=model.opset_import[0].version,
        inputs=tuple(tensors.get(name) for name in node.input),
        attributes={attribute.name: plain(attribute) for attribute in node.attribute},
        wanted=tuple(bool(name) for name in node.output),
    )


def test_shapes_and_types_are_those_of_the_node_tests():
    seen = set()
    for case in single_node_models():
        node = case.model.graph.node[0]
        for given, expected in case.data_sets:
            call = call_of(case.model, given)
            result = RULES[node.op_type].rule(call)
            assert result.free or all(len(count(result.work, convention)) for convention in ("paper", "exact"))
            declared = iter(zip(case.model.graph.output, map(array, expected), strict=True))
            for tensor, name in zip(result.outputs, node.output, strict=False):
                if name:
                    info, value = next(declared)
                    found = (case.name, tensor.shape, tensor.dtype)
                    assert found == (case.name, value.shape, ELEMENT_TYPES[info.type.tensor_type.elem_type].name)
        seen.add(node.op_type)
    assert seen == set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_tables_agree_with_the_registry(name):
    schemas = [
        schema
        for schema in defs.get_all_schemas_with_history()
        if schema.name == name and not schema.domain and schema.since_version <= 28
    ]
    oldest = max((s.since_version for s in schemas if s.since_version <= 7), default=0)
    schemas = [schema for schema in schemas if schema.since_version >= oldest]
    operator = RULES[name]
    most = max(schema.max_input for schema in schemas)
    assert operator.inputs == (min(s.min_input for s in schemas), None if most == 2**31 - 1 else most)
    assert operator.outputs == (min(s.min_output for s in schemas), max(s.max_output for s in schemas))
    assert set(operator.attributes.split()) == {key for schema in schemas for key in schema.attributes}
