"""A function in a fresh process of its own, and how that process ended.

The process is forked from a server that has imported the heavy libraries and touched no
accelerator, so it starts in a fraction of a second and nothing of one run reaches the next. The
caller sleeps while it waits.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import Literal

PRELOAD = ["greenexp.preload"]


@dataclass(frozen=True)
class Ended:
    """How the process ended; `detail` says more where it did not return."""

    kind: Literal["returned", "killed", "timeout", "crashed"]
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
    process = context.Process(target=_child, args=(function, arguments), daemon=True)
    process.start()
    try:
        process.join(timeout_s)
        if process.is_alive():
            return Ended("timeout", f"it took longer than {timeout_s:g} s")
    finally:
        if process.is_alive():
            process.kill()
            process.join()
    code = process.exitcode or 0
    if code < 0:
        return Ended("killed", f"its process was killed by {signal.Signals(-code).name}")
    if code > 0:
        return Ended("crashed", f"its process ended with exit code {code}")
    return Ended("returned")


def _child(function: Callable[..., None], arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    function(*arguments)
