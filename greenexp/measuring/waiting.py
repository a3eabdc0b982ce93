"""Says what is waited for when it takes long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

EVERY_S = 5.0
LONG = 12  # times that, after which it is said as seldom
_waits: ContextVar[bool] = ContextVar("waits", default=False)
LOG = logging.getLogger("greenexp.waiting")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Logs what is waited for every 5 s, and after a minute every minute, while the body runs.

    Of waits inside waits, the outermost speaks.
    """
    if _waits.get():
        yield
        return
    began_s = time.monotonic()
    over = threading.Event()

    def tell() -> None:
        told = 0
        while not over.wait(EVERY_S if told < LONG else EVERY_S * LONG):
            told += 1
            LOG.warning("waiting for %s, %.0f s so far", what, time.monotonic() - began_s)

    telling = threading.Thread(target=tell, daemon=True, name="greenexp-waiting")
    telling.start()
    token = _waits.set(True)
    try:
        yield
    finally:
        _waits.reset(token)
        over.set()
        telling.join()
