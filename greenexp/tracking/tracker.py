"""MLflow as a view of the journal: records out, each once."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from greenexp.errors import NotTracked, first_line
from greenexp.runs.identity import run_name
from greenexp.runs.journal import Record
from greenexp.runs.run import of
from greenexp.settings.build import typed
from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import (
    ID_TAG,
    artifacts,
    epoch_ms,
    parameters_of,
    points_of,
    tags,
)
from greenexp.tracking.store import (
    UI_ADDRESS,
    database_file,
    experiment_id,
    local_folder,
    make_whole,
    quiet,
)
from greenexp.tracking.view import view_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

PARAMETERS_PER_CALL = 100
METRICS_PER_CALL = 1000


@dataclass(frozen=True)
class Tracker:
    """An open tracking store and the experiment that runs go to."""

    client: MlflowClient
    experiment_id: str

    def log(self, record: Record) -> str:
        """Sends a record, unless it is there already, and returns its MLflow run id."""
        runs = self.client.search_runs(
            [self.experiment_id], f"tags.`{ID_TAG}` = '{record.id}'", max_results=1
        )
        if runs and runs[0].info.status != "RUNNING":
            return str(runs[0].info.run_id)
        for half_sent in runs:
            self.client.delete_run(half_sent.info.run_id)
        return self._send(record)

    def _send(self, record: Record) -> str:
        from mlflow.entities import Metric, Param

        measured = of(record)
        started_ms = epoch_ms(record.started)
        run = self.client.create_run(
            self.experiment_id,
            start_time=started_ms,
            run_name=run_name(record.title, record.block, record.replicate),
            tags=tags(record, measured),
        )
        run_id = str(run.info.run_id)
        parameters = [Param(key, value) for key, value in parameters_of(record).items()]
        for some in _chunks(parameters, PARAMETERS_PER_CALL):
            self.client.log_batch(run_id, params=some)
        metrics = [Metric(*astuple(point)) for point in points_of(record, measured)]
        for points in _chunks(metrics, METRICS_PER_CALL):
            self.client.log_batch(run_id, metrics=points)
        with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
            for name, text in artifacts(record, measured).items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            self.client.log_artifacts(run_id, folder)
        status = "FINISHED" if record.result.outcome == "ok" else "FAILED"
        self.client.set_terminated(run_id, status, end_time=epoch_ms(record.ended))
        return run_id


def send(record: Record, path: Path) -> str:
    """Sends a journalled record to the tracker that its configuration names.

    Raises:
        NotTracked: where the tracker fails; the record stays in the journal.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return connect(typed(record.configuration, "tracking", Tracking)).log(record)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise NotTracked(
            f"{record.title} is measured and kept in {path}, but MLflow did not take it: "
            f"{first_line(error)}; send it again with python -m greenexp.store {path.parent}"
        ) from error


def connect(settings: Tracking) -> Tracker:
    """Opens the store, creating database, experiment and saved view where they are missing."""
    quiet()
    from mlflow import MlflowClient

    folder = local_folder(settings.uri)
    if folder is None:
        client = MlflowClient(tracking_uri=settings.uri)
        return Tracker(client, experiment_id(client, settings.experiment, None))
    folder.mkdir(parents=True, exist_ok=True)
    # Several processes that open a new SQLite store at once break its migration.
    with FileLock(folder / ".greenexp.lock"):
        make_whole(database_file(settings.uri))
        client = MlflowClient(tracking_uri=settings.uri)
        location = (folder.resolve() / "artifacts").as_uri()
        return Tracker(client, experiment_id(client, settings.experiment, location))


def how_to_open(settings: Tracking, tracker: Tracker) -> str:
    """Returns how the user opens the saved view of the runs."""
    if local_folder(settings.uri) is None:
        return f"Runs in MLflow: {view_url(settings.uri, tracker.experiment_id)}"
    return (
        f"Runs in MLflow: start `mlflow ui --backend-store-uri {settings.uri}` and open\n"
        f"  table   {view_url(UI_ADDRESS, tracker.experiment_id)}\n"
        f"  charts  {view_url(UI_ADDRESS, tracker.experiment_id, 'CHART')}"
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
