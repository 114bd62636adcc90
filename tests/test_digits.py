"""Digits, histograms and the figures that follow from them, against definitions applied one number at a time."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nncomplexity.weights import digits, histogram
from nncomplexity.weights.histogram import FloatStatistics, Statistics, float_statistics, statistics

INTEGERS = st.one_of(st.integers(-300, 300), st.integers(-(2**70), 2**70))


@settings(derandomize=True, max_examples=500, deadline=None)
@given(INTEGERS)
def test_digits_are_the_non_adjacent_form(value: int) -> None:
    found = digits.signed_digits(value)
    assert sum(sign << exponent for exponent, sign in found) == value
    assert all(sign in (1, -1) for _, sign in found)
    # Not adjacent, ascending: the form with this property is unique.
    assert all(b - a >= 2 for (a, _), (b, _) in itertools.pairwise(found))
    assert digits.digit_count(value) == len(found)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(INTEGERS)
def test_bits_of_the_magnitude(value: int) -> None:
    text = bin(abs(value))[2:]
    assert digits.popcount(value) == text.count("1")
    assert digits.bit_span(value) == len(text.strip("0"))
    assert digits.is_power(value) == (value != 0 and math.log2(abs(value)).is_integer() and text.count("1") == 1)
    assert digits.low_zeros(value) == (len(text) - len(text.rstrip("0")) if value else 0)


def test_digits_by_hand() -> None:
    assert digits.signed_digits(0) == ()
    assert digits.signed_digits(7) == ((0, -1), (3, 1))
    assert digits.signed_digits(-6) == ((1, 1), (3, -1))
    assert digits.signed_digits(-128) == ((7, -1),)


def by_hand(values: list[int]) -> Statistics:
    """The same figures, number by number."""
    powers = sum(abs(value) in {2**k for k in range(64)} for value in values)
    return Statistics(
        numbers=len(values),
        zeros=values.count(0),
        powers=powers,
        general=len(values) - values.count(0) - powers,
        csd_digits=sum(len(digits.signed_digits(value)) for value in values),
        popcount=sum(bin(value).count("1") for value in values),
        span=sum(len(bin(abs(value))[2:].strip("0")) for value in values),
        distinct=len(set(values)),
        most_digits=max((len(digits.signed_digits(value)) for value in values), default=0),
        minimum=min(values, default=0),
        maximum=max(values, default=0),
    )


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", ">i2", "i4", "i8", "u8", ">u8"])
@pytest.mark.parametrize("near", [True, False])
def test_every_integer_type_in_every_layout(kind: str, near: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "SLICE", 50)
    random = np.random.default_rng(11)
    ends = np.iinfo(kind)
    low = max(ends.min, ends.max - 60) if near else ends.min
    whole = random.integers(low, ends.max, (7, 5, 9), dtype=np.dtype(kind).newbyteorder("="), endpoint=True)
    whole[0, 0, :2] = low, ends.max
    whole = whole.astype(kind)
    whole.flags.writeable = False
    views = [whole, whole.T, whole[::2, ::-1, 1:4], whole[:, 1], whole[3, 2, ::3], whole[:0], whole[1, 1, 1]]
    for arrays in [[view] for view in views] + [views]:
        values = [value for each in arrays for value in np.ravel(each).tolist()]
        found = histogram.histogram(iter(arrays))
        assert found == Counter(values)
        assert list(found) == sorted(found)
        assert {type(each) for each in (*found, *found.values())} <= {int}
        assert statistics(found) == by_hand(values)


def test_types_are_counted_together() -> None:
    found = histogram.histogram([np.array([-1, 2], np.int8), np.array([255, 2, 255], np.uint8), np.array([-1, 300])])
    assert found == {-1: 2, 2: 2, 255: 2, 300: 1}


def test_a_histogram_of_nothing() -> None:
    assert histogram.histogram([]) == {}
    assert statistics({}) == Statistics() == statistics({5: 0})
    assert float_statistics([]) == FloatStatistics()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_are_zero_or_a_power_or_neither(kind: type[np.floating]) -> None:
    smallest = np.finfo(kind).smallest_subnormal
    numbers = np.array([0, -0.0, 1, -2, 0.5, smallest, -4 * smallest, 3 * smallest, 3, -0.1, np.inf, np.nan], kind)
    expected = FloatStatistics(numbers=24, zeros=4, powers=10, general=10)
    assert float_statistics([numbers, numbers[::-1].reshape(3, 4).T]) == expected
