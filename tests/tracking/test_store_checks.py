"""What is wrong with a store is told before anything is measured, with the cure."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient

from greenexp.errors import BadInput, Unreachable
from greenexp.settings.secrets import PASSWORD
from greenexp.settings.sweep import Tracking
from greenexp.tracking.addresses import check_address
from greenexp.tracking.moving import move
from greenexp.tracking.opening import reader
from greenexp.tracking.tracker import connect
from tests.support.tracked import EXPERIMENT, Store, run, tracked


def refusal(settings: Tracking) -> str:
    with pytest.raises(BadInput) as refused:
        connect(settings)
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "uri",
    [
        "./mlruns",
        "mlruns",
        "/srv/mlruns",
        "file:///srv/mlruns",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "redis://127.0.0.1/0",
        "nonsense://here",
        "http:/127.0.0.1:5000",
        "",
    ],
)
def test_address_of_no_store_is_refused(uri: str) -> None:
    with pytest.raises(BadInput, match="is no address that runs are kept at"):
        check_address(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:///mlruns/mlflow.db",
        "sqlite:////srv/mlruns/mlflow.db",
        "http://127.0.0.1:5000",
        "https://mlflow.example.org/sub",
        "postgresql://server/db",
        "postgresql+psycopg2://server/db",
        "mysql+pymysql://server/db",
        "databricks",
        "databricks://profile",
    ],
)
def test_address_of_a_store_is_taken(uri: str) -> None:
    check_address(uri)


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_empty_name_of_an_experiment_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is empty; give a name"):
        Tracking(experiment=name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "project" / "mlruns"
    folder.mkdir(parents=True)
    return tracked(folder, run("a", 1), run("b", 2))


def test_deleted_experiment_is_told_with_the_way_back(store: Store) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(store.settings.uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    client.delete_experiment(experiment.experiment_id)
    message = refusal(store.settings)
    assert f"experiments restore --experiment-id {experiment.experiment_id}" in message
    client.restore_experiment(experiment.experiment_id)
    connect(store.settings)


@pytest.mark.parametrize("content", [b"no database" * 99, b"PK\x03\x04" + bytes(2000)])
def test_file_that_is_no_database_is_told_and_left(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    assert "is not a database" in refusal(Tracking(uri=f"sqlite:///{path}"))
    assert path.read_bytes() == content


def test_store_of_another_schema_is_told_with_the_command_that_upgrades_it(
    store: Store, tmp_path: Path
) -> None:
    # Under a name of its own: MLflow looks at a store's schema once a process.
    old = shutil.copy(store.settings.uri.removeprefix("sqlite:///"), tmp_path / "old.db")
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()
    assert f"mlflow db upgrade sqlite:///{old}" in refusal(Tracking(uri=f"sqlite:///{old}"))


def test_folder_that_takes_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here is no folder")
    assert "can't be used" in refusal(Tracking(uri=f"sqlite:///{tmp_path}/file/mlflow.db"))


def test_database_without_its_driver_is_told() -> None:
    message = refusal(Tracking(uri="postgresql+pg8000://u@127.0.0.1:1/db"))
    assert "its driver is not installed" in message


def test_password_of_a_database_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "hunter2")
    for uri in ("postgresql+pg8000://u@127.0.0.1:1/db", "mysql+nodriver://u:hunter2@127.0.0.1/db"):
        assert "hunter2" not in refusal(Tracking(uri=uri))


def test_server_that_is_down_is_no_fault_of_the_user() -> None:
    with pytest.raises(Unreachable, match=r"tracking\.offline=true") as silent:
        connect(Tracking(uri="http://127.0.0.1:9", timeout_s=2.0))
    assert "connection refused" in str(silent.value)


# A project that was moved or copied


@pytest.mark.parametrize("copied", [False, True], ids=["moved", "copied"])
def test_project_elsewhere_is_told_before_any_cost_and_can_be_mended(
    store: Store, tmp_path: Path, copied: bool
) -> None:
    old, new = tmp_path / "project", tmp_path / "elsewhere"
    (shutil.copytree if copied else shutil.move)(str(old), str(new))
    here = Tracking(uri=f"sqlite:///{new}/mlruns/mlflow.db", experiment=EXPERIMENT)
    message = refusal(here)
    assert f"was made in {old / 'mlruns'} and is in {new / 'mlruns'} now" in message
    assert f"python -m greenexp.store --moved {here.uri}" in message
    with pytest.raises(BadInput, match="was made in"):
        reader(here)
    registered = MlflowClient(here.uri)
    (model,) = registered.search_logged_models([experiment_id(registered)])
    registered.create_registered_model("model")
    registered.create_model_version("model", model.artifact_location)
    lines = list(move(here))
    assert any(line.startswith(f"{EXPERIMENT}: the files of 2 runs") for line in lines)
    connect(here)
    read = reader(here)
    assert [stored_run.id for stored_run in read.runs()] == ["a", "b"]
    assert all(path.startswith(str(new)) for path in read.paths())
    for place in (
        registered.get_logged_model(model.model_id).artifact_location,
        registered.get_model_version_download_uri("model", "1"),
    ):
        assert place.startswith(f"file://{new}/mlruns/")
    if copied:
        assert all(path.startswith(str(old)) for path in reader(store.settings).paths())


def experiment_id(client: MlflowClient) -> str:
    return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


def test_store_in_its_place_needs_no_mending(store: Store) -> None:
    before = reader(store.settings).paths()
    assert list(move(store.settings)) == [
        f"Default: stays at {_location(store, 'Default')}",
        f"{EXPERIMENT}: stays at {_location(store, EXPERIMENT)}",
    ]
    assert reader(store.settings).paths() == before


def _location(store: Store, name: str) -> str:
    return str(MlflowClient(store.settings.uri).get_experiment_by_name(name).artifact_location)


def test_runs_whose_files_are_gone_are_known(store: Store) -> None:
    read = reader(store.settings)
    assert read.known()[1] == 0
    (path,) = [path for path in read.paths() if store.run_ids["a"] in path]
    shutil.rmtree(Path(path).parent)
    known, gone = reader(store.settings).known()
    assert gone == 1
    assert store.run_ids["a"] not in {run.tracked for run in known}
