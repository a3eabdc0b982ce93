"""Launchers that start jobs side by side: on one machine their blocks take turns."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.blocks import stretches, take_turns
from tests.support.command import QUICK, said, start

pytestmark = pytest.mark.slow

BLOCKS, RUNS = 2, 6  # of two models: a tactic and two baselines each
SWEEP = [
    "-m",
    "model=digits_resnet,digits_vit",
    "tactic=baseline,local_pruning",
    "report.after_sweep=false",
    *QUICK,
]
LIMIT_S = 300.0


def test_two_sweeps_that_are_started_at_once_measure_in_turn(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    sweeps = [start(folder, "greenexp", *SWEEP) for folder in folders]
    texts = [said(sweep) for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0], texts
    assert any("waiting for another measurement of greenexp on this machine" in t for t in texts)
    measured = stretches(*folders)
    assert len(measured) == 4
    assert take_turns(measured)


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], id="joblib"),
        pytest.param(["hydra/launcher=submitit_local"], id="submitit_local"),
    ],
)
def test_jobs_started_side_by_side_take_turns_and_go_on_where_one_is_killed(
    tmp_path: Path, launcher: list[str]
) -> None:
    sweep = start(tmp_path, "greenexp", *SWEEP, *launcher)
    limit_s = time.monotonic() + LIMIT_S
    while len(begun := sorted(tmp_path.glob("multirun/*/*/blocks/*.begun.json"))) < BLOCKS:
        assert time.monotonic() < limit_s
        time.sleep(0.1)
    os.kill(json.loads(begun[0].read_bytes())["pid"], signal.SIGKILL)
    text = said(sweep)
    again = start(tmp_path, "greenexp", *SWEEP, *launcher)
    if "joblib" in launcher[0]:  # its other workers die with the one, and all are started anew
        assert sweep.returncode == 0, text
        assert f"skipped {RUNS} of {RUNS} runs" in said(again)
    else:
        assert sweep.returncode == 1, text
        assert "killed: its process was killed" in text
        assert f"skipped 3 of {RUNS} runs" in said(again)
    assert again.returncode == 0
    assert f"[{RUNS}/{RUNS}]" in text
    assert text.count(" begins on ") >= BLOCKS
    measured = stretches(tmp_path)
    assert len(measured) == BLOCKS
    assert take_turns(measured)
