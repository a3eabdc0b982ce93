"""Replayed instruments: exact integrals, lateness, resets, several GPUs, heat, and bad files."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import BadInput
from greenexp.measuring.quiet import Guard
from greenexp.measuring.recorder import Recorder
from greenexp.measuring.windows import measure_windows
from greenexp.meters.replay import Replay, Trace
from greenexp.protocols import Shortest
from greenexp.runs import energy, metrics
from greenexp.runs.doubts import validity
from greenexp.runs.result import Result
from greenexp.settings.build import build
from greenexp.settings.workload import Interference, Workload
from tests.support.builders import ANY_MACHINE, hardware

NO_LIMITS = Interference()


class Time:
    """A clock that a forward pass moves on."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def forward(self, batch: object) -> None:
        self.now_s += 0.125


def trace(**channels: list[tuple[float, float]]) -> Trace:
    """Returns a trace over 100 s; `gpu0_power_w=[(0, 80)]` is the channel (gpu:0, power_w)."""
    t_s = np.array(sorted({t for points in channels.values() for t, _ in points} | {100.0}))
    made = {}
    for name, points in channels.items():
        component, _, quantity = name.partition("_")
        component = component.replace("gpu", "gpu:")
        times, values = zip(*points, strict=True)
        made[component, quantity] = np.interp(t_s, times, values)
    return Trace(t_s, made)


def read(meter: Replay, time: Time, start_s: float, end_s: float) -> dict[tuple[str, str], float]:
    """Returns what the meter reads from one time to another."""
    with meter:
        time.now_s = start_s
        with meter.window() as readings:
            time.now_s = end_s
    return {(r.component, r.quantity): r.value for r in readings}


def replay(given: Trace, time: Time, **options: object) -> Replay:
    return Replay(trace=given, clock=time.clock, **options)


def gpu_run(given: Trace, *, windows: int = 4, **options: object) -> Result:
    """A run on gpu:0 of windows of 5 s whose meters replay the trace; a second meter samples it."""
    time = Time()
    meters = [replay(given, time, **options), replay(given, time, kind="sampled")]
    recorder = Recorder(meters, clock=time.clock, sleep=lambda seconds: None)
    guard = Guard(recorder, NO_LIMITS, "flag", ["gpu:0"])
    workload = Workload(min_seconds=5.0, min_batches=32, min_windows=windows, max_windows=windows)
    measure_windows(recorder, time.forward, itertools.repeat(None), workload, guard, Shortest())
    return Result("ok", device="cuda", components=["gpu:0"], windows=recorder.windows)


@given(
    watts=st.lists(st.floats(1.0, 500.0), min_size=2, max_size=20),
    ends=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
)
def test_integral_is_numpys(watts: list[float], ends: tuple[float, float]) -> None:
    t_s = np.arange(float(len(watts)))
    start_s, end_s = (end * t_s[-1] for end in sorted(ends))
    made = Trace(t_s, {("cpu", "power_w"): np.array(watts)})
    within = t_s[(t_s > start_s) & (t_s < end_s)]
    times = np.concatenate([[start_s], within, [end_s]])
    expected = np.trapezoid(np.interp(times, t_s, watts), times)
    channel = ("cpu", "power_w")
    integral = made.integral(channel, end_s) - made.integral(channel, start_s)
    assert integral == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("end_s", "joules"), [(5.4, 500.0), (5.6, 550.0)])  # true: 500, 520
def test_counter_is_late_by_at_most_one_update(end_s: float, joules: float) -> None:
    time = Time()
    meter = replay(trace(gpu0_power_w=[(0, 100)]), time, interval_s=0.5)
    assert read(meter, time, 0.4, end_s)[("gpu:0", "energy_j")] == pytest.approx(joules)


def test_readings_state_their_errors() -> None:
    time = Time()
    meter = replay(trace(gpu0_power_w=[(0, 100)]), time, relative_error=0.05, interval_s=0.1)
    with meter, meter.window() as readings:
        time.now_s = 5.0
    (reading,) = readings
    assert (reading.source, reading.relative_error) == ("counter", 0.05)
    assert reading.resolution == pytest.approx(10.0)  # 100 W for one update


def test_levels_over_a_window() -> None:
    time = Time()
    made = trace(
        gpu0_utilization_pct=[(0, 0), (10, 100)],
        gpu0_temperature_c=[(0, 40), (5, 70), (10, 50)],
        gpu0_clock_mhz=[(0, 1000), (10, 2000)],
    )
    levels = read(replay(made, time), time, 0.0, 10.0)
    assert levels[("gpu:0", "utilization_pct")] == pytest.approx(50.0)
    assert levels[("gpu:0", "temperature_c")] == pytest.approx(70.0, abs=0.7)
    assert levels[("gpu:0", "clock_mhz")] == pytest.approx(1500.0)


