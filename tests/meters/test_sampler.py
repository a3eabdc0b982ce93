"""The sampler: a sample an interval, one more when asked, none after its end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from greenexp.meters.sampler import Sampler
from tests.support.clock import sampling

if TYPE_CHECKING:
    from tests.support.clock import Clock

pytestmark = pytest.mark.usefixtures("no_sampler_left")

HANG_S = 20.0


def test_samples_once_an_interval(clock: Clock) -> None:
    sampler = Sampler(lambda: {("power_w", "gpu:0"): clock.now_s * 10}, interval_s=0.25)
    sampler.start()
    clock.run_to(1.0)
    sampler.stop()
    samples = sampler.between(0.0, 1.0)
    assert [sample.t_s for sample in samples] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert [sample.values["power_w", "gpu:0"] for sample in samples] == pytest.approx(
        [2.5, 5.0, 7.5, 10.0]
    )


def test_now_takes_a_sample_between_two_intervals(clock: Clock) -> None:
    sampler = Sampler(lambda: {("power_w", "cpu"): clock.now_s}, interval_s=1.0)
    sampler.start()
    clock.run_to(0.4)
    taken = sampler.now()
    clock.run_to(2.0)
    sampler.stop()
    assert (taken.t_s, taken.values) == (0.4, {("power_w", "cpu"): 0.4})
    assert sampler.between(0.0, 2.0)[0] == taken
    assert sampler.between(0.0, 0.5) == [taken]


def test_a_resting_sampler_has_no_thread_and_goes_on_when_it_is_woken(clock: Clock) -> None:
    sampler = Sampler(dict, interval_s=1.0)
    sampler.start()
    clock.run_to(2.0)
    sampler.rest()
    assert not sampling()
    clock.run_to(5.0)
    sampler.start()
    clock.run_to(7.0)
    sampler.stop()
    assert [sample.t_s for sample in sampler.between(0.0, 9.0)] == [1.0, 2.0, 6.0, 7.0]


def test_a_sampler_that_failed_is_not_woken(clock: Clock) -> None:
    def broken() -> dict[tuple[str, str], float]:
        raise OSError("unplugged")

    sampler = Sampler(broken, interval_s=1.0)
    sampler.start()
    clock.run_to(1.0)
    sampler.rest()
    sampler.start()
    assert not sampling()
    with pytest.raises(OSError, match="unplugged"):
        sampler.stop()


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        pytest.param(1.0, 3.0, [1.0, 2.0, 3.0], id="both_ends_included"),
        pytest.param(1.5, 2.5, [2.0], id="inside"),
        pytest.param(2.0, 2.0, [2.0], id="an_instant"),
        pytest.param(4.5, 9.0, [], id="after_the_last"),
    ],
)
def test_between_returns_what_was_taken_then(
    clock: Clock, start_s: float, end_s: float, expected: list[float]
) -> None:
    sampler = Sampler(dict, interval_s=1.0)
    sampler.start()
    clock.run_to(4.0)
    sampler.stop()
    assert [sample.t_s for sample in sampler.between(start_s, end_s)] == expected


def test_stop_ends_sampling(clock: Clock) -> None:
    sampler = Sampler(dict, interval_s=1.0)
    sampler.start()
    clock.run_to(2.0)
    sampler.stop()
    clock.run_to(9.0)
    assert [sample.t_s for sample in sampler.between(0.0, 9.0)] == [1.0, 2.0]


class SensorFailed(Exception):
    """What a broken sensor raises."""


def test_failure_of_a_read_is_raised_by_stop(clock: Clock) -> None:
    def read() -> dict[tuple[str, str], float]:
        if clock.now_s > 2.5:
            raise SensorFailed("no answer")
        return {("power_w", "gpu:0"): 5.0}

    sampler = Sampler(read, interval_s=1.0)
    sampler.start()
    clock.run_to(9.0)
    with pytest.raises(SensorFailed, match="no answer"):
        sampler.stop()
    assert [sample.t_s for sample in sampler.between(0.0, 9.0)] == [1.0, 2.0]


def test_series_holds_each_quantity_where_it_was_read_and_counts_from_the_origin(
    clock: Clock,
) -> None:
    def read() -> dict[tuple[str, str], float]:
        power = {("power_w", "gpu:0"): 5.0} if clock.now_s > 10.5 else {}
        return {("memory_mib", "process"): clock.now_s, **power}

    clock.run_to(10.0)
    sampler = Sampler(read, interval_s=0.5)
    sampler.start()
    clock.run_to(11.5)
    sampler.stop()
    memory, power = sampler.series("machine", "sampled", origin_s=9.0)
    assert (memory.quantity, memory.component) == ("memory_mib", "process")
    assert (memory.meter, memory.source) == ("machine", "sampled")
    assert memory.t_s == pytest.approx([1.5, 2.0, 2.5])
    assert memory.values == pytest.approx([10.5, 11.0, 11.5])
    assert (power.quantity, power.component) == ("power_w", "gpu:0")
    assert power.t_s == pytest.approx([2.0, 2.5])


def test_series_of_nothing_is_empty(clock: Clock) -> None:
    assert list(Sampler(dict, interval_s=1.0).series("machine", "sampled", 0.0)) == []


def test_samples_by_itself_in_real_time() -> None:
    thrice = threading.Event()
    count = 0

    def read() -> dict[tuple[str, str], float]:
        nonlocal count
        count += 1
        if count == 3:
            thrice.set()
        return {}

    sampler = Sampler(read, interval_s=0.001)
    sampler.start()
    sampled = thrice.wait(HANG_S)
    sampler.stop()
    assert sampled
    times = [sample.t_s for sample in sampler.between(float("-inf"), float("inf"))]
    assert len(set(times)) == len(times) == count
