"""A sweep's memory does not grow with its runs, however many images each has judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import ROOT

pytestmark = pytest.mark.slow

IMAGES = 50_000  # of ImageNet's validation split
RECORDED = 100
SWEEP = [
    "-m",
    "model=digits_convnext,digits_mobilenet_v2,digits_resnet,digits_swin,digits_vit",
    "tactic=baseline,torch_compile,local_pruning,global_pruning",
    "repetitions=4",
    "sweep.baselines=2",
    "sweep.rerun=false",  # a busy machine, which flags runs, must not decide what is measured
    "tracking.offline=true",
]
SETTLED = 5  # blocks after which what is kept once, such as imports, is there
A_RECORD_MIB = 18  # of 50,000 predictions, where a whole one is kept
LIMIT_S = 1800


def swept(folder: Path) -> tuple[str, dict[str, Any]]:
    """Returns what the sweep says, and what memory it took."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.unmeasured", str(IMAGES), *SWEEP],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, json.loads(done.stdout.splitlines()[-1])


def test_memory_is_flat_over_runs_of_50_000_images_and_in_their_resume(tmp_path: Path) -> None:
    _, memory = swept(tmp_path)
    of_blocks_mib = memory["resident_mib"]
    assert 5 * len(of_blocks_mib) == RECORDED
    grown_mib = of_blocks_mib[-1] - of_blocks_mib[SETTLED]
    assert grown_mib < 2 * A_RECORD_MIB  # of 75 runs
    assert memory["peak_mib"] - of_blocks_mib[-1] < 10 * A_RECORD_MIB  # one block's, and the table
    words, resumed = swept(tmp_path)
    assert f"skipped {RECORDED} of {RECORDED} runs, which multirun has from earlier" in words
    assert resumed["resident_mib"] == []
    assert resumed["peak_mib"] < memory["peak_mib"] + 2 * A_RECORD_MIB
