"""The JSON hub format: one object for one report, a list for several."""

from __future__ import annotations

from collections.abc import Sequence

from ..report import Report
from .view import View

__all__ = ["render"]


def render(reports: Sequence[Report], view: View) -> str:
    """Strict ASCII JSON with exact integers; of the view it takes only whether several reports were asked for."""
    texts = [report.to_json() for report in reports]
    alone = len(texts) == 1 and not view.listed
    return (texts[0] if alone else "[\n" + ",\n".join(texts) + "\n]") + "\n"
