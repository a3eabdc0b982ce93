"""Writes what a report found into MLflow: a run of its own, and metrics on the runs it is about."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.errors import NotTracked, first_line
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import MS_PER_S, NOTE_TAG, rounded
from greenexp.tracking.opening import reader
from greenexp.tracking.rows import written
from greenexp.tracking.tracker import METRICS_PER_CALL, PARAMETERS_PER_CALL
from greenexp.tracking.view import VERDICT_TAG, run_url

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

KIND_TAG = "greenexp.kind"
OF_TAG = "greenexp.summary_of"  # equal for summaries of the same cells
LATER_TAG = "greenexp.replaced_by"  # MLflow's id of the latest
SUMMARY = "summary"


def log_summary(
    settings: Tracking,
    name: str,
    *,
    params: Mapping[str, object],
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    folder: Path,
    cells: Collection[str] = (),
) -> str:
    """Makes a finished run that holds a report, and returns its MLflow id.

    Earlier summaries of the same cells point to it, and their names say so.

    Args:
        settings: which store and experiment; both must be there.
        name: of the run.
        params: of the report.
        tags: besides `greenexp.kind`, by which it is told from a measured run.
        metrics: of the report; what is not finite is left out.
        folder: of the files that become its artifacts.
        cells: that it summarizes.

    Raises:
        BadInput: as `reader`.
        NotTracked: where the store does not take it.
    """
    from mlflow.entities import Param

    opened = reader(settings)
    with _refused(settings):
        client = opened.client
        of = _digest(cells)
        earlier = _summaries(client, opened.experiment_id, of)
        kind = {KIND_TAG: SUMMARY, OF_TAG: of, "mlflow.source.name": "greenexp"}
        note = {NOTE_TAG: _with_earlier(tags.get(NOTE_TAG, ""), earlier)}
        run = client.create_run(opened.experiment_id, run_name=name, tags={**kind, **tags, **note})
        run_id = str(run.info.run_id)
        given = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, len(given), PARAMETERS_PER_CALL):
            client.log_batch(run_id, params=given[start : start + PARAMETERS_PER_CALL])
        points = _points(metrics)
        for start in range(0, len(points), METRICS_PER_CALL):
            client.log_batch(run_id, metrics=points[start : start + METRICS_PER_CALL])
        client.log_artifacts(run_id, str(folder))
        client.set_terminated(run_id, "FINISHED")
        for older in earlier:
            _point(client, older, name, run_id)
    return run_id


def _digest(cells: Collection[str]) -> str:
    """Returns what is equal for summaries of the same cells; empty for none."""
    return hashlib.sha256(" ".join(sorted(cells)).encode()).hexdigest()[:16] if cells else ""


def _summaries(client: MlflowClient, experiment_id: str, of: str) -> list[Run]:
    """Returns the summaries of the same cells, latest first, that point to no later one."""
    if not of:
        return []
    every = client.search_runs(
        [experiment_id], f"tags.`{KIND_TAG}` = '{SUMMARY}' AND tags.`{OF_TAG}` = '{of}'"
    )
    return [run for run in every if LATER_TAG not in run.data.tags]


def _with_earlier(note: str, earlier: Sequence[Run]) -> str:
    """Returns a summary's description with links to those that it replaces."""
    links = [_link(str(run.info.run_name), run.info.run_id, run) for run in earlier]
    return "\n\n".join(filter(None, [note, f"It replaces {', '.join(links)}." if links else ""]))


def _point(client: MlflowClient, older: Run, name: str, run_id: str) -> None:
    """Lets an earlier summary say, in name, tag and description, that there is a later one."""
    note = older.data.tags.get(NOTE_TAG, "")
    begin = f"A later summary of the same cells: {_link(name, run_id, older)}."
    description = "\n\n".join(filter(None, [begin, note]))
    written(lambda: client.set_tag(older.info.run_id, LATER_TAG, run_id))
    written(lambda: client.set_tag(older.info.run_id, NOTE_TAG, description))
    client.update_run(older.info.run_id, name=f"{older.info.run_name} · replaced")


def _link(name: str, run_id: str, beside: Run) -> str:
    """Returns a link, in Markdown, to another run of a run's experiment."""
    return f"[{name}]({run_url('', beside.info.experiment_id, run_id).lstrip('/')})"


def log_versus(
    settings: Tracking, values: Mapping[str, Mapping[str, float]], known: pd.DataFrame
) -> int:
    """Logs metrics on runs that are there; returns how many runs got any.

    Args:
        settings: which store and experiment.
        values: by run id and name; what is not finite is left out.
        known: a row a run id and a column a metric, as last read. A metric that is there with the
            same value is left out, so that a report made again writes nothing.

    Raises:
        BadInput: as `reader`.
        NotTracked: where the store does not take them.
    """
    names = {name for figures in values.values() for name in figures}
    there = {name: known[name].dropna().to_dict() for name in names.intersection(known.columns)}
    new: dict[str, list[Metric]] = {}
    for run_id, figures in values.items():
        changed = {
            name: value
            for name, value in figures.items()
            if there.get(name, {}).get(run_id) != rounded(value)
        }
        new[run_id] = _points(changed)
    new = {run_id: points for run_id, points in new.items() if points}
    if not new:
        return 0
    opened = reader(settings)
    with _refused(settings):
        for run_id, points in new.items():
            for start in range(0, len(points), METRICS_PER_CALL):
                opened.client.log_batch(run_id, metrics=points[start : start + METRICS_PER_CALL])
    return len(new)


def log_marks(settings: Tracking, marks: Mapping[str, str], known: pd.DataFrame) -> int:
    """Sets the tag `greenexp.verdict` of runs that are there; returns of how many it changed.

    Args:
        settings: which store and experiment.
        marks: by run id.
        known: a row a run id and a column a tag, as last read.

    Raises:
        BadInput: as `reader`.
        NotTracked: where the store does not take them.
    """
    there = known[VERDICT_TAG].to_dict() if VERDICT_TAG in known.columns else {}
    new = {run_id: mark for run_id, mark in marks.items() if there.get(run_id) != mark}
    if not new:
        return 0
    opened = reader(settings)
    with _refused(settings):
        for run_id, mark in new.items():
            written(partial(opened.client.set_tag, run_id, VERDICT_TAG, mark))
    return len(new)


def _points(metrics: Mapping[str, float]) -> list[Metric]:
    from mlflow.entities import Metric

    now_ms = int(time.time() * MS_PER_S)
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return [Metric(name, rounded(value), now_ms, 0) for name, value in finite.items()]


@contextmanager
def _refused(settings: Tracking) -> Iterator[None]:
    """Says in one line why a store does not take what is written."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise NotTracked(
            f"MLflow at {without_secrets(settings.uri)} did not take the report: "
            f"{without_secrets(first_line(error))}; "
            "its files are on disk, make it again with python -m greenexp.report"
        ) from None
