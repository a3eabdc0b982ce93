"""A run and the machine it is on: idle slices, windows long enough, what disturbs, heat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.errors import Disturbed
from greenexp.measuring.experiment import run
from greenexp.measuring.turns import SLICES
from greenexp.protocols import Reading, Shortest
from greenexp.settings.workload import Interference
from tests.support.runs import QUICK, FakeMeter, experiment

PHASES = ["idle", "load", "optimize", "accuracy", "warmup"]
SLICE_S = 2**-10  # in place of SHORTEST_REST_S; a binary fraction, so that multiples are exact


@pytest.mark.parametrize(
    ("idle_seconds", "slices"),
    [
        pytest.param(0.0, 1, id="no_time"),
        pytest.param(0.5 * SLICE_S, 1, id="less_than_a_slice"),
        pytest.param(3 * SLICE_S, 3, id="three"),
        pytest.param(50 * SLICE_S, SLICES, id="five_at_most"),
    ],
)
def test_idle_is_recorded_in_slices_of_the_time_asked(
    monkeypatch: pytest.MonkeyPatch, idle_seconds: float, slices: int
) -> None:
    monkeypatch.setattr("greenexp.measuring.turns.SHORTEST_REST_S", SLICE_S)
    result = run(experiment(workload=replace(QUICK, idle_seconds=idle_seconds)))
    assert [phase.name for phase in result.phases] == ["idle"] * slices + PHASES[1:]
    assert sum(phase.duration_s for phase in result.phases[:slices]) >= idle_seconds


@pytest.mark.parametrize(
    ("shortest", "seconds", "batches"),
    [
        pytest.param([Shortest(seconds=0.05), Shortest()], 0.05, 4, id="a_slow_meter"),
        pytest.param([Shortest(batches=7), Shortest(batches=2)], 0.0, 7, id="a_coarse_meter"),
        pytest.param([Shortest(), Shortest(seconds=0.05, batches=7)], 0.05, 7, id="both_in_one"),
    ],
)
def test_windows_are_long_enough_for_every_meter(
    shortest: list[Shortest], seconds: float, batches: int
) -> None:
    result = run(experiment(meters=[FakeMeter(shortest=minimum) for minimum in shortest]))
    for window in result.windows:
        assert len(window.latencies_s) >= batches
        assert window.duration_s >= seconds


@pytest.mark.parametrize(
    ("half_width", "measured", "doubts"),
    [
        pytest.param(None, 2, [], id="nothing_asked"),
        pytest.param(0.5, 3, [], id="as_narrow_as_asked"),  # 7, 8 and 9 J: 0.85, then 0.31
        pytest.param(1e-9, 5, ["precision_not_reached"], id="never_as_narrow"),
    ],
)
def test_windows_go_on_until_the_precision_asked_or_the_cap(
    half_width: float | None, measured: int, doubts: list[str]
) -> None:
    workload = replace(QUICK, half_width=half_width, max_windows=5)
    result = run(experiment(workload=workload, meters=[FakeMeter()]))
    assert len(result.windows) == measured
    assert list(result.doubts) == doubts


def disturbed(*windows: int) -> FakeMeter:
    """A meter whose windows of these numbers, counted from 1, tell of a hypervisor's theft."""
    steal = (Reading("steal_pct", "cpu", 50.0, "sampled", "meter"),)
    return FakeMeter(beside=[steal if n in windows else () for n in range(1, max(windows) + 2)])


@pytest.mark.parametrize(
    ("window", "idle_j", "windows_j", "discarded"),
    [
        pytest.param(2, 4.0, [9.0, 10.0], 0, id="idle"),  # 3 is the look that found quiet
        pytest.param(7, 2.0, [9.0, 10.0], 1, id="first_window"),
    ],
)
def test_what_was_disturbed_is_measured_anew(
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    idle_j: float,
    windows_j: list[float],
    discarded: int,
) -> None:
    monkeypatch.setattr("greenexp.measuring.quiet.LOOK_S", 0.0)
    waiting = replace(QUICK, on_interference="wait")
    result = run(experiment(workload=waiting, meters=[disturbed(window)]))
    assert [phase.name for phase in result.phases] == PHASES
    assert result.phases[0].readings[0].value == idle_j
    assert [stretch.readings[0].value for stretch in result.windows] == windows_j
    assert result.discarded_windows == discarded


def test_what_was_disturbed_is_kept_where_it_is_only_flagged() -> None:
    result = run(experiment(meters=[disturbed(2, 7)]))
    assert result.phases[0].readings[0].value == 2.0
    assert [stretch.readings[0].value for stretch in result.windows] == [7.0, 8.0]
    assert result.discarded_windows == 0


@pytest.mark.parametrize("window", [pytest.param(2, id="idle"), pytest.param(7, id="window")])
def test_run_that_must_not_be_disturbed_ends_with_its_meters_off(window: int) -> None:
    meter = disturbed(window)
    strict = replace(QUICK, on_interference="fail")
    with pytest.raises(Disturbed, match="cpu_steal"):
        run(experiment(workload=strict, meters=[meter]))
    assert meter.opened == window
    assert meter.log[-1] == "meter off"


def test_limits_are_those_of_the_experiment() -> None:
    lenient = Interference(steal_pct=50.0)
    strict = replace(QUICK, on_interference="fail")
    result = run(experiment(workload=strict, interference=lenient, meters=[disturbed(2, 7)]))
    assert result.outcome == "ok"


def test_machine_that_stays_hot_is_a_doubt() -> None:
    hot = FakeMeter(beside=[[Reading("temperature_c", "cpu", 99.0, "sampled", "meter")]])
    impatient = Interference(max_cooldown_seconds=0.0)
    result = run(experiment(interference=impatient, meters=[hot]))
    assert [phase.name for phase in result.phases] == ["cooldown", *PHASES]
    assert list(result.doubts) == ["not_cooled_down"]
