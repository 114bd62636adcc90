"""Model-local functions: rows of a body stand under every call, and equal calls are walked once."""

from __future__ import annotations

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.errors import ModelError
from onnx import TensorProto, helper, parser

HEAD = '<ir_version: 10, opset_import: ["" : 17, "local" : 1]>'


def model(graph: str, *functions: str) -> onnx.ModelProto:
    """A model in ONNX's text syntax: a graph, then functions of the domain `local`."""
    heads = [f'<domain: "local", opset_import: ["" : 17, "local" : 1]> {each}' for each in functions]
    return parser.parse_model("\n".join([HEAD, graph, *heads]))


def rows(report: nc.Report) -> list[tuple[str, str, object]]:
    return [(entry.row.path, entry.row.op, entry.row.repeat) for entry in report.entries]


def refused(source: onnx.ModelProto) -> str:
    with pytest.raises(ModelError) as caught:
        nc.analyze(source)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_nested_functions_and_differing_weights() -> None:
    """Two calls of `pair`, each twice `dense`: 4 products of 5x16 by 16x32, then one of 5x16 by 16x3."""
    source = model(
        """g (float[5,16] x, float[16,32] w1, float[32,16] w2, float[16,3] w3) => (float y) {
             h = local.pair(x, w1, w2)
             k = local.pair(h, w1, w2)
             y = MatMul(k, w3)
        }""",
        "dense (x, w) => (y) { p = MatMul(x, w) y = Relu(p) }",
        "pair (x, a, b) => (y) { h = local.dense(x, a) y = local.dense(h, b) }",
    )
    report = nc.analyze(source)
    assert report.totals.mac == 4 * (5 * 16 * 32) + 5 * 16 * 3 == 10_480
    assert report.totals.cmp == 2 * (5 * 32 + 5 * 16)
    # 2 stored nodes in dense, 2 in pair, 3 in the graph.
    assert report.coverage.nodes == 7
    products = [entry for entry in report.entries if entry.row.op == "MatMul"]
    assert [(entry.row.path, entry.row.repeat, entry.mac) for entry in products] == [
        ("h/h/p", 2, 2 * 2560),
        ("h/y/p", 2, 2 * 2560),
        ("y", 1, 240),
    ]
    assert products[0].row.paths == ("h/h/p", "k/h/p")


def test_equal_calls_are_one_row_and_paths_are_the_first_three() -> None:
    calls = "\n".join(f"x{i + 1} = local.step(x{i})" for i in range(5))
    source = model(f"g (float[7,3] x0) => (float x5) {{ {calls} }}", "step (a) => (b) { b = Softmax(a) }")
    report = nc.analyze(source)
    softmax = next(entry.row for entry in report.entries if entry.row.op == "Softmax")
    assert (softmax.repeat, softmax.paths) == (5, ("x1/b", "x2/b", "x3/b"))
    assert report.totals.act == 5 * 7 * (3 + 1)
    assert [row for row in rows(report) if row[1] == "step"] == [(f"x{i}", "step", 1) for i in range(1, 6)]


def test_calls_of_other_shapes_are_other_rows() -> None:
    source = model(
        "g (float[2,5] x, float[3,5] y) => (float u, float v) { u = local.f(x) v = local.f(y) }",
        "f (a) => (b) { b = Relu(a) }",
    )
    found = [
        (entry.row.path, entry.row.repeat, entry.cmp) for entry in nc.analyze(source).entries if entry.row.op == "Relu"
    ]
    assert found == [("u/b", 1, 10), ("v/b", 1, 15)]


def test_parameters_of_every_call_count() -> None:
    weights = "float[3,3] a = {1,2,3,4,5,6,7,8,9}, float[3,3] b = {1,2,3,4,5,6,7,8,9}"
    source = model(
        f"g (float[1,3] x) => (float z) <{weights}> {{ u = local.f(x, a) v = local.f(u, b) z = local.f(v, a) }}",
        "f (x, w) => (y) { y = MatMul(x, w) }",
    )
    report = nc.analyze(source)
    assert (report.totals.mac, report.totals.params) == (27, 18)


