"""Says what is waited for when it takes long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_S = 5.0
LOG = logging.getLogger("greenexp.waiting")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Logs what is waited for after 5 s, and every 5 s from then on, while the body runs."""
    began_s = time.monotonic()
    over = threading.Event()

    def tell() -> None:
        while not over.wait(EVERY_S):
            LOG.warning("waiting for %s, %.0f s so far", what, time.monotonic() - began_s)

    telling = threading.Thread(target=tell, daemon=True, name="greenexp-waiting")
    telling.start()
    try:
        yield
    finally:
        over.set()
        telling.join()
