"""Warm-up and windows on a clock that only the forward pass moves."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.measuring.loop import WarmUp, measure_window, warm_up
from greenexp.settings.workload import Workload


class FakeModel:
    """Each forward pass takes the next latency; the last one repeats for ever."""

    def __init__(self, latencies_s: Iterable[float]) -> None:
        given_s = list(latencies_s)
        self._latencies_s = itertools.chain(given_s, itertools.repeat(given_s[-1]))
        self.now_s = 1000.0  # clocks don't start at zero
        self.seen: list[Any] = []

    def forward(self, batch: Any) -> None:
        self.seen.append(batch)
        self.now_s += next(self._latencies_s)

    def clock(self) -> float:
        return self.now_s


def workload(**fields: Any) -> Workload:
    given = {
        "warmup_min_seconds": 0.0,
        "warmup_max_seconds": 100.0,
        "steady_batches": 3,
        "steady_tolerance": 0.05,
        "min_seconds": 1.0,
        "min_batches": 1,
    }
    return Workload(**(given | fields))


def warmed(latencies_s: Iterable[float], settings: Workload) -> WarmUp:
    model = FakeModel(latencies_s)
    return warm_up(model.forward, itertools.count(), settings, model.clock)


def measured(latencies_s: Iterable[float], settings: Workload) -> list[float]:
    model = FakeModel(latencies_s)
    return measure_window(
        model.forward,
        itertools.count(),
        settings.min_seconds,
        settings.min_batches,
        model.clock,
    )


@pytest.mark.parametrize(
    ("latencies_s", "settings", "ended"),
    [
        pytest.param([1.0], workload(), WarmUp(6, settled=True), id="steady from the start"),
        pytest.param(
            [1.0],
            workload(warmup_min_seconds=10.0),
            WarmUp(10, settled=True),
            id="steady, but not before the floor",
        ),
        pytest.param(
            [8.0, 8.0, 8.0, 1.0], workload(), WarmUp(8, settled=True), id="a slow beginning"
        ),
        pytest.param(
            [1.0, 1.0, 1.0, 1.0, 50.0, 1.0], workload(), WarmUp(6, settled=True), id="one hiccup"
        ),
        pytest.param(
            [2.0**power for power in range(20)],
            workload(warmup_max_seconds=20.0),
            WarmUp(5, settled=False),
            id="never steady: the cap, after 1+2+4+8+16 s",
        ),
        pytest.param(
            [4.0],
            workload(warmup_max_seconds=10.0),
            WarmUp(3, settled=False),
            id="the cap before there are batches enough to judge",
        ),
        pytest.param(
            [1.0],
            workload(warmup_max_seconds=6.0),
            WarmUp(6, settled=True),
            id="steady just at the cap",
        ),
        pytest.param(
            [1.0, 1.0, 1.25],
            workload(steady_batches=2, steady_tolerance=0.25),
            WarmUp(4, settled=True),
            id="a change as large as the tolerance",
        ),
        pytest.param(
            [1.0, 1.0, 1.25],
            workload(steady_batches=2, steady_tolerance=0.2),
            WarmUp(5, settled=True),
            id="a change over the tolerance",
        ),
        pytest.param(
            [4.0, 4.0, 3.0],
            workload(steady_batches=2, steady_tolerance=0.2),
            WarmUp(5, settled=True),
            id="growing faster is a change too",
        ),
        pytest.param(
            [1.0],
            workload(warmup_max_seconds=0.0),
            WarmUp(1, settled=False),
            id="no time at all: one batch",
        ),
    ],
)
def test_warm_up(latencies_s: list[float], settings: Workload, ended: WarmUp) -> None:
    assert warmed(latencies_s, settings) == ended


@pytest.mark.parametrize(
    ("latencies_s", "settings", "expected_s"),
    [
        pytest.param([4.0], workload(min_batches=5), [4.0] * 5, id="until batches are enough"),
        pytest.param(
            [1.0], workload(min_seconds=10.0, min_batches=2), [1.0] * 10, id="until time is enough"
        ),
        pytest.param([9.0], workload(), [9.0], id="one batch is over both"),
        pytest.param(
            [0.5, 1.5, 0.25],
            workload(min_seconds=2.25, min_batches=2),
            [0.5, 1.5, 0.25],
            id="each batch by its own latency",
        ),
        pytest.param([0.5], workload(min_seconds=1.0), [0.5, 0.5], id="time reached exactly"),
    ],
)
def test_window(latencies_s: list[float], settings: Workload, expected_s: list[float]) -> None:
    assert measured(latencies_s, settings) == expected_s


ticks = st.integers(1, 64).map(lambda count: count / 16)  # binary fractions: sums are exact


@given(st.lists(ticks, min_size=1, max_size=30), ticks, st.integers(1, 10))
def test_window_ends_on_time_and_count_and_no_later(
    latencies_s: list[float], min_seconds: float, min_batches: int
) -> None:
    found_s = measured(latencies_s, workload(min_seconds=min_seconds, min_batches=min_batches))
    assert len(found_s) >= min_batches
    assert sum(found_s) >= min_seconds
    assert len(found_s) == min_batches or sum(found_s[:-1]) < min_seconds


@given(st.lists(ticks, min_size=1, max_size=30), ticks, ticks, st.integers(2, 5))
def test_warm_up_keeps_its_floor_and_cap(
    latencies_s: list[float], floor_s: float, more_s: float, span: int
) -> None:
    cap_s = floor_s + more_s
    model = FakeModel(latencies_s)
    ended = warm_up(
        model.forward,
        itertools.count(),
        workload(warmup_min_seconds=floor_s, warmup_max_seconds=cap_s, steady_batches=span),
        model.clock,
    )
    elapsed_s = model.now_s - 1000.0
    last_s = 4.0  # the longest tick
    assert elapsed_s < cap_s + last_s
    if ended.settled:
        assert elapsed_s >= floor_s
        assert ended.batches >= 2 * span
    else:
        assert elapsed_s >= cap_s


def test_batches_are_taken_in_order_and_once() -> None:
    model = FakeModel([1.0])
    inputs = iter(range(100))
    ended = warm_up(model.forward, inputs, workload(), model.clock)
    measure_window(model.forward, inputs, 1.0, 4, model.clock)
    assert model.seen == list(range(ended.batches + 4))


def test_failure_of_the_model_is_not_hidden() -> None:
    def forward(batch: Any) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measure_window(forward, itertools.count(), 1.0, 1)
