"""How much CPU time another process has used."""

from __future__ import annotations

import contextlib
import sys
import time

import psutil

CPUCLOCK_SCHED = 2  # Linux, include/linux/posix-timers.h: the scheduler's clock, in ns


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
