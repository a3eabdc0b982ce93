"""What MLflow is told of a run, and that it is told once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import cpu_run, record, window

from greenexp.config import Tracking
from greenexp.errors import NotTracked
from greenexp.protocols import Series
from greenexp.result import Complexity, Predictions, Result
from greenexp.store import journal
from greenexp.store.journal import Record
from greenexp.store.tracking import artifacts, local_folder, parameters_of, send, tags

CHOICES = {"model": "digits_vit", "tactic": "baseline", "dataset": "digits"}


def measured(folder: Path, **fields) -> Record:
    """Returns a finished run that goes to a SQLite store in a folder."""
    result = cpu_run(
        window(latencies_s=[0.25, 0.5]),
        predictions=Predictions(["a", "b"], [0, 1], [[0, 1], [0, 1]]),
        effect={"graphs": 1},
        before=Complexity(10, 20, 2.0, 0.0),
        after=Complexity(10, 20, 1.0, 0.5),
        series=[Series("power_w", "cpu", "model", "cpu_estimate", [0.0, 0.2], [3.0, 4.0])],
    )
    configuration = {
        "hardware": {"any_device": True, "price": {"usd_per_kwh": 0.2}},
        "tracking": {"uri": f"sqlite:///{folder}/mlflow.db", "experiment": "test"},
        "workload": {"batch_size": 1, "threads": None},
    }
    given = {"choices": CHOICES, "title": "digits_vit · baseline", "configuration": configuration}
    return record(fields.pop("result", result), **(given | fields))


def test_parameters_are_choices_configuration_and_effect(tmp_path: Path) -> None:
    parameters = parameters_of(measured(tmp_path))
    assert parameters["model"] == "digits_vit"
    assert parameters["workload.batch_size"] == "1"
    assert "workload.threads" not in parameters  # absent is absent
    assert parameters["effect.graphs"] == "1"
    assert (parameters["effect.weights_mib_before"], parameters["effect.weights_mib_after"]) == (
        "2.0",
        "1.0",
    )


def test_tags_say_outcome_validity_and_source(tmp_path: Path) -> None:
    failed = tags(measured(tmp_path, result=Result("oom", reason="out of memory")))
    assert failed["greenexp.outcome"] == "oom"
    assert failed["greenexp.reason"] == "out of memory"
    assert "greenexp.energy_source" not in failed
    fine = tags(measured(tmp_path, sweep="2026/1"))
    assert (fine["greenexp.outcome"], fine["greenexp.validity"]) == ("ok", "valid")
    assert fine["greenexp.sweep"] == "2026/1"


def test_artifacts_hold_the_raw_data(tmp_path: Path) -> None:
    files = artifacts(measured(tmp_path))
    assert files["latencies.csv"].splitlines()[1:] == ["0,0,0.25", "0,1,0.5"]
    assert files["predictions.csv"].splitlines()[1:] == ["a,0,0,1", "b,1,0,0"]
    assert "batch_size: 1" in files["config.yaml"]
    assert json.loads(files["record.json"])["title"] == "digits_vit · baseline"
    bare = artifacts(measured(tmp_path, result=Result("error", reason="x", traceback="Trace")))
    assert bare["traceback.txt"] == "Trace"
    assert not {"latencies.csv", "predictions.csv"} & set(bare)


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("sqlite:///mlruns/mlflow.db", Path("mlruns")),
        ("sqlite:////srv/mlruns/mlflow.db", Path("/srv/mlruns")),
        ("sqlite:///mlflow.db", Path()),
        ("http://127.0.0.1:5000", None),
        ("postgresql://server/db", None),
    ],
)
def test_folder_of_a_store(uri: str, folder: Path | None) -> None:
    assert local_folder(uri) == folder


def test_sent_once_with_status_metrics_and_series(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    run = measured(tmp_path)
    path = journal.write(run, tmp_path / "run")
    first = send(journal.read(path), path)
    assert send(journal.read(path), path) == first
    failed = measured(tmp_path, id="1", result=Result("timeout", reason="it took too long"))
    send(failed, path)
    client = MlflowClient(run.configuration["tracking"]["uri"])
    experiment = client.get_experiment_by_name("test")
    assert experiment.artifact_location == (tmp_path / "artifacts").as_uri()
    assert any(key.startswith("mlflow.sharedViewState.") for key in experiment.tags)
    by_id = {r.info.run_id: r for r in client.search_runs([experiment.experiment_id])}
    assert sorted(r.info.status for r in by_id.values()) == ["FAILED", "FINISHED"]
    stored = by_id[first].data
    assert stored.metrics["accuracy/top1"] == 0.5
    assert stored.metrics["complexity/sparsity"] == 0.5
    history = client.get_metric_history(first, "series/cpu_estimate/cpu_power_w")
    assert [(point.value, point.step) for point in history] == [(3.0, 0), (4.0, 200)]


def test_a_tracker_that_fails_leaves_the_journal(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the store's folder should be")
    run = measured(blocked)
    path = journal.write(run, tmp_path / "run")
    with pytest.raises(NotTracked, match=r"python -m greenexp\.store"):
        send(run, path)
    assert journal.read(path).title == run.title


def test_journal_is_whole_or_absent(tmp_path: Path) -> None:
    run = measured(tmp_path)
    path = journal.write(run, tmp_path)
    before = path.read_text()
    broken = measured(tmp_path, result=Result("ok", effect={"sparsity": float("nan")}))
    with pytest.raises(ValueError, match="JSON"):
        journal.write(broken, tmp_path)
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


def test_tracking_defaults_to_a_store_in_the_working_folder() -> None:
    assert Tracking().uri == "sqlite:///mlruns/mlflow.db"
