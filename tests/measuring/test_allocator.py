"""The memory of a run's process: kept when it is freed, in huge pages where there are any."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from greenexp.measuring import isolation
from greenexp.measuring.allocator import HUGE_PAGES, TUNABLES, huge_pages, keep_freed_memory

TIMEOUT_S = 120.0
BLOCK_BYTES = 16 * 2**20
PAGE_BYTES = 4096


def faults_of_passes(path: str) -> None:
    """Writes whether memory is kept, and the page faults of ten passes that take and free some."""
    kept = keep_freed_memory()

    def forward() -> None:
        np.ones(BLOCK_BYTES, dtype=np.uint8)

    for _ in range(3):
        forward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        forward()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    Path(path).write_text(f"{kept} {faults}", encoding="utf-8")


def tunables(path: str) -> None:
    Path(path).write_text(os.environ.get(TUNABLES, ""), encoding="utf-8")


def test_a_pass_finds_the_memory_of_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    assert isolation.call(faults_of_passes, str(file), timeout_s=TIMEOUT_S).kind == "returned"
    kept, faults = file.read_text().split()
    assert kept == "True"
    assert int(faults) < BLOCK_BYTES / PAGE_BYTES / 10  # of one block of ten


def test_runs_ask_for_huge_pages_and_the_command_does_not(tmp_path: Path) -> None:
    file = tmp_path / "tunables"
    assert isolation.call(tunables, str(file), timeout_s=TIMEOUT_S).kind == "returned"
    assert HUGE_PAGES in file.read_text()
    assert TUNABLES not in os.environ


def test_tunables_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TUNABLES, "glibc.malloc.arena_max=1")
    with huge_pages():
        assert os.environ[TUNABLES] == "glibc.malloc.arena_max=1"
    assert os.environ[TUNABLES] == "glibc.malloc.arena_max=1"


def test_a_c_library_without_the_function_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
