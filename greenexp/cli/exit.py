"""What the commands that Hydra composes have in common: how they end."""

from __future__ import annotations

import os
from collections.abc import Callable

from greenexp.cli.compose import register

FULL_ERROR = "HYDRA_FULL_ERROR"  # Hydra's own switch: set, every error keeps its traceback
INTERRUPTED = 130  # what shells expect after Ctrl-C


def exit_code(run: Callable[[], object]) -> int:
    """Runs a command and returns its exit code; errors meant for the user take one line."""
    from greenexp.cli import console
    from greenexp.cli.messages import one_line

    keep_traceback = FULL_ERROR in os.environ
    os.environ[FULL_ERROR] = "1"  # errors come here rather than to Hydra's own printer
    register()
    try:
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
