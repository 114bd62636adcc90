"""Loop, Scan and SequenceMap: how often a body runs, as a number or as a size."""

from __future__ import annotations

from typing import Any

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import Size, substitute
from nncomplexity.parsers import analysis, trips
from onnx import parser


def model(graph: str, opset: int = 18) -> onnx.ModelProto:
    """A graph in ONNX's text syntax."""
    return parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {graph}')


def status(report: nc.Report) -> dict[str, tuple[object, bool]]:
    return {entry.row.path: (entry.row.repeat, entry.row.alternative) for entry in report.entries}


def refused(source: onnx.ModelProto, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        nc.analyze(source, **options)
    return str(caught.value)


def loop(body: str, *, inputs: str = "", before: str = "", states: str = "", call: str = "n, ") -> onnx.ModelProto:
    head = f"g (float[3,8] x, float[8,8] w{inputs}) => (float y)"
    return model(f"{head} {{ {before} y{states} = Loop ({call}) <body = {body}> }}")


MATMUL = "b (int64 i, bool k, float[3,8] s) => (bool k2, float[3,8] t) { k2 = Identity(k) t = MatMul(s, w) }"


def test_a_constant_trip_count_multiplies() -> None:
    report = nc.analyze(loop(MATMUL, before="n = Constant <value_int = 7> ()", call="n, , x"))
    assert report.totals.mac == 7 * 3 * 8 * 8
    assert report["y"].row.reason == "counted as its body, trips: 7"
    assert status(report)["y/body/t"] == (7, False)


def test_trips_from_a_shape_are_a_size() -> None:
    before = "s = Shape(z) zero = Constant <value_int = 0> () n = Gather(s, zero)"
    source = loop(MATMUL, inputs=", float[T,2] z", before=before, call="n, , x")
    assert str(nc.analyze(source).totals.mac) == "192*T"
    assert nc.analyze(source, dims={"T": 9}).totals.mac == 192 * 9
    assert nc.analyze(source, dims={"T": 0}).totals.mac == 0


def test_zero_trips_run_nothing_even_what_would_not_fit() -> None:
    body = "b (int64 i, bool k, float s) => (bool k2, float t) { k2 = Identity(k) t = MatMul(w, s) }"
    source = loop(body, before="n = Constant <value_int = 0> ()", call="n, , x")
    report = nc.analyze(source)
    assert (report.totals.mac, report.coverage.uncounted) == (0, 0)
    assert report["y"].row.outputs == ((3, 8),)


def test_an_unknown_trip_count_is_named_after_the_loop() -> None:
    source = loop(MATMUL, inputs=", int64 n", call="n, , x")
    assert str(nc.analyze(source).totals.mac) == "192*y.trips"
    assert nc.analyze(source, dims={"y.trips": 5}).totals.mac == 960
    assert nc.analyze(source, values={"n": 6}).totals.mac == 192 * 6
    assert nc.analyze(source).network.free == ("y.trips",)


def counted(condition: str, begin: int, step: int, *, limit: str = "n") -> onnx.ModelProto:
    """A loop without M: `do: x = x w; ok = CONDITION(i); i += step; while ok`. `limit` is a scalar called n."""
    body = f"""b (int64 trip, bool k, int64 i, float[3,8] s) => (bool k2, int64 j, float[3,8] t) {{
        t = MatMul(s, w) step = Constant <value_int = {step}> () j = Add(i, step) {condition} }}"""
    before = f"""{"s0 = Shape(z) zero = Constant <value_int = 0> () n = Gather(s0, zero)" if limit == "n" else limit}
        begin = Constant <value_int = {begin}> () true = Constant <value = bool {{1}}> () """
    return model(
        f"g (float[3,8] x, float[8,8] w, float[T,2] z) => (float y) "
        f"{{ {before} last, y = Loop (, true, begin, x) <body = {body}> }}"
    )


def trips_of(source: onnx.ModelProto, **options: Any) -> Size:
    total = nc.analyze(source, **options).totals.mac
    assert total is not None
    return total // 192


def python(condition: str, begin: int, step: int, n: int) -> int:
    """What the loop does, by running it."""
    i, count = begin, 0
    while True:
        count, j = count + 1, i + step
        if not eval(condition, {"i": i, "j": j, "n": n}):
            return count
        i = j


@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize(
    ("nodes", "condition", "begin", "step"),
    [
        ("k2 = Less(i, n)", "i < n", 0, 1),
        ("k2 = Less(j, n)", "j < n", 0, 1),
        ("k2 = LessOrEqual(j, n)", "j <= n", 0, 1),
        ("k2 = Greater(n, j)", "n > j", 0, 3),
        ("k2 = GreaterOrEqual(n, i)", "n >= i", -4, 2),
        ("c = GreaterOrEqual(j, n) k2 = Not(c)", "not j >= n", 1, 2),
        ("m = Mul(j, step) k2 = Less(m, n)", "2 * j < n", 0, 2),
        ("d = Sub(n, j) z0 = Constant <value_int = 0> () k2 = Greater(d, z0)", "n - j > 0", 0, 1),
        ("a = Less(j, n) f = Constant <value_int = 4> () b2 = Less(j, f) k2 = And(a, b2)", "j < n and j < 4", 0, 1),
        ("a = Less(j, n) f = Constant <value_int = 4> () b2 = Less(j, f) k2 = Or(a, b2)", "j < n or j < 4", 0, 1),
        ("a = Less(j, n) k2 = And(k, a)", "j < n", 0, 1),
        ("c = Less(j, n) k2 = Identity(c)", "j < n", 9, 1),
    ],
)
def test_counters_give_trips_concretely_and_as_a_size(
    nodes: str, condition: str, begin: int, step: int, n: int
) -> None:
    source = counted(nodes, begin, step)
    expected = python(condition, begin, step, n)
    assert trips_of(source, dims={"T": n}) == expected
    assert substitute(trips_of(source), {"T": n}) == expected


def test_conditions_before_counting_make_one_trip_more() -> None:
    assert str(trips_of(counted("k2 = Less(i, n)", 0, 1))) == "T + 1"
    assert str(trips_of(counted("k2 = Less(j, n)", 0, 1))) == "T"
    assert str(trips_of(counted("k2 = Less(j, n)", 0, 2))) == "((T + 1)//2)"


def test_long_counters_need_no_simulation() -> None:
    limit = "n = Constant <value_int = 123456789> ()"
    assert trips_of(counted("k2 = Less(j, n)", 0, 1, limit=limit)) == 123456789


def test_counters_that_saturate_are_not_taken_for_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """min(j, 3) < 5 holds for ever, although it grows by one over the first trips."""
    nodes = (
        "three = Constant <value_int = 3> () m = Min(j, three) five = Constant <value_int = 5> () k2 = Less(m, five)"
    )
    monkeypatch.setattr(trips, "STEPS", 50)
    assert str(trips_of(counted(nodes, 0, 1))) == "last.trips"


def test_doubling_counters_are_simulated() -> None:
    nodes = "d = Mul(j, j) h = Constant <value_int = 300> () k2 = Less(d, h)"
    assert trips_of(counted(nodes, 0, 1)) == 18


def test_growing_states_are_unrolled() -> None:
    """A cache grows by 2 rows a trip: products (3 + 5 + 7 + 9) rows by 8 by 8."""
    body = """b (int64 i, bool k, float s) => (bool k2, float t) {
        k2 = Identity(k) p = MatMul(s, w) t = Concat <axis = 0> (s, r) }"""
    source = loop(body, inputs=", float[2,8] r", before="n = Constant <value_int = 4> ()", call="n, , x")
    report = nc.analyze(source)
    assert report.totals.mac == 24 * 64
    assert report["y"].row.outputs == ((11, 8),)
    free = loop(body, inputs=", float[2,8] r, int64 n", call="n, , x")
    assert nc.analyze(free)["y"].row.reason == (
        "its shapes change from trip to trip and there are y.trips of them; bind the trip count to at most 1000"
    )
    assert nc.analyze(free, dims={"y.trips": 4}).totals.mac == 24 * 64


def test_triangular_loops() -> None:
    """for i in range(5): for j in range(i): one product of 3x8 by 8x8."""
    body = f"""b (int64 i, bool k) => (bool k2, float o) {{
        k2 = Identity(k) o = Loop (i, , x) <body = {MATMUL.replace("b (", "inner (")}> }}"""
    source = loop(body, before="n = Constant <value_int = 5> ()")
    assert nc.analyze(source).totals.mac == (0 + 1 + 2 + 3 + 4) * 192


def test_loops_in_loops_cannot_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "AGAIN", 3_000)
    body = "b0 (int64 i0, bool k0, float[3,8] s0) => (bool c0, float[3,8] t0) { c0 = Identity(k0) t0 = MatMul(s0, w) }"
    for level in range(1, 20):
        body = (
            f"b{level} (int64 i{level}, bool k{level}, float[3,8] s{level}) => (bool c{level}, float[3,8] t{level}) "
            f"{{ c{level} = Identity(k{level}) t{level} = Loop (n, , s{level}) <body = {body}> }}"
        )
    report = nc.analyze(loop(body, before="n = Constant <value_int = 1000> ()", call="n, , x"))
    assert report.totals.mac == 192 * 1000**20
    triangular = "m = MatMul(x, w)"
    for level in range(6):
        triangular = (
            f"q{level} = Loop (i{level + 1}, ) <body = t{level} (int64 i{level}, bool k{level}) => "
            f"(bool c{level}, float o{level}) {{ c{level} = Identity(k{level}) {triangular} o{level} = Relu(x) }}>"
        )
    body = f"b (int64 i6, bool k) => (bool k2, float o) {{ k2 = Identity(k) {triangular} o = Relu(x) }}"
    report = nc.analyze(loop(body, before="n = Constant <value_int = 900> ()"))
    # Too many to walk one by one: said so, and every stored node listed.
    assert report.coverage.nodes == 2 + 3 + 6 * 3
    assert report.coverage.uncounted > 0


