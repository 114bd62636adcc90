"""The terminal table: the only format with separators in its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from ..errors import quoted
from ..expressions import factored
from ..layers.layer import Layer
from ..metrics import BY_KEY
from ..report import Report
from .view import View, grid, shown_number

__all__ = ["render"]

LETTERS = (
    "n_s steps, n_i inputs, n_h hidden units, n_n outputs, n_f filters, n_k kernel taps, O output positions, B batch, "
    "b_w b_i b_a bits of weight, input, activation, X_w adders per multiplication by a weight, clog2(n) = ceil(log2 n)"
)


def render(reports: Sequence[Report], view: View) -> str:
    """One table a model, its quantizations side by side, with coverage and notes below."""
    models: dict[int, list[Report]] = {}
    for report in reports:
        models.setdefault(_model(report, reports), []).append(report)
    return "\n".join(_one(group, view) for group in models.values())


def _model(report: Report, reports: Sequence[Report]) -> int:
    return next(index for index, other in enumerate(reports) if other.network.path == report.network.path)


def _one(reports: Sequence[Report], view: View) -> str:
    cells = grid(reports, view)
    body = [[shown_number(cell, view) for cell in row] for row in (*cells.rows, cells.total)]
    if reports[0].coverage.uncounted:
        # A total beside uncounted nodes is only a lower bound, and says so.
        body[-1][cells.labels :] = [cell if cell == "?" else f">= {cell}" for cell in body[-1][cells.labels :]]
    numbers = len(cells.columns) - cells.labels
    lines = tabulate(
        body,
        headers=[quoted(column) for column in cells.columns],
        colalign=("left",) * cells.labels + ("right",) * numbers,
        disable_numparse=True,
        tablefmt="simple",
    ).splitlines()
    # The total stands under a rule of its own.
    lines.insert(len(lines) - 1, lines[1])
    forms = ["", *_closed_forms(reports[0], view)] if view.symbolic else []
    text = "\n".join([_title(reports[0]), "", *lines, "", *notes(reports, cells.hidden), *forms]) + "\n"
    return text.encode("ascii", "replace").decode() if view.ascii else text


def _title(report: Report) -> str:
    network = report.network
    opset = network.opsets.get("ai.onnx")
    parts = [quoted(network.path, 120)]
    if opset is not None:
        parts.append(f"opset {opset}")
    parts.extend(f"{quoted(name, 40)}={size}" for name, size in network.dims.items())
    parts.append("no --quant: formats as in the file" if network.quantization in ("model", "none") else f"--quant {network.quantization}")
    parts.append(f"convention {report.convention}")
    return " | ".join(parts)


def _closed_forms(report: Report, view: View) -> list[str]:
    """The formulas of the catalogue's layers, then what the letters stand for."""
    lines: list[str] = []
    for entry in report.entries:
        if not isinstance(entry.row.work, Layer) or not entry.row.work.letters:
            continue
        lines.append(f"{quoted(entry.row.path)} ({quoted(entry.row.op)}):")
        for key in view.metrics:
            if BY_KEY[key].computed:
                lines.append(f"  {BY_KEY[key].heading} = {factored(entry.formula(key).size)}")
    return [*lines, LETTERS] if lines else ["no row is a layer of the catalogue with a closed form"]


def notes(reports: Sequence[Report], hidden: int) -> list[str]:
    """Coverage first, then what is not known, then how to bind free dims."""
    first = reports[0]
    coverage = first.coverage
    lines = [
        f"coverage: {coverage.counted + coverage.free} of {coverage.nodes} nodes "
        f"({coverage.counted} counted, {coverage.free} free, {coverage.uncounted} uncounted)"
    ]
    if hidden:
        lines.append(f"{hidden} more rows are in the total and not shown (--top)")
    if coverage.uncounted:
        lines.append("the totals leave the uncounted nodes out:")
        lines.extend(f"  {problem}" for problem in first.problems[:8])
        if len(first.problems) > 8:
            lines.append(f"  and {len(first.problems) - 8} more")
    for report in reports:
        if report.totals["nabs"] is None and not coverage.uncounted:
            lines.append("NABS is undefined (?) while an operand is floating point; give formats with --quant w8a8")
            break
    return lines
