"""The manual: generated pages are fresh, every layer and metric has one, links lead somewhere, its code runs."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import nncomplexity as nc
import pytest
from nncomplexity.cli.main import main
from nncomplexity.kinds import fields_of
from nncomplexity.layers import LAYERS, layer_class
from nncomplexity.metrics import METRICS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WRITTEN = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]


def generator() -> ModuleType:
    spec = spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, str] = generator().pages()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_generator_makes(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name], "run python docs/generate.py"


def test_no_page_is_left_of_a_layer_that_is_gone() -> None:
    assert {f"layers/{path.name}" for path in (DOCS / "layers").iterdir()} == set(PAGES) - {"metrics.md"}


def test_every_layer_has_a_page_and_a_line_in_the_index() -> None:
    for kind in LAYERS:
        name = layer_class(kind).__name__
        assert PAGES[f"layers/{kind}.md"].startswith(f"# {name}\n\nKind `{kind}`, in Python `nc.{name}`.\n")
        assert f"\n| [{kind}]({kind}.md) | `nc.{name}` | " in PAGES["layers/index.md"]


@pytest.mark.parametrize("kind", LAYERS)
def test_a_page_holds_its_sections_and_every_field(kind: str) -> None:
    page = PAGES[f"layers/{kind}.md"]
    for heading in ("Equation", "Shapes", "Counting", "Source", "Fields", "Closed forms"):
        assert f"\n## {heading}\n\n" in page
    for name in fields_of(kind):
        assert re.search(rf"^\| `{name}` \|.*\| [^|]+ \|$", page, re.MULTILINE)


def test_the_forms_of_a_page_are_those_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    for format, language in (("text", "text"), ("latex", "math")):
        assert main(["formula", "lstm", "--metric", "rm,bop,nabs,flops", "-f", format]) == 0
        printed = capsys.readouterr().out.split("\n\n")[0].splitlines()
        found = blocks(PAGES["layers/lstm.md"], language)
        assert [line for block in found for line in block.splitlines()][-4:] == printed


def test_every_metric_has_a_section_with_its_key_unit_and_meaning() -> None:
    sections = re.split(r"^## ", PAGES["metrics.md"], flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections] == [metric.heading for metric in METRICS]
    for metric, section in zip(METRICS, sections, strict=True):
        assert f"- Key: `{metric.key}`\n- Unit: {metric.unit}\n" in section
        assert f"- Meaning: {metric.meaning}\n" in section.replace("\\*", "*")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_lead_to_files(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text("utf-8")))
    local = [target.partition("#")[0] for target in targets if "://" not in target]
    missing = [target for target in local if target and not (path.parent / target).exists()]
    assert missing == []


def test_the_list_of_pages_names_every_page() -> None:
    listed = set(re.findall(r"\]\(([^)]+)\)", (DOCS / "index.md").read_text("utf-8")))
    assert listed >= {path.name for path in DOCS.glob("*.md")} - {"index.md"}


def test_the_specification_of_the_index_is_read() -> None:
    (text,) = blocks(PAGES["layers/index.md"], "toml")
    report = nc.analyze(tomllib.loads(text))
    # Two directions of 41 steps of 35 units: 4*(4 + 35) + 3 products each; then 70*2.
    assert report.totals.rm == 2 * 41 * 35 * (4 * (4 + 35) + 3) + 70 * 2


def test_the_new_layer_of_the_manual_counts_what_its_equations_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = blocks((DOCS / "adding-a-layer.md").read_text("utf-8"), "python")
    name = "nncomplexity.layers.mgu"
    module = ModuleType(name)
    module.__package__ = "nncomplexity.layers"
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(code, "mgu.py", "exec"), module.__dict__)
    ((kind, place),) = re.findall(r'"(\w+)": "([\w:]+)",', line)
    monkeypatch.setitem(LAYERS, kind, place)
    report = nc.analyze(layer_class("mgu")(steps=3, inputs=5, hidden=7), quant="w8a8")  # type: ignore[call-arg]
    # Per unit: two gates of inputs + hidden products and three Hadamard products; the additions of two gates (one less
    # than terms in each of two dot products, the join, the bias), 1 - f and the state.
    assert report.totals.rm == 3 * 7 * (2 * (5 + 7) + 3)
    assert report.totals.add == 3 * 7 * (2 * (4 + 6 + 1 + 1) + 2)
    assert report.totals.act == 3 * 7 * 2
    # Bits: products of 8 by 8; sums of 5 products in 19 bits, everything else in the 19 bits of 7 products.
    assert report.totals.bop == 64 * report.totals.rm + 19 * report.totals.add
    assert main(["formula", "mgu", "--metric", "rm"]) == 0
    assert capsys.readouterr().out.startswith("RM = n_h*n_s*(2*n_h + 2*n_i + 3)\n")
    assert generator().pages()["layers/mgu.md"].startswith("# MGU\n\nKind `mgu`, in Python `nc.MGU`.\n")
    assert main(["sweep", "mgu", "-P", "steps=16", "-P", "inputs=4", "-P", "hidden=8:64:8", "-Q", "w8a8"]) == 0
