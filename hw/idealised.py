"""Where a published form charges other additions than there are in a circuit: shown as figures, never absorbed."""

from __future__ import annotations

from collections import Counter

from nncomplexity.accounting import Countable, count
from nncomplexity.ops import Kind, Role

__all__ = ["idealised"]


def idealised(layer: Countable) -> tuple[str, ...]:
    """By role, the additions as published and those between real multipliers, where they are not as many."""
    published, real = (_additions(layer, counter) for counter in ("paper", "exact"))
    return tuple(
        f"{role.value} additions: {published[role]} as published, {real[role]} in the circuit, where a sum of n terms "
        "has n - 1"
        for role in Role
        if published[role] != real[role]
    )


def _additions(layer: Countable, counter: str) -> Counter[Role]:
    found: Counter[Role] = Counter()
    for op, times in count(layer, counter):
        if op.kind in (Kind.ADD, Kind.SUBTRACT) and isinstance(times, int):
            found[op.role] += times
    return found
