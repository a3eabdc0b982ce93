"""What the catalogue takes from runs."""

from __future__ import annotations

from typing import Any

from greenexp.catalog.scores import Score, scores
from greenexp.runs.run import Run
from tests.support.builders import a_run

LIMITED = {"dataset": {"id": "org/photos", "limit": 4}}


def ran(top1: float | None, **fields: Any) -> Run:
    figures = {} if top1 is None else {"accuracy/top1": top1}
    return a_run(metrics=figures, **fields)


def test_the_latest_run_on_each_data_set_counts_latest_first() -> None:
    runs = [ran(0.1), ran(0.2, configuration=LIMITED), ran(0.3)]
    assert scores(runs, "baseline") == [
        Score("digits_vit", "digits", None, None, 0.3, None),
        Score("digits_vit", "digits", "org/photos", 4, 0.2, None),
    ]


def test_a_limit_that_is_text_in_an_old_run_is_a_number() -> None:
    old = {"dataset": {"path": "photos", "limit": "4"}}
    (score,) = scores([ran(0.5, configuration=old)], "baseline")
    assert (score.place, score.limit) == ("photos", 4)


def test_macs_are_those_of_the_run() -> None:
    counted = a_run(metrics={"accuracy/top1": 0.5, "complexity/macs": 7.0})
    assert scores([counted], "baseline")[0].macs == 7.0


def test_failed_runs_others_tactics_and_runs_without_accuracy_are_none() -> None:
    others = [
        ran(0.5, outcome="oom"),
        ran(None),
        ran(0.5, choices={"model": "digits_vit", "tactic": "pruning", "dataset": "digits"}),
    ]
    assert scores(others, "baseline") == []
