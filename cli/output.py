"""Where formats go: stdout, or a file that is complete or not there."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nncomplexity.errors import OutputError, UsageError, did_you_mean, quoted
from nncomplexity.render import FORMATS

from .notices import print_error

__all__ = ["Output", "parse_output", "stdout_encodes", "write_outputs"]

NOT_WRITTEN = OutputError.exit_code


@dataclass(frozen=True, slots=True)
class Output:
    """A format and the file it goes to, None for stdout."""

    format: str
    file: str | None


def parse_output(text: str, formats: Sequence[str] = FORMATS) -> Output:
    """`FORMAT` or `FORMAT:FILE`."""
    format, sign, file = text.partition(":")
    if format not in formats:
        raise UsageError("E-FORMAT-NAME", f"format '{quoted(format)}' is unknown; {did_you_mean(format, formats)}")
    if sign and not file:
        raise UsageError("E-FORMAT-FILE", f"-f '{quoted(text)}' names no file after the colon")
    return Output(format, file or None)


def write_outputs(outputs: Sequence[Output], rendered: Callable[[str], str]) -> int:
    """Write every format; the exit code is 4 if one could not be written, and then nothing goes to stdout."""
    texts = {format: rendered(format) for format in dict.fromkeys(output.format for output in outputs)}
    code = 0
    for output in outputs:
        if output.file is None:
            continue
        try:
            write_whole(output.file, texts[output.format])
        except (OSError, ValueError) as error:
            print_error(_not_written(quoted(output.file), error))
            code = NOT_WRITTEN
    for output in outputs:
        if output.file is None and not code:
            code = _write_stdout(texts[output.format])
    return code


def _write_stdout(text: str) -> int:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        print_error(_not_written("standard output", error))
        return NOT_WRITTEN
    return 0


def _not_written(place: str, error: OSError | ValueError) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    failure = OutputError("E-OUTPUT", f"cannot be written: {quoted(reason)}")
    failure.at(place)
    return failure


def stdout_encodes(text: str) -> bool:
    """Whether stdout can show a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write_whole(file: str, text: str) -> None:
    """Write under a temporary name in the same folder, flush, rename; a link at the target is not followed."""
    if os.path.exists(file) and not os.path.isfile(file):
        raise OSError(0, "it is not a regular file")
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
