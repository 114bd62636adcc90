"""A bundle's directory: complete or not there, and nobody's files lost for it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nncomplexity.errors import OutputError, quoted

from .package import MANIFEST, SCHEMA

__all__ = ["write_directory"]

LARGEST = 1 << 24
HIDDEN = ".nncomplexity-"


def write_directory(directory: str | os.PathLike[str], files: Mapping[str, str]) -> Path:
    """Write the files under a temporary name beside the directory, then rename; give the directory.

    A directory of that name is replaced if it is empty or holds a bundle and nothing else.
    Raises: OutputError E-OUTPUT; nothing half-written stays, and what was there is there still.
    """
    try:
        target = Path(os.path.realpath(directory))
        _check(target)
        written = Path(tempfile.mkdtemp(dir=target.parent, prefix=HIDDEN))
        try:
            _fill(written, files)
            _exchange(written, target)
        except BaseException:
            shutil.rmtree(written, ignore_errors=True)
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        failure = OutputError("E-OUTPUT", f"cannot be written: {quoted(reason, 160)}")
        failure.at(quoted(os.fspath(directory)))
        raise failure from None
    return target


def _check(target: Path) -> None:
    """Refuse a directory that holds what no bundle has."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OSError(0, "it is no directory")
    found = sorted(each.name for each in target.iterdir())
    ours = _named(target / MANIFEST)
    foreign = [name for name in found if name not in ours]
    if foreign:
        fact = f"it holds '{quoted(foreign[0], 60)}', which is of no bundle; name a new directory or empty this one"
        raise OSError(0, fact)


def _named(manifest: Path) -> set[str]:
    """The files that a manifest says are its own, none if it is no manifest."""
    try:
        if not manifest.is_file() or manifest.stat().st_size > LARGEST:
            return set()
        found = json.loads(manifest.read_bytes())
    except (ValueError, RecursionError):
        return set()
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not isinstance(found.get("files"), dict):
        return set()
    return {MANIFEST, *found["files"]}


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        with open(folder / name, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(folder, 0o777 & ~mask)


def _exchange(written: Path, target: Path) -> None:
    """Put the new directory in place of the old one, or leave the old one where it is."""
    if not target.exists():
        os.rename(written, target)
        return
    old = written.with_name(f"{written.name}-old")
    os.rename(target, old)
    try:
        os.rename(written, target)
    except BaseException:
        os.rename(old, target)
        raise
    # What cannot be taken away is a bundle that was replaced.
    shutil.rmtree(old, ignore_errors=True)
