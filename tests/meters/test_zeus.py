"""Energy counters by Zeus, whose monitor is replaced by one that replays its measurements.

RAPL's counters and NVML's are read through the real monitor in test_rapl.py and
test_nvml_library.py; the fake stands for what this machine can't simulate (AMD, Apple, Jetson) and
for windows of an exact length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from greenexp.meters.zeus import Zeus, unwrapped_j
from greenexp.protocols import Reading, Shortest
from tests.support.zeus_machine import CPU_ERROR, GPU_ERROR, Device, measured

GPU_LATE_S, CPU_LATE_S = 0.1, 0.001  # refresh of NVML's counter, and of RAPL's


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
