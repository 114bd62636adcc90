"""Kernels with the same text are one design: the last few that were elaborated are kept."""

from __future__ import annotations

import hashlib

from .elaborate import Design, elaborate

__all__ = ["Elaborations"]

# A design of ten thousand multipliers takes some hundred megabytes.
KEPT = 2


class Elaborations:
    """Elaborates texts, and gives the design it has where the text is one of the last few."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], Design] = {}

    def __call__(self, text: str, top: str) -> Design:
        """The design of a module. Raises: as `elaborate`."""
        key = top, hashlib.sha256(text.encode()).digest()
        found = self._known.pop(key, None) or elaborate(text, top)
        self._known[key] = found
        for oldest in list(self._known)[:-KEPT]:
            del self._known[oldest]
        return found
