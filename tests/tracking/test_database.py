"""MLflow's database is read without MLflow: its kinds, tables and columns are MLflow's."""

from __future__ import annotations

import pytest
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlMetric, SqlRun, SqlTag
from sqlalchemy import TableClause

from greenexp.tracking import database


def test_kinds_of_databases_are_those_that_mlflow_takes() -> None:
    assert set(database.KINDS) == set(DATABASE_ENGINES)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (database.EXPERIMENTS, SqlExperiment),
        (database.RUNS, SqlRun),
        (database.TAGS, SqlTag),
        (database.METRICS, SqlMetric),
    ],
)
def test_tables_and_columns_are_mlflows(ours: TableClause, theirs: type) -> None:
    table = theirs.__table__  # type: ignore[attr-defined] # MLflow's classes carry no types
    assert ours.name == table.name
    assert set(ours.columns.keys()) <= set(table.columns.keys())
