"""One measurement at a time on a machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from greenexp.errors import BadInput

NAME = "greenexp.lock"


@contextmanager
def machine_lock(*, alone: bool) -> Iterator[None]:
    """Keeps other measurements of greenexp off this machine; a process may take it again.

    Args:
        alone: False: nothing is locked, and measurements disturb each other.

    Raises:
        BadInput: where another process measures.
    """
    if not alone:
        yield
        return
    path = Path(tempfile.gettempdir()) / NAME
    # Everyone may take it; the system lets go of it when its holder dies.
    lock = FileLock(path, timeout=0, mode=0o666, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise BadInput(
            f"another measurement of greenexp runs on this machine ({path} is locked), and each "
            "would disturb the other; wait for its end, or give isolation.alone=false"
        ) from None
    try:
        yield
    finally:
        lock.release()
