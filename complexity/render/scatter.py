"""Points beside each other in panels, as an SVG file: the one door to matplotlib.

Everything is drawn in colours of middle lightness on nothing, so that it reads on light and dark pages alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Panel", "scatter"]

GREY = "#808080"
COLOURS = ("#1f8fd6", "#e0701a", "#2ca05a")
MARKERS = ("o", "^", "s")
# Text stays text; the same points give the same names inside the file.
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "nncomplexity", "font.size": 9, "axes.linewidth": 0.7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """points: of each family, (x, y). line: slope of a line through the origin. remark: in its legend."""

    x_label: str
    points: Mapping[str, Sequence[tuple[float, float]]]
    line: float
    remark: str


def scatter(panels: Sequence[Panel], y_label: str) -> str:
    """The text of an SVG file, the same for the same points. Raises UsageError E-PLOT where matplotlib is missing."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("E-PLOT", "a plot needs matplotlib: pip install nncomplexity[plot]") from None
    coloured = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    settings: dict[Any, Any] = {**SETTINGS, **dict.fromkeys(coloured, GREY)}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(4 * len(panels), 3.6), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for panel, axes in zip(panels, row, strict=True):
            _draw(axes, panel)
        row[0].set_ylabel(y_label)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _draw(axes: Axes, panel: Panel) -> None:
    for (family, points), colour, marker in zip(panel.points.items(), COLOURS, MARKERS, strict=False):
        xs, ys = [x for x, _ in points], [y for _, y in points]
        axes.scatter(xs, ys, s=14, color=colour, marker=marker, alpha=0.75, linewidths=0, label=family)
    known = [point for points in panel.points.values() for point in points]
    # As far as there are points beside it.
    end = min(max((x for x, _ in known), default=0), max((y for _, y in known), default=0) / (panel.line or 1))
    axes.plot([0, end], [0, panel.line * end], color=GREY, linewidth=0.8, label=panel.remark)
    axes.set_xlabel(panel.x_label)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
