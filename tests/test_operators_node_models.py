"""Shapes, element types and folded values of every single-node test model of the onnx package, family by family."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from nncomplexity.accounting import count
from nncomplexity.operators.rule import Uncounted
from reference.calls import by_name
from reference.node_cases import array_of, calls_of, cases_of, element_name

FAMILIES = (
    "activation",
    "comparison",
    "elementwise",
    "interpolation",
    "normalization",
    "pooling",
    "random",
    "reduction",
    "softmax",
)
OPERATORS = by_name(*FAMILIES)
UNTESTED = {
    "GlobalLpPool",
    "MaxRoiPool",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


def compare(case, known):
    steering = OPERATORS[case.model.graph.node[0].op_type].settings
    for call, expected in calls_of(case, lambda place, tensor: known or place in steering):
        try:
            result = OPERATORS[call.op].rule(call)
            outputs = result.outputs
            assert (result.work is None) == (result.free is not None)
            for convention in ("paper", "exact") if result.work else ():
                assert all(type(times) is int and times > 0 for _, times in count(result.work, convention))
        except Uncounted as reason:
            outputs = reason.outputs
        for place, kind, value in expected:
            output, array = outputs[place], array_of(value)
            assert output.shape == array.shape, case.name
            assert output.dtype == element_name(kind.tensor_type.elem_type), case.name
            if known and output.value is not None:
                pairs = zip(output.value, array.ravel().tolist(), strict=True)
                found = [(float(a), float(b)) for a, b in pairs if a is not None]
                close = np.allclose(*zip(*found, strict=True), rtol=1e-3, atol=1e-5, equal_nan=True) if found else True
                assert close, case.name


@pytest.mark.parametrize("known", [True, False], ids=["known", "shapes"])
@pytest.mark.parametrize("op", sorted(OPERATORS.keys() - UNTESTED))
def test_node_models(op, known):
    found = list(cases_of([("", op)]))
    assert found, f"the onnx package has no test of {op}"
    for case in found:
        compare(case, known)


def test_the_list_of_untested_operators_is_current():
    assert not list(cases_of(("", op) for op in UNTESTED))


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
