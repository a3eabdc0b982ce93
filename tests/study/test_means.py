"""Means over blocks and their intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.quantities import ENERGY, LATENCY, POSITIVE, TOP1
from greenexp.stats.intervals import mean_interval
from greenexp.study.means import quantities, quantity

WILD = [12.0, 310.0]  # of two blocks: Student's t about their mean goes far below 0


def test_latency_of_two_wild_blocks_has_no_end_below_zero() -> None:
    plain = mean_interval(WILD)
    assert plain is not None
    assert plain[0] < 0
    mean = quantities([{LATENCY: value} for value in WILD])[LATENCY]
    assert mean.value == pytest.approx(161)
    assert mean.interval is not None
    assert 0 < mean.interval.low < mean.value < mean.interval.high


@pytest.mark.parametrize("name", sorted(POSITIVE))
@given(samples=st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=6))
def test_what_is_always_above_zero_has_an_interval_above_zero(
    name: str, samples: list[float]
) -> None:
    mean = quantities([{name: value} for value in samples])[name]
    assert mean.interval is not None
    assert 0 < mean.interval.low <= mean.value * (1 + 1e-12)
    assert mean.interval.high >= mean.value * (1 - 1e-12)


def test_narrow_interval_is_that_about_the_mean() -> None:
    samples = [0.5, 0.501, 0.499, 0.5002]
    mean = quantities([{ENERGY: value} for value in samples])[ENERGY]
    plain = mean_interval(samples)
    assert mean.interval is not None
    assert plain is not None
    assert (mean.interval.low, mean.interval.high) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("name", [TOP1, "energy/net_per_image_j", "vibration/mean_mm"])
def test_what_may_be_zero_or_less_has_an_interval_about_its_mean(name: str) -> None:
    samples = [0.8, 0.1]
    mean = quantities([{name: value} for value in samples])[name]
    assert mean.interval is not None
    assert (mean.interval.low, mean.interval.high) == pytest.approx(mean_interval(samples))


def test_savings_keep_their_interval_about_the_mean() -> None:
    mean = quantity(WILD)
    assert mean is not None
    assert mean.interval is not None
    assert mean.interval.low < 0
