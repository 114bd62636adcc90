"""The paper's three quantizers on one small layer: adders as bounded, as digits and shared, beside the netlist."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import nncomplexity as nc
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import quantizers

pytestmark = pytest.mark.skipif(find_spec("pyosys") is None, reason="pyosys is not installed")


def test_bounds_hold_and_powers_of_two_need_no_multiplier() -> None:
    rows = quantizers.compared(nc.Dense(inputs=4, units=2), 5, seed=2)
    assert [row.quantizer for row in rows] == ["uniform", "PoT", "APoT"]
    for row in rows:
        assert row.bound >= row.csd >= row.shared > 0
        # The kernel has the adders that were counted, and no multiplier.
        assert row.adders == row.csd and row.multipliers == 0
        assert row.lut is not None and 0 < row.lut < 2 * row.full_adders
    uniform, power, sums = rows
    # 8 products, 6 additions of them and 2 biases; 4 adders a product, none, one.
    assert [row.bound for row in rows] == [40, 8, 16]
    assert uniform.csd > sums.csd > power.csd and uniform.full_adders > power.full_adders
