"""Values of stored tensors: every element type against onnx's own decoder, sizes, and files outside the model."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from nncomplexity.element_types import ELEMENT_TYPES
from nncomplexity.errors import ModelError
from nncomplexity.parsers import arrays
from nncomplexity.parsers.arrays import array
from nncomplexity.parsers.source import Source, read_model
from nncomplexity.parsers.stored import StoredTensor, stored_tensor
from nncomplexity.parsers.values import values
from onnx import TensorProto, helper, numpy_helper

CODES = sorted(
    code for code in TensorProto.DataType.values() if code not in (TensorProto.UNDEFINED, TensorProto.STRING)
)
GENERATOR = np.random.default_rng(11)


def with_initializers(*tensors: TensorProto) -> onnx.ModelProto:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [output], list(tensors))
    return helper.make_model(graph)


def raw_tensor(code: int, elements: int, shape: tuple[int, ...] | None = None) -> TensorProto:
    """Random bits as raw data."""
    kind = ELEMENT_TYPES[code]
    data = GENERATOR.integers(0, 2 if kind.name == "bool" else 256, kind.size(elements), dtype=np.uint8)
    return TensorProto(name="t", data_type=code, dims=shape or (elements,), raw_data=data.tobytes())


def typed_tensor(code: int, elements: int) -> TensorProto:
    """The same kind of values in the typed field."""
    kind = ELEMENT_TYPES[code]
    tensor = TensorProto(name="t", data_type=code, dims=(elements,))
    count = kind.entries(elements)
    if kind.field in ("float_data", "double_data"):
        getattr(tensor, kind.field).extend(GENERATOR.normal(size=count).tolist())
        return tensor
    bits = max(kind.bits, 8) if kind.bits != 6 else 6
    low, high = 0, 2 if kind.name == "bool" else 2 ** min(bits, 62)
    if kind.name.startswith("int") and bits >= 8:
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    getattr(tensor, kind.field).extend(int(v) for v in GENERATOR.integers(low, high, count))
    return tensor


def same(found: object, expected: object) -> bool:
    """Equal, or both not a number; a negative zero differs from a positive one."""
    return (found == expected and (found != 0 or str(found) == str(expected))) or (
        found != found and expected != expected
    )


def numbers(expected: np.ndarray) -> list[object]:
    """The elements as Python numbers, whatever numpy type they have."""
    flat = expected.reshape(-1)
    if flat.dtype.kind in "biufc" and flat.dtype.isbuiltin == 1:
        return list(flat.tolist())
    if "int" in flat.dtype.name:
        return [int(item) for item in flat]
    return [float(item) for item in flat]


def agree(stored: StoredTensor, tensor: TensorProto) -> None:
    expected = numpy_helper.to_array(tensor)
    found = values(stored, limit=10**6)
    assert found is not None
    wanted = numbers(expected)
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted, strict=True):
        assert (
            same(mine, theirs)
            or (isinstance(mine, complex) and np.array(mine).astype(expected.dtype) == theirs)
            or (isinstance(mine, complex) and str(mine) == str(theirs))
        )
    loaded = array(stored)
    assert loaded.shape == expected.shape
    assert loaded.astype(expected.dtype).tobytes() == expected.tobytes()


@pytest.mark.parametrize("code", CODES, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("elements", [0, 1, 7, 512])
def test_raw_data_equal_onnx(code: int, elements: int) -> None:
    tensor = raw_tensor(code, elements)
    agree(stored_tensor(tensor), tensor)


@pytest.mark.parametrize("code", CODES, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("elements", [0, 1, 7, 300])
def test_typed_fields_equal_onnx(code: int, elements: int) -> None:
    tensor = typed_tensor(code, elements)
    agree(stored_tensor(tensor), tensor)


@pytest.mark.parametrize("code", CODES, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("make", [raw_tensor, typed_tensor])
def test_cut_payloads_equal_onnx(code: int, make: object) -> None:
    tensor = make(code, 30011)  # type: ignore[operator]
    source = read_model(with_initializers(tensor).SerializeToString())
    agree(source.stored(source.proto.graph.initializer[0]), tensor)
    kind = ELEMENT_TYPES[code]
    weights = "float" in kind.name or "complex" in kind.name
    if weights or kind.size(30011) > 80_000:
        assert source.cuts == 1


@pytest.mark.parametrize("code", CODES, ids=TensorProto.DataType.Name)
def test_arrays_without_ml_dtypes(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_ml_dtype", lambda name: None)
    stored = stored_tensor(raw_tensor(code, 301))
    found = values(stored)
    assert found is not None
    assert all(
        same(mine, theirs) or "complex" in stored.dtype
        for mine, theirs in zip(array(stored).tolist(), found, strict=True)
    )


@pytest.mark.parametrize("code", sorted(set(ELEMENT_TYPES) - {8}))
def test_names_are_those_of_onnx(code: int) -> None:
    if code in TensorProto.DataType.values():
        name = TensorProto.DataType.Name(code).lower()
        assert ELEMENT_TYPES[code].name == {"float": "float32", "double": "float64"}.get(name, name)


def test_strings_scalars_and_limits() -> None:
    strings = stored_tensor(helper.make_tensor("s", TensorProto.STRING, [2], ["a", "é"]))
    assert values(strings) == [b"a", "é".encode()]
    assert array(strings).tolist() == [b"a", "é".encode()]
    scalar = stored_tensor(helper.make_tensor("n", TensorProto.INT64, [], [-5]))
    assert (scalar.name, scalar.dtype, scalar.shape, scalar.elements) == ("n", "int64", (), 1)
    assert values(scalar) == [-5]
    assert array(scalar).shape == ()
    assert values(stored_tensor(raw_tensor(TensorProto.FLOAT, 10_001))) is None
    assert values(stored_tensor(raw_tensor(TensorProto.FLOAT, 5)), limit=4) is None
    nan = values(stored_tensor(TensorProto(data_type=TensorProto.FLOAT8E8M0, dims=[2], raw_data=b"\x7f\xff")))
    assert nan is not None
    assert nan[0] == 1.0
    assert isinstance(nan[1], float)
    assert math.isnan(nan[1])


def refusal(tensor: TensorProto) -> str:
    with pytest.raises(ModelError) as caught:
        values(stored_tensor(tensor))
    with pytest.raises(ModelError) as again:
        array(stored_tensor(tensor))
    assert str(caught.value) == str(again.value)
    return str(caught.value)


FLOAT, INT4, INT64 = TensorProto.FLOAT, TensorProto.INT4, TensorProto.INT64
SIZE = "E-TENSOR-SIZE"
REFUSALS = [
    ({"data_type": 0}, "data type undefined (0) [E-TENSOR-TYPE]"),
    ({"data_type": 99}, "data type 99, which is not an element type of ONNX [E-TENSOR-TYPE]"),
    ({"data_type": FLOAT, "dims": [2, -1]}, "a negative dimension in the shape [2, -1] [E-TENSOR-SHAPE]"),
    ({"data_type": FLOAT, "dims": [1] * 65}, "a tensor of 65 dimensions, the limit is 64 [E-TENSOR-RANK]"),
    (
        {"data_type": FLOAT, "dims": [2, 2], "raw_data": bytes(15)},
        f"the tensor holds 15 bytes, its shape [2, 2] of float32 needs 16 [{SIZE}]",
    ),
    (
        {"data_type": INT4, "dims": [3], "raw_data": bytes(3)},
        f"the tensor holds 3 bytes, its shape [3] of int4 needs 2 [{SIZE}]",
    ),
    (
        {"data_type": INT64, "dims": [3], "int64_data": [1, 2]},
        f"the tensor holds 2 entries, its shape [3] of int64 needs 3 [{SIZE}]",
    ),
    ({"data_type": FLOAT, "dims": [3]}, f"the tensor holds 0 entries, its shape [3] of float32 needs 3 [{SIZE}]"),
    (
        {"data_type": TensorProto.STRING, "dims": [2], "string_data": [b"a"]},
        f"the tensor holds 1 entries, its shape [2] of string needs 2 [{SIZE}]",
    ),
    (
        {"data_type": FLOAT, "dims": [1], "int64_data": [1]},
        "float32 values stored in int64_data, expected float_data [E-TENSOR-DATA]",
    ),
    (
        {"data_type": FLOAT, "dims": [1], "raw_data": bytes(4), "float_data": [1.0]},
        "the tensor holds several payloads: float_data, raw_data [E-TENSOR-DATA]",
    ),
    (
        {"data_type": FLOAT, "dims": [1], "raw_data": bytes(4), "segment": TensorProto.Segment(begin=0, end=1)},
        "the tensor is stored in segments, which no runtime reads [E-TENSOR-SEGMENT]",
    ),
]


@pytest.mark.parametrize(("fields", "expected"), REFUSALS, ids=range(len(REFUSALS)))
def test_refusals(fields: dict[str, object], expected: str) -> None:
    assert refusal(TensorProto(**fields)) == expected  # type: ignore[arg-type]


def test_text_that_is_not_utf8() -> None:
    tensor = TensorProto.FromString(b"\x10\x01\x42\x02a\xff")
    assert stored_tensor(tensor).name == "a\\xff"


def outside(location: str = "w.bin", shape: tuple[int, ...] = (4,), **entries: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def in_folder(folder: Path, tensor: TensorProto) -> Source:
    folder.mkdir(exist_ok=True)
    path = folder / "m.onnx"
    path.write_bytes(with_initializers(tensor).SerializeToString())
    return read_model(path)


def only(source: Source) -> StoredTensor:
    return source.stored(source.proto.graph.initializer[0])


def test_external_data_are_read(tmp_path: Path) -> None:
    data = np.arange(3000, dtype=np.float32)
    tmp_path.joinpath("w.bin").write_bytes(bytes(5000) + data.tobytes())
    stored = only(in_folder(tmp_path, outside(shape=(3000,), offset="5000", length="12000")))
    assert array(stored).tolist() == values(stored) == data.tolist()
    assert array(only(in_folder(tmp_path, outside(shape=(0,), offset="5000")))).shape == (0,)
    nested = tmp_path / "deep"
    nested.mkdir()
    nested.joinpath("w").write_bytes(data.tobytes())
    assert values(only(in_folder(tmp_path, outside("deep/../deep/w", shape=(2,))))) == [0.0, 1.0]


def test_external_data_behind_links_of_a_cache(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots"
    for folder in (blobs, snapshot):
        folder.mkdir()
    blobs.joinpath("1f").write_bytes(with_initializers(outside("m.onnx_data")).SerializeToString())
    blobs.joinpath("2e").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    snapshot.joinpath("m.onnx").symlink_to("../blobs/1f")
    snapshot.joinpath("m.onnx_data").symlink_to("../blobs/2e")
    assert values(only(read_model(snapshot / "m.onnx"))) == [0.0, 1.0, 2.0, 3.0]


def test_a_linked_model_beside_its_data(tmp_path: Path) -> None:
    stored = in_folder(tmp_path / "real", outside())
    assert stored.base == str(tmp_path / "real")
    tmp_path.joinpath("real/w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    tmp_path.joinpath("link.onnx").symlink_to("real/m.onnx")
    assert values(only(read_model(tmp_path / "link.onnx"))) == [0.0, 1.0, 2.0, 3.0]


OUTSIDE = "lie outside the directory of the model [E-EXTERNAL-PATH]"
NUMBER = "is not a decimal number of at most 19 digits [E-EXTERNAL-RANGE]"
DRIVE = "has a scheme or a drive; it must be a relative path [E-EXTERNAL-PATH]"
BACKSLASH = "holds a backslash; ONNX writes paths with / [E-EXTERNAL-PATH]"
ABSOLUTE = "is absolute; it must be relative to the model [E-EXTERNAL-PATH]"
ATTACKS = [
    ({"location": "../secret"}, f"external data '../secret' {OUTSIDE}"),
    ({"location": "a/../../secret"}, f"external data 'a/../../secret' {OUTSIDE}"),
    ({"location": "../model-evil/secret"}, f"external data '../model-evil/secret' {OUTSIDE}"),
    ({"location": "link"}, f"external data 'link' {OUTSIDE}"),
    ({"location": "folder/secret"}, f"external data 'folder/secret' {OUTSIDE}"),
    ({"location": "folder/absent"}, f"external data 'folder/absent' {OUTSIDE}"),
    ({"location": "absent/../../secret"}, f"external data 'absent/../../secret' {OUTSIDE}"),
    ({"location": "."}, f"external data '.' {OUTSIDE}"),
    ({"location": "/etc/passwd"}, f"external data location '/etc/passwd' {ABSOLUTE}"),
    ({"location": "..\\secret"}, f"external data location '..\\secret' {BACKSLASH}"),
    ({"location": "C:/secret"}, f"external data location 'C:/secret' {DRIVE}"),
    ({"location": "file:///etc/passwd"}, f"external data location 'file:///etc/passwd' {DRIVE}"),
    ({"location": "w\0.bin"}, "external data location 'w\\x00.bin' holds a NUL character [E-EXTERNAL-PATH]"),
    ({"location": ""}, "external data without a location [E-EXTERNAL-PATH]"),
    ({"offset": "-1"}, f"external data offset '-1' {NUMBER}"),
    ({"offset": "0x10"}, f"external data offset '0x10' {NUMBER}"),
    ({"offset": "1" * 20}, f"external data offset '{'1' * 20}' {NUMBER}"),
    ({"length": "٣"}, f"external data length '٣' {NUMBER}"),
    ({"length": " 16"}, f"external data length ' 16' {NUMBER}"),
    ({"length": "1_6"}, f"external data length '1_6' {NUMBER}"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model directory with links that lead out of it; it is also the working directory."""
    found = tmp_path / "model"
    for name in ("model", "model-evil", "elsewhere"):
        tmp_path.joinpath(name).mkdir()
        tmp_path.joinpath(name, "w.bin").write_bytes(bytes(16))
    for place in (tmp_path, tmp_path / "model-evil", tmp_path / "elsewhere"):
        place.joinpath("secret").write_bytes(bytes(16))
    found.joinpath("link").symlink_to("../secret")
    found.joinpath("folder").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(found)
    return found


