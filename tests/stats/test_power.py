"""Families of comparisons, and what a study can detect, against other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import nct, t
from statsmodels.stats.multitest import multipletests

from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import location
from greenexp.stats.power import POWER, detectable, family_wise, holm, units_needed


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


@pytest.mark.parametrize(
    ("units", "comparisons"),
    [(6, 1), (8, 1), (8, 5), (10, 5), (13, 9), (42, 5), (42, 20), (500, 50)],
)
def test_detectable_is_shown_four_times_of_five(units: int, comparisons: int) -> None:
    spread = 0.03
    difference = detectable(spread, units, comparisons)
    assert difference is not None
    reach = t.isf((1 - CONFIDENCE) / comparisons / 2, units - 1)
    moved = nct(units - 1, difference / spread * math.sqrt(units))
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
