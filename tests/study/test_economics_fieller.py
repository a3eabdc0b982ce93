"""The interval of a break-even: known answers, and the laws it obeys."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t, ttest_1samp

from greenexp.stats.intervals import CONFIDENCE
from greenexp.study.economics import fieller
from tests.support.economics import blocks, columns


def told(images: float, prices: Sequence[float], savings: Sequence[float]) -> float:
    """How far what is still owed after some images is from 0, in critical values of t."""
    owed = np.array(prices) - images * np.array(savings)
    reach = t.isf((1 - CONFIDENCE) / 2, len(owed) - 1)
    return float(abs(ttest_1samp(owed, 0.0).statistic) / reach)


# What is drawn: prices, savings per image, both as mean and standard deviation, and blocks.
BOUNDED = [((100, 5), (2.0, 0.2), 3), ((100, 30), (2.0, 0.5), 8), ((100, 30), (2.0, 2.0), 20)]


@pytest.mark.parametrize(("price", "saving", "count"), BOUNDED, ids=["3", "8", "20 blocks"])
@pytest.mark.parametrize("seed", range(5))
def test_fieller_agrees_with_the_roots_of_t(
    price: tuple[float, float], saving: tuple[float, float], count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    prices, savings = rng.normal(*price, count), rng.normal(*saving, count)
    assert told(0.0, prices, savings) > 1  # so that there are two ends
    assert told(1e9, prices, savings) > 1
    point = prices.mean() / savings.mean()

    def off(images: float) -> float:
        return told(images, prices, savings) - 1

    interval = fieller(prices.tolist(), savings.tolist())
    assert interval is not None
    expected = brentq(off, 0.0, point, xtol=1e-10), brentq(off, point, 1e9, xtol=1e-10)
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "savings",
    [
        pytest.param([0.2, 0.9, -0.4, 0.6, 0.1], id="mean above 0"),
        pytest.param([-0.2, -0.9, 0.4, -0.6, -0.1], id="mean below 0"),
    ],
)
def test_fieller_without_an_upper_end(savings: list[float]) -> None:
    """The saving can't be told from none: from some N on nothing can be said against payback."""
    prices = [99.0, 101.0, 100.5, 98.0, 102.0]
    interval = fieller(prices, savings)
    assert interval is not None
    assert interval.high == math.inf
    lowest = brentq(lambda images: told(images, prices, savings) - 1, 0.0, 1e6, xtol=1e-10)
    assert interval.low == pytest.approx(lowest, rel=1e-6)
    assert told(1e12, prices, savings) < 1


@pytest.mark.parametrize(
    ("prices", "savings"),
    [
        pytest.param([99.0, 101.0, 100.0], [-2.0, -2.1, -1.9], id="it takes more"),
        pytest.param([100.0], [2.0], id="one block"),
        pytest.param([99.0, 101.0], [0.0, 0.0], id="neither more nor less"),
    ],
)
def test_fieller_of_nothing(prices: list[float], savings: list[float]) -> None:
    assert fieller(prices, savings) is None


@pytest.mark.parametrize(
    ("prices", "savings", "high"),
    [
        pytest.param([-1.0, 1.0, 0.5], [2.0, 2.1, 1.9], None, id="price about 0"),
        pytest.param([-1.0, 1.0, 0.5], [-2.0, 2.1, 0.3], math.inf, id="both about 0"),
        pytest.param([0.0, 0.0], [2.0, 2.0], 0.0, id="free"),
        pytest.param([0.0, 0.0], [0.0, 0.0], math.inf, id="nothing for nothing"),
    ],
)
def test_fieller_from_no_image_on(
    prices: list[float], savings: list[float], high: float | None
) -> None:
    interval = fieller(prices, savings)
    assert interval is not None
    assert interval.low == 0.0
    if high is None:
        high = brentq(lambda images: told(images, prices, savings) - 1, 1.0, 1e6, xtol=1e-12)
    assert interval.high == pytest.approx(high, rel=1e-6)


@given(blocks, st.floats(0, 4))
def test_fieller_holds_what_cannot_be_told_from_0(
    drawn: list[tuple[float, float]], share: float
) -> None:
    prices, savings = columns(drawn)
    images = share * abs(np.mean(prices) / np.mean(savings))
    owed = np.array(prices) - images * np.array(savings)
    assume(np.std(owed) > 1e-5 * np.max(np.abs(owed)))  # rounding is not what is compared
    distance = told(images, prices, savings)
    assume(abs(distance - 1) > 1e-5)
    interval = fieller(prices, savings)
    inside = interval is not None and interval.low <= images <= interval.high
    if interval is None or interval.high < math.inf:
        assert inside == (distance < 1)
    else:  # where the saving may be none there can be a gap, which the interval spans
        assert inside or distance > 1
