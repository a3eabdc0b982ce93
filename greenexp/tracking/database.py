"""MLflow's database, read by its tables and columns: importing MLflow itself takes seconds."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from sqlalchemy import (
    Engine,
    Select,
    column,
    create_engine,
    func,
    literal,
    select,
    table,
    update,
)

from greenexp.tracking.fields import CELL_TAG

KINDS = ("mssql", "mysql", "postgresql", "sqlite")  # that MLflow keeps runs in
UNENDED = "RUNNING"  # a run that is being sent, or was only half sent
ACTIVE = "active"  # neither deleted nor thrown away
ROWS_PER_FETCH = 10_000
EXPERIMENTS = table(
    "experiments",
    *map(column, ("experiment_id", "name", "lifecycle_stage", "artifact_location")),
)
RUNS = table(
    "runs", *map(column, ("run_uuid", "experiment_id", "artifact_uri", "status", "lifecycle_stage"))
)
TAGS = table("tags", *map(column, ("run_uuid", "key", "value")))
METRICS = table("metrics", *map(column, ("run_uuid", "key", "value", "step")))


def engine_of(uri: str) -> Engine | None:
    """Returns the way into a database, None where the address is a server's. It opens nothing."""
    if urlparse(uri).scheme.partition("+")[0] not in KINDS:
        return None
    return create_engine(uri)


def experiments(engine: Engine) -> dict[str, str]:
    """Returns the ids of the experiments by name; those deleted are none."""
    wanted = select(EXPERIMENTS.c.name, EXPERIMENTS.c.experiment_id)
    with engine.connect() as connection:
        rows = connection.execute(wanted.where(EXPERIMENTS.c.lifecycle_stage == ACTIVE))
        return {str(name): str(experiment_id) for name, experiment_id in rows}


def artifact_location(engine: Engine, experiment_id: str) -> str:
    """Returns where an experiment puts the artifacts of its runs."""
    wanted = select(EXPERIMENTS.c.artifact_location).where(
        EXPERIMENTS.c.experiment_id == int(experiment_id)
    )
    with engine.connect() as connection:
        return str(connection.execute(wanted).scalar_one())


def move(engine: Engine, experiment_id: str, location: str) -> int:
    """Sets where an experiment and its runs have their artifacts; returns how many runs it has.

    Args:
        engine: of the database.
        experiment_id: MLflow's.
        location: of the experiment from now on; its runs' lie below it as they did before.
    """
    before = artifact_location(engine, experiment_id)
    here = RUNS.c.experiment_id == int(experiment_id)
    with engine.begin() as connection:
        connection.execute(
            update(EXPERIMENTS)
            .where(EXPERIMENTS.c.experiment_id == int(experiment_id))
            .values(artifact_location=location)
        )
        moved = connection.execute(
            update(RUNS)
            .where(here, RUNS.c.artifact_uri.startswith(before, autoescape=True))
            .values(
                artifact_uri=literal(location).concat(
                    func.substr(RUNS.c.artifact_uri, len(before) + 1)
                )
            )
        )
    return int(moved.rowcount)


def ours(experiment_id: str) -> Select[Any]:
    """Returns the query of the ids of the ended runs that greenexp measured."""
    return select(RUNS.c.run_uuid).where(
        RUNS.c.experiment_id == int(experiment_id),
        RUNS.c.lifecycle_stage == ACTIVE,
        RUNS.c.status != UNENDED,
        RUNS.c.run_uuid.in_(select(TAGS.c.run_uuid).where(TAGS.c.key == CELL_TAG)),
    )


def locations(engine: Engine, experiment_id: str) -> dict[str, str]:
    """Returns where the artifacts of `ours` are, by run id."""
    wanted = select(RUNS.c.run_uuid, RUNS.c.artifact_uri)
    wanted = wanted.where(RUNS.c.run_uuid.in_(ours(experiment_id)))
    return {str(run_id): str(uri) for run_id, uri in _rows(engine, wanted)}


def artifact_uri(engine: Engine, run_id: str) -> str:
    """Returns where the artifacts of a run are."""
    wanted = select(RUNS.c.artifact_uri).where(RUNS.c.run_uuid == run_id)
    with engine.connect() as connection:
        return str(connection.execute(wanted).scalar_one())


def histories(
    engine: Engine, run_id: str, prefix: str, suffix: str
) -> dict[str, list[tuple[int, float]]]:
    """Returns the points (step, value) of a run's metrics whose names begin and end so, by name."""
    names = METRICS.c.key.startswith(prefix, autoescape=True)
    names &= METRICS.c.key.endswith(suffix, autoescape=True)
    wanted = select(METRICS.c.key, METRICS.c.step, METRICS.c.value).where(
        METRICS.c.run_uuid == run_id, names
    )
    points: dict[str, list[tuple[int, float]]] = {}
    for name, step, value in _rows(engine, wanted):
        points.setdefault(str(name), []).append((int(step), float(value)))
    return points


def _rows(engine: Engine, wanted: Select[Any]) -> list[Any]:
    with engine.connect().execution_options(yield_per=ROWS_PER_FETCH) as connection:
        return list(connection.execute(wanted))
