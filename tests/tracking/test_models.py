"""MLflow's models: one a cell, found by MLflow's own search; data sets stand at the runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException

from greenexp.runs.journal import Record
from greenexp.runs.result import Predictions, Result
from greenexp.settings.sweep import Tracking
from greenexp.tracking.inputs import data_sets
from greenexp.tracking.models import EXTERNAL, RUN, Models
from greenexp.tracking.tracker import Tracker, connect
from tests.support.builders import cpu_run, energy, record, window

HUB = {
    "_target_": "greenexp.datasets.hub.Hub",
    "id": "uoft-cs/cifar10",
    "config": "plain_text",
    "split": "test",
    "calibration_split": "train",
    "revision": "main",
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def tracker(folder: Path) -> Tracker:
    return connect(Tracking(uri=f"sqlite:///{folder}/mlflow.db", experiment="test"))


def measured(tactic: str, joules: float, right: int, **fields: Any) -> Record:
    """Returns a run of four images, of which some are right."""
    ranked = [[0, 1]] * right + [[1, 0]] * (4 - right)
    result = cpu_run(
        window(energy("cpu", joules), latencies_s=[0.25, 0.5]),
        predictions=Predictions(["a", "b", "c", "d"], [0] * 4, ranked),
    )
    given = {
        "id": f"{tactic} {joules}",
        "cell": tactic,
        "title": f"digits_vit · {tactic}",
        "choices": {"model": "digits_vit", "tactic": tactic, "dataset": "digits"},
        "machine": "here",
        "configuration": {
            "hardware": {"any_device": True, "price": {}},
            "dataset": {"_target_": "greenexp.datasets.digits.Digits"},
            "workload": {"batch_size": 1, "threads": None},
        },
    }
    return record(fields.pop("result", result), **(given | fields))


def models_of(opened: Tracker, wanted: str | None = None) -> list[LoggedModel]:
    """Returns models from the one that takes the least joules on."""
    least = {"field_name": "metrics.energy/per_image_j", "ascending": True}
    return list(
        opened.client.search_logged_models([opened.experiment_id], wanted, order_by=[least])
    )


def test_mlflow_s_own_search_finds_the_least_joules_with_enough_top1(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    for tactic, joules, right in (("baseline", 4.0, 4), ("a", 2.0, 4), ("b", 1.0, 2)):
        opened.log(measured(tactic, joules, right))
    models = models_of(opened, "metrics.`accuracy/top1` > 0.83")
    assert [model.params["tactic"] for model in models] == ["a", "baseline"]
    (joules,) = [m for m in models[0].metrics if m.key == "energy/per_image_j"]
    (of_run,) = opened.client.get_metric_history(models[0].source_run_id, joules.key)
    assert joules.value == of_run.value
    assert joules.dataset_name == "digits"


def test_runs_of_a_cell_share_one_external_model(tmp_path: Path) -> None:
    for number in range(3):
        tracker(tmp_path).log(measured("a", 1.0 + number, 4, cell="a"))
    (model,) = models_of(tracker(tmp_path))
    assert model.tags[EXTERNAL] == "true"
    assert str(model.status) == "READY"
    values = [metric.value for metric in model.metrics if metric.key == "accuracy/top1"]
    assert values == [1.0, 1.0, 1.0]


def test_a_model_is_told_by_its_cell_s_oldest_run_without_the_metrics_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tracker(tmp_path)
    first = opened.log(measured("a", 1.0, 4))
    (model,) = models_of(opened)
    asked: list[str] = []
    search = type(opened.client).search_logged_models

    def noting(client: Any, experiments: list[str], wanted: str, **named: Any) -> Any:
        asked.append(wanted)
        return search(client, experiments, wanted, **named)

    with monkeypatch.context() as patch:
        patch.setattr(type(opened.client), "search_logged_models", noting)
        second = tracker(tmp_path).log(measured("a", 2.0, 4))
    assert [wanted.count(RUN) for wanted in asked] == [1]  # artefacts alone
    opened.client.delete_run(first)
    third = tracker(tmp_path).log(measured("a", 3.0, 4))
    for run_id in (second, third):
        (of_run,) = opened.client.get_run(run_id).inputs.model_inputs
        assert of_run.model_id == model.model_id


def test_another_machine_s_figures_are_another_model_s(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    opened.log(measured("a", 1.0, 4))
    opened.log(measured("a", 2.0, 4, machine="there"))
    assert len(models_of(opened)) == 2


def test_run_that_something_stands_against_gives_its_model_no_metric(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    doubtful = measured("a", 1.0, 4)
    opened.log(replace(doubtful, result=replace(doubtful.result, doubts=["other_processes"])))
    (model,) = models_of(opened)
    assert not model.metrics


def test_run_that_failed_has_no_model(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    opened.log(measured("a", 1.0, 4, result=Result("oom", reason="out of memory")))
    assert models_of(opened) == []


def test_server_without_models_keeps_runs_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tracker(tmp_path)

    def unknown(*arguments: object, **named: object) -> None:
        raise MlflowException("no such endpoint", error_code=ENDPOINT)

    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND as ENDPOINT

    with monkeypatch.context() as patch:
        patch.setattr(type(opened.client), "search_logged_models", unknown)
        run_id = opened.log(measured("a", 1.0, 4))
    assert opened.client.get_run(run_id).data.metrics["accuracy/top1"] == 1.0
    assert models_of(opened) == []


def test_of_two_made_at_once_the_older_stays(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    opened.log(measured("a", 1.0, 4))
    (first,) = models_of(opened)
    other = Models(opened.client, opened.experiment_id)
    from greenexp.runs.run import of

    run = of(measured("a", 2.0, 4))
    made = other._made(run, first.source_run_id, first.tags["greenexp.model_of"])
    assert made == first.model_id
    assert [model.model_id for model in models_of(opened)] == [first.model_id]


def test_runs_name_the_data_set_they_were_judged_on(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    run_id = opened.log(measured("a", 1.0, 4))
    inputs = opened.client.get_run(run_id).inputs
    (read,) = inputs.dataset_inputs
    assert read.dataset.name == "digits"
    assert [(tag.key, tag.value) for tag in read.tags] == [("mlflow.data.context", "evaluation")]
    assert [model.model_id for model in inputs.model_inputs] == [models_of(opened)[0].model_id]


def test_split_of_the_hub_has_its_commit_and_calibration_images_their_own() -> None:
    configuration = {
        "dataset": HUB,
        "inputs": {"dataset": COMMIT, "calibration": "cc"},
        "hardware": {"any_device": True, "price": {}},
    }
    evaluation, calibration = data_sets(measured("a", 1.0, 4, configuration=configuration))
    assert (evaluation.name, evaluation.source_type) == ("uoft-cs/cifar10", "hugging_face")
    assert COMMIT.startswith(evaluation.digest)
    assert len(evaluation.digest) == 36  # MLflow takes no longer one
    assert json.loads(evaluation.source)["split"] == "test"
    assert (calibration.digest, calibration.context) == ("cc", "calibration")
    assert json.loads(calibration.source)["split"] == "train"


def test_data_set_without_a_digest_is_told_by_the_images_that_were_judged() -> None:
    first, again = (data_sets(measured("a", 1.0, 4))[0] for _ in range(2))
    other = Predictions(["a", "b", "c", "x"], [0] * 4, [[0]] * 4)
    (changed,) = data_sets(measured("a", 1.0, 4, result=cpu_run(window(), predictions=other)))
    assert first == again
    assert changed.digest != first.digest


def test_run_that_judged_nothing_names_no_data_set() -> None:
    assert data_sets(measured("a", 1.0, 4, result=Result("error", reason="why"))) == []
