"""The linear estimate of the CPU's energy, marked as a model."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.meters.cpu_estimate import CpuEstimate
from greenexp.meters.processor import CpuTime
from greenexp.protocols import Reading, Shortest

if TYPE_CHECKING:
    from tests.support.clock import Clock

pytestmark = pytest.mark.usefixtures("no_sampler_left")

THREADS = 8
CPU = "AMD EPYC 7R13 Processor"
PER_THREAD = {"idle_w_per_thread": 0.5, "rated_w_per_thread": 3.0}  # 4 W and 24 W of 8 threads
WHOLE = {"idle_w": 40.0, "rated_w": 140.0}


@pytest.fixture
def system(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A CPU of 8 threads, idle until `busy` is set; its clock goes on from there."""
    state = SimpleNamespace(busy=0.0, busy_s=0.0, at_s=0.0)

    def cpu_time() -> CpuTime:
        state.busy_s += state.busy * THREADS * (clock.now_s - state.at_s)
        state.at_s = clock.now_s
        return CpuTime(busy_s=state.busy_s, total_s=THREADS * clock.now_s)

    monkeypatch.setattr("greenexp.meters.cpu_estimate.time", clock)
    monkeypatch.setattr("greenexp.meters.cpu_estimate.cpu_time", cpu_time)
    monkeypatch.setattr("greenexp.meters.cpu_estimate.cpu_name", lambda: CPU)
    monkeypatch.setattr("psutil.cpu_count", lambda logical: THREADS if logical else None)
    return state


def estimate(**options: Any) -> CpuEstimate:
    return CpuEstimate(**{"interval_s": 0.5, **PER_THREAD, **options})


@pytest.mark.parametrize(
    ("busy", "expected_w"),
    [
        pytest.param(0.0, 40.0, id="idle"),
        pytest.param(0.5, 90.0, id="half"),
        pytest.param(1.0, 140.0, id="full"),
    ],
)
def test_window_holds_power_at_its_utilization_times_its_seconds(
    system: SimpleNamespace, clock: Clock, busy: float, expected_w: float
) -> None:
    meter = estimate(**WHOLE)
    assert meter.power_w(busy) == expected_w
    with meter:
        clock.run_to(1.0)
        with meter.window() as readings:
            system.busy = busy
            clock.run_to(5.0)
    (reading,) = readings
    assert reading == Reading(
        "energy_j", "cpu", pytest.approx(expected_w * 4.0), "model", "cpu_estimate"
    )


def test_short_window_counts_the_time_of_this_process(
    system: SimpleNamespace, clock: Clock
) -> None:
    # Ticks of the system are too coarse for it; what others take is not in it.
    system.busy = 1.0
    with estimate(**WHOLE) as meter, meter.window() as readings:
        clock.run_to(0.05)
        clock.process_s += 0.05 * THREADS / 4  # a quarter of the CPU
    assert readings[0].value == pytest.approx(meter.power_w(0.25) * 0.05)


def test_energy_of_a_window_is_that_of_its_mean_utilization(
    system: SimpleNamespace, clock: Clock
) -> None:
    with estimate(**WHOLE) as meter, meter.window() as readings:
        system.busy = 1.0
        clock.run_to(1.0)
        system.busy = 0.0
        clock.run_to(4.0)
    assert readings[0].value == pytest.approx(140.0 + 3 * 40.0)


@pytest.mark.parametrize(
    ("options", "idle_w", "rated_w"),
    [
        pytest.param({}, 4.0, 24.0, id="nothing_known"),
        pytest.param(WHOLE, 40.0, 140.0, id="whole_for_any_cpu"),
        pytest.param({**WHOLE, "cpu": "EPYC 7R13"}, 40.0, 140.0, id="whole_for_this_cpu"),
        pytest.param({**WHOLE, "cpu": "epyc 7r13"}, 40.0, 140.0, id="whatever_its_case"),
        pytest.param({**WHOLE, "cpu": "Xeon 8488C"}, 4.0, 24.0, id="another_cpu"),
        pytest.param({**WHOLE, "cpu": "EPYC 7R1"}, 4.0, 24.0, id="only_part_of_a_word"),
        pytest.param({"idle_w": 40.0}, 4.0, 24.0, id="idle_alone"),
        pytest.param({"rated_w": 140.0}, 4.0, 24.0, id="rated_alone"),
        pytest.param({"idle_w": 0.0, "rated_w": 140.0}, 0.0, 140.0, id="zero_is_a_figure"),
    ],
)
def test_figures_of_another_cpu_fall_back_to_those_per_thread(
    system: SimpleNamespace, options: dict[str, Any], idle_w: float, rated_w: float
) -> None:
    meter = estimate(**options)
    assert (meter.power_w(0.0), meter.power_w(1.0)) == (idle_w, rated_w)


@pytest.mark.parametrize("relative_error", [None, 0.5])
def test_reading_states_the_bound_given(
    system: SimpleNamespace, clock: Clock, relative_error: float | None
) -> None:
    with estimate(relative_error=relative_error) as meter, meter.window() as readings:
        clock.run_to(1.0)
    assert [reading.relative_error for reading in readings] == [relative_error]


def test_any_window_is_long_enough(system: SimpleNamespace) -> None:
    assert estimate().shortest_window("cuda") == estimate().shortest_window("cpu") == Shortest()


def test_series_is_power_over_time_from_the_model(system: SimpleNamespace, clock: Clock) -> None:
    with estimate(**WHOLE) as meter:
        clock.run_to(1.0)
        system.busy = 1.0
        clock.run_to(2.0)
        (series,) = meter.series(origin_s=0.0)
    assert (series.quantity, series.component) == ("power_w", "cpu")
    assert (series.source, series.meter) == ("model", "cpu_estimate")
    assert series.t_s == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert series.values == pytest.approx([40.0, 40.0, 140.0, 140.0])


def test_window_in_which_no_cpu_time_passed_is_not_measured(
    system: SimpleNamespace, clock: Clock
) -> None:
    with estimate() as meter, meter.window() as readings:
        pass
    assert list(readings) == []


def test_sampling_ends_where_the_body_raises(system: SimpleNamespace, clock: Clock) -> None:
    with pytest.raises(KeyError), estimate() as meter, meter.window():
        raise KeyError
    # no_sampler_left checks that the thread has ended


def test_series_before_it_is_on_is_empty() -> None:
    assert list(estimate().series(0.0)) == []


@pytest.mark.parametrize(
    "option",
    [
        pytest.param({"interval_s": 0.0}, id="interval"),
        pytest.param({"idle_w_per_thread": -0.1}, id="idle_per_thread"),
        pytest.param({"rated_w_per_thread": 0.0}, id="rated_per_thread"),
        pytest.param({"idle_w": -1.0}, id="idle"),
        pytest.param({"rated_w": 0.0}, id="rated"),
        pytest.param({"rated_w": float("inf")}, id="infinite"),
        pytest.param({"relative_error": -0.1}, id="error"),
    ],
)
def test_options_are_checked(
    option: dict[str, float], refusal: Callable[[Callable[[], object]], str]
) -> None:
    (name,) = option
    assert f"meters.cpu_estimate.{name}" in refusal(lambda: estimate(**option))
