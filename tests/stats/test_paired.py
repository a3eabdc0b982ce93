"""Paired comparisons against other implementations, and against what they promise."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest, mannwhitneyu, nct, norm, rankdata, t, ttest_rel
from statsmodels.regression.linear_model import WLS
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import (
    BOOTSTRAP_FROM,
    EXACT_UP_TO,
    RESAMPLES,
    SIGN_FLIP,
    WILCOXON,
    Location,
    cliffs_delta,
    location,
    locations,
    paired_ratio,
)
from greenexp.stats.power import POWER, detectable, family_wise, holm, units_needed
from greenexp.stats.proportions import combined, mcnemar, paired_proportion, proportions_above

# Hours of sleep gained by one drug less those by the other (Student, 1908, Biometrika 6:1).
SLEEP = [-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4]
# Crossed less self-fertilized maize, eighths of an inch (Darwin; Fisher, Design of Experiments).
MAIZE = [49.0, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

FloatArray = NDArray[np.float64]
pairs = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=2, max_size=BOOTSTRAP_FROM - 1
).map(lambda drawn: tuple(map(list, zip(*drawn, strict=True))))


def ends(found: Location) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@pytest.mark.parametrize("units", [2, 3, 10, BOOTSTRAP_FROM - 1])
def test_location_of_few_units_is_students(units: int) -> None:
    sample = np.random.default_rng(units).normal(0.3, 1.0, units)
    found = location(sample.tolist())
    expected = DescrStatsW(sample)
    assert (found.mean, found.spread) == pytest.approx((sample.mean(), sample.std(ddof=1)))
    assert ends(found) == pytest.approx(expected.tconfint_mean(1 - CONFIDENCE), rel=1e-9)


def test_location_of_students_sleep() -> None:
    """R: t.test(extra ~ group, sleep, paired = TRUE)."""
    found = location(SLEEP)
    assert found.mean == pytest.approx(-1.58)
    assert ends(found) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert found.test == SIGN_FLIP
    assert found.p_value == pytest.approx(4 / 2**10)  # all agree but one that is 0


def test_location_of_darwins_maize() -> None:
    """R: wilcox.test(differences), V = 96; t.test for the interval."""
    found = location(MAIZE)
    assert found.test == WILCOXON
    assert found.p_value == pytest.approx(0.04126, abs=5e-6)
    assert ends(found) == pytest.approx((0.03, 41.83), abs=0.01)


def bca(sample: FloatArray) -> FloatArray:
    """Efron and Tibshirani, An Introduction to the Bootstrap, 1993, equations 14.9 to 14.15.

    Quantiles of t in place of the normal law's, by ExpandProbs of R's resample.
    """
    units = len(sample)
    drawn = np.random.default_rng(0).integers(0, units, (RESAMPLES, units))
    means = sample[drawn].mean(axis=1)
    bias = norm.ppf(np.mean(means < sample.mean()))
    left_out = np.array([np.delete(sample, unit).mean() for unit in range(units)])
    pull = left_out.mean() - left_out
    acceleration = np.sum(pull**3) / (6 * np.sum(pull**2) ** 1.5)
    quantiles = t.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], units - 1)
    reach = bias + quantiles * math.sqrt(units / (units - 1))
    return np.quantile(means, norm.cdf(bias + reach / (1 - acceleration * reach)))


@pytest.mark.parametrize("units", [BOOTSTRAP_FROM, 42, 60])
@pytest.mark.parametrize("law", ["normal", "skewed"])
def test_location_of_many_units_is_the_bootstraps(units: int, law: str) -> None:
    rng = np.random.default_rng(units)
    rows = rng.normal(-0.1, 0.03, (4, units))
    if law == "skewed":
        rows = np.exp(20 * rows)
    for row, found in zip(rows, locations(rows.tolist()), strict=True):
        assert ends(found) == pytest.approx(tuple(bca(row)), rel=1e-6)


@pytest.mark.parametrize(("units", "test"), [(2, SIGN_FLIP), (13, SIGN_FLIP), (14, WILCOXON)])
def test_location_says_which_test(units: int, test: str) -> None:
    assert location([0.1 * unit for unit in range(units)]).test == test


@pytest.mark.parametrize("units", [2, 3, 6, 9, EXACT_UP_TO])
def test_location_tries_every_sign(units: int) -> None:
    rng = np.random.default_rng(units)
    for shift in (0.0, 0.5, 3.0):
        sample = rng.normal(shift, 1.0, units)
        found = location(sample.tolist())
        assert found.test == SIGN_FLIP
        assert found.p_value == pytest.approx(flips(sample), rel=1e-9)


def flips(sample: FloatArray) -> float:
    """The share of all ways to set signs that bring the sum at least as far from 0."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(sample))))
    return float(np.mean(np.abs(signs @ sample) >= abs(sample.sum()) * (1 - 1e-12)))


