"""What the meter makes of a GPU's quantities over time, on a clock of the test's own.

A fake of NVML's Python binding replays them; test_nvml_library.py shows the real binding.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pynvml as real_pynvml
import pytest

from greenexp.meters.nvml import Nvml
from greenexp.protocols import Reading
from tests.support.nvml_binding import A, B, C, FakeNvml, Gpu, Install, measured

if TYPE_CHECKING:
    from tests.support.clock import Clock

pytestmark = pytest.mark.usefixtures("no_sampler_left")

QUANTITIES = {
    "energy_j",
    "utilization_pct",
    "temperature_c",
    "memory_mib",
    "clock_mhz",
    "gpu_throttled_pct",
    "other_gpu_processes",
}


def value(readings: list[Reading], quantity: str, component: str = "gpu:0") -> float:
    (reading,) = [
        reading
        for reading in readings
        if (reading.quantity, reading.component) == (quantity, component)
    ]
    assert (reading.source, reading.meter) == ("sampled", "nvml")
    return reading.value


def test_fake_has_the_names_of_the_real_binding(nvml: Install) -> None:
    names = {name for name in vars(FakeNvml) if name.lower().startswith("nvml")}
    assert len(names) == 18
    assert names <= set(dir(real_pynvml))


def test_joules_are_the_area_under_the_power(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A, power_w=[(0, 50), (2, 50), (4, 300), (8, 300), (9, 50), (20, 50)]))
    readings = measured(clock, from_s=1.0, to_s=9.5)
    # flat 50 J, up 2 s x 175 W, top 4 s x 300 W, down 1 s x 175 W, flat 25 J
    assert value(readings, "energy_j") == pytest.approx(50 + 350 + 1200 + 175 + 25, rel=0.005)


@pytest.mark.parametrize("interval_s", [0.03, 0.1, 1.0, 60.0])
def test_joules_of_constant_power_are_exact_at_any_interval(
    nvml: Install, clock: Clock, interval_s: float
) -> None:
    nvml(Gpu(A, power_w=[(0, 120)]))
    readings = measured(clock, interval_s=interval_s, from_s=0.35, to_s=2.85)
    assert value(readings, "energy_j") == pytest.approx(120 * 2.5)


def test_utilization_is_the_mean_over_time(nvml: Install, clock: Clock) -> None:
    # 0 % before the window, then up to 90 % for the second half, 100 % after it
    nvml(Gpu(A, utilization_pct=[(1, 0), (3, 0), (3.0001, 90), (5, 90), (5.0001, 100)]))
    readings = measured(clock, interval_s=0.05, from_s=1.0, to_s=5.0)
    assert value(readings, "utilization_pct") == pytest.approx(45.0, rel=0.02)


def test_temperature_and_memory_are_the_highest_inside_the_window(
    nvml: Install, clock: Clock
) -> None:
    nvml(
        Gpu(
            A,
            temperature_c=[(0, 90), (1, 90), (2, 40), (4, 70), (6, 40), (8, 95)],
            memory_mib=[(0, 8000), (1, 8000), (1.5, 500), (4, 2500), (5, 1000), (7, 9000)],
        )
    )
    readings = measured(clock, interval_s=0.25, from_s=2.0, to_s=6.0)
    assert value(readings, "temperature_c") == 70
    assert value(readings, "memory_mib") == pytest.approx(5000, abs=1)  # 1000 to 9000 in 2 s: at 6


def test_power_of_a_part_of_the_window_is_no_energy(nvml: Install, clock: Clock) -> None:
    fake = nvml(Gpu(A), Gpu(B), Gpu(C))
    power_w = fake.gpus[2].power_w
    fake.gpus[2].power_w = None
    with Nvml(interval_s=0.1) as meter, meter.window() as readings:
        clock.run_to(1.0)
        fake.gpus[1].power_w = None  # lost in the middle
        fake.gpus[2].power_w = power_w  # there from the middle on
        clock.run_to(2.0)
    joules = {r.component: r.value for r in readings if r.quantity == "energy_j"}
    assert joules == {"gpu:0": pytest.approx(200)}
    assert value(list(readings), "utilization_pct", "gpu:1") == pytest.approx(50)


def test_power_over_no_time_is_no_energy(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A))
    readings = measured(clock, from_s=1.0, to_s=1.0)
    assert {reading.quantity for reading in readings} == QUANTITIES - {"energy_j"}
    assert value(readings, "utilization_pct") == 50


def test_clock_is_the_mean_over_time(nvml: Install, clock: Clock) -> None:
    # 900 MHz before the window, 1200 in its first quarter, 1600 from there on
    nvml(Gpu(A, clock_mhz=[(0.9, 900), (1, 1200), (2, 1200), (2.0001, 1600)]))
    readings = measured(clock, interval_s=0.05, from_s=1.0, to_s=5.0)
    assert value(readings, "clock_mhz") == pytest.approx((1200 + 3 * 1600) / 4, rel=0.01)


@pytest.mark.parametrize(
    ("reason", "slows"),
    [
        pytest.param("nvmlClocksThrottleReasonHwSlowdown", True, id="hardware"),
        pytest.param("nvmlClocksThrottleReasonSwThermalSlowdown", True, id="heat_by_driver"),
        pytest.param("nvmlClocksThrottleReasonHwThermalSlowdown", True, id="heat"),
        pytest.param("nvmlClocksThrottleReasonHwPowerBrakeSlowdown", True, id="power_brake"),
        pytest.param("nvmlClocksThrottleReasonGpuIdle", False, id="idle"),
        pytest.param("nvmlClocksThrottleReasonSwPowerCap", False, id="power_limit"),
        pytest.param("nvmlClocksThrottleReasonApplicationsClocksSetting", False, id="clock_set"),
    ],
)
def test_throttled_is_the_share_of_time_slowed_by_heat_or_a_brake(
    nvml: Install, clock: Clock, reason: str, slows: bool
) -> None:
    mask = getattr(real_pynvml, reason) | real_pynvml.nvmlClocksThrottleReasonSwPowerCap
    edge_s = 1e-6
    nvml(Gpu(A, slowdowns=[(2, 0), (2 + edge_s, mask), (3, mask), (3 + edge_s, 0)]))
    readings = measured(clock, interval_s=0.03, from_s=1.0, to_s=5.0)
    expected = 25.0 if slows else 0.0
    assert value(readings, "gpu_throttled_pct") == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize(
    ("computing", "most", "others"),
    [
        pytest.param(True, 0, 0, id="none_listed"),
        pytest.param(True, 1, 0, id="the_run_alone"),
        pytest.param(True, 3, 2, id="two_beside_it"),
        pytest.param(False, 1, 1, id="one_before_the_run_uses_the_gpu"),
    ],
)
def test_other_processes_are_the_most_beside_this_one(
    nvml: Install,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    computing: bool,
    most: int,
    others: int,
) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: computing)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    nvml(Gpu(A, processes=[(0, 9), (0.9, 9), (1, 0), (2, 0), (3, most), (4, 0), (5, 0), (5.1, 9)]))
    readings = measured(clock, interval_s=0.25, from_s=1.0, to_s=5.0)
    assert value(readings, "other_gpu_processes") == others


def test_run_is_no_process_of_the_gpu_beside_it(
    nvml: Install, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    nvml(Gpu(A, processes=[(0, 1)]), Gpu(B, processes=[(0, 1)]))
    readings = measured(clock, from_s=0.0, to_s=1.0)
    others = [value(readings, "other_gpu_processes", f"gpu:{index}") for index in (0, 1)]
    assert others == [0, 1]


def test_each_gpu_is_read_by_itself(nvml: Install, clock: Clock) -> None:
    brake = real_pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
    nvml(
        Gpu(A, power_w=[(0, 100)], clock_mhz=[(0, 1000)], processes=[(0, 1)]),
        Gpu(B, power_w=[(0, 300)], clock_mhz=[(0, 2000)], slowdowns=[(0, brake)]),
        Gpu(C, power_w=[(0, 50)], utilization_pct=[(0, 7)], processes=[(0, 4)]),
    )
    readings = measured(clock, from_s=1.0, to_s=3.0)
    assert len(readings) == 3 * len(QUANTITIES)
    by_gpu = {
        name: [value(readings, name, f"gpu:{index}") for index in range(3)] for name in QUANTITIES
    }
    assert by_gpu == {
        "energy_j": pytest.approx([200, 600, 100]),
        "utilization_pct": pytest.approx([50, 50, 7]),
        "temperature_c": [40, 40, 40],
        "memory_mib": [1024, 1024, 1024],
        "clock_mhz": pytest.approx([1000, 2000, 1500]),
        "gpu_throttled_pct": pytest.approx([0, 100, 0]),
        "other_gpu_processes": [1, 1, 4],  # this process computes on none of them
    }


@pytest.mark.parametrize("relative_error", [None, 0.05])
def test_joules_alone_state_the_error_of_the_power_sensor(
    nvml: Install, clock: Clock, relative_error: float | None
) -> None:
    nvml(Gpu(A))
    with Nvml(0.1, relative_error) as meter, meter.window() as readings:
        clock.run_to(1.0)
    stated = {reading.quantity: reading.relative_error for reading in readings}
    assert stated == dict.fromkeys(QUANTITIES, None) | {"energy_j": relative_error}


def test_zero_power_is_a_reading(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A, power_w=[(0, 0)]))
    assert value(measured(clock, from_s=0.0, to_s=1.0), "energy_j") == 0


def test_series_holds_each_quantity_of_each_gpu(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A, power_w=[(0, 0), (10, 100)]), Gpu(B, temperature_c=None))
    clock.run_to(4.0)
    with Nvml(interval_s=0.5) as meter:
        clock.run_to(5.0)
        series = {(curve.quantity, curve.component): curve for curve in meter.series(origin_s=4.0)}
    assert len(series) == 7 + 6
    power = series["power_w", "gpu:0"]
    assert (power.source, power.meter) == ("sampled", "nvml")
    assert power.t_s == pytest.approx([0.5, 1.0])
    assert power.values == pytest.approx([45.0, 50.0])
