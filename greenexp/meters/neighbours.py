"""What else used the machine meanwhile: the hypervisor's other guests, other processes, heat."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from greenexp.meters.processor import PERCENT, CpuTime, cpu_time
from greenexp.protocols import Availability, Meter, Reading, Source

THROTTLE_COUNTS = "cpu*/thermal_throttle/core_throttle_count"  # Linux on Intel processors
SYSTEM = "the operating system's counts"

TICK_S = 1 / os.sysconf("SC_CLK_TCK")  # the system counts each CPU's time in such steps


@dataclass(frozen=True)
class Neighbours(Meter):
    """Reads the system's clocks at the ends of a window; nothing runs in between.

    Over a window: `steal_pct`, the share of the CPUs' time that the hypervisor gave to others;
    `other_processes_pct`, what processes other than this one used, 100 standing for one logical
    CPU; `involuntary_switches_per_s` of this process's threads; `cpu_throttle_events`, counted by
    the processor; `clock_mhz`, the mean clock of the CPUs at the window's end. What the system
    doesn't tell is left out. The system counts CPU time in ticks, so the shares of a short window
    are coarse: their `resolution` says how coarse.

    Attributes:
        cpus: where Linux keeps its CPUs.
    """

    cpus: str = "/sys/devices/system/cpu"

    def availability(self) -> Sequence[Availability]:
        """Returns what the system counts, and what it doesn't."""
        clocks = _Clocks.read(Path(self.cpus))
        counted = {
            "steal": (clocks.steal_s, "this system doesn't count what a hypervisor takes"),
            "throttling": (clocks.throttle_events, f"no counts at {self.cpus}/{THROTTLE_COUNTS}"),
            "clock": (clocks.clock_mhz, "this system doesn't tell the clock"),
        }
        told = [
            Availability("other processes", "cpu", "sampled", SYSTEM),
            Availability("involuntary switches", "process", "sampled", SYSTEM),
        ]
        for quantity, (value, why) in counted.items():
            there = value is not None
            source: Source | None = "sampled" if there else None
            told.append(Availability(quantity, "cpu", source, SYSTEM if there else why))
        return told

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the readings once the context has ended."""
        readings: list[Reading] = []
        before = _Clocks.read(Path(self.cpus))
        try:
            yield readings
        finally:
            after = _Clocks.read(Path(self.cpus))
        ticks = self._ticks_pct(after.t_s - before.t_s)
        readings += [
            Reading(
                quantity, component, value, "sampled", "neighbours", resolution=ticks.get(quantity)
            )
            for (quantity, component), value in after.since(before).items()
        ]

    def _ticks_pct(self, elapsed_s: float) -> dict[str, float]:
        """Returns what one tick of each CPU's clock makes of the shares, by quantity."""
        if elapsed_s <= 0:
            return {}
        tick_pct = TICK_S / elapsed_s * PERCENT
        cpus = psutil.cpu_count(logical=True) or 1
        return {"steal_pct": tick_pct, "other_processes_pct": tick_pct * cpus}


@dataclass(frozen=True)
class _Clocks:
    t_s: float
    machine: CpuTime
    steal_s: float | None
    own_s: float
    switches: int
    throttle_events: int | None
    clock_mhz: float | None

    @classmethod
    def read(cls, cpus: Path) -> _Clocks:
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return cls(
            t_s=time.perf_counter(),
            machine=cpu_time(),
            steal_s=getattr(psutil.cpu_times(), "steal", None),
            own_s=sum(usage.ru_utime + usage.ru_stime for usage in usages),
            switches=usages[0].ru_nivcsw,
            throttle_events=_throttle_events(cpus),
            clock_mhz=_clock_mhz(),
        )

    def since(self, before: _Clocks) -> dict[tuple[str, str], float]:
        elapsed_s = self.t_s - before.t_s
        if elapsed_s <= 0:
            return {}
        busy_s = self.machine.busy_s - before.machine.busy_s
        others_s = max(0.0, busy_s - (self.own_s - before.own_s))
        switches = self.switches - before.switches
        values = {
            ("other_processes_pct", "cpu"): others_s / elapsed_s * PERCENT,
            ("involuntary_switches_per_s", "process"): switches / elapsed_s,
        }
        total_s = self.machine.total_s - before.machine.total_s
        if self.steal_s is not None and before.steal_s is not None and total_s > 0:
            steal_s = max(0.0, self.steal_s - before.steal_s)
            values["steal_pct", "cpu"] = steal_s / total_s * PERCENT
        if self.throttle_events is not None and before.throttle_events is not None:
            events = self.throttle_events - before.throttle_events
            values["cpu_throttle_events", "cpu"] = float(max(0, events))
        if self.clock_mhz is not None:
            values["clock_mhz", "cpu"] = self.clock_mhz
        return values


def _throttle_events(cpus: Path) -> int | None:
    """Returns how often all cores have been throttled since boot; None where it isn't counted."""
    counts = [int(file.read_text(encoding="utf-8")) for file in cpus.glob(THROTTLE_COUNTS)]
    return sum(counts) if counts else None


def _clock_mhz() -> float | None:
    """Returns the mean clock of the logical CPUs; None where the system doesn't tell."""
    try:
        frequency = psutil.cpu_freq()
    except (OSError, RuntimeError):  # psutil finds no file or no system call that tells
        return None
    return frequency.current if frequency and frequency.current > 0 else None
