"""Utilization, memory and temperature as the operating system tells them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from greenexp.meters.machine import Machine
from greenexp.meters.processor import CpuTime
from greenexp.protocols import Reading

if TYPE_CHECKING:
    from tests.support.clock import Clock

pytestmark = pytest.mark.usefixtures("no_sampler_left")

MIB = 2**20
THREADS = 4


@pytest.fixture
def system(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine of 4 threads: a quarter busy, 100 MiB in use, no temperature sensor."""
    state = SimpleNamespace(busy=0.25, rss_mib=lambda: 100.0, sensors={})
    memory = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=state.rss_mib() * MIB))
    psutil = SimpleNamespace(Process=lambda: memory, sensors_temperatures=lambda: state.sensors)

    def cpu_time() -> CpuTime:
        total_s = 1000 + THREADS * clock.now_s
        return CpuTime(busy_s=state.busy * total_s, total_s=total_s)

    monkeypatch.setattr("greenexp.meters.machine.psutil", psutil)
    monkeypatch.setattr("greenexp.meters.machine.cpu_time", cpu_time)
    return state


def by_quantity(readings: list[Reading]) -> dict[tuple[str, str], float]:
    assert {(reading.source, reading.meter) for reading in readings} <= {("sampled", "machine")}
    values = {(reading.quantity, reading.component): reading.value for reading in readings}
    assert len(values) == len(readings)
    return values


def test_window_holds_mean_utilization_and_most_memory(
    system: SimpleNamespace, clock: Clock
) -> None:
    system.rss_mib = lambda: 900.0 if clock.now_s < 1 else 100.0 + 50.0 * (2 <= clock.now_s < 3)
    with Machine(interval_s=0.1) as machine:
        clock.run_to(1.5)
        with machine.window() as readings:
            assert list(readings) == []
            clock.run_to(4.0)
    assert by_quantity(readings) == pytest.approx(
        {("utilization_pct", "cpu"): 25.0, ("memory_mib", "process"): 150.0}
    )


def test_window_shorter_than_the_interval_is_read_at_its_ends(
    system: SimpleNamespace, clock: Clock
) -> None:
    system.rss_mib = lambda: 100.0 + clock.now_s
    with Machine(interval_s=60.0) as machine, machine.window() as readings:
        clock.run_to(2.0)
    assert by_quantity(readings)["memory_mib", "process"] == 102.0


def test_utilization_is_absent_where_no_cpu_time_has_passed(
    system: SimpleNamespace, clock: Clock
) -> None:
    with Machine(interval_s=1.0) as machine, machine.window() as readings:
        pass
    assert by_quantity(readings) == {("memory_mib", "process"): 100.0}


def test_temperature_is_the_hottest_cpu_sensor_over_the_window(
    system: SimpleNamespace, clock: Clock
) -> None:
    def reading(current: float) -> SimpleNamespace:
        return SimpleNamespace(current=current)

    system.sensors = {"coretemp": [reading(61.0), reading(64.5)], "nvme": [reading(90.0)]}
    with Machine(interval_s=0.5) as machine, machine.window() as readings:
        clock.run_to(1.0)
        system.sensors = {"coretemp": [reading(50.0)]}
        clock.run_to(2.0)
    assert by_quantity(readings)["temperature_c", "cpu"] == 64.5


def test_temperature_is_absent_on_systems_that_can_t_tell(
    system: SimpleNamespace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("greenexp.meters.machine.psutil.sensors_temperatures")
    with Machine(interval_s=0.5) as machine, machine.window() as readings:
        clock.run_to(1.0)
    assert ("temperature_c", "cpu") not in by_quantity(readings)


def test_series_follows_utilization_and_memory(system: SimpleNamespace, clock: Clock) -> None:
    clock.run_to(10.0)
    with Machine(interval_s=0.5) as machine:
        clock.run_to(11.0)
        series = {curve.quantity: curve for curve in machine.series(origin_s=10.0)}
    assert set(series) == {"memory_mib", "utilization_pct"}
    assert series["utilization_pct"].t_s == pytest.approx([0.5, 1.0])
    assert series["utilization_pct"].values == pytest.approx([25.0, 25.0])
    assert series["memory_mib"].component == "process"


def test_series_before_it_is_on_is_empty() -> None:
    assert list(Machine(interval_s=1.0).series(0.0)) == []


def test_window_outside_its_context_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="outside its context"), Machine(1.0).window():
        pass


def test_sampling_ends_where_the_body_raises(system: SimpleNamespace, clock: Clock) -> None:
    with pytest.raises(KeyError), Machine(interval_s=0.5) as machine, machine.window():
        raise KeyError
    # no_sampler_left checks that the thread has ended


def test_real_system_tells_utilization_and_memory() -> None:
    import psutil

    before = psutil.Process().memory_info().rss / MIB
    with Machine(interval_s=0.01) as machine, machine.window() as readings:
        start = psutil.cpu_times()
        while sum(psutil.cpu_times()) - sum(start) < 0.1:  # clocks of 10 ms
            sum(range(10_000))
    values = by_quantity(readings)
    assert 0.0 <= values["utilization_pct", "cpu"] <= 100.0
    assert values["memory_mib", "process"] == pytest.approx(before, rel=0.5)


@pytest.mark.parametrize("interval_s", [0.0, -1.0, float("nan"), float("inf")])
def test_interval_is_checked(
    interval_s: float, refusal: Callable[[Callable[[], object]], str]
) -> None:
    assert "meters.machine.interval_s" in refusal(lambda: Machine(interval_s))
