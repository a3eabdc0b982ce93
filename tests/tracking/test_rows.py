"""Several processes that write the same row of MLflow's database at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, ErrorCode
from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModelAlias
from mlflow.store.tracking.dbmodels.models import SqlDataset, SqlExperimentTag
from mlflow.store.tracking.dbmodels.models import SqlTag as SqlRunTag
from sqlalchemy import event
from sqlalchemy.orm import Session

from greenexp.settings.sweep import Tracking
from greenexp.tracking.inputs import DataSet
from greenexp.tracking.rows import TRIES, written
from greenexp.tracking.store import experiment_id
from greenexp.tracking.tracker import log_inputs
from greenexp.tracking.view import VIEW_TAG

READ = [
    DataSet("photos", f"{number}", context, "local", "{}")
    for number, context in enumerate(("evaluation", "calibration"))
]


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


@contextmanager
def meanwhile(row: type, *writes: Callable[[], object]) -> Iterator[None]:
    """Calls these, one each time that MLflow has looked for a row and is about to add it."""
    waiting = list(writes)

    def write(session: Session, *_: object) -> None:
        if waiting and any(isinstance(added, row) for added in session.new):
            waiting.pop(0)()

    event.listen(Session, "before_flush", write)
    try:
        yield
    finally:
        event.remove(Session, "before_flush", write)
    assert not waiting, "MLflow added no such row"


def run_of(client: MlflowClient) -> str:
    return str(client.create_run("0").info.run_id)


@pytest.mark.parametrize("added", [READ[:1], READ[::-1]], ids=["one", "one after another"])
def test_a_data_set_that_another_adds_is_taken(client: MlflowClient, added: list[DataSet]) -> None:
    run_id = run_of(client)
    others = [partial(log_inputs, client, run_of(client), [read], None) for read in added]
    with meanwhile(SqlDataset, *others):
        log_inputs(client, run_id, READ, None)
    read = client.get_run(run_id).inputs.dataset_inputs
    assert sorted((item.dataset.name, item.dataset.digest) for item in read) == [
        ("photos", "0"),
        ("photos", "1"),
    ]


def test_a_view_that_another_saves_is_no_fault(client: MlflowClient) -> None:
    where = Tracking(uri="http://127.0.0.1:9")
    known = client.create_experiment(where.experiment)
    with meanwhile(SqlExperimentTag, partial(client.set_experiment_tag, known, VIEW_TAG, "{}")):
        assert experiment_id(client, where) == known
    assert len(client.get_experiment(known).tags[VIEW_TAG]) > len("{}")


def registered(client: MlflowClient) -> Callable[[str], None]:
    client.create_registered_model("model")
    client.create_model_version("model", source="file:///nowhere")
    return lambda alias: client.set_registered_model_alias("model", alias, "1")


def tag_of(client: MlflowClient) -> Callable[[str], None]:
    return partial(client.set_tag, run_of(client), "verdict")


@pytest.mark.parametrize(
    ("row", "made"),
    [
        pytest.param(SqlRegisteredModelAlias, registered, id="alias"),
        pytest.param(SqlRunTag, tag_of, id="tag"),
    ],
)
def test_what_reports_and_exports_write_may_be_there_meanwhile(
    client: MlflowClient, row: type, made: Callable[[MlflowClient], Callable[[str], None]]
) -> None:
    write = made(client)
    with meanwhile(row, partial(write, "a")):
        written(partial(write, "a"))


def test_a_server_tells_a_refused_row_by_the_same_code() -> None:
    answers: list[Exception] = [
        RestException({"error_code": ErrorCode.Name(BAD_REQUEST), "message": "UniqueViolation"})
    ]

    def write() -> None:
        if answers:
            raise answers.pop()

    written(write)
    assert not answers


@pytest.mark.parametrize(
    ("code", "calls"), [(BAD_REQUEST, TRIES), (None, 1)], ids=["for good", "for another reason"]
)
def test_what_stays_refused_is_raised(code: Any, calls: int) -> None:
    made = SimpleNamespace(calls=0)

    def write() -> None:
        made.calls += 1
        raise MlflowException("no") if code is None else MlflowException("no", code)

    with pytest.raises(MlflowException, match="no"):
        written(write)
    assert made.calls == calls
