"""How busy the machine's processors are, and what its CPU is."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

PERCENT = 100.0


@dataclass(frozen=True)
class CpuTime:
    """Seconds that all logical CPUs together have spent since boot, and those spent busy."""

    busy_s: float
    total_s: float

    def utilization(self, since: CpuTime) -> float | None:
        """Returns the busy fraction, 0 to 1, from `since` to now; None if no time has passed."""
        total_s = self.total_s - since.total_s
        if total_s <= 0:
            return None
        return min(1.0, max(0.0, (self.busy_s - since.busy_s) / total_s))


def cpu_time() -> CpuTime:
    """Reads the clock of all logical CPUs.

    Idle, waiting for disks, and stolen by the hypervisor are not busy; guest time is inside user.
    """
    times = psutil.cpu_times()._asdict()
    total_s = sum(value for name, value in times.items() if not name.startswith("guest"))
    resting_s = sum(times.get(name, 0.0) for name in ("idle", "iowait", "steal"))
    return CpuTime(busy_s=total_s - resting_s, total_s=total_s)


def cpu_name() -> str:
    """Returns the processor's model name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()
