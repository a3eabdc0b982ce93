"""The centre of many short rounds: what a few bad ones can't move, and how well it is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from greenexp.stats.robust import autocorrelation_time, center, lower_quartile

STUDIES = 400


def test_centre_is_scipys_trimmed_mean() -> None:
    sample = np.random.default_rng(0).normal(size=50)
    middle = center(sample.tolist())
    assert middle is not None
    assert middle.value == pytest.approx(stats.trim_mean(sample, 0.35), rel=1e-12)


def test_error_of_independent_rounds_is_yuens() -> None:
    sample = [(-1.0) ** n * n for n in range(20)]  # neighbours are unlike: nothing is widened
    middle = center(sample)
    assert middle is not None
    wins = stats.mstats.winsorize(np.array(sample), (0.35, 0.35))
    assert middle.error == pytest.approx(np.std(wins, ddof=1) / (0.3 * np.sqrt(20)), rel=1e-12)
    assert middle.freedom == 5


@pytest.mark.parametrize("size", [0, 1, 4])
def test_too_few_rounds_tell_nothing(size: int) -> None:
    assert center([1.0] * size) is None


def test_equal_rounds_have_no_error() -> None:
    middle = center([0.25] * 10)
    assert middle is not None
    assert (middle.value, middle.half_width) == (0.25, 0.0)


@given(st.floats(1e3, 1e9), st.integers(0, 3))
def test_a_fifth_of_wild_rounds_moves_it_little(wild: float, count: int) -> None:
    sample = np.random.default_rng(1).normal(size=20).tolist()
    plain, disturbed = center(sample), center([*sample[count:], *[wild] * count])
    assert plain is not None
    assert disturbed is not None
    assert abs(disturbed.value - plain.value) < 0.6


@pytest.mark.parametrize(("likeness", "least"), [(0.0, 0.92), (0.5, 0.88)])
def test_interval_holds_the_truth_as_often_as_it_says(likeness: float, least: float) -> None:
    dice = np.random.default_rng(2)
    held = 0
    for _ in range(STUDIES):
        noise = dice.normal(size=100)
        for n in range(1, 100):
            noise[n] += likeness * noise[n - 1]
        middle = center(noise.tolist())
        assert middle is not None
        held += abs(middle.value) <= middle.half_width
    assert least <= held / STUDIES <= 1.0


def test_disturbed_batches_do_not_move_the_lower_quartile() -> None:
    assert lower_quartile([1.0] * 5 + [9.0] * 5) == 1.0


@pytest.mark.parametrize("size", [3, 4, 7, 70])
def test_a_window_of_few_batches_is_not_held_to_be_slower(size: int) -> None:
    latencies = 1 + 0.05 * np.random.default_rng(4).exponential(size=(20_000, size))
    truth = 1 + 0.05 * -np.log(0.75)
    middle = np.median([lower_quartile(row) for row in latencies.tolist()])
    assert middle == pytest.approx(truth, abs=0.002)


def test_likeness_in_time_is_what_theory_says() -> None:
    dice = np.random.default_rng(3)
    noise = dice.normal(size=20_000)
    for n in range(1, len(noise)):
        noise[n] += 0.5 * noise[n - 1]
    assert autocorrelation_time(noise) == pytest.approx((1 + 0.5) / (1 - 0.5), rel=0.15)


def test_unlike_neighbours_do_not_narrow_it() -> None:
    assert autocorrelation_time(np.array([1.0, -1.0] * 20)) == 1.0