@pytest.mark.parametrize("place", ["m.onnx", "./m.onnx", "../model/m.onnx"])
@pytest.mark.parametrize(("entries", "expected"), ATTACKS, ids=range(len(ATTACKS)))
def test_external_attacks_are_refused_unread(entries: dict[str, str], expected: str, place: str, folder: Path) -> None:
    folder.joinpath("m.onnx").write_bytes(with_initializers(outside(**entries)).SerializeToString())
    with pytest.raises(ModelError) as caught:
        read_model(place)
    assert str(caught.value) == f"{place}: {expected}"
    assert caught.value.exit_code == 3


def test_an_attack_in_any_place_is_found(folder: Path) -> None:
    bad = outside("../secret")
    inner = helper.make_graph([helper.make_node("Constant", [], ["b"], value=bad)], "inner", [], [])
    model = with_initializers()
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner))
    places = [model, with_initializers(), with_initializers(), with_initializers()]
    node = helper.make_node("Constant", [], ["c"], value=bad)
    places[1].functions.append(helper.make_function("d", "F", [], ["c"], [node], [helper.make_opsetid("", 20)]))
    places[2].training_info.add().initialization.initializer.append(bad)
    places[3].graph.sparse_initializer.add().indices.CopyFrom(bad)
    for place in places:
        folder.joinpath("m.onnx").write_bytes(place.SerializeToString())
        with pytest.raises(ModelError, match=r"^m\.onnx: external data '\.\./secret' lie outside"):
            read_model("m.onnx")


