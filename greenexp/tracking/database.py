"""MLflow's database, read by its tables and columns: importing MLflow itself takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlparse

from sqlalchemy import (
    ColumnClause,
    Engine,
    Select,
    TableClause,
    Update,
    column,
    create_engine,
    func,
    inspect,
    literal,
    select,
    table,
    text,
    update,
)

from greenexp.tracking.fields import CELL_TAG

KINDS = ("mssql", "mysql", "postgresql", "sqlite")  # that MLflow keeps runs in
UNENDED = "RUNNING"  # a run that is being sent, or was only half sent
ACTIVE = "active"  # neither deleted nor thrown away
LOCKS = {  # of a database, by its kind: how one is taken, which waits, and released
    "postgresql": ("SELECT pg_advisory_lock(720241119)", "SELECT pg_advisory_unlock(720241119)"),
    "mysql": ("SELECT GET_LOCK('greenexp', 600)", "SELECT RELEASE_LOCK('greenexp')"),
}
ROWS_PER_FETCH = 10_000
EXPERIMENTS = table(
    "experiments",
    *map(column, ("experiment_id", "name", "lifecycle_stage", "artifact_location")),
)
RUNS = table(
    "runs", *map(column, ("run_uuid", "experiment_id", "artifact_uri", "status", "lifecycle_stage"))
)
MODELS = table("logged_models", *map(column, ("model_id", "artifact_location")))
VERSIONS = table("model_versions", *map(column, ("name", "version", "storage_location")))
TAGS = table("tags", *map(column, ("run_uuid", "key", "value")))
METRICS = table("metrics", *map(column, ("run_uuid", "key", "value", "step")))


def engine_of(uri: str) -> Engine | None:
    """Returns the way into a database, None where the address is a server's. It opens nothing."""
    if urlparse(uri).scheme.partition("+")[0] not in KINDS:
        return None
    return create_engine(uri)


def experiments(engine: Engine) -> dict[str, str]:
    """Returns the ids of the experiments by name; those deleted are none, as in a new database."""
    is_file = engine.dialect.name == "sqlite"  # one without tables is no store
    if not is_file and not inspect(engine).has_table(EXPERIMENTS.name):
        return {}
    wanted = select(EXPERIMENTS.c.name, EXPERIMENTS.c.experiment_id)
    with engine.connect() as connection:
        rows = connection.execute(wanted.where(EXPERIMENTS.c.lifecycle_stage == ACTIVE))
        return {str(name): str(experiment_id) for name, experiment_id in rows}


@contextmanager
def making_tables(engine: Engine | None) -> Iterator[None]:
    """Lets one process at a time make a database's tables, which MLflow does when it opens it.

    Several at once break each other's migration. A database of another kind has no such lock.
    """
    lock = None if engine is None else LOCKS.get(engine.dialect.name)
    if engine is None or lock is None:
        yield
        return
    taken, released = lock
    with engine.connect() as connection:
        connection.execute(text(taken))
        try:
            yield
        finally:
            connection.execute(text(released))
    engine.dispose()


def artifact_location(engine: Engine, experiment_id: str) -> str:
    """Returns where an experiment puts the artifacts of its runs."""
    wanted = select(EXPERIMENTS.c.artifact_location).where(
        EXPERIMENTS.c.experiment_id == int(experiment_id)
    )
    with engine.connect() as connection:
        return str(connection.execute(wanted).scalar_one())


def move(engine: Engine, experiment_id: str, location: str) -> int:
    """Sets where an experiment, its runs and models have their files; returns how many runs it has.

    Args:
        engine: of the database.
        experiment_id: MLflow's.
        location: of the experiment from now on; all else lies below it as it did before.
    """
    before = artifact_location(engine, experiment_id)
    known = inspect(engine)
    places = [MODELS.c.artifact_location, VERSIONS.c.storage_location]
    places = [place for place in places if known.has_table(str(place.table))]  # since MLflow 3
    with engine.begin() as connection:
        connection.execute(
            update(EXPERIMENTS)
            .where(EXPERIMENTS.c.experiment_id == int(experiment_id))
            .values(artifact_location=location)
        )
        runs = _moved(RUNS.c.artifact_uri, before, location)
        runs = runs.where(RUNS.c.experiment_id == int(experiment_id))
        count = connection.execute(runs).rowcount
        for place in places:
            connection.execute(_moved(place, before, location))
    return int(count)


def _moved(place: ColumnClause[Any], before: str, location: str) -> Update:
    """Returns the statement that sets places below a folder to the same ones below another."""
    rest = func.substr(place, len(before) + 1)
    return (
        update(cast("TableClause", place.table))
        .where(place.startswith(before, autoescape=True))
        .values({place.name: literal(location).concat(rest)})
    )


def ours(experiment_id: str) -> Select[Any]:
    """Returns the query of the ids of the ended runs that greenexp measured."""
    return select(RUNS.c.run_uuid).where(
        RUNS.c.experiment_id == int(experiment_id),
        RUNS.c.lifecycle_stage == ACTIVE,
        RUNS.c.status != UNENDED,
        RUNS.c.run_uuid.in_(select(TAGS.c.run_uuid).where(TAGS.c.key == CELL_TAG)),
    )


def is_empty(engine: Engine, experiment_id: str) -> bool:
    """Tells whether `ours` are none."""
    with engine.connect() as connection:
        return connection.execute(ours(experiment_id).limit(1)).first() is None


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
