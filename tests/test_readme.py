"""The README says what the tool does: its report is pasted from a run, its metric table from the metrics."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import nncomplexity as nc
import pytest
from nncomplexity.cli.main import main
from nncomplexity.metrics import METRICS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
WITHOUT = README.partition("## Without a model\n")[2].partition("\n## ")[0]
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


@pytest.mark.parametrize("command", re.findall(r"^nncomplexity ([^#\n]*)", WITHOUT, re.MULTILINE))
def test_the_commands_without_a_model_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(command)) == 0
    found = capsys.readouterr()
    assert found.out and not found.err


def test_the_lines_without_a_model_give_the_numbers_beside_them() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", WITHOUT, re.DOTALL)
    names: dict[str, object] = {"nc": nc}
    exec(code, names)
    told = re.findall(r"^(\S.*?)  # ([\d,]+)", code, re.MULTILINE)
    assert [eval(line, names) for line, _ in told] == [int(number.replace(",", "")) for _, number in told]
    assert len(told) == 4
    records = names["records"]
    assert isinstance(records, list) and len(records) == 2 * len(range(8, 129, 8))


def test_the_difference_in_the_comment_is_the_match_s() -> None:
    names: dict[str, object] = {"nc": nc}
    exec(re.findall(r"```python\n(.*?)```", WITHOUT, re.DOTALL)[0], names)
    match = eval('nc.equal(equaliser, {"rm": 180_320})', names)
    assert f"here {match.cost - match.target:,} above" in WITHOUT