def test_sequences_are_carried_through_loops() -> None:
    source = model(
        """g (float[3,8] x, float[8,8] w, int64 n) => (float y) {
            e = SequenceEmpty ()
            q = Loop (n, , e) <body = b (int64 i, bool k, seq(float) s) => (bool k2, seq(float) t) {
                k2 = Identity(k) p = MatMul(x, w) t = SequenceInsert(s, p) }>
            y = ConcatFromSequence <axis = 0> (q)
        }"""
    )
    report = nc.analyze(source, values={"n": 6})
    assert report.totals.mac == 6 * 192
    assert report["y"].row.outputs == ((18, 8),)
    assert str((nc.analyze(source)["y"].row.outputs[0] or ())[0]) == "3*q.trips"


def scan(attributes: str, shape: str, opset: int = 18, lens: str = "", state: str = "3") -> onnx.ModelProto:
    body = (
        "body = b (float[3] s, float[4] e) => (float[3] t, float[3] o) { m = MatMul(e, w) t = Add(s, m) o = Tanh(t) }"
    )
    return model(
        f"g (float[{state}] h, float[{shape}] x, float[4,3] w) => (float f, float y) "
        f"{{ f, y = Scan <num_scan_inputs = 1, {attributes} {body}> ({lens} h, x) }}",
        opset,
    )


