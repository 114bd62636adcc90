"""Results of long runs, kept in the user's cache directory under the digest of all they depend on."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

__all__ = ["Cache", "cache_folder", "digest"]

SCHEMA = "nncomplexity.cache/1"


def cache_folder() -> Path:
    """Where results are kept: XDG_CACHE_HOME if it is an absolute path, else the platform's own place."""
    said = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(said):
        return Path(said) / "nncomplexity"
    if sys.platform == "win32" and os.path.isabs(local := os.environ.get("LOCALAPPDATA", "")):
        return Path(local) / "nncomplexity" / "cache"
    home = Path(os.path.expanduser("~"))
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "nncomplexity"


def digest(*parts: str) -> str:
    """SHA-256 of texts; where one ends and the next begins matters."""
    return sha256(json.dumps(parts).encode()).hexdigest()


class Cache:
    """Plain data by key, a file each, written whole or not at all.

    An entry that cannot be read, or is not the one that was written, is none: it is made anew. A folder that cannot be
    written keeps nothing, which is no error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> dict[str, object] | None:
        """What was put under a key."""
        try:
            found = json.loads((self.folder / f"{key}.json").read_text("utf-8"))
            value = found["value"]
            whole = found["schema"] == SCHEMA and found["key"] == key and found["sha256"] == _checked(value)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return value if whole and isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, object]) -> None:
        """Keep a value."""
        text = json.dumps({"schema": SCHEMA, "key": key, "sha256": _checked(value), "value": value})
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".entry-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                os.replace(temporary, self.folder / f"{key}.json")
            except BaseException:
                os.unlink(temporary)
                raise


def _checked(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
