"""Where a report goes: files that are complete or not there, pipes, plain terminals; and what the command imports."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from nncomplexity.cli import output

Save = Callable[..., str]
Run = Callable[..., Any]
COMMAND = [sys.executable, "-m", "nncomplexity"]


@pytest.fixture
def path(dense: onnx.ModelProto, save: Save) -> str:
    return save(dense)


def shell(*arguments: str, data: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own."""
    return subprocess.run([*COMMAND, *arguments], input=data, capture_output=True, env={**os.environ, **environment})


def test_every_format_goes_where_it_is_sent(path: str, tmp_path: Path, run: Run) -> None:
    files = {format: tmp_path / f"out.{format}" for format in ("json", "csv", "markdown", "table")}
    wanted = [word for format, file in files.items() for word in ("-f", f"{format}:{file}")]
    ran = run("report", path, "-q", *wanted)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    for format, file in files.items():
        assert file.read_bytes().decode() == run("report", path, "-q", "-f", format).out
    both = run("report", path, "-q", "-f", "csv", "-f", f"json:{files['json']}")
    assert both.out.startswith("layer,op,output,Params")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(files["json"].stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("target", ["missing/out.json", "folder", "pipe"])
def test_an_unwritable_target_leaves_nothing_and_is_exit_4(target: str, path: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    ran = run("report", path, "-q", "-f", f"json:{target}", "-f", "table")
    reason = "No such file or directory" if target.startswith("missing") else "it is not a regular file"
    message = f"nncomplexity: error: {target}: cannot be written: {reason} [E-OUTPUT]\n"
    assert (ran.code, ran.out, ran.err) == (4, "", message)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_at_the_target_is_replaced_and_not_followed(path: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "precious").write_text("untouched")
    (tmp_path / "out.json").symlink_to("precious")
    assert run("report", path, "-q", "-f", "json:out.json").code == 0
    assert (tmp_path / "precious").read_text() == "untouched"
    assert not (tmp_path / "out.json").is_symlink()
    json.loads((tmp_path / "out.json").read_text())


def test_an_interrupted_file_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    target = tmp_path / "out.csv"
    target.write_text("before")
    monkeypatch.setattr(output.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        output.write_whole(str(target), "after")
    assert target.read_text() == "before" and list(tmp_path.iterdir()) == [target]


def test_a_model_on_standard_input(dense: onnx.ModelProto, path: str) -> None:
    data = dense.SerializeToString()
    found = shell("report", "-", "-f", "json", "-q", data=data)
    report = json.loads(found.stdout)
    assert found.returncode == 0 and report["model"]["path"] == "-"
    assert report["totals"] == json.loads(shell("report", path, "-f", "json", "-q").stdout)["totals"]
    several = json.loads(shell("report", "-", "--quant", "w8a8", "--quant", "w4a8", "-f", "json", data=data).stdout)
    assert [each["quantization"] for each in several] == ["w8a8", "w4a8"]
    assert {each["model"]["path"] for each in several} == {"-"}
    assert shell("report", "-", data=data).stdout.startswith(b"standard input | opset 17")
    for quants in ((), ("--quant", "w8a8", "--quant", "w4a8")):
        empty = shell("report", "-", *quants)
        message = b"nncomplexity: error: standard input: the file is empty (0 bytes) [E-FILE-EMPTY]\n"
        assert (empty.returncode, empty.stdout, empty.stderr) == (3, b"", message)


def test_a_reader_that_goes_away_is_no_error(path: str) -> None:
    with subprocess.Popen([*COMMAND, "report", path, "-q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_exit_4(path: str) -> None:
    with open("/dev/full", "wb") as full:
        found = subprocess.run([*COMMAND, "report", path, "-q"], stdout=full, stderr=subprocess.PIPE)
    message = b"nncomplexity: error: standard output: cannot be written: No space left on device [E-OUTPUT]\n"
    assert (found.returncode, found.stderr) == (4, message)


@pytest.mark.parametrize("format", ["table", "csv", "markdown", "json"])
def test_a_plain_output_gets_ascii(format: str, dense: onnx.ModelProto, save: Save) -> None:
    dense.graph.node[0].name = "größe…"
    found = shell("report", save(dense), "-f", format, "-q", PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert found.returncode == 0 and found.stderr == b"" and found.stdout.isascii()
    assert b"gr" in found.stdout and b"\x1b" not in found.stdout


HEAVY = {"onnx", "numpy", "sympy", "tabulate", "pandas", "torch"}
PROBE = "import sys; from nncomplexity.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--version",), set()),
        (("report", "{}", "-f", "json", "-q", "--dim", "batch=2", "--quant", "w8a8"), set()),
        (("report", "{}", "-f", "csv", "-q", "--dim", "batch=2", "--quant", "w8a8"), set()),
        (("report", "{}", "-q"), {"tabulate"}),
    ],
    ids=["version", "json", "csv", "table of a free model"],
)
def test_nothing_heavy_is_imported_to_count(arguments: tuple[str, ...], allowed: set[str], path: str) -> None:
    words = [word.format(path) for word in arguments]
    found = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True)
    assert found.returncode == 0 and found.stdout
    assert HEAVY & set(found.stderr.split()) == allowed
