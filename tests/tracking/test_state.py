"""What tells that a store has changed since it was read."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from greenexp.runs.run import RUN
from greenexp.settings.sweep import Tracking
from greenexp.tracking.artifacts import PREDICTIONS, local_path
from greenexp.tracking.opening import reader
from greenexp.tracking.state import FilesRead, opened, unchanged
from tests.support.tracked import Store, run, tracked


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return tracked(tmp_path, run("first", 1), run("second", 2))


def artifacts(store: Store, name: str) -> Path:
    uri = MlflowClient(store.settings.uri).get_run(store.run_ids[name]).info.artifact_uri
    folder = local_path(uri)
    assert folder is not None
    return folder


def read(store: Store) -> FilesRead:
    """Returns the files that a report reads."""
    opened = reader(store.settings)
    for stored_run in opened.runs():
        opened.predictions(stored_run.tracked or "")
        opened.power_series(stored_run.tracked or "")
    return opened.files


def test_reading_changes_nothing(store: Store) -> None:
    files = read(store)
    assert files.complete
    assert unchanged(files.stamps)
    read(store)
    assert unchanged(files.stamps)


def test_a_run_more_is_a_change(store: Store, tmp_path: Path) -> None:
    files = read(store)
    tracked(tmp_path, run("third", 3))
    assert not unchanged(files.stamps)


def test_a_run_deleted_in_the_ui_is_a_change(store: Store) -> None:
    files = read(store)
    MlflowClient(store.settings.uri).delete_run(store.run_ids["first"])
    assert not unchanged(files.stamps)


@pytest.mark.parametrize("name", [RUN, PREDICTIONS])
def test_an_artifact_written_anew_or_gone_is_a_change(store: Store, name: str) -> None:
    path = artifacts(store, "second") / name
    files = read(store)
    os.utime(path, ns=(1, 1))
    assert not unchanged(files.stamps)
    files = read(store)
    path.unlink()
    assert not unchanged(files.stamps)
    files = read(store)
    path.write_text("back again")
    assert not unchanged(files.stamps)


def test_paths_are_the_files_that_runs_reads(store: Store) -> None:
    opened = reader(store.settings)
    paths = opened.paths()
    opened.runs()
    assert set(paths) == {path for path in opened.files.stamps if path.endswith(RUN)}
    assert all(Path(path).is_file() for path in paths)


def test_what_another_process_reads_is_noted_too(store: Store) -> None:
    opened = reader(store.settings)
    opened.runs()
    with ThreadPoolExecutor() as pool:
        opened.begin_predictions(list(store.run_ids.values()), pool)
    assert str(artifacts(store, "second") / PREDICTIONS) in opened.files.stamps
    direct = reader(store.settings)
    for run_id in store.run_ids.values():
        begun, own = opened.predictions(run_id), direct.predictions(run_id)
        assert begun is not None
        assert own is not None
        assert begun.images == own.images
        assert begun.correct.tolist() == own.correct.tolist()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql://h/d", "sqlite:///none.db"])
def test_where_files_do_not_tell_all_it_is_known(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not opened(Tracking(uri=uri)).complete
