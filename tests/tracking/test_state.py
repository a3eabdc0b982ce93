"""What tells that a store has changed, without asking MLflow."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from greenexp.runs.run import RUN
from greenexp.settings.sweep import Tracking
from greenexp.tracking.artifacts import PREDICTIONS, local_path
from greenexp.tracking.reader import reader
from greenexp.tracking.state import state
from tests.support.tracked import Store, run, tracked


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return tracked(tmp_path, run("first", 1), run("second", 2))


def artifacts(store: Store, name: str) -> Path:
    uri = MlflowClient(store.settings.uri).get_run(store.run_ids[name]).info.artifact_uri
    folder = local_path(uri)
    assert folder is not None
    return folder


def test_reading_leaves_the_state_as_it_was(store: Store) -> None:
    before = state(store.settings)
    assert before is not None
    opened = reader(store.settings)
    opened.runs()
    opened.power_series(store.run_ids["first"])
    assert state(store.settings) == before


def test_a_run_more_is_another_state(store: Store, tmp_path: Path) -> None:
    before = state(store.settings)
    tracked(tmp_path, run("third", 3))
    assert state(store.settings) != before


def test_a_run_deleted_in_the_ui_is_another_state(store: Store) -> None:
    before = state(store.settings)
    MlflowClient(store.settings.uri).delete_run(store.run_ids["first"])
    assert state(store.settings) != before


@pytest.mark.parametrize("name", [RUN, PREDICTIONS])
def test_an_artifact_written_anew_or_gone_is_another_state(store: Store, name: str) -> None:
    path = artifacts(store, "second") / name
    states = [state(store.settings)]
    os.utime(path, ns=(1, 1))
    states.append(state(store.settings))
    path.unlink()
    states.append(state(store.settings))
    assert len(set(states)) == 3


def test_another_experiment_is_another_state(store: Store) -> None:
    assert state(store.settings) != state(replace(store.settings, experiment="other"))


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql://h/d", "sqlite:///none.db"])
def test_where_files_do_not_tell_there_is_no_state(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert state(Tracking(uri=uri)) is None


def test_a_file_that_is_no_database_has_no_state(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("text, and long enough to be no header of SQLite" * 9)
    assert state(Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db")) is None
