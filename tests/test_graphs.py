"""Graphs as files really hold them, and as nobody should write them: names, order, versions, nesting."""

from __future__ import annotations

from typing import Any

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.errors import ModelError
from onnx import TensorProto, helper, parser


def model(graph: str, opsets: str = '"" : 18', ir: int = 10) -> onnx.ModelProto:
    return parser.parse_model(f"<ir_version: {ir}, opset_import: [{opsets}]> {graph}")


def refused(source: onnx.ModelProto | bytes, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        nc.analyze(source, **options)
    assert caught.value.exit_code == 3
    return str(caught.value).removeprefix("ModelProto: ").removeprefix("bytes: ")


def reasons(source: onnx.ModelProto) -> list[str | None]:
    return [entry.row.reason for entry in nc.analyze(source).entries]


PLACES = ["XINPUT", "XNODE", "XOUT", "XWEIGHT", "XDIM", "XOP", "XDOMAIN", "XATTR", "XBODY"]


def everywhere() -> bytes:
    """A model with a replaceable word in every kind of name."""
    inner = helper.make_graph(
        [helper.make_node("Neg", ["XOUT"], ["XBODY"])], "XBODY", [], [helper.make_empty_tensor_value_info("XBODY")]
    )
    nodes = [
        helper.make_node("Mul", ["XINPUT", "XWEIGHT"], ["XOUT"], name="XNODE"),
        helper.make_node("If", ["c"], ["p"], then_branch=inner, else_branch=inner),
        helper.make_node("Relu", ["p"], ["q"], XATTR=3),
        helper.make_node("XOP", ["q"], ["r"], domain="XDOMAIN"),
        helper.make_node("Neg", ["XOUT"], ["XINPUT2"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("XINPUT", TensorProto.FLOAT, ["XDIM", 3]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_empty_tensor_value_info("r")],
        [helper.make_tensor("XWEIGHT", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("XDOMAIN", 1)]
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()


@pytest.mark.parametrize("place", PLACES)
def test_names_that_are_no_text_are_shown_escaped(place: str) -> None:
    """protobuf gives a string that is no UTF-8 as bytes."""
    broken = place.encode()[:-1] + b"\xff"
    report = nc.analyze(everywhere().replace(place.encode(), broken))
    assert report.totals.params == 3
    shown = report.to_json() + str(report)
    assert "b'" not in shown
    assert len(report.entries) == 7


def test_bytes_in_names_of_functions_and_inputs() -> None:
    source = model("g (float[N,3] x) => (float y) { y = local.fun(x) }", '"" : 18, "local" : 1')
    function = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18, "local" : 1]> g (float x) => (float y) { y = local.fun(x) }'
        '<domain: "local", opset_import: ["" : 18]> fun (x) => (y) { y = Relu(x) }'
    ).functions[0]
    source.functions.append(function)
    data = source.SerializeToString().replace(b"fun", b"f\xffn")
    assert str(nc.analyze(data).totals.cmp) == "3*N"
    assert nc.analyze(data.replace(b"\x01N", b"\x01\xfe"), dims={"\\xfe": 4}).totals.cmp == 12


def test_nodes_out_of_order_and_rings_are_refused() -> None:
    backwards = model("g (float[3] x) => (float y) { y = Relu(a) a = Tanh(x) }")
    assert refused(backwards) == "node 'y' (Relu): reads 'a', which nothing before it produces [E-NODE-UNDEFINED]"
    ring = model("g (float[3] x) => (float y) { y = Add(x, z) z = Relu(y) }")
    assert refused(ring) == "node 'y' (Add): reads 'z', which nothing before it produces [E-NODE-UNDEFINED]"
    itself = model("g (float[3] x) => (float y) { y = Add(x, y) }")
    assert refused(itself) == "node 'y' (Add): reads 'y', which nothing before it produces [E-NODE-UNDEFINED]"


def test_names_are_given_once() -> None:
    assert refused(model("g (float[3] x) => (float y) { y = Relu(x) y = Tanh(x) }")) == (
        "node 'y' (Tanh): 'y' is produced twice [E-NAME-TWICE]"
    )
    assert refused(model("g (float[3] x) => (float x) { x = Relu(x) }")) == (
        "node 'x' (Relu): 'x' is produced twice [E-NAME-TWICE]"
    )
    assert refused(model("g (float[3] x, float[4] x) => (float y) { y = Relu(x) }")) == (
        "'x' is the name of two inputs [E-NAME-TWICE]"
    )
    assert refused(model("g (float[3] x) => (float z) { y = Relu(x) }")) == (
        "output 'z' is produced by no node [E-OUTPUT-UNDEFINED]"
    )


def test_nodes_of_one_name_stay_two_nodes() -> None:
    source = model("g (float[3] x, float[4] y) => (int64 u, int64 v) { u = NonZero(x) v = NonZero(y) }")
    for node in source.graph.node:
        node.name = "same"
    report = nc.analyze(source)
    assert report.coverage.nodes == 2
    assert [str((entry.row.outputs[0] or ())[1]) for entry in report.entries] == ["same.count", "same#1.count"]


def test_nodes_without_outputs() -> None:
    source = model("g (float[3] x) => (float y) { y = Relu(x) }", '"" : 18, "other" : 1')
    source.graph.node.append(helper.make_node("Print", ["x"], [], domain="other"))
    report = nc.analyze(source)
    assert report["Print_1"].row.reason == "no rule for operator Print of domain other"
    source.graph.node.append(helper.make_node("Relu", ["x"], []))
    assert refused(source) == "node 'Relu_2' (Relu): has 0 outputs, expected 1 [E-NODE-ARITY]"


def test_a_layer_whose_outputs_nobody_names_still_runs() -> None:
    nodes = [helper.make_node("RNN", ["x", "w", "r"], ["", ""], hidden_size=2), helper.make_node("Relu", ["x"], ["y"])]
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, [1, 2, 3], [0.0] * 6),
        helper.make_tensor("r", TensorProto.FLOAT, [1, 2, 2], [0.0] * 4),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 1, 3])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_empty_tensor_value_info("y")], weights)
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert nc.analyze(source).totals.mac == 5 * 2 * (3 + 2)


