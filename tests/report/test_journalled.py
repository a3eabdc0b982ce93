"""Predictions as a journal holds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from greenexp.report.journalled import JournalEvidence
from greenexp.runs import journalled
from greenexp.runs.result import Predictions
from tests.support.builders import cpu_run, record, window


def test_runs_that_judged_the_same_images_share_their_names(tmp_path: Path) -> None:
    runs = []
    for number in range(2):
        judged = Predictions(["a.png", "b.png"], [0, 1], [[0, 1], [number, 1 - number]])
        made = record(cpu_run(window(), predictions=judged), title="net", id=str(number))
        folder = tmp_path / str(number)
        runs.append(replace(journalled.write(made, folder), folder=str(folder)))
    evidence = JournalEvidence(runs)
    first, second = (evidence.predictions(run.id) for run in runs)
    assert first is not None
    assert second is not None
    assert first.images is second.images
    assert (first.correct.tolist(), second.correct.tolist()) == ([True, False], [True, True])