def test_a_constant_in_a_body_is_stored_once() -> None:
    source = model(
        "g (float[2] x) => (float z) { u = local.f(x) z = local.f(u) }",
        "f (x) => (y) { c = Constant <value = float[2] {1.0, 2.0}> () y = Mul(x, c) }",
    )
    report = nc.analyze(source)
    assert (report.totals.rm, report.totals.params) == (4, 2)


def test_attribute_references_take_the_call_then_the_default() -> None:
    source = model(
        """g (float[1,1,9,9] x) => (float u, float v) {
             u = local.pool <k = [3, 3]> (x)
             v = local.pool (x)
        }""",
        "pool <k: ints = [2, 2]> (x) => (y) { y = local.inner <size: ints = @k> (x) }",
        "inner <size> (x) => (y) { y = MaxPool <kernel_shape: ints = @size> (x) }",
    )
    found = {entry.row.path: entry.cmp for entry in nc.analyze(source).entries if entry.row.op == "MaxPool"}
    assert found == {"u/y/y": 7 * 7 * 8, "v/y/y": 8 * 8 * 3}


def test_the_same_shapes_under_other_attributes_are_not_merged() -> None:
    source = model(
        "g (float[1,1,9,9] x) => (float u, float v) { u = local.p <k = [3, 3], q = [1,1,1,1]> (x)"
        " v = local.p <k = [5, 5], q = [2,2,2,2]> (x) }",
        "p <k, q> (x) => (y) { y = MaxPool <kernel_shape: ints = @k, pads: ints = @q> (x) }",
    )
    found = [entry.cmp for entry in nc.analyze(source).entries if entry.row.op == "MaxPool"]
    assert found == [81 * 8, 81 * 24]


def test_overloads_are_other_functions() -> None:
    source = model(
        "g (float[4] x) => (float u, float v) { u = local.f:one(x) v = local.f:two(x) }",
    )
    for overload, op in (("one", "Relu"), ("two", "Tanh")):
        body = helper.make_node(op, ["a"], ["b"])
        function = helper.make_function("local", "f", ["a"], ["b"], [body], [helper.make_opsetid("", 17)])
        function.overload = overload
        source.functions.append(function)
    totals = nc.analyze(source).totals
    assert (totals.cmp, totals.act) == (4, 4)


def test_omitted_inputs_and_unwanted_outputs() -> None:
    source = model(
        "g (float[2,3] x) => (float y) { y = local.f(x) }",
        "f (x, low, high) => (y, z) { y = Clip(x, low, high) z = Relu(x) }",
    )
    assert nc.analyze(source).totals.cmp == 6


def doubling(levels: int) -> onnx.ModelProto:
    functions = ["f0 (x) => (y) { y = Relu(x) }"]
    functions += [f"f{i} (x) => (y) {{ h = local.f{i - 1}(x) y = local.f{i - 1}(h) }}" for i in range(1, levels + 1)]
    return model(f"g (float[3] x) => (float y) {{ y = local.f{levels}(x) }}", *functions)


def test_two_to_the_forty_calls_are_counted_not_expanded() -> None:
    report = nc.analyze(doubling(40))
    assert report.totals.cmp == 3 * 2**40
    relu = next(entry.row for entry in report.entries if entry.row.op == "Relu")
    assert relu.repeat == 2**40
    assert report.coverage.nodes == 2 * 40 + 2


def test_doubling_of_what_only_the_data_decide_ends_too() -> None:
    source = doubling(40)
    body = source.functions[0]
    del body.node[:]
    body.node.extend([helper.make_node("NonZero", ["x"], ["n"]), helper.make_node("Relu", ["x"], ["y"])])
    assert nc.analyze(source).totals.cmp == 2 * 3 * 2**40


