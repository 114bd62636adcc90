"""Sweeps over sizes, the largest size that fits, the size nearest to a cost."""

from __future__ import annotations

import re
import time
from fractions import Fraction
from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.sweeps import METRICS


def bigru(n: int) -> nc.Network:
    layers = [nc.GRU(steps=16, inputs=4, hidden=n, bidirectional=True), nc.Dense(inputs=2 * n, units=2, steps=16)]
    return nc.Network(layers)


def lstm(h: int) -> nc.LSTM:
    return nc.LSTM(steps=16, inputs=4, hidden=h)


def test_the_largest_bigru_that_fits() -> None:
    """2*16*40*(3*4 + 3*40 + 3) + 16*2*80 = 175,360 fits, hidden 41 costs 183,680."""
    assert nc.solve(bigru, at_most={"rm": 180_320}) == 40
    assert [nc.analyze(bigru(n)).totals.rm for n in (40, 41)] == [175_360, 183_680]
    assert [nc.solve(bigru, at_most={"rm": limit}) for limit in (175_359, 175_360, 183_679, 183_680)] == [
        39,
        40,
        40,
        41,
    ]


@pytest.mark.parametrize("metric", ["rm", "bop", "nabs", "params", "weight_bits", "peak_activation_bits"])
def test_the_answer_is_the_last_that_fits(metric: str) -> None:
    costs = {h: nc.analyze(lstm(h), quant="w8a8").totals[metric] for h in range(1, 66)}
    for limit in (costs[1], costs[7], costs[8] - 1, costs[33] + 1, costs[64]):  # type: ignore[operator]
        assert limit is not None
        fits = max(h for h, value in costs.items() if value <= limit)  # type: ignore[operator]
        assert nc.solve(lstm, at_most={metric: limit}, quant="w8a8") == fits  # type: ignore[dict-item]


def test_several_limits_hold_together() -> None:
    alone = [nc.solve(lstm, at_most=limit) for limit in ({"rm": 50_000}, {"params": 2_000})]
    assert nc.solve(lstm, at_most={"rm": 50_000, "params": 2_000}) == min(alone)


def test_huge_sizes_are_exact() -> None:
    n = 2**35 + 12345
    assert nc.solve(lambda n: nc.Dense(inputs=n, units=n), at_most={"rm": n * n}) == n
    assert nc.solve(lambda n: nc.Dense(inputs=n, units=n), at_most={"rm": n * n - 1}) == n - 1


@pytest.mark.parametrize(
    ("factory", "limits", "text"),
    [
        (lstm, {"rm": 10}, "size 1 costs 368 rm, more than 10 [E-SOLVE-NONE]"),
        (
            lambda n: nc.Dense(inputs=3, units=3),
            {"rm": 10},
            "fit: the cost does not grow with the size [E-SOLVE-ENDLESS]",
        ),
        (lstm, {"nabs": 10**6}, "nabs is undefined for these formats; give quant [E-SOLVE-NULL]"),
        (lstm, {"rmm": 10}, "metric 'rmm' is unknown; did you mean 'rm'? [E-METRIC]"),
        (lstm, {"rm": 0}, "rm is 0, expected an integer of at least 1 [E-SOLVE-LIMIT]"),
        (lstm, {"rm": 1.5}, "rm is 1.5, expected an integer of at least 1 [E-SOLVE-LIMIT]"),
        (lstm, {}, "at_most names no metric, expected one such as {'rm': 180_320} [E-SOLVE-LIMIT]"),
        (lambda n: nc.Dense(inputs=nc.symbols("m"), units=n), {"rm": 9}, "rm is m, a size is open [E-SOLVE-NULL]"),
    ],
)
def test_what_has_no_answer_says_why(factory: Any, limits: Any, text: str) -> None:
    with pytest.raises(nc.UsageError, match=f"{re.escape(text)}$"):
        nc.solve(factory, at_most=limits)


def test_the_nearest_size() -> None:
    """LSTM of hidden 4: 16*4*(16 + 16 + 3) = 2240; of 5: 16*5*(16 + 20 + 3) = 3120; halfway 2680."""
    found = {target: nc.equal(lstm, {"rm": target}).size for target in (1, 2240, 2679, 2680, 2681, 3120, 3121)}
    assert found == {1: 1, 2240: 4, 2679: 4, 2680: 4, 2681: 5, 3120: 5, 3121: 5}
    match = nc.equal(lstm, {"rm": 2680})
    assert (match.cost, match.target, match.ratio, int(match)) == (2240, 2680, Fraction(56, 67), 4)


def test_the_nearest_is_the_smaller_of_equal_costs() -> None:
    assert nc.equal(lambda n: nc.Dense(inputs=(n + 2) // 3, units=1), {"rm": 5}).size == 13
    assert nc.equal(lambda n: nc.Dense(inputs=2 * ((n + 2) // 3), units=1), {"rm": 5}).size == 4


def test_the_nearest_size_by_search() -> None:
    costs = {h: nc.analyze(lstm(h), quant="w8a8").totals.nabs for h in range(1, 40)}
    for target in (1000, 771_072, 1_000_000, 3_500_000):
        best = min(costs, key=lambda h: (abs(costs[h] - target), h))  # type: ignore[operator]
        assert nc.equal(lstm, {"nabs": target}, quant="w8a8").size == best
    with pytest.raises(nc.UsageError, match=r"^a target has one metric, found 2 \[E-SOLVE-LIMIT\]$"):
        nc.equal(lstm, {"rm": 1, "bop": 2})


def test_a_sweep_is_a_report_at_every_point() -> None:
    grids = {"h": range(8, 33, 8), "s": [1, 16]}
    records = nc.sweep(
        lambda h, s: nc.LSTM(steps=s, inputs=4, hidden=h),
        quant=["w8a8", "w:pot4,a8"],
        **grids,  # type: ignore[arg-type]
    )
    assert [(r["h"], r["s"], r["quant"]) for r in records] == [
        (h, s, quant) for h in grids["h"] for s in grids["s"] for quant in ("w8a8", "w:pot4,a8")
    ]
    for record in records:
        layer = nc.LSTM(steps=record["s"], inputs=4, hidden=record["h"])  # type: ignore[arg-type]
        totals = nc.analyze(layer, quant=str(record["quant"])).totals
        assert {key: record[key] for key in METRICS} == {key: totals[key] for key in METRICS}


def test_a_sweep_of_all_metrics_and_networks() -> None:
    from nncomplexity.metrics import BY_KEY

    for convention in ("paper", "exact"):
        (record,) = nc.sweep(bigru, n=[5], quant="w8a8", metrics=list(BY_KEY), convention=convention)
        totals = nc.analyze(bigru(5), quant="w8a8", convention=convention).totals
        assert {key: record[key] for key in BY_KEY} == {key: totals[key] for key in BY_KEY}


def test_a_sweep_refuses_what_it_cannot_do() -> None:
    with pytest.raises(nc.UsageError, match=r"^h is 8, expected a range or a list of values \[E-SWEEP-GRID\]$"):
        nc.sweep(lstm, h=8)  # type: ignore[arg-type]
    with pytest.raises(nc.UsageError, match=r"^a grid cannot be called 'rm': a column is \[E-SWEEP-NAME\]$"):
        nc.sweep(lambda rm: lstm(rm), rm=[8])


def test_ten_thousand_points_take_seconds() -> None:
    """Processor time, so that a busy machine does not fail it."""
    start = time.process_time()
    records = nc.sweep(lstm, h=range(1, 5001), quant=["w8a8", "w:pot4,a8"])
    assert len(records) == 10_000
    assert time.process_time() - start < 10
