"""A server of MLflow on this machine: a port for it, and when it answers."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from http.client import HTTPException

LOOK_EVERY_S = 0.25
ANSWER_S = 2.0  # that one look may take


def refused(host: str, port: int) -> str | None:
    """Returns why a port can't be listened on; None where it is free."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def answers(process: subprocess.Popen[bytes], url: str, timeout_s: float) -> bool:
    """Waits until a server answers; returns False where it ends or takes too long."""
    give_up_s = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < give_up_s:
        with suppress(OSError, HTTPException):  # urllib's errors, those of a status too, are such
            urllib.request.urlopen(url, timeout=ANSWER_S).close()
            return True
        time.sleep(LOOK_EVERY_S)
    return False
