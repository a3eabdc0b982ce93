"""Mends a SQLite store that was moved or copied: MLflow keeps absolute paths of runs' files."""

from __future__ import annotations

from collections.abc import Iterator

from filelock import FileLock

from greenexp.errors import BadInput
from greenexp.runs.amounts import plural
from greenexp.settings.sweep import Tracking
from greenexp.tracking import database
from greenexp.tracking.addresses import address, exists, local_folder
from greenexp.tracking.artifacts import local_path
from greenexp.tracking.store import ARTIFACTS, artifact_folder


def move(settings: Tracking) -> Iterator[str]:
    """Sets the place of the files of all experiments that greenexp made; yields a line for each.

    Raises:
        BadInput: where there is no such store.
    """
    folder, here = local_folder(settings.uri), artifact_folder(settings)
    engine = database.engine_of(address(settings))
    if folder is None or here is None or engine is None or not exists(settings):
        raise BadInput(
            f"--moved {settings.uri} is no SQLite store that is there; "
            "give its address, e.g. sqlite:///mlruns/mlflow.db"
        )
    with FileLock(folder / ".greenexp.lock"):
        for name, experiment_id in database.experiments(engine).items():
            before = database.artifact_location(engine, experiment_id)
            there = local_path(before)
            if there is None or there == here or there.name != ARTIFACTS:
                yield f"{name}: stays at {before}"
                continue
            runs = database.move(engine, experiment_id, here.as_uri())
            moved = plural(runs, "run")
            yield f"{name}: the files of {moved} are looked for in {here}, not in {there}"
