"""Copies of one journal, on any number of machines: each record stands in the tracker once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from greenexp.runs import journalled
from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import ID_TAG
from greenexp.tracking.tracker import connect
from tests.support import postgresql
from tests.support.loopback_tracker import mlflow_server
from tests.support.senders import send_at_once
from tests.support.tracked import run

SENDERS = 4
NAMES = [f"r{number}" for number in range(3)]


def copies(folder: Path) -> list[Path]:
    """Returns copies of a journal, as rsync leaves them on each machine."""
    for day, name in enumerate(NAMES, 1):
        record = run(name, day)
        record.configuration["tracking"].update(timeout_s=120.0)  # others may use the machine
        journalled.write(record, folder / "first" / name)
    others = [folder / f"copy {number}" for number in range(1, SENDERS)]
    for other in others:
        shutil.copytree(folder / "first", other)
    return [folder / "first", *others]


def check_each_is_there_once(where: Tracking, folder: Path) -> None:
    told = send_at_once(where.uri, where.experiment, copies(folder))
    tracker = connect(where)
    there = tracker.client.search_runs([tracker.experiment_id], run_view_type=ViewType.ACTIVE_ONLY)
    assert Counter(known.data.tags[ID_TAG] for known in there) == dict.fromkeys(NAMES, 1)
    assert {known.info.status for known in there} == {"FINISHED"}
    ids = {known.data.tags[ID_TAG]: known.info.run_id for known in there}
    assert told == [[ids[name] for name in NAMES]] * SENDERS
    for known in there:
        assert whole(tracker.client, known.info.run_id)


def whole(client: MlflowClient, run_id: str) -> bool:
    return any(file.path == "run.json" for file in client.list_artifacts(run_id))


@pytest.mark.slow
def test_sqlite_has_each_record_once(tmp_path: Path) -> None:
    where = Tracking(uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    check_each_is_there_once(where, tmp_path)


@pytest.mark.slow
def test_server_has_each_record_once(tmp_path: Path) -> None:
    with mlflow_server(tmp_path) as port:
        where = Tracking(uri=f"http://127.0.0.1:{port}")
        check_each_is_there_once(where, tmp_path)


@pytest.fixture
def database() -> Iterator[str]:
    with postgresql.postgresql() as address:
        yield address


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # as MLflow closes
@pytest.mark.skipif(postgresql.programs() is None, reason="PostgreSQL is not installed")
def test_postgresql_has_each_record_once(tmp_path: Path, database: str) -> None:
    where = Tracking(database, artifacts=str(tmp_path / "shared"))
    connect(where)
    check_each_is_there_once(where, tmp_path)
