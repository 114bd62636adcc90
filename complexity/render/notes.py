"""What stands above and below a table: the model and how it was counted, coverage, what is not known, assumptions."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from ..errors import quoted
from ..expressions import factored
from ..layers.layer import Layer
from ..letters import LETTERS
from ..metrics import BY_KEY
from ..network import Status
from ..report import Report
from .view import View

__all__ = ["bound", "closed_forms", "notes", "title"]

WIDTH = 118
SHOWN = 8


def title(reports: Sequence[Report]) -> str:
    """The model, its opset and bound dims, the formats, the convention."""
    network = reports[0].network
    parts = ["standard input" if network.path == "-" else quoted(network.path, 100)]
    if (opset := network.opsets.get("ai.onnx")) is not None:
        parts.append(f"opset {opset}")
    dims = [f"{quoted(name, 40)}={size}" for name, size in network.dims.items()]
    parts.extend([" ".join(dims)] if dims else [])
    quants = list(dict.fromkeys(report.network.quantization for report in reports))
    if all(quant in ("model", "none") for quant in quants):
        parts.append("formats as in the file")
    else:
        parts.append(f"--quant {', '.join(quoted(quant, 40) for quant in quants)}")
    parts.append(f"convention {reports[0].convention}")
    return " | ".join(parts)


def notes(reports: Sequence[Report]) -> list[str]:
    """Coverage first, then what is not known, then what was taken for granted; a line that goes on is indented."""
    first = reports[0]
    coverage = first.coverage
    lines = [
        f"coverage: {coverage.counted + coverage.free} of {coverage.nodes} nodes "
        f"({coverage.counted} counted, {coverage.free} free, {coverage.uncounted} uncounted)"
    ]
    if coverage.uncounted:
        lines.append("a total with >= leaves the uncounted nodes out:")
        missing = [
            f"  {quoted(entry.row.path)} ({quoted(entry.row.op, 40)}): {quoted(entry.row.reason, 120)}"
            for entry in first.entries
            if entry.status is Status.UNCOUNTED
        ]
        lines.extend(missing[:SHOWN])
        lines.extend([f"  and {len(missing) - SHOWN} more"] if len(missing) > SHOWN else [])
    if _float_nabs(reports):
        lines.append("NABS is undefined (?) while an operand is floating point; give formats with --quant w8a8")
    everything = dict.fromkeys(line for report in reports for line in report.assumptions)
    # The line above the table names the quantizations where they are several.
    said = [line for line in everything if len(reports) == 1 or not line.startswith("--quant")]
    return [*lines, f"assumed: {'; '.join(quoted(line, 160) for line in said)}"]


def _float_nabs(reports: Iterable[Report]) -> bool:
    # The published bound is undefined for the same operands, and no weights are read for it.
    return any(
        entry.metrics["nabs_bound"] is None and entry.status is not Status.UNCOUNTED
        for report in reports
        for entry in report.entries
    )


def bound(cell: str, uncounted: int) -> str:
    """A total as text; beside uncounted nodes it is only a lower bound, and says so."""
    return f">= {cell}" if uncounted and cell != "?" else cell


def closed_forms(report: Report, view: View) -> list[str]:
    """The formulas of the catalogue's layers, layers of one form together, then what the letters stand for."""
    forms: dict[tuple[str, ...], list[str]] = {}
    for entry in report.entries:
        if not isinstance(entry.row.work, Layer) or not entry.row.work.letters:
            continue
        computed = [BY_KEY[key] for key in view.metrics if BY_KEY[key].computed]
        text = tuple(f"  {metric.heading} = {factored(entry.formula(metric.key).size)}" for metric in computed)
        forms.setdefault(text, []).append(f"{quoted(entry.row.path)} ({quoted(entry.row.op)})")
    if not forms:
        return ["no row is a layer of the catalogue with a closed form"]
    lines = [line for text, rows in forms.items() for line in (*_wrapped(", ".join(rows) + ":"), *text)]
    printed = " ".join(line for text in forms for line in text)
    known = {**_own_letters(report), **LETTERS}
    words = {*re.findall(r"\w+", printed)}
    used = [f"{letter} {known[letter]}" for letter in {**LETTERS, **known} if letter.removesuffix("(n)") in words]
    return [*lines, "", *_wrapped(f"letters: {', '.join(used)}")]


def _own_letters(report: Report) -> dict[str, str]:
    """What the layers themselves call the letters that not every layer has."""
    layers = [entry.row.work for entry in report.entries if isinstance(entry.row.work, Layer)]
    return {letter: name.replace("_", " ") for layer in layers for name, letter in layer.letters.items()}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
