"""What a store holds, told by its files alone: the same text as long as nothing has changed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from greenexp.runs.run import RUN
from greenexp.settings.sweep import Tracking
from greenexp.tracking.artifacts import PREDICTIONS, local_path
from greenexp.tracking.store import database_file, exists, local_folder

LOCATIONS = (
    "SELECT artifact_uri FROM runs JOIN experiments USING (experiment_id) "
    "WHERE experiments.name = ? ORDER BY run_uuid"
)


def state(settings: Tracking) -> str | None:
    """Returns a digest of the database and of the artifacts that a report reads.

    It goes by sizes and times of change, without importing MLflow: 0.3 s for 10,000 runs. None
    where files don't tell: a server, another database, artifacts elsewhere, no store yet.
    """
    if local_folder(settings.uri) is None or not exists(settings):
        return None
    database = database_file(settings.uri)
    digest = hashlib.sha256(settings.experiment.encode())
    for path in (database, database.with_name(f"{database.name}-wal")):
        digest.update(stamp(path).encode())
    try:
        for folder in _artifacts(database, settings.experiment):
            for name in (RUN, PREDICTIONS):
                digest.update(stamp(folder / name).encode())
    except (sqlite3.Error, ValueError):
        return None
    return digest.hexdigest()


def stamp(path: Path) -> str:
    """Returns a file's name, size and time of change; its name alone where there is none."""
    try:
        status = path.stat()
    except OSError:
        return f"{path}\n"
    return f"{path} {status.st_size} {status.st_mtime_ns}\n"


def _artifacts(database: Path, experiment: str) -> Iterator[Path]:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as opened:
        for (uri,) in opened.execute(LOCATIONS, (experiment,)):
            folder = local_path(str(uri))
            if folder is None:
                raise ValueError(uri)
            yield folder
