"""A study on a cluster whose nodes, and whose command, are killed: nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.loopback_tracker import mlflow_server
from tests.support.simulated_study import SWEEP, study

pytestmark = pytest.mark.slow

BLOCKS, RUNS_OF_A_BLOCK = 10, 3


def test_study_is_whole_whatever_is_killed(tmp_path: Path) -> None:
    work, served = tmp_path / "work", tmp_path / "server"
    work.mkdir()
    served.mkdir()
    with mlflow_server(served) as port:
        outcome = study(
            work,
            [*SWEEP, "model=digits_resnet", f"repetitions={BLOCKS}"],
            f"http://127.0.0.1:{port}",
            nodes=6,
            killed=0.4,
            interrupted_after_s=[2.0],
        )
    assert outcome.planned == BLOCKS * RUNS_OF_A_BLOCK
    assert outcome.lost == 0
    assert outcome.doubled == 0
    assert outcome.commands > 1
