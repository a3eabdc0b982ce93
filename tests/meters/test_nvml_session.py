"""The life of NVML's meter: the arguments it takes, the windows it needs, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from greenexp.meters.nvml import Nvml
from greenexp.protocols import Shortest
from tests.support.nvml_binding import A, Gpu, Install, measured

if TYPE_CHECKING:
    from tests.support.clock import Clock

pytestmark = pytest.mark.usefixtures("no_sampler_left")


def test_library_is_shut_down_where_the_body_raises(nvml: Install, clock: Clock) -> None:
    fake = nvml(Gpu(A))
    with pytest.raises(KeyError), Nvml(interval_s=0.1):
        raise KeyError
    assert fake.sessions == 0


def test_library_is_shut_down_where_sampling_failed(nvml: Install, clock: Clock) -> None:
    fake = nvml(Gpu(A, power_w=[(0, float("nan"))]))
    with pytest.raises(ValueError, match="NaN"), Nvml(interval_s=0.1):
        clock.run_to(1.0)
    assert fake.sessions == 0


def test_library_of_others_stays_open(nvml: Install, clock: Clock) -> None:
    fake = nvml(Gpu(A))
    fake.nvmlInit()  # as Zeus does; NVML counts
    measured(clock, from_s=0.0, to_s=1.0)
    assert fake.sessions == 1


@pytest.mark.parametrize(
    ("gpus", "device", "shortest"),
    [
        pytest.param([Gpu(A)], "cuda", Shortest(seconds=5.0, batches=32), id="run_on_a_gpu"),
        pytest.param([Gpu(A)], "cpu", Shortest(), id="run_beside_a_gpu"),
        pytest.param([], "cuda", Shortest(), id="gpu_that_nvml_does_not_see"),
    ],
)
def test_shortest_window_is_what_the_sensors_need(
    nvml: Install, clock: Clock, gpus: list[Gpu], device: str, shortest: Shortest
) -> None:
    nvml(*gpus)
    with Nvml(interval_s=0.1) as meter:
        assert meter.shortest_window(device) == shortest


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


@pytest.mark.parametrize("relative_error", [-0.1, float("nan")])
def test_error_is_checked(
    relative_error: float, refusal: Callable[[Callable[[], object]], str]
) -> None:
    assert "meters.nvml.relative_error" in refusal(lambda: Nvml(0.1, relative_error))
