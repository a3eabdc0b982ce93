"""Makes a store of MLflow, and asks whether it answers and has its files where it is."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.errors import BadInput, Unreachable
from greenexp.measuring.waiting import waiting
from greenexp.settings.secrets import SERVERS, whole, without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.addresses import DATABASES, SQLITE, local_folder, scheme_of
from greenexp.tracking.artifacts import local_path
from greenexp.tracking.database import ACTIVE
from greenexp.tracking.fields import MS_PER_S
from greenexp.tracking.reach import ATTEMPTS, ask_database, ask_server, within
from greenexp.tracking.refusals import unreachable
from greenexp.tracking.view import save_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

UI_ADDRESS = "http://127.0.0.1:5000"  # where `mlflow ui` listens unless told otherwise
ARTIFACTS = "artifacts"  # folder of the runs' files, beside a SQLite database
# MLflow's own settings, where the user has not set them: it would try for minutes, in silence.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.5",
}
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"


def quiet(timeout_s: float | None = None) -> None:
    """Imports MLflow such that it neither reports its use, narrates, nor waits for minutes.

    Args:
        timeout_s: that one answer of a server may take; None: as MLflow has it. Settings of MLflow
            that the environment holds already stay.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if timeout_s is not None:
        for name, value in {**PATIENCE, TIMEOUT: f"{max(1, round(timeout_s))}"}.items():
            os.environ.setdefault(name, value)
    import mlflow  # noqa: F401 - its import sets the levels of its loggers

    for chatty in ("alembic", "mlflow", "urllib3"):  # they narrate what is told in a line here
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def make_whole(database: Path) -> None:
    """Makes a SQLite store where none is: MLflow can't open one whose making was killed."""
    from mlflow import MlflowClient

    if database.exists():
        return
    partial = database.with_name(f".{database.name}.partial") / database.name
    shutil.rmtree(partial.parent, ignore_errors=True)
    partial.parent.mkdir()
    MlflowClient(tracking_uri=f"{SQLITE}{partial}")
    partial.replace(database)
    shutil.rmtree(partial.parent, ignore_errors=True)


def experiment_id(client: MlflowClient, settings: Tracking) -> str:
    """Returns the id of an experiment, made with the saved view where it is missing.

    Args:
        client: of the store.
        settings: which experiment, and where a new one has the files of its runs.

    Raises:
        BadInput: where it was deleted, where its files are looked for in another place, or where it
            is new and nothing tells where they are to go.
    """
    experiment = client.get_experiment_by_name(settings.experiment)
    if experiment is None:
        experiment = _made(client, settings.experiment, location_of(settings))
    _check_active(experiment, settings)
    check_place(experiment.artifact_location, settings)
    save_view(client, experiment, int(time.time() * MS_PER_S))
    return str(experiment.experiment_id)


def location_of(settings: Tracking) -> str | None:
    """Returns where a new experiment has the files of its runs; None: its server decides.

    Raises:
        BadInput: for a database, which keeps none, where `tracking.artifacts` does not tell.
    """
    if settings.artifacts is not None:
        named = "://" in settings.artifacts
        return settings.artifacts if named else Path(settings.artifacts).resolve().as_uri()
    folder = artifact_folder(settings)
    if folder is not None:
        return folder.as_uri()
    if scheme_of(settings.uri) in DATABASES:
        raise BadInput(
            f"{without_secrets(settings.uri)} keeps no files, and tracking.experiment="
            f"{settings.experiment} is new there; say where the files of its runs go, so that all "
            "machines reach them: tracking.artifacts=/shared/folder, or s3://…"
        )
    return None


def _made(client: MlflowClient, name: str, location: str | None) -> Experiment:
    """Returns a new experiment, or the one that another, or a lost answer, has made meanwhile."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=location))
    except MlflowException as error:
        known = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or known is None:
            raise
        return known


def _check_active(experiment: Experiment, settings: Tracking) -> None:
    if experiment.lifecycle_stage != ACTIVE:
        shown = without_secrets(settings.uri)
        raise BadInput(
            f"tracking.experiment={settings.experiment} was deleted at {shown}; bring it back with "
            f"MLFLOW_TRACKING_URI={shown} mlflow experiments restore --experiment-id "
            f"{experiment.experiment_id}, or give another name"
        )


def artifact_folder(settings: Tracking) -> Path | None:
    """Returns where the files of a SQLite store's runs are put; None for other stores."""
    folder = local_folder(settings.uri)
    return None if folder is None else folder.resolve() / ARTIFACTS


def check_place(location: str, settings: Tracking) -> None:
    """Checks that an experiment's files are where its database is.

    MLflow keeps absolute paths. A project that was moved or copied would read, and write, in the
    old place.

    Raises:
        BadInput: where greenexp made the experiment in another folder than it is in now.
    """
    here, there = artifact_folder(settings), local_path(location)
    if here is None or there is None or there == here or there.name != ARTIFACTS:
        return
    if there.parent.name != here.parent.name and there.exists():
        return  # a place that was chosen
    raise BadInput(
        f"{settings.uri} was made in {there.parent} and is in {here.parent} now, so the files of "
        "its runs are looked for in the old place; python -m greenexp.store --moved "
        f"{settings.uri} sets the new one, or give another tracking.uri"
    )


def probe(settings: Tracking) -> None:
    """Returns once a server or a database has answered; a file is not asked.

    Raises:
        Unreachable: where it does not within `tracking.timeout_s`.
        BadInput: where the user has something to mend: a driver, a certificate.
    """
    uri = settings.uri
    scheme = scheme_of(uri)
    limit_s = settings.timeout_s
    try:
        with waiting(f"MLflow at {without_secrets(uri)}"):
            if scheme in SERVERS:
                within(limit_s, lambda: ask_server(uri, limit_s, ATTEMPTS))
            elif scheme in DATABASES:
                within(limit_s, lambda: ask_database(whole(uri)))
    except Unreachable as silent:
        raise Unreachable(unreachable(settings, without_secrets(str(silent)))) from None
    except BadInput as refused:
        raise BadInput(
            f"tracking.uri={without_secrets(uri)} can't be used: {refused}, or give another address"
        ) from None
