"""Journals of several machines, sent to one store by the command as a user types it."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from greenexp.cli import store
from greenexp.runs import journalled
from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import ID_TAG
from greenexp.tracking.tracker import connect
from tests.support.tracked import run


@pytest.fixture
def journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the journals of two machines, and a copy of the first."""
    monkeypatch.chdir(tmp_path)
    for machine, names in {"a": ("a1", "a2"), "b": ("b1",)}.items():
        for day, name in enumerate(names, 1):
            journalled.write(run(name, day), tmp_path / f"multirun-{machine}" / name)
    shutil.copytree("multirun-a", "copy-of-a")
    return tmp_path


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["greenexp.store", *words])
    code = store.main()
    printed = capsys.readouterr()
    errors = printed.err.splitlines(keepends=True)
    # A busy machine makes MLflow's tables for so long that the user is told.
    return code, printed.out, "".join(line for line in errors if not line.startswith("waiting"))


def test_journals_and_a_copy_are_merged_each_run_once(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["multirun-a", "multirun-b", "copy-of-a", "multirun-a/a1"]
    where = Tracking(f"sqlite:///{journals}/merged/mlflow.db", "ours")
    to = [f"tracking.uri={where.uri}", "tracking.experiment=ours"]
    code, out, err = said(monkeypatch, capsys, *folders, *to)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 5  # a record that is named twice by its path is sent once
    tracker = connect(where)
    runs = tracker.client.search_runs([tracker.experiment_id])
    assert Counter(mlflow_run.data.tags[ID_TAG] for mlflow_run in runs) == {
        "a1": 1,
        "a2": 1,
        "b1": 1,
    }
    assert said(monkeypatch, capsys, *folders, *to)[1] == out


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        pytest.param("multirun-c", "multirun-c is no folder", id="missing"),
        pytest.param("empty", "empty holds no record.json", id="empty"),
    ],
)
def test_folder_without_a_record_is_named_before_anything_is_sent(
    journals: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: str,
    words: str,
) -> None:
    (journals / "empty").mkdir()
    to = f"tracking.uri=sqlite:///{journals}/merged/mlflow.db"
    code, out, err = said(monkeypatch, capsys, "multirun-a", folder, to)
    assert (code, out) == (1, "")
    assert err == f"greenexp: {words}; give the output folder of a run\n"
    assert not (journals / "merged").exists()


def test_new_experiment_of_another_store_may_have_its_files_elsewhere(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    merged = f"tracking.uri=sqlite:///{journals}/merged/mlflow.db"
    to = [merged, f"tracking.artifacts={journals}/files"]
    code, _, err = said(monkeypatch, capsys, "multirun-b", *to)
    assert (code, err) == (0, "")
    assert len(list((journals / "files").rglob("record.json"))) == 1