def test_a_gpu_run_counts_its_own_gpu_only() -> None:
    made = trace(
        gpu0_power_w=[(0, 200)],
        gpu1_power_w=[(0, 50)],
        gpu0_utilization_pct=[(0, 90)],
        gpu1_utilization_pct=[(0, 5)],
    )
    result = gpu_run(made)
    measured = metrics.evaluate(result, hardware())
    assert measured["energy/gpu_per_image_j"] == pytest.approx(200 * 0.125, rel=0.03)
    assert measured["energy/per_image_j"] == measured["energy/gpu_per_image_j"]
    assert measured["utilization/gpu_pct"] == pytest.approx(90.0)
    assert energy.energy_source(result) == "gpu:counter"
    assert validity(result, ANY_MACHINE, NO_LIMITS) == ["replayed"]


def test_a_counter_that_was_reset_gives_way_to_sampled_power() -> None:
    counter_j = [(0, 1000.0), (7.5, 1750.0), (7.6, 0.0), (100, 9240.0)]
    result = gpu_run(trace(gpu0_counter_j=counter_j, gpu0_power_w=[(0, 100)]), kind="sampled")
    read = [{r.source for r in w.readings if r.quantity == "energy_j"} for w in result.windows]
    assert read == [{"counter", "sampled"}, {"sampled"}, *[{"counter", "sampled"}] * 2]
    assert energy.energy_source(result) == "gpu:sampled"
    measured = metrics.evaluate(result, hardware())
    assert measured["energy/gpu_per_image_j"] == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("true_by_counter", "doubts"),
    [pytest.param(1.05, ["replayed"], id="5 % apart"),
     pytest.param(1.2, ["energy_sources_disagree", "replayed"], id="20 % apart")],
)  # fmt: skip
def test_counter_and_power_are_held_against_each_other(
    true_by_counter: float, doubts: list[str]
) -> None:
    counter_j = [(0, 0.0), (100, 10000.0 / true_by_counter)]
    result = gpu_run(trace(gpu0_counter_j=counter_j, gpu0_power_w=[(0, 100)]), kind="sampled")
    assert validity(result, ANY_MACHINE, NO_LIMITS) == doubts


@pytest.mark.parametrize(
    ("channels", "doubt"),
    [
        pytest.param(
            {"gpu0_gpu_throttled_pct": [(0, 0), (8, 0), (9, 100), (10, 0)]},
            "gpu_throttled",
            id="heat for two seconds",
        ),
        pytest.param({"gpu0_other_gpu_processes": [(0, 1)]}, "gpu_shared", id="a neighbour"),
        pytest.param(
            {"gpu0_clock_mhz": [(0, 1900), (10, 1900), (10.1, 1400)]},
            "gpu_clock_changed",
            id="a lower clock",
        ),
    ],
)
def test_what_disturbed_the_gpu_is_said(channels: dict, doubt: str) -> None:
    made = trace(gpu0_power_w=[(0, 100)], **channels)
    assert validity(gpu_run(made), ANY_MACHINE, NO_LIMITS) == [doubt, "replayed"]
    other = {name.replace("gpu0_", "gpu1_", 1): points for name, points in channels.items()}
    beside = trace(gpu0_power_w=[(0, 100)], **other)
    assert validity(gpu_run(beside), ANY_MACHINE, NO_LIMITS) == ["replayed"]


def test_a_trace_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("t_s,gpu:0 power_w,cpu temperature_c\n0,10,40\n10,30,50\n")
    made = Trace.read(file)
    assert made.mean(("gpu:0", "power_w"), 0.0, 10.0) == pytest.approx(20.0)
    assert made.at(("cpu", "temperature_c"), 5.0) == pytest.approx(45.0)
    choice = {"_target_": "greenexp.meters.replay.Replay", "path": str(file)}
    assert isinstance(build(choice, "meters.replay"), Replay)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no file"),
        pytest.param("", id="empty"),
        pytest.param("time,gpu:0 power_w\n0,1\n", id="other header"),
        pytest.param("t_s,power\n0,1\n", id="no component"),
        pytest.param("t_s,gpu:0 power_w\n0,1\n0,2\n", id="time stands still"),
        pytest.param("t_s,gpu:0 power_w\n0,much\n", id="no number"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "trace.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadInput) as refused:
        Replay(path=str(file))
    assert "meters.replay.path" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_series_are_the_past_of_the_trace() -> None:
    time = Time()
    meter = replay(trace(gpu0_power_w=[(0, 10), (1, 20), (2, 30)]), time)
    with meter:
        time.now_s = 1.5
        (series,) = meter.series(origin_s=-1.0)
    assert list(series.t_s) == [1.0, 2.0]
    assert list(series.values) == [10.0, 20.0]
