"""Parts of a size: what is read, and texts that would be numbers too long to compute with."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import nncomplexity as nc
import pytest
from nncomplexity.layers.share import exact_part

FORTY = "0." + "5" + "0" * 37
LONG: list[Any] = [
    *("1e999999999", "1e-999999999", "1E-100", "0e999999999", "1e-1_0"),
    *("0.5" + "0" * 38, "1/1" + "0" * 40, "9" * 10_000, "0." + "0" * 10_000_000),
    *("", " 0.5", "0.5 ", "0.5\n", "+0.5", "-0.5", "1_0/2_0", "٠.٥", "nan", "inf", "half", "1/0", "0x1", "."),
    *(Decimal("1e999999999"), Decimal("1e-999999999"), Decimal("NaN"), float("nan"), float("inf"), True, -1, 2),
]


@pytest.mark.parametrize("part", LONG, ids=lambda part: repr(part)[:16])
def test_what_is_no_plain_part_is_refused_at_once(part: Any) -> None:
    started = time.process_time()
    with pytest.raises(nc.SpecError) as found:
        nc.EchoState(inputs=3, reservoir=20, outputs=2, density=part)
    assert str(found.value).startswith("esn: density is ")
    assert str(found.value).endswith(", expected a decimal or a fraction from 0 to 1 [E-SPEC-PART]")
    assert len(str(found.value)) <= 300
    assert time.process_time() - started < 1


def test_the_text_of_a_refusal() -> None:
    with pytest.raises(nc.SpecError) as found:
        nc.EchoState(inputs=3, reservoir=20, outputs=2, density="1e999999999")
    text = "esn: density is 1e999999999, expected a decimal or a fraction from 0 to 1 [E-SPEC-PART]"
    assert str(found.value) == text
    with pytest.raises(nc.SpecError) as found:
        nc.GateL0RD(inputs=3, hidden=20, outputs=2, open_rate="1e-999999999")
    text = "gatel0rd: open_rate is 1e-999999999, expected a decimal or a fraction from 0 to 1 [E-SPEC-PART]"
    assert str(found.value) == text


@pytest.mark.parametrize(
    "part",
    ["0.5", ".5", "1/2", "5e-1", "5E-01", FORTY, 0.5, Decimal("0.5"), Fraction(1, 2)],
    ids=lambda part: repr(part),
)
def test_a_half_in_every_spelling(part: Any) -> None:
    assert exact_part("esn", "density", part, "reservoir units", 20) == Fraction(1, 2)


def test_small_floats_and_whole_parts() -> None:
    assert exact_part("esn", "density", 1e-07, "reservoir units", 10**7) == Fraction(1, 10**7)
    small: Any = Decimal("1E-7")
    assert exact_part("esn", "density", small, "reservoir units", 10**7) == Fraction(1, 10**7)
    assert [exact_part("esn", "density", part, "units", 20) for part in (0, 1, "0", "1", "1.", 1.0)] == [
        0,
        1,
        0,
        1,
        1,
        1,
    ]
    tall = Fraction(1, 10**60)
    assert exact_part("esn", "density", tall, "units", 10**60) == tall
