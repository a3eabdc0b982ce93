"""Runs whose files are not on this machine."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from greenexp.runs.result import Result
from greenexp.tracking import reader as reading
from greenexp.tracking.downloads import download
from greenexp.tracking.opening import reader
from greenexp.tracking.reader import Reader
from tests.support.tracked import Store, run, tracked


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return tracked(
        tmp_path_factory.mktemp("store"),
        run("first", 1),
        run("second", 2),
        run("failed", 3, result=Result("oom", reason="out of memory")),
    )


@pytest.fixture
def opened(store: Store) -> Reader:
    return reader(store.settings)


@pytest.fixture
def elsewhere(opened: Reader, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader for which no file is on this machine."""
    monkeypatch.setattr(reading, "local_path", lambda uri: None)
    return Reader(opened.settings, opened.experiment_id, opened.engine)


def test_runs_and_records_are_the_same_from_afar(
    store: Store, opened: Reader, elsewhere: Reader
) -> None:
    key = store.run_ids["second"]
    assert elsewhere.runs() == reader(store.settings).runs()
    assert elsewhere.record(key) == opened.record(key)
    assert not elsewhere.files.complete  # a report of them is made anew each time


def test_predictions_come_when_asked_for_or_before(store: Store, elsewhere: Reader) -> None:
    ids = [store.run_ids[name] for name in ("first", "failed")]
    asked = elsewhere.predictions(ids[0])
    elsewhere.runs()
    with ProcessPoolExecutor(1) as pool:
        elsewhere.begin_predictions(ids, pool)
        begun, none = map(elsewhere.predictions, ids)
    assert none is None
    for judged in (asked, begun):
        assert judged is not None
        assert (judged.images, judged.correct.tolist()) == (("a", "b"), [True, False])


def test_a_file_that_is_gone_is_one_error_whatever_the_store(
    store: Store, opened: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = opened.client.get_run(store.run_ids["first"]).info.artifact_uri
    assert download(uri, "run.json", store.settings.uri).startswith(b"{")
    for place in (uri, "mlflow-artifacts:/0/1/artifacts", "unknown://here"):
        with pytest.raises(FileNotFoundError, match=r"gone\.json of"):
            download(place, "gone.json", "http://127.0.0.1:9")


def test_runs_that_are_at_hand_are_left_out(store: Store, opened: Reader) -> None:
    second = store.run_ids["second"]
    others = [run for run in opened.runs() if run.tracked != second]
    assert len(others) == 2
    assert opened.runs(without={second}) == others
    server = Reader(opened.settings, opened.experiment_id, None)
    told = server.runs(exact=False, without={second, None})
    assert [run.tracked for run in told] == [run.tracked for run in others]


def test_more_than_fits_one_call_is_all_there(tmp_path: Path) -> None:
    many = run("many", 1)
    many.configuration["workload"] = {f"option_{number}": number for number in range(250)}
    made = tracked(tmp_path, many)
    told = reader(made.settings).client.get_run(made.run_ids["many"]).data.params
    assert [told[f"workload.option_{number}"] for number in range(250)] == [
        str(number) for number in range(250)
    ]
