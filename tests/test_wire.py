"""The walk over the wire format: cuts what it should, changes nothing else, refuses what is malformed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.errors import ModelError
from nncomplexity.parsers.external import tensors
from nncomplexity.parsers.limits import Limits
from nncomplexity.parsers.payload import read_cut
from nncomplexity.parsers.source import read_model
from nncomplexity.parsers.varint import encoded, read_varint
from nncomplexity.parsers.wire import slim
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(onnx.__file__).parent / "backend/test/data"
GENERATOR = np.random.default_rng(7)


def chunk(number: int, content: bytes) -> bytes:
    return encoded(number << 3 | 2) + encoded(len(content)) + content


def tensor(name: str, shape: tuple[int, ...], kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(GENERATOR.integers(-9, 9, shape).astype(kind), name)


def model_with(*initializers: TensorProto, nodes: list[onnx.NodeProto] | None = None) -> onnx.ModelProto:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    nodes = [helper.make_node("Relu", ["x"], ["y"], "relu")] if nodes is None else nodes
    return helper.make_model(helper.make_graph(nodes, "g", [], [output], list(initializers)))


def rich_model() -> onnx.ModelProto:
    """A large tensor at every place where one may be."""
    inner = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "inner", [], [], [tensor("deep", (2000,))])
    sparse = helper.make_sparse_tensor(tensor("v", (1500,)), tensor("i", (1500,), np.int64), [100000])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=tensor("c", (1100,))),
        helper.make_node("Constant", [], ["s"], sparse_value=sparse),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
        helper.make_node(
            "Many", ["c"], ["z"], domain="own", ts=[tensor("t0", (3,)), tensor("t1", (1300,))], gs=[inner]
        ),
    ]
    model = model_with(tensor("w", (64, 64)), tensor("shape", (10000,), np.int64), nodes=nodes)
    model.graph.initializer.append(tensor("indices", (10001,), np.int64))
    model.graph.sparse_initializer.append(sparse)
    function = helper.make_function("own", "F", ["x"], ["y"], nodes[:1], [helper.make_opsetid("", 20)])
    model.functions.append(function)
    model.training_info.add().algorithm.CopyFrom(inner)
    half = model.graph.initializer.add(name="half", data_type=TensorProto.FLOAT16, dims=[3000])
    half.int32_data.extend([15360] * 3000)
    return model


def restored(data: bytes) -> tuple[onnx.ModelProto, int]:
    """A slim model with its payloads put back from their offsets, and how many there were."""
    found = slim(memoryview(data))
    model = onnx.ModelProto.FromString(found.data)
    for item in tensors(model):
        cut = read_cut(item.raw_data, found.token)
        if cut is None:
            continue
        item.ClearField("raw_data")
        payload = data[cut.offset : cut.offset + cut.length]
        number = TensorProto.DESCRIPTOR.fields_by_name[cut.field].number
        item.MergeFromString(chunk(number, payload))
    return model, found.cuts


def test_every_place_is_cut_and_nothing_else_changes() -> None:
    model = rich_model()
    data = model.SerializeToString()
    back, cuts = restored(data)
    assert back == model
    # w, indices, half, c, sparse v, then, else, t1, gs, sparse initializer, function, training
    assert cuts == 12
    found = slim(memoryview(data))
    assert len(found.data) < len(data) - found.cut_bytes + 12 * 40
    assert "shape" in {
        t.name for t in onnx.ModelProto.FromString(found.data).graph.initializer if len(t.raw_data) > 79999
    }


def test_models_in_the_onnx_package_are_unchanged() -> None:
    paths = sorted(MODELS.rglob("*.onnx"))
    assert len(paths) > 100
    cuts = 0
    for path in paths:
        data = path.read_bytes()
        model, found = restored(data)
        assert model == onnx.ModelProto.FromString(data)
        cuts += found
    # nearly all of them have small weights or none; test_every_place_is_cut has the large ones
    assert cuts > 0


def test_type_after_payload_is_heeded() -> None:
    payload = chunk(9, bytes(8 * 1000))
    late = payload + chunk(8, b"n") + b"\x10\x07\x08\xe8\x07"
    for kind, cuts in ((b"\x10\x07", 0), (b"\x10\x01", 1), (b"", 1)):
        body = payload + kind
        assert slim(memoryview(chunk(7, chunk(5, body)))).cuts == cuts
    assert slim(memoryview(chunk(7, chunk(5, late)))).cuts == 0


def test_lengths_written_with_too_many_bytes() -> None:
    payload = encoded(9 << 3 | 2) + b"\x88\xa7\x80\x80\x00" + bytes(5000)
    data = chunk(7, chunk(5, b"\x10\x01" + payload) + chunk(2, b"g"))
    back, cuts = restored(data)
    assert cuts == 1
    assert back.graph.initializer[0].raw_data == bytes(5000)
    assert back.graph.name == "g"


def test_a_forged_mark_is_data() -> None:
    forged = model_with(helper.make_tensor("w", TensorProto.UINT8, [33], bytes(33), raw=True)).SerializeToString()
    source = read_model(forged)
    assert source.stored(source.proto.graph.initializer[0]).elements == 33
    assert read_cut(bytes(33), source.token) is None


def message_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        slim(memoryview(data), limits)
    return str(caught.value)


def graphs_within(levels: int) -> bytes:
    body = chunk(2, b"x" * 5000)
    for _ in range(levels):
        body = chunk(1, chunk(5, chunk(6, body)))
    return chunk(7, body)


MALFORMED = [
    (
        chunk(7, bytes(5000))[:-312],
        "the file ends 312 bytes before its declared length (field at byte 0 of 4691) [E-FILE-TRUNCATED]",
    ),
    (b"\x08\x08\x3a", "the file ends inside a field, at byte 3 [E-FILE-TRUNCATED]"),
    (b"\x08", "the file ends inside a field, at byte 1 [E-FILE-TRUNCATED]"),
    (
        b"\x08" + b"\xff" * 11,
        "not an ONNX model, or damaged: a number of more than 10 bytes at byte 1 [E-FILE-PROTOBUF]",
    ),
    (
        b"\x08\x08\x0b",
        "not an ONNX model, or damaged: a group, which ONNX never uses, in ModelProto at byte 2 [E-FILE-PROTOBUF]",
    ),
    (
        b"\x08\x08\x0f",
        "not an ONNX model, or damaged: the undefined wire type 7 in ModelProto at byte 2 [E-FILE-PROTOBUF]",
    ),
    (
        chunk(7, chunk(1, chunk(3, b"n" * 5000))[:-1] + b"") + b"\x08\x08",
        "not an ONNX model, or damaged: a field that runs 1 bytes beyond its GraphProto at byte 3 [E-FILE-PROTOBUF]",
    ),
    (
        chunk(7, chunk(5, chunk(9, bytes(5000)) + chunk(4, bytes(8)))),
        "the tensor at byte 6 holds several payloads: raw_data at byte 6, float_data at byte 5009 [E-TENSOR-DATA]",
    ),
    (
        chunk(7, chunk(5, chunk(1, bytes(65)) + chunk(9, bytes(5000)))),
        "the tensor at byte 6 has 65 dimensions, the limit is 64 [E-TENSOR-RANK]",
    ),
    (graphs_within(33), "subgraphs are nested more than 32 deep (at byte 300) [E-LIMIT-DEPTH]"),
    (
        chunk(7, chunk(1, chunk(5, chunk(8, b"\x01" * 100_001)))),
        "AttributeProto at byte 16 has 100001 entries, the limit is 100000 [E-LIMIT-ATTRIBUTE]",
    ),
    (
        chunk(7, chunk(1, b"\x2a\x00" * 100_001)),
        "NodeProto at byte 8 has 100001 entries, the limit is 100000 [E-LIMIT-ATTRIBUTE]",
    ),
    (chunk(7, b"\x0a\x00" * 1_000_001), "the model stores more than 1000000 nodes [E-LIMIT-NODES]"),
    (b"\x08\x08" * 4_000_001, "the model has more than 4000000 fields outside small messages [E-LIMIT-FIELDS]"),
]


@pytest.mark.parametrize(("data", "expected"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed(data: bytes, expected: str) -> None:
    assert message_of(data) == expected


def test_depth_at_the_limit_passes() -> None:
    assert slim(memoryview(graphs_within(32))).nodes == 32


def test_graph_bytes_limit() -> None:
    expected = "the graph without its weights has 5003 bytes, the limit is 5000 [E-LIMIT-GRAPH]"
    assert message_of(chunk(6, bytes(5000)), Limits(graph_bytes=5000)) == expected


def attempt(data: bytes) -> None:
    """Success or ModelError; anything else fails the test. All values and strings are touched."""
    try:
        source = read_model(data)
        for item in tensors(source.proto):
            source.stored(item)
    except ModelError as error:
        assert len(str(error)) <= 300
        assert str(error).isprintable()


def small_model() -> bytes:
    inner = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "inner", [], [])
    nodes = [helper.make_node("If", ["x"], ["y"], "n", then_branch=inner, axes=[1, 2], mode="same")]
    return model_with(tensor("w", (4, 5)), tensor("s", (3,), np.int64), nodes=nodes).SerializeToString()


def cut_model() -> bytes:
    return model_with(tensor("w", (33, 32)), tensor("s", (3,), np.int64)).SerializeToString()


def test_truncation_anywhere() -> None:
    data = small_model()
    for length in range(len(data)):
        attempt(data[:length])
    data = cut_model()
    for length in (*range(120), *range(4000, len(data))):
        attempt(data[:length])


def seeds() -> Iterator[bytes]:
    yield small_model()
    yield cut_model()


SEEDS = tuple(seeds())


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(SEEDS), st.data())
def test_mutation(seed: bytes, choices: st.DataObject) -> None:
    places = st.integers(0, 150) | st.integers(0, len(seed) - 1)
    mutated = bytearray(seed)
    for place, value in choices.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
        mutated[min(place, len(mutated) - 1)] = value
    attempt(bytes(mutated))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_noise(data: bytes) -> None:
    attempt(data)
    attempt(b"\x08\x08" + chunk(7, data))


@given(st.integers(0, 2**64 - 1))
def test_numbers_read_back(value: int) -> None:
    assert read_varint(memoryview(encoded(value)), 0) == (value, len(encoded(value)))


def test_a_million_nodes_are_walked_fast() -> None:
    node = helper.make_node("Relu", ["input_1"], ["output_1"], name="/layers/relu_12345").SerializeToString()
    data = chunk(7, chunk(1, node) * 1_000_000)
    start = time.process_time()
    assert slim(memoryview(data)).nodes == 1_000_000
    # about 0.7 s; the bound leaves room for a busy machine
    assert time.process_time() - start < 5


PEAK = """
import resource, sys
from nncomplexity.parsers.source import read_model
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = read_model(sys.argv[1])
assert source.cuts == 2, source.cuts
assert source.stored(source.proto.graph.initializer[0]).shape == (100, 2**18)
assert not {"numpy", "onnx"} & set(sys.modules)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    size = 100 * 2**20
    body = b"\x08\x64\x08" + encoded(2**18) + b"\x10\x01" + encoded(9 << 3 | 2) + encoded(size)
    initializer = encoded(5 << 3 | 2) + encoded(len(body) + size) + body
    tail = chunk(1, helper.make_node("Relu", ["x"], ["y"]).SerializeToString())
    length = 2 * (len(initializer) + size) + len(tail)
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(encoded(7 << 3 | 2) + encoded(length))
        for _ in range(2):
            file.write(initializer)
            file.seek(size, 1)
        file.write(tail)
    command = [sys.executable, "-c", PEAK, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(result.stdout) * (1 if sys.platform == "linux" else 1 / 1024) < 20_000
