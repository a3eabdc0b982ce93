"""Cooling down and waiting for quiet, on a machine whose heat and neighbours follow a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.errors import Disturbed
from greenexp.measuring.quiet import LOOK_S, Guard
from greenexp.measuring.recorder import Recorder
from greenexp.protocols import Reading
from greenexp.settings.workload import ON_INTERFERENCE, Interference
from tests.support.builders import level, phase, window
from tests.support.virtual import FakeMeter, Read, Timeline

untimed = settings(deadline=None)  # no test asserts a time

ON_CPU = ["cpu", "dram", "process"]
ON_GPU = [*ON_CPU, "gpu:0"]
BUSY = level("other_processes_pct", "cpu", 50.0)
QUIET = level("other_processes_pct", "cpu", 1.0)
START_S = 1000.0
FOR_EVER_S = 1e9


def nothing(start_s: float, end_s: float) -> Sequence[Reading]:
    return ()


def warm(component: str, until_s: float, celsius: float = 90.0) -> Read:
    """Returns the script of a sensor that tells `celsius` for some seconds and then 30 °C."""

    def read(start_s: float, end_s: float) -> Sequence[Reading]:
        hot = start_s - START_S < until_s
        return [level("temperature_c", component, celsius if hot else 30.0)]

    return read


def busy(until_s: float) -> Read:
    """Returns the script of a neighbour that works for some seconds."""
    return lambda start_s, end_s: [BUSY if start_s - START_S < until_s else QUIET]


def guard(
    read: Read = nothing,
    on_interference: str = "wait",
    components: Sequence[str] = ON_CPU,
    **limits: Any,
) -> tuple[Guard, Timeline, FakeMeter]:
    time = Timeline(START_S)
    meter = FakeMeter(time, read)
    recorder = Recorder([meter], time.clock, time.sleep)
    return Guard(recorder, Interference(**limits), on_interference, components), time, meter


@pytest.mark.parametrize(
    ("read", "components", "limits"),
    [
        pytest.param(warm("cpu", 0.0), ON_CPU, {}, id="cool already"),
        pytest.param(warm("cpu", FOR_EVER_S, 70.0), ON_CPU, {}, id="just at the limit"),
        pytest.param(nothing, ON_GPU, {}, id="no sensor"),
        pytest.param(warm("cpu", FOR_EVER_S), ON_CPU, {"cool_below_c": None}, id="no limit"),
        pytest.param(warm("gpu:0", FOR_EVER_S), ON_CPU, {}, id="a GPU beside a CPU run"),
        pytest.param(warm("gpu:1", FOR_EVER_S), ON_GPU, {}, id="another GPU beside a CUDA run"),
    ],
)
def test_who_is_cool_does_not_wait(
    read: Read, components: Sequence[str], limits: dict[str, Any]
) -> None:
    guarded, time, _ = guard(read, components=components, **limits)
    assert guarded.cool_down()
    assert time.now_s == START_S
    assert guarded.recorder.phases == []


@pytest.mark.parametrize(
    ("component", "components"),
    [
        pytest.param("cpu", ON_CPU, id="CPU"),
        pytest.param("cpu", ON_GPU, id="CPU beside a CUDA run: it feeds the GPU"),
        pytest.param("gpu:0", ON_GPU, id="GPU"),
    ],
)
def test_cooling_down_is_a_phase_of_its_own(component: str, components: list[str]) -> None:
    guarded, time, _ = guard(warm(component, until_s=3.5), components=components)
    assert guarded.cool_down()
    (cooldown,) = guarded.recorder.phases
    assert cooldown.name == "cooldown"
    assert cooldown.duration_s == time.now_s - START_S == 5.0  # the fifth look finds it cool


@pytest.mark.parametrize("cap_s", [0.0, 2.5, 10.0])
def test_cooling_down_has_an_end(cap_s: float) -> None:
    guarded, time, _ = guard(warm("cpu", FOR_EVER_S), max_cooldown_seconds=cap_s)
    assert not guarded.cool_down()
    assert cap_s <= time.now_s - START_S < cap_s + LOOK_S
    assert [part.name for part in guarded.recorder.phases] == ["cooldown"]


@pytest.mark.parametrize("on_interference", ON_INTERFERENCE)
def test_quiet_is_accepted_whatever_is_asked(on_interference: str) -> None:
    guarded, time, _ = guard(busy(FOR_EVER_S), on_interference)
    assert guarded.accepts([window(QUIET)])
    assert time.now_s == START_S


def test_flag_keeps_what_was_disturbed() -> None:
    guarded, time, _ = guard(busy(FOR_EVER_S), "flag")
    assert guarded.accepts([window(BUSY)])
    assert time.now_s == START_S


def test_fail_says_what_disturbed_and_what_to_do() -> None:
    guarded, _, _ = guard(on_interference="fail")
    both = window(BUSY, level("steal_pct", "cpu", 20.0))
    with pytest.raises(Disturbed) as caught:
        guarded.accepts([both])
    message = str(caught.value)
    assert "cpu_steal, other_processes" in message
    assert "workload.on_interference=fail" in message
    assert "interference" in message
    assert message == " ".join(message.split())


def test_wait_lasts_until_a_look_finds_quiet() -> None:
    guarded, time, _ = guard(busy(until_s=3.5))
    assert not guarded.accepts([window(BUSY)])
    assert time.now_s - START_S == 5.0
    assert (guarded.recorder.phases, guarded.recorder.windows) == ([], [])


def test_wait_has_an_end_and_then_keeps_what_was_disturbed() -> None:
    guarded, time, _ = guard(busy(FOR_EVER_S), max_wait_seconds=10.0)
    assert guarded.accepts([window(BUSY, duration_s=4.0)])
    assert time.now_s - START_S == 6.0  # with the 4 s that were measured in vain


def test_waiting_ends_once_for_the_whole_run() -> None:
    guarded, time, meter = guard(busy(FOR_EVER_S), max_wait_seconds=3.0)
    assert guarded.accepts([window(BUSY)])
    waited_s = time.now_s
    looks = len(meter.stretches_s)
    assert guarded.accepts([window(BUSY)])
    assert (time.now_s, len(meter.stretches_s)) == (waited_s, looks)


def test_neighbour_that_works_only_while_measured_does_not_hold_the_run_for_ever() -> None:
    """Each window costs 4 s and a look of 1 s, and 20 s may be lost."""
    guarded, _, _ = guard(busy(until_s=0.0), max_wait_seconds=20.0)
    verdicts = [guarded.accepts([window(BUSY, duration_s=4.0)]) for _ in range(6)]
    assert verdicts == [False, False, False, False, True, True]


def test_no_wait_allowed_is_no_wait() -> None:
    guarded, time, meter = guard(busy(0.0), max_wait_seconds=0.0)
    assert guarded.accepts([window(BUSY)])
    assert time.now_s == START_S
    assert meter.stretches_s == []


def test_stretches_are_judged_together() -> None:
    """A second of 12 % among four of 1 % is no 10 %: one busy slice of the idle phase may be."""
    guarded, _, _ = guard(on_interference="fail")
    slices = [phase("idle", 1.0, level("other_processes_pct", "cpu", pct)) for pct in (12, 1, 1, 1)]
    assert guarded.accepts(slices)
    with pytest.raises(Disturbed):
        guarded.accepts(slices[:1])


@pytest.mark.parametrize(
    ("component", "components", "kept"),
    [
        pytest.param("gpu:0", ON_GPU, False, id="the GPU used"),
        pytest.param("gpu:1", ON_GPU, True, id="another GPU"),
        pytest.param("gpu:0", ON_CPU, True, id="a CPU run"),
    ],
)
@pytest.mark.parametrize("quantity", ["other_gpu_processes", "gpu_throttled_pct"])
def test_only_the_gpus_in_use_are_judged(
    quantity: str, component: str, components: Sequence[str], kept: bool
) -> None:
    guarded, _, _ = guard(components=components)
    assert guarded.accepts([window(level(quantity, component, 1.0))]) is kept


def test_look_judges_only_the_gpus_in_use_too() -> None:
    guarded, time, _ = guard(lambda start_s, end_s: [level("other_gpu_processes", "gpu:1", 1.0)])
    assert not guarded.accepts([window(BUSY)])
    assert time.now_s - START_S == LOOK_S


def test_limit_that_is_none_is_not_judged() -> None:
    guarded, _, _ = guard(on_interference="fail", other_processes_pct=None)
    assert guarded.accepts([window(BUSY)])


@untimed
@given(
    busy_s=st.lists(st.floats(0.0, 50.0), min_size=1, max_size=20),
    window_s=st.floats(0.1, 20.0),
    cap_s=st.floats(0.0, 60.0),
)
def test_no_more_is_lost_than_allowed(busy_s: list[float], window_s: float, cap_s: float) -> None:
    """Whatever the neighbour does: a window and a look beyond the cap, at most."""
    starts_s = iter(busy_s)
    script = {"until_s": 0.0}
    guarded, time, _ = guard(
        lambda start_s, end_s: [BUSY if start_s < script["until_s"] else QUIET],
        max_wait_seconds=cap_s,
    )
    lost_s = 0.0
    for seconds in starts_s:
        script["until_s"] = time.now_s + seconds
        before_s = time.now_s
        accepted = guarded.accepts([window(BUSY, duration_s=window_s)])
        lost_s += time.now_s - before_s + (0.0 if accepted else window_s)
    assert lost_s <= cap_s + window_s + LOOK_S + 1e-9
