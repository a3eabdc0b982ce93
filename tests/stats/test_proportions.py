"""Changes of accuracy against other implementations, and against what they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binomtest, norm, t
from statsmodels.regression.linear_model import WLS
from statsmodels.stats.weightstats import DescrStatsW

from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import FloatArray
from greenexp.stats.proportions import combined, mcnemar, paired_proportion, proportions_above


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_the_sign_test(lost: int, gained: int) -> None:
    assume(lost + gained > 0)
    expected = binomtest(lost, lost + gained).pvalue
    assert mcnemar(lost, gained) == pytest.approx(expected, rel=1e-6)
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


@pytest.mark.parametrize(
    ("lost", "gained", "p_value"),
    [
        pytest.param(0, 0, 1.0, id="no image changed"),
        pytest.param(5, 0, 2 / 32, id="five lost"),
        pytest.param(0, 6, 2 / 64, id="six gained"),
        pytest.param(3, 3, 1.0, id="as many"),
        pytest.param(1, 4, 12 / 32, id="one against four"),
    ],
)
def test_mcnemar_known_answers(lost: int, gained: int, p_value: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(p_value)


@st.composite
def judgements(draw: st.DrawFn) -> tuple[int, int, int]:
    """Images lost, gained and judged."""
    trials = draw(st.integers(1, 60_000))
    lost = draw(st.integers(0, trials))
    return lost, draw(st.integers(0, trials - lost)), trials


@given(judgements())
def test_paired_proportion_agrees_with_the_table_of_images(counts: tuple[int, int, int]) -> None:
    lost, gained, trials = counts
    estimate = paired_proportion(lost, gained, trials)
    # Each image counts -1, 0 or 1; half an image is added to each cell of the table.
    images = [lost + 0.5, trials - lost - gained + 1, gained + 0.5]
    table = DescrStatsW([-1.0, 0.0, 1.0], weights=images)
    variance = table.var / table.sum_weights
    half = norm.isf((1 - CONFIDENCE) / 2) * math.sqrt(variance)
    difference = (gained - lost) / trials
    assert estimate.variance == pytest.approx(variance, rel=1e-6)
    assert estimate.difference == pytest.approx(difference)
    assert (estimate.low, estimate.high) == pytest.approx(
        (min(table.mean - half, difference), max(table.mean + half, difference)), rel=1e-6, abs=1e-9
    )


def test_paired_proportion_keeps_a_width_where_no_image_changed() -> None:
    estimate = paired_proportion(0, 0, 1000)
    assert estimate.difference == 0.0
    half = norm.isf((1 - CONFIDENCE) / 2) * math.sqrt(1 / 1002 / 1002)
    assert (estimate.low, estimate.high) == pytest.approx((-half, half))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1), st.integers(100, 900)
)
def test_proportions_above_are_those_whose_interval_is(
    counts: list[tuple[int, int]], trials: int
) -> None:
    lost, gained = np.array(counts, dtype=np.float64).T
    expected = [paired_proportion(*pair, trials).low > 0 for pair in counts]
    assert proportions_above(lost, gained, trials).tolist() == expected


@pytest.mark.parametrize("odds", [(0.05, 0.05), (0.03, 0.01), (0.2, 0.05)])
def test_paired_proportion_covers_the_difference(odds: tuple[float, float]) -> None:
    lost, gained = odds
    rng = np.random.default_rng(5)
    drawn = rng.multinomial(500, [lost, gained, 1 - lost - gained], 2000)
    estimates = [paired_proportion(count, other, 500) for count, other, _ in drawn.tolist()]
    held = sum(estimate.low <= gained - lost <= estimate.high for estimate in estimates)
    assert 0.93 <= held / len(estimates) <= 0.97


@pytest.mark.parametrize("models", [2, 3, 8, 42])
@pytest.mark.parametrize("between", [0.0, 0.003, 0.05], ids=["alike", "near", "far"])
def test_combined_agrees_with_weighted_least_squares(models: int, between: float) -> None:
    """Paule's and Mandel's spread is that at which statsmodels' regression has a scale of 1."""
    for seed in range(10):
        rng = np.random.default_rng([seed, models])
        variances = 10.0 ** rng.uniform(-7, -4, models)
        changes = rng.normal(-0.01, np.sqrt(variances + between**2))

        def fitted(spread: float, changes: FloatArray = changes, v: FloatArray = variances) -> Any:
            return WLS(changes, np.ones(len(changes)), weights=1 / (v + spread)).fit()

        spread = 0.0
        if fitted(0.0).scale > 1:
            spread = brentq(lambda tried: fitted(tried).scale - 1, 0.0, 1.0, xtol=1e-18)
        expected = fitted(spread)
        widened = max(1.0, 1 / math.sqrt(expected.scale))  # the scale is never below 1
        mean = expected.params[0]
        half = (mean - expected.conf_int(1 - CONFIDENCE)[0, 0]) * widened
        estimate = combined(changes.tolist(), variances.tolist())
        assert estimate is not None
        assert estimate.mean == pytest.approx(mean, rel=1e-6)
        assert (estimate.low, estimate.high) == pytest.approx(
            (mean - half, mean + half), rel=1e-6, abs=1e-6 * half
        )
        statistic = abs(expected.tvalues[0]) / widened
        assert estimate.p_value == pytest.approx(2 * t.sf(statistic, models - 1), rel=1e-6)


def test_combined_of_models_as_exact_is_students() -> None:
    """Where all models are as exact, and differ by far more, what is left is their t interval."""
    changes = [-0.03, -0.01, -0.02, 0.0, -0.05]
    estimate = combined(changes, [1e-8] * 5)
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx(
        DescrStatsW(changes).tconfint_mean(1 - CONFIDENCE), rel=1e-6
    )


@pytest.mark.parametrize("changes", [[], [0.01]], ids=["no model", "one model"])
def test_combined_needs_two_models(changes: list[float]) -> None:
    assert combined(changes, [1e-4] * len(changes)) is None


def test_combined_covers_the_mean_change() -> None:
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(1000):
        variances = rng.uniform(1e-5, 1e-4, 10)
        changes = rng.normal(-0.01, np.sqrt(variances + 0.01**2))
        estimate = combined(changes.tolist(), variances.tolist())
        assert estimate is not None
        held += estimate.low <= -0.01 <= estimate.high
    assert 0.93 <= held / 1000 <= 0.97
