"""The README says what the tool does: its report is pasted from a run, its metric table from the metrics."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from nncomplexity.cli.main import main
from nncomplexity.metrics import METRICS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^nncomplexity (report model\.onnx[^#\n]*)", README, re.MULTILINE)


def test_the_report_is_the_one_a_user_gets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["report", "examples/equaliser.onnx", "--quant", "w8a8"]) == 0
    assert f"```text\n{capsys.readouterr().out}```" in README


def test_the_metric_table_holds_every_metric_with_its_definition() -> None:
    for metric in METRICS:
        assert f"| `{metric.key}` | {metric.heading} | {metric.meaning} |" in README


def test_the_numbers_of_the_rows_sum_to_the_total() -> None:
    table = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert table is not None
    rows = [
        re.findall(r"\d[\d,]*(?= |$)", line)[-6:] for line in table[1].splitlines() if re.match(r"\w+[/ ].*\d", line)
    ]
    numbers = [[int(cell.replace(",", "")) for cell in row] for row in rows if len(row) == 6]
    *layers, total = [row for row in numbers if len(row) == 6]
    assert [sum(column) for column in zip(*layers, strict=True)] == total


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_commands_are_understood(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = shlex.split(command)
    words[1] = str(tmp_path / "missing.onnx")
    # The file is not there, so a command that is understood is refused with exit code 3 and nothing else.
    assert main(words) == 3
    assert "[E-FILE-MISSING]" in capsys.readouterr().err
