"""What else used the machine, on a machine whose clocks the test moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from greenexp.meters.neighbours import Neighbours
from greenexp.protocols import Shortest
from tests.support.shared_machine import QUANTITIES, System, values

pytestmark = pytest.mark.usefixtures("no_sampler_left")


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
    percentages = []
    for others in (0.25, 1.0, 0.0):
        with meter.window() as readings:
            system.go_on(2.0, others=others)
        percentages.append(values(list(readings))["other_processes_pct"])
    assert percentages == pytest.approx([25.0, 100.0, 0.0])


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
    figures = values(list(readings))
    assert (figures["other_processes_pct"], figures["steal_pct"]) == (0.0, 0.0)
    assert figures["cpu_throttle_events"] == 0.0


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


def test_shares_of_a_short_window_are_coarse(
    system: System, cpus: Callable[..., Neighbours], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick of 10 ms is 10 % of 0.1 s, and each of the four CPUs has a clock of its own."""
    monkeypatch.setattr("greenexp.meters.neighbours.TICK_S", 0.01)
    with cpus(0).window() as readings:
        system.go_on(0.1)
    coarse = {r.quantity: r.resolution for r in readings if r.resolution is not None}
    assert coarse == pytest.approx({"steal_pct": 10.0, "other_processes_pct": 40.0})