def unreadable(tensor: TensorProto) -> str:
    stored = only(in_folder(Path(), tensor))
    with pytest.raises(ModelError) as caught:
        values(stored)
    return str(caught.value)


def test_what_is_refused_only_when_values_are_wanted(folder: Path) -> None:
    missing = "external data 'absent' cannot be read: there is no such file [E-EXTERNAL-MISSING]"
    assert unreadable(outside("absent")) == missing
    os.mkfifo("pipe")
    assert unreadable(outside("pipe")).startswith("external data 'pipe' cannot be read: this is a pipe, ")
    expected = "external data 'w.bin' need bytes 4 to 20, the file has 16 [E-EXTERNAL-RANGE]"
    assert unreadable(outside(offset="4")) == expected
    expected = "external data 'w.bin' give 12 bytes, the shape and type need 16 [E-TENSOR-SIZE]"
    assert unreadable(outside(length="12")) == expected
    for source in (with_initializers(outside()), with_initializers(outside()).SerializeToString()):
        with pytest.raises(ModelError) as caught:
            values(only(read_model(source)))
        expected = "external data 'w.bin' cannot be found: the model was not read from a file [E-EXTERNAL-MISSING]"
        assert str(caught.value) == expected


def test_a_key_given_twice() -> None:
    tensor = outside()
    tensor.external_data.add(key="location", value="other")
    with pytest.raises(ModelError) as caught:
        read_model(with_initializers(tensor).SerializeToString())
    assert str(caught.value) == "bytes: external data give 'location' twice [E-EXTERNAL-PATH]"


def test_values_import_neither_numpy_nor_onnx(tmp_path: Path) -> None:
    in_folder(tmp_path, typed_tensor(TensorProto.BFLOAT16, 3000))
    script = (
        "import sys\n"
        "from nncomplexity.parsers.source import read_model\n"
        "from nncomplexity.parsers.values import values\n"
        "source = read_model(sys.argv[1])\n"
        "assert source.cuts == 1 and len(values(source.stored(source.proto.graph.initializer[0]))) == 3000\n"
        "assert not {'numpy', 'onnx', 'ml_dtypes'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "m.onnx")], check=True)
