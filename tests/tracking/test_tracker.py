"""What MLflow is told of a run, and that it is told once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from greenexp.protocols import Series
from greenexp.runs import journal
from greenexp.runs.identity import run_name
from greenexp.runs.journal import Record
from greenexp.runs.result import Complexity, Predictions, Result
from greenexp.runs.run import of
from greenexp.settings.sweep import Tracking
from greenexp.tracking.addresses import exists, local_folder
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.fields import artifacts, parameters_of, tags
from greenexp.tracking.tracker import Tracker, connect, how_to_open
from tests.support.builders import cpu_run, energy, level, record, window
from tests.support.tracked import sent

CHOICES = {"model": "digits_vit", "tactic": "baseline", "dataset": "digits"}
CHAIN = "half_precision > torch_compile"


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
    configuration = fields.pop("configuration", {}) | {
        "hardware": {"any_device": True, "price": {"usd_per_kwh": 0.2}},
        "tracking": {"uri": f"sqlite:///{folder}/mlflow.db", "experiment": "test"},
        "workload": {"batch_size": 1, "threads": None},
    }
    given = {"choices": CHOICES, "title": "digits_vit · baseline", "configuration": configuration}
    return record(fields.pop("result", result), **(given | fields))


def tags_of(record: Record) -> dict[str, str]:
    return tags(record, of(record))


def artifacts_of(record: Record) -> dict[str, str]:
    return artifacts(record, of(record))


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


@pytest.mark.parametrize(
    ("choices", "configuration", "named"),
    [
        pytest.param(
            {"model": "local", "dataset": "folder"},
            {"model": {"path": "/srv/nets/deit/"}, "dataset": {"path": "photos"}},
            ("deit", "photos"),
            id="folders by their names",
        ),
        pytest.param(
            {"model": "hub", "dataset": "hub"},
            {"model": {"checkpoint": "org/net"}, "dataset": {"id": "org/data"}},
            ("org/net", "org/data"),
            id="of the hub by their ids",
        ),
        pytest.param({}, {"model": {"name": "x"}}, ("digits_vit", "digits"), id="by the choice"),
    ],
)
def test_parameters_name_model_and_data_set(
    tmp_path: Path, choices: dict, configuration: dict, named: tuple[str, str]
) -> None:
    record = measured(tmp_path, choices=CHOICES | choices, configuration=configuration)
    parameters = parameters_of(record)
    assert (parameters["model"], parameters["dataset"]) == named


def test_tags_say_outcome_validity_and_source(tmp_path: Path) -> None:
    failed = tags_of(measured(tmp_path, result=Result("oom", reason="out of memory")))
    assert failed["greenexp.outcome"] == "oom"
    assert failed["greenexp.reason"] == "out of memory"
    assert "greenexp.energy_source" not in failed
    fine = tags_of(measured(tmp_path, sweep="2026/1"))
    assert (fine["greenexp.outcome"], fine["greenexp.validity"]) == ("ok", "valid")
    assert fine["greenexp.sweep"] == "2026/1"


@pytest.mark.parametrize(
    ("sweep", "place"),
    [
        pytest.param({}, {"greenexp.replicate": "1"}, id="single run"),
        pytest.param(
            {"sweep": {"block": 2, "replicate": 1}},
            {"greenexp.block": "2", "greenexp.replicate": "1"},
            id="block",
        ),
        pytest.param(
            {"sweep": {"block": 3, "replicate": 2}},
            {"greenexp.block": "3", "greenexp.replicate": "2"},
            id="second baseline",
        ),
    ],
)
def test_tags_say_where_a_run_belongs(tmp_path: Path, sweep: dict, place: dict[str, str]) -> None:
    tag_values = tags_of(
        measured(tmp_path, configuration=sweep, id="7", cell="c0ffee", machine="here")
    )
    placing = ("greenexp.block", "greenexp.replicate")
    assert {key: tag_values[key] for key in placing if key in tag_values} == place
    assert (tag_values["greenexp.id"], tag_values["greenexp.cell"]) == ("7", "c0ffee")
    assert tag_values["greenexp.machine"] == "here"


def test_tags_of_an_old_record_name_no_machine(tmp_path: Path) -> None:
    assert "greenexp.machine" not in tags_of(measured(tmp_path))


@pytest.mark.parametrize(
    ("limits", "validity"),
    [
        pytest.param({}, "cpu_steal", id="limits as they come"),
        pytest.param({"interference": {"steal_pct": 6.0}}, "valid", id="limits of the run"),
    ],
)
def test_validity_is_judged_by_the_limits_of_the_run(
    tmp_path: Path, limits: dict, validity: str
) -> None:
    result = cpu_run(window(level("steal_pct", "cpu", 5.0)))
    run = measured(tmp_path, result=result, configuration=limits)
    assert tags_of(run)["greenexp.validity"] == validity


def test_artifacts_hold_the_raw_data(tmp_path: Path) -> None:
    files = artifacts_of(measured(tmp_path))
    assert files["latencies.csv"].splitlines()[1:] == ["0,0,0.25", "0,1,0.5"]
    assert files["predictions.csv"].splitlines()[1:] == ["a,0,0,1", "b,1,0,0"]
    assert "batch_size: 1" in files["config.yaml"]
    assert json.loads(files["record.json"])["title"] == "digits_vit · baseline"
    bare = artifacts_of(measured(tmp_path, result=Result("error", reason="x", traceback="Trace")))
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
    first = sent(path)
    assert sent(path) == first
    failed = Result("timeout", reason="it took too long", effect={"half_precision/dtype": "bf16"})
    chained = measured(tmp_path, id="1", result=failed, choices=CHOICES | {"tactic": CHAIN})
    sent(journal.write(chained, tmp_path / "chained"))
    client = MlflowClient(run.configuration["tracking"]["uri"])
    experiment = client.get_experiment_by_name("test")
    assert experiment.artifact_location == (tmp_path / "artifacts").as_uri()
    assert any(key.startswith("mlflow.sharedViewState.") for key in experiment.tags)
    by_id = {r.info.run_id: r for r in client.search_runs([experiment.experiment_id])}
    assert sorted(r.info.status for r in by_id.values()) == ["FAILED", "FINISHED"]
    (chained,) = client.search_runs([experiment.experiment_id], f"params.tactic = '{CHAIN}'")
    assert chained.data.tags["greenexp.id"] == "1"
    assert chained.data.params["effect.half_precision/dtype"] == "bf16"
    stored = by_id[first].data
    assert stored.metrics["accuracy/top1"] == 0.5
    assert stored.metrics["complexity/sparsity"] == 0.5
    history = client.get_metric_history(first, "series/cpu_estimate/cpu_power_w")
    assert [(point.value, point.step) for point in history] == [(3.0, 0), (4.0, 200)]


ENDED = {  # by its id: cell, machine, minutes it took, place, outcome
    "first": ("vit", "here", 1, {"block": 1, "replicate": 1}, "ok"),
    "second": ("vit", "here", 2, {"block": 1, "replicate": 2}, "ok"),
    "single": ("vit", "here", 3, {}, "ok"),
    "failed": ("vit", "here", 4, {"block": 2, "replicate": 1}, "oom"),
    "elsewhere": ("vit", "there", 5, {"block": 3, "replicate": 1}, "ok"),
    "other": ("swin", "here", 6, {"block": 1, "replicate": 1}, "ok"),
}


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    """A store with the runs in ENDED; each took joules and minutes of its own."""
    for number, (name, (cell, machine, minutes, place, outcome)) in enumerate(ENDED.items()):
        fields = {"outcome": outcome, "duration_s": 60.0 * minutes}
        joules = energy("cpu", 100.0 * minutes)
        result = cpu_run(window(joules), **fields) if outcome == "ok" else Result(outcome)
        run = measured(
            tmp_path,
            result=result,
            configuration={"sweep": place},
            id=name,
            cell=cell,
            machine=machine,
            started=f"2026-01-0{number + 1}T00:00:00+00:00",
            ended=f"2026-01-0{number + 1}T00:{minutes:02}:00+00:00",
        )
        sent(journal.write(run, tmp_path / name))
    return connect(Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="test"))


def test_runs_are_named_by_their_place(tracker: Tracker) -> None:
    runs = tracker.client.search_runs([tracker.experiment_id])
    assert {run.data.tags["greenexp.id"]: run.info.run_name for run in runs} == {
        "first": "digits_vit · baseline · block 1",
        "second": "digits_vit · baseline · block 1 · A/A",
        "single": "digits_vit · baseline",
        "failed": "digits_vit · baseline · block 2",
        "elsewhere": "digits_vit · baseline · block 3",
        "other": "digits_vit · baseline · block 1",
    }


def test_store_exists_once_it_was_opened(tmp_path: Path) -> None:
    where = Tracking(uri=f"sqlite:///{tmp_path}/deep/mlflow.db", experiment="test")
    assert not exists(where)
    assert not (tmp_path / "deep").exists()  # asking makes nothing
    connect(where)
    assert exists(where)


def test_server_is_taken_to_exist() -> None:
    assert exists(Tracking(uri="http://127.0.0.1:1"))


def test_a_tracker_that_fails_leaves_the_journal(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the store's folder should be")
    run = measured(blocked)
    path = journal.write(run, tmp_path / "run")
    (receipt,) = Delivery().send([path])
    assert receipt.run_id is None
    assert "python -m greenexp.store" in (receipt.failure or "")
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


def test_unsent_records_are_found_oldest_first_until_marked(tmp_path: Path) -> None:
    paths = {
        name: journal.write(measured(tmp_path, id=name), tmp_path / "multirun" / name)
        for name in ("b", "a", "c")
    }
    for age, name in enumerate(["c", "a", "b"]):  # c is the oldest
        os.utime(paths[name], (1000.0 + age, 1000.0 + age))
    folder = tmp_path / "multirun"
    assert journal.unsent(folder) == [paths["c"], paths["a"], paths["b"]]
    journal.mark_sent(paths["a"], "mlflow-id")
    assert journal.unsent(folder) == [paths["c"], paths["b"]]
    assert (paths["a"].parent / journal.SENT).read_text() == "mlflow-id"
    assert journal.read(paths["a"]).id == "a"
    for name in "bc":
        journal.mark_sent(paths[name], "mlflow-id")
    assert journal.unsent(folder) == []


def test_half_written_record_is_no_unsent_one(tmp_path: Path) -> None:
    (tmp_path / ".record.json.1.partial").write_text('{"id": ')
    assert journal.unsent(tmp_path) == []
    assert journal.unsent(tmp_path / "nowhere") == []


def test_an_old_journal_is_read_without_machine_and_place(tmp_path: Path) -> None:
    path = journal.write(measured(tmp_path), tmp_path)
    whole = json.loads(path.read_text())
    del whole["machine"]
    path.write_text(json.dumps(whole))
    old = journal.read(path)
    assert (old.machine, old.block, old.replicate) == (None, None, 1)


@pytest.mark.parametrize(
    ("tactic", "block", "replicate", "name"),
    [
        ("baseline", None, 1, "vit · baseline"),
        ("baseline", 4, 1, "vit · baseline · block 4"),
        ("baseline", 4, 2, "vit · baseline · block 4 · A/A"),
        ("baseline", 4, 3, "vit · baseline · block 4 · A/A 2"),
        ("local_pruning", 4, 2, "vit · local_pruning · block 4 · process 2"),
    ],
    ids=["single run", "block", "second baseline", "third baseline", "second process"],
)
def test_run_name(tactic: str, block: int | None, replicate: int, name: str) -> None:
    assert run_name(f"vit · {tactic}", block, replicate, tactic == "baseline") == name


def test_tracking_defaults_to_a_store_in_the_working_folder() -> None:
    assert Tracking().uri == "sqlite:///mlruns/mlflow.db"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("sqlite:///mlruns/mlflow.db", "start `mlflow ui --backend-store-uri sqlite:///mlruns"),
        ("sqlite:///mlruns/mlflow.db", "MLflow: `greenexp ui` opens them, or start"),
        ("sqlite:///a b/x.db", "`greenexp ui tracking.uri='sqlite:///a b/x.db'` opens them"),
        (
            "postgresql://u:secret@db/runs",
            "mlflow ui --backend-store-uri 'postgresql://***@db/runs'",
        ),
        (
            "https://mlflow.example.org",
            "Runs in MLflow: https://mlflow.example.org/#/experiments/7",
        ),
    ],
)
def test_how_runs_are_opened_fits_the_kind_of_store(uri: str, words: str) -> None:
    told = how_to_open(Tracking(uri), Tracker(None, "7"))  # type: ignore[arg-type]
    assert words in told
    assert "secret" not in told
