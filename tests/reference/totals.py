"""What the answer of a rule counts, as plain numbers by name."""

from __future__ import annotations

from typing import Any

from nncomplexity.accounting import count
from nncomplexity.operators.rule import Result
from nncomplexity.ops import LINEAR_ROLES, PRODUCTS, Kind

__all__ = ["counted", "totals"]

NAMES = {Kind.MULTIPLY: "rm", Kind.ADD: "add", Kind.SUBTRACT: "add", Kind.COMPARE: "cmp"}


def counted(result: Result) -> dict[str, Any]:
    """Products, MACs, additions, comparisons and evaluations by function, in the `paper` convention."""
    found: dict[str, Any] = {}
    assert result.work is not None
    for op, times in count(result.work):
        linear = op.kind is Kind.MULTIPLY and op.role in LINEAR_ROLES
        for name in (NAMES.get(op.kind, op.function), *(("mac",) if linear else ())):
            found[name] = found.get(name, 0) + times
    return found


def totals(result: Result, convention: str = "paper") -> dict[str, Any]:
    """Products, MACs, additions, comparisons and evaluations, those that do not occur as 0."""
    assert result.work is not None
    found = count(result.work, convention)
    return {
        "rm": found.total(lambda op: 1 if op.kind in PRODUCTS else 0),
        "mac": found.total(lambda op: 1 if op.kind in PRODUCTS and op.role in LINEAR_ROLES else 0),
        "add": found.total(lambda op: 1 if op.kind in (Kind.ADD, Kind.SUBTRACT) else 0),
        "cmp": found.total(lambda op: 1 if op.kind is Kind.COMPARE else 0),
        "act": found.total(lambda op: 1 if op.kind is Kind.LOOKUP else 0),
    }
