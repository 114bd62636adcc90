"""Other kinds of file, told from an ONNX model by their first bytes."""

from __future__ import annotations

import re

__all__ = ["HEAD", "impostor"]

HEAD = 4096
REEXPORT = "not an ONNX model; export it to ONNX first"
UNPACK = "not an ONNX model; unpack it first"

PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", f"a gzip file, {UNPACK}"),
    (b"BZh", f"a bzip2 file, {UNPACK}"),
    (b"\xfd7zXZ\x00", f"an xz file, {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a zstd file, {UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z file, {UNPACK}"),
    (b"Rar!\x1a\x07", f"a RAR file, {UNPACK}"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file (Keras .h5?), {REEXPORT}"),
    (b"GGUF", f"a GGUF file, {REEXPORT}"),
    (b"\x93NUMPY", "a NumPy array file, not an ONNX model"),
    (b"\x7fELF", "an ELF binary (a program or library), not an ONNX model"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image, not an ONNX model"),
    (b"\xff\xd8\xff", "a JPEG image, not an ONNX model"),
    (b"GIF8", "a GIF image, not an ONNX model"),
    (b"%PDF-", "a PDF document, not an ONNX model"),
)
# JSON (irVersion, opsetImport), protobuf text (ir_version: 8), and the form of onnx.parser (<ir_version: 8, ...>).
ONNX_TEXT = re.compile(r"""["']?\b(ir_?version|opset_?import)["']?\s*[:{\[]""", re.IGNORECASE)
PICKLES = tuple(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5))
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def impostor(head: bytes) -> tuple[str, str] | None:
    """The identifier and the sentence for a file that is evidently something else, None if it may be a model."""
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "E-FILE-LFS", "this is a Git-LFS pointer, not an ONNX model; run `git lfs pull`"
    name = _binary(head) or _text(head)
    return None if name is None else ("E-FILE-IMPOSTOR", f"this is {name}")


def _binary(head: bytes) -> str | None:
    for prefix, name in PREFIXES:
        if head.startswith(prefix):
            return name
    if head.startswith(ARCHIVES):
        return _archive(head)
    if head.startswith(PICKLES):
        return f"a Python pickle (old PyTorch .pt?), {REEXPORT}; it was not opened"
    if head[4:8] == b"TFL3":
        return f"a TFLite file, {REEXPORT}"
    if head[4:8] == b"ORTM":
        return "an ONNX Runtime .ort file, not an ONNX model; use the .onnx file it was made from"
    if head[257:262] == b"ustar":
        return f"a tar file, {UNPACK}"
    if head[8:10] == b'{"' and head[5:8] == b"\0\0\0":
        return f"a safetensors file, {REEXPORT}"
    return _tensorflow(head)


def _archive(head: bytes) -> str:
    if b"data.pkl" in head or b"/version" in head:
        return f"a PyTorch file (a zip archive), {REEXPORT} with torch.onnx.export"
    if b".npy" in head:
        return "a NumPy .npz file (a zip archive), not an ONNX model"
    if b"config.json" in head or b"metadata.json" in head:
        return f"a Keras file (a zip archive), {REEXPORT}"
    return f"a zip file, {UNPACK}"


def _tensorflow(head: bytes) -> str | None:
    """A SavedModel is schema version 1, then a long meta graph where ONNX has a short producer name; a GraphDef
    starts with a node where ONNX has its version number."""
    if head.startswith(b"\x08\x01\x12") and len(head) > 8 and head[3] & 0x80 and head[4] & 0x80:
        return f"a TensorFlow SavedModel, {REEXPORT}"
    if head[:1] == b"\x0a" and b"\x12\x0bPlaceholder" in head:
        return f"a TensorFlow graph, {REEXPORT}"
    return None


def _text(head: bytes) -> str | None:
    if b"\0" in head or b"\x08" in head[:1]:
        return None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page, not an ONNX model; the download link led to a web page"
    # A sequence cut by the end of the head is no fault of the text.
    text = head.decode("utf-8", "replace").rstrip("�")
    if not text or not all(c.isprintable() or c in "\t\n\r\f" for c in text.removeprefix("﻿")) or "�" in text:
        return None
    if start.startswith(b"<?xml"):
        return "an XML file (OpenVINO?), not an ONNX model"
    if ONNX_TEXT.search(text):
        return "ONNX in text form (JSON or textproto), not a binary model; convert it with onnx.save"
    if start.startswith((b"{", b"[")):
        return "a JSON file, not an ONNX model"
    return "a text file, not an ONNX model"