def test_a_wide_fan_out_is_read_once() -> None:
    readers = "\n".join(f"y{i} = Relu(x)" for i in range(3000))
    last = ", ".join(f"y{i}" for i in range(3000))
    totals = nc.analyze(model(f"g (float[5] x) => (float z) {{ {readers} z = Sum({last}) }}")).totals
    assert (totals.cmp, totals.add) == (3000 * 5, 2999 * 5)


def nested(depth: int) -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["o"])], "b", [], [helper.make_empty_tensor_value_info("o")]
    )
    for _ in range(depth - 1):
        node = helper.make_node("If", ["c"], ["o"], then_branch=body, else_branch=leaf())
        body = helper.make_graph([node], "b", [], [helper.make_empty_tensor_value_info("o")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=leaf())
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [3]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
    ]
    graph = helper.make_graph([node], "g", inputs, [helper.make_empty_tensor_value_info("y")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def leaf() -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node("Identity", ["x"], ["o"])], "e", [], [helper.make_empty_tensor_value_info("o")]
    )


def test_graphs_nest_thirty_two_deep_and_no_deeper() -> None:
    assert nc.analyze(nested(32)).totals.cmp == 3
    assert refused(nested(33)).endswith("graphs nest deeper than 32 [E-LIMIT-DEPTH]")


@pytest.mark.parametrize(
    ("opsets", "reason"),
    [
        ('"" : 6', "ai.onnx version 6 is older than 7, the oldest one known here"),
        ('"" : 0', "ai.onnx version 0 is older than 7, the oldest one known here"),
        ('"" : 29', "ai.onnx version 29 is newer than 28, the newest one known here"),
        ('"" : 99', "ai.onnx version 99 is newer than 28, the newest one known here"),
        ('"other" : 1', "the model does not import the operator set ai.onnx"),
        ('"ai.onnx" : 6', "ai.onnx version 6 is older than 7, the oldest one known here"),
    ],
)
def test_versions_nobody_wrote_rules_for_are_uncounted(opsets: str, reason: str) -> None:
    source = model("g (float[3] x) => (float y) { y = Relu(x) }")
    del source.opset_import[:]
    domain, version = opsets.split(" : ")
    source.opset_import.append(helper.make_opsetid(domain.strip('"'), int(version)))
    assert reasons(source) == [reason]
    assert nc.analyze(source).totals.cmp is None


def test_no_imports_at_all() -> None:
    source = model("g (float[3] x) => (float y) { y = Relu(x) }")
    del source.opset_import[:]
    assert reasons(source) == ["the model does not import the operator set ai.onnx"]


def test_every_node_below_an_uncounted_node_is_listed() -> None:
    source = nested(3)
    source.opset_import[0].version = 99
    report = nc.analyze(source)
    assert report.coverage.nodes == report.coverage.uncounted == 3 + 3 + 1
    assert report["y/then_branch/o/then_branch/o/then_branch/o"].row.reason == "stored in 'y', which is uncounted"


def test_one_domain_in_two_versions_is_a_contradiction() -> None:
    source = model("g (float[3] x) => (float[3] y) { y = Relu(x) }")
    source.opset_import.append(helper.make_opsetid("ai.onnx", 17))
    network = nc.analyze(source).network
    assert network.contradictions == ("operator set ai.onnx is imported in versions 18 and 17",)
    assert network.opsets == {"ai.onnx": 17}


@pytest.mark.parametrize("ir", [0, 1, 3, 4, 13, 99])
def test_any_ir_version_is_read(ir: int) -> None:
    source = model("g (float[3] x) => (float y) { y = Relu(x) }")
    source.ir_version = ir
    assert nc.analyze(source).totals.cmp == 3


def test_declared_shapes_are_compared_and_not_believed() -> None:
    graph = "g (float[2,3] x) => (float[2,4] y) <float[2,9] a> { a = Relu(x) y = Tanh(a) }"
    report = nc.analyze(model(graph))
    assert (report.totals.cmp, report.totals.act) == (6, 6)
    assert report.network.contradictions == (
        "'a' is declared as [2,9] and computed as [2,3]",
        "'y' is declared as [2,4] and computed as [2,3]",
    )


def test_unknown_attributes_are_named_once() -> None:
    source = model("g (float[3] x) => (float[3] y) { a = Relu <speed = 3> (x) y = Relu <speed = 4> (a) }")
    assert nc.analyze(source).network.contradictions == ("operator Relu has no attribute 'speed'",)


def test_a_long_chain_does_not_recurse() -> None:
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(5000)]
    inputs = [helper.make_tensor_value_info("t0", TensorProto.FLOAT, ["N", 3])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_empty_tensor_value_info("t5000")])
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert str(nc.analyze(source).totals.cmp) == "15000*N"
