"""What else used the machine, on a machine whose clocks the test moves."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.meters.neighbours import Neighbours
from greenexp.meters.processor import CpuTime
from greenexp.protocols import Reading, Shortest

untimed = settings(deadline=None)  # no test asserts a time

pytestmark = pytest.mark.usefixtures("no_sampler_left")

THREADS = 4
QUANTITIES = {
    ("steal_pct", "cpu"),
    ("other_processes_pct", "cpu"),
    ("involuntary_switches_per_s", "process"),
    ("cpu_throttle_events", "cpu"),
    ("clock_mhz", "cpu"),
}


@dataclass
class System:
    """A machine of 4 logical CPUs. `go_on` moves its clocks; None: the system does not tell."""

    now_s: float = 1000.0
    busy_s: float = 500.0
    own_s: float = 20.0
    children_s: float = 3.0
    steal_s: float | None = 7.0
    switches: int = 100
    mhz: float | None = 2400.0

    def go_on(
        self,
        seconds: float,
        *,
        others: float = 0.0,
        own: float = 0.0,
        children: float = 0.0,
        steal: float = 0.0,
        switches: int = 0,
    ) -> None:
        """Lets time pass; shares are of one logical CPU."""
        self.now_s += seconds
        self.busy_s += seconds * (others + own + children)
        self.own_s += seconds * own
        self.children_s += seconds * children
        if self.steal_s is not None:
            self.steal_s += seconds * steal
        self.switches += switches

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        room = "greenexp.meters.neighbours"
        monkeypatch.setattr(f"{room}.time", SimpleNamespace(perf_counter=lambda: self.now_s))
        monkeypatch.setattr(f"{room}.cpu_time", self.cpu_time)
        monkeypatch.setattr(
            f"{room}.psutil",
            SimpleNamespace(
                cpu_times=self.cpu_times,
                cpu_freq=self.cpu_freq,
                cpu_count=lambda logical: THREADS,
            ),
        )
        monkeypatch.setattr(
            f"{room}.resource",
            SimpleNamespace(
                getrusage=self.getrusage,
                RUSAGE_SELF=resource.RUSAGE_SELF,
                RUSAGE_CHILDREN=resource.RUSAGE_CHILDREN,
            ),
        )

    def cpu_time(self) -> CpuTime:
        return CpuTime(busy_s=self.busy_s, total_s=THREADS * self.now_s)

    def cpu_times(self) -> SimpleNamespace:
        told = {} if self.steal_s is None else {"steal": self.steal_s}
        return SimpleNamespace(user=self.busy_s, **told)

    def cpu_freq(self) -> SimpleNamespace | None:
        return None if self.mhz is None else SimpleNamespace(current=self.mhz, min=0.0, max=0.0)

    def getrusage(self, who: int) -> SimpleNamespace:
        if who == resource.RUSAGE_SELF:
            half_s = self.own_s / 2
            return SimpleNamespace(ru_utime=half_s, ru_stime=half_s, ru_nivcsw=self.switches)
        return SimpleNamespace(ru_utime=self.children_s, ru_stime=0.0, ru_nivcsw=77 * self.switches)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    system = System()
    system.install(monkeypatch)
    return system


@pytest.fixture
def cpus(tmp_path: Path) -> Callable[..., Neighbours]:
    """Writes how often each core was throttled, and returns the meter that reads it."""

    def counting(*counts: int) -> Neighbours:
        for core, count in enumerate(counts):
            folder = tmp_path / f"cpu{core}" / "thermal_throttle"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "core_throttle_count").write_text(f"{count}\n")
        (tmp_path / "cpufreq").mkdir(exist_ok=True)  # Linux has it beside them
        return Neighbours(str(tmp_path))

    return counting


def values(readings: list[Reading]) -> dict[str, float]:
    assert {(reading.source, reading.meter) for reading in readings} <= {("sampled", "neighbours")}
    assert {(reading.quantity, reading.component) for reading in readings} <= QUANTITIES
    assert len({reading.quantity for reading in readings}) == len(readings)
    return {reading.quantity: reading.value for reading in readings}


def test_window_tells_what_went_on_meanwhile(
    system: System, cpus: Callable[..., Neighbours]
) -> None:
    with cpus(3, 5) as meter:
        system.go_on(10.0, others=4.0, steal=2.0, switches=1000)  # before the window
        with meter.window() as readings:
            assert list(readings) == []
            system.go_on(5.0, others=0.5, own=2.0, children=0.25, steal=0.4, switches=60)
            system.mhz = 3100.0
            cpus(4, 9)
    assert values(list(readings)) == pytest.approx(
        {
            "other_processes_pct": 50.0,  # half of one logical CPU
            "involuntary_switches_per_s": 12.0,
            "steal_pct": 10.0,  # 0.4 of 4 logical CPUs
            "cpu_throttle_events": 5.0,
            "clock_mhz": 3100.0,
        }
    )


def test_windows_follow_each_other(system: System, cpus: Callable[..., Neighbours]) -> None:
    meter = cpus()
    found = []
    for others in (0.25, 1.0, 0.0):
        with meter.window() as readings:
            system.go_on(2.0, others=others)
        found.append(values(list(readings))["other_processes_pct"])
    assert found == pytest.approx([25.0, 100.0, 0.0])


def test_windows_may_lie_within_each_other(system: System, cpus: Callable[..., Neighbours]) -> None:
    meter = cpus()
    with meter.window() as outer:
        system.go_on(1.0, others=1.0)
        with meter.window() as inner:
            system.go_on(1.0, others=0.0)
    assert values(list(outer))["other_processes_pct"] == pytest.approx(50.0)
    assert values(list(inner))["other_processes_pct"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("own", "children"),
    [
        pytest.param(3.5, 0.0, id="its threads"),
        pytest.param(0.0, 3.5, id="compilers it waited for"),
    ],
)
def test_run_is_not_its_own_neighbour(
    system: System, cpus: Callable[..., Neighbours], own: float, children: float
) -> None:
    with cpus().window() as readings:
        system.go_on(2.0, own=own, children=children)
    assert values(list(readings))["other_processes_pct"] == pytest.approx(0.0, abs=1e-9)


def test_clocks_that_do_not_tick_together_make_nothing_negative(
    system: System, cpus: Callable[..., Neighbours]
) -> None:
    """The process's own clock is finer than the system's, and a steal clock may step back."""
    with cpus(5).window() as readings:
        system.go_on(1.0, steal=-0.5)
        system.own_s += 0.25
        cpus(0)
    found = values(list(readings))
    assert (found["other_processes_pct"], found["steal_pct"]) == (0.0, 0.0)
    assert found["cpu_throttle_events"] == 0.0


def raising(error: Exception) -> Callable[[], SimpleNamespace]:
    def cpu_freq() -> SimpleNamespace:
        raise error

    return cpu_freq


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        pytest.param({"steal_s": None}, "steal_pct", id="no steal clock (macOS)"),
        pytest.param({"mhz": None}, "clock_mhz", id="no clock"),
        pytest.param({"mhz": 0.0}, "clock_mhz", id="a clock of zero is none"),
        pytest.param(
            {"cpu_freq": raising(NotImplementedError("can't find current frequency file"))},
            "clock_mhz",
            id="psutil finds no file of the clock",
        ),
        pytest.param(
            {"cpu_freq": raising(FileNotFoundError("sysctlbyname('hw.cpufrequency')"))},
            "clock_mhz",
            id="the system refuses (macOS in a virtual machine)",
        ),
    ],
)
def test_what_is_not_told_is_absent(
    monkeypatch: pytest.MonkeyPatch,
    cpus: Callable[..., Neighbours],
    change: dict[str, object],
    absent: str,
) -> None:
    system = System()
    for name, value in change.items():
        setattr(system, name, value)
    system.install(monkeypatch)
    with cpus(1).window() as readings:
        system.go_on(1.0)
    assert {quantity for quantity, _ in QUANTITIES} - set(values(list(readings))) == {absent}


@pytest.mark.parametrize(
    "folder", [pytest.param("", id="no core counts"), pytest.param("absent", id="no such folder")]
)
def test_throttling_not_counted_is_absent(system: System, tmp_path: Path, folder: str) -> None:
    with Neighbours(str(tmp_path / folder)).window() as readings:
        system.go_on(1.0)
    assert "cpu_throttle_events" not in values(list(readings))
    assert "other_processes_pct" in values(list(readings))


def test_no_time_no_reading(system: System, cpus: Callable[..., Neighbours]) -> None:
    with cpus(1).window() as readings:
        pass
    assert list(readings) == []


def test_failure_inside_is_not_hidden(system: System, cpus: Callable[..., Neighbours]) -> None:
    with pytest.raises(ValueError, match="no such model"), cpus().window():
        raise ValueError("no such model")


def test_meter_asks_for_no_window_and_has_no_series(cpus: Callable[..., Neighbours]) -> None:
    meter = cpus()
    assert [meter.shortest_window(device) for device in ("cpu", "cuda")] == [Shortest()] * 2
    assert list(meter.series(0.0)) == []


def test_this_machine_is_read() -> None:
    with Neighbours() as meter, meter.window() as readings:
        assert sum(range(100_000))  # takes some time on any clock
    found = values(list(readings))
    assert {"other_processes_pct", "involuntary_switches_per_s"} <= set(found)
    assert all(math.isfinite(value) and value >= 0 for value in found.values())


rates = st.floats(0.0, 1.0)


@untimed
@given(st.floats(0.01, 1e4), rates, rates, rates, rates, st.integers(0, 10_000))
def test_shares_are_those_of_the_time_that_passed(
    seconds: float, others: float, own: float, children: float, steal: float, switches: int
) -> None:
    system = System()
    with pytest.MonkeyPatch.context() as monkeypatch:
        system.install(monkeypatch)
        with Neighbours("/nowhere").window() as readings:
            system.go_on(
                seconds,
                others=others,
                own=own,
                children=children,
                steal=steal,
                switches=switches,
            )
    found = values(list(readings))
    assert found["other_processes_pct"] == pytest.approx(100 * others, abs=1e-6)
    assert found["steal_pct"] == pytest.approx(100 * steal / THREADS, abs=1e-6)
    assert found["involuntary_switches_per_s"] == pytest.approx(switches / seconds, rel=1e-6)


def test_shares_of_a_short_window_are_coarse(
    system: System, cpus: Callable[..., Neighbours], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick of 10 ms is 10 % of 0.1 s, and each of the four CPUs has a clock of its own."""
    monkeypatch.setattr("greenexp.meters.neighbours.TICK_S", 0.01)
    with cpus(0).window() as readings:
        system.go_on(0.1)
    coarse = {r.quantity: r.resolution for r in readings if r.resolution is not None}
    assert coarse == pytest.approx({"steal_pct": 10.0, "other_processes_pct": 40.0})
