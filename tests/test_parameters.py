"""params and weight_bits: numbers stored in trained tensors, each tensor once, whoever reads it."""

from __future__ import annotations

import nncomplexity as nc
import onnx
import pytest
from onnx import parser


def totals(graph: str, **options: str) -> nc.Totals:
    source: onnx.ModelProto = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {graph}')
    return nc.analyze(source, **options).totals  # type: ignore[arg-type]


def zeros(shape: str, name: str, kind: str = "float") -> str:
    count = 1
    for size in filter(None, shape.split(",")):
        count *= int(size)
    return f"{kind}[{shape}] {name} = {{{', '.join(['1'] * count)}}}"


def test_a_shared_weight_counts_where_it_is_first_used() -> None:
    graph = f"""g (float[2,3] x) => (float y) <{zeros("3,3", "w")}> {{ a = MatMul(x, w) y = MatMul(a, w) }}"""
    report = nc.analyze(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {graph}'))
    assert [entry.params for entry in report.entries] == [9, 0]
    assert (report.totals.params, report.totals.weight_bits) == (9, 9 * 32)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("t = Identity(w)", 12),
        ("t0 = Transpose <perm = [1, 0]> (w) t = Transpose <perm = [1, 0]> (t0)", 12),
        ("s = Constant <value_ints = [3, 4]> () t = Reshape(w, s)", 12),
        ("t0 = Cast <to = 10> (w) t = Cast <to = 1> (t0)", 12),
        ("t0 = Unsqueeze(w, zero) t = Squeeze(t0, zero)", 12),
        ("t = Constant <value = float[3,4] {1,2,3,4,5,6,7,8,9,10,11,12}> ()", 12),
        ("s = Constant <value_ints = [3, 4]> () t = ConstantOfShape <value = float[1] {0.5}> (s)", 12),
        ("t = DequantizeLinear(q, scale)", 12),
        ("t = DequantizeLinear(q, scale, point)", 12),
        ("a = Identity(w) t = Identity(a)", 12),
    ],
)
def test_weights_behind_other_nodes(path: str, params: int) -> None:
    stored = ", ".join(
        [
            zeros("3,4", "w"),
            zeros("3,4", "q", "int8"),
            "float scale = {0.5}",
            "int8 point = {0}",
            "int64[1] zero = {0}",
        ]
    )
    graph = f"g (float[2,3] x) => (float y) <{stored}> {{ {path} y = MatMul(x, t) }}"
    assert totals(graph).params == params


def test_scalars_and_steering_inputs_are_not_counted() -> None:
    stored = "float half = {0.5}, float low = {0.0}, int64[2] shape = {3, 2}, float[1] k = {2.0}"
    graph = f"""g (float[2,3] x) => (float y) <{stored}> {{
        a = Mul(x, half) b = Clip(a, low) c = Reshape(b, shape) y = Add(c, k) }}"""
    # Only k is a tensor of numbers added to data.
    assert totals(graph).params == 1


def test_embedding_tables_count_and_indices_do_not() -> None:
    graph = f"""g (int64[2,5] ids) => (float y, float z) <{zeros("11,3", "table")}, {zeros("1", "row", "int64")}> {{
        y = Gather(table, ids) z = Gather(table, row) }}"""
    assert totals(graph).params == 33


def test_batch_normalization_holds_four_vectors() -> None:
    names = ("scale", "bias", "mean", "var")
    stored = ", ".join(zeros("5", name) for name in names)
    graph = f"g (float[2,5,7] x) => (float y) <{stored}> {{ y = BatchNormalization(x, {', '.join(names)}) }}"
    assert totals(graph).params == 4 * 5


def test_biases_of_recurrent_layers_are_stored_twice_and_states_are_data() -> None:
    """4 gates of 3 inputs and 2 units, two biases each; h and c enter as data, peepholes are trained."""
    stored = ", ".join([zeros("1,8,3", "W"), zeros("1,8,2", "R"), zeros("1,16", "B"), zeros("1,6", "P")])
    states = "float[1,1,2] h, float[1,1,2] c"
    graph = f"""g (float[7,1,3] x, {states}) => (float y) <{stored}> {{
        y = LSTM <hidden_size = 2> (x, W, R, B, , h, c, P) }}"""
    assert totals(graph).params == 8 * 3 + 8 * 2 + 8 * 2 + 6
    fixed = ", ".join([stored, zeros("1,1,2", "h"), zeros("1,1,2", "c")])
    graph = f"g (float[7,1,3] x) => (float y) <{fixed}> {{ y = LSTM <hidden_size = 2> (x, W, R, B, , h, c, P) }}"
    assert totals(graph).params == 24 + 16 + 16 + 6


@pytest.mark.parametrize(("op", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_gates_of_both_directions(op: str, gates: int) -> None:
    rows = gates * 5
    stored = ", ".join([zeros(f"2,{rows},3", "W"), zeros(f"2,{rows},5", "R"), zeros(f"2,{2 * rows}", "B")])
    graph = f"""g (float[7,1,3] x) => (float y) <{stored}> {{
        y = {op} <hidden_size = 5, direction = "bidirectional"> (x, W, R, B) }}"""
    assert totals(graph).params == 2 * gates * 5 * (3 + 5 + 2)


def test_quantized_weights_are_integers_that_count() -> None:
    stored = ", ".join(
        [zeros("3,4", "w", "int8"), "float s = {0.5}", "uint8 z = {0}", "int8 zw = {0}", zeros("4", "bias", "int32")]
    )
    graph = f"""g (uint8[2,3] x) => (uint8 y) <{stored}> {{ y = QLinearMatMul(x, s, z, w, s, zw, s, z) }}"""
    found = totals(graph)
    assert (found.params, found.weight_bits) == (12, 12 * 8)


def test_an_option_sets_the_width_of_the_weights() -> None:
    graph = f"g (float[2,3] x) => (float y) <{zeros('3,4', 'w')}> {{ y = MatMul(x, w) }}"
    found = totals(graph, quant="w4a8")
    assert (found.params, found.weight_bits) == (12, 12 * 4)


def test_unused_weights_are_nobodys() -> None:
    graph = f"g (float[2,3] x) => (float y) <{zeros('3,4', 'w')}, {zeros('9', 'unused')}> {{ y = MatMul(x, w) }}"
    assert totals(graph).params == 12


def test_weights_of_both_branches_and_of_bodies_are_stored() -> None:
    branches = ", ".join(
        f"{name} = {name[0]} () => (float o) <{zeros('3,3', f'w{name[0]}')}> {{ o = MatMul(x, w{name[0]}) }}"
        for name in ("then_branch", "else_branch")
    )
    assert totals(f"g (float[2,3] x, bool c) => (float y) {{ y = If (c) <{branches}> }}").params == 18
    body = f"b (int64 i, bool k, float[2,3] s) => (bool k2, float[2,3] t) <{zeros('3,3', 'w')}>"
    graph = f"""g (float[2,3] x, int64 n) => (float y) {{
        y = Loop (n, , x) <body = {body} {{ k2 = Identity(k) t = MatMul(s, w) }}> }}"""
    assert totals(graph).params == 9


def test_sparse_weights_hold_what_they_store() -> None:
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    indices = onnx.helper.make_tensor("", onnx.TensorProto.INT64, [2], [1, 5])
    source = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]> g (float[2,3] x) => (float y) { y = MatMul(x, w) }'
    )
    source.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [3, 4]))
    found = nc.analyze(source).totals
    assert (found.mac, found.params) == (24, 2)
