"""Shares are those of the time that passed, and this machine is read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.meters.neighbours import Neighbours
from tests.support.shared_machine import THREADS, System, values

untimed = settings(deadline=None)  # no test asserts a time

pytestmark = pytest.mark.usefixtures("no_sampler_left")


def test_this_machine_is_read() -> None:
    with Neighbours() as meter, meter.window() as readings:
        assert sum(range(100_000))  # takes some time on any clock
    figures = values(list(readings))
    assert {"other_processes_pct", "involuntary_switches_per_s"} <= set(figures)
    assert all(math.isfinite(value) and value >= 0 for value in figures.values())


rates = st.floats(0.0, 1.0)


@untimed
@given(st.floats(0.01, 1e4), rates, rates, rates, rates, st.integers(0, 10_000))
def test_shares_are_those_of_the_time_that_passed(
    seconds: float, others: float, own: float, children: float, steal: float, switches: int
) -> None:
    system = System()
    with pytest.MonkeyPatch.context() as monkeypatch:
        system.install(monkeypatch)
        with Neighbours("/nowhere").window() as readings:
            system.go_on(
                seconds,
                others=others,
                own=own,
                children=children,
                steal=steal,
                switches=switches,
            )
    figures = values(list(readings))
    assert figures["other_processes_pct"] == pytest.approx(100 * others, abs=1e-6)
    assert figures["steal_pct"] == pytest.approx(100 * steal / THREADS, abs=1e-6)
    assert figures["involuntary_switches_per_s"] == pytest.approx(switches / seconds, rel=1e-6)