def test_calls_hold_their_own_free_sizes() -> None:
    source = model(
        "g (float[3] x, float[4] y) => (int64 u, int64 v, int64 w) { u = local.f(x) v = local.f(x) w = local.f(y) }",
        "f (a) => (n) { n = NonZero(a) }",
    )
    shapes = [entry.row.outputs[0] for entry in nc.analyze(source).entries if entry.row.op == "f"]
    assert [",".join(map(str, shape or ())) for shape in shapes] == ["1,u/n.count", "1,v/n.count", "1,w/n.count"]


def test_a_ring_of_functions_is_refused_with_the_ring() -> None:
    source = model(
        "g (float[3] x) => (float y) { y = local.start(x) }",
        "start (x) => (y) { y = local.a(x) }",
        "a (x) => (y) { y = local.b(x) }",
        "b (x) => (y) { y = local.a(x) }",
    )
    assert refused(source).endswith(": function calls itself: a -> b -> a [E-FUNCTION-CYCLE]")


def chain(length: int) -> onnx.ModelProto:
    functions = ["f1 (x) => (y) { y = Relu(x) }"]
    functions += [f"f{i} (x) => (y) {{ y = local.f{i - 1}(x) }}" for i in range(2, length + 1)]
    return model(f"g (float[3] x) => (float y) {{ y = local.f{length}(x) }}", *functions)


def test_depth_of_calls_is_limited() -> None:
    assert nc.analyze(chain(100)).totals.cmp == 3
    assert refused(chain(101)).endswith("functions call each other deeper than 100 [E-LIMIT-CALLS]")


def test_definitions_that_contradict_themselves() -> None:
    twice = model("g (float[3] x) => (float y) { y = local.f(x) }", *["f (x) => (y) { y = Relu(x) }"] * 2)
    assert refused(twice) == "ModelProto: function 'f' of domain 'local' is stored twice [E-FUNCTION-TWICE]"
    many = model("g (float[3] x) => (float y) { y = local.f(x, x) }", "f (x) => (y) { y = Relu(x) }")
    assert refused(many) == "ModelProto: node 'y' (f): has 2 inputs, its function takes 1 [E-NODE-ARITY]"
    outputs = model("g (float[3] x) => (float y) { y, z = local.f(x) }", "f (x) => (y) { y = Relu(x) }")
    assert refused(outputs) == "ModelProto: node 'y' (f): has 2 outputs, its function takes 1 [E-NODE-ARITY]"


def test_a_function_of_an_operators_name_in_its_own_domain_is_the_function() -> None:
    source = model("g (float[3] x) => (float y) { y = local.Relu(x) }", "Relu (x) => (y) { y = Tanh(x) }")
    totals = nc.analyze(source).totals
    assert (totals.cmp, totals.act) == (0, 3)


def test_a_graph_given_by_the_call_is_uncounted() -> None:
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value_float=1.0)], "b", [], [helper.make_empty_tensor_value_info("c")]
    )
    choose = helper.make_node("If", ["c"], ["y"], else_branch=branch)
    borrowed = onnx.AttributeProto(name="then_branch", type=onnx.AttributeProto.GRAPH, ref_attr_name="body")
    choose.attribute.append(borrowed)
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("local", "f", ["c"], ["y"], [choose], opsets, attributes=["body"])
    call = helper.make_node("f", ["c"], ["y"], domain="local", body=branch)
    graph = helper.make_graph(
        [call],
        "g",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_empty_tensor_value_info("y")],
    )
    source = helper.make_model(graph, opset_imports=[*opsets, helper.make_opsetid("local", 1)], functions=[function])
    reasons = {entry.row.path: entry.row.reason for entry in nc.analyze(source).entries}
    assert reasons == {
        "y/y/else_branch/c": "stored in 'y', which is uncounted",
        "y/y": "its graph is an attribute of the function call around it",
        "y": "counted as its body",
    }
