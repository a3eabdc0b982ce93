"""What was measured before: the runs of the tracker, and those that it has missed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from greenexp.runs import journal
from greenexp.runs.journalled import run_at, runs_below
from greenexp.runs.run import Run
from greenexp.settings.sweep import Tracking
from greenexp.tracking.opening import reader_there


def known_runs(where: Tracking) -> tuple[list[Run], int]:
    """Returns the runs from earlier, and how many others have no files any more."""
    if where.offline:
        return runs_below(Path(where.journal)), 0
    known = reader_there(where)
    return ([], 0) if known is None else known.known()


def missed_records(folder: Path, uri: str) -> list[Path]:
    """Returns the records that one tracker has missed; those of others are left to the command."""
    paths = []
    for path in journal.unsent(folder):
        try:
            where = run_at(path).configuration.get("tracking", {})
        except (OSError, ValidationError):
            where = {"uri": uri}  # it is looked at, and set aside where it is damaged
        if where.get("uri", Tracking().uri) == uri:
            paths.append(path)
    return paths


def still_missed(paths: Iterable[Path], experiment: str) -> list[Run]:
    """Returns the runs of an experiment that the tracker lacks: they need not be measured again.

    Args:
        paths: of records, some of which it may have taken meanwhile.
        experiment: whose runs; those of others are not known to a sweep.
    """
    runs = []
    for path in paths:
        if journal.sent(path) is None:
            with suppress(OSError, ValidationError):
                runs.append(run_at(path))
    return [run for run in runs if _experiment(run) == experiment]


def _experiment(run: Run) -> str:
    given = run.configuration.get("tracking", {})
    return str(given.get("experiment", Tracking().experiment))
