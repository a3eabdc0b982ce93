"""The runs of an experiment as plain tables, read fast.

`MlflowClient.search_runs` makes objects of every parameter and metric of every run. Of a database
only what is needed is read here, through MLflow's own table classes; a server is asked for pages.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenexp.tracking import database
from greenexp.tracking.database import ROWS_PER_FETCH, UNENDED
from greenexp.tracking.fields import CELL_TAG

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from sqlalchemy import Connection, Engine

SERIES = "series/"  # metrics over time, one point of which says nothing
IDS_PER_QUERY = 500  # databases limit the values of one query
RUNS_PER_PAGE = 1000

RunRow = tuple[str, int | None, str]  # id, start in ms since the epoch, status
Item = tuple[str, str, Any]  # run id, name, value


@dataclass(frozen=True)
class Tables:
    """The ended runs of an experiment that greenexp measured, oldest first.

    A run without the tag `greenexp.cell` is none of them: a summary, or another tool's.

    Attributes:
        runs: `started` (datetime64, UTC) and `status`, by run id; so are the next two.
        tags: one string column a tag.
        metrics: one Float64 column a metric, absent is NA; without `series/…`.
        params: by cell, those of its earliest finished run, or of its earliest where none finished:
            all of a cell have the same but for title, place in the sweep, effect and provenance.
    """

    runs: pd.DataFrame
    tags: pd.DataFrame
    metrics: pd.DataFrame
    params: Mapping[str, Mapping[str, str]]


def server_locations(client: MlflowClient, experiment_id: str) -> dict[str, str]:
    """Returns where the artifacts of the ended runs are, by run id, as a server tells."""
    return {
        str(run.info.run_id): str(run.info.artifact_uri)
        for run in _found(client, experiment_id, RUNS_PER_PAGE)
        if run.info.status != UNENDED and CELL_TAG in run.data.tags
    }


def read_database(engine: Engine, experiment_id: str) -> Tables:
    """Returns the runs of an experiment in MLflow's database."""
    from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlRun, SqlTag
    from sqlalchemy import select

    ours = database.ours(experiment_id)
    runs: Any = select(SqlRun.run_uuid, SqlRun.start_time, SqlRun.status)
    tags: Any = select(SqlTag.run_uuid, SqlTag.key, SqlTag.value)
    metrics: Any = select(SqlLatestMetric.run_uuid, SqlLatestMetric.key, SqlLatestMetric.value)
    metrics = metrics.where(
        SqlLatestMetric.is_nan.is_(False), SqlLatestMetric.key.not_like(f"{SERIES}%")
    )
    with engine.connect().execution_options(yield_per=ROWS_PER_FETCH) as connection:
        listed = connection.execute(runs.where(SqlRun.run_uuid.in_(ours)))
        rows = sorted(((run_id, start, status) for run_id, start, status in listed), key=_age)
        ids = [run_id for run_id, _, _ in rows]
        tagged = wide(ids, connection.execute(tags.where(SqlTag.run_uuid.in_(ours))), "string")
        values = connection.execute(metrics.where(SqlLatestMetric.run_uuid.in_(ours)))
        measured = wide(ids, values, "Float64")
        cells = tagged[CELL_TAG] if rows else []
        return Tables(_runs(rows), tagged, measured, _params(connection, _examples(rows, cells)))


def read_server(
    client: MlflowClient, experiment_id: str, runs_per_page: int = RUNS_PER_PAGE
) -> Tables:
    """Returns the same as `read_database`, of any store that MLflow opens."""
    rows: list[RunRow] = []
    tags: list[Item] = []
    metrics: list[Item] = []
    examples: dict[str, tuple[RunRow, Mapping[str, str]]] = {}
    for run in _found(client, experiment_id, runs_per_page):
        if run.info.status == UNENDED or CELL_TAG not in run.data.tags:
            continue
        row = str(run.info.run_id), run.info.start_time, str(run.info.status)
        rows.append(row)
        tags += [(row[0], name, value) for name, value in run.data.tags.items()]
        metrics += [
            (row[0], name, value)
            for name, value in run.data.metrics.items()
            if not name.startswith(SERIES) and not math.isnan(value)
        ]
        cell = run.data.tags[CELL_TAG]
        if cell not in examples or _precedence(row) < _precedence(examples[cell][0]):
            examples[cell] = row, run.data.params
    rows.sort(key=_age)
    ids = [run_id for run_id, _, _ in rows]
    params = {cell: params for cell, (_, params) in examples.items()}
    return Tables(_runs(rows), wide(ids, tags, "string"), wide(ids, metrics, "Float64"), params)


def wide(run_ids: Sequence[str], items: Iterable[Any], dtype: str) -> pd.DataFrame:
    """Returns one row a run and one column a name, sorted; what a run has not is NA.

    Args:
        run_ids: the rows, in order.
        items: run id, name, value. Those of other runs are left out: they came in since.
        dtype: of the columns, one of pandas' nullable ones.
    """
    import pandas as pd

    places = {run_id: place for place, run_id in enumerate(run_ids)}
    columns: dict[str, list[Any]] = defaultdict(lambda: [None] * len(run_ids))
    for run_id, name, value in items:
        if run_id in places:
            columns[name][places[run_id]] = value
    index = pd.Index(run_ids, name="run_id", dtype="string")
    made = {name: pd.array(columns[name], dtype=dtype) for name in sorted(columns)}
    return pd.DataFrame(made, index=index)


def _found(client: MlflowClient, experiment_id: str, runs_per_page: int) -> Iterator[Run]:
    page_token: str | None = None
    while page_token != "":
        page = client.search_runs([experiment_id], max_results=runs_per_page, page_token=page_token)
        yield from page
        page_token = page.token or ""


def _age(row: RunRow) -> tuple[int, str]:
    run_id, start_ms, _ = row
    return start_ms or 0, run_id


def _precedence(row: RunRow) -> tuple[bool, int, str]:
    """The least of a cell's runs speaks for it: the earliest finished one, else the earliest."""
    return row[2] != "FINISHED", *_age(row)


def _examples(rows: Iterable[RunRow], cells: Iterable[str]) -> dict[str, str]:
    """Returns by cell the id of the run that speaks for it."""
    ranks: dict[str, list[tuple[bool, int, str]]] = defaultdict(list)
    for row, cell in zip(rows, cells, strict=True):
        ranks[cell].append(_precedence(row))
    return {cell: min(of_cell)[-1] for cell, of_cell in ranks.items()}


def _params(connection: Connection, examples: Mapping[str, str]) -> dict[str, dict[str, str]]:
    from mlflow.store.tracking.dbmodels.models import SqlParam
    from sqlalchemy import select

    cells = {run_id: cell for cell, run_id in examples.items()}
    ids = list(cells)
    params: dict[str, dict[str, str]] = {cell: {} for cell in examples}
    wanted: Any = select(SqlParam.run_uuid, SqlParam.key, SqlParam.value)
    for start in range(0, len(ids), IDS_PER_QUERY):
        some = ids[start : start + IDS_PER_QUERY]
        for run_id, key, value in connection.execute(wanted.where(SqlParam.run_uuid.in_(some))):
            params[cells[run_id]][key] = value
    return params


def _runs(rows: Sequence[RunRow]) -> pd.DataFrame:
    import pandas as pd

    started = pd.to_datetime([start_ms for _, start_ms, _ in rows], unit="ms", utc=True)
    status = pd.array([status for _, _, status in rows], dtype="string")
    index = pd.Index([run_id for run_id, _, _ in rows], name="run_id", dtype="string")
    return pd.DataFrame({"started": started, "status": status}, index=index)
