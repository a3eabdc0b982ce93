"""A function in a fresh process of its own, and how that process ended.

The process is forked from a server that has imported the heavy libraries and touched no
accelerator, so it starts in a fraction of a second and nothing of one run reaches the next. The
caller sleeps while it waits. The process may start others: an energy counter's reader, a compiler.
They end with it, in three steps. It leads a process group, which its caller ends as a whole. It
adopts the orphans among its descendants (Linux), so that it can end those that left the group once
its function has returned. The fork server adopts what remains of a process that died before that,
and the caller ends it there. The process ends, too, when its caller does.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Literal

import psutil

from greenexp.measuring.allocator import huge_pages
from greenexp.measuring.temporary import full_or_not

PRELOAD = ["greenexp.measuring.preload"]
KERNEL_COUNTERS = Path("/proc/vmstat")
EXIT_S = 10.0  # s that a library may take to clean up behind a function that has returned
ROUNDS = 5  # of ending descendants, which may start others while they are ended
ENDED_S = 5.0  # s to wait for a killed process
PR_SET_CHILD_SUBREAPER = 36  # prctl.h of Linux


@dataclass(frozen=True)
class ProcessEnd:
    """How the process ended; `detail` says more where it did not return.

    `oom` is a SIGKILL while the kernel counted a process killed for want of memory.
    """

    kind: Literal["returned", "killed", "oom", "timeout", "crashed"]
    detail: str = ""


def prepare() -> None:
    """Starts the fork server, which imports while the caller goes on with other work."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    with huge_pages():
        forkserver.ensure_running()


class Process:
    """A function that runs in a fresh process; `start` makes it.

    Attributes:
        pid: of the process.
        ends: a handle that `multiprocessing.connection.wait` takes; ready once it has ended.
    """

    def __init__(self, process: BaseProcess, killed_for_memory: int) -> None:
        self._process = process
        self._killed_for_memory = killed_for_memory
        self.pid = process.pid or 0
        self.ends = process.sentinel

    def wait(self, timeout_s: float) -> bool:
        """Returns whether it has ended within some seconds."""
        self._process.join(timeout_s)
        return not self._process.is_alive()

    def end(self) -> None:
        """Ends the process and whatever it has started, if anything of it is left."""
        _kill_group(self._process)

    def ended(self) -> ProcessEnd:
        """Returns how it ended by itself or by others; call it after `end`."""
        code = self._process.exitcode or 0
        if code == -signal.SIGKILL and _killed_for_memory() > self._killed_for_memory:
            return ProcessEnd("oom", "the kernel killed its process for want of memory")
        if code < 0:
            return ProcessEnd("killed", f"its process was killed by {signal.Signals(-code).name}")
        if code > 0:
            detail = f"its process ended with exit code {code}{full_or_not()}"
            return ProcessEnd("crashed", detail)
        return ProcessEnd("returned")


def start(function: Callable[..., None], *arguments: object) -> Process:
    """Starts an importable function in a fresh process; whoever starts it must `end` it.

    Args:
        function: its result, if any, it writes to a file or a connection.
        arguments: picklable.
    """
    prepare()
    context = multiprocessing.get_context("forkserver")
    killed_for_memory = _killed_for_memory()
    # No daemon of multiprocessing's: those may not start processes.
    process = context.Process(target=_child, args=(function, arguments), daemon=False)
    with _main_hidden():
        process.start()
    return Process(process, killed_for_memory)


def call(function: Callable[..., None], *arguments: object, timeout_s: float) -> ProcessEnd:
    """Calls an importable function in a fresh process and waits for it.

    Args:
        function: as `start` takes it.
        arguments: likewise.
        timeout_s: seconds after which the process is killed.
    """
    process = start(function, *arguments)
    try:
        if not process.wait(timeout_s):
            return too_long(timeout_s)
    finally:
        process.end()
    return process.ended()


def too_long(timeout_s: float) -> ProcessEnd:
    """Returns how a process ended that was given some seconds and took more."""
    return ProcessEnd("timeout", f"it took longer than {timeout_s:g} s")


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
        if process.is_alive():
            with contextlib.suppress(psutil.Error):
                running = psutil.Process(process.pid)
                running.suspend()  # it starts no more
                end_descendants(running)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.is_alive():  # before it led a group
        process.kill()
        process.join()
    _end_orphans()


def _end_orphans() -> None:
    """Ends what the fork server adopted: all below it but the calls that still run."""
    server_pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
    with contextlib.suppress(psutil.NoSuchProcess):
        calls = {child.pid for child in multiprocessing.active_children()}
        server = psutil.Process(server_pid) if server_pid else None
        for orphan in server.children() if server else ():
            if orphan.pid not in calls:
                end_descendants(orphan)
                _kill([orphan])


def end_descendants(process: psutil.Process | None = None) -> None:
    """Ends everything that a process started, this process by default, whatever its group."""
    root = process or psutil.Process()
    for _ in range(ROUNDS):
        try:
            descendants = root.children(recursive=True)
        except psutil.NoSuchProcess:
            return
        if not _kill(descendants):
            return


def _kill(processes: Sequence[psutil.Process]) -> bool:
    """Kills the processes and waits for their ends; tells whether any was alive."""
    alive = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                alive.append(process)
    deadline_s = time.monotonic() + ENDED_S
    while any(map(_runs, alive)) and time.monotonic() < deadline_s:
        time.sleep(0.001)  # not waited for: who started a process has a right to its exit code
    return bool(alive)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent ends, where Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _killed_for_memory() -> int:
    """Returns how many processes the kernel has killed for want of memory since boot."""
    if KERNEL_COUNTERS.is_file():
        for line in KERNEL_COUNTERS.read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _child(function: Callable[..., None], arguments: tuple[object, ...]) -> None:
    lead_a_group()
    adopt_orphans()
    code = 1
    try:
        function(*arguments)
        code = 0
    finally:
        end_descendants()  # multiprocessing would wait for them
        # What libraries leave to be done at the end, threads included, must not keep the caller.
        leave = threading.Timer(EXIT_S, os._exit, (code,))
        leave.daemon = True
        leave.start()


def _die_with_parent() -> None:
    """Waits for the caller's death, asleep in the kernel, and ends this process's group then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        end_descendants()
        os.killpg(0, signal.SIGKILL)


def lead_a_group() -> None:
    """Makes this child of `multiprocessing` the leader of a group that ends with its parent."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with_parent, daemon=True, name="greenexp-parent").start()
