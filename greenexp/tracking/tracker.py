"""MLflow as a view of the journal: records out, each once."""

from __future__ import annotations

import itertools
import shlex
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from greenexp.measuring.waiting import waiting
from greenexp.runs.identity import run_name
from greenexp.runs.journal import Record
from greenexp.runs.run import Run, of
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.addresses import (
    DATABASES,
    address,
    check_address,
    database_file,
    local_folder,
    scheme_of,
)
from greenexp.tracking.claim import Claims
from greenexp.tracking.database import engine_of, making_tables
from greenexp.tracking.entities import dataset_inputs, metrics_of, model_inputs
from greenexp.tracking.fields import (
    artifacts,
    epoch_ms,
    parameters_of,
    points_of,
    tags,
)
from greenexp.tracking.inputs import DataSet, data_sets
from greenexp.tracking.models import Models
from greenexp.tracking.refusals import refusals
from greenexp.tracking.rows import written
from greenexp.tracking.sender import SENDER_TAG, SINCE_TAG, sender
from greenexp.tracking.store import UI_ADDRESS, experiment_id, make_whole, probe, quiet
from greenexp.tracking.view import view_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

PARAMETERS_PER_CALL = 100
METRICS_PER_CALL = 1000  # parameters among them


@dataclass(frozen=True)
class Tracker:
    """An open tracking store and the experiment that runs go to."""

    client: MlflowClient
    experiment_id: str

    @cached_property
    def models(self) -> Models:
        """The models of the experiment."""
        return Models(self.client, self.experiment_id)

    def log(self, record: Record, *, restore: bool = False, patience_s: float = 0.0) -> str:
        """Sends a record, unless it is there already, and returns its MLflow run id.

        One that was deleted there stays deleted. A half-sent run is cleared where its sender has
        ended. Of processes that send copies of a record one does; see `claim`. The caller holds the
        record's lock, so this process sends it once at a time.

        Args:
            record: to send.
            restore: whether one that was deleted comes back.
            patience_s: that another process is waited for which is sending it.

        Raises:
            NotTracked: where another process is sending it.
        """
        claims = Claims(self.client, self.experiment_id, record.id, record.title)
        measured = cache(lambda: of(record))  # not made of one that is there
        claimed = claims.run_of(lambda: self._made(record, measured()), patience_s)
        if not claimed.is_whole:
            self._fill(claimed.run_id, record, measured())
            claims.clear(claimed.run_id)
        elif restore and claimed.is_deleted:
            self.client.restore_run(claimed.run_id)
        return claimed.run_id

    def _made(self, record: Record, measured: Run) -> str:
        run = self.client.create_run(
            self.experiment_id,
            start_time=epoch_ms(record.started),
            run_name=run_name(record.title, record.block, record.replicate, measured.is_baseline),
            tags={**tags(record, measured), SENDER_TAG: sender(), SINCE_TAG: f"{time.time():.0f}"},
        )
        return str(run.info.run_id)

    def _fill(self, run_id: str, record: Record, measured: Run) -> None:
        from mlflow.entities import Param

        parameters = [Param(key, value) for key, value in parameters_of(record).items()]
        read = data_sets(record)
        model_id = self.models.of(measured, run_id) if measured.outcome == "ok" else None
        metrics = metrics_of(points_of(record, measured), measured, model_id, read)
        # Parameters go with the metrics: each call is a request.
        calls = _chunks(metrics, METRICS_PER_CALL - PARAMETERS_PER_CALL)
        for points, some in itertools.zip_longest(calls, _chunks(parameters, PARAMETERS_PER_CALL)):
            self.client.log_batch(run_id, points or (), some or ())
        if read or model_id:
            log_inputs(self.client, run_id, read, model_id)
        with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
            for name, text in artifacts(record, measured).items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            self.client.log_artifacts(run_id, folder)
        status = "FINISHED" if record.result.outcome == "ok" else "FAILED"
        self.client.set_terminated(run_id, status, end_time=epoch_ms(record.ended))


def log_inputs(
    client: MlflowClient, run_id: str, read: Sequence[DataSet], model_id: str | None
) -> None:
    """Tells MLflow which data sets a run read, and which model it measured."""
    inputs, models = dataset_inputs(read), model_inputs(model_id)
    written(lambda: client.log_inputs(run_id, inputs, models))


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
            with making_tables(engine_of(address(settings))):
                client = MlflowClient(tracking_uri=address(settings))
            return Tracker(client, experiment_id(client, settings))
        folder.mkdir(parents=True, exist_ok=True)
        # Several processes that open a new SQLite store at once break its migration.
        with FileLock(folder / ".greenexp.lock"):
            make_whole(database_file(settings.uri))
            client = MlflowClient(tracking_uri=address(settings))
            return Tracker(client, experiment_id(client, settings))


def how_to_open(settings: Tracking, tracker: Tracker) -> str:
    """Returns how the user opens the saved view of the runs."""
    if scheme_of(settings.uri) not in (*DATABASES, "sqlite"):
        return f"Runs in MLflow: {view_url(without_secrets(settings.uri), tracker.experiment_id)}"
    uri = shlex.quote(without_secrets(settings.uri))
    default, words = Tracking(), ["greenexp ui"]
    words += [f"tracking.uri={uri}"] if settings.uri != default.uri else []
    if settings.experiment != default.experiment:
        words.append(f"tracking.experiment={shlex.quote(settings.experiment)}")
    return (
        f"Runs in MLflow: `{' '.join(words)}` opens them, or start "
        f"`mlflow ui --backend-store-uri {uri}` and open\n"
        f"  table   {view_url(UI_ADDRESS, tracker.experiment_id)}\n"
        f"  charts  {view_url(UI_ADDRESS, tracker.experiment_id, 'CHART')}"
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
