"""Levels of interference over stretches of time: their means, held against the limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.protocols import Reading
from greenexp.runs.doubts import disturbances, mean_level
from greenexp.runs.result import Phase, Window
from greenexp.settings.workload import Interference
from tests.support.builders import level, phase, window
from tests.support.limits import LIMITS, STOLEN

untimed = settings(deadline=None)  # no test asserts a time


def test_undisturbed_stretches() -> None:
    assert disturbances([], LIMITS) == []
    assert disturbances([window(), phase("idle", 1.0)], LIMITS) == []


@pytest.mark.parametrize(
    ("stretches", "mean"),
    [
        pytest.param([], None, id="no stretch"),
        pytest.param([window(level("memory_mib", "cpu", 8.0))], None, id="not read"),
        pytest.param([window(STOLEN, duration_s=0.0)], None, id="no time"),
        pytest.param(
            [
                window(level("steal_pct", "cpu", 8.0), duration_s=1.0),
                phase("idle", 3.0, level("steal_pct", "cpu", 4.0)),
            ],
            5.0,
            id="by time",
        ),
        pytest.param(
            [window(level("steal_pct", "cpu", 8.0)), window(duration_s=99.0)],
            8.0,
            id="over those that have it",
        ),
    ],
)
def test_mean_level(stretches: list[Phase | Window], mean: float | None) -> None:
    assert mean_level(stretches, "steal_pct") == mean


shares = st.floats(0.0, 100.0)
durations = st.floats(1e-3, 1e3)


@untimed
@given(st.lists(st.tuples(shares, durations), min_size=1, max_size=10))
def test_mean_lies_between_the_levels(parts: list[tuple[float, float]]) -> None:
    stretches = [window(level("steal_pct", "cpu", pct), duration_s=s) for pct, s in parts]
    mean = mean_level(stretches, "steal_pct")
    assert mean is not None
    values = [pct for pct, _ in parts]
    assert min(values) - 1e-9 <= mean <= max(values) + 1e-9


@untimed
@given(
    st.lists(st.tuples(shares, shares, durations), min_size=1, max_size=5),
    st.floats(0.0, 100.0),
    st.floats(0.0, 100.0),
)
def test_stricter_limits_find_no_less(
    parts: list[tuple[float, float, float]], limit: float, tighter: float
) -> None:
    stretches = [
        window(
            level("steal_pct", "cpu", steal),
            level("other_processes_pct", "cpu", others),
            duration_s=seconds,
        )
        for steal, others, seconds in parts
    ]
    loose = Interference(steal_pct=max(limit, tighter), other_processes_pct=max(limit, tighter))
    strict = Interference(steal_pct=min(limit, tighter), other_processes_pct=min(limit, tighter))
    assert set(disturbances(stretches, loose)) <= set(disturbances(stretches, strict))


@pytest.mark.parametrize(
    ("windows", "doubts"),
    [
        pytest.param(1, [], id="one short window: the clock may be wrong by 20"),
        pytest.param(9, ["other_processes"], id="nine of them: by a third of that"),
    ],
)
def test_a_mean_must_exceed_its_limit_by_more_than_the_clocks_err(
    windows: int, doubts: list[str]
) -> None:
    coarse = Reading("other_processes_pct", "cpu", 20.0, "sampled", "m", resolution=20.0)
    limits = Interference(other_processes_pct=10.0)
    assert disturbances([window(coarse) for _ in range(windows)], limits) == doubts
