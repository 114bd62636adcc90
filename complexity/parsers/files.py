"""Opening an input: regular files of a sane size only, mapped, never read whole."""

from __future__ import annotations

import errno
import mmap
import os
import stat
import sys
from dataclasses import dataclass

from ..errors import ModelError
from .impostors import HEAD, impostor

__all__ = ["FILE_LIMIT", "STDIN_LIMIT", "Input", "open_input", "open_regular", "refuse_impostor", "release"]

FILE_LIMIT = 2**31 - 2  # protobuf itself refuses messages of 2 GiB - 1 bytes and more
STDIN_LIMIT = 2**29  # standard input cannot be mapped, so it is held in memory

FACTS = {
    errno.ENOENT: ("E-FILE-MISSING", "there is no such file"),
    errno.ENOTDIR: ("E-FILE-MISSING", "there is no such file: part of its path is not a directory"),
    errno.EACCES: ("E-FILE-ACCESS", "permission to read the file is denied"),
    errno.EPERM: ("E-FILE-ACCESS", "permission to read the file is denied"),
    errno.EISDIR: ("E-FILE-KIND", "this is a directory, not an ONNX model; give the path of the .onnx file"),
    errno.ENXIO: ("E-FILE-KIND", "this is a socket or an absent device, not a regular file"),
    errno.ELOOP: ("E-FILE-MISSING", "its symbolic links form a loop"),
    errno.ENAMETOOLONG: ("E-FILE-NAME", "the file name is too long"),
}
KINDS = (
    (stat.S_ISDIR, "a directory, not an ONNX model; give the path of the .onnx file"),
    (stat.S_ISFIFO, "a pipe, not a regular file; give `-` to read a model from standard input"),
    (stat.S_ISCHR, "a character device, not a regular file"),
    (stat.S_ISBLK, "a block device, not a regular file"),
    (stat.S_ISSOCK, "a socket, not a regular file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The bytes of an input and where they came from; `path` is None for standard input and for bytes."""

    view: memoryview
    path: str | None = None


def open_input(path: str) -> Input:
    """Open a model file, or standard input for `-`. Raises ModelError without the place."""
    if path == "-":
        found = Input(view=memoryview(_standard_input()))
    else:
        descriptor = open_regular(path)
        try:
            found = Input(view=_mapped(descriptor), path=path)
        finally:
            os.close(descriptor)
    refuse_impostor(found.view)
    return found


def open_regular(path: str) -> int:
    """A descriptor of a regular file. O_NONBLOCK: opening a pipe must not wait for its writer."""
    if not path:
        raise ModelError("E-FILE-NAME", "the file name is empty")
    if "\0" in path:
        raise ModelError("E-FILE-NAME", "the file name holds a NUL character")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _refusal(error) from None
    except UnicodeEncodeError:
        raise ModelError("E-FILE-NAME", "the file name cannot be encoded for this file system") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((name for test, name in KINDS if test(mode)), "not a regular file")
        raise ModelError("E-FILE-KIND", f"this is {kind}")
    return descriptor


def refuse_impostor(view: memoryview) -> None:
    """Refuse an empty input and the kinds of file that are evidently not models."""
    if not len(view):
        raise ModelError("E-FILE-EMPTY", "the file is empty (0 bytes)")
    found = impostor(bytes(view[:HEAD]))
    if found is not None:
        raise ModelError(*found)


def release(view: memoryview) -> None:
    """Give the pages read so far back to the system; they are read again when needed."""
    if isinstance(view.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        view.obj.madvise(mmap.MADV_DONTNEED)


def _refusal(error: OSError) -> ModelError:
    fallback = ("E-FILE-READ", f"the file cannot be read: {error.strerror}")
    return ModelError(*FACTS.get(error.errno or 0, fallback))


def _mapped(descriptor: int) -> memoryview:
    size = os.fstat(descriptor).st_size
    if size > FILE_LIMIT:
        raise ModelError("E-FILE-SIZE", f"the file has {size} bytes, the limit of protobuf is {FILE_LIMIT}")
    if size == 0:
        return memoryview(b"")
    try:
        return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
    except OSError as error:
        raise _refusal(error) from None


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise ModelError("E-FILE-MISSING", "standard input is closed")
    if sys.stdin.isatty():
        raise ModelError("E-FILE-KIND", "standard input is a terminal; pipe a model into it")
    try:
        data = sys.stdin.buffer.read(STDIN_LIMIT + 1)
    except OSError as error:
        raise _refusal(error) from None
    if len(data) > STDIN_LIMIT:
        raise ModelError("E-FILE-SIZE", f"standard input holds more than {STDIN_LIMIT} bytes; give the file by name")
    return data
