"""What becomes of runs whose job SLURM says is over, and of a job that is started again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenexp.cli import slurm
from greenexp.runs import journalled
from greenexp.sweep.record import measured_before
from tests.support.builders import cpu_run, record, window


@pytest.mark.parametrize(
    ("word", "is_over", "outcome"),
    [
        ("PENDING", False, None),
        ("RUNNING", False, None),
        ("COMPLETING", False, None),
        ("CANCELLED", True, "killed"),
        ("FAILED", True, "killed"),
        ("NODE_FAIL", True, "killed"),
        ("PREEMPTED", True, "killed"),
        ("OUT_OF_MEMORY", True, "oom"),
        ("TIMEOUT", True, "timeout"),
        ("COMPLETED", True, "killed"),
    ],
)
def test_job_s_state_tells_what_became_of_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, is_over: bool, outcome: str | None
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\necho '7_0 {word}'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    states = slurm.states(["7_0", "7_1"])
    assert states is not None
    assert states["7_0"].is_over == is_over
    assert outcome is None or states["7_0"].outcome == outcome
    assert states["7_1"].is_over  # SLURM knows it no more
    assert states["7_1"].reason == "it ended without a record"


def test_slurm_that_does_not_answer_tells_of_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.states(["7_0"]) is None


def test_block_that_was_journalled_before_its_job_was_stopped_is_found(tmp_path: Path) -> None:
    assert measured_before(tmp_path / "runs") == []
    for name in ("1-2", "1", "0"):
        made = record(cpu_run(window()), title=name, id=name)
        journalled.write(made, tmp_path / "runs" / name)
    measurements = measured_before(tmp_path / "runs")
    assert [
        (measurement.request, measurement.is_extra, measurement.run.id)
        for measurement in measurements
    ] == [
        (0, False, "0"),
        (1, False, "1"),
        (1, True, "1-2"),
    ]
