"""What the Makefile's targets say and do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTER_MAKE = frozenset({"MAKELEVEL", "MAKEFLAGS", "MFLAGS"})


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """What make says where a user starts it, also while make runs these tests.

    An inner make prefixes its messages with its level and takes the outer one's options.
    """
    environment = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_check_of_gpus_without_one_is_a_line_and_fails() -> None:
    done = make("gpu-check", "GPU_PYTHON=false")
    line, failed = done.stderr.splitlines()
    assert line.startswith("gpu-check: false has no torch that sees a CUDA device; run it on a")
    assert failed.startswith("make: ***")
    assert (done.returncode, done.stdout) == (2, "")


def test_the_ui_is_greenexp_s() -> None:
    assert "python -m greenexp ui" in make("--dry-run", "ui").stdout
