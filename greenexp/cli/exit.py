"""What the commands that Hydra composes have in common: how they end."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenexp.cli.compose import register
from greenexp.cli.version import asks_for_version, named_version
from greenexp.errors import GreenexpError

FULL_ERROR = "HYDRA_FULL_ERROR"  # Hydra's own switch: set, every error keeps its traceback
INTERRUPTED = 130  # what shells expect after Ctrl-C


def exit_code(run: Callable[[], object]) -> int:
    """Runs a command and returns its exit code; errors meant for the user take one line."""
    from greenexp.cli import console
    from greenexp.cli.messages import one_line

    if asks_for_version(sys.argv[1:]):
        print(named_version())
        return 0
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what can't be printed must not end a run
            stream.reconfigure(errors="backslashreplace")
    keep_traceback = FULL_ERROR in os.environ
    os.environ[FULL_ERROR] = "1"  # errors come here rather than to Hydra's own printer
    register()
    try:
        with heard():
            run()
    except KeyboardInterrupt:
        console.note("interrupted; runs that had ended are recorded")
        return INTERRUPTED
    except Exception as error:
        message = one_line(error)
        if message is None or keep_traceback:
            raise
        console.note(f"greenexp: {message}")
        return 1
    return 0


@contextmanager
def told() -> Iterator[None]:
    """Ends the command with one line on what the user has to mend.

    An exception would make Hydra, inside which this happens, print lines of its own.
    """
    from greenexp.cli import console

    try:
        yield
    except GreenexpError as error:
        console.note(f"greenexp: {error}")
        raise SystemExit(1) from None


class _Notes(logging.Handler):
    """Shows what the other rooms warn of, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        from greenexp.cli import console

        console.note(record.getMessage())


@contextmanager
def heard() -> Iterator[None]:
    """Shows greenexp's own warnings on the terminal inside the context, and there alone."""
    own, notes = logging.getLogger("greenexp"), _Notes(logging.WARNING)
    propagated = own.propagate
    own.addHandler(notes)
    own.propagate = False
    try:
        yield
    finally:
        own.removeHandler(notes)
        own.propagate = propagated
