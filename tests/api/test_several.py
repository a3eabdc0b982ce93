"""Runs of several machines, read and compared in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import greenexp
from greenexp.report import load
from greenexp.runs import journal as journals
from greenexp.tracking.delivery import Delivery
from tests.support.machines import LARGE, SMALL, journal


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [journal(tmp_path, machine, models=["digits_vit"]) for machine in (SMALL, LARGE)]


def test_journals_are_read_as_one(two: list[Path], tmp_path: Path) -> None:
    runs = greenexp.read(two)
    assert len(runs) == 16
    assert {run.id for run in runs} == {run.id for run in greenexp.read(tmp_path)}
    assert len(greenexp.read([*two, tmp_path])) == 16
    (small,) = {run.machine for run in greenexp.read(str(two[0]))}
    assert small == SMALL.fingerprint


def test_run_that_is_given_twice_counts_once(two: list[Path]) -> None:
    once = greenexp.compare(greenexp.read(two))
    twice = greenexp.compare(greenexp.read(two[0]) + greenexp.read(two[1]) + greenexp.read(two))
    assert once.runs == twice.runs == 16
    assert once.left_out == twice.left_out == []
    assert [cell.effects for cell in once.cells] == [cell.effects for cell in twice.cells]


def test_stores_are_fetched_as_one(two: list[Path], tmp_path: Path) -> None:
    uris = [f"sqlite:///{tmp_path}/{name}/mlflow.db" for name in ("first", "second")]
    small, large = (sorted(folder.rglob(journals.RECORD)) for folder in two)
    for uri, paths in zip(uris, ([*small, *large[:4]], large), strict=True):
        assert all(receipt.run_id for receipt in Delivery(uri=uri, again=True).send(paths))
    runs = greenexp.fetch(uri=uris)
    assert len(runs) == 16
    assert len(greenexp.fetch(uri=uris[0])) == 12
    assert len(load(uri=uris)) == 16
    study = greenexp.compare([*runs, *greenexp.read(two)])
    assert study.runs == 16
    assert all(cell.accuracy for cell in study.cells if not cell.is_baseline)
