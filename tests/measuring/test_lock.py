"""Two measurements on one machine would disturb each other."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from greenexp.errors import BadInput
from greenexp.measuring.lock import machine_lock

HOLDER = """
import sys
from greenexp.measuring.lock import machine_lock
with machine_lock(alone=True):
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def holder() -> subprocess.Popen[str]:
    """Returns another process that has the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


@pytest.mark.usefixtures("own_folder")
def test_another_process_is_refused_in_one_line_until_the_first_ends() -> None:
    with holder() as process:
        refused = pytest.raises(BadInput, match=r"wait for its end, or give isolation\.alone=false")
        with refused, machine_lock(alone=True):
            pytest.fail("both measure")
        process.communicate("\n")
    with machine_lock(alone=True):
        pass


@pytest.mark.usefixtures("own_folder")
def test_a_holder_that_is_killed_holds_nothing() -> None:
    with holder() as process:
        process.kill()
        process.wait()
    with machine_lock(alone=True):
        pass


@pytest.mark.usefixtures("own_folder")
def test_side_by_side_is_allowed_where_it_is_asked_for() -> None:
    with holder() as process:
        with machine_lock(alone=False):
            pass
        process.communicate("\n")


@pytest.mark.usefixtures("own_folder")
def test_a_sweep_that_has_the_lock_takes_it_again_for_its_blocks() -> None:
    with machine_lock(alone=True), machine_lock(alone=True):
        pass
    with holder() as process:
        process.communicate("\n")
