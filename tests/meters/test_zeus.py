"""Energy counters by Zeus, whose monitor is replaced by one that replays its measurements.

RAPL's counters and NVML's are read through the real monitor in test_rapl.py and
test_nvml_library.py; the fake stands for what this machine can't simulate (AMD, Apple, Jetson) and
for windows of an exact length.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import zeus.monitor as zeus_monitor
from zeus.device.soc.apple import AppleSiliconMeasurement
from zeus.device.soc.jetson import JetsonMeasurement
from zeus.exception import ZeusBaseError
from zeus.monitor.energy import Measurement

from greenexp.meters.zeus import Zeus, unwrapped_j
from greenexp.protocols import Availability, Reading, Shortest

Joules = dict[int, float] | None

GPU_LATE_S, CPU_LATE_S = 0.1, 0.001  # refresh of NVML's counter, and of RAPL's
GPU_ERROR, CPU_ERROR = 0.05, 0.1


class NVIDIAGPUs(SimpleNamespace):
    """Zeus's object of the GPUs, by its name."""

    def __len__(self) -> int:
        return self.count

    def supports_get_total_energy_consumption(self, index: int) -> bool:
        return index in self.counting

    def get_name(self, index: int) -> str:
        return f"GPU model {index}"


class AMDGPUs(NVIDIAGPUs):
    """The same of AMD's, which tell their average power only."""

    def get_instant_power_usage(self, index: int) -> int:
        raise ZeusBaseError("not supported")

    def get_average_power_usage(self, index: int) -> int:
        return 1000 * (100 + index)


class CPUs(SimpleNamespace):
    """Zeus's object of the packages; the memory of some has a counter."""

    @property
    def cpus(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                supports_get_dram_energy_consumption=lambda index=index: index in self.dram
            )
            for index in self.packages
        ]

    def __len__(self) -> int:
        return len(self.packages)


@dataclass
class Device:
    """What a machine measures in a window, in J by index; `counting` have an energy counter.

    A window lasts `seconds`. `lost` of "gpu" and "cpu" raise when they are read.
    """

    gpu: dict[int, float] = field(default_factory=dict)
    cpu: Joules = None
    dram: Joules = None
    soc: object = None
    counting: tuple[int, ...] = ()
    amd: bool = False
    seconds: float = 2.0
    lost: tuple[str, ...] = ()
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def monitor(
        self, gpu_indices: Sequence[int] | None = None, cpu_indices: Sequence[int] | None = None
    ) -> Monitor:
        return Monitor(
            self,
            list(self.gpu) if gpu_indices is None else list(gpu_indices),
            list(self.cpu or {}) if cpu_indices is None else list(cpu_indices),
        )


@dataclass
class Monitor:
    """ZeusMonitor over some of a device's GPUs and packages."""

    device: Device
    gpu_indices: list[int]
    cpu_indices: list[int]

    @property
    def gpus(self) -> Any:
        kind = AMDGPUs if self.device.amd else NVIDIAGPUs
        return kind(count=len(self.device.gpu), counting=self.device.counting)

    @property
    def cpus(self) -> CPUs:
        return CPUs(packages=list(self.device.cpu or {}), dram=list(self.device.dram or {}))

    @property
    def soc(self) -> object:
        return self.device.soc

    @property
    def soc_is_present(self) -> bool:
        return self.device.soc is not None

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        self._read()
        assert key not in self.device.opened
        self.device.opened.append(key)

    def end_window(self, key: str, sync_execution: bool = True) -> Measurement:
        assert key in self.device.opened
        self.device.closed.append(key)
        self._read()
        device = self.device
        return Measurement(
            time=device.seconds,
            gpu_energy={index: device.gpu[index] for index in self.gpu_indices},
            cpu_energy={index: (device.cpu or {})[index] for index in self.cpu_indices} or None,
            dram_energy=device.dram if self.cpu_indices else None,
            soc_energy=device.soc,
        )

    def _read(self) -> None:
        if ("gpu" in self.device.lost and self.gpu_indices) or (
            "cpu" in self.device.lost and self.cpu_indices
        ):
            raise ZeusBaseError("the counter can't be read")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Device]:
    """Makes `zeus.monitor.ZeusMonitor(…)` the monitor of a device with these joules."""
    monkeypatch.setattr("greenexp.meters.zeus.QUIET_S", 0.0)

    def replace(**joules: Any) -> Device:
        device = Device(**joules)
        monkeypatch.setattr(zeus_monitor, "ZeusMonitor", device.monitor)
        return device

    return replace


