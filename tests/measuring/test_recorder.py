"""What a run's stretches hold, on a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.measuring.recorder import Recorder
from greenexp.protocols import Reading
from greenexp.runs.result import Phase, Window
from tests.support.builders import level
from tests.support.virtual import FakeMeter, Timeline

untimed = settings(deadline=None)  # no test asserts a time


class SlowMeter(FakeMeter):
    """Takes a second to begin a window and two to end it, and says so in a journal."""

    def __init__(self, timeline: Timeline, name: str, journal: list[str]) -> None:
        super().__init__(timeline)
        self.name = name
        self.journal = journal

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        self.journal.append(f"{self.name} begins")
        self.timeline.sleep(1.0)
        try:
            yield []
        finally:
            self.timeline.sleep(2.0)
            self.journal.append(f"{self.name} ends")


class BrokenMeter(FakeMeter):
    """Can't begin a window."""

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        raise OSError("no such counter")
        yield []


def recorder(timeline: Timeline, *meters: FakeMeter) -> Recorder:
    return Recorder(meters, timeline.clock, timeline.sleep)


def seconds_read(name: str, timeline: Timeline) -> FakeMeter:
    """Returns a meter that reads how long a stretch was."""
    return FakeMeter(timeline, lambda start_s, end_s: [level("s", name, end_s - start_s)])


def test_phase_counts_from_the_runs_beginning() -> None:
    time = Timeline()
    run = recorder(time)
    time.sleep(3.0)
    with run.phase("load"):
        time.sleep(2.0)
    assert run.phases == [Phase("load", 3.0, 2.0, [])]
    assert run.elapsed_s() == 5.0


def test_phase_of_a_step_is_named_by_it() -> None:
    time = Timeline()
    run = recorder(time)
    for step, seconds in (("prune", 2.0), ("compile", 3.0)):
        with run.phase("optimize", step):
            time.sleep(seconds)
    assert run.phases == [
        Phase("optimize", 0.0, 2.0, [], step="prune"),
        Phase("optimize", 2.0, 3.0, [], step="compile"),
    ]


def test_window_holds_latencies_and_the_images_they_stand_for() -> None:
    time = Timeline()
    run = recorder(time)
    time.sleep(1.0)
    with run.window(batch_size=4) as latencies_s:
        for latency_s in (0.5, 0.25, 1.25):
            time.sleep(latency_s)
            latencies_s.append(latency_s)
    assert run.windows == [Window(1.0, 2.0, 12, [0.5, 0.25, 1.25], [])]
    assert run.phases == []


def test_every_meter_is_read_over_every_stretch() -> None:
    time = Timeline()
    run = recorder(time, seconds_read("first", time), seconds_read("second", time))
    with run.phase("idle"):
        time.sleep(2.0)
    with run.window(batch_size=1):
        time.sleep(3.0)
    assert list(run.phases[0].readings) == [level("s", "first", 2.0), level("s", "second", 2.0)]
    assert list(run.windows[0].readings) == [level("s", "first", 3.0), level("s", "second", 3.0)]


def test_a_glance_sleeps_and_keeps_nothing() -> None:
    time = Timeline()
    run = recorder(time, seconds_read("cpu", time))
    time.sleep(1.0)
    look = run.glance(2.5)
    assert (look.start_s, look.duration_s) == (1.0, 2.5)
    assert list(look.readings) == [level("s", "cpu", 2.5)]
    assert time.now_s == 1003.5
    assert (run.phases, run.windows) == ([], [])


def test_what_the_meters_take_is_outside_the_stretch() -> None:
    """Else the joules of a short phase would be divided by the seconds that reading them took."""
    time = Timeline()
    journal: list[str] = []
    run = recorder(time, *(SlowMeter(time, name, journal) for name in "ab"))
    with run.phase("load"):
        time.sleep(5.0)
        journal.append("loaded")
    assert run.phases == [Phase("load", 2.0, 5.0, [])]
    assert journal == ["a begins", "b begins", "loaded", "b ends", "a ends"]


def test_failure_inside_ends_the_meters_and_leaves_no_record() -> None:
    time = Timeline()
    journal: list[str] = []
    run = recorder(time, SlowMeter(time, "a", journal))
    with pytest.raises(ValueError, match="no such model"), run.phase("load"):
        raise ValueError("no such model")
    with pytest.raises(RuntimeError, match="memory"), run.window(batch_size=1):
        raise RuntimeError("out of memory")
    assert journal == ["a begins", "a ends"] * 2
    assert (run.phases, run.windows) == ([], [])


def test_meter_that_can_not_begin_leaves_no_other_open() -> None:
    time = Timeline()
    journal: list[str] = []
    run = recorder(time, SlowMeter(time, "a", journal), BrokenMeter(time))
    with pytest.raises(OSError, match="no such counter"), run.phase("load"):
        journal.append("loaded")
    assert journal == ["a begins", "a ends"]


ticks = st.integers(0, 64).map(lambda count: count / 16)  # binary fractions: sums are exact


@untimed
@given(st.lists(st.tuples(ticks, ticks, st.booleans()), max_size=10))
def test_stretches_tile_the_run(parts: list[tuple[float, float, bool]]) -> None:
    """Each pair is a pause and a stretch; what is recorded is where the clock says it was."""
    time = Timeline()
    run = recorder(time, seconds_read("cpu", time))
    expected = []
    for pause_s, seconds, is_window in parts:
        time.sleep(pause_s)
        expected.append((time.now_s - 1000.0, seconds))
        with run.window(1) if is_window else run.phase("part"):
            time.sleep(seconds)
    # One that took no time began where the next one does, and was before it.
    stretches = sorted(
        [*run.phases, *run.windows], key=lambda part: (part.start_s, part.duration_s)
    )
    assert [(part.start_s, part.duration_s) for part in stretches] == expected
    assert all(part.readings[0].value == part.duration_s for part in stretches)
    assert run.elapsed_s() == sum(pause_s + seconds for pause_s, seconds, _ in parts)
