"""MLflow as a view of the journal: records out, each once."""

from __future__ import annotations

import itertools
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from greenexp.errors import NotTracked
from greenexp.runs.identity import run_name
from greenexp.runs.journal import Record
from greenexp.runs.run import of
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.database import ACTIVE, UNENDED
from greenexp.tracking.fields import (
    ID_TAG,
    artifacts,
    epoch_ms,
    parameters_of,
    points_of,
    tags,
)
from greenexp.tracking.sender import SENDER_TAG, is_gone, sender
from greenexp.tracking.store import (
    UI_ADDRESS,
    address,
    artifact_folder,
    check_address,
    database_file,
    experiment_id,
    local_folder,
    make_whole,
    probe,
    quiet,
    refusals,
)
from greenexp.tracking.view import view_url
from greenexp.tracking.waiting import waiting

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

T = TypeVar("T")

PARAMETERS_PER_CALL = 100
METRICS_PER_CALL = 1000


@dataclass(frozen=True)
class Tracker:
    """An open tracking store and the experiment that runs go to."""

    client: MlflowClient
    experiment_id: str

    def log(self, record: Record, *, restore: bool = False) -> str:
        """Sends a record, unless it is there already, and returns its MLflow run id.

        One that was deleted there stays deleted. A half-sent run is cleared where its sender has
        ended. The caller holds the record's lock, so this process sends it once at a time.

        Args:
            record: to send.
            restore: whether one that was deleted comes back.

        Raises:
            NotTracked: where another process is sending it.
        """
        runs = self._runs_of(record)
        ended = [run for run in runs if run.info.status != UNENDED]
        if ended:
            whole_run = min(ended, key=lambda run: run.info.lifecycle_stage != ACTIVE)
            run_id = str(whole_run.info.run_id)
            if restore and whole_run.info.lifecycle_stage != ACTIVE:
                self.client.restore_run(run_id)
        else:
            self._check_nobody_sends(runs, record)
            run_id = self._send(record)
            runs = self._runs_of(record)  # a request that was made twice leaves two
        self._clear(run for run in runs if run.info.run_id != run_id)
        return run_id

    def _runs_of(self, record: Record) -> Sequence[MlflowRun]:
        from mlflow.entities import ViewType

        wanted = f"tags.`{ID_TAG}` = '{record.id}'"
        return list(self.client.search_runs([self.experiment_id], wanted, ViewType.ALL))

    def _check_nobody_sends(self, runs: Iterable[MlflowRun], record: Record) -> None:
        for run in runs:
            by = run.data.tags.get(SENDER_TAG)
            if run.info.lifecycle_stage == ACTIVE and by and not (by == sender() or is_gone(by)):
                host, process, _ = by.rsplit(" ", 2)
                raise NotTracked(
                    f"{record.title} is being sent by process {process} of "
                    f"{host.partition('/')[0]}; where that has ended, delete run "
                    f"{run.info.run_id} in MLflow and send again"
                )

    def _clear(self, runs: Iterable[MlflowRun]) -> None:
        """Deletes the half-sent runs among these whose sender has ended, or is this process."""
        for run in runs:
            by = run.data.tags.get(SENDER_TAG, "")
            half_sent = run.info.status == UNENDED and run.info.lifecycle_stage == ACTIVE
            if half_sent and (by == sender() or is_gone(by)):
                self.client.delete_run(run.info.run_id)

    def _send(self, record: Record) -> str:
        from mlflow.entities import Metric, Param

        measured = of(record)
        started_ms = epoch_ms(record.started)
        run = self.client.create_run(
            self.experiment_id,
            start_time=started_ms,
            run_name=run_name(record.title, record.block, record.replicate),
            tags={**tags(record, measured), SENDER_TAG: sender()},
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


def connect(settings: Tracking) -> Tracker:
    """Opens the store, creating database, experiment and saved view where they are missing.

    Raises:
        Unreachable: where it does not answer.
        BadInput: where the user has something to mend; the line says what.
    """
    check_address(settings.uri)
    quiet(settings.timeout_s)
    from mlflow import MlflowClient

    with waiting(f"MLflow at {without_secrets(settings.uri)}"), refusals(settings):
        folder = local_folder(settings.uri)
        if folder is None:
            probe(settings)
            client = MlflowClient(tracking_uri=address(settings))
            return Tracker(client, experiment_id(client, settings, None))
        folder.mkdir(parents=True, exist_ok=True)
        # Several processes that open a new SQLite store at once break its migration.
        with FileLock(folder / ".greenexp.lock"):
            make_whole(database_file(settings.uri))
            client = MlflowClient(tracking_uri=address(settings))
            return Tracker(client, experiment_id(client, settings, artifact_folder(settings)))


def how_to_open(settings: Tracking, tracker: Tracker) -> str:
    """Returns how the user opens the saved view of the runs."""
    if local_folder(settings.uri) is None:
        return f"Runs in MLflow: {view_url(without_secrets(settings.uri), tracker.experiment_id)}"
    uri = shlex.quote(settings.uri)
    return (
        f"Runs in MLflow: start `mlflow ui --backend-store-uri {uri}` and open\n"
        f"  table   {view_url(UI_ADDRESS, tracker.experiment_id)}\n"
        f"  charts  {view_url(UI_ADDRESS, tracker.experiment_id, 'CHART')}"
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
