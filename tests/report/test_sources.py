"""Stores and journals that a report reads as one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from greenexp.report.sources import Sources, sources
from greenexp.report.summary import study
from greenexp.runs import journal as journals
from greenexp.runs.run import RUN
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking
from greenexp.study.labels import of_runs
from greenexp.study.pairs import groups
from greenexp.study.select import PricedRun, priced
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.state import unchanged
from greenexp.tracking.tracker import connect
from tests.support.loopback_tracker import mlflow_server
from tests.support.machines import LARGE, SMALL, Machine, journal
from tests.support.modules import Refusal


def one_model(folder: Path, machine: Machine) -> Path:
    return journal(folder, machine, models=["digits_vit"], blocks=1)


def sent(where: Tracking, *folders: Path) -> Tracking:
    paths = [path for folder in folders for path in sorted(folder.rglob(journals.RECORD))]
    assert all(receipt.run_id for receipt in Delivery(uri=where.uri, again=True).send(paths))
    return where


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return one_model(tmp_path, SMALL)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return one_model(tmp_path, LARGE)


@pytest.fixture
def store(tmp_path: Path, small: Path) -> Tracking:
    """A SQLite store that has what the small machine measured."""
    return sent(Tracking(uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db"), small)


def priced_of(opened: Sources) -> list[PricedRun]:
    runs = [replace(run, tracked=None) for run in opened.runs()]
    return priced(runs, of_runs(runs))[0]


def journals_of(*folders: Path, ignored: Path | None = None) -> Sources:
    return sources([], [str(folder) for folder in folders], "greenexp", ignored)


def test_journals_are_read_without_a_tracker(small: Path, large: Path) -> None:
    opened = journals_of(small, large)
    made = study(opened.runs(), opened, Report())
    assert (made.title, made.runs, made.left_out) == ("greenexp", 8, [])
    assert opened.names == [f"journal {small}", f"journal {large}"]
    for cell in made.cells:
        assert cell.accuracy is not None or cell.is_baseline
    assert all(points for points in made.power.values())
    assert made.power
    assert opened.shared == 0
    assert set(opened.paths()) == {str(path) for path in small.parent.rglob(RUN)}


def test_runs_of_a_journal_and_of_its_store_count_once(
    small: Path, large: Path, store: Tracking
) -> None:
    opened = sources([store], [str(small), str(large)], "greenexp")
    made = study(opened.runs(), opened, Report())
    alone = journals_of(small, large)
    assert made.runs == 8
    assert opened.shared == 4
    apart = study(alone.runs(), alone, Report())
    assert [cell.effects for cell in made.cells] == [cell.effects for cell in apart.cells]
    assert [cell.accuracy for cell in made.cells] == [cell.accuracy for cell in apart.cells]


def test_predictions_gone_in_one_place_are_read_in_another(small: Path, store: Tracking) -> None:
    for path in small.rglob(journals.RECORD):
        path.unlink()
    opened = sources([store], [str(small)], "greenexp")
    runs = opened.runs()
    with ThreadPoolExecutor() as pool:
        opened.begin_predictions([run.tracked or run.id for run in runs], pool)
        for run in runs:
            assert opened.predictions(run.tracked or run.id) is not None
            assert opened.power_series(run.tracked or run.id)


def test_record_without_its_run_is_a_run(small: Path) -> None:
    before = {run.id: run.metrics for run in journals_of(small).runs()}
    for path in small.rglob(RUN):
        path.unlink()
    assert {run.id: run.metrics for run in journals_of(small).runs()} == before


def add(small: Path) -> None:
    shutil.copytree(small / "0-1", small / "later" / "0-2")


def change(small: Path) -> None:
    os.utime(next(small.rglob(RUN)), ns=(1, 1))


def change_predictions(small: Path) -> None:
    for path in small.rglob(journals.RECORD):
        os.utime(path, ns=(1, 1))


def remove(small: Path) -> None:
    shutil.rmtree(small / "0-1" / "0")


@pytest.mark.parametrize("changed", [add, change, change_predictions, remove])
def test_what_changes_in_any_journal_is_noticed(
    small: Path, large: Path, changed: Callable[[Path], None]
) -> None:
    opened = journals_of(large, small)
    study(opened.runs(), opened, Report())
    assert opened.files.complete
    assert unchanged(opened.files.stamps)
    changed(small)
    assert not unchanged(opened.files.stamps)


def test_what_changes_in_any_store_is_noticed(small: Path, large: Path, store: Tracking) -> None:
    opened = sources([store], [str(small)], "greenexp")
    opened.runs()
    assert unchanged(opened.files.stamps)
    sent(store, large)
    assert not unchanged(opened.files.stamps)


def test_report_s_own_folder_is_not_looked_into(small: Path) -> None:
    own = small / "report"
    shutil.copytree(small / "0-1", own / "kept")
    opened = journals_of(small, ignored=own)
    assert len(opened.paths()) == 4
    opened.runs()
    (own / "report.html").write_text("anew")
    assert unchanged(opened.files.stamps)


def test_store_or_journal_that_holds_nothing_is_named(
    tmp_path: Path, small: Path, store: Tracking, refusal: Refusal
) -> None:
    (tmp_path / "empty").mkdir()
    words = refusal(lambda: sources([store], [str(small), str(tmp_path / "none")], ""))
    assert f"journal={tmp_path}/none is no folder" in words
    words = refusal(lambda: sources([], [str(small), str(tmp_path / "empty")], ""))
    assert f"journal={tmp_path}/empty holds no run" in words
    gone = Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    words = refusal(lambda: sources([store, gone], [], ""))
    assert f"there are no runs yet at {gone.uri}" in words
    new = Tracking(uri=f"sqlite:///{tmp_path}/new/mlflow.db")
    connect(new)
    words = refusal(lambda: sources([store, new], [], ""))
    assert f"there are no ended runs of tracking.experiment=greenexp at {new.uri}" in words


@pytest.mark.parametrize("together", [True, False], ids=["in rounds", "one after the other"])
def test_store_into_which_journals_were_merged_says_what_they_say(
    tmp_path: Path, together: bool
) -> None:
    """Two machines of one kind, whose blocks have the same numbers."""
    twin = replace(SMALL, name="twin", day=5)
    folders = [
        journal(tmp_path, machine, models=["digits_vit"], together=together)
        for machine in (SMALL, twin)
    ]
    apart = journals_of(*folders)
    of_journals = study(apart.runs(), apart, Report())
    store = sent(Tracking(uri=f"sqlite:///{tmp_path}/merged/mlflow.db"), *folders)
    merged = sources([store], [], "greenexp")
    of_store = study(merged.runs(), merged, Report())
    assert of_store.left_out == of_journals.left_out == []
    assert {cell.blocks for cell in of_store.cells} == {4}
    assert len(of_store.settings) == 1
    for cell, other in zip(of_store.cells, of_journals.cells, strict=True):
        assert cell.effects == other.effects
        assert cell.accuracy == other.accuracy
    pairs = [pair for group in groups(priced_of(merged)) for pair in group.every_pair()]
    assert len(pairs) == 2 * 4 + 4
    days = {run.id: run.started[:10] for run in merged.runs()}
    assert all(days[run.id] == days[base.id] for run, base in pairs)


@pytest.mark.slow
def test_server_and_file_are_read_as_one(
    tmp_path: Path, small: Path, large: Path, store: Tracking, refusal: Refusal
) -> None:
    with mlflow_server(tmp_path) as port:
        server = Tracking(uri=f"http://127.0.0.1:{port}")
        connect(server)
        words = refusal(lambda: sources([store, server], [], ""))
        assert f"greenexp at {server.uri}" in words
        sent(server, small, large)
        opened = sources([store, server], [], "greenexp")
        made = study(opened.runs(), opened, Report())
        assert (made.runs, opened.shared) == (8, 4)
        assert not opened.files.complete
        assert all(cell.accuracy for cell in made.cells if not cell.is_baseline)
