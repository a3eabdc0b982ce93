"""Which logical CPU a thread runs on, where the system tells and lets choose (Linux)."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

PROCESSOR = 36  # of the fields of proc(5)'s stat that follow the name: the CPU last run on


def current_cpu() -> int | None:
    """Returns the logical CPU that this thread last ran on; None where the system does not say."""
    try:
        fields = Path(f"/proc/self/task/{threading.get_native_id()}/stat").read_text()
    except OSError:
        return None
    return int(fields.rpartition(")")[2].split()[PROCESSOR])


def move_to(cpu: int) -> None:
    """Moves this thread to a logical CPU, which it may leave again as the system sees fit."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)  # of this thread, not of the process
    if cpu in allowed and len(allowed) > 1:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {cpu})
            os.sched_setaffinity(0, allowed)
