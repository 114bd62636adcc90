"""Opening inputs: kinds of file, impostors, the protobuf classes, one line of text for each refusal."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import onnx
import pytest
from nncomplexity.errors import ModelError, UsageError
from nncomplexity.parsers import files
from nncomplexity.parsers.source import read_model
from onnx import TensorProto, helper


def model() -> onnx.ModelProto:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    return helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [output]))


def refusal(source: object) -> str:
    with pytest.raises(ModelError) as caught:
        read_model(source)  # type: ignore[arg-type]
    return str(caught.value)


def test_path_bytes_and_message_give_the_same(tmp_path: Path) -> None:
    data = model().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    assert read_model(path).proto == read_model(str(path)).proto == read_model(data).proto == model()
    given = model()
    assert read_model(given).proto is given
    assert read_model(path).sha256() == read_model(data).sha256() == sha256(data).hexdigest()
    assert read_model(given).sha256() == sha256(given.SerializeToString(deterministic=True)).hexdigest()
    assert read_model(path).base == str(tmp_path)
    assert read_model(data).base is None


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def pipe(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    pipe(model().SerializeToString())
    assert read_model("-").proto == model()
    pipe(b"")
    assert refusal("-") == "standard input: the file is empty (0 bytes) [E-FILE-EMPTY]"
    monkeypatch.setattr(files, "STDIN_LIMIT", 9)
    pipe(bytes(10))
    expected = "standard input: standard input holds more than 9 bytes; give the file by name [E-FILE-SIZE]"
    assert refusal("-") == expected


def test_no_value_of_another_type() -> None:
    with pytest.raises(UsageError) as caught:
        read_model(7)  # type: ignore[arg-type]
    assert str(caught.value) == "ModelProto: expected a path, bytes or a ModelProto, found int [E-MODEL-KIND]"


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


SAVED_MODEL = b"\x08\x01\x12\x80\x90\x01\x0a\x90\x02" + bytes(40)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
REEXPORT = "not an ONNX model; export it to ONNX first"
UNPACK = "not an ONNX model; unpack it first"
TEXT_FORM = "ONNX in text form (JSON or textproto), not a binary model; convert it with onnx.save"
IMPOSTORS = [
    (gzip.compress(b"x"), f"a gzip file, {UNPACK}"),
    (b"\xfd7zXZ\0 ", f"an xz file, {UNPACK}"),
    (b"\x28\xb5\x2f\xfd ", f"a zstd file, {UNPACK}"),
    (bytes(257) + b"ustar ", f"a tar file, {UNPACK}"),
    (zipped("a.txt"), f"a zip file, {UNPACK}"),
    (zipped("m/data.pkl", "m/version"), f"a PyTorch file (a zip archive), {REEXPORT} with torch.onnx.export"),
    (zipped("a.npy"), "a NumPy .npz file (a zip archive), not an ONNX model"),
    (zipped("metadata.json", "config.json"), f"a Keras file (a zip archive), {REEXPORT}"),
    (pickle.dumps({"a": 1}), f"a Python pickle (old PyTorch .pt?), {REEXPORT}; it was not opened"),
    (b"\x1c\0\0\0TFL3\0\0", f"a TFLite file, {REEXPORT}"),
    (b"\x1c\0\0\0ORTM\0\0", "an ONNX Runtime .ort file, not an ONNX model; use the .onnx file it was made from"),
    (b"\x89HDF\r\n\x1a\n\0", f"an HDF5 file (Keras .h5?), {REEXPORT}"),
    (b"\x40\0\0\0\0\0\0\0" + b'{"a":1}', f"a safetensors file, {REEXPORT}"),
    (b"GGUF\x03\0", f"a GGUF file, {REEXPORT}"),
    (b"\x93NUMPY\x01\0", "a NumPy array file, not an ONNX model"),
    (SAVED_MODEL, f"a TensorFlow SavedModel, {REEXPORT}"),
    (b"\x0a\x20\x0a\x01x\x12\x0bPlaceholder", f"a TensorFlow graph, {REEXPORT}"),
    (b"\x7fELF\x02\x01", "an ELF binary (a program or library), not an ONNX model"),
    (b"\x89PNG\r\n\x1a\n\0", "a PNG image, not an ONNX model"),
    (b"%PDF-1.7", "a PDF document, not an ONNX model"),
    (b"\n<!DOCTYPE html><p>", "an HTML page, not an ONNX model; the download link led to a web page"),
    (b'<?xml version="1.0"?><net>', "an XML file (OpenVINO?), not an ONNX model"),
    (b'{"a": [1, 2]}', "a JSON file, not an ONNX model"),
    (json.dumps({"irVersion": "8", "graph": {}}).encode(), TEXT_FORM),
    (b'ir_version: 8\ngraph {\n  name: "g"\n}\n', TEXT_FORM),
    (b'<ir_version: 8, opset_import: ["" : 13]>\ng (float[N] x) => (float[N] y) { y = Relu(x) }', TEXT_FORM),
    ("# Ein Modell für später\n".encode(), "a text file, not an ONNX model"),
    (("é" * 3000).encode()[: 4097 + 200], "a text file, not an ONNX model"),
]


@pytest.mark.parametrize(("data", "name"), IMPOSTORS, ids=range(len(IMPOSTORS)))
def test_impostors(data: bytes, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(data)
    assert refusal("m.onnx") == f"m.onnx: this is {name} [E-FILE-IMPOSTOR]"


def test_git_lfs_pointer() -> None:
    assert refusal(LFS) == "bytes: this is a Git-LFS pointer, not an ONNX model; run `git lfs pull` [E-FILE-LFS]"


def test_no_graph() -> None:
    assert refusal(b"\x08\x08") == "bytes: the model holds no graph [E-MODEL-EMPTY]"
    expected = "bytes: the graph of the model is empty: no nodes and no outputs [E-MODEL-EMPTY]"
    assert refusal(b"\x08\x08\x3a\x00") == expected
    assert refusal(b"") == "bytes: the file is empty (0 bytes) [E-FILE-EMPTY]"


def test_what_only_protobuf_sees() -> None:
    # a node shorter than 4 KiB whose content is nonsense
    message = refusal(b"\x08\x08\x3a\x04\x0a\x02\x0a\x7f")
    assert message.startswith("bytes: not an ONNX model, or damaged: ")
    assert message.endswith("[E-FILE-PROTOBUF]")


DIRECTORY = "this is a directory, not an ONNX model; give the path of the .onnx file [E-FILE-KIND]"
PIPE = "this is a pipe, not a regular file; give `-` to read a model from standard input [E-FILE-KIND]"


def test_kinds_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("empty").touch()
    os.symlink("loop", "loop")
    os.symlink("absent", "dangling")
    missing = "there is no such file [E-FILE-MISSING]"
    expected = {
        "folder": f"folder: {DIRECTORY}",
        "pipe": f"pipe: {PIPE}",
        "empty": "empty: the file is empty (0 bytes) [E-FILE-EMPTY]",
        "loop": "loop: its symbolic links form a loop [E-FILE-MISSING]",
        "absent": f"absent: {missing}",
        "dangling": f"dangling: {missing}",
        "empty/m": "empty/m: there is no such file: part of its path is not a directory [E-FILE-MISSING]",
        "": ": the file name is empty [E-FILE-NAME]",
        "a\0b": "a\\x00b: the file name holds a NUL character [E-FILE-NAME]",
        "/dev/null": "/dev/null: this is a character device, not a regular file [E-FILE-KIND]",
    }
    assert {path: refusal(path) for path in expected} == expected
    long = refusal("x" * 300)
    assert long.endswith("xxx: the file name is too long [E-FILE-NAME]")


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        expected = "socket: this is a socket or an absent device, not a regular file [E-FILE-KIND]"
        assert refusal("socket") == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("closed").write_bytes(b"\x08\x08")
    Path("closed").chmod(0)
    assert refusal("closed") == "closed: permission to read the file is denied [E-FILE-ACCESS]"


def test_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open("big", "wb") as file:
        file.truncate(2**31 - 1)
    expected = "big: the file has 2147483647 bytes, the limit of protobuf is 2147483646 [E-FILE-SIZE]"
    assert refusal("big") == expected


ORDERS = {
    "ours first": """
import sys
from nncomplexity.parsers.messages import messages, model_class
mine = model_class()
assert "onnx" not in sys.modules and "numpy" not in sys.modules
import onnx
""",
    "onnx first": """
import onnx
from nncomplexity.parsers.messages import messages, model_class
mine = model_class()
""",
}


@pytest.mark.parametrize("order", ORDERS)
def test_classes_are_shared(order: str) -> None:
    script = ORDERS[order] + (
        "from onnx import onnx_ml_pb2, helper, checker\n"
        "assert mine is onnx.ModelProto and messages() is onnx_ml_pb2\n"
        "graph = helper.make_graph([], 'g', [], [])\n"
        "assert isinstance(helper.make_model(graph), mine)\n"
        "onnx.load_model_from_string(mine(graph=graph).SerializeToString())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
