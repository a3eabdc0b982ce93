"""What a store holds, told by its files alone: the same text as long as nothing has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from greenexp.runs.run import RUN
from greenexp.settings.sweep import Tracking
from greenexp.tracking import database
from greenexp.tracking.artifacts import PREDICTIONS, local_path
from greenexp.tracking.store import database_file, exists, local_folder


def state(settings: Tracking) -> str | None:
    """Returns a digest of the database and of the artifacts that a report reads.

    It goes by sizes and times of change. None where files don't tell: a server, another database,
    artifacts elsewhere, no store yet.
    """
    if local_folder(settings.uri) is None or not exists(settings):
        return None
    file = database_file(settings.uri)
    read = [file, file.with_name(f"{file.name}-wal")]
    engine = database.engine_of(settings.uri)
    if engine is None:
        return None
    try:
        experiment_id = database.experiments(engine).get(settings.experiment)
        uris = database.locations(engine, experiment_id).values() if experiment_id else ()
    except SQLAlchemyError:
        return None
    for folder in map(local_path, uris):
        if folder is None:
            return None
        read += [folder / RUN, folder / PREDICTIONS]
    parts = [settings.experiment, *map(stamp, read)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def stamp(path: Path) -> str:
    """Returns a file's name, size and time of change; its name alone where there is none."""
    try:
        status = path.stat()
    except OSError:
        return f"{path}\n"
    return f"{path} {status.st_size} {status.st_mtime_ns}\n"
