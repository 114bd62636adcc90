"""Models whose counts are known from elsewhere: published numbers, and products written out by hand."""

from __future__ import annotations

from math import prod
from pathlib import Path

import nncomplexity as nc
import onnx
import pytest
from onnx import TensorProto, helper, parser

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

# The onnx wheel's classifiers of one 224 x 224 image: multiply-accumulates, parameters.
# MACs are outputs x (channels / groups) x taps over the convolutions plus inputs x outputs of the dense layers; two
# independent sums agree. Published: ResNet-50 4.09 G and VGG-19 19.63 G (torchvision), AlexNet 655 M (Caffe).
# Parameters: AlexNet 60,965,224 and GoogLeNet 6,998,552 are Caffe's, SqueezeNet 1.1 1,235,496 and VGG-19 143,667,240
# torchvision's. Where batch normalization stands, its running means and variances are stored numbers too.
IMAGE_MODELS = {
    "bvlc_alexnet": (654_560_384, 60_965_224),
    "densenet121": (2_834_161_664, 8_146_152),
    "inception_v1": (1_431_556_352, 6_998_552),
    "inception_v2": (2_018_851_840, 11_234_792),
    "resnet50": (4_089_184_256, 25_610_152),
    "shufflenet": (124_664_528, 1_420_152),
    "squeezenet": (349_151_936, 1_235_496),
    "vgg19": (19_632_062_464, 143_667_240),
    "zfnet512": (1_481_727_008, 87_250_536),
}


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_image_classifiers_of_the_onnx_wheel(name: str) -> None:
    report = nc.analyze(LIGHT / f"light_{name}.onnx")
    assert (report.totals.mac, report.totals.params) == IMAGE_MODELS[name]
    assert report.coverage.uncounted == 0


def test_what_the_parameters_of_resnet50_are() -> None:
    """torchvision's resnet50 trains 25,557,032 numbers; the file also stores 26,560 means and as many variances."""
    entries = nc.analyze(LIGHT / "light_resnet50.onnx").entries
    by_op = dict.fromkeys(("Conv", "BatchNormalization", "Gemm"), 0)
    for entry in entries:
        if entry.params:
            assert isinstance(entry.params, int)
            by_op[entry.row.op] += entry.params
    assert by_op == {"Conv": 23_454_912, "BatchNormalization": 4 * 26_560, "Gemm": 2048 * 1000 + 1000}
    assert by_op["Conv"] + by_op["Gemm"] + 2 * 26_560 == 25_557_032
    assert sum(by_op.values()) == 25_557_032 + 2 * 26_560 == IMAGE_MODELS["resnet50"][1]


def text(graph: str, *functions: str, opset: int = 18) -> nc.Report:
    """The report of a graph in ONNX's text syntax."""
    head = f'<ir_version: 10, opset_import: ["" : {opset}, "local" : 1]>'
    bodies = [f'<domain: "local", opset_import: ["" : {opset}, "local" : 1]> {each}' for each in functions]
    return nc.analyze(parser.parse_model("\n".join([head, graph, *bodies])))


def mac(graph: str, *functions: str, opset: int = 18) -> object:
    report = text(graph, *functions, opset=opset)
    assert report.coverage.uncounted == 0
    return report.totals.mac


def weight(name: str, *shape: int) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, bytes(4 * prod(shape)), raw=True)


