"""What counts as busy, and the processor's name."""

from __future__ import annotations

import sys
from collections import namedtuple
from pathlib import Path

import pytest

from greenexp.meters.processor import CpuTime, cpu_name, cpu_time

LinuxTimes = namedtuple("LinuxTimes", "user nice system idle iowait irq softirq steal guest")
MacTimes = namedtuple("MacTimes", "user nice system idle")


@pytest.mark.parametrize(
    ("times", "busy_s", "total_s"),
    [
        pytest.param(LinuxTimes(10, 1, 5, 50, 7, 2, 3, 20, 4), 21, 98, id="linux"),
        pytest.param(LinuxTimes(0, 0, 0, 8, 1, 0, 0, 1, 0), 0, 10, id="at_rest"),
        pytest.param(MacTimes(3, 0, 1, 6), 4, 10, id="mac"),
    ],
)
def test_waiting_stolen_and_guest_time_is_not_busy(
    monkeypatch: pytest.MonkeyPatch, times: tuple[float, ...], busy_s: float, total_s: float
) -> None:
    monkeypatch.setattr("psutil.cpu_times", lambda: times)
    assert cpu_time() == CpuTime(busy_s=busy_s, total_s=total_s)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param((10, 100), (15, 120), 0.25, id="a_quarter"),
        pytest.param((10, 100), (10, 120), 0.0, id="idle"),
        pytest.param((10, 100), (30, 120), 1.0, id="busy"),
        pytest.param((10, 100), (10, 100), None, id="no_time_has_passed"),
        pytest.param((10, 100), (11, 99), None, id="the_clock_went_back"),
        pytest.param((10, 100), (9, 120), 0.0, id="never_below_zero"),
        pytest.param((10, 100), (40, 120), 1.0, id="never_above_one"),
    ],
)
def test_utilization_is_the_busy_fraction(
    before: tuple[float, float], after: tuple[float, float], expected: float | None
) -> None:
    assert CpuTime(*after).utilization(CpuTime(*before)) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/cpuinfo")
def test_name_is_the_system_s() -> None:
    line = f": {cpu_name()}\n"
    cpuinfo = Path("/proc/cpuinfo").read_text()
    assert cpu_name()
    assert line in cpuinfo or "model name" not in cpuinfo
