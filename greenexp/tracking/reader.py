"""Reads an experiment that is there: its runs, what each had right, its power over time.

Nothing is created or changed. What is found is written by `findings`.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from greenexp.errors import DamagedRecord
from greenexp.runs import journal
from greenexp.runs.journal import Record
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import RUN, Run, from_json
from greenexp.settings.sweep import Tracking
from greenexp.tracking import database, downloads, server
from greenexp.tracking.addresses import address
from greenexp.tracking.artifacts import PREDICTIONS, local_path
from greenexp.tracking.fields import MS_PER_S
from greenexp.tracking.legacy import runs_of
from greenexp.tracking.predictions import PredictionFiles, read_all
from greenexp.tracking.refusals import unreadable
from greenexp.tracking.state import FilesRead
from greenexp.tracking.store import quiet
from greenexp.tracking.tables import (
    SERIES,
    Tables,
    read_database,
    read_server,
    server_locations,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Engine

POWER = "_power_w"
ESTIMATE = f"{SERIES}cpu_estimate/"


@dataclass(frozen=True)
class Reader:
    """Reads the runs of one experiment; `reader` makes it, and every call raises as that does.

    Attributes:
        settings: which store and experiment.
        experiment_id: MLflow's.
        engine: of the database; None: the store is a server.
        files: that were read so far.
    """

    settings: Tracking
    experiment_id: str
    engine: Engine | None
    files: FilesRead = field(default_factory=FilesRead, repr=False)
    _predictions: PredictionFiles = field(default_factory=PredictionFiles, repr=False)
    _begun: list[Future[dict[str, ImageOutcomes | None]]] = field(default_factory=list, repr=False)
    _known: dict[str, str] = field(default_factory=dict, repr=False)  # run id: artifact location
    _coming: dict[tuple[str, str], Future[bytes]] = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """What the runs are: the experiment's name."""
        return self.settings.experiment

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's own access to the store."""
        quiet(self.settings.timeout_s)
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=address(self.settings))

    def tables(self) -> Tables:
        """Returns the runs as they are now."""
        with unreadable(self.settings):
            if self.engine is None:
                return read_server(self.client, self.experiment_id)
            return read_database(self.engine, self.experiment_id)

    def is_empty(self) -> bool:
        """Tells whether no run has ended that greenexp measured."""
        with unreadable(self.settings):
            if self.engine is None:
                return server.is_empty(self.client, self.experiment_id)
            return database.is_empty(self.engine, self.experiment_id)

    def runs(self, *, exact: bool = True, without: Collection[str | None] = ()) -> list[Run]:
        """Returns the ended runs that greenexp measured, oldest first.

        A run is read from its artifact `run.json`, where every digit is; one that was tracked
        before it had such, or whose artifact is gone, is made of its tags and metrics.

        Args:
            exact: False: a server's runs are all made of tags and metrics, which it sends by the
                page; figures then have six digits.
            without: MLflow's ids of runs that are left out.
        """
        if self.engine is None and not exact:
            return [run for run in runs_of(self.tables()) if run.tracked not in without]
        runs, _ = self._read(without)
        return runs

    def known(self) -> tuple[list[Run], int]:
        """Returns the runs that have their files, not exactly, and how many others have lost them.

        Of a server's runs that is not known, and all are returned.
        """
        if self.engine is None:
            return self.runs(exact=False), 0
        runs, gone = self._read()
        return [run for run in runs if run.tracked not in gone], len(gone)

    def _read(self, without: Collection[str | None] = ()) -> tuple[list[Run], set[str]]:
        """Returns the runs, and the ids of those whose folder is gone."""
        with unreadable(self.settings), _uncollected():
            locations = self._locations()
            self._known.update(locations)
            wanted = {key: uri for key, uri in locations.items() if key not in without}
            self._begin(RUN, wanted)
            runs_by_id = {run_id: self._run(run_id, uri) for run_id, uri in wanted.items()}
            unread = {run_id for run_id, run in runs_by_id.items() if run is None}
            if unread:
                for run in runs_of(self.tables()):
                    if str(run.tracked) in unread:
                        runs_by_id[str(run.tracked)] = run
        folders = {run_id: local_path(locations[run_id]) for run_id in unread}
        gone = {run_id for run_id, folder in folders.items() if folder and not folder.is_dir()}
        runs = [run for run in runs_by_id.values() if run is not None]
        return sorted(runs, key=lambda run: (run.started, run.tracked or "")), gone

    def paths(self) -> list[str]:
        """Returns the files here that `runs` reads, in its order; none of a server's runs."""
        if self.engine is None:
            return []  # its runs are elsewhere, and to list them takes a call a page
        with unreadable(self.settings):
            folders = map(local_path, self._locations().values())
            return [f"{folder}/{RUN}" for folder in folders if folder is not None]

    def _locations(self) -> dict[str, str]:
        """Returns where the artifacts of the ended runs are, by run id."""
        if self.engine is None:
            return server_locations(self.client, self.experiment_id)
        return database.locations(self.engine, self.experiment_id)

    def _run(self, run_id: str, uri: str) -> Run | None:
        folder = local_path(uri)
        try:
            text = self._text(f"{folder}/{RUN}") if folder else self._downloaded(run_id, RUN)
            return from_json(text, tracked=run_id)
        except (OSError, ValidationError):
            return None

    def _text(self, path: str) -> bytes:
        """Returns a file's bytes; for a report of thousands, without a `Path` and a buffer."""
        self.files.note(path)
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return file.readall()

    def _begin(self, name: str, uris: Mapping[str, str]) -> None:
        """Begins to download a file of those runs whose artifacts are elsewhere."""
        elsewhere = {run_id: uri for run_id, uri in uris.items() if local_path(uri) is None}
        if elsewhere:
            begun = downloads.begin(elsewhere, name, address(self.settings))
            self._coming.update({(run_id, name): file for run_id, file in begun.items()})

    def _downloaded(self, run_id: str, name: str) -> bytes:
        self.files.complete = False
        coming = self._coming.pop((run_id, name), None)
        if coming is not None:
            return coming.result()
        return downloads.download(self._artifact_uri(run_id), name, address(self.settings))

    def record(self, run_id: str) -> Record | None:
        """Returns the whole record of a run; None where it is gone or can't be read."""
        with (
            unreadable(self.settings),
            tempfile.TemporaryDirectory(prefix="greenexp-") as temporary,
        ):
            folder = local_path(self._artifact_uri(run_id))
            try:
                if folder is None:
                    folder = Path(temporary)
                    written = self._downloaded(run_id, journal.RECORD)
                    (folder / journal.RECORD).write_bytes(written)
                return journal.read(folder / journal.RECORD)
            except (DamagedRecord, FileNotFoundError):
                return None

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where that is gone or can't be read."""
        for begun in self._begun:
            if run_id in begun.result():
                return begun.result()[run_id]
        with unreadable(self.settings):
            folder = local_path(self._artifact_uri(run_id))
            if folder is not None:
                return self._predicted(folder / PREDICTIONS)
            with suppress(FileNotFoundError):
                return self._predictions.read(BytesIO(self._downloaded(run_id, PREDICTIONS)))
            return None

    def begin_predictions(self, run_ids: Sequence[str], pool: Executor) -> None:
        """Begins to read in another process, or to download, what `predictions` is asked for."""
        known = {run_id: self._known[run_id] for run_id in run_ids if run_id in self._known}
        self._begin(PREDICTIONS, known)
        folders = {run_id: local_path(uri) for run_id, uri in known.items()}
        paths = {run_id: folder / PREDICTIONS for run_id, folder in folders.items() if folder}
        for path in paths.values():
            self.files.note(str(path))
        self._begun.append(pool.submit(read_all, paths))

    def _predicted(self, path: Path) -> ImageOutcomes | None:
        self.files.note(str(path))
        return self._predictions.read(path)

    def power_series(self, run_id: str) -> dict[str, list[tuple[float, float]]]:
        """Returns power over time, (s into the run, W), of each component that was sampled.

        Components are called as in the names of metrics: `cpu`, `gpu_0`. GPUs that stood idle
        beside the run are among them. An estimate counts only where nothing else was sampled.
        """
        with unreadable(self.settings):
            histories = self._histories(run_id)
        series = {}
        for name in sorted(histories, key=lambda name: (not name.startswith(ESTIMATE), name)):
            component = name.removesuffix(POWER).rpartition("/")[2]
            series[component] = sorted((step / MS_PER_S, value) for step, value in histories[name])
        return series

    def _histories(self, run_id: str) -> dict[str, list[tuple[int, float]]]:
        if self.engine is not None:
            return database.histories(self.engine, run_id, SERIES, POWER)
        names = self.client.get_run(run_id).data.metrics
        return {
            name: [
                (point.step, point.value) for point in self.client.get_metric_history(run_id, name)
            ]
            for name in names
            if name.startswith(SERIES) and name.endswith(POWER)
        }

    def _artifact_uri(self, run_id: str) -> str:
        if run_id in self._known:
            return self._known[run_id]
        if self.engine is None:
            return str(self.client.get_run(run_id).info.artifact_uri)
        return database.artifact_uri(self.engine, run_id)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Looks for no garbage inside the context, where thousands of runs are made and all kept.

    What is there at the end is not looked through later either: that took a quarter of the time.
    It is freed as ever once nothing refers to it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
