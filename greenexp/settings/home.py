"""A home folder for accounts that have none, as containers and services run under."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

HOME = "HOME"


@contextlib.contextmanager
def home() -> Iterator[str | None]:
    """Gives the account a home folder inside the context where it has none.

    Libraries look for their caches there when they are imported, and fail without it.

    Returns:
        What is told the user; None where the account has a home folder.
    """
    try:
        Path.home()
    except RuntimeError:
        pass
    else:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="greenexp-home-") as folder:
        os.environ[HOME] = folder
        try:
            yield (
                f"this account has no home folder; caches go to {folder}, which is removed "
                f"afterwards: set {HOME} to a folder to keep them"
            )
        finally:
            del os.environ[HOME]
