"""MLflow as a view of the journal. The one module that imports mlflow."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from greenexp.errors import BadInput, NotTracked, first_line
from greenexp.runs.identity import run_name
from greenexp.runs.journal import RECORD, Record, read
from greenexp.runs.run import of
from greenexp.settings.build import typed
from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import (
    BLOCK_TAG,
    CELL_TAG,
    ID_TAG,
    MACHINE_TAG,
    MS_PER_S,
    REPLICATE_TAG,
    artifacts,
    epoch_ms,
    parameters_of,
    points_of,
    tags,
)
from greenexp.tracking.store import (
    UI_ADDRESS,
    database_file,
    exists,
    experiment_id,
    local_folder,
    make_whole,
    quiet,
)
from greenexp.tracking.view import view_url

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")

PARAMETERS_PER_CALL = 100
METRICS_PER_CALL = 1000


@dataclass(frozen=True)
class Finished:
    """A finished run in the tracker.

    Attributes:
        run_id: MLflow's.
        key: cell, block (None: a single run), replicate.
        seconds: from its start to its journal.
        joules: of its timed stretches; None where not measured.
        usd: likewise.
    """

    run_id: str
    key: tuple[str, int | None, int]
    seconds: float
    joules: float | None
    usd: float | None


@dataclass(frozen=True)
class Measured:
    """What the latest finished run of a model on a data set found.

    Attributes:
        model: the choice, as are `tactic` and `dataset` of a run.
        dataset: likewise.
        place: hub id or folder of the data set; None where it has neither.
        limit: images that the data set was limited to; None: all.
        top1: fraction right.
        macs: multiply-accumulates for one image; None where they could not be counted.
    """

    model: str
    dataset: str
    place: str | None
    limit: int | None
    top1: float
    macs: float | None


@dataclass(frozen=True)
class Tracker:
    """An open tracking store and the experiment that runs go to."""

    client: MlflowClient
    experiment_id: str

    def log(self, record: Record) -> str:
        """Sends a record, unless it is there already, and returns its MLflow run id."""
        found = self.client.search_runs(
            [self.experiment_id], f"tags.`{ID_TAG}` = '{record.id}'", max_results=1
        )
        if found and found[0].info.status != "RUNNING":
            return str(found[0].info.run_id)
        for half_sent in found:
            self.client.delete_run(half_sent.info.run_id)
        return self._send(record)

    def finished(self, cell: str, machine: str) -> list[Finished]:
        """Returns the finished runs of a cell on a machine, latest first."""
        wanted = (
            f"attributes.status = 'FINISHED' and tags.`{CELL_TAG}` = '{cell}' "
            f"and tags.`{MACHINE_TAG}` = '{machine}'"
        )
        return [_finished(run) for run in self.client.search_runs([self.experiment_id], wanted)]

    def record(self, run_id: str) -> Record | None:
        """Returns the record of a run, None where its artifact is gone."""
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
            try:
                path = self.client.download_artifacts(run_id, RECORD, folder)
            except (MlflowException, OSError):
                return None
            return read(Path(path))

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

    def measured(self, tactic: str) -> list[Measured]:
        """Returns what a tactic's latest finished run of each model on each data set found."""
        wanted = f"attributes.status = 'FINISHED' and params.tactic = '{tactic}'"
        latest: dict[tuple[object, ...], Measured] = {}
        page_token: str | None = None
        while page_token != "":
            page = self.client.search_runs(
                [self.experiment_id],
                wanted,
                order_by=["attributes.start_time DESC"],
                page_token=page_token,
            )
            for found in filter(None, map(_measured, page)):
                key = (found.model, found.dataset, found.place, found.limit)
                latest.setdefault(key, found)
            page_token = page.token or ""
        return list(latest.values())


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


def measured(settings: Tracking, tactic: str) -> list[Measured]:
    """Returns `Tracker.measured`; where store or experiment is missing, nothing, and makes neither.

    Raises:
        BadInput: where the store can't be read.
    """
    if not exists(settings):
        return []
    quiet()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = MlflowClient(tracking_uri=settings.uri)
        experiment = client.get_experiment_by_name(settings.experiment)
        if experiment is None:
            return []
        return Tracker(client, experiment.experiment_id).measured(tactic)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise BadInput(
            f"the runs at {settings.uri} can't be read: {first_line(error)}; "
            "give the address of an MLflow store, e.g. sqlite:///mlruns/mlflow.db"
        ) from None


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


def _finished(run: Run) -> Finished:
    block = run.data.tags.get(BLOCK_TAG)
    replicate = int(run.data.tags.get(REPLICATE_TAG, 1))
    return Finished(
        run_id=str(run.info.run_id),
        key=(run.data.tags[CELL_TAG], None if block is None else int(block), replicate),
        seconds=(run.info.end_time - run.info.start_time) / MS_PER_S,
        joules=run.data.metrics.get("run/energy_j"),
        usd=run.data.metrics.get("run/cost_usd"),
    )


def _measured(run: Run) -> Measured | None:
    parameters, values = run.data.params, run.data.metrics
    if not {"model", "dataset"} <= parameters.keys() or "accuracy/top1" not in values:
        return None
    limit = parameters.get("dataset.limit")
    return Measured(
        model=parameters["model"],
        dataset=parameters["dataset"],
        place=parameters.get("dataset.id") or parameters.get("dataset.path"),
        limit=None if limit is None else int(limit),
        top1=values["accuracy/top1"],
        macs=values.get("complexity/macs"),
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
