"""The JSON hub format: one object for one report, a list for several."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..report import Report
from .view import View

__all__ = ["render"]


def render(reports: Sequence[Report], view: View) -> str:
    """Strict ASCII JSON with exact integers; of the view it takes only whether several reports were asked for."""
    documents = [report.to_dict() for report in reports]
    alone = len(documents) == 1 and not view.listed
    return json.dumps(documents[0] if alone else documents, indent=2, allow_nan=False) + "\n"
