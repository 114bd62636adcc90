"""The report formats: the index page. A renderer takes reports and gives text."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from ..errors import UsageError, did_you_mean, quoted
from ..report import Report
from .view import View

__all__ = ["FORMATS", "View", "render"]

FORMATS = ("table", "json", "csv", "markdown")


def render(format: str, reports: Sequence[Report], view: View | None = None) -> str:
    """Reports as text in a format. Raises UsageError E-FORMAT-NAME for one that does not exist."""
    if format not in FORMATS:
        raise UsageError("E-FORMAT-NAME", f"format '{quoted(format)}' is unknown; {did_you_mean(format, FORMATS)}")
    text: str = import_module(f".{format}", __name__).render(reports, view or View())
    return text