def test_two_bidirectional_lstms_a_gru_and_a_dense_layer() -> None:
    """12 steps of 3 sequences; per step and direction an LSTM has 4 H (I + H) products, a GRU 3 H (I + H)."""
    shape = helper.make_tensor("merged", TensorProto.INT64, [3], [12, 3, -1])
    nodes = [
        helper.make_node("LSTM", ["x", "W1", "R1"], ["a"], hidden_size=30, direction="bidirectional"),
        helper.make_node("Transpose", ["a"], ["a_t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["a_t", "merged"], ["a_m"]),
        helper.make_node("LSTM", ["a_m", "W2", "R2"], ["b"], hidden_size=30, direction="bidirectional"),
        helper.make_node("Transpose", ["b"], ["b_t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["b_t", "merged"], ["b_m"]),
        helper.make_node("GRU", ["b_m", "W3", "R3"], ["", "c"], hidden_size=16),
        helper.make_node("Squeeze", ["c", "axis"], ["d"]),
        helper.make_node("Gemm", ["d", "W4", "bias"], ["y"], transB=1),
    ]
    weights = [
        weight("W1", 2, 120, 20),
        weight("R1", 2, 120, 30),
        weight("W2", 2, 120, 60),
        weight("R2", 2, 120, 30),
        weight("W3", 1, 48, 60),
        weight("R3", 1, 48, 16),
        weight("W4", 5, 16),
        weight("bias", 5),
        shape,
        helper.make_tensor("axis", TensorProto.INT64, [1], [0]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    totals = nc.analyze(model, dims={"T": 12, "B": 3}).totals
    products = 36 * 2 * 120 * (20 + 30) + 36 * 2 * 120 * (60 + 30) + 36 * 48 * (60 + 16) + 3 * 16 * 5
    assert totals.mac == products == 1_341_168
    # Hadamard products: three per unit and step in either cell.
    assert totals.rm == products + 36 * 2 * 30 * 3 * 2 + 36 * 16 * 3 == 1_355_856


@pytest.mark.parametrize(
    ("node", "x", "w", "macs"),
    [
        # outputs x (channels / groups) x taps
        ("Conv <group = 2, dilations = [2, 2], pads = [2, 2, 2, 2]> (x, w)", "1,8,10,10", "8,4,3,3", 28_800),
        ("Conv <group = 16, pads = [1, 1, 1, 1]> (x, w)", "1,16,10,10", "16,1,3,3", 14_400),
        ("Conv <pads = [3, 3]> (x, w)", "1,6,120", "10,6,7", 50_400),
        ("Conv <pads = [1, 1, 1, 1, 1, 1]> (x, w)", "1,4,6,6,6", "6,4,3,3,3", 139_968),
        # inputs x (filters / groups) x taps
        ("ConvTranspose <group = 2, strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)", "2,8,10,10", "8,3,4,4", 76_800),
        (
            "ConvTranspose <group = 2, strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]> (x, w)",
            "1,8,7,7",
            "8,3,3,3",
            8 * 7 * 7 * 3 * 9,
        ),
        ('Einsum <equation = "bcij,cd->bdij"> (x, w)', "2,12,10,10", "12,12", 28_800),
    ],
)
def test_convolutions(node: str, x: str, w: str, macs: int) -> None:
    assert mac(f"g (float[{x}] x, float[{w}] w) => (float y) {{ y = {node} }}") == macs


def test_matrix_products_that_broadcast() -> None:
    graph = """g (float[6,1,3,4] a, float[5,4,7] b, float[4] v, float[4,7] m, float[7] u, float[11,2] p, float[9,11] q,
                  float[2,9] c) => (float y1, float y2, float y3, float y4) {
        y1 = MatMul(a, b) y2 = MatMul(v, m) y3 = MatMul(m, u)
        y4 = Gemm <transA = 1, transB = 1, alpha = 0.5, beta = 2.0> (p, q, c)
    }"""
    totals = text(graph).totals
    assert totals.mac == 6 * 5 * 3 * 4 * 7 + 4 * 7 + 4 * 7 + 2 * 9 * 11 == 2_774
    assert totals.rm == 2_774 + 2 * 18


def test_einsums() -> None:
    """Operands - 1 times the product of all index sizes."""
    graph = """g (float[4,5] a, float[5,6] b, float[3,4,2] q, float[3,5,2] k, float[2,3] c, float[3,4] d, float[4,3] e,
                  float[2,3] f, float[2,4] h) => (float e1, float e2, float e3, float e4, float e5) {
        e1 = Einsum <equation = "ij,jk->ik"> (a, b)
        e2 = Einsum <equation = "ij->ji"> (a)
        e3 = Einsum <equation = "...td,...sd->...ts"> (q, k)
        e4 = Einsum <equation = "ij,jk,kl->il"> (c, d, e)
        e5 = Einsum <equation = "bi,bj->bij"> (f, h)
    }"""
    assert mac(graph) == 4 * 5 * 6 + 0 + 3 * 4 * 5 * 2 + 2 * (2 * 3 * 4 * 3) + 2 * 3 * 4 == 408


def test_control_flow() -> None:
    loop = """g (float[2,8] h, float[8,8] w) => (float y) {
        n = Constant <value_int = 7> ()
        y = Loop (n, , h) <body = b (int64 i, bool k, float[2,8] s) => (bool k2, float[2,8] t) {
            k2 = Identity(k) t = MatMul(s, w) }> }"""
    assert mac(loop) == 7 * 2 * 8 * 8 == 896
    scan = """g (float[3,6] h, float[9,3,4] x, float[6,6] u, float[4,6] w) => (float f, float y) {
        f, y = Scan <num_scan_inputs = 1, body = b (float[3,6] s, float[3,4] e) => (float[3,6] t, float[3,6] o) {
            p = MatMul(s, u) q = MatMul(e, w) r = Add(p, q) t = Tanh(r) o = Identity(t) }> (h, x) }"""
    assert mac(scan) == 9 * (3 * 36 + 3 * 24) == 1_620
    branches = """g (float[4,10] x, float[10,100] a, float[100,10] b, float[10,10] c, bool k) => (float y) {
        y = If (k) <then_branch = t () => (float o) { p = MatMul(x, a) o = MatMul(p, b) },
                    else_branch = e () => (float o) { o = MatMul(x, c) }> }"""
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {branches}')
    assert [nc.analyze(model, values=values).totals.mac for values in ({}, {"k": True}, {"k": False})] == [
        8000,
        8000,
        400,
    ]


def test_nested_local_functions() -> None:
    graph = """g (float[5,16] x, float[16,32] a, float[32,16] b, float[16,3] c) => (float y) {
        h = local.two(x, a, b) k = local.two(h, a, b) y = MatMul(k, c) }"""
    functions = (
        "one (x, w) => (y) { p = MatMul(x, w) y = Relu(p) }",
        "two (x, a, b) => (y) { h = local.one(x, a) y = local.one(h, b) }",
    )
    assert mac(graph, *functions) == 4 * (5 * 16 * 32) + 5 * 16 * 3 == 10_480


def test_attention_reads_the_whole_cache() -> None:
    """One new position against 127 kept ones: batch x heads x new x (past + new) x (key + value size)."""
    graph = """g (float[1,8,1,64] q, float[1,8,1,64] k, float[1,8,1,64] v, float[1,8,127,64] pk, float[1,8,127,64] pv)
        => (float y, float nk, float nv) { y, nk, nv = Attention (q, k, v, , pk, pv) }"""
    report = text(graph, opset=23)
    assert report.totals.mac == 8 * 1 * 128 * (64 + 64) == 131_072
    assert report["y"].row.outputs == ((1, 8, 1, 64), (1, 8, 128, 64), (1, 8, 128, 64))