def measured() -> list[Reading]:
    with Zeus(GPU_ERROR, CPU_ERROR) as zeus:
        with zeus.window() as readings:
            assert list(readings) == []
        return list(readings)


def energy(component: str, joules: float, source: str = "counter", seconds: float = 2.0) -> Reading:
    """A reading with the bounds that `measured` gives it."""
    gpu = component.startswith("gpu")
    error, late_s = (GPU_ERROR, GPU_LATE_S) if gpu else (CPU_ERROR, CPU_LATE_S)
    resolution = pytest.approx(joules / seconds * late_s)
    return Reading("energy_j", component, joules, source, "zeus", error, resolution)


@pytest.mark.parametrize(
    ("joules", "expected"),
    [
        pytest.param({}, [], id="nothing_there"),
        pytest.param({"gpu": {0: 12.5}, "counting": (0,)}, [energy("gpu:0", 12.5)], id="counter"),
        pytest.param({"gpu": {0: 12.5}}, [], id="without_a_counter_it_is_the_nvml_meters"),
        pytest.param(
            {"gpu": {0: 1.0, 1: 2.0}, "counting": (1,)},
            [energy("gpu:1", 2.0)],
            id="counter_beside_a_gpu_without",
        ),
        pytest.param(
            {"gpu": {0: 3.0}, "counting": (0,), "amd": True}, [energy("gpu:0", 3.0)], id="amd"
        ),
        pytest.param(
            {"cpu": {0: 3.0, 1: 4.0}}, [energy("cpu:0", 3.0), energy("cpu:1", 4.0)], id="packages"
        ),
        pytest.param(
            {"cpu": {0: 3.0}, "dram": {0: 0.5}},
            [energy("cpu:0", 3.0), energy("dram:0", 0.5)],
            id="cpu_and_dram",
        ),
        pytest.param({"cpu": None, "dram": None}, [], id="none_is_absent"),
        pytest.param(
            {"gpu": {0: 0.0}, "cpu": {0: 0.0}, "dram": {0: 0.0}, "counting": (0,)},
            [],
            id="zero_is_absent",
        ),
        pytest.param({"gpu": {0: -1.0}, "counting": (0,)}, [], id="a_counter_that_went_back"),
        pytest.param(
            {"gpu": {0: -1.0, 1: 2.0}, "cpu": {0: -3.0}, "dram": {0: 0.5}, "counting": (0, 1)},
            [energy("gpu:1", 2.0), energy("dram:0", 0.5)],
            id="counters_that_were_reset_beside_others",
        ),
        pytest.param(
            {"gpu": {0: 12.5}, "cpu": {0: 8.0}, "counting": (0,), "seconds": 10.0},
            [energy("gpu:0", 12.5, seconds=10.0), energy("cpu:0", 8.0, seconds=10.0)],
            id="a_longer_window_is_resolved_better",
        ),
        pytest.param(
            {"gpu": {0: 0.0, 1: 2.0}, "counting": (0, 1)},
            [energy("gpu:1", 2.0)],
            id="zero_beside_a_reading",
        ),
    ],
)
def test_window_holds_the_joules_that_were_measured(
    install: Callable[..., Device], joules: dict[str, object], expected: list[Reading]
) -> None:
    install(**joules)
    assert measured() == expected


@pytest.mark.parametrize("seconds", [0.1, 0.01, 0.0])
def test_window_shorter_than_a_refresh_is_all_lateness(
    install: Callable[..., Device], seconds: float
) -> None:
    install(gpu={0: 12.5}, counting=(0,), seconds=seconds)
    (reading,) = measured()
    assert reading.resolution == pytest.approx(reading.value)


def test_errors_that_are_not_stated_are_none(install: Callable[..., Device]) -> None:
    install(gpu={0: 1.0}, cpu={0: 1.0}, counting=(0,))
    with Zeus() as zeus, zeus.window() as readings:
        pass
    assert [reading.relative_error for reading in readings] == [None, None]


