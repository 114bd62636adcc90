"""Which operator versions a graph speaks, and whether the rules know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..errors import quoted
from ..operators import KNOWN_VERSIONS, OLDEST
from .attributes import text

if TYPE_CHECKING:
    from onnx import OperatorSetIdProto

__all__ = ["opset_contradictions", "opsets_of", "version_problem"]


def opsets_of(imports: Iterable[OperatorSetIdProto]) -> dict[str, int]:
    """Versions by domain, the default domain under its empty name."""
    return {_domain(entry): entry.version for entry in imports}


def opset_contradictions(imports: Iterable[OperatorSetIdProto]) -> list[str]:
    """Domains imported in two versions; the last one is believed."""
    found: dict[str, int] = {}
    contradictions: list[str] = []
    for entry in imports:
        domain = _domain(entry)
        if found.setdefault(domain, entry.version) != entry.version:
            shown = quoted(domain or "ai.onnx")
            contradictions.append(f"operator set {shown} is imported in versions {found[domain]} and {entry.version}")
    return contradictions


def _domain(entry: OperatorSetIdProto) -> str:
    domain = text(entry.domain)
    return "" if domain == "ai.onnx" else domain


def version_problem(domain: str, op: str, opsets: Mapping[str, int]) -> str | None:
    """Why an operator's definition is not one the rules were written against, None if it is.

    Below version 7 broadcasting meant something else. Above the newest known version an operator may have changed:
    the installed onnx package is asked, and what it does not know is not guessed.
    """
    if domain not in KNOWN_VERSIONS:
        return None
    version = opsets.get(domain)
    shown = quoted(domain or "ai.onnx")
    if version is None:
        return f"the model does not import the operator set {shown}"
    if domain == "" and version < OLDEST:
        return f"{shown} version {version} is older than {OLDEST}, the oldest one known here"
    newest = KNOWN_VERSIONS[domain]
    if version <= newest or _unchanged_since(domain, op, version, newest):
        return None
    return f"{shown} version {version} is newer than {newest}, the newest one known here"


def _unchanged_since(domain: str, op: str, version: int, newest: int) -> bool:
    from onnx import defs

    if version > defs.onnx_opset_version() or domain:
        return False
    try:
        return bool(defs.get_schema(op, version, domain).since_version <= newest)
    except defs.SchemaError:
        return False
