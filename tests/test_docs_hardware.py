"""docs/hardware.md shows what is emitted: its Verilog, its counts, its tables are those of the layer it names."""

from __future__ import annotations

import re
from pathlib import Path

import nncomplexity as nc
from nncomplexity.catalogue import SUFFIXES
from nncomplexity.hw.building import build
from nncomplexity.hw.verilog import emit
from nncomplexity.parsers.spec import read_spec
from nncomplexity.quantization import parse_quantization

PAGE = (Path(__file__).parent.parent / "docs" / "hardware.md").read_text("utf-8")


def test_the_worked_step(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    spec = tmp_path / f"step{SUFFIXES[0]}"
    spec.write_text(text)
    (part,) = read_spec(str(spec)).parts(parse_quantization("model"))
    kernel = build(part.layer, "mac")
    emitted = emit(kernel.graph).splitlines()
    shown = [line for block in re.findall(r"```verilog\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(shown) > 10 and set(shown) <= set(emitted)
    assert f"That is {sum(kernel.graph.inventory().values())} operations, 41 times." in PAGE
    assert f"are the RM of the layer, {nc.analyze(str(spec)).totals.rm} in all." in PAGE
