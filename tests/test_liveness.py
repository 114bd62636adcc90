"""peak_activation_bits: the tensors alive while nodes run in file order, followed by hand."""

from __future__ import annotations

import nncomplexity as nc
import onnx
from nncomplexity.expressions import substitute
from onnx import parser


def model(graph: str) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {graph}')


def live(graph: str, **dims: int) -> list[object]:
    """Numbers alive per node, in float32 words."""
    found = []
    for entry in nc.analyze(model(graph), dims=dims).entries:
        bits = entry.peak_activation_bits
        assert isinstance(bits, int)
        found.append(bits // 32)
    return found


def test_a_chain_holds_what_a_node_reads_and_writes() -> None:
    # x 3, a 3x5 = 15 by broadcasting, b 5.
    graph = """g (float[3,1] x) => (float b) <float[5] w = {1,2,3,4,5}> {
        a = Mul(x, w)
        axes = Constant <value_ints = [0]> ()
        b = ReduceSum <keepdims = 0> (a, axes)
    }"""
    assert live(graph) == [3 + 15, 15, 15 + 5]
    assert nc.analyze(model(graph)).totals.peak_activation_bits == 20 * 32


def test_a_residual_stays_until_it_is_added() -> None:
    graph = """g (float[7] x) => (float y) <int64[1] s = {0}, int64[1] e = {7}> {
        a = Relu(x)
        b = Tanh(a)
        c = Concat <axis = 0> (b, b)
        d = Slice(c, s, e)
        y = Add(d, x)
    }"""
    # x is read last by y; a dies at b, b at c, c at d.
    assert live(graph) == [7 + 7, 7 + 7 + 7, 7 + 7 + 14, 7 + 14 + 7, 7 + 7 + 7]


def test_unread_outputs_and_graph_outputs() -> None:
    # u is never read: it is alive only while its node runs; v is an output and stays.
    graph = """g (float[4] x) => (float v, float y) {
        u = Relu(x)
        v = Tanh(x)
        w = Concat <axis = 0> (x, x)
        y = Relu(w)
    }"""
    assert live(graph) == [4 + 4, 4 + 4, 4 + 4 + 8, 4 + 8 + 8]


def test_inputs_are_alive_until_their_last_reader() -> None:
    # Both inputs are there from the start; p is gone after the first node.
    graph = "g (float[6] p, float[2] q) => (float y) { a = ReduceMax(p) y = Add(a, q) }"
    assert live(graph) == [6 + 2 + 1, 2 + 1 + 2]


def test_element_types_count_their_own_bits() -> None:
    graph = "g (float[6] x) => (bool y) { h = Cast <to = 10> (x) z = Greater(h, h) y = Not(z) }"
    bits = [entry.peak_activation_bits for entry in nc.analyze(model(graph)).entries]
    assert bits == [6 * 32 + 6 * 16, 6 * 16 + 6 * 1, 6 + 6]


def test_bodies_run_beside_what_is_alive_around_them() -> None:
    graph = """g (float[5] x, bool c) => (float y) <int64[1] s = {0}, int64[1] e = {5}> {
        a = Relu(x)
        b = If (c) <
            then_branch = t () => (float o) { h = Concat <axis = 0> (x, x) k = Relu(h) o = Slice(k, s, e) },
            else_branch = f () => (float o) { o = Identity(x) }>
        y = Add(a, b)
    }"""
    report = nc.analyze(model(graph), values={"c": True})
    own = {entry.row.path: entry.peak_activation_bits for entry in report.entries}
    # The condition is one known bit. Inside: h 10, then h and k 20, then k and o 15; around: x, a, b 15.
    assert own["b/then_branch/k"] == 20 * 32
    assert own["b"] == (5 + 5 + 5 + 20) * 32 + 1
    assert own["b/else_branch/o"] == 0
    assert report.totals.peak_activation_bits == 35 * 32 + 1


def test_loops_hold_one_trip() -> None:
    graph = """g (float[3] x, int64 n) => (float y) {
        y = Loop (n, , x) <body = b (int64 i, bool k, float[3] s) => (bool k2, float[3] t) {
            k2 = Identity(k) h = Exp(s) t = Neg(h) }>
    }"""
    few, many = (nc.analyze(model(graph), values={"n": trips}).totals for trips in (2, 2000))
    assert few.peak_activation_bits == many.peak_activation_bits
    assert nc.analyze(model(graph), values={"n": 0}).totals.peak_activation_bits == (3 + 3) * 32 + 64


def test_weights_are_not_working_memory() -> None:
    graph = "g (float[2,3] x) => (float y) { w = Constant <value = float[3,1] {1,2,3}> () y = MatMul(x, w) }"
    assert live(graph) == [6, 6 + 2]


def test_free_sizes_give_a_formula_or_nothing() -> None:
    graph = "g (float[N,3] x, float[M,2] y) => (float a, float b) { a = Relu(x) b = Tanh(y) }"
    total = nc.analyze(model(graph)).totals.peak_activation_bits
    assert total is not None
    for n, m in ((1, 1), (4, 9)):
        concrete = nc.analyze(model(graph), dims={"N": n, "M": m}).totals.peak_activation_bits
        assert substitute(total, {"N": n, "M": m}) == concrete == max(6 * n + 2 * m, 3 * n + 4 * m) * 32


def test_many_free_sizes_do_not_blow_up() -> None:
    """A greatest value over hundreds of unrelated sizes is no answer a reader can use: it is unknown instead."""
    count = 400
    inputs = ", ".join(f"float[D{i}] x{i}" for i in range(count))
    nodes = "\n".join(f"y{i} = Relu(x{i})" for i in range(count))
    outputs = ", ".join(f"float y{i}" for i in range(count))
    totals = nc.analyze(model(f"g ({inputs}) => ({outputs}) {{ {nodes} }}")).totals
    assert totals.peak_activation_bits is None
    assert totals.cmp is not None and str(totals.cmp).count("+") == count - 1
