"""How much CPU time another process has used, and whether it sleeps."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import psutil

CPUCLOCK_SCHED = 2  # Linux, include/linux/posix-timers.h: the scheduler's clock, in ns
RUNNABLE = "R"  # Linux, proc_pid_stat(5): a thread that runs or waits for a CPU


def cpu_time_s(pid: int) -> float | None:
    """Returns the CPU seconds that all threads of a process have used; None where it is gone.

    To the nanosecond on Linux; elsewhere to the system's tick.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
        return None
    with contextlib.suppress(psutil.Error):
        used = psutil.Process(pid).cpu_times()
        return float(used.user + used.system)
    return None


def asleep(pid: int) -> bool | None:
    """Returns whether no thread of a process runs or waits for a CPU; None where nobody says.

    A thread that waits for a CPU uses no time, and goes on once it gets one.
    """
    if sys.platform != "linux":
        return None
    return not any(_state(thread) == RUNNABLE for thread in Path(f"/proc/{pid}/task").glob("*"))


def _state(thread: Path) -> str | None:
    with contextlib.suppress(OSError):  # it has ended since
        return (thread / "stat").read_text().rpartition(") ")[2][0]
    return None
