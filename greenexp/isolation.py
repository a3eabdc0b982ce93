"""A function in a fresh process of its own, and how that process ended.

The process is forked from a server that has imported the heavy libraries and touched no
accelerator, so it starts in a fraction of a second and nothing of one run reaches the next. The
caller sleeps while it waits. The process leads a group of its own, so that what it started dies
with it; it dies, too, when its caller does.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Literal

PRELOAD = ["greenexp.preload"]
KERNEL_COUNTERS = Path("/proc/vmstat")


@dataclass(frozen=True)
class Ended:
    """How the process ended; `detail` says more where it did not return.

    `oom` is a SIGKILL while the kernel counted a process killed for want of memory.
    """

    kind: Literal["returned", "killed", "oom", "timeout", "crashed"]
    detail: str = ""


def prepare() -> None:
    """Starts the fork server, which imports while the caller goes on with other work."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    forkserver.ensure_running()


def call(function: Callable[..., None], *arguments: object, timeout_s: float) -> Ended:
    """Calls an importable function in a fresh process and waits for it.

    Args:
        function: its result, if any, it writes to a file.
        arguments: picklable.
        timeout_s: seconds after which the process is killed.
    """
    prepare()
    context = multiprocessing.get_context("forkserver")
    killed_for_memory = _killed_for_memory()
    process = context.Process(target=_child, args=(function, arguments), daemon=True)
    with _main_hidden():
        process.start()
    try:
        process.join(timeout_s)
        if process.is_alive():
            return Ended("timeout", f"it took longer than {timeout_s:g} s")
    finally:
        _kill_group(process)
    code = process.exitcode or 0
    if code == -signal.SIGKILL and _killed_for_memory() > killed_for_memory:
        return Ended("oom", "the kernel killed its process for want of memory")
    if code < 0:
        return Ended("killed", f"its process was killed by {signal.Signals(-code).name}")
    if code > 0:
        return Ended("crashed", f"its process ended with exit code {code}")
    return Ended("returned")


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """Hides the caller's main script, which the child would run anew and has no use for."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _kill_group(process: BaseProcess) -> None:
    """Ends the process and whatever it started: compilers, workers of a pool."""
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.is_alive():  # before it led a group
        process.kill()
        process.join()


def _killed_for_memory() -> int:
    """Returns how many processes the kernel has killed for want of memory since boot."""
    if KERNEL_COUNTERS.is_file():
        for line in KERNEL_COUNTERS.read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _child(function: Callable[..., None], arguments: tuple[object, ...]) -> None:
    lead_a_group()
    function(*arguments)


def _die_with_parent() -> None:
    """Waits for the caller's death, asleep in the kernel, and ends this process's group then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.killpg(0, signal.SIGKILL)


def lead_a_group() -> None:
    """Makes this child of `multiprocessing` the leader of a group that ends with its parent."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with_parent, daemon=True, name="greenexp-parent").start()
