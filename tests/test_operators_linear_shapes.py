"""Shapes and element types equal those of ONNX's own node tests, operator tables those of its registry."""

from __future__ import annotations

import pytest
from nncomplexity.accounting import count
from onnx import defs
from reference.calls import operators_of
from reference.node_cases import array_of, calls_of, cases_of, element_name

FAMILIES = (
    "linear",
    "linear_quantized",
    "convolution",
    "convolution_deformable",
    "convolution_transposed",
    "einsum",
    "transform",
    "recurrent",
)


RULES = {name: op for (domain, name), op in operators_of(*FAMILIES).items() if not domain}
# Larger inputs are data, whose elements no rule is to need.
KNOWN = 64


def test_shapes_and_types_are_those_of_the_node_tests():
    seen = set()
    for case in cases_of(("", name) for name in RULES):
        for call, expected in calls_of(case, lambda place, tensor: tensor.size <= KNOWN):
            result = RULES[call.op].rule(call)
            assert result.free or all(len(count(result.work, convention)) for convention in ("paper", "exact"))
            for place, kind, array in expected:
                found = (case.name, result.outputs[place].shape, result.outputs[place].dtype)
                assert found == (case.name, array_of(array).shape, element_name(kind.tensor_type.elem_type))
            seen.add(call.op)
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
