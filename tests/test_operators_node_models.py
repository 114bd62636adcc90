"""Shapes, element types and folded values of every single-node test model of the onnx package, family by family."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import onnx
import pytest
from nncomplexity.accounting import count
from nncomplexity.operators import (
    activation,
    comparison,
    elementwise,
    interpolation,
    normalization,
    pooling,
    random,
    reduction,
    softmax,
)
from nncomplexity.operators.rule import Call, Uncounted
from nncomplexity.shapes import Tensor
from onnx import helper

FAMILIES = (activation, comparison, elementwise, interpolation, normalization, pooling, random, reduction, softmax)
OPERATORS = {operator.name: operator for family in FAMILIES for operator in family.OPERATORS}
UNTESTED = {
    "GlobalLpPool",
    "MaxRoiPool",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
OLDEST = 7
NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}


@cache
def cases():
    import onnx.backend.test.case.node as nodes

    found: dict[str, list] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in nodes.collect_testcases(None):
            graph = case.model.graph
            if len(graph.node) == 1 and not graph.node[0].domain:
                found.setdefault(graph.node[0].op_type, []).append(case)
    return found


def type_name(code):
    name = onnx.TensorProto.DataType.Name(code)
    return NAMES.get(name, name.lower())


def attribute(value):
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value) if isinstance(value, list) or hasattr(value, "append") else value


def call_of(case, known):
    node, graph = case.model.graph.node[0], case.model.graph
    arrays = dict(zip([i.name for i in graph.input], case.data_sets[0][0], strict=True))
    types = {i.name: type_name(i.type.tensor_type.elem_type) for i in graph.input}
    version = next(o.version for o in case.model.opset_import if not o.domain)
    inputs = []
    for place, name in enumerate(node.input):
        array = np.asarray(arrays[name]) if name else None
        seen = known or place in OPERATORS[node.op_type].settings
        value = tuple(array.ravel().tolist()) if array is not None and seen else None
        inputs.append(None if array is None else Tensor(dtype=types[name], shape=array.shape, value=value))
    return Call(
        op=node.op_type,
        version=onnx.defs.get_schema(node.op_type, version).since_version,
        inputs=tuple(inputs),
        attributes={a.name: attribute(helper.get_attribute_value(a)) for a in node.attribute},
        wanted=tuple(bool(name) for name in node.output),
    )


def compare(case, known):
    call, graph = call_of(case, known), case.model.graph
    try:
        result = OPERATORS[call.op].rule(call)
        outputs = result.outputs
        assert (result.work is None) == (result.free is not None)
        for convention in ("paper", "exact") if result.work else ():
            assert all(type(times) is int and times > 0 for _, times in count(result.work, convention))
    except Uncounted as reason:
        outputs = reason.outputs
    expected = {output.name: (output, array) for output, array in zip(graph.output, case.data_sets[0][1], strict=True)}
    for place, name in enumerate(graph.node[0].output):
        if not name:
            continue
        info, array = expected[name]
        assert outputs[place].shape == np.asarray(array).shape, case.name
        assert outputs[place].dtype == type_name(info.type.tensor_type.elem_type), case.name
        if known and outputs[place].value is not None:
            pairs = zip(outputs[place].value, np.asarray(array).ravel().tolist(), strict=True)
            found = [(float(a), float(b)) for a, b in pairs if a is not None]
            assert np.allclose(*zip(*found, strict=True), rtol=1e-3, atol=1e-5, equal_nan=True) if found else True, (
                case.name
            )


@pytest.mark.parametrize("known", [True, False], ids=["known", "shapes"])
@pytest.mark.parametrize("op", sorted(OPERATORS.keys() - UNTESTED))
def test_node_models(op, known):
    found = cases().get(op, [])
    assert found, f"the onnx package has no test of {op}"
    for case in found:
        compare(case, known)


def test_the_list_of_untested_operators_is_current():
    assert not UNTESTED & cases().keys()


def test_index_agrees_with_the_schemas():
    histories: dict[str, list] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain and schema.name in OPERATORS:
            histories.setdefault(schema.name, []).append(schema)
    assert histories.keys() == OPERATORS.keys()
    most = 2**31 - 1
    for name, schemas in histories.items():
        schemas.sort(key=lambda schema: schema.since_version)
        alive = [
            s
            for s, after in zip(schemas, [*schemas[1:], None], strict=True)
            if after is None or after.since_version > 7
        ]
        operator = OPERATORS[name]
        for bounds, least, greatest in (
            (operator.inputs, "min_input", "max_input"),
            (operator.outputs, "min_output", "max_output"),
        ):
            high = max(getattr(schema, greatest) for schema in alive)
            assert bounds == (min(getattr(schema, least) for schema in alive), None if high == most else high), name
        assert set(operator.attributes.split()) == {a for schema in alive for a in schema.attributes}, name