@pytest.mark.parametrize(
    ("attributes", "shape", "stacked"),
    [
        ("", "9,4", (9, 3)),
        ("scan_input_axes = [1], scan_input_directions = [1],", "4,9", (9, 3)),
        ("scan_input_axes = [-1], scan_output_axes = [1], scan_output_directions = [1],", "4,9", (3, 9)),
        ("scan_output_axes = [-1],", "9,4", (3, 9)),
    ],
)
def test_scan_runs_along_its_axis(attributes: str, shape: str, stacked: tuple[int, int]) -> None:
    report = nc.analyze(scan(attributes, shape))
    assert (report.totals.mac, report.totals.act) == (9 * 12, 9 * 3)
    assert report["f"].row.outputs == ((3,), stacked)


def test_scan_of_opset_8_has_a_batch_in_front() -> None:
    report = nc.analyze(scan("directions = [1],", "5,9,4", 8, ",", "5,3"))
    assert report.totals.mac == 5 * 9 * 12
    assert report["f"].row.outputs == ((5, 3), (5, 9, 3))


def test_scan_that_contradicts_itself() -> None:
    assert refused(scan("scan_input_axes = [2],", "9,4")) == (
        "ModelProto: node 'f' (Scan): scan axis 2 is outside the rank 2 of its input [E-AXIS]"
    )
    assert refused(scan("scan_input_axes = [0, 0],", "9,4")) == (
        "ModelProto: node 'f' (Scan): scan_input_axes lists 2 axes for 1 scanned inputs [E-SCAN-AXES]"
    )
    del (source := scan("", "9,4")).graph.node[0].attribute[0]
    assert refused(source) == (
        "ModelProto: node 'f' (Scan): integer attribute 'num_scan_inputs' is required and absent [E-ATTRIBUTE-MISSING]"
    )


def test_sequence_map_runs_once_per_item() -> None:
    source = model(
        """g (seq(float[3,8]) s, float[8,5] w) => (seq(float) y) {
            y = SequenceMap <body = b (float[3,8] e) => (float[3,5] o) { o = MatMul(e, w) }> (s) }"""
    )
    assert str(nc.analyze(source).totals.mac) == "120*s.length"
    assert nc.analyze(source, dims={"s.length": 4}).totals.mac == 480