@pytest.mark.parametrize("field", ["gpu_relative_error", "cpu_relative_error"])
@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_errors_are_checked(
    field: str, value: float, refusal: Callable[[Callable[[], object]], str]
) -> None:
    assert f"meters.zeus.{field}" in refusal(lambda: Zeus(**{field: value}))


@pytest.mark.parametrize(
    ("gpus", "device", "shortest"),
    [
        pytest.param({0: 1.0}, "cuda", Shortest(seconds=5.0, batches=32), id="run_on_a_gpu"),
        pytest.param({0: 1.0}, "cpu", Shortest(), id="run_beside_a_gpu"),
        pytest.param({}, "cuda", Shortest(), id="gpu_that_zeus_does_not_see"),
    ],
)
def test_shortest_window_is_the_gpu_counters(
    install: Callable[..., Device], gpus: dict[int, float], device: str, shortest: Shortest
) -> None:
    install(gpu=gpus, counting=tuple(gpus))
    with Zeus() as zeus:
        assert zeus.shortest_window(device) == shortest


def window_of(device: Device, zeus: Zeus) -> AbstractContextManager[Sequence[Reading]]:
    """A window, without what the meter opened to get ready."""
    device.opened.clear()
    device.closed.clear()
    return zeus.window()


def test_windows_may_stand_inside_one_another(install: Callable[..., Device]) -> None:
    device = install(cpu={0: 1.0})
    with Zeus() as zeus, window_of(device, zeus) as outer:
        with zeus.window() as first:
            pass
        with zeus.window() as second:
            pass
    assert [len(readings) for readings in (outer, first, second)] == [1, 1, 1]
    assert len(set(device.opened)) == 3
    assert device.closed == [device.opened[1], device.opened[2], device.opened[0]]


def test_window_is_closed_where_the_body_raises(install: Callable[..., Device]) -> None:
    device = install(cpu={0: 1.0})
    with Zeus(GPU_ERROR, CPU_ERROR) as zeus:
        with pytest.raises(KeyError), window_of(device, zeus):
            raise KeyError
        assert device.closed == device.opened != []
        with zeus.window() as readings:
            pass
        assert list(readings) == [energy("cpu:0", 1.0)]


def test_window_outside_its_context_is_a_bug(install: Callable[..., Device]) -> None:
    install()
    zeus = Zeus()
    with pytest.raises(RuntimeError, match="outside its context"), zeus.window():
        pass
    with zeus:
        pass
    with pytest.raises(RuntimeError, match="outside its context"), zeus.window():
        pass


def test_series_is_empty(install: Callable[..., Device]) -> None:
    install(cpu={0: 1.0})
    with Zeus() as zeus:
        assert list(zeus.series(0.0)) == []


SERVER = {"gpu": {0: 12.5}, "cpu": {0: 3.0}, "counting": (0,)}


@pytest.mark.parametrize(
    ("lost", "left"),
    [
        pytest.param(("cpu",), [energy("gpu:0", 12.5)], id="of the processor"),
        pytest.param(("gpu",), [energy("cpu:0", 3.0)], id="of the GPU"),
        pytest.param(("cpu", "gpu"), [], id="of both"),
    ],
)
@pytest.mark.parametrize("when", ["before", "within"])
def test_counter_that_is_lost_takes_no_other_with_it(
    install: Callable[..., Device], lost: tuple[str, ...], left: list[Reading], when: str
) -> None:
    device = install(**SERVER)
    with Zeus(GPU_ERROR, CPU_ERROR) as zeus:
        device.lost = lost if when == "before" else ()
        with zeus.window() as readings:
            device.lost = lost
        assert list(readings) == left
        device.lost = ()
        with zeus.window() as readings:
            pass
        assert list(readings) == [energy("gpu:0", 12.5), energy("cpu:0", 3.0)]


APPLE = AppleSiliconMeasurement(
    cpu_total_mj=4000, performance_cores_mj=[1000, 2000], dram_mj=500, gpu_mj=250, ane_mj=0
)
JETSON = JetsonMeasurement(cpu_energy_mj=4000.0, gpu_energy_mj=2000.0, total_energy_mj=9000.0)


