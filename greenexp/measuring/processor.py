"""Which logical CPU a thread runs on, where the system tells and lets choose (Linux)."""

from __future__ import annotations

import contextlib
import os
import threading

import psutil


def current_cpu() -> int | None:
    """Returns the logical CPU that this thread last ran on; None where the system does not say."""
    if not hasattr(psutil.Process, "cpu_num"):
        return None
    return int(psutil.Process(threading.get_native_id()).cpu_num())


def move_to(cpu: int) -> None:
    """Moves this thread to a logical CPU, which it may leave again as the system sees fit."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)  # of this thread, not of the process
    if cpu in allowed and len(allowed) > 1:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {cpu})
            os.sched_setaffinity(0, allowed)
