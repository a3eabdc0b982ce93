"""Reads an experiment that is there: its runs, what each had right, its power over time.

Nothing is created or changed. What is found is written by `findings`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from greenexp.errors import BadInput, first_line, nearest
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import RUN, Run, from_json
from greenexp.settings.sweep import Tracking
from greenexp.tracking import database
from greenexp.tracking.artifacts import PREDICTIONS, local_path
from greenexp.tracking.fields import MS_PER_S
from greenexp.tracking.legacy import runs_of
from greenexp.tracking.store import exists, quiet
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
    """

    settings: Tracking
    experiment_id: str
    engine: Engine | None
    _images: list[tuple[Any, tuple[str, ...]]] = field(default_factory=list, repr=False)
    _known: dict[str, str] = field(default_factory=dict, repr=False)  # run id: artifact location

    @property
    def title(self) -> str:
        """What the runs are: the experiment's name."""
        return self.settings.experiment

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's own access to the store."""
        quiet()
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.settings.uri)

    def tables(self) -> Tables:
        """Returns the runs as they are now."""
        with _refused(self.settings):
            if self.engine is None:
                return read_server(self.client, self.experiment_id)
            return read_database(self.engine, self.experiment_id)

    def runs(self, *, exact: bool = True) -> list[Run]:
        """Returns the ended runs that greenexp measured, oldest first.

        A run is read from its artifact `run.json`, where every digit is; one that was tracked
        before it had such, or whose artifact is gone, is made of its tags and metrics.

        Args:
            exact: False: a server's runs are all made of tags and metrics, which it sends by the
                page; figures then have six digits.
        """
        if self.engine is None and not exact:
            return list(runs_of(self.tables()))
        with _refused(self.settings):
            locations = self._locations()
            self._known.update(locations)
            found = {run_id: self._run(run_id, uri) for run_id, uri in locations.items()}
            if None in found.values():
                for run in runs_of(self.tables()):
                    if found.get(str(run.tracked)) is None:
                        found[str(run.tracked)] = run
        runs = [run for run in found.values() if run is not None]
        return sorted(runs, key=lambda run: (run.started, run.tracked or ""))

    def _locations(self) -> dict[str, str]:
        """Returns where the artifacts of the ended runs are, by run id."""
        if self.engine is None:
            return server_locations(self.client, self.experiment_id)
        return database.locations(self.engine, self.experiment_id)

    def _run(self, run_id: str, uri: str) -> Run | None:
        folder = local_path(uri)
        try:
            text = (folder / RUN).read_bytes() if folder else self._downloaded(run_id)
            return replace(from_json(text), tracked=run_id)
        except (OSError, ValidationError):
            return None

    def _downloaded(self, run_id: str) -> bytes:
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
            try:
                return Path(self.client.download_artifacts(run_id, RUN, folder)).read_bytes()
            except MlflowException as error:
                raise FileNotFoundError(str(error)) from None

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where that is gone or can't be read."""
        with _refused(self.settings):
            folder = local_path(self._artifact_uri(run_id))
            if folder is not None:
                return self._judged(folder / PREDICTIONS)
            with tempfile.TemporaryDirectory(prefix="greenexp-") as temporary:
                path = download(self.client, run_id, temporary)
                return None if path is None else self._judged(path)

    def power_series(self, run_id: str) -> dict[str, list[tuple[float, float]]]:
        """Returns power over time, (s into the run, W), of each component that was sampled.

        Components are called as in the names of metrics: `cpu`, `gpu_0`. GPUs that stood idle
        beside the run are among them. An estimate counts only where nothing else was sampled.
        """
        with _refused(self.settings):
            histories = self._histories(run_id)
        found = {}
        for name in sorted(histories, key=lambda name: (not name.startswith(ESTIMATE), name)):
            component = name.removesuffix(POWER).rpartition("/")[2]
            found[component] = sorted((step / MS_PER_S, value) for step, value in histories[name])
        return found

    def _histories(self, run_id: str) -> dict[str, list[tuple[int, float]]]:
        if self.engine is not None:
            return database.histories(self.engine, run_id, SERIES, POWER)
        names = self.client.get_run(run_id).data.metrics
        return {
            name: [(one.step, one.value) for one in self.client.get_metric_history(run_id, name)]
            for name in names
            if name.startswith(SERIES) and name.endswith(POWER)
        }

    def _artifact_uri(self, run_id: str) -> str:
        if run_id in self._known:
            return self._known[run_id]
        if self.engine is None:
            return str(self.client.get_run(run_id).info.artifact_uri)
        return database.artifact_uri(self.engine, run_id)

    def _judged(self, path: Path) -> ImageOutcomes | None:
        import pyarrow
        from pyarrow import csv

        kinds = {"image": pyarrow.string(), "correct": pyarrow.bool_()}
        wanted = csv.ConvertOptions(include_columns=list(kinds), column_types=kinds)
        try:
            table = csv.read_csv(path, convert_options=wanted)
        except (OSError, pyarrow.ArrowException):
            return None
        return ImageOutcomes(self._shared(table["image"]), table["correct"].to_numpy().astype(bool))

    def _shared(self, column: Any) -> tuple[str, ...]:
        """Returns the names in a column, the same object for the same names.

        A tuple a run would take gigabytes: 50,000 names in each of hundreds of runs.
        """
        for known, images in self._images:
            if column.equals(known):
                return images
        images = tuple(column.to_pylist())
        self._images.append((column, images))
        return images


