"""Names of this machine that one process at a time holds; they go with the process."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "greenexp"
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: what Linux tells of a socket's other end
ANSWER_S = 0.5


class Name:
    """A name that one process of the machine holds, whoever its user and wherever its files are.

    On Linux it is a socket without a file, which neither folders for temporary files nor the rights
    of files keep apart; elsewhere a file that is locked.
    """

    def __init__(self, name: str) -> None:
        self._name = f"{PREFIX}.{name}"
        self._socket: socket.socket | None = None
        self._file: FileLock | None = None

    def take(self) -> bool:
        """Takes the name; returns False where another process has it."""
        if sys.platform != "linux":
            return self._take_file()
        taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            taken.bind(f"\0{self._name}")
            taken.listen()
        except OSError:
            taken.close()
            return False
        self._socket = taken
        return True

    def leave(self) -> None:
        """Lets go of the name."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._file is not None:
            self._file.release()
            self._file = None

    def holder(self) -> int | None:
        """Returns the id of the process that has the name; None where that can't be told."""
        if sys.platform != "linux":
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(ANSWER_S)
            with contextlib.suppress(OSError):
                asking.connect(f"\0{self._name}")
                told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
                pid: int = CREDENTIALS.unpack(told)[0]
                return pid or None  # 0: a process of another container
        return None

    def _take_file(self) -> bool:
        file = FileLock(Path(tempfile.gettempdir()) / f"{self._name}.lock", timeout=0, mode=0o666)
        try:
            file.acquire()
        except Timeout:
            return False
        self._file = file
        return True
