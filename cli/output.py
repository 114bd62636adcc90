"""Where formats go: stdout, or a file that is complete or not there."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nncomplexity.errors import UsageError, quoted
from nncomplexity.render import FORMATS

__all__ = ["Output", "parse_output", "write_outputs"]

NOT_WRITTEN = 4


@dataclass(frozen=True, slots=True)
class Output:
    """A format and the file it goes to, None for stdout."""

    format: str
    file: str | None


def parse_output(text: str) -> Output:
    """`FORMAT` or `FORMAT:FILE`."""
    format, sign, file = text.partition(":")
    if format not in FORMATS:
        raise UsageError("E-FORMAT-NAME", f"format '{quoted(format)}' is unknown; there are {', '.join(FORMATS)}")
    if sign and not file:
        raise UsageError("E-FORMAT-FILE", f"-f '{quoted(text)}' names no file after the colon")
    return Output(format, file or None)


def write_outputs(outputs: Sequence[Output], rendered: Callable[[str], str]) -> int:
    """Write every format; the exit code is 4 if one could not be written."""
    code = 0
    for output in outputs:
        text = rendered(output.format)
        if output.file is None:
            sys.stdout.write(text)
            continue
        try:
            write_whole(output.file, text)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            print(f"nncomplexity: error: {quoted(output.file)}: cannot be written: {quoted(reason)} [E-OUTPUT]", file=sys.stderr)
            code = NOT_WRITTEN
    return code


def write_whole(file: str, text: str) -> None:
    """Write under a temporary name in the same folder, flush, rename: a link at the target is replaced, not followed."""
    if os.path.exists(file) and not os.path.isfile(file):
        raise OSError(0, "not a regular file")
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(file) or ".", prefix=".nncomplexity-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