def signed_rank(sample: FloatArray) -> float:
    """The exact p value by counting, for each sum, the sets of ranks that have it."""
    ranks = rankdata(np.abs(sample)).astype(int)
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1
    for rank in ranks:
        ways[rank:] += ways[:-rank].copy()
    reached = ranks[sample > 0].sum()
    return float(min(1.0, 2 * min(ways[: reached + 1].sum(), ways[reached:].sum()) / ways.sum()))


def signed_rank_by_normal_law(sample: FloatArray) -> float:
    """Hollander and Wolfe, Nonparametric Statistical Methods, section 3.1; zeros left out."""
    moved = sample[sample != 0]
    units = len(moved)
    ranks = rankdata(np.abs(moved))
    ties = np.unique(ranks, return_counts=True)[1]
    variance = units * (units + 1) * (2 * units + 1) / 24 - np.sum(ties**3 - ties) / 48
    standardized = (ranks[moved > 0].sum() - units * (units + 1) / 4) / math.sqrt(variance)
    return float(2 * norm.sf(abs(standardized)))


@pytest.mark.parametrize("units", [EXACT_UP_TO + 1, 25, 42, 50])
@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0])
def test_wilcoxon_agrees_with_counting(units: int, shift: float) -> None:
    sample = np.random.default_rng(units).normal(shift, 1.0, units)
    found = location(sample.tolist())
    assert found.test == WILCOXON
    assert found.p_value == pytest.approx(signed_rank(sample), rel=1e-6)


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(np.random.default_rng(1).normal(0.2, 1.0, 80), id="over 50 units"),
        pytest.param(np.random.default_rng(2).integers(-3, 5, 20).astype(float), id="ties, zeros"),
    ],
)
def test_wilcoxon_agrees_with_the_normal_law(sample: FloatArray) -> None:
    found = location(sample.tolist())
    assert found.p_value == pytest.approx(signed_rank_by_normal_law(sample), rel=1e-6)


@pytest.mark.parametrize(("units", "critical"), [(14, 21), (15, 25), (20, 52)])
def test_wilcoxon_known_answers(units: int, critical: int) -> None:
    """The largest sum of the rarer signs' ranks that is significant at 5 %, from tables."""
    for reached, significant in ((critical, True), (critical + 1, False)):
        sample = np.arange(1.0, units + 1)
        left = reached
        for rank in range(units, 0, -1):
            if rank <= left:
                sample[rank - 1], left = -rank, left - rank
        found = location(sample.tolist())
        assert found.p_value is not None
        assert (found.p_value <= 0.05) == significant


@pytest.mark.parametrize("units", [1, 2, 8, 14, 30])
def test_a_location_does_not_depend_on_its_company(units: int) -> None:
    rng = np.random.default_rng(units)
    rows = rng.normal(0.1, 1.0, (5, units))
    rows[1] = rng.integers(-2, 3, units)  # ties and zeros
    rows[2] = 0.0
    rows[3] = 0.5
    for row, found in zip(rows.tolist(), locations(rows.tolist()), strict=True):
        alone = location(row)
        assert (found.test, found.p_value) == (alone.test, alone.p_value)
        assert found.mean == pytest.approx(alone.mean)
        if units > 1:
            assert ends(found) == pytest.approx(ends(alone), rel=1e-9)


