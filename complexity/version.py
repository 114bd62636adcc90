"""The tool's version, and the version of its formulas: a count that changes meaning raises the second."""

from __future__ import annotations

__all__ = ["FORMULAS", "VERSION"]

VERSION = "0.1.0"
FORMULAS = 1
