"""Energy counters by Zeus, whose monitor is replaced by one that replays joules."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest

from greenexp.meters.zeus import Zeus
from greenexp.protocols import Reading, Shortest

Joules = dict[int, float] | None

GPU_LATE_S, CPU_LATE_S = 0.1, 0.001  # refresh of NVML's counter, and of RAPL's
GPU_ERROR, CPU_ERROR = 0.05, 0.1


@dataclass
class FakeMonitor:
    """ZeusMonitor over joules by index; `counting` are the GPUs with an energy counter.

    A window lasts `seconds`.
    """

    gpu: dict[int, float] = field(default_factory=dict)
    cpu: Joules = None
    dram: Joules = None
    counting: tuple[int, ...] = ()
    seconds: float = 2.0
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    @property
    def gpus(self) -> SimpleNamespace:
        return SimpleNamespace(
            supports_get_total_energy_consumption=lambda index: index in self.counting
        )

    @property
    def gpu_indices(self) -> list[int]:
        return list(self.gpu)

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        assert key not in self.opened
        self.opened.append(key)

    def end_window(self, key: str, sync_execution: bool = True) -> SimpleNamespace:
        assert key in self.opened
        self.closed.append(key)
        return SimpleNamespace(
            time=self.seconds, gpu_energy=self.gpu, cpu_energy=self.cpu, dram_energy=self.dram
        )


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeMonitor]:
    """Makes `zeus.monitor.ZeusMonitor()` the fake with these joules."""

    def replace(**joules: object) -> FakeMonitor:
        fake = FakeMonitor(**joules)
        package, module = ModuleType("zeus"), ModuleType("zeus.monitor")
        module.ZeusMonitor = lambda: fake
        monkeypatch.setitem(sys.modules, "zeus", package)
        monkeypatch.setitem(sys.modules, "zeus.monitor", module)
        return fake

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
        pytest.param({"gpu": {0: 12.5}}, [energy("gpu:0", 12.5, "sampled")], id="sampled"),
        pytest.param(
            {"gpu": {0: 1.0, 1: 2.0}, "counting": (1,)},
            [energy("gpu:0", 1.0, "sampled"), energy("gpu:1", 2.0)],
            id="one_of_each",
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
    install: Callable[..., FakeMonitor], joules: dict[str, object], expected: list[Reading]
) -> None:
    install(**joules)
    assert measured() == expected


@pytest.mark.parametrize("seconds", [0.1, 0.01, 0.0])
def test_window_shorter_than_a_refresh_is_all_lateness(
    install: Callable[..., FakeMonitor], seconds: float
) -> None:
    install(gpu={0: 12.5}, counting=(0,), seconds=seconds)
    (reading,) = measured()
    assert reading.resolution == pytest.approx(reading.value)


def test_errors_that_are_not_stated_are_none(install: Callable[..., FakeMonitor]) -> None:
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
    install: Callable[..., FakeMonitor], gpus: dict[int, float], device: str, shortest: Shortest
) -> None:
    install(gpu=gpus)
    with Zeus() as zeus:
        assert zeus.shortest_window(device) == shortest


def test_windows_may_stand_inside_one_another(install: Callable[..., FakeMonitor]) -> None:
    fake = install(cpu={0: 1.0})
    with Zeus() as zeus, zeus.window() as outer:
        with zeus.window() as first:
            pass
        with zeus.window() as second:
            pass
    assert [len(readings) for readings in (outer, first, second)] == [1, 1, 1]
    assert len(set(fake.opened)) == 3
    assert fake.closed == [fake.opened[1], fake.opened[2], fake.opened[0]]


def test_window_is_closed_where_the_body_raises(install: Callable[..., FakeMonitor]) -> None:
    fake = install(cpu={0: 1.0})
    with Zeus(GPU_ERROR, CPU_ERROR) as zeus:
        with pytest.raises(KeyError), zeus.window():
            raise KeyError
        assert fake.closed == fake.opened != []
        with zeus.window() as readings:
            pass
        assert list(readings) == [energy("cpu:0", 1.0)]


def test_window_outside_its_context_is_a_bug(install: Callable[..., FakeMonitor]) -> None:
    install()
    zeus = Zeus()
    with pytest.raises(RuntimeError, match="outside its context"), zeus.window():
        pass
    with zeus:
        pass
    with pytest.raises(RuntimeError, match="outside its context"), zeus.window():
        pass


def test_series_is_empty(install: Callable[..., FakeMonitor]) -> None:
    install(cpu={0: 1.0})
    with Zeus() as zeus:
        assert list(zeus.series(0.0)) == []


def test_real_monitor_is_what_the_fake_stands_for() -> None:
    from zeus.monitor import ZeusMonitor

    for name in ("begin_window", "end_window"):
        real = inspect.signature(getattr(ZeusMonitor, name))
        real.bind(None, "key", sync_execution=False)
    readings = measured()
    assert all(reading.value > 0 for reading in readings)
    assert len({reading.component for reading in readings}) == len(readings)
