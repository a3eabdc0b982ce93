"""The MLflow store: where it is, whether it is there, how it is made."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import MS_PER_S
from greenexp.tracking.view import view_tag

if TYPE_CHECKING:
    from mlflow import MlflowClient

UI_ADDRESS = "http://127.0.0.1:5000"  # where `mlflow ui` listens unless told otherwise


def local_folder(uri: str) -> Path | None:
    """Returns the folder of a SQLite store, None for a server or another database."""
    if not uri.startswith("sqlite:///"):
        return None
    return database_file(uri).parent


def database_file(uri: str) -> Path:
    """Returns the file of a SQLite store."""
    return Path(urlparse(uri).path.removeprefix("/"))


def exists(settings: Tracking) -> bool:
    """Tells whether the store is there already; a server is taken to be."""
    folder = local_folder(settings.uri)
    return folder is None or database_file(settings.uri).is_file()


def quiet() -> None:
    """Imports MLflow such that it neither reports its use nor narrates."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # noqa: F401 - its import sets the levels of its loggers

    for chatty in ("alembic", "mlflow"):  # they narrate the making of the database
        logging.getLogger(chatty).setLevel(logging.WARNING)


def make_whole(database: Path) -> None:
    """Makes a SQLite store where none is: MLflow can't open one whose making was killed."""
    from mlflow import MlflowClient

    if database.exists():
        return
    partial = database.with_name(f".{database.name}.partial") / database.name
    shutil.rmtree(partial.parent, ignore_errors=True)
    partial.parent.mkdir()
    MlflowClient(tracking_uri=f"sqlite:///{partial}")
    partial.replace(database)
    shutil.rmtree(partial.parent, ignore_errors=True)


def experiment_id(client: MlflowClient, name: str, location: str | None) -> str:
    """Returns the id of an experiment, made with the saved view where it is missing."""
    experiment = client.get_experiment_by_name(name)
    experiment_id = (
        experiment.experiment_id
        if experiment is not None
        else client.create_experiment(name, artifact_location=location)
    )
    key, value = view_tag(int(time.time() * MS_PER_S))
    if experiment is None or key not in experiment.tags:
        client.set_experiment_tag(experiment_id, key, value)
    return str(experiment_id)
