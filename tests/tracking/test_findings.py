"""What a report leaves in MLflow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from greenexp.errors import NotTracked
from greenexp.tracking import findings
from greenexp.tracking.fields import NOTE_TAG
from greenexp.tracking.findings import log_marks, log_summary, log_versus
from greenexp.tracking.opening import reader
from tests.support.tracked import Store, run, tracked

RATIO = "vs_baseline/energy_ratio"
DELTA = "vs_baseline/top1_delta"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return tracked(tmp_path_factory.mktemp("store"), run("first", 1), run("second", 2))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A folder as a report leaves it."""
    folder = tmp_path / "report"
    (folder / "pictures").mkdir(parents=True)
    (folder / "report.html").write_text("<p>")
    (folder / "pictures" / "energy.png").write_bytes(b"")
    return folder


def summarize(store: Store, folder: Path, **fields: Any) -> str:
    given: dict[str, Any] = {"params": {}, "tags": {}, "metrics": {}, "folder": folder}
    return log_summary(store.settings, "summary", **(given | fields))


def known(store: Store) -> pd.DataFrame:
    return reader(store.settings).tables().metrics


def test_summary_is_a_finished_run_of_its_own(store: Store, report: Path) -> None:
    params = {f"p{number}": number for number in range(150)}
    metrics = {"best/energy_ratio": 1 / 3, "best/break_even_images": math.inf}
    run_id = summarize(store, report, params=params, tags={"a": "b"}, metrics=metrics)
    opened = reader(store.settings)
    summary = opened.client.get_run(run_id)
    assert (summary.info.status, summary.info.run_name) == ("FINISHED", "summary")
    assert (summary.data.tags["greenexp.kind"], summary.data.tags["a"]) == ("summary", "b")
    assert summary.data.params == {name: str(value) for name, value in params.items()}
    assert summary.data.metrics == {"best/energy_ratio": 0.333333}  # what is infinite is left out
    assert [artifact.path for artifact in opened.client.list_artifacts(run_id)] == [
        "pictures",
        "report.html",
    ]
    assert run_id not in opened.tables().runs.index  # no measured run


def test_a_summary_of_the_same_cells_replaces_the_earlier_one(store: Store, report: Path) -> None:
    client = reader(store.settings).client
    first = summarize(store, report, tags={NOTE_TAG: "Deploy."}, cells={"a", "b"})
    other = summarize(store, report, tags={NOTE_TAG: "Other."}, cells={"a"})
    second = summarize(store, report, tags={NOTE_TAG: "Keep."}, cells={"b", "a"})
    third = summarize(store, report, tags={NOTE_TAG: "Deploy."}, cells={"a", "b"})
    runs = {run_id: client.get_run(run_id) for run_id in (first, other, second, third)}
    names = [runs[run_id].info.run_name for run_id in runs]
    assert names == ["summary · replaced", "summary", "summary · replaced", "summary"]
    notes = {run_id: run.data.tags[NOTE_TAG].split("\n\n") for run_id, run in runs.items()}
    assert notes[other] == ["Other."]
    assert notes[first][-1] == "Deploy."
    assert notes[first][0].startswith("A later summary of the same cells: [summary](#/experiments/")
    assert f"/runs/{second}?" in notes[first][0]
    assert f"/runs/{third}?" in notes[second][0]
    assert (notes[third][0], f"/runs/{second}?" in notes[third][1]) == ("Deploy.", True)
    assert first not in notes[third][1]  # that one points to the second, which points here
    tags = [runs[run_id].data.tags.get("greenexp.replaced_by") for run_id in runs]
    assert tags == [second, None, third, None]


def test_metrics_are_logged_on_runs_that_are_there(store: Store) -> None:
    first, second = store.run_ids["first"], store.run_ids["second"]
    values = {first: {RATIO: 0.5, DELTA: math.nan}, second: {RATIO: 2 / 3, DELTA: -0.01}}
    assert log_versus(store.settings, values, known(store)) == 2
    table = known(store)
    assert table.loc[[first, second], RATIO].tolist() == [0.5, 0.666667]
    assert table.loc[first, DELTA] is pd.NA
    assert table.loc[second, DELTA] == -0.01


def test_what_is_there_is_not_logged_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = store.run_ids["first"], store.run_ids["second"]
    values = {first: {RATIO: 0.25}, second: {RATIO: 1 / 3}}
    log_versus(store.settings, values, known(store))
    monkeypatch.setattr(findings, "reader", None)  # not even opened
    assert log_versus(store.settings, values, known(store)) == 0
    monkeypatch.undo()
    assert log_versus(store.settings, values | {second: {RATIO: 0.4}}, known(store)) == 1
    assert known(store).loc[[first, second], RATIO].tolist() == [0.25, 0.4]


def test_marks_are_set_on_runs_where_they_changed(store: Store) -> None:
    first, second = store.run_ids["first"], store.run_ids["second"]

    def tags() -> pd.DataFrame:
        return reader(store.settings).tables().tags

    assert log_marks(store.settings, {first: "baseline", second: "A/A"}, tags()) == 2
    assert tags().loc[[first, second], "greenexp.verdict"].tolist() == ["baseline", "A/A"]
    assert log_marks(store.settings, {first: "baseline", second: "lower"}, tags()) == 1
    assert tags().loc[second, "greenexp.verdict"] == "lower"
    assert log_marks(store.settings, {}, tags()) == 0


def test_nothing_to_log_is_fine(store: Store) -> None:
    assert log_versus(store.settings, {}, known(store)) == 0
    unknown = {store.run_ids["first"]: {DELTA: math.nan}}
    assert log_versus(store.settings, unknown, known(store)) == 0


def test_a_store_that_refuses_is_told_in_one_line(store: Store, report: Path) -> None:
    with pytest.raises(NotTracked, match="did not take the report") as caught:
        log_versus(store.settings, {"0" * 32: {RATIO: 0.5}}, known(store))
    assert "\n" not in str(caught.value)
    with pytest.raises(NotTracked, match="did not take the report"):
        summarize(store, report, metrics={"not a name!": 1.0})
