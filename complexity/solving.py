"""The size that a cost allows: the largest that fits a budget, the one nearest to a cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from .catalogue import network_of
from .errors import UsageError, quoted
from .metrics import Metric
from .parsers.quantization_file import read_quantization
from .report import check_convention, metric_of
from .sweeps import Factory, measure

__all__ = ["Match", "equal", "solve"]

LARGEST = 1 << 40
Fits = Callable[[int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The size whose cost is nearest to a target. ratio: cost / target, exact. Usable where an int is."""

    size: int
    metric: str
    cost: int
    target: int

    @property
    def ratio(self) -> Fraction:
        """cost / target."""
        return Fraction(self.cost, self.target)

    def __index__(self) -> int:
        return self.size

    __int__ = __index__


def solve(factory: Factory, *, at_most: Mapping[str, int], quant: str = "model", convention: str = "paper") -> int:
    """The largest integer size whose network costs at most so much in every metric named.

    Costs must not fall as the size grows. Raises UsageError where size 1 is too dear already (E-SOLVE-NONE), where no
    size is (E-SOLVE-ENDLESS), where a metric has no value (E-SOLVE-NULL).
    """
    limits = {key: _limit(key, value) for key, value in at_most.items()}
    if not limits:
        raise UsageError("E-SOLVE-LIMIT", "at_most names no metric, expected one such as {'rm': 180_320}")
    costs = _costs(factory, quant, convention, [metric_of(key) for key in limits])
    if over := [key for key, value in costs(1).items() if value > limits[key]]:
        key = over[0]
        raise UsageError("E-SOLVE-NONE", f"size 1 costs {costs(1)[key]} {key}, more than {limits[key]}")
    return _last(lambda size: all(value <= limits[key] for key, value in costs(size).items()))


def equal(factory: Factory, target: Mapping[str, int], *, quant: str = "model", convention: str = "paper") -> Match:
    """The integer size whose cost is nearest to a target, the smaller of two as near; its ratio is exact.

    Costs must not fall as the size grows. Raises UsageError as `solve` does.
    """
    if len(target) != 1:
        raise UsageError("E-SOLVE-LIMIT", f"a target has one metric, found {len(target)}")
    ((key, given),) = target.items()
    wanted = _limit(key, given)
    costs = _costs(factory, quant, convention, [metric_of(key)])
    below = _last(lambda size: costs(size)[key] <= wanted) if costs(1)[key] <= wanted else 1
    near = min((below, below + 1), key=lambda size: (abs(costs(size)[key] - wanted), size))
    return Match(size=_smallest(near, lambda size: costs(size)[key]), metric=key, cost=costs(near)[key], target=wanted)


def _smallest(size: int, cost: Callable[[int], int]) -> int:
    """The first size that costs as much: plateaus are ties too."""
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle) == cost(size) else (middle, high)
    return high


def _last(fits: Fits) -> int:
    """The last size that fits, the first being known to: doubling, then bisection."""
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
        if high > LARGEST:
            raise UsageError("E-SOLVE-ENDLESS", f"sizes up to {low} fit: the cost does not grow with the size")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _costs(factory: Factory, quant: str, convention: str, metrics: list[Metric]) -> Callable[[int], dict[str, int]]:
    check_convention(convention)
    quantization = read_quantization(quant)
    known: dict[int, dict[str, int]] = {}

    def costs(size: int) -> dict[str, int]:
        if size not in known:
            found = measure(network_of(factory(size)), metrics, quantization, convention)
            known[size] = {key: _whole(key, value) for key, value in found.items()}
        return known[size]

    return costs


def _whole(key: str, value: object) -> int:
    if isinstance(value, int):
        return value
    why = "is undefined for these formats; give quant" if value is None else f"is {quoted(value)}, a size is open"
    raise UsageError("E-SOLVE-NULL", f"{key} {why}")


def _limit(key: str, value: object) -> int:
    metric_of(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError("E-SOLVE-LIMIT", f"{quoted(key)} is {quoted(value)}, expected an integer of at least 1")
    return value
