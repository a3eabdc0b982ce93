"""A machine that others use too, whose clocks the test moves."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from greenexp.meters.processor import CpuTime
from greenexp.protocols import Reading

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


def values(readings: list[Reading]) -> dict[str, float]:
    assert {(reading.source, reading.meter) for reading in readings} <= {("sampled", "neighbours")}
    assert {(reading.quantity, reading.component) for reading in readings} <= QUANTITIES
    assert len({reading.quantity for reading in readings}) == len(readings)
    return {reading.quantity: reading.value for reading in readings}