def reader(settings: Tracking) -> Reader:
    """Opens a store that is there, to read the runs of an experiment that is there.

    Raises:
        BadInput: where either is missing, or the store can't be read.
    """
    if not exists(settings):
        raise BadInput(
            f"there are no runs yet at {settings.uri}; "
            "measure some first: python -m greenexp -m model=all tactic=all"
        )
    engine, ids = _open(settings)
    if settings.experiment not in ids:
        raise BadInput(
            f"tracking.experiment={settings.experiment} is not at {settings.uri}; "
            f"allowed: {', '.join(sorted(ids))}.{nearest(settings.experiment, ids)}"
        )
    return Reader(settings, ids[settings.experiment], engine)


def _open(settings: Tracking) -> tuple[Engine | None, dict[str, str]]:
    """Returns the database, None for a server, and the ids of its experiments by name."""
    with _refused(settings):
        engine = database.engine_of(settings.uri)
        if engine is not None:
            return engine, database.experiments(engine)
        quiet()
        return None, _server_experiments(settings.uri)


def runs_there(settings: Tracking) -> list[Run]:
    """Returns the runs of an experiment, not exactly; none where store or experiment is missing.

    Raises:
        BadInput: where the store can't be read.
    """
    if not exists(settings):
        return []
    engine, ids = _open(settings)
    if settings.experiment not in ids:
        return []
    return Reader(settings, ids[settings.experiment], engine).runs(exact=False)


def download(client: MlflowClient, run_id: str, folder: str) -> Path | None:
    """Returns a copy of a run's predictions in a folder, None where they are gone."""
    from mlflow.exceptions import MlflowException

    try:
        return Path(client.download_artifacts(run_id, PREDICTIONS, folder))
    except (MlflowException, OSError):
        return None


def total_power(series: Mapping[str, Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Returns the power of all components together over time, (s, W).

    At the times of the component sampled most often, the others linear between their samples, for
    as long as all were sampled.
    """
    import numpy as np

    sampled = [points for points in series.values() if points]
    if not sampled:
        return []
    start = max(points[0][0] for points in sampled)
    end = min(points[-1][0] for points in sampled)
    times = [t for t, _ in max(sampled, key=len) if start <= t <= end]
    total = np.zeros(len(times))
    for points in sampled:
        total += np.interp(times, [t for t, _ in points], [power_w for _, power_w in points])
    return list(zip(times, total.tolist(), strict=True))


@contextmanager
def _refused(settings: Tracking) -> Iterator[None]:
    """Says in one line why a store can't be read."""
    try:
        yield
    except _refusals() as error:
        raise BadInput(
            f"the runs at {settings.uri} can't be read: {first_line(error)}; "
            "give the address of an MLflow store, e.g. sqlite:///mlruns/mlflow.db"
        ) from None


def _refusals() -> tuple[type[Exception], ...]:
    """Returns what a store that can't be read raises; MLflow's own once it is imported."""
    from sqlalchemy.exc import SQLAlchemyError

    mlflow = sys.modules.get("mlflow.exceptions")
    own = () if mlflow is None else (mlflow.MlflowException,)
    return (SQLAlchemyError, OSError, ImportError, *own)


def _server_experiments(uri: str) -> dict[str, str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found: dict[str, str] = {}
    page_token: str | None = None
    while page_token != "":
        page = client.search_experiments(page_token=page_token)
        found |= {str(one.name): str(one.experiment_id) for one in page}
        page_token = page.token or ""
    return found
