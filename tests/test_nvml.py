"""The GPUs as NVML tells them, replayed by a fake of its Python binding."""

# ruff: noqa: N802 - the fake has NVML's names

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pynvml as real_pynvml
import pytest

from greenexp.meters.nvml import Nvml
from greenexp.protocols import Reading

if TYPE_CHECKING:
    from conftest import Clock

pytestmark = pytest.mark.usefixtures("no_sampler_left")

MIB = 2**20
A, B, C = (f"GPU-{letter * 8}-0000-0000-0000-000000000000" for letter in "abc")


class NVMLError(Exception):
    """NVML's answer to what it does not know."""


Trace = Sequence[tuple[float, float]]  # (s, value), straight lines between


@dataclass
class Gpu:
    """A GPU whose quantities follow traces; None: it does not tell."""

    uuid: str
    power_w: Trace | None = ((0, 100),)
    utilization_pct: Trace | None = ((0, 50),)
    temperature_c: Trace | None = ((0, 40),)
    memory_mib: Trace | None = ((0, 1024),)


class FakeNvml(ModuleType):
    """`pynvml` over a list of GPUs; `gpus` None: no driver."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = real_pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, clock: Clock, gpus: list[Gpu] | None) -> None:
        super().__init__("pynvml")
        self.clock = clock
        self.gpus = gpus

    def nvmlInit(self) -> None:
        if self.gpus is None:
            raise NVMLError("driver not loaded")

    def nvmlShutdown(self) -> None:
        """Forgets nothing."""

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        if not 0 <= index < len(self.gpus):
            raise NVMLError("invalid argument")
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Gpu:
        for gpu in self.gpus:
            if gpu.uuid == uuid:
                return gpu
        raise NVMLError("not found")

    def nvmlDeviceGetPowerUsage(self, gpu: Gpu) -> int:
        return round(1000 * self._now(gpu.power_w))

    def nvmlDeviceGetUtilizationRates(self, gpu: Gpu) -> SimpleNamespace:
        return SimpleNamespace(gpu=round(self._now(gpu.utilization_pct)), memory=0)

    def nvmlDeviceGetTemperature(self, gpu: Gpu, sensor: int) -> int:
        if sensor != self.NVML_TEMPERATURE_GPU:
            raise NVMLError("invalid argument")
        return round(self._now(gpu.temperature_c))

    def nvmlDeviceGetMemoryInfo(self, gpu: Gpu) -> SimpleNamespace:
        return SimpleNamespace(used=round(self._now(gpu.memory_mib) * MIB))

    def _now(self, trace: Trace | None) -> float:
        if trace is None:
            raise NVMLError("not supported")
        times_s, values = zip(*trace, strict=True)
        return float(np.interp(self.clock.now_s, times_s, values))


Install = Callable[..., FakeNvml]


@pytest.fixture
def nvml(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts the fake, holding the GPUs given, in the place of `pynvml`."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def install(*gpus: Gpu, driver: bool = True) -> FakeNvml:
        fake = FakeNvml(clock, list(gpus) if driver else None)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        return fake

    return install


def measured(
    clock: Clock, *, interval_s: float = 0.07, from_s: float, to_s: float
) -> list[Reading]:
    """The readings of one window; the meter is on before and after it."""
    with Nvml(interval_s) as meter:
        clock.run_to(from_s)
        with meter.window() as readings:
            clock.run_to(to_s)
            assert list(readings) == []
        clock.run_to(to_s + 3.0)
    return list(readings)


def value(readings: list[Reading], quantity: str, component: str = "gpu:0") -> float:
    (found,) = [one for one in readings if (one.quantity, one.component) == (quantity, component)]
    assert (found.source, found.meter) == ("sampled", "nvml")
    return found.value


def components(readings: list[Reading]) -> set[str]:
    return {reading.component for reading in readings}


def test_fake_has_the_names_of_the_real_binding(nvml: Install) -> None:
    names = {name for name in vars(FakeNvml) if name.lower().startswith("nvml")}
    assert len(names) == 11
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


def test_power_over_no_time_is_no_energy(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A))
    readings = measured(clock, from_s=1.0, to_s=1.0)
    assert {reading.quantity for reading in readings} == {
        "utilization_pct",
        "temperature_c",
        "memory_mib",
    }
    assert value(readings, "utilization_pct") == 50


@pytest.mark.parametrize(
    ("untold", "absent"),
    [
        pytest.param("power_w", "energy_j", id="power"),
        pytest.param("utilization_pct", "utilization_pct", id="utilization"),
        pytest.param("temperature_c", "temperature_c", id="temperature"),
        pytest.param("memory_mib", "memory_mib", id="memory"),
    ],
)
def test_quantity_a_gpu_does_not_tell_is_absent(
    nvml: Install, clock: Clock, untold: str, absent: str
) -> None:
    nvml(Gpu(A), Gpu(B, **{untold: None}))
    readings = measured(clock, from_s=0.0, to_s=2.0)
    told = {(reading.quantity, reading.component) for reading in readings}
    every = {"energy_j", "utilization_pct", "temperature_c", "memory_mib"}
    assert told == {(name, "gpu:0") for name in every} | {
        (name, "gpu:1") for name in every - {absent}
    }


def test_zero_power_is_a_reading(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A, power_w=[(0, 0)]))
    assert value(measured(clock, from_s=0.0, to_s=1.0), "energy_j") == 0


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        pytest.param(None, [A, B, C], id="unset"),
        pytest.param("", [], id="empty"),
        pytest.param("1", [B], id="index"),
        pytest.param("2,0", [C, A], id="indices_in_their_order"),
        pytest.param(" 2 , 1 ", [C, B], id="spaces"),
        pytest.param(B, [B], id="uuid"),
        pytest.param(f"{C},{A}", [C, A], id="uuids_in_their_order"),
        pytest.param("-1", [], id="minus_one_hides_all"),
        pytest.param("0,-1,2", [A], id="nothing_after_an_invalid_index"),
        pytest.param("1,7", [B], id="an_index_that_is_not_there"),
    ],
)
def test_gpus_are_numbered_as_cuda_sees_them(
    nvml: Install,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    visible: str | None,
    seen: list[str],
) -> None:
    watts = {A: 100, B: 200, C: 300}
    nvml(*(Gpu(uuid, power_w=[(0, power_w)]) for uuid, power_w in watts.items()))
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    readings = measured(clock, from_s=0.0, to_s=1.0)
    assert components(readings) == {f"gpu:{index}" for index in range(len(seen))}
    for index, uuid in enumerate(seen):
        assert value(readings, "energy_j", f"gpu:{index}") == pytest.approx(watts[uuid])


def test_no_driver_means_no_readings(nvml: Install, clock: Clock) -> None:
    nvml(driver=False)
    with Nvml(interval_s=0.1) as meter:
        with meter.window() as readings:
            clock.run_to(1.0)
        assert list(meter.series(0.0)) == []
    assert list(readings) == []


def test_driver_without_a_gpu_means_no_readings(nvml: Install, clock: Clock) -> None:
    nvml()
    assert measured(clock, from_s=0.0, to_s=1.0) == []


def test_series_holds_each_quantity_of_each_gpu(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A, power_w=[(0, 0), (10, 100)]), Gpu(B, temperature_c=None))
    clock.run_to(4.0)
    with Nvml(interval_s=0.5) as meter:
        clock.run_to(5.0)
        series = {(one.quantity, one.component): one for one in meter.series(origin_s=4.0)}
    assert len(series) == 4 + 3
    power = series["power_w", "gpu:0"]
    assert (power.source, power.meter) == ("sampled", "nvml")
    assert power.t_s == pytest.approx([0.5, 1.0])
    assert power.values == pytest.approx([45.0, 50.0])


def test_sampling_ends_where_the_body_raises(nvml: Install, clock: Clock) -> None:
    nvml(Gpu(A))
    with pytest.raises(KeyError), Nvml(interval_s=0.1) as meter, meter.window():
        raise KeyError
    # no_sampler_left checks that the thread has ended


@pytest.mark.parametrize("interval_s", [0.0, -0.1, float("nan")])
def test_interval_is_checked(
    interval_s: float, refusal: Callable[[Callable[[], object]], str]
) -> None:
    assert "meters.nvml.interval_s" in refusal(lambda: Nvml(interval_s))
