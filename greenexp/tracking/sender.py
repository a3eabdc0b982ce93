"""Who sends a run: told on the run itself, so that what a dead sender left half-sent is cleared."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

import psutil

SENDER_TAG = "greenexp.sender"
SINCE_TAG = "greenexp.sending_since"  # Unix time
SAME_START_S = 1.0  # by which two readings of a process's start may differ
DIGITS = 8  # of the machine's digest


def sender() -> str:
    """Returns this process: its host, process namespace, number and start."""
    return f"{_host()} {os.getpid()} {psutil.Process().create_time():.2f}"


def is_gone(tag: str) -> bool:
    """Tells whether a sender is known to have ended; of another host nothing is known."""
    host, _, process = tag.rpartition(" ")[0].rpartition(" ")
    start = tag.rpartition(" ")[2]
    if host != _host():
        return False
    try:
        running = psutil.Process(int(process))
        return abs(running.create_time() - float(start)) > SAME_START_S
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False


@cache
def _host() -> str:
    """Returns the host: its name, and what tells apart hosts and containers of one name.

    That is the namespace of process numbers, and the machine by a digest, see machine-id(5).
    """
    namespace, machine = Path("/proc/self/ns/pid"), Path("/etc/machine-id")
    number = namespace.stat().st_ino if namespace.exists() else 0
    own = machine.read_bytes() if machine.exists() else b""
    digest = hashlib.sha256(b"greenexp" + own).hexdigest()[:DIGITS]
    return f"{socket.gethostname()}/{number}/{digest}"
