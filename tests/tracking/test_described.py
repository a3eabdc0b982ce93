"""What the page of a run in MLflow says of it in words."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.tracking.described import description
from tests.support.builders import a_run

FIGURES = {"latency/p50_ms": 1.2345, "energy/per_image_j": 0.01126, "accuracy/top1": 0.98333}


def paragraphs(**fields: Any) -> list[str]:
    choices = {"model": "digits_vit", "tactic": "baseline", "dataset": "digits"}
    choices |= {"workload": "quick", **fields.pop("choices", {})}
    given = {"metrics": FIGURES, "energy_source": "cpu:model", "cpu": "EPYC", **fields}
    return description(a_run(choices=choices, **given)).split("\n\n")


def test_a_run_says_what_it_is_what_it_gave_and_that_it_is_valid() -> None:
    texts = paragraphs(choices={"tactic": "local_pruning"}, block=2, sweep="2026-11-30/00-06-57")
    assert texts == [
        "**digits_vit** with the tactic **local_pruning**; on the images of digits, workload "
        "quick, measured on EPYC, in block 2 of the sweep 2026-11-30/00-06-57.",
        "A batch takes 1.23 ms (median), an image takes 0.0113 J (cpu:model, an estimate), "
        "top-1 is 0.9833.",
        "Nothing stands against its figures.",
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"block": 1}, "as it is: the baseline that tactics are", id="baseline"),
        pytest.param({"block": 1, "replicate": 2}, "measured again (A/A): how far noise", id="A/A"),
        pytest.param({}, "alone, so compared with nothing", id="a single run"),
        pytest.param({"gpus": ["H200"]}, "measured on H200", id="GPU"),
        pytest.param({"cpu": None}, "workload quick, alone", id="unknown processor"),
    ],
)
def test_the_first_sentence_says_what_the_run_is_for(fields: dict[str, Any], words: str) -> None:
    assert words in paragraphs(**fields)[0]


def test_a_counter_is_no_estimate_and_what_is_absent_is_not_told() -> None:
    assert "J (cpu:counter)," in paragraphs(energy_source="cpu:counter")[1]
    texts = paragraphs(metrics={"accuracy/top1": 0.5}, energy_source=None)
    assert texts[1] == "Top-1 is 0.5000."
    assert len(paragraphs(metrics={})) == 2


def test_doubts_and_failures_are_told() -> None:
    doubted = paragraphs(doubts=["cpu_steal", "other_processes"])[1]
    assert doubted.startswith("This stands against its figures: cpu_steal, other_processes (")
    failed = paragraphs(outcome="oom", reason="out of memory", metrics={})
    assert failed[1:] == ["It did not end well: oom: out of memory"]
    finding = paragraphs(outcome="unsupported", reason="no kernel", metrics={})
    assert finding[1:] == ["It found: unsupported: no kernel"]


def test_a_model_of_a_folder_is_called_by_its_name() -> None:
    configuration = {"model": {"path": "nets/deit"}, "dataset": {"path": "photos"}}
    choices = {"model": "local", "dataset": "folder"}
    first = paragraphs(choices=choices, configuration=configuration)[0]
    assert first.startswith("**deit** as it is")
    assert "on the images of photos" in first
