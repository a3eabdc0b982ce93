"""Break-even: known answers, and the laws it obeys."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from greenexp.stats.intervals import CONFIDENCE
from greenexp.study.economics import payback
from greenexp.study.estimates import Interval
from tests.support.economics import amounts, blocks, columns, paying

SCATTERED = [
    1.001,
    1.2,
    1.2571608961403342,
    110.28838368334056,
    10.315028346250642,
    858.1078192352119,
    909.6965117848708,
    940.7681543867387,
    523.2642618622389,
    684.1230921300757,
    999.591460232913,
]


@given(blocks)
def test_never_is_a_saving_that_may_be_none(drawn: list[tuple[float, float]]) -> None:
    prices, savings = columns(drawn)
    break_even = payback("j", prices, savings)
    mean, spread = np.mean(savings), np.std(savings)
    assume(spread > 1e-6 * np.max(np.abs(savings)))
    low = ttest_1samp(savings, 0.0).confidence_interval(CONFIDENCE).low
    assume(abs(low) > 1e-9 * abs(mean))
    assert (break_even.verdict == "never") == (low <= 0)
    assert (break_even.images is None) == (low <= 0)
    assert break_even.verdict in ("never", "pays back")


@given(paying)
def test_break_even_is_where_savings_reach_the_price(drawn: list[tuple[float, float]]) -> None:
    prices, savings = columns(drawn)
    break_even = payback("usd", prices, savings)
    assert break_even.price == pytest.approx(np.mean(prices))
    assert break_even.saving == pytest.approx(np.mean(savings))
    assert break_even.verdict == "pays back"
    assert break_even.images is not None
    assert break_even.images * break_even.saving == pytest.approx(break_even.price, rel=1e-9)
    assert break_even.interval is not None
    assert break_even.interval.low <= break_even.images * (1 + 1e-6)
    assert break_even.interval.high >= break_even.images * (1 - 1e-6)


@given(blocks, st.integers(-20, 20))
@example([(price, 1.0) for price in SCATTERED], 1)  # told apart by a rounding of `**`
def test_break_even_has_no_currency(drawn: list[tuple[float, float]], power: int) -> None:
    """In cents or millions it is the same number of images; by powers of 2, without rounding."""
    prices, savings = columns(drawn)
    here = payback("usd", prices, savings)
    there = payback("usd", [2.0**power * p for p in prices], [2.0**power * s for s in savings])
    assert (there.images, there.interval, there.verdict) == (
        here.images,
        here.interval,
        here.verdict,
    )


@given(blocks)
def test_double_the_price_double_the_images(drawn: list[tuple[float, float]]) -> None:
    prices, savings = columns(drawn)
    once, twice = payback("s", prices, savings), payback("s", [2 * p for p in prices], savings)
    assert twice.verdict == once.verdict
    if once.images is None:
        assert twice.images is None
    else:
        assert twice.images == 2 * once.images
    if once.interval is None:
        assert twice.interval is None
    else:
        assert twice.interval == Interval(2 * once.interval.low, 2 * once.interval.high)


@given(paying, amounts)
def test_the_more_is_saved_the_sooner(drawn: list[tuple[float, float]], more: float) -> None:
    prices, savings = columns(drawn)
    before = payback("j", prices, savings)
    after = payback("j", prices, [saving + more for saving in savings])
    assert after.verdict == "pays back"
    assert before.images is not None
    assert after.images is not None
    assert after.images < before.images


@given(blocks)
def test_what_is_free_pays_at_once_or_never(drawn: list[tuple[float, float]]) -> None:
    savings = columns(drawn)[1]
    break_even = payback("usd", [0.0] * len(savings), savings)
    assert break_even.saving_interval is not None
    if break_even.saving_interval.low > 0:
        assert (break_even.verdict, break_even.images) == ("at once", 0.0)
        assert break_even.interval == Interval(0.0, 0.0)
    else:
        assert (break_even.verdict, break_even.images) == ("never", None)


@pytest.mark.parametrize(
    ("prices", "savings", "verdict", "images"),
    [
        pytest.param([100.0, 100.0], [2.0, 2.0], "pays back", 50.0, id="pays back"),
        pytest.param([100.0, 100.0], [1.0, 3.0], "never", None, id="two blocks apart"),
        pytest.param([100.0, 100.0], [-2.0, -2.0], "never", None, id="takes more"),
        pytest.param([100.0, 100.0], [0.0, 0.0], "never", None, id="saves nothing"),
        pytest.param([0.0, 0.0], [2.0, 2.0], "at once", 0.0, id="free"),
        pytest.param([100.0], [2.0], "one block", 50.0, id="one block"),
        pytest.param([100.0], [-2.0], "one block", None, id="one block that takes more"),
    ],
)
def test_payback_known_answers(
    prices: list[float], savings: list[float], verdict: str, images: float | None
) -> None:
    break_even = payback("j", prices, savings)
    assert (break_even.verdict, break_even.images) == (verdict, images)
    if verdict == "pays back":
        assert break_even.interval is not None
        assert (break_even.interval.low, break_even.interval.high) == pytest.approx(
            (images, images)
        )
    if verdict == "one block":
        assert (break_even.interval, break_even.saving_interval) == (None, None)


@pytest.mark.parametrize(
    ("prices", "savings", "low"),
    [
        pytest.param([99.0, 101.0, 100.0], [-2.0, -2.1, -1.9], None, id="it takes more"),
        pytest.param([-1.0, 1.0, 0.5], [-2.0, -2.1, -1.9], 0.0, id="and may be free"),
        pytest.param([-1.0, 1.0, 0.5], [-2.0, 2.1, 0.3], 0.0, id="nothing is known"),
    ],
)
def test_never_has_no_upper_end(
    prices: list[float], savings: list[float], low: float | None
) -> None:
    break_even = payback("j", prices, savings)
    assert break_even.verdict == "never"
    assert break_even.interval == (None if low is None else Interval(low, math.inf))