def test_locations_keep_their_order() -> None:
    samples = [[1.0, 2.0, 3.0], [4.0], [5.0, 6.0, 7.0], [8.0, 9.0]]
    found = locations(samples)
    assert [one.units for one in found] == [3, 1, 3, 2]
    assert [one.mean for one in found] == pytest.approx([2.0, 4.0, 6.0, 8.5])
    assert found[1] == Location(4.0, 1)
    assert locations([]) == []


def test_no_units_no_location() -> None:
    with pytest.raises(ValueError, match="without units"):
        locations([[1.0], []])


@pytest.mark.parametrize("units", [3, 13, 14, 30])
def test_location_without_spread_is_a_point(units: int) -> None:
    found = location([0.25] * units)
    assert ends(found) == pytest.approx((0.25, 0.25))
    assert found.p_value is not None
    assert (found.p_value <= 0.05) == (units > 5)
    assert location([0.0] * units).p_value == 1.0


@pytest.mark.parametrize("units", [8, 14, 30])
def test_location_mirrors(units: int) -> None:
    sample = np.random.default_rng(units).normal(0.4, 1.0, units)
    there, back = location(sample.tolist()), location((-sample).tolist())
    assert back.mean == pytest.approx(-there.mean)
    assert back.p_value == pytest.approx(there.p_value)
    if units < BOOTSTRAP_FROM:  # the bootstrap's ends are those of the resamples, which don't
        assert ends(back) == pytest.approx(tuple(-end for end in reversed(ends(there))))


def has_spread(values: list[float], others: list[float]) -> bool:
    """Whether rounding is far below what sets the pairs apart."""
    return float(np.std(np.log(values) - np.log(others))) > 1e-6


@given(pairs)
def test_paired_ratio_agrees_with_scipy(both: tuple[list[float], list[float]]) -> None:
    assume(has_spread(*both))
    found = paired_ratio(*both)
    test = ttest_rel(*map(np.log, both))
    low, high = np.exp(test.confidence_interval(CONFIDENCE))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6)


@pytest.mark.parametrize("count", [2, 3, 6, 9])
def test_paired_ratio_tries_every_sign(count: int) -> None:
    rng = np.random.default_rng(count)
    for shift in (0.0, 0.5, 3.0):
        values, others = np.exp(rng.normal(0.0, 1.0, (2, count)))
        moved = values * math.exp(shift)
        found = paired_ratio(moved.tolist(), others.tolist())
        assert found is not None
        assert found.p_value == pytest.approx(flips(np.log(moved) - np.log(others)), rel=1e-9)


@given(pairs)
def test_paired_ratio_of_the_inverse_is_the_inverse(
    both: tuple[list[float], list[float]],
) -> None:
    assume(has_spread(*both))
    values, others = both
    there, back = paired_ratio(values, others), paired_ratio(others, values)
    assert there is not None
    assert back is not None
    assert back.ratio == pytest.approx(1 / there.ratio, rel=1e-9)
    assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low), rel=1e-6)
    assert back.p_value == pytest.approx(there.p_value, rel=1e-6)


def test_paired_ratio_known_answer() -> None:
    # Logarithms 0 and ln 4: mean ln 2, standard error ln 2, t(0.975, 1) = 12.706.
    found = paired_ratio([1.0, 4.0], [1.0, 1.0])
    assert found is not None
    assert found.ratio == pytest.approx(2.0)
    reach = 2.0**12.706204736174694
    assert (found.low, found.high) == pytest.approx((2 / reach, 2 * reach), rel=1e-9)
    assert found.p_value == 1.0  # of the four ways to swap, all set the sum as far from 0


@pytest.mark.parametrize(
    ("values", "others", "expected"),
    [
        pytest.param([3.0, 7.0], [3.0, 7.0], (1.0, 1.0, 1.0, 1.0), id="alike"),
        pytest.param([4.0, 4.0], [2.0, 2.0], (2.0, 2.0, 2.0, 0.5), id="twice, without spread"),
    ],
)
def test_paired_ratio_without_spread(
    values: list[float], others: list[float], expected: tuple[float, ...]
) -> None:
    found = paired_ratio(values, others)
    assert found is not None
    assert (found.ratio, found.low, found.high, found.p_value) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [2.0]], ids=["no pair", "one pair"])
def test_paired_ratio_needs_two_pairs(values: list[float]) -> None:
    assert paired_ratio(values, values) is None