@pytest.mark.parametrize(
    ("soc", "expected"),
    [
        pytest.param(
            APPLE,
            {("cpu", "counter"): 4.0, ("gpu:0", "counter"): 0.25, ("dram", "counter"): 0.5},
            id="apple",
        ),
        pytest.param(
            JETSON,
            {("cpu", "sampled"): 4.0, ("gpu:0", "sampled"): 2.0, ("board", "sampled"): 3.0},
            id="jetson",
        ),
        pytest.param(
            JetsonMeasurement(cpu_energy_mj=4000.0),
            {("cpu", "sampled"): 4.0},
            id="jetson that tells one rail",
        ),
        pytest.param(
            JetsonMeasurement(total_energy_mj=9000.0),
            {("board", "sampled"): 9.0},
            id="jetson that tells its input",
        ),
    ],
)
def test_system_on_a_chip_is_read_by_component(
    install: Callable[..., Device], soc: object, expected: dict[tuple[str, str], float]
) -> None:
    install(soc=soc)
    assert {(r.component, r.source): r.value for r in measured()} == pytest.approx(expected)


def test_amd_gpu_without_a_counter_is_integrated_from_its_power(
    install: Callable[..., Device], clock: Any
) -> None:
    install(gpu={0: 0.0, 1: 0.0}, amd=True)
    with Zeus(GPU_ERROR) as zeus:
        with zeus.window() as readings:
            clock.run_to(clock.now_s + 2.0)
        assert zeus.shortest_window("cuda") == Shortest(seconds=5.0, batches=32)
    assert [(r.component, r.source, r.relative_error) for r in readings] == [
        ("gpu:0", "sampled", GPU_ERROR),
        ("gpu:1", "sampled", GPU_ERROR),
    ]
    assert [r.value for r in readings] == pytest.approx([200.0, 202.0])


@pytest.mark.parametrize(
    ("joules", "range_j", "seconds", "right_j"),
    [
        pytest.param(20.0, 262_143.0, 1.0, 20.0, id="no wrap"),
        pytest.param(20.0 - 262_143.0, 262_143.0, 1.0, 20.0, id="wrap that is not counted yet"),
        pytest.param(20.0 + 262_143.0, 262_143.0, 1.0, 20.0, id="wrap of before the window"),
        pytest.param(-20.0, 262_143.0, 1.0, 0.0, id="counter that was reset"),
        pytest.param(20.0, 60.0, 1.0, 20.0, id="range that a second may exceed"),
        pytest.param(-20.0, 60.0, 1.0, -20.0, id="nothing told of such a range"),
        pytest.param(-20.0, None, 1.0, -20.0, id="range unknown"),
        pytest.param(300_000.0, 262_143.0, 600.0, 300_000.0, id="window of several ranges"),
    ],
)
def test_wraps_are_counted_right(
    joules: float, range_j: float | None, seconds: float, right_j: float
) -> None:
    assert unwrapped_j(joules, range_j, seconds) == pytest.approx(right_j)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        pytest.param(
            {"gpu": {0: 1.0, 1: 1.0}, "counting": (1,), "cpu": {0: 1.0}, "dram": {0: 1.0}},
            [("gpu:1", "counter"), ("cpu:0", "counter"), ("dram:0", "counter")],
            id="server",
        ),
        pytest.param(
            {"gpu": {0: 1.0}, "amd": True}, [("gpu:0", "sampled"), ("cpu", None)], id="amd"
        ),
        pytest.param({"soc": JETSON}, [("cpu", "sampled")], id="system on a chip"),
        pytest.param({}, [("cpu", None)], id="virtual machine"),
    ],
)
def test_availability_names_what_would_be_measured(
    install: Callable[..., Device], device: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    install(**device)
    told = Zeus().availability()
    assert [(one.component, one.source) for one in told if one.quantity == "energy"] == expected
    assert all(one.detail for one in told)


def test_machine_without_a_counter_says_why() -> None:
    (cpu,) = [one for one in Zeus().availability() if one.component.startswith("cpu")]
    assert isinstance(cpu, Availability)
    assert cpu.source == "counter" or "RAPL" in cpu.detail


def test_real_monitor_is_what_the_fake_stands_for() -> None:
    for name in ("begin_window", "end_window"):
        real = inspect.signature(getattr(zeus_monitor.ZeusMonitor, name))
        real.bind(None, "key", sync_execution=False)
    inspect.signature(zeus_monitor.ZeusMonitor).bind(gpu_indices=[], cpu_indices=[])
    readings = measured()
    assert all(reading.value > 0 for reading in readings)
    assert len({reading.component for reading in readings}) == len(readings)
