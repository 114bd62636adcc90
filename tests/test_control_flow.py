"""If: which of two graphs is charged, and what the other one is listed as."""

from __future__ import annotations

from typing import Any

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute
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


# A dense layer of 3 x 40 by 40 x 5 against one of 3 x 40 by 40 x 7, 600 and 840 products.
UNEQUAL = """
    p = If (c) <
      then_branch = t () => (float[3,5] a) { a = MatMul(x, w) },
      else_branch = e () => (float[3,7] b) { m = MatMul(x, v) b = Relu(m) }
    >
"""
INPUTS = "float[3,40] x, float[40,5] w, float[40,7] v"


def test_an_unknown_condition_charges_the_dearer_branch() -> None:
    report = nc.analyze(model(f"g ({INPUTS}, bool c) => (float p) {{ {UNEQUAL} }}"))
    assert (report.totals.mac, report.totals.cmp) == (3 * 40 * 7, 21)
    assert status(report) == {
        "p/then_branch/a": (0, True),
        "p/else_branch/m": (1, False),
        "p/else_branch/b": (1, False),
        "p": (1, False),
    }
    assert report["p"].row.reason == "the dearer branch is charged: else_branch"
    assert report["p"].row.outputs == ((3, 7),)


@pytest.mark.parametrize(("value", "products"), [(True, 600), (False, 840)])
def test_a_known_condition_decides(value: bool, products: int) -> None:
    source = model(f"g ({INPUTS}, bool c) => (float p) {{ {UNEQUAL} }}")
    report = nc.analyze(source, values={"c": value})
    chosen = "then_branch" if value else "else_branch"
    assert report.totals.mac == products
    assert report["p"].row.reason == f"the condition is known: {chosen} runs"
    assert {entry.row.reason for entry in report.entries if entry.row.alternative} == {"never runs"}


def test_equal_branches_charge_the_first() -> None:
    branch = "= b () => (float[3] o) { o = Relu(x) }"
    report = nc.analyze(
        model(f"g (float[3] x, bool c) => (float y) {{ y = If (c) <then_branch {branch}, else_branch {branch}> }}")
    )
    assert report["y"].row.reason == "the dearer branch is charged: then_branch"
    assert report.totals.cmp == 3


UNDECIDED = """
    p = If (c) <
      then_branch = t () => (float a) { a = MatMul(x, w) },
      else_branch = e () => (float b) { b = MatMul(y, w) }
    >
"""


def test_free_sizes_that_decide_give_a_maximum_on_the_if() -> None:
    report = nc.analyze(model(f"g (float[N,4] x, float[M,4] y, float[4,5] w, bool c) => (float p) {{ {UNDECIDED} }}"))
    assert str(report["p"].mac) == "Max(20*M, 20*N)"
    total = report["p"].mac
    assert report.totals.mac == total is not None
    assert status(report) == {"p/then_branch/a": (0, True), "p/else_branch/b": (0, True), "p": (1, False)}
    for n, m in ((2, 3), (9, 3)):
        assert substitute(total, {"N": n, "M": m}) == 20 * max(n, m)


def test_an_undecided_if_in_a_loop_counts_every_trip() -> None:
    body = f"b (int64 i, bool k) => (bool k2, float p) {{ k2 = Identity(k) {UNDECIDED} }}"
    report = nc.analyze(
        model(
            "g (float[N,4] x, float[M,4] y, float[4,5] w, bool c) => (float o) "
            f"{{ n = Constant <value_int = 3> () o = Loop (n, ) <body = {body}> }}"
        )
    )
    assert str(report.totals.mac) == "3*Max(20*M, 20*N)"


def test_nested_ifs_choose_from_the_inside_out() -> None:
    inner = """If (d) <then_branch = t () => (float a) { a = MatMul(x, w) },
                        else_branch = e () => (float b) { b = MatMul(x, v) }>"""
    report = nc.analyze(
        model(
            f"""g ({INPUTS}, bool c, bool d) => (float p) {{
                p = If (c) <then_branch = o () => (float q) {{ q = {inner} }},
                            else_branch = z () => (float r) {{ r = Relu(x) }}> }}"""
        )
    )
    assert report.totals.mac == 840
    assert {path for path, (_, idle) in status(report).items() if idle} == {
        "p/then_branch/q/then_branch/a",
        "p/else_branch/r",
    }


def test_deeply_nested_undecided_ifs_stay_linear() -> None:
    body = "o = MatMul(x, w)"
    for level in range(20):
        left, right = f"then_branch = t{level}", f"else_branch = e{level}"
        body = f"o = If (c) <{left} () => (float o) {{ {body} }}, {right} () => (float r) {{ r = MatMul(y, w) }}>"
    report = nc.analyze(model(f"g (float[N,4] x, float[M,4] y, float[4,5] w, bool c) => (float o) {{ {body} }}"))
    assert str(report.totals.mac) == "Max(20*M, 20*N)"
    assert report.coverage.nodes == 41


def test_a_branch_that_cannot_run_is_listed_and_never_charged() -> None:
    """torch writes both sides of `if rank == 4`; with the shapes at hand only one of them fits."""
    source = model(
        """g (float[3,4] x, float[5,6] w, float[4,2] v, bool c) => (float y) {
            y = If (c) <then_branch = t () => (float a) { a = MatMul(x, w) },
                        else_branch = e () => (float b) { b = MatMul(x, v) }> }"""
    )
    report = nc.analyze(source)
    assert report.totals.mac == 24
    assert report["y"].row.reason == "only else_branch fits its inputs"
    assert report.coverage.uncounted == 0
    assert refused(source, values={"c": True}) == (
        "ModelProto: node 'y/then_branch/a' (MatMul): inner sizes 4 and 5 differ [E-MATMUL-INNER]"
    )


def test_neither_branch_fits_and_the_first_says_why() -> None:
    inner = "y = MatMul(x, w)"
    for level in range(25):
        other = f"else_branch = e{level} () => (float z) {{ z = MatMul(w, x) }}"
        inner = f"y = If (c) <then_branch = g{level} () => (float y) {{ {inner} }}, {other}>"
    found = refused(model(f"g (float[3,4] x, float[5,6] w, bool c) => (float y) {{ {inner} }}"))
    assert found.endswith("then_branch/y' (MatMul): inner sizes 4 and 5 differ [E-MATMUL-INNER]")