@pytest.mark.parametrize("kind", ["normal", "two speeds"])
def test_paired_ratio_of_equals_is_seldom_found_different(kind: str) -> None:
    """Eight A/A blocks. Noise as a normal law has it, and as a machine of two speeds."""
    rng = np.random.default_rng(11)
    rejected = 0
    for _ in range(1000):
        if kind == "normal":
            values, others = np.exp(rng.normal(0.0, 0.01, size=(2, 8)))
        else:
            values, others = np.exp(0.2 * (rng.random((2, 8)) < 0.03) + rng.normal(0, 1e-3, (2, 8)))
        found = paired_ratio(values.tolist(), others.tolist())
        assert found is not None
        rejected += found.p_value < 1 - CONFIDENCE
    assert 0.02 <= rejected / 1000 <= 0.065


def rejected_by_hand(p_values: list[float], level: float) -> list[bool]:
    """Holm 1979: from the least on, p of rank i is held against level / (m - i), to the first."""
    rejected = [False] * len(p_values)
    ranked = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(ranked):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


@given(st.lists(st.floats(0, 1), unique=True, max_size=12), st.sampled_from([0.01, 0.05, 0.2]))
def test_family_wise_is_holms_procedure(p_values: list[float], level: float) -> None:
    for rank in range(1, len(p_values) + 1):
        assume(not any(math.isclose(p, level / rank, rel_tol=1e-6) for p in p_values))
    assert family_wise(p_values, level) == rejected_by_hand(p_values, level)


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        pytest.param([], [], id="no family"),
        pytest.param([0.04], [True], id="alone"),
        pytest.param([0.04, 0.9], [False, False], id="not among two"),
        pytest.param([0.01, 0.04, 0.03], [True, False, False], id="the least of three"),
        pytest.param([0.04, 0.01, 0.02], [True, True, True], id="step by step down"),
    ],
)
def test_family_wise_known_answers(p_values: list[float], rejected: list[bool]) -> None:
    assert family_wise(p_values) == rejected


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_holm_agrees_with_statsmodels(count: int) -> None:
    p_values = np.random.default_rng(count).random(count) ** 3
    p_values[: count // 5] = p_values[-1]  # ties
    expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values.tolist()) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_agrees_with_its_definition(p_values: list[float]) -> None:
    ordered = sorted(p_values)
    steps = [(p, (len(ordered) - rank) * p) for rank, p in enumerate(ordered)]
    expected = [min(1.0, max(step for p, step in steps if p <= own)) for own in p_values]
    assert holm(p_values) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_holm_known_answer() -> None:
    """R: p.adjust(1:5 / 100, "holm")."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


values = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(values, values)
def test_cliffs_delta_agrees_with_mann_whitney(own: list[int], others: list[int]) -> None:
    expected = 2 * mannwhitneyu(own, others).statistic / (len(own) * len(others)) - 1
    assert cliffs_delta(own, others) == pytest.approx(expected, abs=1e-9)
    assert cliffs_delta(others, own) == pytest.approx(-expected, abs=1e-9)


@pytest.mark.parametrize(
    ("own", "others", "delta"),
    [
        pytest.param([1, 2], [3, 4], -1.0, id="all below"),
        pytest.param([3, 4], [1, 2], 1.0, id="all above"),
        pytest.param([1, 2], [1, 2], 0.0, id="alike"),
        pytest.param([1, 3], [2], 0.0, id="one each way"),
        pytest.param([1, 1, 3], [2], -1 / 3, id="two below, one above"),
    ],
)
def test_cliffs_delta_known_answers(own: list[int], others: list[int], delta: float) -> None:
    assert cliffs_delta(own, others) == pytest.approx(delta)


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
    found = paired_proportion(lost, gained, trials)
    # Each image counts -1, 0 or 1; half an image is added to each cell of the table.
    images = [lost + 0.5, trials - lost - gained + 1, gained + 0.5]
    table = DescrStatsW([-1.0, 0.0, 1.0], weights=images)
    variance = table.var / table.sum_weights
    half = norm.isf((1 - CONFIDENCE) / 2) * math.sqrt(variance)
    difference = (gained - lost) / trials
    assert found.variance == pytest.approx(variance, rel=1e-6)
    assert found.difference == pytest.approx(difference)
    assert (found.low, found.high) == pytest.approx(
        (min(table.mean - half, difference), max(table.mean + half, difference)), rel=1e-6, abs=1e-9
    )


def test_paired_proportion_keeps_a_width_where_no_image_changed() -> None:
    found = paired_proportion(0, 0, 1000)
    assert found.difference == 0.0
    half = norm.isf((1 - CONFIDENCE) / 2) * math.sqrt(1 / 1002 / 1002)
    assert (found.low, found.high) == pytest.approx((-half, half))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1), st.integers(100, 900)
)
def test_proportions_above_are_those_whose_interval_is(
    counts: list[tuple[int, int]], trials: int
) -> None:
    lost, gained = np.array(counts, dtype=np.float64).T
    expected = [paired_proportion(*one, trials).low > 0 for one in counts]
    assert proportions_above(lost, gained, trials).tolist() == expected


@pytest.mark.parametrize("odds", [(0.05, 0.05), (0.03, 0.01), (0.2, 0.05)])
def test_paired_proportion_covers_the_difference(odds: tuple[float, float]) -> None:
    lost, gained = odds
    rng = np.random.default_rng(5)
    drawn = rng.multinomial(500, [lost, gained, 1 - lost - gained], 2000)
    found = [paired_proportion(one, other, 500) for one, other, _ in drawn.tolist()]
    held = sum(one.low <= gained - lost <= one.high for one in found)
    assert 0.93 <= held / len(found) <= 0.97


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
        found = combined(changes.tolist(), variances.tolist())
        assert found is not None
        assert found.mean == pytest.approx(mean, rel=1e-6)
        assert (found.low, found.high) == pytest.approx(
            (mean - half, mean + half), rel=1e-6, abs=1e-6 * half
        )
        statistic = abs(expected.tvalues[0]) / widened
        assert found.p_value == pytest.approx(2 * t.sf(statistic, models - 1), rel=1e-6)


def test_combined_of_models_as_exact_is_students() -> None:
    """Where all models are as exact, and differ by far more, what is left is their t interval."""
    changes = [-0.03, -0.01, -0.02, 0.0, -0.05]
    found = combined(changes, [1e-8] * 5)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(
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
        found = combined(changes.tolist(), variances.tolist())
        assert found is not None
        held += found.low <= -0.01 <= found.high
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.parametrize(
    ("units", "comparisons"),
    [(6, 1), (8, 1), (8, 5), (10, 5), (13, 9), (42, 5), (42, 20), (500, 50)],
)
def test_detectable_is_shown_four_times_of_five(units: int, comparisons: int) -> None:
    spread = 0.03
    found = detectable(spread, units, comparisons)
    assert found is not None
    reach = t.isf((1 - CONFIDENCE) / comparisons / 2, units - 1)
    moved = nct(units - 1, found / spread * math.sqrt(units))
    assert moved.sf(reach) + moved.cdf(-reach) == pytest.approx(POWER, abs=1e-6)


@pytest.mark.parametrize(
    ("comparisons", "units"), [(0, 6), (1, 6), (2, 7), (4, 8), (5, 8), (6, 8), (7, 9), (20, 10)]
)
def test_units_needed(comparisons: int, units: int) -> None:
    """The fewest with which the least p value of all passes Holm's first step."""
    assert units_needed(comparisons) == units
    assert detectable(1.0, units - 1, comparisons) is None
    assert detectable(1.0, units, comparisons) is not None
    if comparisons:
        sample = np.linspace(1.0, 2.0, units)  # all of one sign: as unlikely as can be
        assert location(sample.tolist()).p_value * comparisons <= 0.05  # type: ignore[operator]
        assert location(sample[1:].tolist()).p_value * comparisons > 0.05  # type: ignore[operator]


@pytest.mark.parametrize("units", [8, 10])
def test_location_of_few_units_covers_the_mean(units: int) -> None:
    rows = np.random.default_rng(units).normal(0.02, 0.014, (2000, units))
    held = sum(low <= 0.02 <= high for low, high in map(ends, locations(rows.tolist())))
    assert 0.93 <= held / len(rows) <= 0.97
