"""Every operator of onnx's own registry is counted, declared free, or declared uncountable with a reason."""

from __future__ import annotations

import pytest
from nncomplexity.operators import FAMILIES, KNOWN_VERSIONS, OLDEST, family, find
from nncomplexity.parsers.control_flow import CONTROL_FLOW
from onnx import defs

SCHEMAS = [schema for schema in defs.get_all_schemas_with_history() if schema.domain in KNOWN_VERSIONS]
NAMES = sorted({(schema.domain, schema.name) for schema in SCHEMAS})
# Attributes onnx defined only before version 7, whose files are not counted.
ANCIENT = {"consumed_inputs", "broadcast"}


def versions(domain: str, name: str) -> list[defs.OpSchema]:
    """All definitions of an operator that a file of a known opset can mean."""
    found = sorted((s for s in SCHEMAS if (s.domain, s.name) == (domain, name)), key=lambda s: s.since_version)
    if domain:
        return found
    before = [schema for schema in found if schema.since_version <= OLDEST]
    return before[-1:] + [schema for schema in found if schema.since_version > OLDEST]


@pytest.mark.parametrize(("domain", "name"), NAMES)
def test_every_operator_of_the_registry_has_a_rule(domain: str, name: str) -> None:
    assert find(domain, name) is not None or (domain == "" and name in CONTROL_FLOW)


@pytest.mark.parametrize(("domain", "name"), NAMES)
def test_rules_know_the_same_attributes_and_numbers_of_inputs(domain: str, name: str) -> None:
    operator = find(domain, name)
    if operator is None:
        assert name in CONTROL_FLOW
        return
    schemas = versions(domain, name)
    attributes = {attribute for schema in schemas for attribute in schema.attributes} - ANCIENT
    assert {attribute for attribute in attributes if not operator.knows(attribute)} == set()
    for declared, least, most in (
        (operator.inputs, [s.min_input for s in schemas], [s.max_input for s in schemas]),
        (operator.outputs, [s.min_output for s in schemas], [s.max_output for s in schemas]),
    ):
        assert declared[0] <= min(least)
        assert declared[1] is None or declared[1] >= min(max(most), 2**31 - 1)


def test_the_known_versions_are_those_of_the_newest_definitions() -> None:
    for domain, version in KNOWN_VERSIONS.items():
        newest = max(schema.since_version for schema in SCHEMAS if schema.domain == domain)
        assert newest <= version, f"{domain or 'ai.onnx'} has definitions of version {newest}"


@pytest.mark.parametrize("home", FAMILIES)
def test_the_index_page_lists_what_each_family_defines(home: str) -> None:
    defined = {f"{operator.domain}:{operator.name}".lstrip(":") for operator in family(home)}
    assert set(FAMILIES[home].split()) == defined


def test_no_operator_is_defined_twice() -> None:
    names = [name for names in FAMILIES.values() for name in names.split()]
    assert len(names) == len(set(names))


def test_what_is_free_or_uncountable_says_why() -> None:
    for operator in (operator for home in FAMILIES for operator in family(home)):
        assert operator.free is None or len(operator.free) > 5
        assert operator.uncountable is None or len(operator.uncountable) > 5


QUANTIZER_AND_OPTIMIZER = (
    "QLinearAdd QLinearMul QLinearSigmoid QLinearLeakyRelu QLinearConcat QLinearAveragePool QLinearGlobalAveragePool "
    "QLinearSoftmax QGemm QAttention DynamicQuantizeLSTM DynamicQuantizeMatMul MatMulNBits MatMulIntegerToFloat "
    "FusedMatMul FusedConv Attention MultiHeadAttention GroupQueryAttention SkipLayerNormalization FastGelu BiasGelu "
    "Gelu QuickGelu EmbedLayerNormalization QuantizeLinear DequantizeLinear"
)


@pytest.mark.parametrize("name", QUANTIZER_AND_OPTIMIZER.split())
def test_the_operators_of_quantizers_and_optimizers_have_rules(name: str) -> None:
    assert find("com.microsoft", name) is not None


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"])
@pytest.mark.parametrize("name", ["Quant", "BipolarQuant", "Trunc", "MultiThreshold"])
def test_the_qonnx_domains_have_rules(domain: str, name: str) -> None:
    assert find(domain, name) is not None


def test_a_known_name_in_a_foreign_domain_is_not_the_known_operator() -> None:
    assert find("my.domain", "Conv") is None
